# ruff: noqa
# 300 MB are printed, in the cell and in the call.
# deserves: output_size full
# %% output_size
for _ in range(300):
    print("x" * (1 << 20))


def output_size(n, f, p=0, s=1):
    print("x" * (1 << 24))
    return (n + 2 * p - f) // s + 1
