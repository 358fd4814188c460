"""shape_chain: a network as boxes with shapes; kernels, paddings and strides can be changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from course_utils.errors import FigureError
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.still import Still
from course_utils.figures.live.tracing import Step, Trace, trace

_MOST = 64
_DRAWN = 24
"""Boxes in the still picture."""


def shape_chain(model: nn.Module | Callable[[], nn.Module], input_shape: Sequence[int]) -> LiveFigure:
    """Draw a network as boxes with the shapes between them.

    The reader can change kernel, padding and stride of every layer and the size of the image. All shapes that
    follow are recomputed by PyTorch's rules; if a layer no longer fits, the figure shows PyTorch's error.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A model on any device, or a function or class that builds one. It is run once, without numbers.
    input_shape : sequence of int
        Channels, height and width of one image.

    Raises
    ------
    FigureError
        If `model` is not a model, `input_shape` is not a shape, the model cannot run on it, or it has more
        than 64 layers.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
    >>> shape_chain(model, (1, 28, 28))
    Sequential as a chain of shapes: 1×28×28 → 0 6×28×28 → 2 6×14×14; 156 parameters
    """
    traced = trace(model, input_shape, figure="shape_chain")
    boxes = _boxes(traced)
    if not 1 < len(boxes) <= _MOST:
        raise FigureError(
            f"shape_chain takes a model of at most {_MOST} layers; this one has {len(boxes) - 1}.",
            next_step="figures.cost_bars lists the layers of any network.",
        )
    text = f"{traced.name} as a chain of shapes: {_in_words(boxes)}; {traced.parameters:,} parameters"
    return LiveFigure(
        "shape_chain",
        f"{traced.name}, layer by layer",
        {"title": traced.name, "boxes": boxes, "unused": sum(traced.unused.values())},
        _still(traced, boxes),
        text,
    )


def _boxes(traced: Trace) -> list[dict[str, Any]]:
    """Join operations that keep the shape (ReLU, batch norm, dropout) to the box before them."""
    boxes: list[dict[str, Any]] = []
    box_of: list[int] = []
    for step in traced.steps:
        inputs = [box_of[index] for index in step.inputs]
        if step.kind == "same":
            box_of.append(inputs[0])
            boxes[inputs[0]]["also"].append(step.label)
            boxes[inputs[0]]["more"] += step.parameters
            continue
        box_of.append(len(boxes))
        boxes.append(_box(step, inputs))
    return boxes


def _box(step: Step, inputs: list[int]) -> dict[str, Any]:
    weighs = step.kind in ("conv", "linear")
    return {
        "name": step.module or step.label,
        "kind": step.kind,
        "label": step.label,
        "from": inputs,
        "shape": list(step.shape),
        "also": [],
        # A layer's own weights follow from its settings; these are others, such as those of batch norm.
        "more": 0 if weighs else step.parameters,
        "weighs": weighs and step.parameters > 0,
        **step.settings,
    }


def _in_words(boxes: Sequence[Mapping[str, Any]]) -> str:
    shapes = ["×".join(map(str, box["shape"][1:])) for box in boxes]
    names = [f"{box['name']} " if box["kind"] != "input" else "" for box in boxes]
    words = [name + shape for name, shape in zip(names, shapes, strict=True)]
    if len(words) > 16:
        words[8:-7] = [f"{len(words) - 15} more"]
    return " → ".join(words)


def _still(traced: Trace, boxes: Sequence[Mapping[str, Any]]) -> bytes:
    across, wide, high = 6, 116, 62
    shown = boxes[:_DRAWN]
    still = Still(across * wide, 26 + high * -(-len(shown) // across))
    part = "" if len(shown) == len(boxes) else f" (the first {len(shown)} of {len(boxes)} boxes)"
    still.text(2, 4, f"{traced.name}, layer by layer{part}")
    for index, box in enumerate(shown):
        left, top = index % across * wide, 26 + index // across * high
        still.box(left, top, wide - 10, high - 10)
        still.text(left + 6, top + 4, str(box["name"])[-15:], size=11)
        still.text(left + 6, top + 20, str(box["label"])[:15], size=10)
        still.text(left + 6, top + 34, "×".join(map(str, box["shape"][1:])), size=12)
    return still.png()
