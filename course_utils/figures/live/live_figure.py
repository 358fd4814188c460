"""The base of live figures: data, script and a still picture in one piece of HTML.

A figure is three files with its name beside this one: a Python function that checks its input and returns a
`LiveFigure`, a script that exports ``render({ model, el })``, and its style. They build on ``live_figure.js``
and ``live_figure.css``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import as_array
from course_utils.figures.html_figure import stylesheet
from course_utils.text import shape_text

_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";$', re.M)
_CAPTION = "This is a still picture. In a trusted notebook, the figure responds to mouse and keyboard."


@dataclass(frozen=True, repr=False)
class LiveFigure:
    """A figure that responds in the browser, without a kernel.

    Attributes
    ----------
    name : str
        Name of the script and the style beside this file.
    title : str
        Names the figure for the reader.
    data : mapping
        What the script reads with ``model.get(key)``: plain numbers, strings, lists and dicts.
    png : bytes
        The still picture, at twice the size it has on the screen.
    text : str
        Names the figure and one or two key numbers; the same in every run. Also the picture's alt text.
    """

    name: str
    title: str
    data: Mapping[str, Any]
    png: bytes
    text: str

    @cached_property
    def html(self) -> str:
        """The whole figure: style, still picture, data, script."""
        # A "<" could end the script element.
        data = json.dumps(self.data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = data.replace("<", "\\u003c")
        key = hashlib.sha256(f"{self.name}{data}".encode()).hexdigest()[:10]
        width = struct.unpack(">I", self.png[16:20])[0] // 2
        picture = base64.b64encode(self.png).decode()
        return (
            f'<div class="cl-live" id="cl-{key}" role="group" aria-label="{escape(self.title)}">\n'
            f"<style>{style(self.name)}</style>\n"
            f'<div class="cl-still"><img alt="{escape(self.text)}" width="{width}" '
            f'src="data:image/png;base64,{picture}"><p>{_CAPTION}</p></div>\n'
            f'<script type="application/json">{data}</script>\n'
            f"<script>(() => {{\n{script(self.name)}\n"
            f'start(document.currentScript, "cl-{key}", render);\n}})();</script>\n</div>'
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": self.text, "text/html": self.html}

    def __repr__(self) -> str:
        return self.text


@lru_cache
def script(name: str) -> str:
    """Return a script after those that it imports, without import lines, indentation and comments."""
    source = "\n".join((_HERE / f"{each}.js").read_text("utf-8") for each in _with_imported(name))
    source = re.sub(r"^export ", "", _IMPORT.sub("", source), flags=re.M)
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _with_imported(name: str) -> list[str]:
    found: list[str] = []
    for imported in _IMPORT.findall((_HERE / f"{name}.js").read_text("utf-8")):
        found += [each for each in _with_imported(imported) if each not in found]
    return [*found, name]


@lru_cache
def style(name: str) -> str:
    """Return the style that all live figures share, and the figure's own."""
    return stylesheet(*(_HERE / f"{each}.css" for each in ("live_figure", name)))


def numbers(array: np.ndarray) -> list[Any]:
    """Return nested lists for JSON: integers if all are whole, otherwise the digits of float32."""
    if array.dtype.kind == "b":
        return numbers(array.astype(np.int64))
    if array.dtype.kind in "iu":
        return array.astype(np.int64).tolist()
    wide = array.astype(np.float64)  # 2**53 is too large for float16
    if ((wide == np.round(wide)) & (abs(wide) < 2**53)).all():
        return array.astype(np.int64).tolist()
    return array.astype(np.float32).astype(str).astype(float).tolist()


def take(value: Any, wanted: str, ranks: tuple[int, ...], largest: tuple[int, ...]) -> np.ndarray:
    """Return `value` as an array that a figure can draw.

    Parameters
    ----------
    value : tensor, array or nested lists
    wanted : str
        The first half of the error, for example ``"conv_walk takes an image C×H×W of at most 8×32×32"``.
    ranks : tuple of int
        The accepted numbers of axes; an array of fewer axes than the largest gets leading ones.
    largest : tuple of int
        The largest size of each axis, one per axis of the largest rank.

    Raises
    ------
    FigureError
        If rank or size do not fit, the array is empty, or a number is not finite.
    """
    if hasattr(value, "shape") and _too_long(tuple(value.shape), largest):
        raise FigureError(f"{wanted}; this one is {shape_text(tuple(value.shape))}.")
    array = as_array(value)
    if array is None:
        raise FigureError(f"{wanted}; this is {type(value).__name__}.")
    if array.ndim not in ranks or array.size == 0 or _too_long(array.shape, largest):
        raise FigureError(f"{wanted}; this one is {shape_text(array.shape)}.")
    if not np.isfinite(array).all():
        raise FigureError(f"{wanted}; this one holds nan or infinity.")
    return array.reshape((1,) * (len(largest) - array.ndim) + array.shape)


def _too_long(shape: tuple[int, ...], largest: tuple[int, ...]) -> bool:
    return any(have > most for have, most in zip(reversed(shape), reversed(largest), strict=False))


def count(value: Any, name: str, least: int) -> int:
    """Return a whole number of at least `least`, such as a stride.

    Raises
    ------
    FigureError
        If it is any other number, a pair, or not a number.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, RuntimeError):
        number = least - 1
    if number < least or number != value:
        raise FigureError(f"{name} must be a whole number of at least {least}; it is {value!r}.")
    return number
