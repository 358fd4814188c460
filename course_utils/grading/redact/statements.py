"""What single statements bind and use."""

from __future__ import annotations

import ast
from typing import Any


class UsedNames(ast.NodeVisitor):
    """Which names a statement uses when it runs; annotations are never evaluated."""

    def __init__(self) -> None:
        self.plain: set[str] = set()
        self.dotted: set[tuple[str, str]] = set()

    def visit_Name(self, node: ast.Name) -> None:
        """Note a name that is read."""
        if isinstance(node.ctx, ast.Load):
            self.plain.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note an attribute of a name, such as `calls.call_text`."""
        if isinstance(node.value, ast.Name):
            self.dotted.add((node.value.id, node.attr))
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Pass over a parameter's annotation."""
        pass

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Look into all but the annotation of what is returned."""
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Look into the value alone."""
        if node.value is not None:
            self.visit(node.value)


class WithoutDocstrings(ast.NodeTransformer):
    """Takes the docstrings away."""

    def _cut(self, node: Any) -> Any:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_ClassDef = _cut  # noqa: N815


def single_imports(statement: ast.stmt) -> list[ast.stmt]:
    """Return an import of several names as imports of one."""
    if isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    if isinstance(statement, ast.Import):
        return [ast.Import([alias]) for alias in statement.names]
    return [statement]


def bound_names(statement: ast.stmt) -> list[str]:
    """Return the names that a top-level statement binds."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    return [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
