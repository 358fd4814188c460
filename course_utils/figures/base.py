"""What every figure without a picture is made of: HTML for the notebook beside its twin in plain text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

STYLE = """<style>
.cl-card,.cl-figure{color:inherit;font-size:13px;line-height:1.45;margin:4px 0}
.cl-card{border-left:4px solid #808080;padding:2px 12px}
.cl-card.cl-correct{border-left-color:#009e73}
.cl-card.cl-wrong{border-left-color:#d55e00;padding:8px 12px}
.cl-card.cl-error{border-left-color:#cc79a7;padding:8px 12px}
.cl-card p,.cl-figure p{margin:4px 0}
.cl-card pre,.cl-figure pre{margin:4px 0;padding:4px 8px;background:rgba(128,128,128,.14);
white-space:pre-wrap}
.cl-card pre,.cl-card code,.cl-figure code{font-family:var(--jp-code-font-family,monospace)}
table.cl-grid caption code{background:none;padding:0}
.cl-quiet{opacity:.78}
.cl-row{display:flex;flex-wrap:wrap;align-items:center;gap:6px 18px;margin:6px 0}
.cl-card .cl-row{align-items:flex-start}
.cl-sign{font-size:22px;line-height:1}
table.cl-grid,table.cl-table{border-collapse:separate;border-spacing:2px;margin:0;border:0;width:auto;
table-layout:auto;font-size:12px}
table.cl-grid caption,table.cl-table caption{caption-side:top;text-align:left;padding:0 0 2px;color:inherit;
white-space:nowrap;font-size:12px}
table.cl-grid tr,table.cl-table tr{background:none!important}
table.cl-grid td,table.cl-grid th{font-variant-numeric:tabular-nums;text-align:right;padding:1px 5px;
min-width:1.5em;max-width:none;line-height:1.5;color:inherit;border:1px solid transparent;font-weight:normal}
table.cl-grid td{border-color:rgba(128,128,128,.4)}
table.cl-grid th{opacity:.72;font-size:10px;border:0;background:none;text-align:center}
table.cl-grid td.cl-differs,.cl-key.cl-differs{outline:2px solid currentColor;outline-offset:-1px;
font-weight:bold;background:rgba(213,94,0,.2)}
.cl-key{padding:0 5px;font-size:12px}
table.cl-grid td.cl-window,.cl-key.cl-window{border:2px dashed currentColor;padding:0 4px;
background:rgba(0,114,178,.2)}
table.cl-matrix th,table.cl-matrix td.cl-none{opacity:1;font-size:12px;border-color:transparent;
padding:2px 5px;vertical-align:bottom}
table.cl-matrix th.cl-words{text-align:right}
table.cl-table td,table.cl-table th{padding:2px 10px;text-align:right;color:inherit;border:0;
border-bottom:1px solid rgba(128,128,128,.35);font-variant-numeric:tabular-nums;max-width:none}
table.cl-table .cl-words{text-align:left}
table.cl-table th{font-weight:bold}
</style>"""
"""Colours are inherited and tints are see-through, so that one style serves light, dark and printed pages."""


def as_array(value: Any) -> np.ndarray | None:
    """Return `value` as an array of numbers, or None when it is none.

    Tensors on any device, arrays, numbers, and lists or tuples of them are taken.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return array if array.dtype.kind in "biuf" else None


@dataclass(frozen=True, repr=False)
class HtmlFigure:
    """A figure that notebooks show as HTML and terminals as text.

    Attributes
    ----------
    html : str
        A fragment without the style.
    text : str
        The same content in plain text.
    data : mapping
        Further MIME types for tools that read notebooks.
    """

    html: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": self.text, "text/html": f"{STYLE}\n{self.html}", **self.data}

    def __repr__(self) -> str:
        return self.text


def line(text: str) -> HtmlFigure:
    """Return one calm line."""
    return HtmlFigure(f'<div class="cl-card" role="note">{escape(text)}</div>', text)
