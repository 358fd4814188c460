"""A first layer that is not learned: it is computed from the training images, then frozen."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from course_utils.data.dataset import Split
from course_utils.errors import TrainingError

IMAGES = 1000
"""How many training images are looked at."""


@torch.no_grad()
def whiten(layer: nn.Conv2d, split: Split, *, floor: float = 1e-2) -> None:
    """Set and freeze a convolution so that its outputs are uncorrelated, each with variance about 1.

    Neighbouring pixels are almost alike, so the values of a patch repeat nearly the same information. The
    filters become the principal directions of the training set's patches, each divided by its standard
    deviation: the next layers see differences as clearly as brightness, from the first step on. The first
    half of the filters are the strongest directions, the second half the same ones negated, since a ReLU
    would lose half of each.

    Parameters
    ----------
    layer : nn.Conv2d
        With a bias or without, and an even number of filters, at most twice the values in a patch. Changed in
        place; its weights take no gradient any more.
    split : Split
        The training images; never the test images.
    floor : float
        Added to each variance, so that directions that hold only noise are not amplified.

    Raises
    ------
    TrainingError
        If the number of filters is odd or too large.
    """
    filters, size = len(layer.weight), layer.weight[0].numel()
    if filters % 2 or filters > 2 * size:
        raise TrainingError(
            "The layer cannot be whitened.",
            why=f"It has {filters} filters; it needs an even number up to {2 * size}, two per direction.",
            next_step=f"Give it {min(filters // 2, size) * 2 or 2} filters.",
        )
    seen = split.normalised(split.images[:IMAGES])
    patches = (
        functional.unfold(seen, layer.kernel_size, stride=layer.stride).transpose(1, 2).reshape(-1, size)
    )
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))  # smallest first
    strongest = (directions / (variances + floor).sqrt()).T.flip(0)[: filters // 2]
    layer.weight.copy_(torch.cat([strongest, -strongest]).reshape_as(layer.weight))
    if layer.bias is not None:
        layer.bias.zero_()
    layer.requires_grad_(False)
