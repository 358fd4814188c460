"""The redacted course that a student's kernel imports: it can ask the probes, and holds no answer.

It is cut from the package itself. Of each module, only the statements stay that the exercises' `probes` and
`observe` reach by name. References become stubs with a signature; misconceptions, hints and everything that
judges are left out.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises.model import Exercise, call
from course_utils.grading.source import bound_by, names_read, single_imports

PACKAGE = Path(__file__).resolve().parents[1]
INSIDE = PACKAGE / "grading" / "sandbox" / "inside"
EXERCISES = f"{PACKAGE.name}.exercises"
ROOTS = (
    (f"{EXERCISES}.observing", "observe"),
    (f"{EXERCISES}.crossing", "to_json"),
    (f"{EXERCISES}.model", "Observation"),
    (f"{EXERCISES}.values", "Unreadable"),
)
KEPT = ("number", "points", "probes", "observe")
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


def redacted_sources() -> dict[str, str]:
    """Return the redacted course: the path of each file below its folder, and its text.

    Raises
    ------
    ExerciseError
        If an exercise's `probes` or `observe` need a reference or a misconception, which would then be in it.
    """
    redaction = Redaction()
    for module, name in ROOTS:
        redaction.keep(module, name)
    homes = {}
    for exercise_id in exercises.names():
        module, name = redaction.home(exercise_id)
        redaction.keep(module, name)
        homes[exercise_id] = (module, name)
    files = {module.file: module.text() for module in redaction.kept_modules()}
    files[f"{EXERCISES.replace('.', '/')}/__init__.py"] = _BANK.format(homes=homes)
    stub_course = INSIDE / "stub_course.py"
    files[f"{PACKAGE.name}/__init__.py"] = stub_course.read_text(encoding="utf-8")
    for path in sorted(set(INSIDE.glob("*.py")) - {stub_course}):
        files[path.relative_to(PACKAGE.parent).as_posix()] = path.read_text(encoding="utf-8")
    for file in list(files):
        for folder in Path(file).parents[:-1]:
            files.setdefault(f"{folder}/__init__.py", "")
    return files


def write_redacted(folder: Path) -> None:
    """Write the redacted course below `folder`."""
    for path, text in redacted_sources().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@dataclass
class _Module:
    """One module: what its top-level statements bind, and which of them stay."""

    name: str
    path: Path
    kept: set[int] = field(default_factory=set)
    stubs: dict[int, list[ast.stmt]] = field(default_factory=dict)

    @cached_property
    def statements(self) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in ast.parse(self.path.read_text(encoding="utf-8")).body:
            found += single_imports(statement)
        return found

    @cached_property
    def bindings(self) -> dict[str, list[int]]:
        bound: dict[str, list[int]] = {}
        for index, statement in enumerate(self.statements):
            for name in bound_by(statement):
                bound.setdefault(name, []).append(index)
        return bound

    @property
    def file(self) -> str:
        return self.path.relative_to(PACKAGE.parent).as_posix()

    def text(self) -> str:
        body: list[ast.stmt] = [ast.ImportFrom("__future__", [ast.alias("annotations")], 0)]
        for index, statement in enumerate(self.statements):
            if index in self.kept:
                body += self.stubs.get(index, [])
                body.append(_WithoutDocstrings().visit(statement))
        return ast.unparse(ast.fix_missing_locations(ast.Module(body, []))) + "\n"


class Redaction:
    """Follows names from statement to statement and from module to module."""

    def __init__(self) -> None:
        self.modules: dict[str, _Module] = {}
        for path in (PACKAGE / "text.py", *sorted((PACKAGE / "exercises").rglob("*.py"))):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules[name] = _Module(name, path)
        self._homes = {
            exercise_id: (module.name, index)
            for module in self.modules.values()
            for index, statement in enumerate(module.statements)
            if (exercise_id := _exercise_id(module.name, statement))
        }
        self._answers = dict(_answers())

    def kept_modules(self) -> Iterator[_Module]:
        """Yield the modules of which something stays."""
        return (module for module in self.modules.values() if module.kept and module.name != EXERCISES)

    def home(self, exercise_id: str) -> tuple[str, str]:
        """Return module and name of an exercise, after putting a stub in the place of its answers."""
        if exercise_id not in self._homes:
            raise ExerciseError(
                f"Exercise {exercise_id!r} is not written as NAME = Exercise(…) at the top of a module.",
                why="Otherwise its answers cannot be separated from its probes.",
            )
        name, index = self._homes[exercise_id]
        module = self.modules[name]
        statement = module.statements[index]
        assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        if statement.value.args or any(word.arg is None for word in statement.value.keywords):
            raise ExerciseError(f"Exercise {exercise_id!r} must pass all its parts by name.")
        words = [word for word in statement.value.keywords if word.arg in KEPT]
        words += [ast.keyword("reference", ast.Name(_stub_name(exercise_id), ast.Load()))]
        words += [ast.keyword(word, ast.Tuple([], ast.Load())) for word in ("misconceptions", "hints")]
        statement.value.keywords = words
        module.stubs[index] = _stub(exercises.get(exercise_id))
        return name, next(bound_by(statement))

    def keep(self, module_name: str, name: str) -> None:
        """Keep what binds `name` in a module, and everything that it needs."""
        module = self.modules[module_name]
        known_by = ((module_name, name), id(getattr(import_module(module_name), name, None)))
        if exercise_id := next((self._answers[key] for key in known_by if key in self._answers), None):
            raise ExerciseError(
                f"What {exercise_id} asks needs {name} of {module_name}, an answer.",
                next_step="Write the probes and `observe` without it: students' kernels get no answers.",
            )
        for index in module.bindings.get(name, ()):
            if index not in module.kept:
                module.kept.add(index)
                self._follow(module, module.statements[index])

    def _follow(self, module: _Module, statement: ast.stmt) -> None:
        if isinstance(statement, ast.ImportFrom):
            source, imported = statement.module or "", statement.names[0].name
            if source in self.modules and f"{source}.{imported}" not in self.modules:
                self.keep(source, imported)
            return
        plain, dotted = names_read(statement)
        for name in plain:
            self.keep(module.name, name)
        for name, attribute in dotted:
            for target in self._submodules(module, name):
                self.keep(target, attribute)

    def _submodules(self, module: _Module, name: str) -> Iterator[str]:
        for index in module.bindings.get(name, ()):
            statement = module.statements[index]
            if isinstance(statement, ast.ImportFrom):
                whole = f"{statement.module}.{statement.names[0].name}"
                if whole in self.modules:
                    yield whole


def _exercise_id(module: str, statement: ast.stmt) -> str | None:
    if not isinstance(statement, ast.Assign) or not isinstance(made := statement.value, ast.Call):
        return None
    if not isinstance(made.func, ast.Name) or made.func.id != Exercise.__name__:
        return None
    exercise: Exercise = getattr(import_module(module), next(bound_by(statement)))
    return exercise.id


def _answers() -> Iterator[tuple[tuple[str, str] | int, str]]:
    """Yield every answer, right or wrong, by its place and by its identity: a lambda has no name."""
    for exercise_id in exercises.names():
        exercise = exercises.get(exercise_id)
        wrong = (misconception.wrong for misconception in exercise.misconceptions)
        for answer in (exercise.reference, *exercise.also_right, *wrong):
            yield (answer.__module__, getattr(answer, "__qualname__", "")), exercise_id
            yield id(answer), exercise_id


def _stub_name(exercise_id: str) -> str:
    return f"_reference_{exercise_id}"


def _stub(exercise: Exercise) -> list[ast.stmt]:
    """Return what has the reference's name and parameters; defaults only where calls are fitted to them."""
    parameters = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default
            if parameter.default is inspect.Parameter.empty or exercise.observe is call
            else None,
        )
        for parameter in inspect.signature(exercise.reference).parameters.values()
    ]
    name = _stub_name(exercise.id)
    text = f"def {name}{inspect.Signature(parameters)}: raise NotImplementedError"
    return ast.parse(f"{text}\n{name}.__name__ = {exercise.title!r}").body


class _WithoutDocstrings(ast.NodeTransformer):
    """Takes the docstrings away."""

    def _cut(self, node: Any) -> Any:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_ClassDef = _cut  # noqa: N815
