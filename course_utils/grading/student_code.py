"""What of a notebook defines an answer: its last definition, and the definitions that it needs."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from course_utils.grading.records import Cell
from course_utils.grading.source import bound_by, is_plain, names_used, parse, single_imports

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORT = (ast.Import, ast.ImportFrom)
_BUILTINS = frozenset(dir(builtins))
_TIMED = re.compile(r"\s*%%(?:time|timeit|capture|prun)\b.*\n")
_FENCED = re.compile(r"^```.*\n(.*?)^```", re.M | re.S)


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement at the top level of a student's cell.

    Attributes
    ----------
    place : int
        Its place among all statements, in the order of the notebook; text cells come last.
    cell : int
        The place of its cell in the notebook.
    text : str
    node : ast.stmt
    """

    place: int
    cell: int
    text: str
    node: ast.stmt

    @cached_property
    def binds(self) -> frozenset[str]:
        """The names that it binds."""
        return frozenset(bound_by(self.node))

    @cached_property
    def uses(self) -> frozenset[str]:
        """The global names that it reads or changes; builtins are left out."""
        changed = (n for node in ast.walk(self.node) if isinstance(node, ast.Global) for n in node.names)
        return frozenset(names_used(self.text)).union(changed)

    @cached_property
    def shadows(self) -> frozenset[str]:
        """The builtins that it reads, which a function of the student's own might replace."""
        return frozenset(n.id for n in ast.walk(self.node) if isinstance(n, ast.Name)) & _BUILTINS

    @cached_property
    def value(self) -> ast.expr | None:
        """What it assigns to a name, if it is an assignment."""
        return self.node.value if isinstance(self.node, ast.Assign | ast.AnnAssign) else None

    def is_function(self, name: str) -> bool:
        """Whether it makes a function or a class of that name."""
        made = (n for n in ast.walk(self.node) if isinstance(n, _FUNCTION))
        return isinstance(self.value, ast.Lambda) or any(n.name == name for n in made)

    @property
    def is_import(self) -> bool:
        """Whether it is an import."""
        return isinstance(self.node, _IMPORT)

    @cached_property
    def changes(self) -> frozenset[str]:
        """The names whose content it changes: ``table[0] = 1``, ``table.append(1)``."""
        if isinstance(self.node, (*_FUNCTION, ast.While)):
            return frozenset()
        changed = set()
        for node in ast.walk(self.node):
            stored = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
            called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            root = node if stored else node.value.func if called else None  # type: ignore[attr-defined]
            if isinstance(root, ast.Attribute | ast.Subscript) and isinstance(root.value, ast.Name):
                changed.add(root.value.id)
        return frozenset(changed)


@dataclass(frozen=True)
class Found:
    """The definition of an answer.

    Attributes
    ----------
    needed : tuple of Statement
        It and what it needs, in the order of the notebook, but imports above it.
    chosen : Statement
        The definition itself.
    differing : int
        How many cells define it, each differently.
    whole : bool
        Whether its whole cell must run: it uses a name that nothing seems to define.
    """

    needed: tuple[Statement, ...]
    chosen: Statement
    differing: int
    whole: bool


class StudentCode:
    """The statements of a submitted notebook.

    Attributes
    ----------
    cells : sequence of Cell
    statements : list of Statement
    unread : list of int
        The places of code cells that are not Python.

    Parameters
    ----------
    cells : sequence of Cell
    stubs : mapping
        By the function or class that is asked for: the cell that a student starts from.
    given : collection of str
        The names that the lab gives.
    """

    def __init__(self, cells: Sequence[Cell], stubs: Mapping[str, str], given: Collection[str]) -> None:
        self.cells, self._given, self._titles = cells, given, set(stubs)
        self._stubs = {ast.dump(node) for stub in stubs.values() for node in _body(stub)}
        self.statements: list[Statement] = []
        self.unread: list[int] = []
        texts = [place for place, cell in enumerate(cells) if not cell.is_code]
        for place in [*(p for p, cell in enumerate(cells) if cell.is_code), *texts]:
            found = list(_statements(cells[place]))
            self.statements += [
                Statement(len(self.statements) + i, place, *one) for i, one in enumerate(found)
            ]
            if not found and cells[place].is_code and parse(cells[place].source) is None:
                self.unread.append(place)
        self._binding: dict[str, list[Statement]] = {}
        self._of_cell: dict[int, list[Statement]] = {}
        for statement in self.statements:
            self._of_cell.setdefault(statement.cell, []).append(statement)
            for name in statement.binds:
                self._binding.setdefault(name, []).append(statement)

    def answer(self, title: str) -> Found | None:
        """Return the last definition of an answer in a code cell, or else in a text cell."""
        bound = self._bound(title)
        surely = [s for s in bound if s.is_function(title) or self._wraps(s, title)]
        perhaps = [s for s in bound if isinstance(s.value, ast.Call | ast.Name | ast.Attribute | ast.Tuple)]
        for of_code in (True, False):
            for found in (surely, perhaps, [s for s in bound if s.is_import]):
                if mine := [s for s in found if self.cells[s.cell].is_code == of_code]:
                    return self._needed(mine[-1], title, mine if found is surely else mine[-1:])
        return None

    def similar(self, title: str) -> Found | None:
        """Return the last function whose name is written almost like the one that is asked for."""
        near = {
            s
            for name in self._binding
            if name not in self._titles and _plain(name) == _plain(title)
            for s in self._binding[name]
            if s.is_function(name)
        }
        last = max(near, key=lambda s: s.place, default=None)
        return self._needed(last, title, [last]) if last else None

    def untouched(self, title: str) -> bool:
        """Whether the stub of an exercise is still there."""
        return any(self._is_stub(s) for s in self._binding.get(title, ()))

    @property
    def star_imports(self) -> list[Statement]:
        """The imports of everything in a module."""
        return self._binding.get("*", [])

    def of_cell(self, place: int) -> list[Statement]:
        """Return the statements of a cell."""
        return self._of_cell.get(place, [])

    def _bound(self, title: str) -> list[Statement]:
        return [s for s in self._binding.get(title, ()) if not self._is_stub(s)]

    def _is_stub(self, statement: Statement) -> bool:
        node = statement.node
        if not isinstance(node, ast.FunctionDef):
            return ast.dump(node) in self._stubs
        body = [s for s in node.body if not _is_text(s)]
        only = body[0] if len(body) == 1 else None
        raised = only.exc if isinstance(only, ast.Raise) else None
        named = raised.func if isinstance(raised, ast.Call) else raised
        return isinstance(named, ast.Name) and named.id == "NotImplementedError"

    def _wraps(self, statement: Statement, title: str) -> bool:
        """Whether an assignment gives a function another name, or wraps it; results of calls do not."""
        match statement.value:
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name)):
                return self._is_function(name)
            case ast.Call(func=ast.Name(id=made)) if made == title:
                return False
            case ast.Call(func=func, args=args):
                partial = ast.unparse(func).rpartition(".")[2] == "partial"
                return partial or any(isinstance(a, ast.Name) and a.id == title for a in args)
        return False

    def _is_function(self, name: str) -> bool:
        return any(s.is_function(name) or s.is_import for s in self._binding.get(name, ()))

    def _needed(self, chosen: Statement, title: str, others: Sequence[Statement]) -> Found:
        end = self.of_cell(chosen.cell)[-1].place
        needed, unread, lost = {chosen}, [chosen], False
        while unread:
            statement = unread.pop()
            at_once = not isinstance(statement.node, _FUNCTION)
            more: list[Statement] = []
            for name in statement.uses:
                if name in self._titles and (not at_once or statement.is_function(name)):
                    continue
                mine = [
                    s for s in self._binding.get(name, ()) if s.cell == chosen.cell and s is not statement
                ]
                if name in self._given and not any(s.is_import or s.is_function(name) for s in mine):
                    continue
                found = self._resolved(name, statement.place - 1 if at_once else end, statement)
                more += [found] if found else []
                lost |= found is None and name not in statement.binds
            for name in statement.shadows:
                bound = (s for s in self._binding.get(name, ()) if s.place <= end)
                more += [s for s in bound if s.is_function(name) and not self._is_stub(s)][-1:]
            for name in statement.binds if at_once and not statement.is_import else ():
                more += [
                    s for s in self.of_cell(statement.cell) if name in s.changes and s.place > statement.place
                ]
            new = [s for s in more if s not in needed]
            needed.update(new)
            unread += new
        if lost:
            stars = [s for s in self.star_imports if s.place <= end]
            needed.update(stars)
            lost = not stars
        needed.update(s for s in self.of_cell(chosen.cell) if _of_the_future(s.node))
        # What is imported further down may be an annotation or a default, which are read at the definition.
        below = {s for s in needed if s.is_import and s.place > chosen.place}
        ordered = sorted(needed, key=lambda s: (not _of_the_future(s.node), s not in below, s.place))
        differing = {ast.dump(s.node): s.cell for s in others}
        return Found(tuple(ordered), chosen, len(set(differing.values())), lost)

    def _resolved(self, name: str, end: int, user: Statement) -> Statement | None:
        """Return the definition of a name that stands last up to a place, or else the first below it.

        A variable that hides a function of the same name is a slip outside of the answer.
        """
        bound = [s for s in self._binding.get(name, ()) if s is not user and not self._is_stub(s)]
        bound = [s for s in bound if not isinstance(s.node, ast.While)]
        before = [s for s in bound if s.place <= end]
        functions = [s for s in before if s.is_import or s.is_function(name)]
        after = [s for s in bound if s.place > end]
        first = [s for s in after if s.is_import or s.is_function(name)] or after
        return next(iter([*functions[-1:], *before[-1:], *first[:1]]), None)


def _statements(cell: Cell) -> Iterator[tuple[str, ast.stmt]]:
    source = cell.source.replace("\r\n", "\n").replace("\r", "\n")
    if cell.is_code:
        return _split(_TIMED.sub("", source, count=1) if _TIMED.match(source) else source)
    fenced = _FENCED.findall(source)
    return _split("\n".join(fenced) if fenced else source)


def _split(source: str) -> Iterator[tuple[str, ast.stmt]]:
    body = _body(source)
    lines = source.split("\n")
    # Where IPython's magics were translated, lines are not those of the source.
    plain = bool(body) and is_plain(source)
    taken = 0
    for i, node in enumerate(body):
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        end = node.end_lineno or node.lineno
        alone = start > taken and (i + 1 == len(body) or body[i + 1].lineno > end)
        taken = end
        parts = single_imports(node)
        if len(parts) == 1 and plain and alone:
            yield "\n".join(lines[start - 1 : end]), node
        else:
            yield from ((ast.unparse(part), part) for part in parts)


def _body(source: str) -> list[ast.stmt]:
    tree = parse(source)
    return tree.body if tree else []


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _of_the_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()
