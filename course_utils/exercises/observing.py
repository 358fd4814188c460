"""Run an answer on one probe and keep what it did, as plain data."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from course_utils.exercises import calls
from course_utils.exercises.compare import difference
from course_utils.exercises.gradients import reached_from
from course_utils.exercises.guard import RunawayError, TimeLimit, guarded
from course_utils.exercises.model import Exercise, Observation, Probe
from course_utils.exercises.slips import slips
from course_utils.exercises.stubs import does_nothing, is_stub, other_function
from course_utils.exercises.tracebacks import own_calls, own_lines
from course_utils.exercises.values import Unreadable, holds_numpy, plain
from course_utils.text import describe

SECONDS = 10.0


def observe(
    exercise: Exercise, candidate: Any, probe: Probe, *, limit: TimeLimit | float = SECONDS
) -> Observation:
    """Run `candidate` on one probe and return what it did, as plain data.

    The candidate gets deep copies of the arguments, and is stopped at the limit; a number is seconds. Random
    states, torch's modes and the output streams are restored afterwards.
    """
    text = calls.call_text(exercise, probe)
    if not callable(candidate):
        told = (
            f"The check needs {exercise.title} itself, as in check.{exercise.id}({exercise.title}); "
            f"it got {describe(plain(candidate))}."
        )
        return Observation("error", traceback=told, call=text, error="NotCallable")
    if does_nothing(candidate):
        return Observation("not started", call=text)
    fitted = calls.fit_to(candidate, exercise, probe)
    if isinstance(fitted, str):
        return Observation("error", traceback=fitted, call=text, error="Signature")
    arguments, keywords = copy.deepcopy((fitted.arguments, fitted.keywords))
    own = replace(fitted, arguments=arguments, keywords=keywords)
    seen = _run(exercise, candidate, own, text, limit)
    return replace(seen, slips=slips(candidate))


def _run(
    exercise: Exercise, candidate: Any, probe: Probe, text: str, limit: TimeLimit | float
) -> Observation:
    limit = limit if isinstance(limit, TimeLimit) else TimeLimit(limit)
    before = _plain_arguments(exercise, probe)
    printed = ""
    try:
        with guarded(limit) as output:
            try:
                returned = exercise.observe(candidate, probe)
                value = plain(returned)
            finally:
                printed = output.kept
    except KeyboardInterrupt:
        raise
    except RunawayError as error:
        return Observation(
            "timeout",
            traceback="\n".join(own_calls(error)),
            call=text,
            printed=printed,
            stopped_after=limit.reached,
        )
    except BaseException as error:
        name = type(error).__name__
        if is_stub(error):
            waits = other_function(error, candidate)
            return Observation("not started", call=text, error=name, printed=printed, blocked_by=waits)
        until_then = plain(getattr(error, "observed", None))
        return Observation(
            "error", value=until_then, traceback=own_lines(error), call=text, error=name, printed=printed
        )
    after = _plain_arguments(exercise, probe)
    changed = tuple(name for name in before if difference(before[name], after[name]) is not None)
    return Observation(
        "returned",
        value=value,
        changed_inputs=changed,
        cut_off=_cut_off(exercise, probe, returned),
        call=text,
        printed=printed,
        numpy=holds_numpy(returned),
    )


def _cut_off(exercise: Exercise, probe: Probe, returned: Any) -> tuple[str, ...]:
    """Return the names of the arguments that need a gradient and would get none from what was returned."""
    arguments = calls.arguments(exercise, probe).items()
    learned = {name: id(value) for name, value in arguments if getattr(value, "requires_grad", False)}
    reached = reached_from(returned) if learned else ()
    return tuple(name for name, leaf in learned.items() if leaf not in reached)


def _plain_arguments(exercise: Exercise, probe: Probe) -> dict[str, Any]:
    found = {name: plain(value) for name, value in calls.arguments(exercise, probe).items()}
    return {name: value for name, value in found.items() if not isinstance(value, Unreadable)}
