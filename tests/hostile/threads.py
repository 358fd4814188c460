# ruff: noqa
# Threads that keep running, print, and change things later.
# deserves: output_size full, same_padding 0
# %% output_size
import threading
import time


def noise():
    while True:
        print("noise" * 100)
        time.sleep(0.001)


for _ in range(4):
    threading.Thread(target=noise, daemon=True).start()


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1


# %% same_padding
import threading
import torch


def later():
    torch.equal = torch.Tensor.clone = None
    import os

    os._exit(0)


timer = threading.Timer(0.3, later)
timer.start()


def same_padding(f):
    timer.join()
    return 0
