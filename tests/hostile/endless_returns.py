# ruff: noqa
# What comes back never ends or grows while it is read.
# deserves: output_size 0, same_padding 0, zero_pad 0
# %% output_size
import itertools


def output_size(n, f, p=0, s=1):
    return itertools.count()


# %% same_padding
class Growing(list):
    def __iter__(self):
        while True:
            yield 0

    def __len__(self):
        return 1


def same_padding(f):
    return Growing([Growing()])


# %% zero_pad
class Text(str):
    def __str__(self):
        while True:
            pass

    __repr__ = __len__ = __str__


def zero_pad(image, padding):
    raise ValueError(Text("x"))
