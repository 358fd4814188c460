# ruff: noqa
# The call ends the kernel.
# deserves: output_size 0, same_padding 0
# %% output_size
def output_size(n, f, p=0, s=1):
    import os

    os._exit(0)


# %% same_padding
def same_padding(f):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
