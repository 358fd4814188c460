"""The functions that make up an answer, and their source."""

from __future__ import annotations

import ast
import inspect
import linecache
import tokenize
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
