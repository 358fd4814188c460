"""What the wrong references of lab 01 share: PyTorch's own layer, and wrong ideas about its stride."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import pad

from course_utils.exercises.altered import altered
from course_utils.exercises.model import Misconception

Layer = Callable[..., Tensor]
"""``(x, …, padding, stride) -> …×H'×W'``; the stride may be a pair."""


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Apply PyTorch's layer to one image."""
    return functional.conv2d(x[None], weight, bias, stride=stride, padding=padding)[0]


def correlate(image: Tensor, kernel: Tensor, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Apply PyTorch's layer to one channel, with one kernel."""
    return convolve(image[None], kernel[None, None], None, padding, stride)[0]


def cropped(layer: Layer) -> Layer:
    """Return `layer` with stride 1, cut to the size that the stride asks for."""

    def wrong(*arguments: Any, **keywords: Any) -> Tensor:
        rows, columns = layer(*arguments, **keywords).shape[-2:]
        return altered(layer, stride=lambda stride: 1)(*arguments, **keywords)[..., :rows, :columns]

    return wrong


def sized_before_padding(layer: Layer) -> Misconception:
    """Return the slip of a result as small as without padding."""

    def wrong(*arguments: Any, **keywords: Any) -> Tensor:
        rows, columns = altered(layer, padding=lambda padding: 0)(*arguments, **keywords).shape[-2:]
        return layer(*arguments, **keywords)[..., :rows, :columns]

    return Misconception(
        "size-before-padding",
        wrong,
        "The size of the result is computed from the image before padding, so the rows and columns that the "
        "padding adds are missing.",
        "Lab 01, Output size",
    )


def sized_as_the_image(wrong: Layer) -> Misconception:
    """Return the idea that the result is as large as the image; `wrong` says what then happens."""
    return Misconception(
        "result-as-large-as-the-image",
        wrong,
        "The result is made as large as the image; its height and width follow from the kernel, the padding "
        "and the stride.",
        "Lab 01, Output size",
    )


def _thinned(layer: Layer, *, padded: bool) -> Layer:
    """Return `layer` on every stride-th pixel of its image, taken after or before the padding."""

    def wrong(*arguments: Any, **keywords: Any) -> Tensor:
        given = inspect.signature(layer).bind(*arguments, **keywords)
        given.apply_defaults()
        padding, stride = given.arguments["padding"], given.arguments["stride"]
        image, *others = given.args
        image = (
            pad(image, (padding,) * 4)[..., ::stride, ::stride] if padded else image[..., ::stride, ::stride]
        )
        rest = dict(zip(list(given.arguments)[1:], others, strict=True))
        return layer(image, **rest | {"padding": 0 if padded else padding, "stride": 1})

    return wrong


def moved_wrongly(layer: Layer) -> tuple[Misconception, ...]:
    """Return the wrong ideas about the stride of `layer`."""
    return (
        Misconception(
            "stride-ignored",
            altered(layer, stride=lambda stride: 1),
            "The stride has no effect: the kernel moves by one pixel.",
            "Lab 01, Stride",
        ),
        Misconception(
            "stride-on-rows-only",
            altered(layer, stride=lambda stride: (stride, 1)),
            "The stride applies to the rows only; along a row the kernel still moves by one pixel.",
            "Lab 01, Stride",
        ),
        Misconception(
            "stride-on-columns-only",
            altered(layer, stride=lambda stride: (1, stride)),
            "The stride applies to the columns only; down a column the kernel still moves by one pixel.",
            "Lab 01, Stride",
        ),
        *(
            Misconception(
                name,
                _thinned(layer, padded=padded),
                "Pixels are dropped before the kernel slides, so it sees pixels that are not neighbours.",
                "Lab 01, Stride",
            )
            for name, padded in {"image-thinned": False, "padded-image-thinned": True}.items()
        ),
    )


def passed_on_wrongly(layer: Layer) -> tuple[Misconception, ...]:
    """Return the slips of a call that hands padding and stride to another function."""
    return (
        Misconception(
            "padding-and-stride-not-passed-on",
            altered(layer, padding=lambda padding: 0, stride=lambda stride: 1),
            "Padding and stride have no effect: they are not used, or not passed on.",
            "Lab 01, Stride",
        ),
        Misconception(
            "padding-and-stride-exchanged",
            exchanged(layer),
            "Padding and stride are exchanged. Another function may take them in another order: give them "
            "by name, as in stride=stride.",
            "Lab 01, Stride",
        ),
    )


def exchanged(layer: Layer) -> Layer:
    """Return `layer` with the padding as its stride, and the stride as its padding."""

    def wrong(*arguments: Any, **keywords: Any) -> Tensor:
        given = inspect.signature(layer).bind(*arguments, **keywords)
        given.apply_defaults()
        padding, stride = given.arguments["padding"], given.arguments["stride"]
        given.arguments |= {"padding": stride, "stride": padding}
        return layer(*given.args, **given.kwargs)

    return wrong


Shape = Sequence[int]
Reading = Callable[[Shape], Shape]


def _sized(image_read: Reading, kernel_read: Reading, *, in_window: bool = True) -> Layer:
    """Return the loop over all positions with wrong sizes of image and kernel.

    With `in_window`, the kernel's wrong size is that of the windows, too.
    """

    def wrong(image: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
        image = pad(image, (padding,) * 4)
        (height, width), (kh, kw) = image_read(image.shape), kernel_read(kernel.shape)
        out = torch.zeros((height - kh) // stride + 1, (width - kw) // stride + 1)
        rows, columns = (kh, kw) if in_window else kernel.shape
        for i, j in product(range(out.shape[0]), range(out.shape[1])):
            top, left = i * stride, j * stride
            out[i, j] = (image[top : top + rows, left : left + columns] * kernel).sum()
        return out

    return wrong


def sized_wrongly() -> tuple[Misconception, ...]:
    """Return the slips in reading the sizes of an image and a kernel."""

    def as_it_is(shape: Shape) -> Shape:
        return shape

    def by_height(shape: Shape) -> Shape:
        return shape[0], shape[0]

    def by_width(shape: Shape) -> Shape:
        return shape[1], shape[1]

    def swapped(shape: Shape) -> Shape:
        return shape[1], shape[0]

    def three(shape: Shape) -> Shape:
        return 3, 3

    one_length = "Height and width are taken to be equal: one length is used for rows and columns."
    always_three = "The window is always 3×3, as in the example; it should be as large as the kernel."
    exchange = "Height and width are exchanged: shape is (rows, columns)."
    return (
        Misconception("always-3", _sized(as_it_is, three), always_three),
        Misconception("square-by-height", _sized(by_height, by_height, in_window=False), one_length),
        Misconception("square-windows-by-height", _sized(by_height, by_height), one_length),
        Misconception("square-by-width", _sized(by_width, by_width, in_window=False), one_length),
        Misconception("square-windows-by-width", _sized(by_width, by_width), one_length),
        Misconception("height-width-swapped", _sized(swapped, swapped), exchange),
    )


def _kept(rows: slice, columns: slice) -> Callable[[Tensor], Tensor]:
    """Return a function that keeps some rows and columns of a result, and leaves zeros elsewhere."""

    def only(result: Tensor) -> Tensor:
        kept = torch.zeros_like(result)
        kept[..., rows, columns] = result[..., rows, columns]
        return kept

    return only


def looped_wrongly(layer: Layer) -> tuple[Misconception, ...]:
    """Return the slips of loops that write a result of the right size."""
    return (
        Misconception(
            "returned-at-the-first-position",
            altered(layer, result=_kept(slice(1), slice(1))),
            "Only the first position is computed, and the rest is still 0: the `return` is inside the loops.",
        ),
        Misconception(
            "returned-after-the-first-row",
            altered(layer, result=_kept(slice(1), slice(None))),
            "Only the first row is computed, and the rest is still 0: the `return` is inside the loop over "
            "the rows.",
        ),
        Misconception(
            "loops-end-early",
            altered(layer, result=_kept(slice(-1), slice(-1))),
            "The loops stop one position early, so the last row and the last column are still 0: range "
            "leaves out its end.",
        ),
    )
