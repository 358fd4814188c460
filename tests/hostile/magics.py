# ruff: noqa
# Magics and a shell line in an exercise's cell: they neither help nor harm the answer.
# deserves: same_padding full
# %% same_padding
%matplotlib inline
!pip install numpy
files = !ls


def same_padding(f):
    return f // 2
