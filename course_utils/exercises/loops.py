"""What is lost in an answer's loops, read from its source: results that are replaced, windows that shrink."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class _Loop:
    """A ``for`` loop around a statement."""

    node: ast.For

    @property
    def counters(self) -> set[str]:
        """The names that it counts with."""
        return _names(self.node.target)

    @property
    def varying(self) -> set[str]:
        """All names that may have another value in the next round."""
        return self.counters | {name for inner in self.node.body for name in _stored(inner)}

    @property
    def by_one(self) -> bool:
        """Whether it counts 0, 1, 2, …"""
        match self.node.iter:
            case ast.Call(ast.Name("range"), [_] | [_, _]):
                return isinstance(self.node.target, ast.Name)
        return False


def lost_in_loops(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield a sentence about each place where a round replaces what the one before it found.

    Examples
    --------
    >>> cell = "def f(a):\\n    for k in range(3):\\n        for c in range(3):\\n            a[k] = c"
    >>> next(lost_in_loops(ast.parse(cell).body[0]))
    'Each round of the loop over `c` replaces `a[k]`, so only the last one counts: += adds them up.'
    """
    for statement, loops in _in_loops(function.body, ()):
        yield from _shrinking(statement, loops)
        match statement:
            case ast.Assign([ast.Subscript() as place], value) if base := _base(place):
                if base not in _names(value):
                    yield from _replaced_cells(
                        place, value, [loop for loop in loops if base not in loop.varying]
                    )
            case ast.Assign([ast.Name() | ast.Attribute() as kept], value) if not _stops(loops[-1].node):
                yield from _replaced_value(function, kept, value, loops[-1])


def _in_loops(
    body: Sequence[ast.stmt], loops: tuple[_Loop, ...]
) -> Iterator[tuple[ast.stmt, tuple[_Loop, ...]]]:
    """Yield the statements that every round runs, with the loops around them, the outermost first."""
    for statement in body:
        if loops:
            yield statement, loops
        match statement:
            case ast.For():
                yield from _in_loops(statement.body, (*loops, _Loop(statement)))
            case ast.With():
                yield from _in_loops(statement.body, loops)


def _replaced_cells(place: ast.Subscript, value: ast.expr, loops: Sequence[_Loop]) -> Iterator[str]:
    where, what = _names(place.slice), _names(value)
    for loop in loops:
        if what & loop.varying and not where & loop.varying:
            yield (
                f"Each round of the loop over `{ast.unparse(loop.node.target)}` replaces "
                f"`{ast.unparse(place)}`, so only the last one counts: += adds them up."
            )
            return
    counters = {name for loop in loops if loop.by_one for name in loop.counters}
    if any(_overlaps(index, counters) for index in _indices(place)):
        yield (
            f"`{ast.unparse(place)} = …` meets the same cell in several rounds, and each replaces what was "
            "there: += adds them up."
        )


def _overlaps(index: ast.expr, counters: set[str]) -> bool:
    """Whether rounds that count by one meet the same places: i + k, and i:i + a."""
    match index:
        case ast.BinOp(ast.Name(one), ast.Add(), ast.Name(other)):
            return {one, other} <= counters and one != other
        case ast.Slice(ast.Name(start), ast.BinOp(ast.Name(again), ast.Add(), ast.Name()), None):
            return start == again and start in counters
    return False


def _replaced_value(
    function: ast.AST, kept: ast.Name | ast.Attribute, value: ast.expr, loop: _Loop
) -> Iterator[str]:
    name = ast.unparse(kept)
    if _uses(loop.node, name) or not _names(value) & loop.varying:
        return
    # Another method may read what self keeps.
    if isinstance(kept, ast.Attribute) or _uses(function, name):
        yield (
            f"`{name}` gets a new value in every round of the loop over `{ast.unparse(loop.node.target)}`, "
            "so only the last one is left."
        )


def _uses(block: ast.AST, name: str) -> bool:
    """Whether a name, or an attribute such as ``self.conv``, is read in a block, or added to."""
    for node in ast.walk(block):
        match node:
            case ast.AugAssign(target) if ast.unparse(target) == name:
                return True
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) if ast.unparse(node) == name:
                return True
    return False


def _shrinking(statement: ast.stmt, loops: Sequence[_Loop]) -> Iterator[str]:
    if isinstance(statement, ast.For):
        return
    counters = {name for loop in loops for name in loop.counters}
    varying = {name for loop in loops for name in loop.varying}
    for node in ast.walk(statement):
        match node:
            case ast.Subscript() as part:
                for one in _indices(part):
                    match one:
                        case ast.Slice(start, ast.Name() as stop, None) if start and _names(start) & counters:
                            if stop.id not in varying:
                                yield (
                                    f"`{ast.unparse(part)}` starts later in every round, but always ends at "
                                    f"`{stop.id}`: the window gets smaller and smaller."
                                )
                                return


def _indices(part: ast.Subscript) -> Sequence[ast.expr]:
    return part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]


def _base(part: ast.expr) -> str:
    """Return the name of what an index is applied to."""
    while isinstance(part, ast.Subscript):
        part = part.value
    return part.id if isinstance(part, ast.Name) else ""


def _stops(loop: ast.For) -> bool:
    """Whether a loop looks for something, and ends when it is found."""
    return any(isinstance(node, ast.Break | ast.Return) for node in ast.walk(loop))


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _stored(node: ast.AST) -> set[str]:
    names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return {part.id for part in names if isinstance(part.ctx, ast.Store)}
