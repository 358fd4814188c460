"""Every messy and every hostile submission through the Gradescope autograder: valid results, deserved points?

Run it as ``python tests/benchmarks/gradescope_sweep.py``; ``--only hostile/harmless`` for a quick look,
``--at-most partial`` for what a container without namespaces does.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS)]

import gradescope  # noqa: E402
from messy_class import CLASS  # noqa: E402
from nbgrader_hostile import NAMES, hand_in  # noqa: E402
from submissions import REPOSITORY  # noqa: E402

from course_utils import exercises  # noqa: E402
from course_utils.grading.gradescope import __main__ as autograder  # noqa: E402
from course_utils.grading.gradescope.results_json import Results  # noqa: E402
from course_utils.grading.sandbox import probe_isolation  # noqa: E402
from course_utils.notebooks.layout import find_labs  # noqa: E402

ALL = (*(f"messy/{name}" for name in CLASS), *(f"hostile/{name}" for name in NAMES))
OUTSIDE = ("disk_filled", "endless_at_definition", "exit_at_definition")
"""Their attack stands outside of the answer, which is right: of a notebook, only the answer runs."""


def submitted(name: str, folder: Path) -> tuple[int, bytes, dict[str, float]]:
    """Return the lab, the file, and what each exercise of it deserves."""
    kind, _, name = name.partition("/")
    if kind == "messy":
        one = CLASS[name]
        bank = [exercise for exercise in map(exercises.get, exercises.names()) if exercise.lab == one.lab]
        return one.lab, one.content, {e.id: 0 if e.id in one.lost else e.points for e in bank}
    path, deserved = hand_in(name, folder, folder)
    return 1, path.read_bytes(), deserved | ({"output_size": 1} if name in OUTSIDE else {})


def main() -> int:
    """Print a line for each submission; the exit code is 1 if any got other points than it deserves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ALL, metavar="NAME", default=ALL)
    parser.add_argument("--at-most", choices=("full", "partial"), default="full")
    options = parser.parse_args()
    isolation = probe_isolation(at_most=options.at_most)
    autograder.own_isolation = lambda: isolation
    wrong, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gradescope-sweep-") as temporary:
        for name in options.only:
            lab, content, deserved = submitted(name, Path(temporary, "others", name))
            home = gradescope.folder(Path(temporary, name), {"lab.ipynb": content})
            start = time.monotonic()
            with redirect_stdout(io.StringIO()):
                autograder.grade_submission(home, find_labs(REPOSITORY, lab)[0], Results(), start)
            given = gradescope.points(gradescope.read(home))
            due = {exercises.get(e).number: p for e, p in deserved.items() if exercises.get(e).points}
            differ = {n: (given.get(n), due[n]) for n in due if given.get(n) != due[n]}
            wrong += bool(differ)
            told = f"other points (given, due): {differ}" if differ else "as deserved"
            print(
                f"{name:40} {sum(given.values()):>4g} points, {time.monotonic() - start:5.1f} s, {told}",
                flush=True,
            )
    print(
        f"{len(options.only)} submissions, isolation {isolation.level} ({', '.join(isolation.mechanisms)}), "
        f"{time.monotonic() - began:.0f} s: {wrong} with other points than they deserve"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
