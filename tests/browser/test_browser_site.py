"""The site opened from disk: quick, accessible in both themes, searched from the keyboard, printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from accessibility import assert_accessible, violations
from artefacts import keep
from notebook_samples import small_lab
from playwright.sync_api import BrowserContext, Page
from test_browser_notebooks import FIGURE, assert_they_answer

from course_utils.notebooks.build import build
from course_utils.site.publish import publish

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
LABS = ["01_conv_layer", "02_pooling_layer", "03_lenet5", "04_vgg"]
SHEET = REPOSITORY / "docs" / "cheat_sheet.md"
# About as much as fits.
TOPIC = """## Topic

A sentence with a formula, $\\frac{n-f}{s}$, and `code` that goes on for a line or two in a column.

| layer | output | parameters |
| --- | --- | --- |
| conv | K×H×W | K·C·f·f + K |
| pool | C×H×W | 0 |

```python
layer = nn.Conv2d(3, 64, 3, padding=1)
```
"""
MADE_UP = "# Cheat sheet\n\n" + 10 * TOPIC


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    publish(REPOSITORY, folder)
    return folder


def opened(contexts: Callable[..., BrowserContext], site: Path, name: str, **options: object) -> Page:
    page = contexts(offline=True, **options).new_page()
    page.goto((site / f"{name}.html").as_uri())
    return page


@pytest.mark.parametrize("name", ["index", *LABS, "grading"])
def test_a_page_is_quick_live_and_accessible_from_disk(
    contexts: Callable[..., BrowserContext], site: Path, name: str
) -> None:
    page = opened(contexts, site, name, viewport={"width": 1200, "height": 900})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.reload()
    painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    paint = page.wait_for_function(painted).json_value()
    print(f"\n{name}: first paint after {paint:.0f} ms, {(site / f'{name}.html').stat().st_size:,} bytes")
    assert [url.rpartition("/")[2] for url in requests if not url.startswith("data:")] == [f"{name}.html"]
    assert page.locator(FIGURE).count() > 0 or name == "grading"
    assert_they_answer(page)
    # The page's style does not reach into figures.
    inside = page.locator(".cl-live *").evaluate_all("all => all.flatMap(each => [...each.classList])")
    style = page.locator("head style").inner_text()
    assert set(inside) & set(re.findall(r"\.([a-z][\w-]*)", style)) <= {
        each for each in inside if "cl-" in each
    }
    assert_accessible(page, f"site-{name}")
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    keep(page, f"site-{name}-narrow", greyscale=False)


def test_the_search_is_used_from_the_keyboard(contexts: Callable[..., BrowserContext], site: Path) -> None:
    page = opened(contexts, site, "index")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Search")
    assert box.evaluate("box => box === document.activeElement")
    page.keyboard.type("satellite IMAGES")
    options = page.get_by_role("option")
    options.first.wait_for()
    assert options.count() == 1 and "Stride" in options.first.inner_text()
    assert page.get_by_role("search").get_by_role("status").inner_text() == "1 result"
    page.keyboard.press("Escape")
    assert not options.first.is_visible() and box.get_attribute("aria-expanded") == "false"
    box.fill("padding")
    first, second = options.nth(0), options.nth(1)
    assert first.get_attribute("aria-selected") == "true"
    assert violations(page) == []
    page.keyboard.press("ArrowDown")
    assert second.get_attribute("aria-selected") == "true"
    assert box.get_attribute("aria-activedescendant") == second.get_attribute("id")
    page.keyboard.press("ArrowUp")
    # What is in a heading comes first.
    assert first.inner_text().startswith("Padding")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/01_conv_layer\.html#Padding$"))
    assert page.evaluate("Math.abs(document.querySelector('#Padding').getBoundingClientRect().top) < 60")
    box.fill("zzz")
    status = page.get_by_role("search").get_by_role("status")
    status.filter(has_text="Nothing found").wait_for()
    assert status.bounding_box()["width"] > 50
    for asked, heading in {
        '"3x3"': "",
        "normalization": "batch normalisation",
        "convolution": "convolution",
    }.items():
        box.fill(asked)
        assert options.first.inner_text().lower().startswith(heading), asked
    # Answers of exercises, which the cheat sheet holds.
    box.fill("⌊(n")
    assert status.inner_text() == "Nothing found"


def test_what_is_printed_is_the_text_and_a_picture_of_each_figure(
    contexts: Callable[..., BrowserContext], site: Path
) -> None:
    page = opened(contexts, site, "01_conv_layer")
    page.emulate_media(media="print", color_scheme="dark")
    for gone in ("header", ".contents", ".turn", ".cl-stage", "footer"):
        assert not page.locator(gone).first.is_visible(), gone
    assert page.locator(".cl-still img").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    code = page.locator(".input pre").evaluate_all(
        "all => all.every(each => each.scrollWidth <= each.clientWidth)"
    )
    assert code


@pytest.mark.parametrize("made_up", [True, False], ids=["made-up", "own"])
def test_the_cheat_sheet_is_one_page_of_paper(
    contexts: Callable[..., BrowserContext], tmp_path: Path, made_up: bool
) -> None:
    if not made_up and not SHEET.exists():
        pytest.skip("there is no docs/cheat_sheet.md")
    root = tmp_path / "course"
    build(small_lab(root), lambda notebook, profile: None)
    (root / "docs").mkdir()
    text = MADE_UP if made_up else SHEET.read_text("utf-8")
    (root / "docs" / "cheat_sheet.md").write_text(text, "utf-8")
    publish(root, tmp_path / "site")
    page = opened(contexts, tmp_path / "site", "cheat_sheet")
    pdf = page.pdf(prefer_css_page_size=True)
    pages = re.findall(rb"/Type\s*/Page\b", pdf)
    width, height = map(float, re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf).groups())
    assert (round(width), round(height)) == (595, 842)
    assert len(pages) == 1
