"""The face ``check``: one callable per exercise, hints, progress, and the first cell of a lab."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from typing import Any

from course_utils import exercises
from course_utils.checks import definitions, not_started, progress
from course_utils.errors import ExerciseError
from course_utils.exercises import LABS
from course_utils.figures import line, verdict_card
from course_utils.terminal import printable


class UnknownExercise(ExerciseError, AttributeError):  # noqa: N818 - reads as a sentence in a notebook
    """A name after ``check.`` that is not an exercise."""


class ExerciseCheck:
    """The check of one exercise.

    Call it with the answer: ``check.output_size(output_size)``.
    """

    def __init__(self, exercise_id: str) -> None:
        self._exercise = exercises.get(exercise_id)
        self._hints_shown = 0
        self.__doc__ = f"Check Exercise {self._exercise.number}: {self._exercise.signature}."

    def __call__(self, candidate: Any) -> None:
        """Judge `candidate` and show the verdict.

        Parameters
        ----------
        candidate
            The function or class itself, not the result of calling it.

        Raises
        ------
        AssertionError
            While nbgrader validates or grades, unless the answer is correct: nbgrader counts a cell that
            raises nothing as passed. An optional exercise may also be left out.
        """
        verdict = exercises.evaluate(self._exercise.id, candidate, closely=True)
        if _nbgrader():
            skipped = self._exercise.optional and verdict.status == "not started"
            assert verdict.status == "correct" or skipped, verdict.message
        else:
            progress.record(verdict.exercise, verdict.status, verdict.earned)
        if warning := definitions.older_than_its_cell(_shell(), self._exercise.title, candidate):
            _show(line(warning))
        _show(verdict_card(verdict))

    def hint(self) -> None:
        """Show the next hint, from gentle to concrete."""
        hints = self._exercise.hints
        name = f"Exercise {self._exercise.number} ({self._exercise.id})"
        if not hints:
            return _show(line(f"There is no hint for {name}."))
        at = min(self._hints_shown, len(hints) - 1)
        self._hints_shown += 1
        return _show(line(f"Hint {at + 1} of {len(hints)} for {name}: {hints[at]}"))

    def __repr__(self) -> str:
        return f"<check of Exercise {self._exercise.number}: {self._exercise.signature}>"


class Check:
    """All checks: ``check.<exercise>(answer)``.

    Examples
    --------
    >>> from course_utils import check
    >>> check.output_size(lambda n, f, p=0, s=1: (n + 2 * p - f) // s + 1)
    ✓ Exercise 1.4 (output_size): correct.
    >>> check.output_size.hint()
    Hint 1 of 3 for Exercise 1.4 (output_size): Draw 6 pixels ...
    """

    def __init__(self) -> None:
        self._lab: int | None = None
        self._checks: dict[str, ExerciseCheck] = {}

    def begin(self, lab: int) -> None:
        """Begin a lab: the first cell of its notebook.

        From then on a cell that meets an unfinished exercise stops with one calm line, and the cells after
        it run.

        Parameters
        ----------
        lab : int
            The lab's number, from 1.

        Raises
        ------
        ExerciseError
            If there is no such lab.
        """
        if lab not in LABS:
            raise ExerciseError(f"There is no lab {lab!r}.", why=f"The labs are {', '.join(map(str, LABS))}.")
        self._lab = lab
        shell = _shell()
        # nbgrader counts a cell that raises nothing as passed, so a NameError in a check must stay an error.
        if shell is not None and not _nbgrader():
            definitions.install(shell)
            not_started.install(shell)
        mine = [exercise for exercise in map(exercises.get, exercises.names()) if exercise.lab == lab]
        count = sum(not exercise.optional for exercise in mine)
        more = f" and {len(mine) - count} optional" if len(mine) > count else ""
        print(printable(f"Lab {lab:02} · {LABS[lab]} · {count} exercise{'s' * (count != 1)}{more}"))

    def progress(self, lab: int | None = None) -> None:
        """Show the state of every exercise of a lab, and one line for each of the other labs.

        Parameters
        ----------
        lab : int, optional
            Defaults to the lab that the notebook began; without one, all labs are shown in full.
        """
        _show(progress.overview(LABS, lab or self._lab))

    def __getattr__(self, name: str) -> ExerciseCheck:
        if name.startswith("_"):  # Jupyter asks every object for _repr_html_ and the like
            raise AttributeError(name)
        if name not in self._checks:
            if name not in exercises.names():
                raise _unknown(name)
            self._checks[name] = ExerciseCheck(name)
        return self._checks[name]

    def __dir__(self) -> list[str]:
        return ["begin", "progress", *exercises.names()]

    def __repr__(self) -> str:
        return f"<check: {', '.join(exercises.names())}>"


def _unknown(name: str) -> UnknownExercise:
    known = exercises.names()
    folded = {each.replace("_", ""): each for each in known}
    near = get_close_matches(name.lower().replace("_", ""), folded, n=3, cutoff=0.5)
    meant = " or ".join(f"check.{folded[each]}" for each in near)
    return UnknownExercise(
        f"There is no exercise {name!r}.",
        next_step=f"Did you mean {meant}?" if meant else f"One of {', '.join(known)}.",
    )


def _nbgrader() -> bool:
    """Whether nbgrader runs the notebook: it sets the variable to ``validate`` or ``autograde``."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def _shell() -> Any:
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _show(figure: Any) -> None:
    if _shell() is None:
        print(printable(figure))
        return
    from IPython.display import display

    display(figure)
