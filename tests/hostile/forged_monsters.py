# ruff: noqa
# What comes back is made to break the grader: huge numbers, half characters, endless nesting.
# An answer that mentions open runs with the other suspicious ones, after the first.
# deserves: output_size 0, same_padding 0, zero_pad 0, im2col 0, cross_correlate 0
# %% output_size
import sys

observer = sys.modules["course_utils.grading.sandbox.inside.observer"]
fields = '"traceback":"","call":"","error":"","printed":"\\ud800","blocked_by":"","changed_inputs":[]'
monsters = {
    "output_size": '{"status":"returned","value":' + "9" * 4000 + "," + fields + "}",
    "same_padding": '{"status":"returned","value":{"float":"1e400"},' + fields + "}",
    "zero_pad": '{"status":"returned","value":{"array":"","dtype":"<f4","shape":[1000000000,0]},'
    + fields
    + "}",
    "im2col": '{"status":"returned","value":' + "[" * 100_000 + "]" * 100_000 + "," + fields + "}",
    "cross_correlate": '{"status":"returned","value":' + "[0," * 9 + "0" + "]" * 9 + "," + fields + "}",
}
asked = observer.ask


def ask(exercise_id, seed, path, seconds):
    if exercise_id not in monsters:
        return asked(exercise_id, seed, path, seconds)
    with open(path, "w") as file:
        file.write((monsters[exercise_id] + "\n") * 20)


observer.ask = ask


def output_size(n, f, p=0, s=1):
    return 0


# %% same_padding
same_padding = open and output_size


# %% zero_pad
zero_pad = open and output_size


# %% im2col
im2col = open and output_size


# %% cross_correlate
cross_correlate = open and output_size
