"""What a student calls: ``check.output_size(output_size)``, its ``.hint()``, and ``check.progress()``."""

from __future__ import annotations

from course_utils.checks.face import Check, ExerciseCheck, UnknownExercise

check = Check()
"""The one face of all checks; its attributes are the exercises."""

__all__ = ["Check", "ExerciseCheck", "UnknownExercise", "check"]
