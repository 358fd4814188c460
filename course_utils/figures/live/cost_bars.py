"""cost_bars: where networks keep their parameters and spend their work, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from torch import nn

from course_utils.errors import FigureError
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.still import Still
from course_utils.figures.live.tracing import Trace, image_shape, trace
from course_utils.figures.tables import table

_MOST = 12
_MOST_LAYERS = 800

Model = nn.Module | Callable[[], nn.Module]


def cost_bars(models: Mapping[str, tuple[Model, Sequence[int]]]) -> LiveFigure:
    """Compare parameters and multiply-adds of networks and of their layers.

    Everything is counted on the networks themselves, which are run once, without numbers. A multiply-add is
    one product and its addition to a sum: half of what counters of floating-point operations report. Biases,
    activations and pooling do not count.

    Parameters
    ----------
    models : mapping
        Names and pairs (model, input shape). A model is a ``torch.nn.Module``, or a function or class that
        builds one, which takes no memory; an input shape is (channels, height, width) of one image.

    Raises
    ------
    FigureError
        If `models` is not such a mapping, or a model cannot run on its shape.

    Examples
    --------
    >>> image = (3, 32, 32)
    >>> cost_bars({"narrow": (nn.Conv2d(3, 8, 3), image), "wide": (nn.Conv2d(3, 64, 3), image)})
    Cost of networks
    network  weight layers  parameters  multiply-adds of one image
    ───────  ─────────────  ──────────  ──────────────────────────
    narrow               1         224                     194,400
    wide                 1       1,792                   1,555,200
    """
    sentence = f"cost_bars takes a dict of 1 to {_MOST} networks: name to (model, (channels, height, width))."
    if not isinstance(models, Mapping) or not 0 < len(models) <= _MOST:
        raise FigureError(sentence, why=f"It got {type(models).__name__} {_length(models)}".rstrip() + ".")
    networks = []
    for name, entry in models.items():
        if not isinstance(entry, (tuple, list)) or len(entry) != 2:
            raise FigureError(
                sentence, why=f"{name!r} is {type(entry).__name__} {_length(entry)}".rstrip() + "."
            )
        networks.append(_network(str(name), _traced(*entry)))
    if sum(len(network["layers"]) for network in networks) > _MOST_LAYERS:
        raise FigureError(f"cost_bars shows at most {_MOST_LAYERS} layers of all networks together.")
    rows = [[n["name"], n["runs"], n["parameters"], n["work"]] for n in networks]
    text = table(
        rows, ["network", "weight layers", "parameters", "multiply-adds of one image"], "Cost of networks"
    ).text
    return LiveFigure(
        "cost_bars", "Cost of networks, layer by layer", {"networks": networks}, _still(networks), text
    )


def _length(value: Any) -> str:
    return f"of length {len(value)}" if hasattr(value, "__len__") else ""


def _traced(model: Any, shape: Any) -> Trace:
    if isinstance(model, nn.Module) or not isinstance(model, Hashable):
        return trace(model, shape, figure="cost_bars")
    return _remembered(model, image_shape(shape, "cost_bars"))


# A function builds the same network each time; an existing module may have been changed in place.
@lru_cache(maxsize=_MOST)
def _remembered(model: Callable[[], nn.Module], shape: tuple[int, int, int]) -> Trace:
    return trace(model, shape, figure="cost_bars")


def _network(name: str, traced: Trace) -> dict[str, Any]:
    layers = _layers(traced)
    return {
        "name": name,
        "input": "×".join(map(str, traced.steps[0].shape[1:])),
        # Layers are counted as usual: those that have weights and take part.
        "runs": sum(1 for layer in layers if layer[4]),
        "parameters": traced.parameters,
        "work": traced.multiply_adds,
        "layers": layers,
    }


def _layers(traced: Trace) -> list[list[Any]]:
    """Return name, kind, output, parameters and multiply-adds of each layer, including its batch norm."""
    rows: dict[int, list[Any]] = {}
    origin: list[int] = []
    for index, step in enumerate(traced.steps):
        origin.append(origin[step.inputs[0]] if step.kind == "same" else index)
        if not step.parameters and not step.multiply_adds:
            continue
        if origin[index] in rows:
            row = rows[origin[index]]
            row[1] += f", {step.label}"
            row[3] += step.parameters
            row[4] += step.multiply_adds
        else:
            shape = "×".join(map(str, step.shape[1:]))
            kind = f"{step.label} {_size(step.settings.get('kernel'))}".rstrip()
            rows[index] = [step.module or step.label, kind, shape, step.parameters, step.multiply_adds]
    left = [[name, "not run", "–", weights, 0] for name, weights in traced.unused.items()]
    return [*rows.values(), *left]


def _size(kernel: Sequence[int] | None) -> str:
    return "×".join(map(str, kernel)) if kernel else ""


def _still(networks: Sequence[Mapping[str, Any]]) -> bytes:
    high, left, room = 22, 150, 150
    still = Still(left + 2 * (room + 110), 28 + high * len(networks))
    for column, (key, title) in enumerate((("parameters", "parameters"), ("work", "multiply-adds"))):
        start = left + column * (room + 110)
        still.text(start, 6, title)
        most = max(1, *(network[key] for network in networks))
        for index, network in enumerate(networks):
            top = 28 + index * high
            wide = max(1, room * network[key] / most)
            still.box(start, top + 2, wide, high - 8, fill="#0072B2")
            still.text(start + wide + 6, top + 2, f"{network[key]:,}", size=11)
    for index, network in enumerate(networks):
        still.text(2, 30 + index * high, network["name"][:24])
    return still.png()
