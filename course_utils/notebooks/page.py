"""Notebooks as self-contained web pages: no server, no CDN, no request."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters.html import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from course_utils.files import published
from course_utils.notebooks.outputs import without_widgets

STYLE, SCRIPT = (Path(__file__).with_name(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
"""What all pages share."""

_COLOURED = {"passed": ' class="good"', "failed": ' class="bad"'}

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style></head>
<body><main>
{body}
</main>
<script>
{script}</script></body></html>
"""


@dataclass(frozen=True)
class Card:
    """What the index says about one page.

    Attributes
    ----------
    title : str
    facts : mapping of str to str
        What is known, by its name; what is empty is left out.
    link : str or None
        The page's file, beside the index.
    picture : str
        What the page shows, as an ``img`` element.
    """

    title: str
    facts: dict[str, str]
    link: str | None = None
    picture: str = ""


def write_page(notebook: NotebookNode, path: Path, *, title: str, folder: Path) -> None:
    """Write a notebook as one HTML file.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook with its outputs. Widgets, which do nothing without a kernel, are shown as text.
    path : Path
        The file to write.
    title : str
        The page's title.
    folder : Path
        The folder of the pictures that its text refers to; they are embedded.
    """
    _write(path, title, notebook_html(notebook, folder))


def write_index(path: Path, *, title: str, caption: str, cards: Sequence[Card]) -> None:
    """Write the page that links to the others: a card for each of them, with a picture of what it shows."""
    shown = "\n".join(map(_card, cards))
    body = f'<h1>{html.escape(title)}</h1>\n<p class="quiet">{html.escape(caption)}</p>\n'
    _write(path, title, f'{body}<ul class="cards">\n{shown}\n</ul>')


def notebook_html(
    notebook: NotebookNode, folder: Path, *, finish: Callable[[str], str] = str, **options: Any
) -> str:
    """Return a notebook's cells as HTML.

    Parameters
    ----------
    notebook : NotebookNode
    folder : Path
        The folder of the pictures that its text refers to.
    finish : callable
        Gets the HTML of each text cell and returns what is shown.
    options
        `anchor` and `address` of `markdown_html`.
    """
    exporter = _CellExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, embed_images=True
    )
    exporter.finish, exporter.options = finish, {"folder": folder, **options}
    text, _ = exporter.from_notebook_node(without_widgets(notebook))
    return text


def markdown_html(text: str, **options: Any) -> str:
    """Return a text in Markdown as HTML: formulas are pictures, and headings can be linked to.

    Parameters
    ----------
    text : str
    folder : Path
        The folder of the pictures that the text refers to; they are embedded.
    attachments : mapping, optional
        The pictures inside a cell.
    anchor : callable
        Makes the name of a heading from its text; by default as notebooks do, so that their links work.
    address : callable
        Gets where a link leads and returns where it leads from this page; None makes it plain text.
    """
    return MarkdownWithMath(renderer=_Renderer(**options)).render(text)


class _Renderer(IPythonRenderer):
    def __init__(
        self,
        *,
        folder: Path,
        attachments: Any = None,
        anchor: Callable[[str], str] = lambda text: text.replace(" ", "-"),
        address: Callable[[str], str | None] = str,
    ) -> None:
        super().__init__(escape=False, embed_images=True, path=str(folder), attachments=attachments)
        self._anchor, self._address = anchor, address

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        anchor = self._anchor(html.unescape(re.sub(r"<[^>]+>", "", text)))
        return f'<h{level} id="{html.escape(anchor)}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        address = self._address(url)
        return text if address is None else super().link(text, address, title)

    def table(self, text: str) -> str:
        return f'<div class="wide"><table>{text}</table></div>\n'

    def inline_math(self, body: str) -> str:
        return formula(body)

    def block_math(self, body: str) -> str:
        return f'<p style="text-align: center">{formula(body, size=14)}</p>'


class _CellExporter(HTMLExporter):
    """nbconvert's cells, with this page's Markdown."""

    finish: Callable[[str], str]
    options: dict[str, Any]

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        attachments = context.get("cell", {}).get("attachments", {})
        return self.finish(markdown_html(source, attachments=attachments, **self.options))


def formula(latex: str, size: float = 11) -> str:
    """Return a formula as an inline SVG picture whose alternative text is its LaTeX.

    matplotlib draws it. A formula that its mathtext does not know is shown as code.
    """
    from matplotlib import font_manager, mathtext

    body = " ".join(latex.strip().strip("$").split())
    alternative = html.escape(body, quote=True)
    properties = font_manager.FontProperties(size=size, math_fontfamily="stix")
    picture = io.BytesIO()
    try:
        depth = mathtext.math_to_image(f"${body}$", picture, prop=properties, format="svg", dpi=72)
    except ValueError:
        return f"<code>{alternative}</code>"
    # The date would change, and the white paper would show on a dark page.
    svg = re.sub(
        r'<metadata>.*?</metadata>|<g id="patch_1">.*?</g>|^\s+',
        "",
        picture.getvalue().decode(),
        flags=re.S | re.M,
    )
    data = base64.b64encode(svg.encode()).decode()
    style = f"vertical-align: {-depth:.1f}pt"
    return f'<img class="maths" src="data:image/svg+xml;base64,{data}" alt="{alternative}" style="{style}">'


def _card(card: Card) -> str:
    title = html.escape(card.title)
    heading = f'<a href="{html.escape(card.link)}">{title}</a>' if card.link else title
    facts = "".join(
        f"<dt>{html.escape(name)}</dt><dd{_COLOURED.get(value, '')}>{html.escape(value)}</dd>"
        for name, value in card.facts.items()
        if value
    )
    return f'<li class="card">{card.picture}<h2>{heading}</h2><dl>{facts}</dl></li>'


def _write(path: Path, title: str, body: str) -> None:
    text = _PAGE.format(title=html.escape(title), style=STYLE, script=SCRIPT, body=body)
    with published(path) as file:
        file.write(text.encode())
