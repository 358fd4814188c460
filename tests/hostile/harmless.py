# ruff: noqa
# Nothing hostile at all: a warning, prints, a slow loop, other parameter names.
# deserves: output_size full, same_padding full, zero_pad full, cross_correlate full
# %% output_size
import warnings

warnings.warn("this will be removed")


def output_size(width, kernel, pad=0, step=1):
    warnings.warn("this too", DeprecationWarning)
    print("width", width)
    return (width + 2 * pad - kernel) // step + 1


# %% same_padding
import time


def same_padding(f):
    time.sleep(0.1)
    return f // 2


# %% zero_pad
import numpy as np
import torch


def zero_pad(image, padding):
    rows = len(image) + 2 * padding
    found = [[0.0] * (len(image[0]) + 2 * padding) for _ in range(rows)]
    for i, row in enumerate(image):
        for j, value in enumerate(row):
            found[i + padding][j + padding] = float(value)
    return torch.from_numpy(np.array(found))


# %% cross_correlate
import torch


def cross_correlate(picture, window):
    height, width = window.shape
    rows = []
    for i in range(picture.shape[0] - height + 1):
        rows.append(
            [
                (picture[i : i + height, j : j + width] * window).sum()
                for j in range(picture.shape[1] - width + 1)
            ]
        )
    print(rows)
    return torch.tensor(rows)


1 / 0
