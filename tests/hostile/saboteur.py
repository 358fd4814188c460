# ruff: noqa
# An honest-looking cell ends the kernel later, while others have their turn.
# deserves: output_size 0
# %% output_size
import random
import time

from tqdm import TMonitor


class Later(TMonitor):
    def __init__(self):
        super(TMonitor, self).__init__(daemon=True)

    def run(self):
        time.sleep(0.05)
        getattr(getattr(random, "_os"), "_exit")(3)


Later().start()


def output_size(n, f, p=0, s=1):
    return 0
