"""Notebooks as self-contained web pages: no server, no CDN, no request."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters.html import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from course_utils.files import published
from course_utils.notebooks.outputs import without_widgets

# The template "lab" without what it loads from elsewhere (require.js, MathJax, Mermaid, widgets), in the
# reader's theme, light or dark. The colours replace those of JupyterLab that have too little contrast.
_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock html_head_js -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
{%- block jupyter_widgets -%}{%- endblock jupyter_widgets -%}
{%- block html_head_css -%}
{%- set dark = resources.include_css("static/theme-dark.css") -%}
{{ dark | replace("<style", '<style media="(prefers-color-scheme: dark)"') }}
<style>
:root { color-scheme: light dark; }
main { max-width: 1000px; margin: auto; } img.maths { display: inline; margin: 0; }
/* The colours of tracebacks are made for terminals. */
main [data-mime-type="application/vnd.jupyter.stderr"] span { color: inherit !important; }
main .jp-InputArea-editor pre { white-space: pre-wrap; overflow-wrap: anywhere; }
main .jp-RenderedMarkdown a:link, main .jp-RenderedMarkdown a:visited { text-decoration: underline; }
main .jp-RenderedMarkdown pre {
  background: var(--jp-cell-editor-background); border: 1px solid var(--jp-cell-editor-border-color);
  padding: var(--jp-code-padding) 4px; margin: 0 0 1em; font-size: var(--jp-code-font-size);
}
main .jp-RenderedMarkdown pre code { background: none; }
body { --jp-cell-prompt-opacity: 1; --jp-cell-prompt-not-active-opacity: 1; }
@media (prefers-color-scheme: light) {
  body {
    --jp-cell-prompt-not-active-font-color: #616161; --jp-cell-inprompt-font-color: #616161;
    --jp-cell-outprompt-font-color: #616161; --jp-mirror-editor-comment-color: #33706f;
    --jp-mirror-editor-number-color: #007a00; --jp-mirror-editor-operator-color: #8417d1;
  }
}
@media (prefers-color-scheme: dark) {
  body {
    --jp-cell-prompt-not-active-font-color: #bdbdbd; --jp-cell-inprompt-font-color: #bdbdbd;
    --jp-cell-outprompt-font-color: #bdbdbd; --jp-mirror-editor-comment-color: #7fb5b5;
    --jp-mirror-editor-operator-color: #c98bff;
  }
  img.maths { filter: invert(1); }
}
</style>
{%- endblock html_head_css -%}
{#- Without the name of a theme, so that figures follow the reader's, too. -#}
{%- block body_header -%}<body class="jp-Notebook"><main>{%- endblock body_header -%}
"""

_INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem; border-bottom: 1px solid #8886; }}
caption {{ text-align: left; padding-bottom: .5rem; }}
</style></head>
<body><main><h1>{title}</h1>
<table><caption>{caption}</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody></table></main></body></html>
"""


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
    exporter = _PageExporter(raw_template=_TEMPLATE, embed_images=True)
    resources = {"metadata": {"name": title, "path": str(folder)}}
    text, _ = exporter.from_notebook_node(without_widgets(notebook), resources=resources)
    with published(path) as file:
        file.write(text.encode())


def write_index(
    path: Path,
    *,
    title: str,
    caption: str,
    heads: Sequence[str],
    rows: Sequence[tuple[str | None, Sequence[str]]],
) -> None:
    """Write the page that links to the others: the first column of its table links to each row's page."""
    lines = []
    for link, cells in rows:
        first, *rest = map(html.escape, cells)
        shown = f'<a href="{html.escape(link)}">{first}</a>' if link else first
        lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in (shown, *rest))}</tr>")
    text = _INDEX.format(
        title=html.escape(title),
        caption=html.escape(caption),
        heads="".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads),
        rows="\n".join(lines),
    )
    with published(path) as file:
        file.write(text.encode())


class _PageExporter(HTMLExporter):
    """nbconvert's HTML, with formulas as pictures instead of MathJax."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        renderer = _Renderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=self.embed_images,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            exclude_anchor_links=True,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return formula(body)

    def block_math(self, body: str) -> str:
        return f'<p style="text-align: center">{formula(body, size=14)}</p>'


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
    data = base64.b64encode(picture.getvalue()).decode()
    style = f"vertical-align: {-depth:.1f}pt"
    return f'<img class="maths" src="data:image/svg+xml;base64,{data}" alt="{alternative}" style="{style}">'
