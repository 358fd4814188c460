"""What axe-core does not ask of figures, tables and cards: room for text, targets, focus, motion, colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from accessibility import violations
from artefacts import keep
from network_samples import NETWORKS, LeNet5, answers, history
from pages import open_all, press
from playwright.sync_api import BrowserContext, Page
from test_browser_cards import cards
from torch import nn

from course_utils import figures, load_dataset
from course_utils.notebooks.page import write_page

pytestmark = pytest.mark.slow

FAINT = "color: #bbb"
CELLS = "<td>1</td><td>10</td>" * 100


@pytest.mark.parametrize(
    ("faint", "found"),
    [
        ("", 0),
        (f"<td style='{FAINT}'>20</td>" * 20, 1),
        (f"<td style='{FAINT}'>2</td><td style='{FAINT}'>20</td>", 1),
        (f"<td><b style='{FAINT}'>20</b></td>", 1),
        (f"<td style='{FAINT}'>20</td><td><b style='{FAINT}'>30</b></td>", 2),
        (f"<td hidden style='{FAINT}'>20</td>", 0),
        (f"<td hidden style='{FAINT}'>20</td><td style='{FAINT}'>30</td>", 1),
        ("<td style='background: #111'>20</td>", 1),
        (f"<td><input value='20' aria-label='number' style='{FAINT}'></td>", 1),
    ],
)
def test_one_of_each_kind_of_faint_text_is_found(
    faint: str, found: int, contexts: Callable[..., BrowserContext]
) -> None:
    page = contexts().new_page()
    table = f"<table><tr>{CELLS}{faint}{CELLS}</tr></table>"
    page.set_content(f"<html lang='en'><title>Table</title><main><h1>Table</h1>{table}</main></html>")
    for within in (None, "table"):
        assert [line.split()[0] for line in violations(page, within)] == ["color-contrast"] * found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page with every live figure, every kind of table, plots and cards, as ``course run`` writes it."""
    torch.manual_seed(0)
    data = load_dataset("digits")
    labels = data.test.labels
    weight = torch.linspace(-1, 1, 36).reshape(2, 2, 3, 3)
    image = torch.linspace(0, 1, 100).reshape(1, 10, 10)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    shown = [
        figures.conv_walk(torch.arange(72).reshape(2, 6, 6), weight, padding=1),
        figures.conv_walk(torch.arange(400).reshape(20, 20), weight[0, 0], stride=3),
        figures.im2col_walk(),
        figures.pool_walk(),
        figures.receptive_field(model, image),
        figures.shape_chain(LeNet5(), (1, 28, 28)),
        figures.cost_bars({name: NETWORKS[name] for name in list(NETWORKS)[:3]}),
        figures.training_panel(history(), answers(labels), labels, data.test.images, data.classes),
        figures.draw_digit(LeNet5()).figure,
        figures.number_grids(image=image[0], kernel=weight[0, 0], windows={"image": (0, 0)}, signs="*"),
        figures.table([["conv1", 500, "with a bias"]], ["layer", "parameters", "note"], "Parameters"),
        figures.confusion_matrix(torch.eye(10) * 5 + 1, [f"class {k}" for k in range(10)]),
        figures.timing_bars({"loops": 2.5, "nn.Conv2d": 3e-4}),
        figures.filters(model[0].weight),
        *cards(),
    ]
    outputs = [nbformat.v4.new_output("display_data", data=each._repr_mimebundle_()) for each in shown]
    text = nbformat.v4.new_markdown_cell("# Everything\n\nWith a [link](#Everything) and $x_1$.")
    notebook = nbformat.v4.new_notebook(cells=[text, nbformat.v4.new_code_cell("1 + 1", outputs=outputs)])
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(notebook, path, title="Everything", folder=path.parent)
    return path


@pytest.fixture
def opened(file: Path, contexts: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Opens that page, with all that figures show on demand; keywords go to Playwright's ``new_context``."""

    def open_page(**options: Any) -> Page:
        page = contexts(**options).new_page()
        page.goto(file.as_uri())
        open_all(page)
        return page

    return open_page


# Pairs of texts of which one covers a part of the other.
_OVERLAPS = """() => {
    const shown = [];
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const parent = node.parentElement;
        const said = node.data.trim() && !parent.closest("script, style, option");
        if (!said || !parent.checkVisibility()) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            // Letters are lower than their lines.
            const rim = box.height / 4;
            const [left, right] = [box.left + 1, box.right - 1];
            if (left < right) shown.push({node, left, right, top: box.top + rim, bottom: box.bottom - rim});
        }
    }
    shown.sort((a, b) => a.top - b.top);
    const found = [];
    shown.forEach((a, i) => {
        for (let j = i + 1; j < shown.length && shown[j].top < a.bottom; j++) {
            const b = shown[j];
            if (a.node === b.node || b.left >= a.right || a.left >= b.right) continue;
            // What scrolled out of sight covers nothing.
            const x = (Math.max(a.left, b.left) + Math.min(a.right, b.right)) / 2;
            const cut = [a, b].some(({node}) => {
                const part = node.parentElement.closest(".cl-row-of, .cl-scroll, [tabindex='0']");
                const box = part?.getBoundingClientRect();
                return box && (x < box.left || x > box.right || b.top < box.top || b.top > box.bottom);
            });
            if (!cut) found.push(`${a.node.data.trim()} | ${b.node.data.trim()}`);
        }
    });
    return found;
}"""

# Texts beyond the right edge, other than those of tables and plots, which scroll.
_OUTSIDE = """() => [...document.querySelectorAll("main *")].filter(element => {
    const text = [...element.childNodes].some(each => each.nodeType === 3 && each.data.trim());
    const other = element.closest("script, style, option, table, [tabindex='0']:not(.jp-OutputArea-output)");
    if (!text || other || !element.checkVisibility()) return false;
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect().right > innerWidth;
}).map(element => element.textContent.slice(0, 80))"""

_SPACED = """
* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }"""


@pytest.mark.parametrize("width", [320, 640])
def test_nothing_is_lost_when_the_page_is_narrow_or_enlarged(width: int, opened: Callable[..., Page]) -> None:
    """WCAG 1.4.10 and 1.4.4: 640 pixels are left of 1280 at 200 %, 320 at 400 %."""
    page = opened(viewport={"width": width, "height": 900}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_OVERLAPS) == []
    assert page.evaluate(_OUTSIDE) == []


def test_nothing_is_lost_when_the_reader_spaces_the_text_out(opened: Callable[..., Page]) -> None:
    """WCAG 1.4.12."""
    page = opened()
    assert page.evaluate(_OVERLAPS) == []
    page.add_style_tag(content=_SPACED)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1000
    assert page.evaluate(_OVERLAPS) == []


def test_controls_are_large_enough_for_an_unsteady_hand(opened: Callable[..., Page]) -> None:
    """WCAG 2.5.8, which axe leaves out unless it is asked."""
    assert violations(opened(), target_size=True, color_contrast=False) == []


_STOP = """() => {
    const stop = document.activeElement;
    const [style, box] = [getComputedStyle(stop), stop.getBoundingClientRect()];
    const middle = [box.left + box.width / 2, Math.max(box.top, 0) + Math.min(box.height, innerHeight) / 2];
    const top = document.elementFromPoint(...middle);
    return {
        what: stop === document.body ? "" : stop.outerHTML.slice(0, 100),
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
        seen: stop.contains(top),
    };
}"""


def test_every_stop_of_the_tab_key_shows_where_it_is(opened: Callable[..., Page]) -> None:
    """WCAG 2.4.7 and 2.4.11."""
    page = opened()
    stops = []
    while not stops or stops[-1]["what"]:
        page.keyboard.press("Tab")
        stops.append(page.evaluate(_STOP))
    assert len(stops) > 60
    assert [stop["what"] for stop in stops[:-1] if not (stop["ring"] and stop["seen"])] == []


def test_nothing_moves_by_itself(opened: Callable[..., Page]) -> None:
    """WCAG 2.2.2, and readers who ask for reduced motion: only Play moves, until it is pressed again."""
    page = opened(reduced_motion="reduce")
    page.get_by_text("The network answers only while its kernel is running").wait_for()
    picture = "() => document.querySelector('main').innerHTML"
    before = page.evaluate(picture)
    page.wait_for_timeout(700)
    assert page.evaluate(picture) == before
    play = page.get_by_role("button", name="Play").first
    play.click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Pause").click()
    after = page.evaluate(picture)
    assert after != before
    page.wait_for_timeout(700)
    assert page.evaluate(picture) == after
    assert page.evaluate("document.getAnimations().length") == 0


# What differs too little from its page in forced colours: texts, lines, and areas that stand for numbers.
_FAINT = """() => {
    const light = ([r, g, b]) => [r, g, b].map(level => {
        const c = level / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    }).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const parts = colour => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const paper = light(parts(getComputedStyle(document.body).backgroundColor));
    const contrast = colour => {
        const own = light(parts(colour));
        return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05);
    };
    const found = [];
    const ask = (selector, property, least) => {
        for (const element of document.querySelectorAll(selector)) {
            if (!element.checkVisibility()) continue;
            const colour = getComputedStyle(element)[property];
            const faint = colour !== "none" && !(contrast(colour) >= least);
            if (faint) found.push(`${selector} ${property} ${colour}`);
        }
    };
    ask(".cl-stage svg text", "fill", 4.5);
    ask(".cl-curves path, .cl-chain path", "stroke", 3);
    ask(".cl-bar:not(.cl-work) i", "backgroundColor", 3);
    ask(".cl-nums td.window, .cl-nums td.at", "outlineColor", 3);
    const tinted = [...document.querySelectorAll(".cl-small td")];
    if (new Set(tinted.map(cell => getComputedStyle(cell).backgroundColor)).size < 5) found.push("no tints");
    return [...new Set(found)];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_can_be_read_in_the_systems_own_colours(theme: str, opened: Callable[..., Page]) -> None:
    """Windows' contrast themes take all colours away that a page has not made its own."""
    page = opened(forced_colors="active", color_scheme=theme)
    assert page.evaluate(_FAINT) == []
    keep(page, f"forced-colours-{theme}", greyscale=False)


def test_what_is_seen_in_cells_and_headings_is_also_announced(opened: Callable[..., Page]) -> None:
    page = opened()
    pool = page.get_by_role("group", name="Pooling, window by window")
    image = pool.get_by_role("table", name="x[0]", exact=True)
    assert image.get_by_role("cell", name="7, in the window, the largest", exact=True).count() == 1
    press(page, "Pooling", "ArrowDown")
    assert image.get_by_role("cell", name="7, in the window", exact=True).count() == 1
    assert pool.get_by_role("button", name="Gradient", exact=True).count() == 1
    matrix = page.get_by_role("table", name="Confusion matrix: rows are true classes, columns are answers")
    for role in ("columnheader", "rowheader"):
        assert matrix.get_by_role(role).all_inner_texts() == list("0123456789")
    assert "·" in matrix.inner_text() and matrix.get_by_role("cell", name="·").count() == 0
    assert page.get_by_role("img", name="6 taken for 2", exact=True).count() == 4
    assert page.get_by_role("columnheader", name="order", exact=True).count() == 1
