"""What grading passes from step to step until a notebook runs, in that order: plain, frozen data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

IsolationLevel = Literal["full", "partial", "none"]
MIB = 2**20


@dataclass(frozen=True)
class Cell:
    """A cell of a student's notebook: code, or marked by nbgrader, or a beginning of other text."""

    source: str
    grade_id: str = ""
    is_code: bool = True
    is_prose: bool = False


@dataclass(frozen=True)
class CodeCell:
    """One code cell of the notebook to run.

    Attributes
    ----------
    source : str
        Its code.
    exercise : str or None
        Id of the exercise that a student's cell answers; None for a cell of the instructor's own.
    """

    source: str
    exercise: str | None = None


@dataclass(frozen=True)
class Question:
    """An open question of a lab, which a human grades.

    Attributes
    ----------
    name : str
        The ``grade_id`` of the cell that the answer stands in.
    points : float
    text : str
        The question: the text cell right above; of nbgrader's tasks the cell itself.
    answer : str
        The instructor's own; empty where there is none.
    stub : str
        What students find in the cell; empty for a task, whose answers stand in cells of their own.
    is_code : bool
        Whether the answer is code.
    """

    name: str
    points: float
    text: str = ""
    answer: str = ""
    stub: str = ""
    is_code: bool = False


@dataclass(frozen=True)
class RunnableNotebook:
    """One submission of one lab, rebuilt to run: code cells in the instructor's order, as plain text.

    Attributes
    ----------
    lab : int
    cells : tuple of CodeCell
    references : tuple of (str, str)
        The instructor's own answers by exercise, to be lent where an answer calls another one that is not
        right.
    """

    lab: int
    cells: tuple[CodeCell, ...]
    references: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        """Return the notebook as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunnableNotebook:
        """Return the notebook that `to_json` wrote."""
        fields = json.loads(text)
        cells = tuple(CodeCell(**cell) for cell in fields["cells"])
        return cls(fields["lab"], cells, tuple((name, source) for name, source in fields["references"]))


@dataclass(frozen=True)
class Rebuilt:
    """A submission made ready to run; whatever reads its code has been done.

    Attributes
    ----------
    notebook : RunnableNotebook
    unclear : dict
        Exercises that cannot be graded without guessing, with the reason.
    remarks : tuple of str
        What was found but does not affect the grade.
    notes : tuple of str
        What a human should look at.
    code : dict
        By exercise that is begun: the answer without comments; empty if it is not Python.
    shingles : dict
        By exercise that is begun: what is compared with the answers of other students.
    written : dict
        By exercise that is begun, and by open question: the answer as people read it; empty for a question
        that is not started.
    """

    notebook: RunnableNotebook
    unclear: dict[str, str]
    remarks: tuple[str, ...]
    notes: tuple[str, ...]
    code: dict[str, str] = field(default_factory=dict)
    shingles: dict[str, frozenset[int]] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many exercises and open questions the student has begun to answer."""
        return len({*self.unclear, *self.code, *(name for name, text in self.written.items() if text)})


@dataclass(frozen=True)
class Submission:
    """What one student handed in for one lab.

    Attributes
    ----------
    student : str
        Unique in the class; followed by the platform's number where two students share a name.
    number : str
        The platform's number of the student, or an empty string.
    platform : str
        For example ``"Moodle"``, or an empty string.
    lab : int or None
        None if no notebook can be read.
    path : str
        The file that counts, below the folder of submissions.
    rebuilt : Rebuilt or None
        What is graded; None if there is a problem.
    submitted : datetime or None
        With a zone where that is known.
    time_source : str
        What says when it was submitted: a platform, ``"commit"``, ``"file"``, or nothing.
    late : bool
        Whether the platform marks it as late.
    others : tuple of str
        Older versions and other files of the student, each with a remark.
    notes : tuple of str
        What a human should look at.
    problem : str
        Why it cannot be graded, as a sentence; empty if it can.
    account : str
        What the platform calls the student, for example by a user name.
    email : str
        From the roster or the platform, or an empty string.
    exported : str
        The student's folder, archive or file as the platform named it, if with a number; or an empty string.
    """

    student: str
    number: str = ""
    platform: str = ""
    lab: int | None = None
    path: str = ""
    rebuilt: Rebuilt | None = None
    submitted: datetime | None = None
    time_source: str = ""
    late: bool = False
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    account: str = ""
    email: str = ""
    exported: str = ""


@dataclass(frozen=True)
class CollectedFile:
    """One file of a class, and why it is whose it is, and counts or does not; without a path, no file."""

    student: str
    lab: int | None
    path: str
    time: datetime | None
    why: str


@dataclass(frozen=True)
class Collection:
    """Everything that a class handed in.

    Attributes
    ----------
    submissions : list of Submission
        By student and lab.
    unread : list of str
        Files without an owner, with the reason.
    layout : str
        Where the names come from, for example ``"Moodle"``.
    files : list of CollectedFile
        All files, by student.
    """

    submissions: list[Submission] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    layout: str = ""
    files: list[CollectedFile] = field(default_factory=list)


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    cell_seconds, call_seconds, notebook_seconds : float
        CPU time of one cell; of all calls that the probes of one exercise make; of everything together. All
        processes of the submission count.
    patience : float
        How many times as long each of these may take by the clock.
    memory_bytes : int
        Memory of all processes of the submission together.
    processes : int
        How many processes and threads there may be.
    file_bytes, files : int
        How large one file, and how many files, it may write.
    output_bytes : int
        How much may come back for one exercise.
    restarts : int
        How many more kernels a submission may use up after the first.
    """

    cell_seconds: float = 10.0
    call_seconds: float = 10.0
    notebook_seconds: float = 120.0
    patience: float = 6.0
    memory_bytes: int = 3072 * MIB
    processes: int = 128
    file_bytes: int = 64 * MIB
    files: int = 2_000
    output_bytes: int = 16 * MIB
    restarts: int = 6

    def to_json(self) -> str:
        """Return the limits as one line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Isolation:
    """How submissions are isolated from the machine.

    Attributes
    ----------
    level : str
        ``"full"`` (namespaces: only Python and a private folder are visible), ``"partial"`` (files are
        visible, but those that matter cannot be opened) or ``"none"`` (only limits and clean-up).
    holds, lacks : tuple of str
        The protections and the weaknesses, in words.
    mechanisms : tuple of str
        What the machine offers and is used: ``"namespaces"``, ``"landlock"``, ``"seccomp"``, ``"uid"``.
    """

    level: IsolationLevel
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return what to print in a report."""
        return [
            f"Isolation: {self.level}.",
            *(f"protection: {text}" for text in self.holds),
            *(f"weakness: {text}" for text in self.lacks),
        ]
