# ruff: noqa
# Errors that cannot be printed, named or caught.
# deserves: output_size 0, same_padding 0, zero_pad 0
# %% output_size
class Strange(BaseException):
    def __str__(self):
        raise self

    @property
    def observed(self):
        raise self


Strange.__name__ = "\ud800" * 10


def output_size(n, f, p=0, s=1):
    raise Strange


# %% same_padding
def same_padding(f):
    raise ValueError("\ud800\x00\x1b[31m<script>" * 100_000)


# %% zero_pad
def zero_pad(image, padding):
    return zero_pad(image, padding)
