"""Exercise 1.8: a convolution as one matrix product."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.exercises.altered import altered
from course_utils.exercises.conv_layer import conv2d
from course_utils.exercises.conv_layer.im2col import im2col
from course_utils.exercises.conv_layer.output_size import output_size
from course_utils.exercises.conv_layer.sliding import convolve
from course_utils.exercises.model import Exercise, Misconception


def conv2d_as_matmul(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    """Multiply the filters, one in each row, with the patches, one in each column."""
    f = weight.shape[-1]
    height, width = (output_size(n, f, padding, stride) for n in x.shape[1:])
    out = weight.flatten(1) @ im2col(x, f, padding, stride)
    if bias is not None:
        out = out + bias[:, None]
    return out.reshape(-1, height, width)


def _bias_along_positions(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, None, padding, stride)
    return out if bias is None else (out.flatten(1) + bias).reshape(out.shape)


def _sizes(x: Tensor, f: int, padding: int, stride: int) -> Sequence[int]:
    return [output_size(n, f, padding, stride) for n in x.shape[1:]]


def _multiplied(
    product: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
    *,
    columns: Callable[[Tensor, int, int, int], Tensor] = im2col,
    sizes: Callable[[Tensor, int, int, int], Sequence[int]] = _sizes,
    folded: bool = True,
) -> Callable[..., Tensor]:
    """Return the layer with another product, other patches, or folded to another height and width."""

    def wrong(
        x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
    ) -> Tensor:
        f = weight.shape[-1]
        out = product(weight.flatten(1), columns(x, f, padding, stride))
        if bias is not None:
            out = out + bias[:, None]
        return out.reshape(len(weight), *sizes(x, f, padding, stride)) if folded else out

    return wrong


_ALIKE_IN_BOTH_FORMS = (
    "bias-twice",
    "bias-forgotten",
    "padding-ignored",
    "stride-ignored",
    "padding-one-side",
    "padding-and-stride-not-passed-on",
)
"""The misconceptions of `conv2d` that do not depend on how the layer is computed."""

EXERCISE = Exercise(
    number="1.8",
    points=2,
    reference=conv2d_as_matmul,
    builds_on=("zero_pad", "output_size", "im2col"),
    probes=conv2d.probes,
    section="Lab 01, Convolution as matrix multiplication",
    misconceptions=(
        Misconception(
            "factors-exchanged",
            _multiplied(lambda filters, patches: patches @ filters),
            "The factors are in the wrong order: the filters, one in each row, come first, then the patches.",
        ),
        Misconception(
            "factors-exchanged-not-folded",
            _multiplied(lambda filters, patches: patches @ filters, folded=False),
            "The factors are in the wrong order: the filters, one in each row, come first, then the patches.",
        ),
        Misconception(
            "transposes-exchanged-not-folded",
            lambda x, weight, bias=None, padding=0, stride=1: (
                convolve(x, weight, bias, padding, stride).flatten(1).T
            ),
            "The factors are in the wrong order: the filters, one in each row, come first, then the patches.",
        ),
        Misconception(
            "elementwise-product",
            _multiplied(lambda filters, patches: filters * patches),
            "* multiplies number by number; the matrix product is written @.",
        ),
        Misconception(
            "folded-to-the-input",
            _multiplied(sizes=lambda x, f, padding, stride: x.shape[1:]),
            "The product is reshaped to the height and width of the input; the output has its own.",
            "Lab 01, Output size",
        ),
        Misconception(
            "reshape-for-transpose",
            altered(convolve, result=lambda maps: maps.permute(1, 2, 0).reshape(maps.shape)),
            "The filters are the last axis of the product; `reshape` mixes the numbers instead of moving "
            "that axis to the front.",
        ),
        Misconception(
            "weights-reshaped",
            altered(convolve, weight=lambda weight: weight.reshape(-1, len(weight)).T.reshape(weight.shape)),
            "The weights are put into one column for each filter with `reshape`, which mixes the filters.",
        ),
        Misconception(
            "channel-last-weights",
            altered(convolve, weight=lambda weight: weight.permute(0, 2, 3, 1).reshape(weight.shape)),
            "Patches and filters are written in different orders: one channel by channel, the other pixel "
            "by pixel.",
        ),
        Misconception(
            "positions-by-columns",
            altered(convolve, result=lambda maps: maps.transpose(1, 2).reshape(maps.shape)),
            "The positions are in different orders: column by column in one place, row by row in the other.",
        ),
        Misconception(
            "height-width-swapped",
            altered(convolve, result=lambda maps: maps.reshape(maps.transpose(1, 2).shape)),
            "The product is reshaped into maps whose height and width are exchanged.",
            "Lab 01, Output size",
        ),
        Misconception(
            "square-maps",
            _multiplied(sizes=lambda *given: [_sizes(*given)[0]] * 2),
            "The maps are taken to be square: one length is used for height and width.",
            "Lab 01, Output size",
        ),
        Misconception(
            "padding-and-stride-in-one-place",
            _multiplied(columns=lambda x, f, padding, stride: im2col(x, f)),
            "Padding and stride count in one place only: both im2col and the size of the maps need them.",
            "Lab 01, Output size",
        ),
        Misconception(
            "padding-in-one-place",
            _multiplied(columns=lambda x, f, padding, stride: im2col(x, f, 0, stride)),
            "The padding counts in one place only: both im2col and the size of the maps need it.",
            "Lab 01, Output size",
        ),
        Misconception(
            "stride-in-one-place",
            _multiplied(columns=lambda x, f, padding, stride: im2col(x, f, padding)),
            "The stride counts in one place only: both im2col and the size of the maps need it.",
            "Lab 01, Output size",
        ),
        Misconception(
            "padding-and-stride-exchanged",
            _multiplied(columns=lambda x, f, padding, stride: im2col(x, f, stride, padding)),
            "Padding and stride are exchanged: im2col takes the padding first.",
            "Lab 01, Stride",
        ),
        Misconception(
            "not-folded",
            altered(convolve, result=lambda maps: maps.flatten(1)),
            "This is the matrix product itself: the positions of each map are still in one row.",
        ),
        Misconception(
            "bias-along-positions",
            _bias_along_positions,
            "The bias is spread over the positions; it belongs to the filters, the rows of the product.",
            "Lab 01, Channels",
        ),
        Misconception(
            "flipped-kernel",
            altered(convolve, weight=lambda weight: weight.flip(2, 3)),
            "This is the convolution of mathematics: each kernel is turned by 180 degrees.",
            "Lab 01, Convolution",
        ),
        *(wrong for wrong in conv2d.EXERCISE.misconceptions if wrong.id in _ALIKE_IN_BOTH_FORMS),
    ),
    hints=(
        "Each output number is the dot product of a filter and a patch. All of them are a matrix product.",
        "A filter per row, a patch per column: K×(C·f·f) times (C·f·f)×(H'·W').",
        "Each row of the product is one map, written in one line. Give it back its height and width.",
    ),
    window=conv2d.window,
)
