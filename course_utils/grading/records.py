"""What grading one submission takes and gives: plain, frozen data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from course_utils.exercises.model import Verdict

IsolationLevel = Literal["full", "partial", "none"]
MIB = 2**20


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
class RunnableNotebook:
    """One submission of one lab, rebuilt: code cells in the instructor's order, as plain text."""

    lab: int
    pieces: tuple[CodeCell, ...]

    def to_json(self) -> str:
        """Return the work as one line of JSON."""
        return json.dumps({"lab": self.lab, "pieces": [[p.source, p.exercise] for p in self.pieces]})

    @classmethod
    def from_json(cls, text: str) -> RunnableNotebook:
        """Return the work that `to_json` wrote."""
        fields = json.loads(text)
        return cls(fields["lab"], tuple(CodeCell(source, exercise) for source, exercise in fields["pieces"]))


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    cell_seconds, call_seconds, notebook_seconds : float
        Wall time of one cell; of all calls that the probes of one exercise make; of everything together.
    memory_bytes : int
        Memory of all processes of the submission together.
    processes : int
        How many processes and threads there may be.
    file_bytes, files : int
        How large one file, and how many files, it may write.
    output_bytes : int
        What may come back of one exercise.
    restarts : int
        How many fresh kernels one attempt may use up besides the first.
    """

    cell_seconds: float = 10.0
    call_seconds: float = 10.0
    notebook_seconds: float = 120.0
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
    """How a submission is kept apart from the machine.

    Attributes
    ----------
    level : str
        ``"full"`` (namespaces: nothing but Python and a private folder is in sight), ``"partial"`` (the files
        are in sight, what matters of them cannot be opened) or ``"none"`` (limits and clean-up alone).
    holds, lacks : tuple of str
        What holds and what does not, in words.
    means : tuple of str
        Which of the machine's means are used: ``"namespaces"``, ``"landlock"``, ``"seccomp"``, ``"uid"``.
    """

    level: IsolationLevel
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    means: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return what to print in a report."""
        return [
            f"Isolation: {self.level}.",
            *(f"holds: {text}" for text in self.holds),
            *(f"does not hold: {text}" for text in self.lacks),
        ]


@dataclass(frozen=True)
class JudgedSubmission:
    """What came of running and judging one submission.

    Attributes
    ----------
    verdicts : tuple of Verdict
        One for each exercise of the lab, in the lab's order, also for those that are missing.
    notes : tuple of str
        What a human should look at, and why.
    seconds : float
        Wall time.
    isolation : Isolation
        How it was run.
    """

    verdicts: Sequence[Verdict]
    notes: tuple[str, ...]
    seconds: float
    isolation: Isolation
