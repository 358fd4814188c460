# ruff: noqa
# The call ignores every signal and catches everything.
# deserves: output_size 0, same_padding 0
# %% output_size
import signal
import time


def output_size(n, f, p=0, s=1):
    for number in range(1, 64):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
    while True:
        try:
            while True:
                time.sleep(1)
        except BaseException:
            continue


# %% same_padding
def same_padding(f):
    while True:
        try:
            while True:
                f += 1
        except BaseException:
            continue
