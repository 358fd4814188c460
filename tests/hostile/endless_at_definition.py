# ruff: noqa
# The cell never ends.
# deserves: output_size 0
# %% output_size
def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1


while True:
    pass
