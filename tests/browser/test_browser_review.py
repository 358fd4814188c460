"""Review by hand in the browser: with the keyboard alone, in both themes, on wide and narrow pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from accessibility import violations
from artefacts import keep
from open_questions import class_with_questions, graded
from playwright.sync_api import Browser, BrowserContext, Page, expect

from course_utils.grading.review.items import Review
from course_utils.grading.review.server import ReviewServer

pytestmark = pytest.mark.slow

ANN, BO, CY = (f"1/explain_padding/{student}" for student in ("Ann Lee", "Bo", "Cy"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("class")
    class_with_questions(folder)
    graded(folder)
    return folder / "out"


@pytest.fixture
def server(folder: Path) -> Iterator[ReviewServer]:
    (folder / "corrections.csv").unlink(missing_ok=True)
    with ReviewServer(Review(folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def shows(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def word(server: ReviewServer, place: str) -> tuple[str, str]:
    now = server.review.now()
    return next(now.word(item) for item in now.items if item.place == place)


@pytest.mark.parametrize(("theme", "width"), [("light", 1200), ("dark", 400)])
def test_three_answers_are_graded_with_the_keyboard_alone(
    theme: str, width: int, contexts: Callable[..., BrowserContext], server: ReviewServer
) -> None:
    page = contexts(color_scheme=theme, viewport={"width": width, "height": 800}).new_page()
    page.goto(server.url)
    shows(page, "Ann Lee · explain_padding")
    assert violations(page) == []
    page.keyboard.type("1,5")
    page.keyboard.press("Enter")
    shows(page, "Bo · explain_padding")
    expect(page.get_by_role("status")).to_have_text("Saved: Ann Lee · explain_padding, points: 1,5.")
    assert word(server, ANN) == ("1.5", "")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.type("Not <b>quite</b>.")
    page.keyboard.press("Enter")
    page.keyboard.type("See me.")
    page.keyboard.press("Control+Enter")
    shows(page, "Cy · explain_padding")
    assert word(server, BO) == ("2", "Not <b>quite</b>.\nSee me.")
    expect(page.get_by_label("Points")).to_have_value("0")  # a suggestion, which alone gives nothing
    page.keyboard.press("Alt+ArrowDown")
    shows(page, "Dora · explain_padding")
    assert word(server, CY) == ("", "")
    page.keyboard.press("Alt+ArrowUp")
    shows(page, "Cy · explain_padding")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Comment")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save and go on")).to_be_focused()
    page.keyboard.press("Enter")
    shows(page, "Dora · explain_padding")
    assert word(server, CY) == ("0", "")
    page.reload()
    shows(page, "Dora · explain_padding")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_kind_of_page_is_accessible(
    contexts: Callable[..., BrowserContext], server: ReviewServer
) -> None:
    page = contexts(viewport={"width": 1000, "height": 420}).new_page()  # less than the page is long
    kinds = {item.kind: item.place for item in server.review.now().items}
    for kind, query in {**{kind: f"?at={place}" for kind, place in kinds.items()}, "done": "?lab=2"}.items():
        page.goto(server.url + query)
        assert page.evaluate("scrollY") == 0
        for theme, width in (("light", 400), ("dark", 1200)):
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page) == [], (kind, theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            keep(page, f"review-{kind}-{theme}-{width}", greyscale=False)


def test_a_second_tab_is_told_and_may_still_win(browser: Browser, server: ReviewServer) -> None:
    context = browser.new_context()  # not watched: refusals are errors in the console
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(server.url)
    first.get_by_label("Points").fill("1")
    first.keyboard.press("Enter")
    shows(first, "Bo · explain_padding")
    second.get_by_label("Points").fill("7")
    second.keyboard.press("Enter")
    expect(second.get_by_role("status")).to_contain_text("something else was saved here: 1 point.")
    assert word(server, ANN) == ("1", "")
    second.keyboard.press("Enter")  # a hasty one saves over nothing
    expect(second.get_by_role("status")).to_contain_text("something else was saved here: 1 point.")
    second.get_by_role("button", name="Save mine all the same").press("Enter")
    expect(second.get_by_role("status")).to_have_text("Not saved: points are 7, but explain_padding has 2.")
    second.keyboard.press("Control+A")
    second.keyboard.type("2")
    second.keyboard.press("Enter")
    shows(second, "Bo · explain_padding")
    assert word(server, ANN) == ("2", "")
    context.close()


def test_what_is_typed_and_not_saved_is_not_left_without_a_word(
    contexts: Callable[..., BrowserContext], server: ReviewServer
) -> None:
    page = contexts().new_page()
    page.goto(server.url)
    page.keyboard.type("1")
    asked = []
    page.on("dialog", lambda dialog: asked.append(dialog.type) or dialog.dismiss())
    page.keyboard.press("Alt+ArrowDown")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    shows(page, "Ann Lee · explain_padding")
    expect(page.get_by_label("Points")).to_have_value("1")


def test_filters_choose_what_is_shown(contexts: Callable[..., BrowserContext], server: ReviewServer) -> None:
    page = contexts().new_page()
    page.goto(server.url)
    page.get_by_label("Exercise").select_option(label="1.4 output_size")
    page.get_by_role("button", name="Show").click()
    shows(page, "Cy · 1.4 output_size")
    expect(page.get_by_text("2 left")).to_be_visible()
    assert "name=output_size" in page.url and "at=" in page.url


def test_after_the_last_one_it_says_what_to_do(
    contexts: Callable[..., BrowserContext], server: ReviewServer
) -> None:
    page = contexts().new_page()
    page.goto(f"{server.url}?name=output_size")
    for title in ("Cy · 1.4 output_size", "Dora · 1.4 output_size"):
        shows(page, title)
        page.keyboard.type("1")
        page.keyboard.press("Enter")
    shows(page, "Nothing waits here")
    expect(page.get_by_role("main")).to_contain_text("Run the same course grade command as before")
    page.get_by_role("link", name="Show what is decided").click()
    shows(page, "Cy · 1.4 output_size")
    expect(page.get_by_label("Points")).to_have_value("1")
