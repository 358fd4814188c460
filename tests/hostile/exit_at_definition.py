# ruff: noqa
# The cell ends the kernel.
# deserves: output_size 0
# %% output_size
import os

os._exit(0)


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1
