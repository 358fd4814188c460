"""What an exercise's cell rarely needs: reasons to run it apart from the others and to look at it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from course_utils.grading.source import NOT_PARSED, bound_by, parse_unchecked, too_deep

_COMMON = {
    *("torch", "torchvision", "numpy", "scipy", "sklearn", "pandas", "matplotlib", "tqdm", "einops"),
    *("math", "cmath", "itertools", "functools", "collections", "operator", "copy", "typing", "dataclasses"),
    *("random", "time", "statistics", "fractions", "decimal", "numbers", "enum", "abc", "warnings", "string"),
    "__future__",
}
_LIBRARIES = {"torch", "nn", "F", "np", "numpy", "math", "functional", "check", "figures", "plt", "random"}
_MODULES = {
    *("os", "sys", "subprocess", "builtins", "ctypes", "gc", "signal", "threading", "socket", "inspect"),
    *("importlib", "multiprocessing", "shutil", "pickle", "json"),
}
_CALLS = {
    *("exec", "eval", "compile", "__import__", "globals", "locals", "vars", "setattr", "delattr", "open"),
    *("input", "breakpoint", "exit", "quit", "get_ipython", "__builtins__"),
}
_MAGICS = {"matplotlib", "autoreload", "precision"}
_METHODS = {
    *("__init__", "__call__", "__repr__", "__str__", "__len__", "__iter__", "__getitem__", "__name__"),
    *("__class__", "__post_init__", "__next__", "__enter__", "__exit__", "__version__", "__doc__"),
}


def reasons_to_look(source: str) -> list[str]:
    """Return what is suspicious about a cell, in words; nothing for almost every honest one.

    This never decides a grade. A cell that hides what it does merely runs with the others.
    """
    try:
        tree = parse_unchecked(source)
    except SyntaxError as error:
        # A typo does not run, and the student is told; code that breaks parsers is another matter.
        mistake = error.lineno is not None and "nested" not in error.msg
        return [] if mistake else ["is not plain Python"]
    except NOT_PARSED:
        return ["is not plain Python"]
    return ["is nested very deeply"] if too_deep(tree) else list(dict.fromkeys(_found(tree)))


def _found(tree: ast.AST) -> Iterator[str]:
    imported = set(_LIBRARIES) | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
            imported.update(bound_by(node))
            yield from (f"imports {name}" for name in modules if name.partition(".")[0] not in _COMMON)
    harmless = {id(node) for call in ast.walk(tree) for node in _harmless(call)}
    for node in ast.walk(tree):
        if id(node) in harmless:
            continue
        if isinstance(node, ast.Name) and node.id in _CALLS:
            yield f"uses {node.id}"
        elif isinstance(node, ast.Attribute):
            if node.attr.startswith("__") and node.attr.endswith("__") and node.attr not in _METHODS:
                yield f"uses {node.attr}"
            elif node.attr in _MODULES or (_private(node.attr) and _root(node) in imported):
                yield f"reaches for {node.attr}"
            if not isinstance(node.ctx, ast.Load) and (root := _root(node)) in imported:
                yield f"changes something in {root}"
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Attribute) and (root := _root(node.value)) in imported:
                yield f"changes something in {root}"
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("__") and node.name not in _METHODS:
            yield f"defines {node.name}"


def _harmless(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is common in ``get_ipython().run_line_magic("matplotlib", …)``, as magics are translated."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="get_ipython") as name), attr="run_line_magic"
            ),
            args=[ast.Constant(value=magic), ast.Constant()],
        ) if magic in _MAGICS:
            yield name


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _root(node: ast.expr) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
