"""Gradescope: the autograder that an instructor uploads, and what it does with a submission.

`autograder_zip` writes the archive, with `setup.sh` and `run_autograder` in it; the latter starts `__main__`,
which grades what was handed in and tells it in the form of `results_json`.
"""
