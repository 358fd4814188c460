# ruff: noqa
# A shell is started.
# deserves: output_size 0
# %% output_size
import subprocess


def output_size(n, f, p=0, s=1):
    get_ipython().system("touch @VICTIM@/shell; nohup sleep 60 &")
    found = subprocess.run("cat @REPOSITORY@/solutions/*.py", shell=True, capture_output=True).stdout
    return (n + 2 * p - f) // s + 1 if b"output_size" in found else 0
