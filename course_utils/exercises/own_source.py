"""The functions that make up an answer, and their source."""

from __future__ import annotations

import ast
import inspect
import linecache
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def functions_of(candidate: Any) -> list[FunctionType]:
    """Return a function itself, and of a class its methods.

    Examples
    --------
    >>> functions_of(max)
    []
    """
    parts = vars(candidate).values() if isinstance(candidate, type) else [candidate]
    return [part for part in parts if isinstance(part, FunctionType)]


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function, and that of the functions, lambdas and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def definition_of(candidate: Any) -> Definition | None:
    """Return the definition of an answer, a function or a class; None if its source is not known."""
    functions = functions_of(candidate)
    if not functions:
        return None
    code, name = functions[0].__code__, candidate.__name__
    found = _class_around(code, name) if isinstance(candidate, type) else definition(code)
    return found if found is not None and found.name == name else None


def _class_around(code: CodeType, name: str) -> ast.ClassDef | None:
    """Return the class of a method: its own first line is not kept."""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if code.co_firstlineno in lines:
                return node
    return None


def definition(code: CodeType) -> Definition | None:
    """Return the definition of a function or class; None if its source is not known."""
    return _definition_at(code.co_filename, code.co_firstlineno)


@lru_cache(maxsize=1024)
def _definition_at(file: str, first_line: int) -> Definition | None:
    lines = linecache.getlines(file)[first_line - 1 :]
    try:
        block = "".join(inspect.getblock(lines))
        # A method is indented, and a docstring in it may be less so.
        tree = ast.parse("if True:\n" * block[:1].isspace() + block)
    except (SyntaxError, ValueError, IndexError, RecursionError, tokenize.TokenError):
        return None
    return next((node for node in ast.walk(tree) if isinstance(node, Definition)), None)
