# ruff: noqa
# Magics and a shell line in an exercise's cell: no part of the answer, and no harm to it.
# deserves: same_padding full
# %% same_padding
%matplotlib inline
!pip install numpy
files = !ls


def same_padding(f):
    return f // 2
