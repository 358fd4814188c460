# ruff: noqa
# Processes that start processes, in sessions of their own, from the cell itself.
# deserves: output_size 0
# %% output_size
import os

while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
