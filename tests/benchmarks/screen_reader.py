"""What a screen reader gets to read in the labs: chromium's accessibility tree, in order of reading.

Run it by hand: ``python tests/benchmarks/screen_reader.py``, with ``--lab 2`` for one lab. It opens each
executed lab as the page that ``course run`` writes, with the cards of two wrong answers behind it, and prints
for each output role, name, value and description, and for each live figure what is announced after one key
press on its first control. ``--jupyterlab`` does the same with one lab (the second, which trains nothing) run
in JupyterLab, and then asks axe-core about JupyterLab and Notebook 7 with a notebook without the course.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, CDPSession, Locator, Page, sync_playwright

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("support", "browser"))
from accessibility import violations
from choice import ARGUMENTS, decide
from lab_server import JUPYTERLAB, NOTEBOOK_7, jupyterlab, open_notebook, run_all
from test_browser_notebooks import FIGURE, KEYS

from course_utils import exercises
from course_utils.figures import verdict_card
from course_utils.notebooks.page import write_page

SOLUTIONS = Path(__file__).parents[2] / "solutions"
WRONG = {
    1: ("cross_correlate", "output_size"),
    2: ("max_pool", "pooled_shape"),
    3: ("error_rate", "train_step"),
    4: ("vgg_block", "receptive_field"),
}
"""The exercises of each lab to which a wrong answer is given: the first misconception of each."""

_SILENT = {
    "InlineTextBox",
    "LineBreak",
    "generic",
    "none",
    "paragraph",
    "strong",
    "LabelText",
    "MenuListPopup",
}
"""Roles that are read as what is in them, without a word about themselves."""

_WHOLE = {
    "StaticText",
    "heading",
    "button",
    "link",
    "image",
    "spinbutton",
    "checkbox",
    "combobox",
    "DisclosureTriangle",
}
"""Roles whose name and value say all that is in them."""

# Collects the texts of live regions from now on, one for each change that a screen reader would announce.
_LISTEN = """() => {
    const LIVE = "[role=status], [role=alert], [aria-live]";
    if (window.announced) return window.announced.splice(0);
    window.announced = [];
    new MutationObserver(changes => {
        const live = node => (node.closest ? node : node.parentElement)?.closest(LIVE);
        const regions = changes.map(({target}) => live(target));
        for (const region of new Set(regions)) {
            if (region && region.ariaLive !== "off") window.announced.push(region.textContent);
        }
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


class Reader:
    """Reads a page's accessibility tree.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session: CDPSession = page.context.new_cdp_session(page)

    def lines(self, part: Locator) -> list[str]:
        """What is read of a part of the page, indented by depth."""
        top = self._fetched(part, "Accessibility.queryAXTree")
        return list(self._read(top, 0))

    def focused(self, control: Locator) -> str:
        """What is read of a control that has the focus."""
        return self._said(self._fetched(control, "Accessibility.getPartialAXTree", fetchRelatives=False))

    def _fetched(self, part: Locator, command: str, **options: bool) -> dict[str, Any]:
        """Fetch the nodes of a part of the page; return the first."""
        part.evaluate("element => { window.part = element; }")
        found = self._session.send("Runtime.evaluate", {"expression": "window.part"})["result"]["objectId"]
        nodes = self._session.send(command, {"objectId": found, **options})["nodes"]
        self._nodes = {node["nodeId"]: node for node in nodes}
        first: dict[str, Any] = nodes[0]
        return first

    def _read(self, node: dict[str, Any], depth: int) -> Iterator[str]:
        role, name = _text(node, "role"), _text(node, "name")
        children = [self._nodes[each] for each in node.get("childIds", []) if each in self._nodes]
        if node["ignored"] or role in _SILENT:
            yield from self._together(children, depth)
        elif role == "table":
            yield "  " * depth + self._table(node)
        elif role != "StaticText" or name.strip():
            yield "  " * depth + self._said(node)
            # What is already in the name is not read twice.
            if role not in _WHOLE:
                yield from self._together(children, depth + 1)

    def _together(self, nodes: list[dict[str, Any]], depth: int) -> Iterator[str]:
        for node in nodes:
            yield from self._read(node, depth)

    def _table(self, node: dict[str, Any]) -> str:
        rows = list(self._under(node, {"row", "LayoutTableRow"}))
        cells = [list(self._under(row, {"cell", "gridcell", "columnheader", "rowheader"})) for row in rows]
        heads = [
            [_text(each, "name") for row in cells for each in row if _text(each, "role") == role]
            for role in ("columnheader", "rowheader")
        ]
        width = max(map(len, cells), default=0)
        values = [_text(each, "name") for row in cells for each in row if _text(each, "role") == "cell"]
        marked = [_text(each, "name") for row in cells for each in row if _labelled(each)]
        said = f"{self._said(node)}: {len(rows)} rows, {width} columns"
        for what, names in zip(("columns", "rows"), heads, strict=True):
            said += f"; {what} headed {_some(names)}" if names else f"; no headers of {what}"
        return f"{said}; cells {_some(values)}" + (f"; marked {_some(marked)}" if marked else "")

    def _said(self, node: dict[str, Any]) -> str:
        """Role, name, value, description and states."""
        parts = [_text(node, "role"), f"“{' '.join(_text(node, 'name').split())}”"]
        parts += [f"value “{value}”"] if (value := self._value(node)) else []
        parts += [f"description “{text}”"] if (text := _text(node, "description")) else []
        states = {each["name"]: each["value"].get("value") for each in node.get("properties", [])}
        for state in ("checked", "expanded", "disabled"):
            parts += [f"{state}: {states[state]}"] if state in states else []
        return " ".join(parts)

    def _value(self, node: dict[str, Any]) -> str:
        # The protocol tells a slider's number even where words stand for it.
        found = self._session.send("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]})["node"]
        attributes = found.get("attributes", [])
        words = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("aria-valuetext")
        return words or _text(node, "value")

    def _under(self, node: dict[str, Any], roles: set[str]) -> Iterator[dict[str, Any]]:
        for number in node.get("childIds", []):
            if (child := self._nodes.get(number)) is None:
                continue
            if _text(child, "role") in roles and not child["ignored"]:
                yield child
            else:
                yield from self._under(child, roles)


def _text(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))


def _labelled(node: dict[str, Any]) -> bool:
    sources = node.get("name", {}).get("sources", [])
    return any(each.get("attribute") == "aria-label" and "value" in each for each in sources)


def _some(texts: list[str], most: int = 8) -> str:
    shown = ", ".join(f"“{' '.join(text.split())}”" for text in texts[:most])
    return shown + (f" and {len(texts) - most} more" if len(texts) > most else "")


def wrong_cards(lab: int) -> Iterator[nbformat.NotebookNode]:
    """Cells with the cards of two wrong answers."""
    for name in WRONG[lab]:
        wrong = exercises.get(name).misconceptions[0].wrong
        bundle = verdict_card(exercises.evaluate(name, wrong))._repr_mimebundle_()
        yield nbformat.v4.new_code_cell(
            f"check.{name}({name})", outputs=[nbformat.v4.new_output("display_data", data=bundle)]
        )


def told(page: Page) -> Iterator[str]:
    """Headings, then each output that is more than printed text, then what a key press announces."""
    reader = Reader(page)
    yield "headings: " + " · ".join(
        page.locator("h1, h2, h3, h4, h5, h6").evaluate_all(
            "all => all.map(e => `${e.tagName} ${e.innerText}`)"
        )
    )
    for number, part in enumerate(page.locator(".jp-OutputArea-output").all(), start=1):
        if part.locator("img, table, .cl-card, .cl-live, progress, details").count():
            yield f"output {number}"
            yield from (f"  {line}" for line in reader.lines(part))
            for figure in part.locator(FIGURE).all():
                yield from (f"  {line}" for line in _pressed(page, reader, figure))


def _pressed(page: Page, reader: Reader, figure: Locator) -> Iterator[str]:
    control = figure.locator(".cl-pad, input:visible, select:visible").first
    kind = control.get_attribute("type")
    key = KEYS.get(kind, "ArrowRight")
    if kind == "range" and control.evaluate("e => e.value === e.max"):
        key = "ArrowLeft"
    control.focus()
    page.evaluate(_LISTEN)
    page.keyboard.press(key)
    page.wait_for_timeout(300)
    yield f"after {key}: {reader.focused(control)}"
    for text in page.evaluate(_LISTEN) or ["nothing"]:
        yield f"  announced “{text}”"


def pages(browser: Browser, labs: list[int], folder: Path) -> None:
    """Print what is read on the labs' pages."""
    for path in sorted(SOLUTIONS.glob("0*.ipynb")):
        lab = int(path.stem[:2])
        if lab not in labs:
            continue
        notebook = nbformat.read(path, as_version=4)
        notebook.cells += wrong_cards(lab)
        file = folder / f"{path.stem}.html"
        write_page(notebook, file, title=path.stem, folder=SOLUTIONS)
        page = browser.new_page()
        page.goto(file.as_uri())
        print(f"\n== {path.stem}, the page")
        print(*told(page), sep="\n", flush=True)
        page.close()


def in_front_ends(browser: Browser, folder: Path) -> None:
    """Print what is read of Lab 02 in JupyterLab, and what axe finds in front ends without the course."""
    notebook = nbformat.read(SOLUTIONS / "02_pooling_layer.ipynb", as_version=4)
    for name in WRONG[2]:
        asked = f"from course_utils.exercises import get\ncheck.{name}(get({name!r}).misconceptions[0].wrong)"
        notebook.cells.append(nbformat.v4.new_code_cell(asked))
    bare = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A title\n\nText."), nbformat.v4.new_code_cell("print(1)")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    files = [folder / "work" / "lab.ipynb", folder / "work" / "bare.ipynb"]
    files[0].parent.mkdir()
    for file, content in zip(files, (notebook, bare), strict=True):
        nbformat.write(content, file)
    for front_end in (JUPYTERLAB, NOTEBOOK_7):
        home = folder / front_end.module
        home.mkdir()
        with jupyterlab(home, files, front_end) as address:
            page = browser.new_page(viewport={"width": 1250, "height": 1000})
            if front_end == JUPYTERLAB:
                open_notebook(page, address, "work/lab.ipynb", front_end)
                page.evaluate(_LISTEN)
                run_all(page)
                print("\n== 02_pooling_layer in JupyterLab")
                print("announced while its cells ran:", page.evaluate(_LISTEN) or "nothing")
                print(*told(page), sep="\n", flush=True)
            open_notebook(page, address, "work/bare.ipynb", front_end)
            run_all(page)
            # The front ends' body is 0 pixels high and clips: axe would take all that is in it for hidden.
            page.add_style_tag(content="body { height: 100vh }")
            print(f"\n== {front_end.module} {version(front_end.module)} itself, asked by axe-core", end=" ")
            found = violations(page)
            print(page.evaluate("axe.version"))
            print(*found or ["nothing"], sep="\n", flush=True)
            page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", type=int, choices=WRONG, action="append", help="only this lab's page")
    parser.add_argument(
        "--jupyterlab", action="store_true", help="JupyterLab and Notebook 7 instead of pages"
    )
    chosen = parser.parse_args()
    choice = decide(print)
    if choice.launch is None:
        sys.exit(choice.reason)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(**choice.launch, args=ARGUMENTS)
        if chosen.jupyterlab:
            in_front_ends(browser, Path(folder))
        else:
            pages(browser, chosen.lab or list(WRONG), Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
