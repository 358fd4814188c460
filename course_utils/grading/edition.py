"""The edition of `course_utils` that a student's kernel gets: it asks the probes and knows no answer.

It is cut from the package itself: of each module stays what the exercises' `probes` and `observe` reach by
name. References become stubs with a signature; misconceptions, hints and whatever judges go.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import Any

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises.model import Exercise, call

PACKAGE = Path(__file__).resolve().parents[1]
INSIDE = PACKAGE / "grading" / "isolation" / "inside"
EXERCISES = f"{PACKAGE.name}.exercises"
KEPT = ("id", "lab", "number", "title", "points", "signature", "probes", "observe")
ROOTS = (
    (f"{EXERCISES}.observing", "observe"),
    (f"{EXERCISES}.crossing", "to_json"),
    (f"{EXERCISES}.model", "Observation"),
    (f"{EXERCISES}.values", "Unreadable"),
)


def sources() -> dict[str, str]:
    """Return the edition: the path of each file below its folder, and its text.

    Raises
    ------
    ExerciseError
        If an exercise's `probes` or `observe` need a reference or a misconception: the edition would hold it.
    """
    cut = _Cut()
    for module, name in ROOTS:
        cut.keep(module, name)
    homes = {}
    for exercise_id in exercises.names():
        module, name = cut.home(exercise_id)
        cut.keep(module, name)
        homes[exercise_id] = (module, name)
    files = {cut.modules[module].file: cut.modules[module].text() for module in cut.kept_modules()}
    files |= {f"{EXERCISES.replace('.', '/')}/__init__.py": _BANK.format(homes=homes)}
    files |= {f"{PACKAGE.name}/__init__.py": _FACE}
    for path in sorted(INSIDE.glob("*.py")):
        files[path.relative_to(PACKAGE.parent).as_posix()] = path.read_text(encoding="utf-8")
    for path in list(files):
        for folder in Path(path).parents[:-1]:
            files.setdefault(f"{folder}/__init__.py", "")
    return files


def write(folder: Path) -> None:
    """Write the edition below `folder`."""
    for path, text in sources().items():
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
            found += _single_imports(statement)
        return found

    @cached_property
    def bindings(self) -> dict[str, list[int]]:
        bound: dict[str, list[int]] = {}
        for index, statement in enumerate(self.statements):
            for name in _bound(statement):
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


class _Cut:
    """Follows names from statement to statement and from module to module."""

    def __init__(self) -> None:
        self.modules: dict[str, _Module] = {}
        for path in sorted((PACKAGE / "exercises").rglob("*.py")):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules[name] = _Module(name, path)
        self._homes = {
            exercise_id: (module.name, index)
            for module in self.modules.values()
            for index, statement in enumerate(module.statements)
            if (exercise_id := _exercise_id(statement))
        }
        self._answers = dict(_answers())

    def kept_modules(self) -> Iterator[str]:
        return (name for name, module in self.modules.items() if module.kept and name != EXERCISES)

    def home(self, exercise_id: str) -> tuple[str, str]:
        """Return module and name of an exercise, after putting a stub in the place of its answers."""
        if exercise_id not in self._homes:
            raise ExerciseError(
                f"Exercise {exercise_id!r} is not written as NAME = Exercise(id={exercise_id!r}, …).",
                why="Its answers could not be told from its probes.",
            )
        name, index = self._homes[exercise_id]
        module = self.modules[name]
        statement = module.statements[index]
        assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        if statement.value.args or any(word.arg is None for word in statement.value.keywords):
            raise ExerciseError(f"Exercise {exercise_id!r} must give all its parts by name.")
        stub = _stub(exercises.get(exercise_id))
        words = [word for word in statement.value.keywords if word.arg in KEPT]
        words += [ast.keyword("reference", ast.Name(stub.name, ast.Load()))]
        words += [ast.keyword(word, ast.Tuple([], ast.Load())) for word in ("misconceptions", "hints")]
        statement.value.keywords = words
        module.stubs[index] = [stub]
        return name, _bound(statement)[0]

    def keep(self, module_name: str, name: str) -> None:
        """Keep what binds `name` in a module, and everything that it needs."""
        module = self.modules[module_name]
        if (module_name, name) in self._answers:
            raise ExerciseError(
                f"What {self._answers[module_name, name]} asks needs {name} of {module_name}, an answer.",
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
        names = _Names()
        names.visit(statement)
        for name in names.plain:
            self.keep(module.name, name)
        for name, attribute in names.dotted:
            for target in self._submodules(module, name):
                self.keep(target, attribute)

    def _submodules(self, module: _Module, name: str) -> Iterator[str]:
        for index in module.bindings.get(name, ()):
            statement = module.statements[index]
            if isinstance(statement, ast.ImportFrom):
                whole = f"{statement.module}.{statement.names[0].name}"
                if whole in self.modules:
                    yield whole


class _Names(ast.NodeVisitor):
    """Which names a statement uses when it runs; annotations are never evaluated."""

    def __init__(self) -> None:
        self.plain: set[str] = set()
        self.dotted: set[tuple[str, str]] = set()

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        if isinstance(node.ctx, ast.Load):
            self.plain.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        if isinstance(node.value, ast.Name):
            self.dotted.add((node.value.id, node.attr))
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: N802
        node = ast.copy_location(
            ast.FunctionDef(**{name: getattr(node, name, None) for name in node._fields}), node
        )
        node.returns = None
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        if node.value is not None:
            self.visit(node.value)


class _WithoutDocstrings(ast.NodeTransformer):
    def _cut(self, node: Any) -> Any:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_ClassDef = _cut  # noqa: N815


def _single_imports(statement: ast.stmt) -> list[ast.stmt]:
    if isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    if isinstance(statement, ast.Import):
        return [ast.Import([alias]) for alias in statement.names]
    return [statement]


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    return [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _exercise_id(statement: ast.stmt) -> str | None:
    if not isinstance(statement, ast.Assign) or not isinstance(made := statement.value, ast.Call):
        return None
    if not isinstance(made.func, ast.Name) or made.func.id != Exercise.__name__:
        return None
    ids = [word.value for word in made.keywords if word.arg == "id"]
    return ids[0].value if ids and isinstance(ids[0], ast.Constant) else None


def _answers() -> Iterator[tuple[tuple[str, str], str]]:
    for exercise_id in exercises.names():
        exercise = exercises.get(exercise_id)
        wrong = (misconception.wrong for misconception in exercise.misconceptions)
        for answer in (exercise.reference, *exercise.also_right, *wrong):
            yield (answer.__module__, getattr(answer, "__qualname__", "")), exercise_id


def _stub(exercise: Exercise) -> ast.FunctionDef:
    """Return a function with the reference's parameters; its defaults only where calls are fitted to them."""
    parameters = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default
            if parameter.default is inspect.Parameter.empty or exercise.observe is call
            else None,
        )
        for parameter in inspect.signature(exercise.reference).parameters.values()
    ]
    text = f"def _reference_{exercise.id}{inspect.Signature(parameters)}: raise NotImplementedError"
    made = ast.parse(text).body[0]
    assert isinstance(made, ast.FunctionDef)
    return made


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

_FACE = dedent(
    '''
    import sys
    from types import ModuleType


    class _Inert(ModuleType):
        """Stands for whatever of the course a notebook uses beside its exercises: it takes all, gives itself."""

        __path__ = []

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return self

        def __call__(self, *arguments, **keywords):
            return self

        def __getitem__(self, key):
            return self

        def __iter__(self):
            return iter(())

        def __len__(self):
            return 0

        def __bool__(self):
            return False

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None


    def __getattr__(name):
        if name.startswith("__") or name == "exercises":
            raise AttributeError(name)
        return _Inert(name)


    for _name in ("checks", "data", "device", "figures", "settings", "timing", "training"):
        sys.modules[f"{__name__}.{_name}"] = _Inert(f"{__name__}.{_name}")
    '''
).lstrip()
