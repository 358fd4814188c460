# ruff: noqa
# The work of others is copied.
# deserves: output_size 0, same_padding 0
# %% output_size
import glob


def output_size(n, f, p=0, s=1):
    for pattern in ("@VICTIM@/*/*", "/tmp/*/*/*", "@VICTIM@/../*/*"):
        for path in glob.glob(pattern):
            try:
                if "// s + 1" in open(path).read():
                    return (n + 2 * p - f) // s + 1
            except (OSError, ValueError):
                continue
    return 0


# %% same_padding
def same_padding(f):
    import os

    # Whatever other processes have on their command line, in their environment or in their folder.
    for process in os.listdir("/proc"):
        for name in ("environ", "root/@VICTIM@/ann/lab.py", "cwd/lab.py"):
            try:
                if b"SECRET" in open(f"/proc/{process}/{name}", "rb").read():
                    return (f - 1) // 2
            except OSError:
                continue
    return 0
