"""What nbgrader and ``course grade`` give for the hostile submissions: the same notebooks, two graders.

Run it as ``python tests/benchmarks/nbgrader_hostile.py``; ``--only always_equal harmless`` for a quick look.
Each submission is Lab 01 with the cells of one file of ``tests/hostile``, two right answers, and the rest not
started. nbgrader runs what it is given with the rights of the user who started it; here it runs behind the
walls that ``course grade`` builds around kernels, with the course and another submission in sight as on an
instructor's machine. Only points are compared: what a submission does to the files of others is tested by
``tests/test_grading_hostile.py``. All of them take half an hour; on a busy machine nbgrader's cells run out
of their 20 seconds more often.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "support"))

import submissions  # noqa: E402
from test_grading_hostile import NAMES, NEIGHBOURS, fixture  # noqa: E402

from course_utils import exercises  # noqa: E402
from course_utils.grading.collect.submitted_notebook import read_cells  # noqa: E402
from course_utils.grading.grade_one import grade_notebook  # noqa: E402
from course_utils.grading.rebuild import rebuild  # noqa: E402
from course_utils.grading.records import MIB, Isolation, Limits  # noqa: E402
from course_utils.grading.sandbox import Sandbox, probe_isolation  # noqa: E402
from course_utils.grading.sandbox.inside import supervisor, walls  # noqa: E402
from course_utils.grading.sandbox.inside.walls import Spec  # noqa: E402
from course_utils.grading.sandbox.launch import environment  # noqa: E402
from course_utils.grading.template import read_template  # noqa: E402
from course_utils.notebooks.layout import Lab  # noqa: E402

LAB = Lab(submissions.LABS[1], submissions.REPOSITORY, 1)
ASKED = [name for name in exercises.names() if exercises.get(name).lab == LAB.number]
SECONDS = 120
LIMITS = Limits(notebook_seconds=SECONDS, file_bytes=512 * MIB, files=4_000)
OPTIONS = "--Execute.timeout=20 --KernelManager.transport=ipc --KernelManager.ip=$HOME/kernel"
"""Of nbgrader, behind walls that no network crosses."""
Points = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One submission: points by exercise, and why nbgrader gave none where it failed."""

    submission: str
    deserved: Points
    nbgrader: Points
    course_grade: Points
    nbgrader_fails: str
    isolation: str

    def wrong(self, given: Points) -> str:
        """Name the exercises that got other points than they deserve."""
        wrong = {n: due for n, due in self.deserved.items() if given[n] != due}
        return ", ".join(f"{n} {given[n]:g} for {due:g}" for n, due in wrong.items())

    def __str__(self) -> str:
        sums = [f"{sum(p.values()):g}" for p in (self.deserved, self.nbgrader, self.course_grade)]
        told = f"{self.submission:26} {sums[0]:>8} {sums[1]:>8} {sums[2]:>12} {self.isolation:>9}"
        told += f"  nbgrader fails ({self.nbgrader_fails})" if self.nbgrader_fails else ""
        for who, given in (("nbgrader", self.nbgrader), ("course grade", self.course_grade)):
            told += f"  {who}: {wrong}" if (wrong := self.wrong(given)) else ""
        return told


class Walled(Sandbox):
    """nbgrader where otherwise a kernel is: behind the same walls, but with the whole course in sight."""

    def __init__(self, isolation: Isolation, course: Path) -> None:
        # seccomp would keep a submission from what nbgrader itself does not keep it from.
        mechanisms = tuple(mechanism for mechanism in isolation.mechanisms if mechanism != "seccomp")
        super().__init__(replace(isolation, mechanisms=mechanisms), LIMITS)
        shown = (*self.spec.visible, str(submissions.REPOSITORY), str(course))
        self.spec = replace(self.spec, visible=shown, hidden=())
        self.course = course

    def __enter__(self) -> Walled:
        self._line, theirs = ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def outside() -> int:
            ours.close()
            return supervisor.main(self.spec, theirs, self.autograde)

        self._supervisor = walls.child(outside)
        theirs.close()
        ours.recv(4096)
        return self

    def end(self) -> None:
        """End every process, and collect the supervisor."""
        super().end()
        os.waitpid(self._supervisor, 0)

    def autograde(self, spec: Spec) -> int:
        """Become nbgrader with a copy of the course folder; called behind the walls."""
        # There are no terminals behind the walls either: lines such as "!pip install" do without.
        script = f"""
            exec >log 2>&1
            mkdir -p profile_default/startup
            echo "import os, ipykernel.zmqshell as z; z.system = os.system" >profile_default/startup/system.py
            cp -r {self.course} course && cd course && {sys.executable} -m nbgrader autograde lab {OPTIONS}
            echo $? >{spec.exchange}/code; cp gradebook.db ../log {spec.exchange}
        """
        folders = ("HOME", "TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "COURSE_DATA_DIR")
        own = {"COURSE_PROFILE": "quick", "COURSE_OFFLINE": "1", "PYTHONPATH": ""}
        os.chdir(spec.home)
        os.execve("/bin/sh", ["sh", "-c", script], environment() | own | dict.fromkeys(folders, spec.home))


def make_course(folder: Path) -> Path:
    """Make nbgrader's course folder, with the lab as its one assignment."""
    (folder / "source" / "lab").mkdir(parents=True)
    shutil.copy(LAB.solution, folder / "source" / "lab")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "lab", "--create"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def hand_in(name: str, folder: Path, seen_as: Path) -> tuple[Path, Points]:
    """Write the submission beside somebody else's; return its path and what it deserves."""
    # Neither a port where anybody listens nor a process: those attacks belong to the tests.
    known = {"PORT": "9", "GRADER": "4999999", "FORK_SERVER": "4999999", "VICTIM": str(seen_as)}
    known |= {"REPOSITORY": str(LAB.root), "COURSE": str(LAB.root / "course_utils")}
    hostile = fixture(name, known)
    right = {n: submissions.solutions(LAB.number)[n] for n in NEIGHBOURS}
    notebook = submissions.submission(right | hostile.cells, LAB.number)
    path = submissions.write(notebook, folder / "bob" / "lab" / f"{LAB.name}.ipynb")
    (folder / "ann").mkdir(exist_ok=True)
    (folder / "ann" / "lab.py").write_text("SECRET = (n + 2 * p - f) // s + 1\n")
    due = {n: exercises.get(n).points for n in NEIGHBOURS} | hostile.deserved
    return path, {n: due.get(n, 0) for n in ASKED}


def by_nbgrader(name: str, course: Path, isolation: Isolation) -> tuple[Points, str]:
    """Return nbgrader's points, and why it failed if it did."""
    box = Walled(isolation, course)
    hand_in(name, course / "submitted", Path(box.spec.home, "course", "submitted"))
    subprocess.run(["chmod", "-R", "a+rX", course], check=True)
    end = time.monotonic() + SECONDS
    with box:
        while box.alive and time.monotonic() < end:
            time.sleep(0.1)
        ended = f"not done after {SECONDS} s" if box.alive else box.ended or ""
        code, gradebook, log = (box.read(file, LIMITS.file_bytes) for file in ("code", "gradebook.db", "log"))
    given = scores(gradebook) if gradebook else {}
    if code == b"0\n" and given:
        return {n: given.get(n, 0) for n in ASKED}, ""
    raised = re.findall(rb"^ +(\S*(?:Error|Exception)\b.*)", log or b"", re.MULTILINE)
    return dict.fromkeys(ASKED, 0), raised[-1][:100].decode(errors="replace") if raised else ended


def scores(gradebook: bytes) -> Points:
    """Read the points out of nbgrader's database."""
    from nbgrader.api import Gradebook, MissingEntry

    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(gradebook)
        file.flush()
        with Gradebook(f"sqlite:///{file.name}") as book:
            try:
                grades = book.find_submission_notebook(LAB.name, "lab", "bob").grades
            except MissingEntry:
                return {}
            return {g.name.removeprefix("check_"): g.auto_score for g in grades if g.auto_score is not None}


def by_course_grade(name: str, folder: Path, isolation: Isolation) -> tuple[Points, Points]:
    """Return what the submission deserves, and the points that ``course grade`` gives."""
    path, deserved = hand_in(name, folder, folder)
    rebuilt = rebuild(read_cells(path.read_bytes()), read_template(LAB))
    done = grade_notebook(rebuilt.notebook, isolation=isolation)
    return deserved, {v.exercise: 0 if v.exercise in rebuilt.unclear else v.earned for v in done.verdicts}


def main() -> int:
    """Print the table; with ``--json`` on the error stream, and its rows as data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", default=NAMES)
    parser.add_argument("--json", action="store_true", help="print the rows for a tool")
    options = parser.parse_args()
    isolation = probe_isolation()
    if "namespaces" not in isolation.mechanisms:
        raise SystemExit(
            f"Isolation is {isolation.level!r} on this machine, and nbgrader has none of its own: fork "
            "bombs, and whatever removes files, would run free. It is run where isolation is full."
        )
    rows, stream = [], sys.stderr if options.json else sys.stdout
    print(f"{'submission':26} deserved nbgrader course grade isolation", file=stream)
    with tempfile.TemporaryDirectory(prefix="nbgrader-hostile-") as temporary:
        course = make_course(Path(temporary, "course"))
        for name in options.only:
            given, fails = by_nbgrader(name, course, isolation)
            deserved, ours = by_course_grade(name, Path(temporary, name), isolation)
            rows.append(Row(name, deserved, given, ours, fails, isolation.level))
            print(rows[-1], file=stream, flush=True)
    theirs, own = (sum(bool(r.wrong(getattr(r, who))) for r in rows) for who in ("nbgrader", "course_grade"))
    failed = sum(bool(row.nbgrader_fails) for row in rows)
    print(
        f"nbgrader: {theirs} of {len(rows)} wrong, {failed} of them because it fails;", end=" ", file=stream
    )
    print(f"course grade: {own} of {len(rows)} wrong", file=stream)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
