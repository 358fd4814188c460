"""Reading and using live figures in the browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

_READ = """([name, nth]) => {
    const tables = [...document.querySelectorAll("table")].filter(table => table.checkVisibility());
    const named = tables.filter(each => each.caption.textContent.startsWith(name));
    const names = tables.map(each => each.caption.textContent);
    if (!named[nth]) throw new Error(`no table "${name}" among ${names}`);
    return [...named[nth].rows].map(row => [...row.cells].map(cell => WHAT));
}"""


def cells(page: Page, name: str, nth: int = 0, what: str = "cell.textContent") -> list[list[Any]]:
    """`what` of each cell of the visible table whose caption starts with `name`."""
    rows: list[list[Any]] = page.evaluate(_READ.replace("WHAT", what), [name, nth])
    return rows


def values(page: Page, name: str, nth: int = 0) -> list[list[float]]:
    """The numbers of that table; empty cells are left out."""
    texts = cells(page, name, nth, "cell.textContent.replace('−', '-').replace('e−', 'e-')")
    return [row for row in ([float(text) for text in row if text] for row in texts) if row]


def say(page: Page) -> str:
    """The line that describes the figure, as screen readers speak it."""
    return page.get_by_role("status").inner_text().replace("−", "-")


def open_all(page: Page) -> None:
    """Open what figures show on demand."""
    page.locator("[aria-expanded=false]").evaluate_all("all => all.forEach(each => each.click())")


def press(page: Page, label: str, *keys: str) -> None:
    """Use a control with the keyboard alone."""
    control = page.get_by_label(label, exact=True)
    control.focus()
    for key in keys:
        page.keyboard.press(key)


def slide(page: Page, label: str, share: float) -> None:
    """Press the mouse on a slider, from 0 (its left end) to 1."""
    box = page.get_by_label(label, exact=True).bounding_box()
    assert box
    page.mouse.click(box["x"] + 1 + share * (box["width"] - 2), box["y"] + box["height"] / 2)


def spin(page: Page, label: str, steps: int) -> None:
    """Press the small arrows of a number field with the mouse."""
    control = page.get_by_label(label, exact=True)
    control.hover()
    box = control.bounding_box()
    assert box
    height = box["height"] * (0.3 if steps > 0 else 0.7)
    for _ in range(abs(steps)):
        page.mouse.click(box["x"] + box["width"] - 12, box["y"] + height)


def select(page: Page, label: str, index: int) -> None:
    """Choose from a list: the browser draws its menu outside the page, where no test's mouse can reach."""
    page.get_by_label(label, exact=True).select_option(index=index)
