"""Exercise 4.7: batch normalisation in training mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from course_utils.exercises.altered import altered
from course_utils.exercises.model import Exercise, Misconception, Probe, Region
from course_utils.exercises.probes import Draw

ALL_BUT_CHANNELS = (0, 2, 3)
_STATISTICS_ALONG_COLUMNS = (
    "The means and variances go along the columns: without `keepdim=True` or further axes, they meet the "
    "last axis of x; the channels are axis 1."
)
_ALL_ALONG_COLUMNS = (
    "The numbers of the channels go along the columns: without further axes, they meet the last axis of x; "
    "the channels are axis 1."
)


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Bring each channel to mean 0 and variance 1 over the whole batch, then scale and shift it.

    Parameters
    ----------
    x : Tensor
        N×C×H×W. The mean and the (biased) variance of a channel are over N, H and W.
    weight, bias : Tensor
        C numbers each, learned: by what a channel is multiplied, and what is added.
    eps : float
        Added to the variance, so that a constant channel does not divide by 0.
    """
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    normalised = (x - mean) / (variance + eps).sqrt()
    return normalised * weight[:, None, None] + bias[:, None, None]


def _scaled(y: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return y * weight[:, None, None] + bias[:, None, None]


def _biased(x: Tensor, axes: Sequence[int]) -> Tensor:
    return x.var(dim=tuple(axes), correction=0, keepdim=True)


def _unbiased(x: Tensor, axes: Sequence[int]) -> Tensor:
    return x.var(dim=tuple(axes), keepdim=True)


def _within_images(x: Tensor, axes: Sequence[int]) -> Tensor:
    return _biased(x, (2, 3)).mean(dim=0, keepdim=True)


def _like(
    *,
    over: Sequence[int] = ALL_BUT_CHANNELS,
    variance: Callable[[Tensor, Sequence[int]], Tensor] = _biased,
    divisor: Callable[[Tensor, float], Tensor] = lambda variance, eps: (variance + eps).sqrt(),
    centred: bool = True,
    keepdim: bool = True,
    variance_of_centred: bool = False,
    finish: Callable[[Tensor, Tensor, Tensor], Tensor] = _scaled,
) -> Callable[..., Tensor]:
    """Return batch normalisation with parts changed."""

    def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
        centre = x.mean(dim=tuple(over), keepdim=True) * centred
        if not keepdim:
            centre = centre.flatten()
        squares = ((x - centre) ** 2).mean(dim=tuple(over), keepdim=True)
        spread = divisor(squares if variance_of_centred else variance(x, over), eps)
        if not keepdim:
            spread = spread.flatten()
        return finish((x - centre) / spread, weight, bias)

    return normalise


def _variants(name: str, sentence: str, **changes: Any) -> Iterator[Misconception]:
    """Yield one idea three times: with the variance, and with `var` and `std` as they are by default."""
    yield Misconception(name, _like(**changes), sentence)
    yield Misconception(f"{name}-var", _like(**changes, variance=_unbiased), sentence)
    yield Misconception(
        f"{name}-std",
        _like(**changes, variance=_unbiased, divisor=lambda variance, eps: variance.sqrt() + eps),
        sentence,
    )


def _over(axes: Sequence[int], name: str, sentence: str) -> Iterator[Misconception]:
    return _variants(name, sentence, over=axes)


def _mean_divided(x: Tensor, eps: float) -> Tensor:
    return x.mean(dim=ALL_BUT_CHANNELS, keepdim=True) / (_biased(x, ALL_BUT_CHANNELS) + eps).sqrt()


def _window(
    index: tuple[int, ...], x: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> Mapping[str, Sequence[Region]]:
    channel = index[1]
    return {"x": [(slice(None), channel)], "weight": [(channel,)], "bias": [(channel,)]}


def probes(seed: int) -> Sequence[Probe]:
    """Draw maps of unequal means and spreads; a large eps; channels that hardly vary or not at all."""
    draw = Draw(seed)

    def maps(count: int, channels: int, height: int, width: int) -> Tensor:
        x = draw.distinct(count, channels, height, width) % 10
        # Every image and every channel gets a mean and a spread of its own.
        x = x * torch.arange(1, channels + 1).reshape(-1, 1, 1)
        return x + 3 * torch.arange(count).reshape(-1, 1, 1, 1)

    def probe(note: str, x: Tensor, **keywords: float) -> Probe:
        channels = x.shape[1]
        weight, bias = draw.distinct(channels, low=2), draw.distinct(channels, low=-1)
        return Probe((x, weight.requires_grad_(), bias.requires_grad_()), keywords, note)

    flat = maps(2, 3, 2, 4)
    # A larger value would cost float32 the digits that the division by the root of eps needs.
    flat[:, 0] = draw.between(1, 3) / 4
    flat[:, 1] /= 1000
    start = (torch.ones(1).requires_grad_(), torch.zeros(1).requires_grad_())
    return (
        Probe((maps(1, 1, 2, 3), *start), note="one image of one channel; weight 1 and bias 0"),
        probe("two images of one channel", maps(2, 1, 3, 2)),
        probe("three images of two channels", maps(3, 2, 4, 2)),
        probe("two images of four channels", maps(2, 4, 3, 5)),
        probe("one image of three channels; a large eps", maps(1, 3, 2, 4), eps=draw.between(4, 6)),
        probe("channel 0 is constant, channel 1 hardly varies", flat),
        Probe((draw.floats(2, 3, 3, 4), draw.floats(3), draw.floats(3)), note="fractions, some negative"),
    )


EXERCISE = Exercise(
    number="4.7",
    points=2,
    reference=batch_norm,
    probes=probes,
    window=_window,
    section="Lab 04, Batch normalisation",
    misconceptions=(
        *_over(
            (2, 3),
            "each-image-alone",
            "Each image is normalised by itself; a channel's mean and variance are over the whole batch.",
        ),
        *_over(
            (0,),
            "each-pixel-alone",
            "Each place of the map is normalised by itself; a channel's mean and variance are over all its "
            "places.",
        ),
        *_over(
            (0, 1, 2, 3),
            "all-channels-together",
            "All channels share one mean and one variance; each channel has its own.",
        ),
        *_over(
            (1, 2, 3),
            "layer-normalisation",
            "The mean and the variance are over all channels of one image: that is layer normalisation.",
        ),
        *_over(
            (1,),
            "across-channels",
            "The mean and the variance are taken across the channels; each channel has its own.",
        ),
        Misconception(
            "unbiased-variance",
            _like(variance=_unbiased),
            "The variance is divided by the number of values less 1, as `var` does by itself; here it is "
            "divided by their number.",
        ),
        Misconception(
            "std-plus-eps",
            _like(divisor=lambda variance, eps: variance.sqrt() + eps),
            "eps is added to the standard deviation; it belongs to the variance, under the root.",
        ),
        Misconception(
            "unbiased-std-plus-eps",
            _like(variance=_unbiased, divisor=lambda variance, eps: variance.sqrt() + eps),
            "The standard deviation is divided by the number of values less 1, as `std` does by itself, and "
            "eps is added to it instead of to the variance.",
        ),
        Misconception(
            "eps-forgotten",
            _like(divisor=lambda variance, eps: variance.sqrt()),
            "eps is forgotten, so a constant channel divides 0 by 0.",
        ),
        Misconception(
            "unbiased-and-eps-forgotten",
            _like(variance=_unbiased, divisor=lambda variance, eps: variance.sqrt()),
            "The standard deviation is divided by the number of values less 1, as `std` does by itself, and "
            "eps is forgotten.",
        ),
        Misconception(
            "eps-ignored",
            altered(batch_norm, eps=lambda eps: 1e-5),
            "eps is always 0.00001, whatever value is given.",
        ),
        Misconception(
            "divided-by-variance",
            _like(divisor=lambda variance, eps: variance + eps),
            "It divides by the variance; the root is missing.",
        ),
        Misconception(
            "mean-not-subtracted",
            _like(centred=False),
            "The mean is not subtracted.",
        ),
        Misconception(
            "squares-without-the-mean",
            _like(variance=lambda x, axes: (x**2).mean(dim=tuple(axes), keepdim=True)),
            "The variance is taken as the mean of the squares; the mean is not subtracted before squaring.",
        ),
        Misconception(
            "squares-added-up",
            _like(variance=lambda x, axes: _biased(x, axes) * x[:, 0].numel()),
            "The squared differences are added up and never divided by their number.",
        ),
        Misconception(
            "variance-within-images",
            _like(variance=_within_images),
            "The variance is taken within each image and then averaged, which ignores how the images differ "
            "from one another.",
        ),
        Misconception(
            "scale-and-shift-forgotten",
            _like(finish=lambda y, weight, bias: y),
            "The result is normalised, but weight and bias are never used.",
        ),
        Misconception(
            "layer-of-its-own",
            lambda x, weight, bias, eps=1e-5: F.batch_norm(x, None, None, training=True),
            "The result is normalised, but weight, bias and eps are never used.",
        ),
        Misconception(
            "parentheses-forgotten",
            lambda x, weight, bias, eps=1e-5: _scaled(x - _mean_divided(x, eps), weight, bias),
            "Only the mean is divided by the root, because parentheses around the difference are missing.",
        ),
        Misconception(
            "parentheses-forgotten-in-one-line",
            lambda x, weight, bias, eps=1e-5: x - _scaled(_mean_divided(x, eps), weight, -bias),
            "Only the mean is divided by the root, because parentheses around the difference are missing.",
        ),
        Misconception(
            "weight-forgotten",
            _like(finish=lambda y, weight, bias: y + bias[:, None, None]),
            "The channels are not multiplied by their weights.",
        ),
        Misconception(
            "bias-forgotten",
            _like(finish=lambda y, weight, bias: y * weight[:, None, None]),
            "The biases are not added.",
        ),
        Misconception(
            "bias-before-weight",
            _like(finish=lambda y, weight, bias: (y + bias[:, None, None]) * weight[:, None, None]),
            "The bias is added before the multiplication, so it is multiplied too.",
        ),
        Misconception(
            "weight-and-bias-swapped",
            _like(finish=lambda y, weight, bias: _scaled(y, bias, weight)),
            "Weight and bias are swapped.",
        ),
        *_variants(
            "along-the-columns",
            "weight and bias go along the columns: without further axes, they meet the last axis of x; "
            "the channels are axis 1.",
            finish=lambda y, weight, bias: y * weight + bias,
        ),
        *_variants(
            "statistics-along-the-columns",
            _STATISTICS_ALONG_COLUMNS,
            keepdim=False,
        ),
        *_variants(
            "everything-along-the-columns",
            _ALL_ALONG_COLUMNS,
            keepdim=False,
            finish=lambda y, weight, bias: y * weight + bias,
        ),
        Misconception(
            "variance-along-the-columns",
            _like(keepdim=False, variance_of_centred=True),
            _STATISTICS_ALONG_COLUMNS,
        ),
        Misconception(
            "all-along-the-columns",
            _like(keepdim=False, variance_of_centred=True, finish=lambda y, weight, bias: y * weight + bias),
            _ALL_ALONG_COLUMNS,
        ),
        *(
            Misconception(
                name,
                lambda x, weight, bias, eps=1e-5, passed=passed: F.batch_norm(
                    x, weight, bias, **({"eps": eps} if passed else {})
                ),
                "F.batch_norm takes a running mean and variance second and third, before weight and bias: "
                "here it takes weight for the mean and bias for the variance.",
            )
            for name, passed in (("weight-for-the-mean", True), ("weight-for-the-mean-eps-ignored", False))
        ),
        Misconception(
            "along-the-batch",
            _like(finish=lambda y, weight, bias: _scaled(y.transpose(0, 1), weight, bias).transpose(0, 1)),
            "weight and bias go along the images of the batch; the channels are axis 1.",
        ),
        Misconception(
            "evaluation-mode",
            _like(centred=False, variance=lambda x, axes: torch.ones(())),
            "The batch's own mean and variance are not used: that is evaluation mode, before anything is "
            "learned.",
        ),
    ),
    hints=(
        "Each channel has one mean and one variance, over all images and all places: over the axes 0, 2 "
        "and 3.",
        "x.mean(dim=(0, 2, 3), keepdim=True) has shape 1×C×1×1, so it can be subtracted from x. The "
        "variance is the mean of the squared differences.",
        "Divide by the root of variance + eps. weight.reshape(1, -1, 1, 1) lies along the channels, and so "
        "does the bias.",
    ),
)
