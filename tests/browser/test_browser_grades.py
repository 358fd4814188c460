"""The instructor's page of a large class: opened at once, sorted, filtered, used from the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from accessibility import violations
from artefacts import keep
from grading_workers import FULL
from made_up_class import TITLES, large_class, row, write_page
from playwright.sync_api import BrowserContext, Page

from course_utils import exercises
from course_utils.grading.grades import JudgedSubmission, Result, result_of
from course_utils.grading.report.pages import students_page
from course_utils.grading.result_store import Store

pytestmark = pytest.mark.slow

_OPENED = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
    () => done(performance.now()))))"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(
        large_class(1000, due="2026-11-13 23:59 Europe/Berlin"), tmp_path_factory.mktemp("grades")
    )


@pytest.fixture
def page(contexts: Callable[..., BrowserContext], file: Path) -> Page:
    page = contexts(offline=True, viewport={"width": 1200, "height": 900}).new_page()
    page.goto(file.as_uri())
    return page


def column(page: Page, name: str) -> list[str]:
    """The cells of the rows that are shown."""
    script = """name => {
        const table = document.querySelector("#all");
        const place = [...table.tHead.rows[0].cells].findIndex(head => head.textContent.startsWith(name));
        const shown = [...table.tBodies[0].rows].filter(row => row.checkVisibility());
        return shown.map(row => row.cells[place].textContent.trim());
    }"""
    cells: list[str] = page.evaluate(script, name)
    return cells


def test_a_thousand_students_open_within_a_second_and_on_a_few_screens(
    contexts: Callable[..., BrowserContext], file: Path
) -> None:
    page = contexts(offline=True, viewport={"width": 1200, "height": 900}).new_page()
    session = page.context.new_cdp_session(page)
    session.send(
        "Performance.enable", {"timeDomain": "threadTicks"}
    )  # processor time: others' work is not ours
    page.goto(file.as_uri())
    wall = page.evaluate(_OPENED)
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    busy = 1000 * metrics["TaskDuration"]
    print(f"\n{file.stat().st_size:,} bytes, open after {wall:.0f} ms, {busy:.0f} ms of them busy")
    assert 0 < busy < 1000
    assert page.evaluate("document.documentElement.scrollHeight") < 4000


def test_columns_sort_with_the_keyboard_and_say_so(page: Page) -> None:
    head = page.locator("#all").get_by_role("columnheader", name="Points")
    button = head.get_by_role("button")
    button.focus()
    for key, order in (("Enter", "ascending"), ("Space", "descending")):
        page.keyboard.press(key)
        assert head.get_attribute("aria-sort") == order
        cells = column(page, "Points")
        points = [float(cell.split()[0]) for cell in cells if cell]
        assert points == sorted(points, reverse=order == "descending") and len(set(points)) > 5
        assert set(cells[len(points) :]) == {""}  # who has none comes last
    page.get_by_role("button", name="Student").click()
    assert page.locator("#all [aria-sort]").count() == 1
    names = column(page, "Student")
    assert (names[0].split()[0], names[-1].split()[0]) == ("Ada", "Zoë")


def test_words_and_the_need_of_a_look_filter_the_students(page: Page) -> None:
    everybody = len(column(page, "Student"))
    search = page.get_by_label("Filter")
    search.press_sequentially("MULLER zoe")
    found = column(page, "Student")
    assert found and all("Zoë" in name and "Müller" in name for name in found)
    assert page.get_by_role("status").inner_text() == f"{len(found)} of {everybody}"
    search.fill("")
    show = page.get_by_label("Show")
    show.select_option("who needs a look")
    looked = column(page, "Needs a look")
    assert 0 < len(looked) < everybody and all(looked)
    show.select_option("who handed in nothing")
    assert set(column(page, "Status")) == {"not graded"}
    search.fill("nobody at all")
    assert column(page, "Student") == []


def test_the_numbers_at_the_top_lead_to_whom_they_count(page: Page) -> None:
    counts = page.locator(".counts")
    counts.get_by_role("link", name="need a look").click()
    assert page.get_by_role("heading", name="Please look at these").is_visible()
    late = counts.get_by_role("link", name="late")
    late.focus()
    page.keyboard.press("Enter")
    shown = column(page, "Student")
    assert late.inner_text() == f"{len(shown)} late" and all("late" in one for one in column(page, "Status"))
    counts.get_by_role("link", name="handed in nothing").click()
    names = page.locator("section", has=page.locator("#missing")).get_by_role("link")
    assert (
        counts.get_by_role("link", name="handed in nothing").inner_text()
        == f"{names.count()} handed in nothing"
    )


def test_it_is_accessible_in_both_themes_and_on_a_narrow_page(page: Page) -> None:
    for theme, width in (("light", 400), ("dark", 1200)):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        page.get_by_label("Filter").fill("zoe tan")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, f"grades-{theme}-{width}", greyscale=False)


def test_without_scripts_the_tables_are_plain_and_whole(
    contexts: Callable[..., BrowserContext], file: Path
) -> None:
    page = contexts(offline=True, java_script_enabled=False).new_page()
    page.goto(file.as_uri())
    assert page.locator("#all tbody tr").count() == 1000
    assert page.locator("#all button").count() == 0
    assert not page.get_by_label("Filter").is_visible()
    assert page.locator("#all tbody tr").first.get_attribute("class") == "look"  # they come first


def test_a_students_page_is_accessible_in_both_themes_and_on_a_narrow_page(
    contexts: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    verdicts = [exercises.evaluate(name, lambda *_: None) for name in ("cross_correlate", "zero_pad")]
    marks = result_of(JudgedSubmission(verdicts, (), 0.0, FULL)).marks
    remark = "Exercise 1.2 (zero_pad): its function is called `zeropad`, not `zero_pad`."
    store = Store(tmp_path / "results")
    store.put("ann", Result(marks))
    student = tmp_path / "ann.html"
    ann = row("ann", marks, key="ann", remarks=(remark,), comment="Please see me.")
    student.write_text(students_page([ann], store, TITLES), encoding="utf-8")
    page = contexts(offline=True).new_page()
    page.goto(student.as_uri())
    assert page.locator("h2 + p.panel + h3").inner_text() == "What to do next"
    for theme, width in (("light", 400), ("dark", 1200)):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, f"student-{theme}-{width}", greyscale=False)
