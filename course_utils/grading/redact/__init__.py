"""The edition of `course_utils` that a student's kernel gets: it asks the probes and knows no answer.

It is cut from the package itself: of each module stays what the exercises' `probes` and `observe` reach by
name. References become stubs with a signature; misconceptions, hints and whatever judges go.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from course_utils import exercises
from course_utils.grading.redact.reachable import EXERCISES, PACKAGE, Redaction

__all__ = ["PACKAGE", "sources", "write"]

INSIDE = PACKAGE / "grading" / "sandbox" / "inside"
ROOTS = (
    (f"{EXERCISES}.observing", "observe"),
    (f"{EXERCISES}.crossing", "to_json"),
    (f"{EXERCISES}.model", "Observation"),
    (f"{EXERCISES}.values", "Unreadable"),
)
_BANK = dedent(
    """
    from importlib import import_module

    _HOMES = {homes!r}


    def get(exercise_id):
        module, name = _HOMES[exercise_id]
        return getattr(import_module(module), name)


    def names():
        return list(_HOMES)
    """
).lstrip()


def sources() -> dict[str, str]:
    """Return the edition: the path of each file below its folder, and its text.

    Raises
    ------
    ExerciseError
        If an exercise's `probes` or `observe` need a reference or a misconception: the edition would hold it.
    """
    cut = Redaction()
    for module, name in ROOTS:
        cut.keep(module, name)
    homes = {}
    for exercise_id in exercises.names():
        module, name = cut.home(exercise_id)
        cut.keep(module, name)
        homes[exercise_id] = (module, name)
    files = {cut.modules[module].file: cut.modules[module].text() for module in cut.kept_modules()}
    files |= {f"{EXERCISES.replace('.', '/')}/__init__.py": _BANK.format(homes=homes)}
    stub_course = INSIDE / "stub_course.py"
    files |= {f"{PACKAGE.name}/__init__.py": stub_course.read_text(encoding="utf-8")}
    for path in sorted(set(INSIDE.glob("*.py")) - {stub_course}):
        files[path.relative_to(PACKAGE.parent).as_posix()] = path.read_text(encoding="utf-8")
    for file in list(files):
        for folder in Path(file).parents[:-1]:
            files.setdefault(f"{folder}/__init__.py", "")
    return files


def write(folder: Path) -> None:
    """Write the edition below `folder`."""
    for path, text in sources().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
