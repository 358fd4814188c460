"""The pages of ``course run`` opened from disk: live, accessible, and asking nobody for anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from accessibility import assert_accessible, violations
from playwright.sync_api import BrowserContext, Page
from test_browser_notebooks import FIGURE, SOLUTIONS, assert_they_answer

from course_utils import figures
from course_utils.command_line import main
from course_utils.notebooks.page import write_page

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_a_notebook_s_page_is_live_and_accessible_from_disk(
    notebook: Path, contexts: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    saved = nbformat.read(notebook, as_version=4)
    file = tmp_path / "page.html"
    write_page(saved, file, title=notebook.stem, folder=notebook.parent)
    page = contexts(offline=True).new_page()
    page.goto(file.as_uri())
    assert page.locator(FIGURE).count() > 0 or notebook.stem == "answers"
    assert_they_answer(page)
    # Parts that are too wide for a telephone scroll, also from the keyboard.
    assert_accessible(page, f"page-{notebook.stem}")


def test_a_wide_figure_is_scrolled_with_the_keyboard_on_a_narrow_page(show: Callable[..., Page]) -> None:
    walk = figures.im2col_walk()
    page = show(
        figures.timing_bars({"loops": 2.5, "nn.Conv2d": 3e-4}), walk, viewport={"width": 400, "height": 900}
    )
    page.wait_for_function("document.querySelector('.cl-stage [tabindex]')")
    parts = page.get_by_role("group", name="Scrolls sideways", exact=True)
    assert parts.count() == 2
    for part in parts.all():
        part.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("part => part.scrollLeft > 0", arg=part.element_handle())
    page.set_viewport_size({"width": 1000, "height": 900})
    page.wait_for_function("!document.querySelector('.cl-stage [tabindex]')")


_TEXT = """# Sizes

Text with `code`, a [link](#Sizes) and $x_1$.

> A quotation.

| a | b |
| - | - |
| 1 | 2 |
| 3 | 4 |

```python
def half(x):  # a comment
    return x is None or "text" + str(x / 2.0)
```

    a block without a language
"""


def everything() -> nbformat.NotebookNode:
    """A page with each kind of content, without outputs of a kernel's own colours except an error's."""
    nb = nbformat.v4
    code = "@decorator\nclass A(B):\n    x: int = 0x1f  # note\nassert 'a' not in f'{x!r}' and lambda: None"
    error = nb.new_output(
        "error",
        ename="E",
        evalue="",
        traceback=["\x1b[31mE\x1b[0m \x1b[36mCell \x1b[32mline 1\x1b[34m(x)\x1b[38;5;66mnote\x1b[0m"],
    )
    streams = [nb.new_output("stream", name=name, text="said\n") for name in ("stdout", "stderr")]
    shown = [
        nb.new_output("display_data", data=figure._repr_mimebundle_())
        for figure in (
            figures.conv_walk(),
            figures.number_grids(a=[[1, 2]], windows={"a": (0, 0)}),
            figures.table([["conv", 500]], ["layer", "parameters"], "Parameters"),
            figures.timing_bars({"loops": 2.5, "nn.Conv2d": 3e-4}),
        )
    ]
    cells = [nb.new_markdown_cell(_TEXT), nb.new_code_cell(code, outputs=[*streams, error, *shown])]
    return nb.new_notebook(cells=cells)


_LOOK = """selector => {
    const style = getComputedStyle(document.querySelector(selector));
    return [style.backgroundColor, style.borderTopColor, style.borderTopStyle, style.fontSize];
}"""


def test_a_page_follows_the_readers_theme_and_frames_the_code_in_its_text(
    contexts: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    write_page(everything(), tmp_path / "page.html", title="Everything", folder=tmp_path)
    page = contexts().new_page()
    page.goto((tmp_path / "page.html").as_uri())
    for theme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(22, 24, 28)")):
        page.emulate_media(color_scheme=theme)
        assert {page.evaluate(_LOOK, of)[0] for of in ("body", ".cl-live")} == {paper}
        assert violations(page) == []
        editor = page.evaluate(_LOOK, ".input pre")
        for block in (".text_cell .highlight pre", ".text_cell_render > pre"):
            assert page.evaluate(_LOOK, block) == editor
        assert editor[0] != paper and editor[2] == "solid"
        # Formulas are black; plots keep a white card.
        filtered = page.locator("img.maths").evaluate("formula => getComputedStyle(formula).filter")
        assert filtered == {"light": "none", "dark": "invert(1)"}[theme]
        assert page.evaluate(_LOOK, "img[alt^='Dot plot']")[0] == "rgb(255, 255, 255)"


def test_what_course_run_writes_is_live(
    contexts: Callable[..., BrowserContext], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--lab", "2", "--profile", "quick", "--output", str(tmp_path)]) == 0
    capsys.readouterr()
    page = contexts(offline=True).new_page()
    page.goto((tmp_path / "02_pooling_layer.html").as_uri())
    assert page.locator(FIGURE).count() == 1
    assert_they_answer(page)
    page.goto((tmp_path / "index.html").as_uri())
    assert violations(page) == []
