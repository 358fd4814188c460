"""Judge what was observed of an answer; `evaluate` observes it first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from course_utils.errors import ExerciseError
from course_utils.exercises import calls, explain
from course_utils.exercises.compare import Difference
from course_utils.exercises.forms import other_form
from course_utils.exercises.guard import TimeLimit, same_random_state
from course_utils.exercises.model import (
    Counterexample,
    Exercise,
    Misconception,
    Observation,
    Probe,
    Verdict,
    VerdictStatus,
    call,
)
from course_utils.exercises.observing import SECONDS, observe
from course_utils.exercises.plain_words import in_plain_words
from course_utils.text import duration_text, quoted

_TRUSTED_SECONDS = 60.0


@same_random_state()
def evaluate(exercise: Exercise, candidate: Any, *, seed: int = 0, seconds: float = SECONDS) -> Verdict:
    """Observe `candidate` on every probe, within `seconds` of CPU time in all, and judge it."""
    probes = _drawn(exercise.probes, seed)
    observations: list[Observation] = []
    limit = TimeLimit(seconds)
    for probe in probes:
        observations.append(observe(exercise, candidate, probe, limit=limit))
        if observations[-1].status == "timeout" or observations[0].status == "not started":
            break
    return judge(exercise, probes, observations)


@lru_cache(maxsize=64)
def _drawn(probes: Callable[[int], Sequence[Probe]], seed: int) -> Sequence[Probe]:
    """Draw the probes, or return those that were drawn before: students check an answer again and again."""
    return probes(seed)


@same_random_state()
def judge(exercise: Exercise, probes: Sequence[Probe], observations: Sequence[Observation]) -> Verdict:
    """Compare what was observed with the reference; the answer itself is never run.

    Parameters
    ----------
    probes : sequence of Probe
        The probes that were asked, smallest first.
    observations : sequence of Observation
        What the answer did on each; fewer when it was stopped.

    Raises
    ------
    ExerciseError
        If there are no probes, or more observations than probes.
    """
    if not probes or len(observations) > len(probes):
        raise ExerciseError(f"{len(observations)} observations cannot be judged on {len(probes)} probes.")
    if not observations:
        return _verdict(exercise, "error", "Nothing was observed of this answer.")
    if observations[0].status == "not started":
        waits = observations[0].blocked_by
        return _verdict(
            exercise, "not started", f"It waits for {waits}, which is not started." if waits else ""
        )
    expected = [_reference_value(exercise, probe) for probe in probes]
    found = [_problem(exercise, seen, right) for seen, right in zip(observations, expected, strict=False)]
    if not any(found):
        if len(observations) < len(probes):
            return _verdict(exercise, "error", "It ended before every case was tried.")
        return _right(exercise, probes, observations, expected)
    if any(_agrees(exercise, also, probes, observations) for also in exercise.also_right):
        return _right(exercise, probes, observations, expected)
    first = next(i for i, problem in enumerate(found) if problem)
    return _Case(exercise, probes, observations, expected, found, first).verdict()


@dataclass(frozen=True)
class _Case:
    """An answer that is not right, and everything that was observed of it."""

    exercise: Exercise
    probes: Sequence[Probe]
    observations: Sequence[Observation]
    expected: Sequence[Any]
    problems: Sequence[Difference | None]
    first: int

    @property
    def probe(self) -> Probe:
        return self.probes[self.first]

    @property
    def seen(self) -> Observation:
        return self.observations[self.first]

    def verdict(self) -> Verdict:
        # An answer that never returns has no misconception, though a wrong reference may fail as often.
        returned = any(seen.status == "returned" or seen.value is not None for seen in self.observations)
        known = next((m for m in self.exercise.misconceptions if returned and self._agrees_with(m)), None)
        cause = known.sentence if known else self._reason()
        cause = " ".join(s for s in (cause, *self._slips(known)) if s) or None
        if self.seen.status == "returned":
            return self._wrong(known, cause)
        return self._stopped(known, cause)

    def _agrees_with(self, misconception: Misconception) -> bool:
        return _agrees(self.exercise, misconception.wrong, self.probes, self.observations)

    def _wrong(self, known: Misconception | None, cause: str | None) -> Verdict:
        problem = self.problems[self.first]
        assert problem is not None
        said = problem.sentence
        if any(kind == "nothing" for kind, _ in self.seen.slips):
            said = said.replace(": is a `return` missing?", ".")
        if known:  # then nothing has to be guessed
            said = re.sub(r"(?<=\.) [A-Z][^.?]*\?$", "", said)
        sentences = [said, cause, _changes(self.seen) if self.seen.changed_inputs else None]
        return _verdict(
            self.exercise,
            "wrong",
            " ".join(s for s in sentences if s),
            misconception=known.id if known else None,
            counterexample=_counterexample(self.exercise, self.probe, problem),
            section=known.section if known else None,
            printed=self.seen.printed,
        )

    def _stopped(self, known: Misconception | None, cause: str | None) -> Verdict:
        seen = self.seen
        text = calls.call_text(self.exercise, self.probe)
        before = f" after {self.first} right answer{'s' * (self.first > 1)}" if self.first else ""
        if seen.status == "timeout":
            look = "Look at the line shown: was" if seen.traceback else "Was"
            return _verdict(
                self.exercise,
                "error",
                f"{text} did not end within {duration_text(seen.stopped_after)}{',' * bool(before)}{before}. "
                f"{look} it in a loop that never ends, or in work that a loop repeats needlessly?",
                traceback=seen.traceback,
                stopped_after=seen.stopped_after,
                printed=seen.printed,
            )
        if seen.error in ("NotCallable", "Signature"):
            return _verdict(self.exercise, "error", seen.traceback)
        problem = self.problems[self.first]
        assert problem is not None
        sentences = [
            f"{text} raises {seen.error}{before}.",
            in_plain_words(seen.traceback),
            self.probe.note and f"The case: {self.probe.note}.",
            problem.sentence,
            cause,
        ]
        return _verdict(
            self.exercise,
            "error",
            " ".join(s for s in sentences if s),
            misconception=known.id if known else None,
            counterexample=_counterexample(self.exercise, self.probe, problem),
            section=known.section if known else None,
            traceback=seen.traceback,
            printed=seen.printed,
        )

    def _slips(self, known: Misconception | None) -> list[str]:
        """Return what the source tells beyond a misconception: what was meant and is not done."""
        problem = self.problems[self.first]
        shown = {"no effect", "memory", "outside", "unreachable"}
        if not known:
            shown |= {"argument", "return", "loop", "expression"}
        if problem and problem.kind == "nothing":
            shown.add("nothing")
        return [sentence for kind, sentence in self.seen.slips if kind in shown]

    def _reason(self) -> str | None:
        specific = None
        if self.seen.status == "returned":
            if self.exercise.explain:
                specific = self.exercise.explain(self.probe, self.expected[self.first], self.seen.value)
            answered = [
                problem
                for problem, seen in zip(self.problems, self.observations, strict=True)
                if problem and problem.kind != "dtype" and seen.status == "returned"
            ]
            if not specific and not self._slips(None):
                # A relation between numbers is a guess; what stands in the source is none.
                specific = explain.common_relation([(p.expected, p.actual) for p in answered])
        inputs = [calls.shown_inputs(self.exercise, probe) for probe in self.probes[: len(self.problems)]]
        kind = explain.pattern(inputs, calls.defaults(self.exercise), [p is None for p in self.problems])
        return " ".join(s for s in (specific, kind, self._later_error()) if s) or None

    def _later_error(self) -> str | None:
        """Return what another case raises, where the first has no error: errors say more than numbers."""
        if self.seen.status != "returned":
            return None
        for probe, seen in zip(self.probes, self.observations, strict=False):
            told = in_plain_words(seen.traceback) if seen.status == "error" else ""
            if told:
                return f"In another case ({probe.note}) it raises {seen.error}. {told}"
        return None


def _reference_value(exercise: Exercise, probe: Probe) -> Any:
    seen = _known(exercise, exercise.reference, probe)
    if seen.status != "returned":
        raise ExerciseError(f"The reference of {exercise.id} fails on {seen.call}.", why=seen.traceback)
    return seen.value


def _known(exercise: Exercise, function: Callable[..., Any], probe: Probe) -> Observation:
    """Return what one of the course's own functions does on a probe."""
    if function not in probe.known:
        probe.known[function] = observe(exercise, function, probe, limit=_TRUSTED_SECONDS)
    return probe.known[function]


def _problem(exercise: Exercise, seen: Observation, expected: Any) -> Difference | None:
    if seen.status == "returned":
        return _compared(exercise, expected, seen.value)
    until_then = _compared(exercise, expected, seen.value) if seen.value is not None else None
    return until_then or Difference(seen.status, "", expected)


def _compared(exercise: Exercise, expected: Any, actual: Any) -> Difference | None:
    try:
        return exercise.compare(expected, actual)
    except (TypeError, ValueError, LookupError, AttributeError):
        # What was observed may come from another process, which need not keep to the form of `observe`.
        return Difference("type", "What it returned cannot be read.", expected)


def _agrees(
    exercise: Exercise, other: Any, probes: Sequence[Probe], observations: Sequence[Observation]
) -> bool:
    """Whether the answer did on every probe what `other` does."""
    if len(observations) < len(probes):
        return False
    cases = list(zip(probes, observations, strict=True))
    if exercise.rules_out and any(
        seen.value is not None and exercise.rules_out(other, probe, seen.value) for probe, seen in cases
    ):
        return False
    for probe, seen in cases:
        theirs = _known(exercise, other, probe)
        if (theirs.status, theirs.error) != (seen.status, seen.error):
            return False
        if (theirs.value is None) != (seen.value is None):
            return False
        if seen.value is None or (_is_empty(theirs.value) and _is_empty(seen.value)):
            continue
        if _compared(exercise, theirs.value, seen.value):
            return False
    return True


def _is_empty(value: Any) -> bool:
    """Whether it is an array without numbers: its other axes depend on how it was made."""
    return isinstance(value, np.ndarray) and not value.size


def _verdict(exercise: Exercise, status: VerdictStatus, reason: str = "", **more: Any) -> Verdict:
    return Verdict(
        exercise=exercise.id,
        number=exercise.number,
        title=exercise.title,
        status=status,
        points=exercise.points,
        earned=exercise.points if status == "correct" else 0,
        reason=reason,
        **more,
    )


def _right(
    exercise: Exercise, probes: Sequence[Probe], observations: Sequence[Observation], expected: Sequence[Any]
) -> Verdict:
    """Judge an answer whose results are right in every case: it must also keep its inputs, and the form."""
    for probe, seen, right in zip(probes, observations, expected, strict=True):
        if seen.changed_inputs:
            shown = _counterexample(exercise, probe, Difference("", "", right, seen.value))
            return _verdict(exercise, "wrong", "The result is right. " + _changes(seen), counterexample=shown)
        if seen.cut_off:
            return _verdict(exercise, "wrong", "The result is right, but " + _cuts_off(seen))
    if exercise.observe is call:
        for seen, right in zip(observations, expected, strict=True):
            if found := other_form(right, seen.value, numpy=seen.numpy):
                return _verdict(exercise, "wrong", found)
    printed = next((seen.printed for seen in observations if seen.printed), "")
    return _verdict(exercise, "correct", "It agrees with the reference in every case.", printed=printed)


def _changes(seen: Observation) -> str:
    names = quoted(seen.changed_inputs)
    return f"It changes its input {names} in place: its caller finds other values there afterwards."


def _cuts_off(seen: Observation) -> str:
    return (
        f"no gradient flows back to {quoted(seen.cut_off)}, so nothing would be learned: compute with "
        "PyTorch's tensors alone, without .item(), float(), .tolist(), .detach(), .data, torch.no_grad() "
        "and NumPy."
    )


def _counterexample(exercise: Exercise, probe: Probe, found: Difference) -> Counterexample:
    window = None
    if exercise.window and found.first is not None:
        given = calls.defaults(exercise) | calls.arguments(exercise, probe)
        window = exercise.window(found.first, **given)
    return Counterexample(
        call=calls.call_text(exercise, probe),
        note=probe.note,
        inputs=calls.shown_inputs(exercise, probe),
        expected=found.expected,
        actual=found.actual,
        differing=found.mask,
        window=window,
    )
