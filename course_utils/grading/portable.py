"""What an answer needs of the student's machine and does not find where it is graded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

from course_utils.grading.source import bound_by, is_plain, parse

Place = tuple[int, int, int, int]


def portable(source: str) -> tuple[str, list[str]]:
    r"""Return an answer so that it runs without a GPU and a debugger, and what was changed, as sentences.

    An import inside a function of a package that is not installed is left out if nothing uses it.

    Examples
    --------
    >>> source, remarks = portable("def twice(x):\n    breakpoint()\n    return 2 * x.cuda()")
    >>> print(source)
    def twice(x):
        pass
        return 2 * x.cpu()
    >>> remarks[0]
    '`breakpoint()` was left out.'
    """
    tree = parse(source)
    # Magics are translated before parsing, and then places are not those of the source.
    if tree is None or not is_plain(source):
        return source, []
    edits = dict(_edits(tree))
    lines = [line.encode() for line in source.split("\n")]
    remarks: list[str] = []
    for (line, start, last, end), (new, remark) in sorted(edits.items(), reverse=True):
        lines[line - 1 : last] = [lines[line - 1][:start] + new.encode() + lines[last - 1][end:]]
        remarks.insert(0, remark)
    return b"\n".join(lines).decode(), list(dict.fromkeys(remarks))


def missing_packages(source: str) -> list[str]:
    """Return the packages that code imports and that are not installed; not those that it can do without."""
    tree = parse(source)
    if tree is None:
        return []
    tried = {inner for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    imports = (node for node in ast.walk(tree) if node not in tried)
    return list(dict.fromkeys(name for node in imports for name in _absent(node)))


def _edits(tree: ast.Module) -> Iterator[tuple[Place, tuple[str, str]]]:
    no_gpu = "`cuda` was replaced by `cpu`: there is no GPU here."
    asks = any(isinstance(node, ast.Attribute) and node.attr == "is_available" for node in ast.walk(tree))
    # Text inside of other text, or of what is replaced, has no place of its own.
    formatted = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    inside = formatted.union(
        *(node.args for node in ast.walk(tree) if isinstance(node, ast.Call) and _moves(node))
    )
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Name(id="breakpoint"))):
                yield _place(node), ("pass", "`breakpoint()` was left out.")
            case ast.Call(func=ast.Attribute(value=before)) if not asks and _moves(node):
                _, _, line, start = _place(before)
                _, _, last, end = _place(node)
                yield (line, start, last, end), (".cpu()", no_gpu)
            case ast.Constant(value=str(text)) if not asks and node not in inside:
                if text == "cuda" or text.startswith("cuda:"):
                    yield _place(node), ('"cpu"', no_gpu)
            case ast.FunctionDef():
                read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                for inner in node.body:
                    if (names := _absent(inner)) and not read & set(bound_by(inner)):
                        yield (
                            _place(inner),
                            ("pass", f"`import {names[0]}`, which it does not use, was left out."),
                        )


def _moves(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "cuda"


def _absent(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=aliases):
            names = [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), level=0):
            names = [module]
        case _:
            return []
    return [top for name in names if not _installed(top := name.partition(".")[0])]


@cache
def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # a module that is already loaded and has no file
        return True


def _place(node: ast.expr | ast.stmt) -> Place:
    return node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0
