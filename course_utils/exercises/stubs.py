"""What is not started: a stub, which raises ``NotImplementedError``, and a body that does nothing."""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Sequence
from types import CodeType, FunctionType
from typing import Any

from course_utils.exercises.own_source import definition, functions_of
from course_utils.exercises.tracebacks import is_library


def does_nothing(candidate: Any) -> bool:
    """Whether a function, or every method of a class, has a body of nothing that counts.

    ``pass``, three dots, a docstring, a ``return`` of nothing, a call of ``super().__init__()`` and a stub's
    ``raise`` do not count; anything else does. A body whose source is not known counts.

    Examples
    --------
    >>> does_nothing(lambda f: None)
    False
    """
    functions = functions_of(candidate)
    return bool(functions) and all(map(_is_empty, functions))


def is_stub(error: BaseException) -> bool:
    """Whether the error is a stub's: a bare ``NotImplementedError`` from a function of the author's own that
    does nothing else.

    PyTorch's own errors of this class have a message, and those of its C++ code have no frame.
    """
    if type(error) is not NotImplementedError or error.args:
        return False
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    return not is_library(last) and all(map(_is_nothing, _body(last.f_code)))


def other_function(error: BaseException, candidate: Any) -> str:
    """Return the function or class that raised, if it is neither `candidate` nor a part of it."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    named = candidate if hasattr(candidate, "__qualname__") else type(candidate)
    where = frames[-1].f_code.co_qualname if frames else named.__qualname__
    if f"{where}.".startswith(f"{named.__qualname__}."):
        return ""
    return where.rpartition("<locals>.")[2].partition(".")[0]


def _is_empty(function: FunctionType) -> bool:
    try:
        body = _body(inspect.unwrap(function).__code__)
    except (AttributeError, ValueError):  # a decorator may wrap anything
        return False
    return bool(body) and all(map(_is_nothing, body))


def _body(code: CodeType) -> Sequence[ast.stmt]:
    """Return the statements of a function or class; none if its source is not known."""
    found = definition(code)
    return [] if found is None or isinstance(found, ast.AsyncFunctionDef) else found.body


def _is_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()) | ast.Return(None | ast.Constant(None)):
            return True
        case ast.Expr(ast.Call(ast.Attribute(attr="__init__"), [], [])):
            return True
        case ast.Raise(ast.Name("NotImplementedError") | ast.Call(ast.Name("NotImplementedError"), [], [])):
            return True
    return False
