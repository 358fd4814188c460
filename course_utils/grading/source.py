"""What a cell's code binds and uses, found without running it."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterator
from functools import lru_cache

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "get_ipython", "display"}
NOT_PARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python raises for text that is not its code."""

LARGEST_CELL = 256 * 2**10
"""Characters; no answer is longer, and a syntax tree takes a hundred times the memory of its text."""

MOST_MAGICS = 50
_MAGIC = re.compile(r"^[ \t]*[!%?,;/]|=[ \t]*[!%]|\?[ \t]*$", re.M)

MOST_BITS = 14_000
"""Of an integer: Python writes at most 4,300 digits."""

DEEPEST = 200
"""Levels of a syntax tree that Python's own functions can walk: they call themselves for each one."""


@lru_cache(maxsize=128)
def parse(source: str) -> ast.Module | None:
    """Return a cell's syntax tree; None if it is too long, too deep, or not Python even without magics.

    Nor if it holds an integer that Python refuses to write in decimal digits. The tree must not be changed:
    others are given it, too.
    """
    if len(source) > LARGEST_CELL:
        return None
    try:
        tree = parse_unchecked(source)
    except NOT_PARSED:
        return None
    for depth, level in enumerate(_levels(tree)):
        if depth == DEEPEST or any(map(_is_giant, level)):
            return None
    return tree


def _is_giant(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value.bit_length() > MOST_BITS
    )


def parse_unchecked(source: str) -> ast.Module:
    """Return a cell's syntax tree, however deep; IPython's magics are translated first.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        If it is not Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in a student's strings are the student's business
        try:
            return ast.parse(source)
        except SyntaxError:
            return ast.parse(_without_magics(source))


@lru_cache(maxsize=512)
def _without_magics(source: str) -> str:
    # IPython reads the whole cell again after each one, and refuses 500.
    if len(_MAGIC.findall(source)) > MOST_MAGICS:
        raise ValueError("there are more magics than in any cell")
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


@lru_cache(maxsize=512)
def without_comments(source: str) -> str:
    """Return a cell's code as Python writes it; empty if there is none, or if it is not Python."""
    tree = parse(source)
    try:
        return ast.unparse(tree) if tree else ""
    except NOT_PARSED:
        return ""


@lru_cache(maxsize=128)
def is_plain(source: str) -> bool:
    """Whether it is Python as it is, without IPython's magics."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except NOT_PARSED:
        return False
    return True


def too_deep(tree: ast.AST) -> bool:
    """Whether a tree has more than `DEEPEST` levels. Python 3.14 parses what earlier versions refuse."""
    return any(depth == DEEPEST for depth, _ in enumerate(_levels(tree)))


def _levels(tree: ast.AST) -> Iterator[list[ast.AST]]:
    level = [tree]
    while level:
        yield level
        level = [child for node in level for child in ast.iter_child_nodes(node)]


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


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement binds, also inside its ``if``, ``for`` or ``try``."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield from bound_by(node)
        elif isinstance(node, ast.ExceptHandler | ast.match_case):
            for inner in node.body:
                yield from bound_by(inner)
        else:
            yield from _stored(node)


def single_imports(statement: ast.stmt) -> list[ast.stmt]:
    """Return an import of several names as imports of one; any other statement as it is."""
    if isinstance(statement, ast.ImportFrom):
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    if isinstance(statement, ast.Import):
        return [ast.Import([alias]) for alias in statement.names]
    return [statement]


def names_used(source: str) -> set[str]:
    """Return the global names that a cell reads, anywhere in it; builtins are left out."""
    try:
        table = symtable.symtable(without_comments(source), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return {name for name in _globals(table) if name not in _BUILTINS}


def names_read(node: ast.AST) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the names that code reads, and the attributes of names, such as ``("calls", "call_text")``.

    Annotations are passed over: they are never evaluated.
    """
    visitor = _NamesRead()
    visitor.visit(node)
    return visitor.plain, visitor.dotted


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


class _NamesRead(ast.NodeVisitor):
    def __init__(self) -> None:
        self.plain: set[str] = set()
        self.dotted: set[tuple[str, str]] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.plain.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            self.dotted.add((node.value.id, node.attr))
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
