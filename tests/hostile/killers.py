# ruff: noqa
# The processes around the kernel are killed and spied on.
# deserves: output_size 0, same_padding 0
# %% output_size
import ctypes
import os
import signal


def output_size(n, f, p=0, s=1):
    for pid in (int("@GRADER@"), int("@FORK_SERVER@"), 1, 2, 3):
        try:
            if pid > 3 or os.getpid() < 1000:
                os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    os.kill(os.getppid(), signal.SIGKILL)
    return 0


# %% same_padding
import ctypes


def same_padding(f):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, int("@GRADER@"), None, None) == 0:
        return (f - 1) // 2
    try:
        open("/proc/@GRADER@/mem", "rb").read(1)
        return (f - 1) // 2
    except OSError:
        return 0
