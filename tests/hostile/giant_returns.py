# ruff: noqa
# Far more is returned than was asked for.
# deserves: output_size 0, same_padding 0, zero_pad 0, cross_correlate 0
# %% output_size
def output_size(n, f, p=0, s=1):
    return 10 ** (10**6)


# %% same_padding
def same_padding(f):
    items = []
    items.append(items)
    return items


# %% zero_pad
import torch


def zero_pad(image, padding):
    return torch.zeros(1).expand(10**9)


# %% cross_correlate
def cross_correlate(image, kernel):
    found = 0
    for _ in range(100_000):
        found = [found]
    return found
