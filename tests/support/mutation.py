"""Mutants of a function or class: each differs from it in one small way, as answers with a slip would.

`mutants(reference)` yields them ready to call. A mutant is named by the statement that it changes, before and
after, so that a list of equivalent ones stays valid when lines move.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
}
NAMES = {
    "amax": "amin",
    "argmax": "argmin",
    "max": "min",
    "min": "max",
    "sum": "mean",
    "mean": "sum",
    "zeros": "ones",
    "std": "var",
}
PARTNERS = ("height width", "rows columns", "kh kw", "i j", "di dj", "a b", "c d")
LAMBDA = "the_lambda"
PARTNER = {name: other for pair in PARTNERS for name, other in permutations(pair.split())}


@dataclass(frozen=True)
class Mutant:
    """One changed copy; `name` is ``"statement before  ->  statement after"``."""

    name: str
    call: Any


def mutants(reference: Any) -> Iterator[Mutant]:
    """Yield every mutant of a function or class, and of the helpers in its module that it calls."""
    texts = [ast.unparse(_tree(unit)) for unit in (*_helpers(reference), reference)]
    trees = [ast.parse(text) for text in texts]
    seen = set(texts)
    for k, tree in enumerate(trees):
        for path, replacement in _changes(tree):
            changed = ast.parse(texts[k])  # a copy takes ten times as long
            before, after = _apply(changed, path, replacement)
            text = ast.unparse(changed)
            if text not in seen:
                seen.add(text)
                units = [*trees[:k], changed, *trees[k + 1 :]]
                yield Mutant(f"{before}  ->  {after}", _compiled(units, reference))


def _tree(unit: Any) -> ast.Module:
    """Return the syntax tree of a function, a class, or a lambda, which is the first in its line."""
    if unit.__name__ != "<lambda>":
        return ast.parse(textwrap.dedent(inspect.getsource(unit)))
    tree = ast.parse(inspect.getsource(sys.modules[unit.__module__]))
    lambdas = (node for node in ast.walk(tree) if isinstance(node, ast.Lambda))
    found = next(node for node in lambdas if node.lineno == unit.__code__.co_firstlineno)
    return ast.Module([ast.Assign([ast.Name(LAMBDA, ast.Store())], found, lineno=0)], [])


def _helpers(reference: Any) -> list[Any]:
    module = sys.modules[reference.__module__]
    names = {node.id for node in ast.walk(_tree(reference)) if isinstance(node, ast.Name)}
    found = [getattr(module, name, None) for name in sorted(names - {reference.__name__})]
    return [f for f in found if inspect.isfunction(f) and f.__module__ == reference.__module__]


def _compiled(trees: list[ast.Module], reference: Any) -> Any:
    namespace = dict(vars(sys.modules[reference.__module__]))
    for tree in trees:
        exec(compile(ast.fix_missing_locations(tree), "<mutant>", "exec", dont_inherit=True), namespace)
    return namespace[LAMBDA if reference.__name__ == "<lambda>" else reference.__name__]


Path = list[tuple[str, int | None]]


def _walk(node: ast.AST, path: Path) -> Iterator[tuple[ast.AST, Path]]:
    yield node, path
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases"):
            continue
        if isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _walk(item, [*path, (field, index)])
        elif isinstance(value, ast.AST):
            yield from _walk(value, [*path, (field, None)])


def _changes(tree: ast.Module) -> Iterator[tuple[Path, ast.AST | None]]:
    """Yield where to change what; None deletes a statement."""
    for node, path in _walk(tree, []):
        for replacement in _of(node):
            yield path, replacement
        removable = isinstance(node, (ast.AugAssign, ast.Expr)) or (
            isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name)
        )
        if removable and not _is_docstring(node):
            yield path, ast.Pass()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _of(node: ast.AST) -> Iterator[ast.AST]:
    def but(**fields: Any) -> ast.AST:
        changed = copy.deepcopy(node)
        for name, value in fields.items():
            setattr(changed, name, value)
        return changed

    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield from (but(op=other()) for other in OPERATORS.get(type(op), ()))
            yield from (left, right)
        case ast.AugAssign(op=op, target=target, value=value):
            yield from (but(op=other()) for other in OPERATORS.get(type(op), ()))
            yield ast.Assign(targets=[target], value=value, lineno=0)
        case ast.Compare(ops=[op]):
            yield from (but(ops=[other()]) for other in COMPARISONS.get(type(op), ()))
        case ast.BoolOp(op=op):
            yield but(op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.If(test=test):
            yield but(test=ast.UnaryOp(ast.Not(), test))
        case ast.Constant(value=bool(value)):
            yield but(value=not value)
        case ast.Constant(value=int(value)):
            yield from (but(value=value + 1), but(value=value - 1))
        case ast.Constant(value=float(value)):
            yield from (but(value=value * 2), but(value=value + 0.1))
        case ast.Call(args=args):
            yield from (_swapped(node, "args", k) for k in range(len(args) - 1))
            if isinstance(node.func, ast.Name) and node.func.id == "range":
                last = args[-1] if len(args) < 3 else args[1]
                at = args.index(last)
                yield from (
                    but(args=[*args[:at], ast.BinOp(last, op(), ast.Constant(1)), *args[at + 1 :]])
                    for op in (ast.Add, ast.Sub)
                )
        case ast.Attribute(attr=attr) if attr in NAMES:
            yield but(attr=NAMES[attr])
        case ast.Name(id=name, ctx=ast.Load()) if name in PARTNER:
            yield but(id=PARTNER[name])
        case ast.Tuple(elts=elements):
            yield from (_swapped(node, "elts", k) for k in range(len(elements) - 1))
        case ast.Slice():
            yield from (but(**{part: None}) for part in ("lower", "upper", "step") if getattr(node, part))


def _swapped(node: ast.AST, field: str, k: int) -> ast.AST:
    changed = copy.deepcopy(node)
    items = getattr(changed, field)
    items[k], items[k + 1] = items[k + 1], items[k]
    return changed


def _apply(tree: ast.AST, path: Path, replacement: ast.AST) -> tuple[str, str]:
    """Replace the node at `path`; return the statement around it before and after."""
    chain = [tree]
    for field, index in path:
        value = getattr(chain[-1], field)
        chain.append(value if index is None else value[index])
    depth = max(k for k, node in enumerate(chain) if isinstance(node, ast.stmt))
    before = _head(chain[depth])
    field, index = path[-1]
    if index is None:
        setattr(chain[-2], field, replacement)
    else:
        getattr(chain[-2], field)[index] = replacement
    return before, _head(replacement if depth == len(chain) - 1 else chain[depth])


def _head(statement: ast.AST) -> str:
    text = ast.unparse(statement)
    compound = isinstance(statement, (ast.For, ast.If, ast.With, ast.FunctionDef, ast.ClassDef))
    return text.splitlines()[0] if compound else text
