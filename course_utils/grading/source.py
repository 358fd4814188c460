"""What a cell's code defines and uses, found without running it."""

from __future__ import annotations

import ast
import builtins
import symtable
import warnings
from collections.abc import Iterator
from functools import lru_cache

from course_utils import exercises

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "get_ipython", "display"}


LARGEST_CELL = 256 * 2**10
"""Characters; no answer is longer, and a syntax tree takes a hundred times the memory of its text."""

DEEPEST = 200
"""Levels of a syntax tree that Python's own functions can walk: they call themselves for each one."""


def parse(source: str) -> ast.Module | None:
    """Return a cell's syntax tree; None if it is too long, too deep, or no Python even without magics."""
    if len(source) > LARGEST_CELL:
        return None
    tree = _parsed(source)
    return None if tree is None or too_deep(tree) else tree


def too_deep(tree: ast.AST) -> bool:
    """Whether a tree has more than `DEEPEST` levels. Python 3.14 parses what earlier versions refuse."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _parsed(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in a student's strings are the student's business
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=512)
def names_defined(source: str) -> frozenset[str]:
    """Return the names that a cell binds at its top level."""
    tree = parse(source)
    try:
        return (
            frozenset(name for statement in tree.body for name in bound_by(statement))
            if tree
            else frozenset()
        )
    except RecursionError:
        return frozenset()


def answer_name(exercise_id: str) -> str:
    """Return the name of the function or class that answers an exercise."""
    return exercises.get(exercise_id).signature.removeprefix("class ").partition("(")[0]


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement binds, also inside its ``if``, ``for`` or ``try``."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Import(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield from bound_by(node)
        elif isinstance(node, ast.ExceptHandler | ast.match_case):
            for inner in node.body:
                yield from bound_by(inner)
        else:
            yield from _stored(node)


def imported_by(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that a top-level import binds, and the statement that binds it alone."""
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                alone = (
                    ast.Import([alias])
                    if isinstance(statement, ast.Import)
                    else ast.ImportFrom(statement.module, [alias], statement.level)
                )
                yield alias.asname or alias.name.partition(".")[0], ast.unparse(alone)


def names_used(source: str) -> set[str]:
    """Return the global names that a cell reads, anywhere in it; builtins are left out."""
    tree = parse(source)
    if tree is None:
        return set()
    try:
        table = symtable.symtable(ast.unparse(tree), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return {name for name in _globals(table) if name not in _BUILTINS}


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (at_top or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _stored(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _stored(child)
