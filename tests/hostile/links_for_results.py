# ruff: noqa
# Links, pipes and folders take the place of results.
# An answer that mentions open runs with the other suspicious ones, after the first.
# deserves: output_size 0, same_padding 0, zero_pad 0
# %% output_size
import os
import sys

observer = sys.modules["course_utils.grading.sandbox.inside.observer"]
asked = observer.ask
traps = {
    "output_size": lambda path: os.symlink("@REPOSITORY@/README.md", path),
    "same_padding": lambda path: os.mkfifo(path),
    "zero_pad": lambda path: os.mkdir(path),
}


def ask(exercise_id, seed, path, seconds):
    if exercise_id not in traps:
        return asked(exercise_id, seed, path, seconds)
    traps[exercise_id](path)


observer.ask = ask


def output_size(n, f, p=0, s=1):
    return 0


# %% same_padding
same_padding = open and output_size


# %% zero_pad
zero_pad = open and output_size
