"""Reading figures in the browser."""

from __future__ import annotations

from playwright.sync_api import Page


def cells(page: Page, name: str) -> list[list[str]]:
    """The texts of the table whose caption starts with `name`; a true minus sign is read as a hyphen."""
    rows: list[list[str]] = page.evaluate(
        """name => {
            const tables = [...document.querySelectorAll("table")];
            const table = tables.find(each => (each.caption?.textContent ?? "").startsWith(name));
            if (!table) throw new Error(`no table ${name}: ${tables.map(t => t.caption?.textContent)}`);
            return [...table.rows].map(row => [...row.cells].map(cell => cell.textContent.replace("−", "-")));
        }""",
        name,
    )
    return rows


def values(page: Page, name: str) -> list[list[float]]:
    """The numbers of the table whose caption starts with `name`; empty cells are left out."""
    return [[float(text) for text in row if text] for row in cells(page, name)]
