"""Random inputs for probes: small integers, so that a case can be computed by hand."""

from __future__ import annotations

import numpy as np
import torch

EASY = 4  # integers up to here can be multiplied and added by eye


class Draw:
    """Random inputs from one seed.

    Parameters
    ----------
    seed : int
        Two draws with the same seed give the same inputs on every machine.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices: int) -> int:
        """Return one of the choices."""
        return int(self.rng.choice(choices))

    def shuffled(self, *items: int) -> tuple[int, ...]:
        """Return the items in random order."""
        return tuple(int(i) for i in self.rng.permutation(items))

    def integers(self, *shape: int, low: int = -EASY, high: int = EASY) -> torch.Tensor:
        """Return a float32 tensor of whole numbers from `low` to `high`, both included."""
        values = self.rng.integers(low, high + 1, size=shape)
        return torch.tensor(values, dtype=torch.float32)

    def distinct(self, *shape: int, low: int | None = None) -> torch.Tensor:
        """Return a float32 tensor of distinct whole numbers in random order, none of them 0."""
        count = int(np.prod(shape))
        start = -(count // 2) if low is None else low
        pool = [value for value in range(start, start + count + 1) if value != 0][:count]
        return torch.tensor(self.rng.permutation(pool).reshape(shape), dtype=torch.float32)

    def floats(self, *shape: int) -> torch.Tensor:
        """Return a float32 tensor of normally distributed numbers."""
        return torch.tensor(self.rng.standard_normal(shape), dtype=torch.float32)
