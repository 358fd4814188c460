"""Wrong ideas about several channels, filters and biases."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from course_utils.exercises.model import Misconception


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    padding: int = 0,
    stride: int | tuple[int, int] = 1,
) -> Tensor:
    """PyTorch's layer on one image: what the wrong references are made of."""
    return functional.conv2d(x[None], weight, bias, stride=stride, padding=padding)[0]


def pad(x: Tensor, padding: int) -> Tensor:
    """Put zeros around every channel."""
    return functional.pad(x, (padding,) * 4)


def _add(out: Tensor, bias: Tensor | None) -> Tensor:
    return out if bias is None else out + bias[:, None, None]


def _bias_per_channel(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    return convolve(x, weight, None if bias is None else bias * len(x), padding, stride)


def bias_twice(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    """Add each bias two times."""
    return convolve(x, weight, None if bias is None else 2 * bias, padding, stride)


def _bias_along_rows(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, None, padding, stride)
    return out if bias is None else out + bias


def _first_bias(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = convolve(x, weight, None, padding, stride)
    return out if bias is None else out + bias[0]


def _cropped(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    rows, columns = convolve(x, weight, bias, padding, stride).shape[1:]
    return convolve(x, weight, bias, padding)[:, :rows, :columns]


def _not_summed(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    one_each = weight.flatten(0, 1)[:, None]
    every = functional.conv2d(
        x.repeat(len(weight), 1, 1)[None], one_each, stride=stride, padding=padding, groups=len(one_each)
    )
    out = every[0].unflatten(0, weight.shape[:2])
    return out if bias is None else out + bias[:, None, None, None]


MISCONCEPTIONS = (
    Misconception(
        "flipped-kernel",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            x, weight.flip(2, 3), bias, padding, stride
        ),
        "This is the convolution of mathematics: each kernel is turned by 180 degrees before it slides. "
        "The layer of a network does not turn it.",
        "Lab 01, Convolution",
    ),
    Misconception(
        "channel-mean",
        lambda x, weight, bias=None, padding=0, stride=1: _add(
            convolve(x, weight, None, padding, stride) / len(x), bias
        ),
        "The channels are averaged.",
        "Lab 01, Channels",
    ),
    Misconception(
        "first-channel-only",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            x[:1], weight[:, :1], bias, padding, stride
        ),
        "Only the first channel of the input has a part in the result.",
        "Lab 01, Channels",
    ),
    Misconception(
        "last-channel-only",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            x[-1:], weight[:, -1:], bias, padding, stride
        ),
        "Only the last channel of the input is left in the result: each channel replaces the one before.",
        "Lab 01, Channels",
    ),
    Misconception(
        "first-slice-for-all",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            x, weight[:, :1].expand_as(weight), bias, padding, stride
        ),
        "All channels meet the filter's first slice; a filter has a slice of its own for each channel.",
        "Lab 01, Channels",
    ),
    Misconception(
        "channels-not-summed",
        _not_summed,
        "There is a map for each channel and filter: what the channels give is not brought together.",
        "Lab 01, Channels",
    ),
    Misconception(
        "filters-summed",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(x, weight, bias, padding, stride).sum(0),
        "The maps of all filters are added into one; each filter gives a channel of its own.",
        "Lab 01, Channels",
    ),
    Misconception(
        "filter-axes-swapped",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            x, weight.transpose(0, 1), bias, padding, stride
        ),
        "The first two axes of the weights are exchanged: the first counts filters, the second channels.",
        "Lab 01, Channels",
    ),
    Misconception(
        "bias-forgotten",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(x, weight, None, padding, stride),
        "The bias has no effect.",
        "Lab 01, Channels",
    ),
    Misconception(
        "bias-twice",
        bias_twice,
        "The bias is added twice.",
        "Lab 01, Channels",
    ),
    Misconception(
        "bias-for-every-channel",
        _bias_per_channel,
        "The bias is added once for each input channel; a filter adds it once.",
        "Lab 01, Channels",
    ),
    Misconception(
        "bias-along-rows",
        _bias_along_rows,
        "The bias runs along the columns of each map; it belongs to the filters, the first axis.",
        "Lab 01, Channels",
    ),
    Misconception(
        "first-bias-for-all",
        _first_bias,
        "All filters get the first filter's bias.",
        "Lab 01, Channels",
    ),
    Misconception(
        "padding-ignored",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(x, weight, bias, 0, stride),
        "The padding has no effect.",
        "Lab 01, Padding",
    ),
    Misconception(
        "padding-after",
        lambda x, weight, bias=None, padding=0, stride=1: pad(convolve(x, weight, bias, 0, stride), padding),
        "The zeros are put around the result instead of around the input.",
        "Lab 01, Padding",
    ),
    Misconception(
        "padding-one-side",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(
            functional.pad(x, (0, padding, 0, padding)), weight, bias, 0, stride
        ),
        "Zeros are added on one side only, below and to the right.",
        "Lab 01, Padding",
    ),
    Misconception(
        "stride-ignored",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(x, weight, bias, padding),
        "The stride has no effect: the kernel moves by one pixel.",
        "Lab 01, Stride",
    ),
    Misconception(
        "stride-on-rows-only",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(x, weight, bias, padding, (stride, 1)),
        "The stride acts on rows only; columns still move by one.",
        "Lab 01, Stride",
    ),
    Misconception(
        "stride-on-columns-only",
        lambda x, weight, bias=None, padding=0, stride=1: convolve(x, weight, bias, padding, (1, stride)),
        "The stride acts on columns only; rows still move by one.",
        "Lab 01, Stride",
    ),
    Misconception(
        "crop-instead-of-stride",
        _cropped,
        "The result has the size that the stride asks for, but it is the top-left corner of the result "
        "with stride 1 (the lecture's slide prints this too).",
        "Lab 01, Stride",
    ),
)
