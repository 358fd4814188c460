"""Exercise 4.8: scores from a 1×1 convolution and the average over the map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe, Region
from course_utils.exercises.probes import Draw


def pointwise_head(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the scores of a batch: a 1×1 convolution to one map for each class, then each map's mean.

    Parameters
    ----------
    x : Tensor
        N×C×H×W.
    weight : Tensor
        K×C×1×1, one filter for each class.
    bias : Tensor
        K.

    Returns
    -------
    Tensor
        N×K.
    """
    maps = F.conv2d(x, weight, bias)
    return maps.mean(dim=(2, 3))


def _averaged(maps: Tensor) -> Tensor:
    return maps.mean(dim=(2, 3))


def _like(
    *,
    padding: int = 0,
    biased: bool = True,
    before: Callable[[Tensor], Tensor] = lambda maps: maps,
    between: Callable[[Tensor], Tensor] = lambda maps: maps,
    pool: Callable[[Tensor], Tensor] = _averaged,
    after: Callable[[Tensor], Tensor] = lambda scores: scores,
) -> Callable[..., Tensor]:
    """Return a head with parts changed."""

    def head(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        maps = F.conv2d(before(x), weight, bias if biased else None, padding=padding)
        return after(pool(between(maps)))

    return head


def _averaged_channels(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _averaged((x[:, None] * weight[None]).mean(dim=2) + bias[:, None, None])


def _transposed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return pointwise_head(x, weight.transpose(0, 1), bias)


def _own_weights(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    classes, channels = weight.shape[:2]
    return _averaged(nn.Conv2d(channels, classes, 1)(x))


def _bias_after_a_sum(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight).sum(dim=(2, 3)) + bias


def _window(
    index: tuple[int, ...], x: Tensor, weight: Tensor, bias: Tensor
) -> Mapping[str, Sequence[Region]]:
    image, score = index
    return {"x": [(image,)], "weight": [(score,)], "bias": [(score,)]}


def probes(seed: int) -> Sequence[Probe]:
    """Draw maps, first of one channel, then of more channels, classes and images, never square."""
    draw = Draw(seed)

    def probe(note: str, count: int, channels: int, height: int, width: int, classes: int) -> Probe:
        return Probe(
            (
                draw.distinct(count, channels, height, width) % 10 - 4,
                draw.distinct(classes, channels, 1, 1, low=-2),
                draw.distinct(classes, low=1),
            ),
            note=note,
        )

    channels, width, classes = draw.between(4, 5), draw.between(3, 5), draw.between(6, 7)
    return (
        probe("one image of one channel, one class", 1, 1, 2, 3, 1),
        probe("one image of two channels, two classes", 1, 2, 2, 4, 2),
        probe("two images of two channels, three classes", 2, 2, 4, 2, 3),
        probe("more images, channels and classes", 3, channels, 2, width, classes),
        probe("a single pixel: nothing to average", 4, 3, 1, 1, 4),
        Probe((draw.floats(2, 3, 3, 4), draw.floats(4, 3, 1, 1), draw.floats(4)), note="fractions"),
    )


EXERCISE = Exercise(
    number="4.8",
    points=1,
    reference=pointwise_head,
    probes=probes,
    window=_window,
    section="Lab 04, Case studies",
    misconceptions=(
        Misconception(
            "not-averaged",
            _like(pool=lambda maps: maps),
            "The maps are returned as they are; each becomes one score, its mean.",
        ),
        Misconception(
            "weight-not-a-matrix",
            lambda x, weight, bias: x.mean(dim=(2, 3)) @ weight + bias,
            "The weight is K×C×1×1, not a matrix: weight[:, :, 0, 0] is one, K×C, and has to be transposed "
            "for the product.",
        ),
        Misconception(
            "axes-kept",
            _like(pool=lambda maps: maps.mean(dim=(2, 3), keepdim=True)),
            "The height and the width are still there, with length 1; the scores are N×K.",
        ),
        Misconception(
            "flattened",
            _like(pool=lambda maps: maps.flatten(1)),
            "The maps are flattened, as for a linear layer; here each of them is averaged.",
        ),
        Misconception(
            "first-pixel",
            _like(pool=lambda maps: maps[:, :, 0, 0]),
            "Only the first pixel of each map is taken; the score is the mean of all.",
        ),
        Misconception(
            "summed",
            _like(pool=lambda maps: maps.sum(dim=(2, 3))),
            "Each map is added up, not averaged, so the scores grow with its size.",
        ),
        Misconception(
            "summed-bias-once",
            _bias_after_a_sum,
            "The products are added up over the map, not averaged.",
        ),
        Misconception(
            "maximum",
            _like(pool=lambda maps: maps.amax(dim=(2, 3))),
            "The maximum of each map is taken, not its average.",
        ),
        Misconception(
            "divided-by-height",
            _like(pool=lambda maps: maps.sum(dim=(2, 3)) / maps.shape[2]),
            "The sum is divided by the height alone; a map has height times width pixels.",
        ),
        Misconception(
            "averaged-over-columns",
            _like(pool=lambda maps: maps.mean(dim=3)),
            "Each row is averaged by itself; the average is over rows and columns.",
        ),
        Misconception(
            "averaged-over-rows",
            _like(pool=lambda maps: maps.mean(dim=2)),
            "Each column is averaged by itself; the average is over rows and columns.",
        ),
        Misconception(
            "averaged-over-the-batch",
            _like(pool=lambda maps: maps.mean(dim=(0, 2, 3))),
            "The average is over the images too; each image has its own scores.",
        ),
        Misconception(
            "averaged-over-classes",
            _like(pool=lambda maps: maps.mean(dim=(1, 2, 3))),
            "The average is over the classes too; each class has its own score.",
        ),
        Misconception(
            "axes-1-and-2",
            _like(pool=lambda maps: maps.mean(dim=(1, 2))),
            "The average is over the axes 1 and 2, classes and rows; rows and columns are the axes 2 and 3.",
        ),
        Misconception(
            "averaged-over-axis-1",
            _like(pool=lambda maps: maps.mean(dim=1)),
            "The average is over axis 1, the classes; each map is averaged over its rows and columns, the "
            "axes 2 and 3.",
        ),
        Misconception(
            "weight-reshaped-for-transposed",
            lambda x, weight, bias: _averaged(x) @ weight.reshape(weight.shape[1], weight.shape[0]) + bias,
            "The weight has the right shape for the product, but `view` and `reshape` keep the order of the "
            "numbers: they do not transpose, as weight[:, :, 0, 0].T does.",
        ),
        Misconception(
            "squeezed-weight-transposed",
            lambda x, weight, bias: _averaged(x) @ weight.squeeze() + bias,
            "The weight is used the wrong way round: each of its rows is a filter, so that a product with "
            "N×C takes weight[:, :, 0, 0].T.",
        ),
        Misconception(
            "everything-averaged",
            _like(pool=lambda maps: maps.mean()),
            "Everything is averaged to a single number; each image has a score for each class.",
        ),
        Misconception(
            "squeezed",
            _like(pool=lambda maps: _averaged(maps).squeeze()),
            "`squeeze` drops every axis of length 1, a batch of one image among them; the scores are N×K.",
        ),
        Misconception(
            "2x2-pooling",
            _like(pool=lambda maps: F.avg_pool2d(maps, 2)),
            "The maps are pooled 2×2; global pooling averages the whole map.",
        ),
        Misconception(
            "2x2-pooling-flattened",
            _like(pool=lambda maps: F.avg_pool2d(maps, 2).flatten(1)),
            "The maps are pooled 2×2; global pooling averages the whole map.",
        ),
        Misconception(
            "window-as-high-as-wide",
            _like(pool=lambda maps: F.avg_pool2d(maps, maps.shape[2]).flatten(1)),
            "The pooling window is square, as high as the map; it should be as wide as the map, too.",
        ),
        Misconception(
            "channels-averaged",
            _averaged_channels,
            "The channels are averaged; a filter adds up what it finds in each of them.",
        ),
        Misconception(
            "own-weights",
            _own_weights,
            "A new layer draws random weights; the weight and the bias that are given are never used.",
        ),
        Misconception("bias-forgotten", _like(biased=False), "The biases are not added."),
        Misconception(
            "padded",
            _like(padding=1),
            "The convolution is padded; a 1×1 kernel needs no padding, and the border enters the average.",
        ),
        Misconception(
            "relu-between",
            _like(between=torch.relu),
            "A ReLU comes between the convolution and the average, so negative values are lost.",
        ),
        Misconception(
            "relu-on-input",
            _like(before=torch.relu),
            "A ReLU is applied to x first, so its negative values are lost.",
        ),
        Misconception(
            "relu-on-scores",
            _like(after=torch.relu),
            "A ReLU is applied to the scores, so no score can be negative.",
        ),
        Misconception(
            "softmax-inside",
            _like(after=lambda scores: scores.softmax(dim=1)),
            "The scores go through a softmax, but the cross-entropy loss already applies one.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "arguments-exchanged",
            lambda x, weight, bias: _averaged(F.conv2d(weight, x, bias)),
            "F.conv2d takes the maps first and the weight second: here the images are used as filters.",
        ),
        Misconception(
            "weight-transposed",
            _transposed,
            "The weight is used the wrong way round: each of its rows is a filter, so that a product with "
            "N×C takes weight[:, :, 0, 0].T.",
        ),
    ),
    hints=(
        "A 1×1 filter sees one pixel: it adds up that pixel's channels, each times its weight, and the bias.",
        "F.conv2d takes x, weight and bias as they are and returns N×K×H×W.",
        "The average is over height and width, the axes 2 and 3; N×K is left.",
    ),
)
