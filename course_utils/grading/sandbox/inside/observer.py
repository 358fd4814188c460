"""Observe answers in the student's kernel, one child process for each exercise: what breaks stays there."""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from dataclasses import replace
from typing import Any

from course_utils import exercises
from course_utils.exercises.crossing import to_json
from course_utils.exercises.guard import TimeLimit
from course_utils.exercises.model import Observation
from course_utils.exercises.observing import observe
from course_utils.exercises.values import Unreadable

_LONGEST = 2 << 20
_taken: dict[str, Any] = {}


def take(exercise_id: str, names: dict[str, Any]) -> None:
    """Remember the answer to an exercise as its cell left it."""
    title = exercises.get(exercise_id).title
    if title in names:
        _taken.setdefault(exercise_id, names[title])


def ask(exercise_id: str, seed: int, path: str, seconds: float, patience: float) -> None:
    """Ask the probes that `seed` draws, in a child process; write what came back to `path`, line by line."""
    if exercise_id not in _taken:
        return
    pid = os.fork()
    if pid == 0:
        try:
            # The child's own deadline comes first; this limit and the next are for a child that ignores it.
            _limit_cpu(math.ceil(seconds) + 1)
            _answer(exercise_id, seed, path, TimeLimit(seconds, patience))
        finally:
            os._exit(0)
    end = time.monotonic() + seconds * patience + 1
    while not (ended := os.wait4(pid, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            _stopped(path, seconds * patience)
            return
        time.sleep(0.002)
    if os.WIFSIGNALED(ended[1]) and ended[2].ru_utime + ended[2].ru_stime > seconds:
        _stopped(path, seconds)


def _limit_cpu(seconds: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    seconds = seconds if most == resource.RLIM_INFINITY else min(seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _stopped(path: str, seconds: float) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(to_json(Observation("timeout", stopped_after=seconds)) + "\n")


def _answer(exercise_id: str, seed: int, path: str, limit: TimeLimit) -> None:
    exercise = exercises.get(exercise_id)
    # A note describes its case, and sometimes the result, so it stays with the grader.
    probes = [replace(probe, note="", shown={}) for probe in exercise.probes(seed)]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with open(handle, "w", encoding="utf-8") as file:
        for probe in probes:
            seen = observe(exercise, _taken[exercise_id], probe, limit=limit)
            text = to_json(seen)
            if len(text) > _LONGEST:
                text = to_json(replace(seen, value=Unreadable("something gigantic")))
            file.write(text + "\n")
            file.flush()
            if seen.status in ("timeout", "not started"):
                break
