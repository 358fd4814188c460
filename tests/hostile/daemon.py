# ruff: noqa
# A process in a session of its own that outlives the kernel and writes a file afterwards.
# deserves: output_size full
# %% output_size
import os
import signal
import time


def leave():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(3)
    for path in ("@VICTIM@/daemon", "/tmp/course-daemon", "/dev/shm/course-daemon"):
        try:
            open(path, "w").write("still here")
        except OSError:
            pass
    while True:
        time.sleep(1)


leave()


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1
