"""Every notebook in JupyterLab, and one in Notebook 7, as readers meet them: Run All, use figures, reopen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from accessibility import violations
from artefacts import keep
from conftest import Watch, watched
from lab_server import (
    JUPYTERLAB,
    NOTEBOOK_7,
    FrontEnd,
    change_theme,
    close,
    end_kernels,
    errors,
    jupyterlab,
    open_notebook,
    run_all,
    save,
    unfold,
)
from playwright.sync_api import Browser, Locator, Page

HERE = Path(__file__).parents[2]
SOLUTIONS = sorted((HERE / "solutions").glob("*.ipynb"))
LABS = sorted((HERE / "labs").glob("*.ipynb"))
# What students and their instructors open in class; the answers run with nbval, and their page is tested.
OPENED = [notebook for notebook in SOLUTIONS if notebook.stem != "answers"] + LABS
# Notebook 7 shows outputs with JupyterLab's code: one lab is enough.
IN_BOTH = ("labs/01_conv_layer.ipynb",)
CASES = [
    pytest.param(notebook, front_end, id=f"{label}{notebook.parent.name}-{notebook.stem}")
    for front_end, label in ((JUPYTERLAB, ""), (NOTEBOOK_7, "notebook7-"))
    for notebook in OPENED
    if front_end == JUPYTERLAB or f"{notebook.parent.name}/{notebook.name}" in IN_BOTH
]
FIGURE = ".cl-live[role=group]"
VIEWPORT = {"width": 1250, "height": 1000}

# Figures that need no exercise, and so are there before a student has typed anything.
AT_FIRST = {
    "01_conv_layer": 3,
    "02_pooling_layer": 1,
    "03_lenet5": 0,
    "04_vgg": 0,
}
KEYS = {"range": "ArrowRight", "number": "ArrowUp", "checkbox": "Space", None: "ArrowDown"}


@pytest.fixture(scope="module")
def address_of(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[FrontEnd], str]]:
    """Starts a front end's server at its first use; the answer is the address."""
    with ExitStack() as servers:

        @cache
        def start(front_end: FrontEnd) -> str:
            folder = tmp_path_factory.mktemp(front_end.module)
            return servers.enter_context(jupyterlab(folder, OPENED, front_end))

        yield start


@pytest.fixture(scope="module")
def kept_pages(browser: Browser) -> Iterator[tuple[Callable[[FrontEnd, str], Page], list[Watch]]]:
    """Pages that stay open for the next notebook: JupyterLab takes longer to load than a lab takes to run."""
    watches = []

    @cache
    def page(front_end: FrontEnd, what_for: str) -> Page:
        context, watch = watched(browser, viewport=VIEWPORT)
        watches.append(watch)
        return context.new_page()

    yield page, watches


@pytest.fixture
def page_for(
    kept_pages: tuple[Callable[[FrontEnd, str], Page], list[Watch]],
) -> Iterator[Callable[[FrontEnd, str], Page]]:
    """The page of a front end for a use; at the end of a test, none of them may have complained."""
    page, watches = kept_pages
    yield page
    for watch in watches:
        watch.check()


def figures_of(notebook: Path) -> int:
    """The number of live figures among a notebook's saved outputs."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    pages = [
        output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])
    ]
    return sum("".join(page).count('class="cl-live"') for page in pages)


def picture(figure: Locator) -> str:
    """What a figure shows, with what its controls are set to."""
    return str(
        figure.evaluate(
            "e => e.innerHTML + [...e.querySelectorAll('input, select')].map(i => [i.value, i.checked])"
        )
    )


def assert_they_answer(page: Page) -> None:
    """Every figure answers to one key press and to one press of the mouse, and the notebook to neither."""
    cells = page.locator(".jp-Cell").count()
    for figure in page.locator(FIGURE).all():
        name = figure.get_attribute("aria-label")
        assert figure.locator(".cl-stage").count() == 1, f"{name} is not live"
        if figure.locator(".cl-pad").count():
            continue  # drawn on below
        control = figure.locator("input:visible, select:visible").first
        control.scroll_into_view_if_needed()
        before = picture(figure)
        kind = control.get_attribute("type")
        at_end = kind == "range" and control.evaluate("e => e.value === e.max")
        control.press("ArrowLeft" if at_end else KEYS[kind])
        assert picture(figure) != before, f"{name} does not answer to the keyboard"
        for button in figure.locator("input[type=range]:visible, button:visible").all()[:1]:
            before = picture(figure)
            box = button.bounding_box()
            assert box
            # Sliders have two ends: the press goes to the far one.
            far = 0.2 if button.evaluate("e => e.value > (Number(e.max) + Number(e.min)) / 2") else 0.8
            page.mouse.click(box["x"] + far * box["width"], box["y"] + box["height"] / 2)
            assert picture(figure) != before, f"{name} does not answer to the mouse"
    assert page.locator(".jp-Cell").count() == cells


def draw_a_one(page: Page) -> None:
    """Draw a vertical stroke on the pad of Lab 03, for the network in the kernel to answer."""
    pad = page.locator(".cl-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.8 * box["height"], steps=10)
    page.mouse.up()


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "front_end"), CASES)
def test_run_all_then_reopen_with_a_fresh_kernel(
    notebook: Path,
    front_end: FrontEnd,
    address_of: Callable[[FrontEnd], str],
    page_for: Callable[[FrontEnd, str], Page],
    request: pytest.FixtureRequest,
) -> None:
    address = address_of(front_end)
    page = page_for(front_end, "to run")
    name = f"{notebook.parent.name}/{notebook.name}"
    open_notebook(page, address, name, front_end)
    run_all(page)
    assert errors(page) == []
    expected = figures_of(notebook) if notebook in SOLUTIONS else AT_FIRST[notebook.stem]
    assert page.locator(FIGURE).count() == expected
    assert_they_answer(page)
    if name == "solutions/03_lenet5.ipynb":
        draw_a_one(page)
        assert "LeNet5 says" in page.locator(".cl-draw-answer .cl-says").inner_text()
        assert page.locator(".cl-draw-answer .cl-shares tr").count() == 10

    for theme in ("Light", "Dark"):
        change_theme(page, theme)
        unfold(page)
        # The front ends' body is 0 pixels high and clips: axe would take all that is in it for hidden.
        page.add_style_tag(content="body { height: 100vh }")
        # Themes differ in nothing but colours.
        assert violations(page, ".jp-OutputArea-output", only_contrast=theme != "Light") == []
        keep(page, f"{request.node.callspec.id}-{theme.lower()}", greyscale=False)
    page.set_viewport_size(VIEWPORT)

    save(page)
    close(page)
    end_kernels(address)
    page = page_for(front_end, "to reopen")
    open_notebook(page, address, name, front_end)
    assert page.locator(FIGURE).count() == expected
    assert_they_answer(page)
    close(page)
    end_kernels(address)
