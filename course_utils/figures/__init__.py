"""Figures for the labs: plots, drawn numbers, tables and the verdict card, from plain tensors and dicts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.figures.base import HtmlFigure as HtmlFigure
    from course_utils.figures.base import line as line
    from course_utils.figures.card import VERDICT_MIME as VERDICT_MIME
    from course_utils.figures.card import verdict_card as verdict_card
    from course_utils.figures.charts import cost_chart as cost_chart
    from course_utils.figures.charts import receptive_field_growth as receptive_field_growth
    from course_utils.figures.charts import timing_bars as timing_bars
    from course_utils.figures.confusion import confusion_matrix as confusion_matrix
    from course_utils.figures.images import image_grid as image_grid
    from course_utils.figures.images import worst_mistakes as worst_mistakes
    from course_utils.figures.live.chain import shape_chain as shape_chain
    from course_utils.figures.live.convolution import conv_walk as conv_walk
    from course_utils.figures.live.convolution import im2col_walk as im2col_walk
    from course_utils.figures.live.costs import cost_bars as cost_bars
    from course_utils.figures.live.drawing import draw_digit as draw_digit
    from course_utils.figures.live.field import receptive_field as receptive_field
    from course_utils.figures.live.pooling import pool_walk as pool_walk
    from course_utils.figures.live.training import training_panel as training_panel
    from course_utils.figures.maps import feature_maps as feature_maps
    from course_utils.figures.maps import filters as filters
    from course_utils.figures.matrices import number_grids as number_grids
    from course_utils.figures.picture import Picture as Picture
    from course_utils.figures.tables import table as table

# No module is named as a function in it: importing the module would hide the function.
_HOMES = {
    "HtmlFigure": "base",
    "line": "base",
    "Picture": "picture",
    "confusion_matrix": "confusion",
    "cost_chart": "charts",
    "receptive_field_growth": "charts",
    "timing_bars": "charts",
    "image_grid": "images",
    "worst_mistakes": "images",
    "feature_maps": "maps",
    "filters": "maps",
    "number_grids": "matrices",
    "table": "tables",
    "conv_walk": "live.convolution",
    "cost_bars": "live.costs",
    "draw_digit": "live.drawing",
    "im2col_walk": "live.convolution",
    "pool_walk": "live.pooling",
    "receptive_field": "live.field",
    "shape_chain": "live.chain",
    "training_panel": "live.training",
    "verdict_card": "card",
    "VERDICT_MIME": "card",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'course_utils.figures' has no attribute {name!r}; it offers {', '.join(__all__)}"
        )
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
