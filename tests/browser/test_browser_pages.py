"""The pages of ``course run`` opened from disk: live, accessible, and asking nobody for anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from accessibility import violations
from artefacts import keep
from playwright.sync_api import BrowserContext
from test_browser_notebooks import FIGURE, SOLUTIONS, assert_they_answer

from course_utils.command_line import main
from course_utils.notebooks.page import write_page


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.stem)
def test_a_notebook_s_page_is_live_and_accessible_from_disk(
    notebook: Path, contexts: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    saved = nbformat.read(notebook, as_version=4)
    file = tmp_path / "page.html"
    write_page(saved, file, title=notebook.stem, folder=notebook.parent)
    page = contexts(offline=True).new_page()
    page.goto(file.as_uri())
    assert page.locator(FIGURE).count() > 0
    assert_they_answer(page)
    assert violations(page) == []
    keep(page, f"page-{notebook.stem}", greyscale=False)


@pytest.mark.slow
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
