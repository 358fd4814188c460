"""receptive_field: which part of the image a unit sees, in every layer, beside the layer's feature maps."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.errors import FigureError
from course_utils.figures.live.live_figure import LiveFigure, take
from course_utils.figures.live.recording import Recorder, Step
from course_utils.figures.live.still import Still
from course_utils.figures.live.tracing import evaluating, explained
from course_utils.text import shape_text

SIDE, MOST_MAPS, MOST_UNITS, BUDGET = 64, 8, 256, 22_000
"""The most pixels of the image's side, feature maps and units of a layer, and letters for image and maps."""

LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
"""One letter for each of the 64 levels of a feature map."""

_WANTED = (
    f"receptive_field takes a model and one image C×H×W of 1 or 3 channels and at most {SIDE}×{SIDE} pixels"
)
_LAYERS = ("conv", "pool", "adaptive", "add", "linear")


class Axis(NamedTuple):
    """Along one axis, unit `u` sees the image from ``step * u + first`` to ``step * u + last``.

    The part outside ``least`` to ``most`` is padding, of the image or of a layer in between.
    """

    step: int
    first: int
    last: int
    least: int
    most: int

    def through(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> Axis:
        """Return what a unit of the next layer sees: Araujo, Norris and Sim (2019), section 2."""
        reach = (kernel - 1) * dilation
        first, last = self.first - self.step * padding, self.last + self.step * (reach - padding)
        return self._replace(step=self.step * stride, first=first, last=last)

    def of(self, units: int) -> Axis:
        """Return the same for a layer of this many units, which may leave pixels at the end unread."""
        seen = [self.seen(unit) for unit in range(units)]
        seen = [(first, last) for first, last in seen if first <= last] or [(0, -1)]
        return self._replace(least=min(first for first, _ in seen), most=max(last for _, last in seen))

    def seen(self, unit: int) -> tuple[int, int]:
        """Return the first and last pixel that a unit sees."""
        return max(self.least, self.step * unit + self.first), min(self.most, self.step * unit + self.last)

    def whole(self, units: int) -> Axis:
        """Return what all units see together."""
        return self._replace(step=0, last=self.last + self.step * (units - 1))


Field = tuple[Axis, Axis]
_PIXEL = Axis(step=1, first=0, last=0, least=0, most=SIDE)


def _field(step: Step, fields: list[Field], shapes: list[tuple[int, ...]]) -> Field:
    """Return what a unit of a step's output sees of the image, from what the units that it reads see."""
    if not step.inputs:
        return _PIXEL, _PIXEL
    kind, settings, field = step.kind, step.settings, fields[0]
    if kind in ("conv", "pool"):
        keys = ("kernel", "stride", "padding", "dilation")
        return _both(lambda axis, d: axis.through(*(settings[key][d] for key in keys)), field)
    if kind == "pad" and not any(settings["pads"][4:]):
        before = (settings["pads"] + [0, 0, 0])[2], settings["pads"][0]
        return _both(lambda axis, d: axis.through(1, 1, before[d]), field)
    if kind == "same":
        return field
    if kind == "adaptive" and not any(shapes[0][d] % step.shape[d] for d in (2, 3)):
        sizes = [shapes[0][d] // step.shape[d] for d in (2, 3)]
        return _both(lambda axis, d: axis.through(sizes[d], sizes[d], 0), field)
    if kind in ("add", "cat") and len({tuple(axis.step for axis in each) for each in fields}) == 1:
        return _both(lambda axis, d: _join([each[d] for each in fields]), field)
    if kind == "fixed" and len(step.shape) == 4:
        raise FigureError(
            "receptive_field follows convolutions, pooling, additions and elementwise operations; "
            f"this model also uses {step.label}."
        )
    # What remains mixes all places.
    wholes = [_whole(*each) for each in zip(fields, shapes, strict=True)]
    return _both(lambda axis, d: _join([each[d] for each in wholes]), field)


def _both(rule: Any, field: Field) -> Field:
    return rule(field[0], 0), rule(field[1], 1)


def _join(axes: list[Axis]) -> Axis:
    ends = [(min, "first"), (max, "last"), (min, "least"), (max, "most")]
    values = {name: outer(getattr(axis, name) for axis in axes) for outer, name in ends}
    return axes[0]._replace(**values)


def _whole(field: Field, shape: tuple[int, ...]) -> Field:
    sizes = shape[2:] if len(shape) == 4 else (1, 1)
    return field[0].whole(sizes[0]), field[1].whole(sizes[1])


def receptive_field(model: nn.Module, image: Any) -> LiveFigure:
    """Show which part of an image each unit of a network sees, and the network's feature maps.

    Parameters
    ----------
    model : torch.nn.Module
        Any network of convolutions and pooling, trained or not. It is run once, in evaluation mode.
    image : tensor
        One image C×H×W with 1 or 3 channels, normalised for the model.

    Raises
    ------
    FigureError
        If the image does not fit, or the model cannot be run on it or cannot be followed.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
    >>> receptive_field(model, torch.zeros(1, 28, 28))
    receptive_field: Sequential on an image of 1×28×28, 2 layers;
    a unit of the last feature maps sees 6×6 pixels
    """
    pixels = take(image, _WANTED, (2, 3), (3, SIDE, SIDE))
    if pixels.shape[0] == 2:
        raise FigureError(f"{_WANTED}; this one is {shape_text(pixels.shape)}.")
    if not isinstance(model, nn.Module):
        raise FigureError(f"{_WANTED}; this model is {type(model).__name__}.")
    layers = _run(model, pixels)
    grey = _levels(pixels, pixels.min(), pixels.max(), 255)
    shades = base64.b64encode(grey.tobytes()).decode()
    drawn = [_drawn(layer["map"]) for layer in layers]
    units = sum(values.size for values in drawn if len(values) == 1)
    area = sum(values[0].size for values in drawn if len(values) > 1)
    most = min(MOST_MAPS, (BUDGET - len(shades) - units) // max(area, 1))
    if most < 1:
        raise FigureError(
            f"receptive_field takes a model and an image with at most {BUDGET:,} numbers in the image and "
            f"one map of each layer; this model has {area + units:,} on {shape_text(pixels.shape)}."
        )
    shown = [_packed(layer, values, most) for layer, values in zip(layers, drawn, strict=True)]
    data = {"image": {"shape": list(pixels.shape), "pixels": shades}, "layers": shown}
    deepest = [layer for layer in layers if layer["map"].dim() == 4][-1]
    high, wide = (axis.last - axis.first + 1 for axis in deepest["field"])
    text = (
        f"receptive_field: {type(model).__name__} on an image of {shape_text(pixels.shape)}, "
        f"{len(layers)} layers; a unit of the last feature maps sees {high}×{wide} pixels"
    )
    return LiveFigure("receptive_field", "Receptive field", data, _still(grey, shown), text)


def _run(model: nn.Module, pixels: np.ndarray) -> list[dict[str, Any]]:
    """Return each layer's name, field of view and output; elementwise operations count as part of it."""
    like = next((each for each in model.parameters() if each.is_floating_point()), torch.zeros(()))
    batch = torch.from_numpy(pixels[None].astype(np.float32)).to(like.device, like.dtype)
    recorder = Recorder(batch)
    shape = shape_text(pixels.shape)
    sentence = f"receptive_field takes an image that the model accepts; this model fails on {shape}."
    with explained(sentence), torch.no_grad(), evaluating(model), recorder:
        model(batch)
    layers: list[dict[str, Any]] = []
    fields: list[Field] = []
    layer_of: list[int] = []
    for step, output in zip(recorder.steps, recorder.outputs, strict=True):
        shapes = [recorder.steps[index].shape for index in step.inputs]
        field = _field(step, [fields[index] for index in step.inputs], shapes)
        layer = layer_of[step.inputs[0]] if step.inputs else -1
        if len(step.shape) == 4:
            field = field[0].of(step.shape[2]), field[1].of(step.shape[3])
        if step.kind in _LAYERS:
            layer = len(layers)
            layers.append({"name": step.label, "field": field, "map": output})
        elif step.kind == "same" and layer >= 0:
            layers[layer]["name"] += f", {step.label}"
            layers[layer]["map"] = output
        fields.append(field)
        layer_of.append(layer)
    if not any(layer["map"].dim() == 4 for layer in layers):
        raise FigureError("receptive_field takes a model with at least one convolution or pooling layer.")
    return layers


def _drawn(output: Tensor) -> np.ndarray:
    """Return a layer's output as maps; the first units of a linear layer fill rows of equal length."""
    values: np.ndarray = output[0].float().cpu().numpy()
    if values.ndim == 3:
        return values
    flat = values.reshape(-1)[:MOST_UNITS]
    wide = next(wide for wide in range(32, 0, -1) if len(flat) % wide == 0)
    return flat.reshape(1, -1, wide)


def _packed(layer: dict[str, Any], values: np.ndarray, most: int) -> dict[str, Any]:
    """Return what the script reads of a layer: the maps with the most contrast, each in 64 levels."""
    if not np.isfinite(values).all():
        raise FigureError(
            f"receptive_field takes a model with finite outputs; those of {layer['name']} are not."
        )
    contrast = values.std((1, 2))
    channels = np.sort(np.argsort(-contrast, kind="stable")[:most])
    kept = values[channels]
    # Each map has its own scale: one with large numbers would leave the others uniform.
    ranges = [[float(f"{end:.6g}") for end in (each.min(), each.max())] for each in kept]
    levels = [_levels(each, least, largest, 63) for each, (least, largest) in zip(kept, ranges, strict=True)]
    return {
        "name": layer["name"],
        "shape": list(layer["map"].shape[1:]),
        "size": list(values.shape[1:]),
        "channels": channels.tolist(),
        "field": [list(axis) for axis in layer["field"]],
        "clearest": int(contrast[channels].argmax()),
        "ranges": ranges,
        "maps": LETTERS[np.stack(levels)].tobytes().decode(),
    }


def _levels(values: np.ndarray, least: float, largest: float, most: int) -> np.ndarray:
    scale = most / (largest - least) if largest > least else 0
    levels: np.ndarray = np.clip(np.round((values.astype(np.float64) - least) * scale), 0, most)
    return levels.astype(np.uint8)


def _still(grey: np.ndarray, layers: list[dict[str, Any]]) -> bytes:
    size = max(1, 160 // max(grey.shape[1:]))
    still = Still(560, 190)
    still.text(2, 2, f"image {shape_text(grey.shape)}")
    still.image(2, 20, grey[0] if len(grey) == 1 else grey.transpose(1, 2, 0), size)
    for index, layer in enumerate(layers[:9]):
        rows, columns = (axis[2] - axis[1] + 1 for axis in layer["field"])
        shape = "×".join(map(str, layer["shape"]))
        still.text(190, 20 + 18 * index, f"{layer['name']}: {shape}, a unit sees {rows}×{columns} pixels")
    return still.png()
