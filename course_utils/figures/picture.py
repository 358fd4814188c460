"""Matplotlib plots as small self-contained pictures with alt text."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from course_utils.figures.html_figure import STYLE, HtmlFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 60_000
"""Bytes of a picture in a notebook, with its words and its style."""

BLUE, ORANGE, INK = "#0072B2", "#D55E00", "#222222"
"""Okabe and Ito's blue and vermilion, told apart with every kind of colour vision."""

PALE = "#cccccc"

SCROLLS = 'tabindex="0" role="group" aria-label="Scrolls sideways" data-lm-suppress-shortcuts="true"'
"""Lets the keyboard scroll: a stop for the tab key, a name, and arrow keys that JupyterLab leaves alone."""

_QUALITIES = ((160, 256), (160, 64), (120, 64), (100, 64), (80, 48), (60, 32))
"""Dots per inch and colours, tried until a picture is small enough."""


@dataclass(frozen=True, repr=False, kw_only=True)
class Picture(HtmlFigure):
    """A plot as a PNG inside its HTML.

    Attributes
    ----------
    png : bytes
    alt : str
        What the picture shows, for readers who cannot see it.
    figure : matplotlib.figure.Figure
        What was drawn; its ``savefig`` writes other sizes and formats.
    """

    png: bytes
    alt: str
    figure: Figure = field(compare=False)


def picture(
    paint: Callable[[Figure], None],
    *,
    width: float,
    height: float,
    alt: str,
    text: str = "",
    colours: int = 256,
) -> Picture:
    """Paint a figure and return it as a small PNG.

    The background is white in every theme: a plot's colours are chosen for it. The user's matplotlib settings
    and pyplot's state are not used.

    Parameters
    ----------
    paint : callable
        Draws on an empty figure.
    width, height : float
        Inches on the screen, at 96 pixels each.
    alt : str
        Says what the picture shows.
    text : str, optional
        The twin in plain text; `alt` by default.
    colours : int
        The most that the PNG may have: 64 do for lines and letters, and keep a notebook small.
    """
    import matplotlib.style
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.style.context(["default", {"font.size": 9, "axes.edgecolor": "#666666"}]):
        layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03)
        figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        paint(figure)
        for dots, most in _QUALITIES:
            figure.set_dpi(dots)
            canvas.draw()
            png = _small_png(np.asarray(canvas.buffer_rgba())[..., :3], min(most, colours))
            html = _html(png, width, alt)
            if len(f"{STYLE}\n{html}".encode()) <= LARGEST:
                break
        FigureCanvasBase(figure)  # lets go of the pixels
    return Picture(html, text or alt, png=png, alt=alt, figure=figure)


def _html(png: bytes, width: float, alt: str) -> str:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    # A narrow page scrolls the picture before its letters become too small to read.
    return (
        f'<div {SCROLLS} style="overflow-x:auto"><img alt="{escape(alt)}" src="{source}" '
        f'width="{round(width * 96)}" style="max-width:100%;min-width:{round(width * 80)}px;height:auto;'
        'background:#fff;border-radius:4px"></div>'
    )


def _small_png(pixels: np.ndarray, most: int) -> bytes:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    colours = image.getcolors(maxcolors=most)
    # Dithering would make flat areas noisy, and the file several times as large.
    reduced = image.quantize(len(colours) if colours else most, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
