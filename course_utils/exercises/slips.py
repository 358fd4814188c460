"""Slips that can be read from an answer's source: true of the code, whatever it returns."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

from course_utils.exercises.own_source import definition

_OF_NONE = ("append", "extend", "insert", "sort", "reverse", "remove", "clear", "update")
_PURE = (
    *("float", "double", "long", "int", "view", "reshape", "flatten", "squeeze", "unsqueeze", "transpose"),
    *("permute", "mean", "sum", "sqrt", "clone", "detach", "relu", "item"),
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Loop = ast.For | ast.While


class Slip(NamedTuple):
    """One slip.

    Attributes
    ----------
    kind : str
        ``"no effect"``: a statement that does nothing; ``"nothing"``: why None is returned; ``"argument"``:
        what was given plays no part; ``"return"``: a loop ends in its first round; ``"memory"``: earlier
        calls change the result.
    sentence : str
    """

    kind: str
    sentence: str


def slips(candidate: Any) -> tuple[Slip, ...]:
    """Return the slips in a function, or in the methods of a class; none where the source is not known.

    Examples
    --------
    >>> slips(max)
    ()
    """
    parts = vars(candidate).values() if isinstance(candidate, type) else [candidate]
    found: list[Slip] = []
    for part in parts:
        try:
            function = inspect.unwrap(part) if callable(part) else part
        except (AttributeError, ValueError):  # a decorator may wrap anything
            continue
        if isinstance(function, FunctionType) and not (function.__module__ or "").startswith("course_utils"):
            node = definition(function.__code__)
            if isinstance(node, _Function) and node.name == function.__name__:
                found += _in_function(node)
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=256)
def _in_function(function: _Function) -> Sequence[Slip]:
    return [slip for look in _LOOKS for slip in look(function)]


def _own_statements(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body, of its loops and branches, but not of functions inside it."""
    for statement in statements:
        yield statement
        if isinstance(statement, _Function | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _own_statements(getattr(statement, field, ()))
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _own_statements(part.body)


def _without_effect(function: _Function) -> Iterator[Slip]:
    for statement in _own_statements(function.body):
        match statement:
            case ast.Expr(ast.Attribute() as value) if value.attr not in ("T", "mT", "shape", "data"):
                text = ast.unparse(value)
                said = f"`{text}` has no parentheses, so it is never called: write {text}()."
            case ast.Expr(ast.Compare(ops=[ast.Eq()]) as value):
                said = f"`{ast.unparse(value)}` only compares: a single = gives a value to a name."
            case ast.Expr(ast.BinOp() as value):
                said = f"The result of `{ast.unparse(value)}` is given no name, so it is lost."
            case ast.Expr(ast.Call() as value) if _is_pure(value.func):
                said = f"The result of `{ast.unparse(value)}` is given no name, so it is lost."
            case _:
                continue
        yield Slip("no effect", said)


def _is_pure(called: ast.expr) -> bool:
    """Whether it is a method that leaves its tensor as it is, or a function of ``F`` that does."""
    if not isinstance(called, ast.Attribute) or called.attr.endswith("_"):
        return False
    return called.attr in _PURE or (isinstance(called.value, ast.Name) and called.value.id == "F")


def _returns_nothing(function: _Function) -> Iterator[Slip]:
    returns = [s for s in _own_statements(function.body) if isinstance(s, ast.Return) and s.value]
    for statement in _own_statements(function.body):
        match statement:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Attribute(_, method))) if method in _OF_NONE:
                yield Slip(
                    "nothing",
                    f"`{method}` changes a list and returns None, which then has the name `{name}`: write it "
                    f"without `{name} =`.",
                )
            case ast.Return(ast.Call(ast.Attribute(_, method))) if method in _OF_NONE:
                yield Slip("nothing", f"`{method}` changes a list and returns None: return the list itself.")
            case ast.Return(ast.Call(ast.Name("print"))):
                yield Slip("nothing", "`print` only shows a value; it returns None.")
    if returns and not _always_ends(function.body):
        yield Slip("nothing", "In this case no `return` is reached: the conditions leave it out.")


def _always_ends(body: Sequence[ast.stmt]) -> bool:
    """Whether a body reaches a `return` or a `raise` whatever its conditions say."""
    for statement in body:
        match statement:
            case ast.Return() | ast.Raise():
                return True
            case ast.If(_, then, otherwise) if _always_ends(then) and _always_ends(otherwise):
                return True
            case ast.With(_, inner) if _always_ends(inner):
                return True
    return False


def _arguments(function: _Function) -> Iterator[Slip]:
    given = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    names = [name for name in given if name != "self" and not name.startswith("_")]
    used = {name for s in function.body for node in ast.walk(s) for name in _names_read(node)}
    if unused := [name for name in names if name not in used]:
        yield Slip("argument", f"{_listed(unused)} never used.")
    if replaced := [name for name in _replaced(function.body, set()) if name in names and name in used]:
        yield Slip("argument", f"{_listed(replaced)} given a new value first: what the caller gave is lost.")


def _names_read(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _replaced(body: Sequence[ast.stmt], read: set[str]) -> Iterator[str]:
    """Yield the names that get a value before they are read, in statements that run in any case."""
    for statement in body:
        match statement:
            case ast.Assign(targets, value):
                read |= {name for node in ast.walk(value) for name in _names_read(node)}
                yield from (
                    node.id
                    for target in targets
                    for node in ast.walk(target)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in read
                )
            case ast.With(items, inner):
                read |= {name for item in items for node in ast.walk(item) for name in _names_read(node)}
                yield from _replaced(inner, read)
            case _:
                read |= {name for node in ast.walk(statement) for name in _names_read(node)}


def _listed(names: Sequence[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def _first_round_only(function: _Function) -> Iterator[Slip]:
    for statement in _own_statements(function.body):
        if isinstance(statement, _Loop) and any(isinstance(inner, ast.Return) for inner in statement.body):
            yield Slip("return", "The `return` is inside the loop, so only its first round runs.")


def _remembered(function: _Function) -> Iterator[Slip]:
    outside = {name for s in _own_statements(function.body) if isinstance(s, ast.Global) for name in s.names}
    if outside:
        (name, *_) = sorted(outside)
        yield Slip(
            "memory",
            f"`{name}` lies outside the function and keeps its value from call to call, so the result "
            "depends on the calls before.",
        )


_LOOKS: tuple[Callable[[_Function], Iterator[Slip]], ...] = (
    _without_effect,
    _returns_nothing,
    _arguments,
    _first_round_only,
    _remembered,
)
