"""How long a class takes: synthetic submissions of Lab 01, and nbgrader on a sample of them in the same run.

Run it as ``python tests/benchmarks/grading_scale.py`` on a quiet machine; ``--students 20 --sample 2`` for a
quick look. ``--limit 2`` makes it fail above two seconds a submission.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "support"))

import submissions  # noqa: E402

from course_utils import exercises  # noqa: E402

LAB = 1
NAME = submissions.LABS[LAB]
MIB = 2**20


def make_class(folder: Path, students: int, seed: int) -> Counter[str]:
    """Write a class: most answers right in one way or another, some wrong, a few files broken."""
    draw = random.Random(seed)
    asked = [name for name in exercises.names() if exercises.get(name).lab == LAB]
    counts: Counter[str] = Counter()
    for number in range(students):
        path = folder / f"student{number:04}" / f"{NAME}.ipynb"
        kind = draw.random()
        if kind < 0.02:
            path.parent.mkdir(parents=True)
            path.write_text("{")
            counts["files that are no notebooks"] += 1
            continue
        answers = {}
        for name in asked:
            wrong = submissions.wrong_answers(name)
            luck = draw.random()
            if luck < 0.75:
                answers[name] = draw.choice(submissions.right_answers(name))
                counts["right answers"] += 1
            elif luck < 0.9 and wrong:
                answers[name] = draw.choice(list(wrong.values()))
                counts["misconceptions"] += 1
            elif luck < 0.95:
                answers[name] = submissions.solutions(LAB)[name].replace("return", "return undefined +", 1)
                counts["errors"] += 1
            else:
                counts["not started"] += 1
        submissions.write(submissions.submission(answers, LAB), path)
    return counts


@contextmanager
def memory_watched() -> Iterator[list[float]]:
    """Note the most memory, in MiB, that this process and its descendants hold (shared pages once)."""
    peak, over = [0.0], threading.Event()

    def held(process: psutil.Process) -> int:
        try:
            return process.memory_full_info().pss
        except psutil.AccessDenied:
            return process.memory_info().rss
        except psutil.NoSuchProcess:
            return 0

    def watch() -> None:
        me = psutil.Process()
        while not over.wait(0.5):
            peak[0] = max(peak[0], sum(map(held, [me, *me.children(recursive=True)])) / MIB)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def our_seconds(folder: Path, output: Path, jobs: int | None) -> tuple[float, float, dict[str, object]]:
    """Grade with ``course grade``; return seconds, peak memory in MiB, and what it said."""
    command = [
        sys.executable,
        "-c",
        "import sys; from course_utils.command_line import main; sys.exit(main())",
    ]
    command += [
        "grade",
        str(folder),
        "--output",
        str(output),
        "--json",
        *(["--jobs", str(jobs)] if jobs else []),
    ]
    with memory_watched() as peak:
        started = time.perf_counter()
        done = subprocess.run(command, cwd=TESTS.parent, stdout=subprocess.PIPE, text=True, check=False)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.returncode)
    return seconds, peak[0], json.loads(done.stdout)


def nbgrader_seconds(folder: Path, course: Path, sample: int) -> float:
    """Return nbgrader's seconds for each submission of a sample, one at a time, as it does."""
    chosen = [p for p in sorted(folder.iterdir()) if (p / f"{NAME}.ipynb").stat().st_size > 10][:sample]
    (course / "source" / "lab").mkdir(parents=True)
    shutil.copy(TESTS.parent / "solutions" / f"{NAME}.ipynb", course / "source" / "lab" / f"{NAME}.ipynb")
    for student in chosen:
        shutil.copytree(student, course / "submitted" / student.name / "lab")
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": paths, "COURSE_PROFILE": "quick", "COURSE_OFFLINE": "1"}
    environment["COURSE_DATA_DIR"] = str(course / "data")

    def nbgrader(*arguments: str) -> float:
        command = [sys.executable, "-m", "nbgrader", *arguments]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=course, env=environment, capture_output=True, text=True, check=False
        )
        if "autograde" not in arguments and done.returncode:
            raise SystemExit(done.stderr)
        return time.perf_counter() - started

    nbgrader("generate_assignment", "lab", "--create")
    return nbgrader("autograde", "lab") / len(chosen)


def main() -> int:
    """Print the figures; the exit code is 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument(
        "--sample", type=int, default=5, help="submissions that nbgrader grades, too; 0: none"
    )
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds a submission")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="grading-scale-") as temporary:
        root = Path(temporary)
        counts = make_class(root / "in", options.students, options.seed)
        print(f"{options.students} submissions of {NAME}:", ", ".join(f"{n} {k}" for k, n in counts.items()))
        seconds, peak, said = our_seconds(root / "in", root / "out", options.jobs)
        each = seconds / options.students
        print(f"course grade: {seconds:.1f} s, {each:.2f} s a submission, isolation {said['isolation']}")
        print(f"course grade: {peak:,.0f} MiB at most, all processes together")
        again, _, said = our_seconds(root / "in", root / "out", options.jobs)
        print(f"course grade again: {again:.1f} s, {said['graded']} graded, {said['kept']} kept")
        if options.sample:
            theirs = nbgrader_seconds(root / "in", root / "course", options.sample)
            print(
                f"nbgrader autograde: {theirs:.2f} s a submission, measured on {options.sample}; "
                f"for all {options.students} that would be {theirs * options.students:.0f} s (extrapolated)"
            )
    return int(each > options.limit)


if __name__ == "__main__":
    raise SystemExit(main())
