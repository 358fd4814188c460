"""Run one submission in sandboxed kernels, and judge its answers outside."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises.crossing import from_json
from course_utils.exercises.following import judged_with
from course_utils.exercises.guard import RunawayError, TimeLimit, deadline
from course_utils.exercises.model import Exercise, Observation, Verdict, VerdictStatus
from course_utils.grading import kernel_run
from course_utils.grading.grades import JudgedSubmission
from course_utils.grading.kernel_run import KernelRun, probe_seed
from course_utils.grading.records import CodeCell, Isolation, Limits, RunnableNotebook
from course_utils.grading.source import names_used
from course_utils.grading.suspicious import reasons_to_look

Judged = Callable[[Verdict], None]

_JUDGE_SECONDS = 30.0
_LONGEST_LINE = 4 << 20
_LENT = -1
"""Number of a cell that is not the student's."""


def grade_notebook(
    notebook: RunnableNotebook,
    *,
    isolation: Isolation,
    limits: Limits | None = None,
    seed: int = 0,
    judged: Judged = lambda verdict: None,
) -> JudgedSubmission:
    """Run a submission and judge every exercise of its lab.

    Each exercise keeps its best verdict: what the notebook's other cells break is not its fault. Nor is a
    function that it calls and that is another exercise: where that one is not right, the instructor's takes
    its place in a kernel of its own. The probes are drawn from `seed` and sent after all cells have run.

    Parameters
    ----------
    notebook : RunnableNotebook
        The submission.
    isolation : Isolation
        What `probe_isolation` found on this machine.
    limits : Limits, optional
    seed : int
        Determines the numbers in the probes.
    judged : callable, optional
        Called with each verdict as soon as it is known, and again when a later one takes its place.

    Raises
    ------
    NotebookError
        If no kernel can be started, which is not the submission's fault.
    """
    return _Grading(notebook, isolation, limits or Limits(), seed, judged).run()


class _Grading:
    def __init__(
        self, notebook: RunnableNotebook, isolation: Isolation, limits: Limits, seed: int, judged: Judged
    ) -> None:
        self.notebook, self.isolation, self.limits, self.seed = notebook, isolation, limits, seed
        self.judged = judged
        self.start = time.monotonic()
        self.end = self.start + limits.notebook_seconds * limits.patience
        self.cpu_seconds = limits.notebook_seconds
        self.waited = False
        self.notes: list[str] = []
        self.verdicts: dict[str, Verdict] = {}
        self.suspects: set[str] = set()
        self.cells = list(enumerate(notebook.cells))

    def run(self) -> JudgedSubmission:
        lab = [e for e in map(exercises.get, exercises.names()) if e.lab == self.notebook.lab]
        odd = self._odd_cells()
        handed_in = {cell.exercise for cell in self.notebook.cells}
        wanted = [exercise.id for exercise in lab if exercise.id in handed_in]
        plain = [name for name in wanted if name not in odd.values()]
        if odd and plain:
            # The others are tried first, without the cells that reach beyond their exercise.
            self._try([entry for entry in self.cells if entry[0] not in odd], plain)
        self._try(self.cells, [name for name in wanted if not self._correct(name)])
        for name in [name for name in wanted if name in self.suspects]:
            # A kernel died during this exercise or before it, perhaps because of another cell.
            for company in (self._needed(name), self._innocent(name)):
                alone = [entry for entry in self.cells if entry[1].exercise in company]
                if len(alone) < len(self.cells) and not self._correct(name):
                    self._try(alone, [name])
        for name in wanted:  # in the lab's order: what is right with something lent is not lent itself
            if not self._correct(name):
                self._follow_through(name)
        verdicts = tuple(
            self.verdicts.get(exercise.id) or _without_answer(exercise, "It is not in the notebook.")
            for exercise in lab
        )
        waited = self.waited and not all(map(self._correct, wanted))
        if waited:
            self._note("It was stopped by the clock, with CPU time left: it waited, or the machine was busy")
        seconds = time.monotonic() - self.start
        return JudgedSubmission(verdicts, tuple(self.notes), seconds, self.isolation, waited)

    def _run(
        self,
        cells: Sequence[tuple[int, CodeCell]],
        asked: Sequence[str],
        observed: Callable[[str, bytes], None] = lambda name, content: None,
    ) -> KernelRun:
        outcome = kernel_run.run(
            cells,
            asked,
            isolation=self.isolation,
            limits=self.limits,
            seed=self.seed,
            end=self.end,
            cpu_seconds=self.cpu_seconds,
            observed=observed,
        )
        self.cpu_seconds -= outcome.cpu_seconds
        self.waited |= outcome.waited
        return outcome

    def _is_over(self) -> bool:
        """Whether the submission has used up its time."""
        self.waited |= time.monotonic() > self.end
        return self.cpu_seconds <= 0 or time.monotonic() > self.end

    def _follow_through(self, name: str) -> None:
        """Judge an exercise again, the instructor's answers in place of what it calls and is not right.

        Only what the exercise builds on is lent, so that nobody can hand in one exercise by calling another
        that does the same. A verdict that is not "correct" tells nothing of what was returned: that might be
        the text of what was lent.
        """
        lent, company = self._lent(name)
        if not lent or self._is_over():
            return
        cells = [entry for entry in self.cells if entry[1].exercise in company]
        place = [cell.exercise for _, cell in cells].index(name)
        cells[place:place] = [(_LENT, CodeCell(source)) for source in lent.values()]
        outcome = self._run(cells, [name])
        if name not in outcome.observed:
            return
        verdict, exercise = self._judged(name, outcome.observed[name]), exercises.get(name)
        cause = next((m.sentence for m in exercise.misconceptions if m.id == verdict.misconception), "")
        verdict = replace(verdict, counterexample=None, traceback="", printed="", reason=cause)
        self._set(judged_with(verdict, [exercises.get(other).title for other in lent]))

    def _lent(self, name: str) -> tuple[dict[str, str], set[str | None]]:
        """Return the answers to lend to an exercise, and the exercises whose cells run beside them."""
        own = {cell.exercise: cell.source for cell in self.notebook.cells if cell.exercise}
        references = dict(self.notebook.references)
        lent: dict[str, str] = {}
        while True:
            called = _called(name, {**own, **lent})
            more = {
                other: references[other]
                for other in exercises.get(name).builds_on
                if other in called - set(lent) and other in references and not self._correct(other)
            }
            if not more:
                return lent, {None, *called} - set(lent)
            lent |= more

    def _innocent(self, name: str) -> set[str | None]:
        return {None, name, *(other for other in self.verdicts if self._correct(other))}

    def _needed(self, name: str) -> set[str | None]:
        """Return the exercises that this one's cell mentions, even as text, and so on."""
        sources = {cell.exercise: cell.source for cell in self.notebook.cells if cell.exercise}
        return {None, *_called(name, sources, words=lambda source: re.findall(r"\w+", source))}

    def _correct(self, exercise_id: str) -> bool:
        return exercise_id in self.verdicts and self.verdicts[exercise_id].status == "correct"

    def _odd_cells(self) -> dict[int, str]:
        odd = {}
        for index, cell in self.cells:
            if cell.exercise is not None and (found := reasons_to_look(cell.source)):
                odd[index] = cell.exercise
                self._note(f"{cell.exercise}: its cell {' and '.join(found[:4])}")
        return odd

    def _try(self, cells: Sequence[tuple[int, CodeCell]], asked: Sequence[str]) -> None:
        """Run `cells` and judge `asked`; a cell that ends the kernel is left out of the next one."""
        cells, asked = list(cells), list(asked)
        kernels, died = 0, False
        while asked:
            if self._is_over() or kernels > self.limits.restarts:
                what = "time" if self._is_over() else "kernels"
                self._note(f"The submission used up its {what}; not fully tried: {', '.join(asked)}")
                self.suspects.update(asked)
                for name in asked:
                    self._keep(
                        _without_answer(exercises.get(name), f"The notebook used up its {what}.", "error")
                    )
                return
            kernels += 1
            outcome = self._run(cells, asked, lambda name, content: self._keep(self._judged(name, content)))
            blamed = self._blamed(outcome)
            over = outcome.culprit is None and outcome.asked is None
            died |= not over and not outcome.overdue
            for name in list(asked):
                if over or name in outcome.observed or name == blamed:
                    if name not in outcome.observed:
                        self._keep(self._without_observation(name, outcome, blamed))
                    asked.remove(name)
                    if died:
                        self.suspects.add(name)
            if over:
                return
            cells = [
                (index, cell)
                for index, cell in cells
                if index != outcome.culprit and (outcome.asked is None or cell.exercise != outcome.asked)
            ]

    def _blamed(self, outcome: KernelRun) -> str | None:
        """Return the exercise that the kernel did not survive, if any, and note it."""
        name = outcome.asked
        if outcome.culprit is not None:
            name = self.notebook.cells[outcome.culprit].exercise
            self._note(f"The kernel ended in {name or 'a cell of the lab itself'}: {outcome.why}")
        elif outcome.asked is not None:
            self._note(f"The kernel ended when {outcome.asked} was called: {outcome.why}")
        return name

    def _without_observation(self, name: str, outcome: KernelRun, blamed: str | None) -> Verdict:
        exercise = exercises.get(name)
        if name == blamed:
            return _without_answer(exercise, f"The kernel ended in its cell: {outcome.why}.", "error")
        if name in outcome.errors:
            return _without_answer(exercise, f"Its cell fails with {outcome.errors[name]}", "error")
        return _without_answer(exercise, f"Its cell does not define {exercise.title}.", "error")

    def _judged(self, name: str, content: bytes) -> Verdict:
        exercise = exercises.get(name)
        probes = exercise.probes(probe_seed(self.seed, name))
        seen = self._read(name, content)[: len(probes)]
        self.waited |= any(one.stopped_after > self.limits.call_seconds for one in seen)
        limit = TimeLimit(_JUDGE_SECONDS)
        try:
            with deadline(limit):
                return exercises.judge(exercise, probes, seen)
        except (Exception, RunawayError) as error:
            # A forged observation that breaks the judge is not a right answer.
            self.waited |= isinstance(error, RunawayError) and limit.reached > _JUDGE_SECONDS
            self._note(f"{name}: what came back could not be judged ({type(error).__name__})")
            return _without_answer(exercise, "What it returned could not be judged.", "error")

    def _read(self, name: str, content: bytes) -> list[Observation]:
        seen = []
        for line in content.splitlines():
            try:
                if len(line) > _LONGEST_LINE:
                    raise ValueError("a line that is too long")
                seen.append(from_json(line.decode("utf-8", "replace")))
            except (ExerciseError, ValueError, MemoryError):
                self._note(f"{name}: what came back is not an observation")
                break
        return seen

    def _keep(self, verdict: Verdict) -> None:
        """Keep the better of two verdicts: nothing that a kernel sends makes a wrong answer right."""
        before = self.verdicts.get(verdict.exercise)
        if before is None or verdict.earned > before.earned or _rank(verdict) > _rank(before):
            self._set(verdict)

    def _set(self, verdict: Verdict) -> None:
        self.verdicts[verdict.exercise] = verdict
        self.judged(verdict)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _called(
    name: str, sources: Mapping[str, str], words: Callable[[str], Iterable[str]] = names_used
) -> set[str]:
    """Return `name`, the exercises whose titles are among the `words` of its code, and so on."""
    titles = {exercises.get(other).title: other for other in exercises.names()}
    called, unread = {name}, [name]
    while unread:
        used = {titles[word] for word in words(sources.get(unread.pop(), "")) if word in titles}
        unread += used - called
        called |= used
    return called


def _rank(verdict: Verdict) -> int:
    return ("not started", "error", "wrong", "correct").index(verdict.status)


def _without_answer(exercise: Exercise, reason: str, status: VerdictStatus = "not started") -> Verdict:
    return Verdict(
        exercise.id, exercise.number, exercise.title, status, points=exercise.points, reason=reason
    )
