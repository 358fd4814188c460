"""Exercise 1.8: a convolution as one matrix product."""

from __future__ import annotations

from torch import Tensor

from course_utils.exercises.conv_layer.conv2d import conv2d_probes, conv2d_window
from course_utils.exercises.conv_layer.im2col import im2col
from course_utils.exercises.conv_layer.output_size import output_size
from course_utils.exercises.conv_layer.wrong_conv2d import MISCONCEPTIONS as CONV2D_MISCONCEPTIONS
from course_utils.exercises.conv_layer.wrong_conv2d import convolve
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


def _positions_by_columns(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, bias, padding, stride)
    return out.transpose(1, 2).reshape(out.shape)


def _reshaped_result(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, bias, padding, stride)
    return out.permute(1, 2, 0).reshape(out.shape)


def _not_folded(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    return convolve(x, weight, bias, padding, stride).flatten(1)


def _height_width_swapped(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, bias, padding, stride)
    return out.reshape(out.shape[0], out.shape[2], out.shape[1])


def _bias_along_positions(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, None, padding, stride)
    return out if bias is None else (out.flatten(1) + bias).reshape(out.shape)


def _weights_reshaped(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    dealt = weight.reshape(-1, len(weight)).T.reshape(weight.shape)
    return convolve(x, dealt, bias, padding, stride)


def _channel_last_weights(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    return convolve(x, weight.permute(0, 2, 3, 1).reshape(weight.shape), bias, padding, stride)


_ALIKE_IN_BOTH_FORMS = (
    "bias-twice",
    "bias-forgotten",
    "padding-ignored",
    "stride-ignored",
    "padding-one-side",
)
"""The misconceptions of `conv2d` that do not depend on how the layer is computed."""

CONV2D_AS_MATMUL_MISCONCEPTIONS = (
    Misconception(
        "reshape-for-transpose",
        _reshaped_result,
        "The filters are the last axis of the product, and `reshape` deals the numbers out anew "
        "instead of moving that axis to the front.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "weights-reshaped",
        _weights_reshaped,
        "The weights are dealt into one column for each filter with `reshape`, which mixes the filters.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "channel-last-weights",
        _channel_last_weights,
        "Patches and filters are written in different orders: channel by channel, and pixel by pixel.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "positions-by-columns",
        _positions_by_columns,
        "The positions run down the columns first in one place and along the rows first in the other.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "height-width-swapped",
        _height_width_swapped,
        "The product is folded into a map whose height and width are exchanged.",
        "Lab 01, Output size",
    ),
    Misconception(
        "not-folded",
        _not_folded,
        "This is the matrix product itself: the positions are still in one row.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "bias-along-positions",
        _bias_along_positions,
        "The bias runs along the positions; it belongs to the filters, the rows of the product.",
        "Lab 01, Channels",
    ),
    Misconception(
        "flipped-kernel",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            x, weight.flip(2, 3), bias, padding, stride
        ),
        "This is the convolution of mathematics: each kernel is turned by 180 degrees.",
        "Lab 01, Convolution",
    ),
    *(mistake for mistake in CONV2D_MISCONCEPTIONS if mistake.id in _ALIKE_IN_BOTH_FORMS),
)


EXERCISE = Exercise(
    number="1.8",
    points=2,
    reference=conv2d_as_matmul,
    probes=conv2d_probes,
    misconceptions=CONV2D_AS_MATMUL_MISCONCEPTIONS,
    hints=(
        "Each output number is the dot product of a filter and a patch. All of them are a matrix product.",
        "A filter per row, a patch per column: F×(C·f·f) times (C·f·f)×(H'·W').",
        "Each row of the product is one map, written in one line. Give it back its height and width.",
    ),
    window=conv2d_window,
)
