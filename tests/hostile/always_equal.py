# ruff: noqa
# An object that equals everything and turns into any number.
# deserves: same_padding 0, output_size 0
# %% same_padding
class Always:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 0

    def __lt__(self, other):
        return False

    __gt__ = __lt__

    def __bool__(self):
        return True

    def __sub__(self, other):
        return 0

    __rsub__ = __sub__


def same_padding(f):
    return Always()


# %% output_size
class Equal(int):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __sub__(self, other):
        return 0

    __rsub__ = __sub__
    __hash__ = int.__hash__


def output_size(n, f, p=0, s=1):
    return Equal(4)
