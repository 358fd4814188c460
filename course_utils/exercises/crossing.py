"""Observations as JSON, so that one process runs an answer and another judges it; nothing is unpickled."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, get_args

import numpy as np

from course_utils.errors import ExerciseError
from course_utils.exercises.model import Observation, ObservationStatus
from course_utils.exercises.values import DEEPEST, MOST_BITS, MOST_CELLS, MOST_ITEMS, MOST_TEXT, Unreadable

_DTYPES = tuple(np.dtype(kind).str for kind in ("?", "u1", "i1", "i2", "i4", "i8", "f4", "f8", "c8", "c16"))
_TEXTS = ("traceback", "call", "error", "printed", "blocked_by")


def to_json(observation: Observation) -> str:
    """Return an observation as one line of JSON."""
    fields: dict[str, Any] = {name: getattr(observation, name) for name in _TEXTS}
    fields |= {
        "status": observation.status,
        "changed_inputs": list(observation.changed_inputs),
        "cut_off": list(observation.cut_off),
        "numpy": observation.numpy,
        "stopped_after": observation.stopped_after,
        "slips": [list(slip) for slip in observation.slips],
        "value": _encoded(observation.value),
    }
    return json.dumps(fields, allow_nan=False)


def from_json(text: str) -> Observation:
    """Return the observation that `to_json` wrote; the writer of `text` is not trusted.

    Raises
    ------
    ExerciseError
        If the text is not such an observation, or holds more than an answer may return.
    """
    try:
        fields = json.loads(text)
        texts = {name: _text(fields[name]) for name in _TEXTS}
        if fields["status"] not in get_args(ObservationStatus):
            raise ValueError(f"unknown status {fields['status']!r}")
        return Observation(
            status=fields["status"],
            value=_decoded(fields["value"]),
            changed_inputs=tuple(_text(name) for name in _some(fields["changed_inputs"])),
            cut_off=tuple(_text(name) for name in _some(fields["cut_off"])),
            numpy=fields["numpy"] is True,
            stopped_after=_seconds(fields["stopped_after"]),
            slips=tuple((_text(kind), _text(sentence)) for kind, sentence in _some(fields["slips"])),
            **texts,
        )
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise ExerciseError(
            "What came back from the answer is not an observation.",
            why=f"{type(error).__name__}: {error}"[:MOST_TEXT],
        ) from None


def _encoded(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case np.ndarray():
            data = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<"), copy=False))
            content = base64.b64encode(data.tobytes()).decode("ascii")
            return {"array": content, "dtype": data.dtype.str, "shape": list(value.shape)}
        case list():
            return [_encoded(item) for item in value]
        case tuple():
            return {"tuple": [_encoded(item) for item in value]}
        case dict():
            return {"dict": [[key, _encoded(item)] for key, item in value.items()]}
        case Unreadable(kind=kind):
            return {"unreadable": kind}
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _decoded(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST + 1:
        raise ValueError("nested too deep")
    match value:
        case None | bool() | float():
            return value
        case int():
            if value.bit_length() > MOST_BITS:
                raise ValueError("a gigantic integer")
            return value
        case str():
            return _text(value)
        case list():
            return [_decoded(item, depth + 1) for item in _some(value)]
        case {"float": str(text)}:
            return float(text)
        case {"array": str(content), "dtype": str(dtype), "shape": list(shape)}:
            return _array(content, dtype, shape)
        case {"tuple": items}:
            return tuple(_decoded(item, depth + 1) for item in _some(items))
        case {"dict": items}:
            return {_key(key): _decoded(item, depth + 1) for key, item in _some(items)}
        case {"unreadable": kind}:
            return Unreadable(_text(kind))
    raise ValueError("a value of an unknown kind")


def _array(content: str, dtype: str, shape: list[Any]) -> np.ndarray:
    if dtype not in _DTYPES or len(shape) > DEEPEST or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"no array has dtype {dtype!r:.20} and shape {shape!r:.80}")
    if (
        max(math.prod(shape), *shape, 0) > MOST_CELLS
        or len(content) > 2 * MOST_CELLS * np.dtype(dtype).itemsize
    ):
        raise ValueError("an array that is too large")
    data = base64.b64decode(content, validate=True)
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1e6:
        raise ValueError("a time that is none")
    return float(value)


def _some(items: Any) -> list[Any]:
    if not isinstance(items, list) or len(items) > MOST_ITEMS:
        raise ValueError("a sequence is missing or too long")
    return items


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("a text is missing")
    # Half characters and terminal control codes would do harm wherever the text is shown.
    cut = text[: 4 * MOST_TEXT]
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cut)


def _key(key: Any) -> str | int:
    if type(key) not in (str, int):
        raise TypeError("a key that is neither text nor number")
    return _text(key) if isinstance(key, str) else key
