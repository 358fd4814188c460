# ruff: noqa
# The call never ends.
# deserves: output_size 0
# %% output_size
def output_size(n, f, p=0, s=1):
    while True:
        n += 1
