"""Unfinished exercises in a notebook: their cells stop with one calm line, and the cells after them run.

IPython hands every `NotImplementedError` and `NameError` that ends a cell to `NotStarted.told`. A stub's
error, or a name that a stopped cell would have assigned, is reported in one line, and the cell counts as
executed without error; everything else gets its ordinary traceback.
"""

from __future__ import annotations

import ast
import linecache
from types import FrameType, TracebackType
from typing import Any

from course_utils import exercises
from course_utils.exercises.stubs import is_stub
from course_utils.figures import line

_MARK = "_course_not_started"


def install(shell: Any) -> None:
    """Load the hooks into an IPython shell; a second call changes nothing."""
    if hasattr(shell, _MARK):
        return
    watcher = NotStarted(shell)
    setattr(shell, _MARK, watcher)
    shell.set_custom_exc(
        (NotImplementedError, NameError),
        lambda _shell, kind, error, tb, tb_offset=None: watcher.told(kind, error, tb, tb_offset),
    )
    shell.events.register("post_run_cell", watcher.after_cell)


class NotStarted:
    """Remembers which names wait for which exercise.

    Parameters
    ----------
    shell : IPython.InteractiveShell
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._waiting: dict[str, str] = {}
        self._calm: BaseException | None = None

    def told(
        self, kind: type[BaseException], error: BaseException, tb: TracebackType, tb_offset: int | None
    ) -> None:
        """Report an error that ended a cell: calmly if an unfinished exercise is behind it."""
        frames = [frame for frame in _frames(tb) if frame.f_globals is self._shell.user_ns]
        cause = self._cause(error, tb, frames)
        if cause is None:
            self._shell.showtraceback((kind, error, tb), tb_offset=tb_offset, running_compiled_code=True)
            return
        exercise_id, here = cause
        name = f"Exercise {exercises.get(exercise_id).number} ({exercise_id})"
        self._calm = error
        self._waiting |= dict.fromkeys(_assigned(frames[0].f_code.co_filename), exercise_id)
        self._show(f"{name} is not started." if here else f"This cell waits for {name}.")

    def _cause(
        self, error: BaseException, tb: TracebackType, frames: list[FrameType]
    ) -> tuple[str, bool] | None:
        """Return the unfinished exercise behind an error, and whether the cell is that exercise's own."""
        last = _frames(tb)[-1]
        if not frames or last is not frames[-1]:
            return None
        if isinstance(error, NotImplementedError):
            exercise_id = exercise_of(last.f_code.co_qualname) if is_stub(error) else None
            here = last.f_code.co_filename == frames[0].f_code.co_filename
            return (exercise_id, here) if exercise_id else None
        name = getattr(error, "name", None)
        if isinstance(error, UnboundLocalError) or name not in self._waiting:
            return None
        return self._waiting[name], False

    def _show(self, text: str) -> None:
        from IPython.display import display

        display(line(text))

    def after_cell(self, result: Any) -> None:
        """Let a calmly stopped cell count as executed; forget names that now have a value."""
        if result.error_in_exec is not None and result.error_in_exec is self._calm:
            result.error_in_exec = None
        self._calm = None
        for name in [name for name in self._waiting if name in self._shell.user_ns]:
            del self._waiting[name]


def exercise_of(qualified_name: str) -> str | None:
    """Return the exercise that a function or method of a notebook belongs to, by its outermost name.

    ``LeNet5.forward`` belongs to ``lenet5``, ``ResidualBlock.__init__`` to ``residual_block``.
    """
    outermost = qualified_name.split(".")[0].replace("_", "").lower()
    return next((each for each in exercises.names() if each.replace("_", "") == outermost), None)


def _frames(tb: TracebackType | None) -> list[FrameType]:
    frames = []
    while tb is not None:
        frames.append(tb.tb_frame)
        tb = tb.tb_next
    return frames


def _assigned(filename: str) -> set[str]:
    """Return the names that a cell assigns at its top level."""
    try:
        cell = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return set()
    found = _Assigned()
    found.visit(cell)
    return found.names


class _Assigned(ast.NodeVisitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.names.add((node.asname or node.name).split(".")[0])

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.names.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815
    visit_ClassDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        return

    # The loop variables of comprehensions are theirs alone.
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_Lambda  # type: ignore[assignment]  # noqa: N815
