"""Slips that can be read from an answer's source: true of the code, whatever it returns."""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from torch import Tensor, nn

from course_utils.exercises.loops import lost_in_loops
from course_utils.exercises.own_source import codes_of, definition

_OF_NONE = ("append", "extend", "insert", "sort", "reverse", "remove", "clear", "update")
_PURE = (
    *("float", "double", "long", "int", "view", "reshape", "flatten", "squeeze", "unsqueeze", "transpose"),
    *("permute", "mean", "sum", "sqrt", "clone", "detach", "relu", "item", "roll", "flip", "softmax"),
)
_EXERCISES = ("zero_pad", "cross_correlate", "output_size", "conv2d_single", "im2col", "max_pool", "avg_pool")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Loop = ast.For | ast.While


class Slip(NamedTuple):
    """One slip.

    Attributes
    ----------
    kind : str
        ``"no effect"``: a statement that does nothing; ``"nothing"``: why None is returned; ``"argument"``:
        what was given plays no part; ``"return"``: a loop ends in its first round; ``"loop"``: its rounds
        replace one another; ``"expression"``: it means something else; ``"unreachable"``: an `elif` that
        never counts; ``"memory"``: earlier calls change the result; ``"outside"``: values of the notebook do.
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
                found += [*_in_function(node), *_of_the_notebook(function)]
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
    """Whether it leaves its tensors as they are: a method, a function of PyTorch, an earlier exercise."""
    match called:
        case ast.Name(name):
            return name in _EXERCISES
        case ast.Attribute(_, name) if name.endswith("_"):
            return False
        case ast.Attribute(ast.Name("F"), _):
            return True
        case ast.Attribute(_, name):
            return name in _PURE
    return False


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


def _lost_in_loops(function: _Function) -> Iterator[Slip]:
    yield from (Slip("loop", sentence) for sentence in lost_in_loops(function))


def _divided_before(function: _Function) -> Iterator[Slip]:
    for node in ast.walk(function):
        match node:
            case ast.BinOp(ast.BinOp() | ast.Name(), ast.Sub(), ast.BinOp(ast.Name(name), sign)) as whole:
                if isinstance(sign, ast.Div | ast.FloorDiv):
                    yield Slip(
                        "expression",
                        f"In `{ast.unparse(whole)}` only `{name}` is divided: / and // come before + and -, "
                        "so a whole difference needs brackets.",
                    )


def _pairs(function: _Function) -> Iterator[Slip]:
    """Tell of a maximum along an axis, which is a pair, that is used as if it were one tensor."""
    for statement in _own_statements(function.body):
        match statement:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Attribute(_, "max" | "min" as which)) as made):
                if _has_axis(made) and not _taken_apart(function, name):
                    yield Slip(
                        "expression",
                        f"`{ast.unparse(made)}` is a pair: the values ({which}) and where they are "
                        f"(arg{which}). Take one of them, `.values` or `.indices`.",
                    )


def _has_axis(made: ast.Call) -> bool:
    on_torch = isinstance(made.func, ast.Attribute) and ast.unparse(made.func.value) == "torch"
    axes = [*made.args[on_torch:], *(k.value for k in made.keywords if k.arg in ("dim", "axis"))]
    return bool(axes) and all(ast.unparse(axis).lstrip("-").isdigit() for axis in axes)


def _taken_apart(function: _Function, name: str) -> bool:
    for node in ast.walk(function):
        match node:
            case ast.Attribute(ast.Name(used)) | ast.Subscript(ast.Name(used)) if used == name:
                return True
            case ast.Assign([ast.Tuple()], ast.Name(used)) if used == name:
                return True
    return False


def _one_side_only(function: _Function) -> Iterator[Slip]:
    """Yield where of height and width, read from a shape, only one is used."""
    read = [name for node in ast.walk(function) for name in _names_read(node)]
    for statement in _own_statements(function.body):
        match statement:
            case ast.Assign([ast.Tuple([*_, ast.Name(height), ast.Name(width)])], _):
                used = [name in read for name in (height, width)]
                if sum(used) == 1:
                    one, other = (height, width) if used[0] else (width, height)
                    yield Slip("argument", f"`{other}` is never used: does `{one}` stand in its place?")


def _never_reached(function: _Function) -> Iterator[Slip]:
    """Yield an `elif` whose condition is true only where the one above it is true, too."""
    for node in ast.walk(function):
        match node:
            case ast.If(
                ast.Compare(above, [op], [ast.Constant(int() | float() as first)]),
                orelse=[ast.If(ast.Compare(below, [same], [ast.Constant(int() | float() as then)]) as test)],
            ) if type(op) is type(same) and ast.dump(above) == ast.dump(below):
                rises = isinstance(op, ast.Gt | ast.GtE) and then >= first
                if rises or (isinstance(op, ast.Lt | ast.LtE) and then <= first):
                    yield Slip(
                        "unreachable",
                        f"`elif {ast.unparse(test)}` is never reached: where it is true, "
                        f"`{ast.unparse(node.test)}` above it is true already.",
                    )
                    return


def _of_the_notebook(function: FunctionType) -> Iterator[Slip]:
    names = sorted(name for name in _globals_read(function.__code__) if _has_numbers(function, name))
    if names:
        one = len(names) == 1
        yield Slip(
            "outside",
            f"{_listed(names)} {'a variable' if one else 'variables'} of the notebook, not "
            f"{'a parameter' if one else 'parameters'} of the function: the same in every call.",
        )


def _globals_read(code: CodeType) -> set[str]:
    steps = (step for part in codes_of(code) for step in dis.get_instructions(part))
    return {step.argval for step in steps if step.opname == "LOAD_GLOBAL"}


def _has_numbers(function: FunctionType, name: str) -> bool:
    """Whether a name of the notebook is a tensor, a dataset, or a network with parameters."""
    value = function.__globals__.get(name)
    try:
        if isinstance(value, nn.Module):
            return any(True for _ in value.parameters())
        return isinstance(value, Tensor) or type(value).__module__.startswith("course_utils.data.")
    except Exception:  # a network may be half made, and an object may refuse anything
        return False


_LOOKS: tuple[Callable[[_Function], Iterator[Slip]], ...] = (
    _without_effect,
    _returns_nothing,
    _arguments,
    _first_round_only,
    _lost_in_loops,
    _divided_before,
    _pairs,
    _one_side_only,
    _never_reached,
    _remembered,
)
