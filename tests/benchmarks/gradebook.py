"""From each platform's download to its upload: a made-up class is graded, reviewed and sent back.

Run it as ``python tests/benchmarks/gradebook.py`` on a quiet machine; ``--students 6`` for a quick look. For
each layout the table has the seconds of ``course grade``, of giving points for every open question as
``course review`` saves them, of ``course grade`` again, and who gets feedback from the archive, read back
by the platform's own rules.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUPPORT = Path(__file__).parents[1] / "support"
sys.path.insert(0, str(SUPPORT))

import feedback_readers  # noqa: E402
import submissions  # noqa: E402

from course_utils import exercises  # noqa: E402
from course_utils.grading.review.items import Review  # noqa: E402

ROOT = Path(__file__).parents[2]
QUESTION = "explain_border"
FIRST = ("Anna", "Jürgen", "Seán", "Mei Ling", "José", "Zoë", "Nguyễn Thị", "D'Arcy", "Wei", "Ayşe")
LAST = ("Müller", "O'Brien", "van der Berg", "Tan", "Smith-Jones", "García")


@dataclass(frozen=True)
class Person:
    """Somebody in the class."""

    number: int
    first: str
    last: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.first} {self.last}"

    @property
    def login(self) -> str:
        """An account."""
        return f"s{self.number}"

    @property
    def file(self) -> str:
        """What Canvas makes of the name."""
        return "".join(c for c in f"{self.last}{self.first}".lower() if c.isalnum())


def moodle(one: Person) -> str:
    return f"{one.name}_{one.number}_assignsubmission_file/lab.ipynb"


def canvas(one: Person) -> str:
    late = "LATE_" if one.number % 7 == 0 else ""
    return f"{one.file}_{late}{one.number}_{90000 + one.number}_lab.ipynb"


def blackboard(one: Person) -> str:
    return f"Lab 1_{one.login}_attempt_2026-12-01-10-00-{one.number % 60:02}_lab.ipynb"


def gradescope(one: Person) -> str:
    return f"assignment_4711_export/submission_{one.number}/lab.ipynb"


def gradescope_list(people: list[Person]) -> dict[str, str]:
    lines = []
    for one in people:
        lines += [f"submission_{one.number}:", "  :submitters:", f"  - :name: {json.dumps(one.name)}"]
        lines += [f"    :sid: '{one.number}'", f"    :email: {one.login}@uni.example"]
        lines += ["  :created_at: 2026-12-01 10:22:33.365935000 Z", "  :history: []"]
    return {"assignment_4711_export/submission_metadata.yml": "---\n" + "\n".join(lines) + "\n"}


def github(one: Person) -> str:
    return f"lab-1-{one.login}/labs/01_conv_layer.ipynb"


def brightspace(one: Person) -> str:
    return f"{one.number}-4711 - {one.name} - Dec 1, 2026 1022 AM/lab.ipynb"


def names(one: Person) -> str:
    return f"{one.name}/lab.ipynb"


def nothing(people: list[Person]) -> dict[str, str]:
    return {}


def returned_by_moodle(folder: Path, people: list[Person]) -> int:
    known = {one.number: one.name for one in people}
    return len(feedback_readers.moodle(folder / "moodle-lab-01.zip", known))


def returned_by_canvas(folder: Path, people: list[Person]) -> int:
    known = {(one.number, 90000 + one.number): (one.name, "lab.ipynb") for one in people}
    return len(feedback_readers.canvas(folder / "canvas-lab-01.zip", known))


def returned_by_blackboard(folder: Path, people: list[Person]) -> int:
    known = {one.login: one.name for one in people}
    return len(feedback_readers.blackboard(folder / "blackboard-lab-01.csv", known))


def returned_by_mail(folder: Path, people: list[Person]) -> int:
    """How many lines of the mail merge have somebody's address, and a page that is there."""
    rows = csv.DictReader(io.StringIO((folder / "email.csv").read_text(encoding="utf-8-sig")))
    known = {f"{one.login}@uni.example" for one in people}
    return sum(row["E-mail"] in known and (folder.parent / row["Page"]).is_file() for row in rows)


PLATFORMS: dict[str, tuple[Callable[[Person], str], Callable[..., dict[str, str]], Callable[..., int]]] = {
    "Moodle": (moodle, nothing, returned_by_moodle),
    "Canvas": (canvas, nothing, returned_by_canvas),
    "Blackboard": (blackboard, nothing, returned_by_blackboard),
    "Gradescope": (gradescope, gradescope_list, returned_by_mail),
    "GitHub": (github, nothing, returned_by_mail),
    "Brightspace": (brightspace, nothing, returned_by_mail),
    "folders of names": (names, nothing, returned_by_mail),
}


def make_notebooks(count: int, seed: int) -> list[str]:
    """Make submissions: most answers right, some wrong, some missing; most students answer the question."""
    draw = random.Random(seed)
    asked = [name for name in exercises.names() if exercises.get(name).lab == 1]
    made = []
    for _ in range(count):
        answers = {}
        for name in asked:
            wrong, luck = list(submissions.wrong_answers(name).values()), draw.random()
            if luck < 0.8 or not wrong:
                answers[name] = draw.choice(submissions.right_answers(name))
            elif luck < 0.95:
                answers[name] = draw.choice(wrong)
        notebook = submissions.submission(answers)
        if draw.random() < 0.9:
            text = "Corners 4, edges 6, inside 9. Near the edge the sums are too small."
            submissions.cell_of(notebook, QUESTION).source = text
        made.append(json.dumps(notebook))
    return made


def course(*arguments: str) -> float:
    """Run a command of the course; return its seconds."""
    start = time.perf_counter()
    command = "import sys; from course_utils.command_line import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--students", type=int, default=60)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    people = [
        Person(4000 + i, FIRST[i % len(FIRST)], LAST[i // len(FIRST) % len(LAST)])
        for i in range(given.students)
    ]
    notebooks = make_notebooks(given.students, given.seed)
    print("| platform | grade | points for the question | grade again | with feedback |")
    print("| --- | --- | --- | --- | --- |")
    for platform, (place, more, returned) in PLATFORMS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            roster = folder / "roster.csv"
            lines = [["id", "name", "e-mail"]]
            logins = platform in ("Blackboard", "GitHub")
            for one in people:
                number = one.login if logins else str(one.number)
                lines.append([number, one.name, f"{one.login}@uni.example"])
            with roster.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(lines)
            with zipfile.ZipFile(folder / "download.zip", "w") as archive:
                for one, notebook in zip(people, notebooks, strict=True):
                    archive.writestr(place(one), notebook)
                for path, text in more(people).items():
                    archive.writestr(path, text)
            grade = [
                "grade",
                str(folder / "download.zip"),
                "-o",
                str(folder / "out"),
                "--roster",
                str(roster),
            ]
            grade += ["--due", "2026-12-01 23:59 UTC", "--late", "10% per day, 3 days"]
            first = course(*grade)
            start = time.perf_counter()
            review = Review(folder / "out")
            waiting = [item for item in review.now().items if item.name == QUESTION]
            for item in waiting:
                review.save(item.place, "0" if item.is_not_started else "1.5", "", review.now().word(item))
            points = time.perf_counter() - start
            again = course(*grade)
            back = returned(folder / "out" / "feedback", people)
            print(
                f"| {platform} | {first:.0f} s | {points:.1f} s for {len(waiting)} | {again:.0f} s "
                f"| {back} of {len(people)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
