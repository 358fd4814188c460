"""A small lab that the notebook tests build, run and break."""

from __future__ import annotations

import json
from pathlib import Path

from course_utils.notebooks.layout import Lab

SOLUTION = {"grade": False, "locked": False, "schema_version": 3, "solution": True, "task": False}
CHECK = {"grade": True, "locked": True, "points": 1, "schema_version": 3, "solution": False, "task": False}


def nbgrader(grade_id: str, kind: dict[str, object], language: str = "") -> str:
    """The header of an nbgrader cell in py:percent."""
    return f"# %% {language}nbgrader={json.dumps({**kind, 'grade_id': grade_id}, sort_keys=True)}"


TEXT = f'''# %% [markdown]
# # Lab 01 · Small
#
# Text with `code`.

# %%
import math

print(math.floor(2.5))


# %% [markdown]
# ## Output size

{nbgrader("output_size", SOLUTION)}
def output_size(n, f, p=0, s=1):
    """Size of the output."""
    ### BEGIN SOLUTION
    padded = n + 2 * p
    return (padded - f) // s + 1
    ### END SOLUTION


{nbgrader("check_output_size", CHECK)}
print(output_size(5, 3))
### BEGIN HIDDEN TESTS
assert output_size(28, 3, p=1) == 28
### END HIDDEN TESTS

# %% nbval_reason="random on purpose" tags=["nbval-ignore-output"]
import random

print(random.random())
'''


def small_lab(root: Path, text: str = TEXT, number: int = 1) -> Lab:
    """Write the text of a lab into a checkout of its own."""
    lab = Lab(f"{number:02}_small", root, number)
    lab.text.parent.mkdir(parents=True, exist_ok=True)
    lab.text.write_text(text, encoding="utf-8")
    return lab


def edit(path: Path, old: str, new: str) -> None:
    """Replace `old`, which must be there, in a file."""
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")
