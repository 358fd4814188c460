"""Figures for the labs: plots, drawn numbers, tables and the verdict card, from plain tensors and dicts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.figures.card import VERDICT_MIME as VERDICT_MIME
    from course_utils.figures.card import verdict_card as verdict_card
    from course_utils.figures.charts import depth_chart as depth_chart
    from course_utils.figures.charts import receptive_field_growth as receptive_field_growth
    from course_utils.figures.charts import timing_bars as timing_bars
    from course_utils.figures.confusion import confusion_matrix as confusion_matrix
    from course_utils.figures.html_figure import HtmlFigure as HtmlFigure
    from course_utils.figures.html_figure import line as line
    from course_utils.figures.images import image_grid as image_grid
    from course_utils.figures.images import worst_mistakes as worst_mistakes
    from course_utils.figures.live.conv_walk import conv_walk as conv_walk
    from course_utils.figures.live.cost_bars import cost_bars as cost_bars
    from course_utils.figures.live.draw_digit import draw_digit as draw_digit
    from course_utils.figures.live.im2col_walk import im2col_walk as im2col_walk
    from course_utils.figures.live.pool_walk import pool_walk as pool_walk
    from course_utils.figures.live.receptive_field import receptive_field as receptive_field
    from course_utils.figures.live.shape_chain import shape_chain as shape_chain
    from course_utils.figures.live.training_panel import training_panel as training_panel
    from course_utils.figures.maps import feature_maps as feature_maps
    from course_utils.figures.maps import filters as filters
    from course_utils.figures.matrices import number_grids as number_grids
    from course_utils.figures.picture import Picture as Picture
    from course_utils.figures.tables import table as table

# A live figure is in the module of its name. No module of this folder has a function's name: importing the
# module would hide the function.
_HOMES = {
    "HtmlFigure": "html_figure",
    "line": "html_figure",
    "Picture": "picture",
    "confusion_matrix": "confusion",
    "depth_chart": "charts",
    "receptive_field_growth": "charts",
    "timing_bars": "charts",
    "image_grid": "images",
    "worst_mistakes": "images",
    "feature_maps": "maps",
    "filters": "maps",
    "number_grids": "matrices",
    "table": "tables",
    "conv_walk": "live.conv_walk",
    "cost_bars": "live.cost_bars",
    "draw_digit": "live.draw_digit",
    "im2col_walk": "live.im2col_walk",
    "pool_walk": "live.pool_walk",
    "receptive_field": "live.receptive_field",
    "shape_chain": "live.shape_chain",
    "training_panel": "live.training_panel",
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
