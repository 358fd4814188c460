"""What all live figures owe their readers, whatever they show."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from accessibility import violations
from artefacts import keep
from pages import open_all, press, say, values
from playwright.sync_api import Browser, BrowserContext, Page
from torch import nn

from course_utils import figures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def all_figures() -> list[Any]:
    """One page holds them all: to open one for each would take most of the tests' time."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    image = torch.linspace(0, 1, 100).reshape(1, 10, 10)
    walks = [figures.conv_walk(), figures.im2col_walk(), figures.pool_walk()]
    return [*walks, figures.receptive_field(model, image)]


def html_of(all_figures: list[Any]) -> str:
    return "\n".join(figure._repr_mimebundle_()["text/html"] for figure in all_figures)


def shows_stills(page: Page, all_figures: list[Any]) -> None:
    for figure in all_figures:
        picture = page.get_by_role("img", name=repr(figure), exact=True)
        assert picture.is_visible()
        box = picture.bounding_box()
        assert box and box["width"] >= 300 and box["height"] >= 80


def test_the_live_figures_take_the_place_of_the_still_ones(
    all_figures: list[Any], show: Callable[..., Page]
) -> None:
    page = show(*all_figures)
    assert page.locator(".cl-stage").count() == len(all_figures)
    assert not any(still.is_visible() for still in page.locator(".cl-still").all())
    for figure in all_figures:
        group = page.get_by_role("group", name=figure.title, exact=True)
        assert group.get_by_role("status").inner_text()


def test_without_scripts_the_still_pictures_show(all_figures: list[Any], show: Callable[..., Page]) -> None:
    shows_stills(show(*all_figures, java_script_enabled=False), all_figures)


def test_a_sanitised_notebook_shows_the_pictures_alone(
    all_figures: list[Any], contexts: Callable[..., BrowserContext]
) -> None:
    page = contexts().new_page()
    # JupyterLab and GitHub drop scripts and styles with all that is in them.
    page.set_content(re.sub(r"<(script|style)[^>]*>.*?</\1>", "", html_of(all_figures), flags=re.S))
    words = set(page.locator("body").inner_text().split("\n")) - {""}
    assert words == {
        "This is a still picture. In a trusted notebook, the figure responds to mouse and keyboard."
    }
    shows_stills(page, all_figures)


def test_a_script_that_fails_leaves_the_still_picture(all_figures: list[Any], browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(re.sub(r'json">{"', 'json">{"no', html_of(all_figures)))
    shows_stills(page, all_figures)
    page.close()


def test_two_figures_and_a_copy_do_not_disturb_each_other(show: Callable[..., Page]) -> None:
    page = show(figures.conv_walk(), figures.pool_walk(), figures.conv_walk())
    assert page.locator(".cl-stage").count() == 3
    before = values(page, "window", 1)
    page.get_by_label("Window", exact=True).first.press("ArrowRight")
    assert values(page, "window", 0) != before == values(page, "window", 1)


def test_a_saved_page_of_a_live_figure_lives_again(show: Callable[..., Page]) -> None:
    page = show(figures.conv_walk())
    press(page, "Window", "ArrowRight")
    page.set_content(page.content())
    assert page.locator(".cl-stage").count() == 1
    press(page, "Window", "ArrowRight")
    assert say(page).startswith("output[0, 0, 1]")


def test_figures_inserted_as_classic_notebook_does_it_live(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts().new_page()
    page.set_content("<main></main>")
    for figure in (figures.conv_walk(), figures.pool_walk(), figures.conv_walk()):
        # jQuery runs the scripts of what it inserts one by one, in the page's head.
        page.evaluate(
            """html => {
                const host = document.createElement("div");
                host.innerHTML = html;
                document.querySelector("main").append(host);
                for (const script of host.querySelectorAll("script:not([type])")) {
                    const copy = document.createElement("script");
                    copy.textContent = script.textContent;
                    document.head.append(copy);
                    copy.remove();
                }
            }""",
            figure._repr_mimebundle_()["text/html"],
        )
    assert [part.locator(".cl-stage").count() for part in page.locator(".cl-live").all()] == [1, 1, 1]
    before = values(page, "window", 0)
    page.get_by_label("Window", exact=True).last.press("ArrowRight")
    assert values(page, "window", 1) != before == values(page, "window", 0)


def test_figures_inserted_as_jupyterlab_does_it_live(
    all_figures: list[Any], contexts: Callable[..., BrowserContext]
) -> None:
    page = contexts().new_page()
    page.set_content("<main></main>")
    # JupyterLab fills a node that is not in the page yet, and replaces each script by a copy so that it runs.
    page.evaluate(
        """html => {
            const host = document.createElement("div");
            host.innerHTML = html;
            for (const script of [...host.getElementsByTagName("script")]) {
                const copy = document.createElement("script");
                for (const {name, value} of script.attributes) copy.setAttribute(name, value);
                copy.textContent = script.textContent;
                script.replaceWith(copy);
            }
            document.querySelector("main").append(host);
        }""",
        html_of(all_figures),
    )
    assert page.locator(".cl-stage").count() == len(all_figures)


def test_every_control_has_a_name_and_keeps_its_keys_from_the_notebook(
    all_figures: list[Any], show: Callable[..., Page]
) -> None:
    page = show(*all_figures)
    seen = page.locator("input, select, button").evaluate_all(
        """all => all.map(each => [
            each.dataset.lmSuppressShortcuts,
            each.getAttribute("aria-label") || each.textContent || each.parentNode.textContent,
        ])"""
    )
    assert len(seen) > 4 * len(all_figures)
    assert all(kept == "true" and name.strip() for kept, name in seen), seen


def test_every_control_is_reached_with_tab_and_shows_it(
    all_figures: list[Any], show: Callable[..., Page]
) -> None:
    page = show(*all_figures)
    open_all(page)
    for at in range(page.locator("input, select, button").count()):
        page.keyboard.press("Tab")
        reached = page.evaluate(
            """() => [
                [...document.querySelectorAll("input, select, button")].indexOf(document.activeElement),
                getComputedStyle(document.activeElement).outlineStyle,
            ]"""
        )
        assert reached == [at, "solid"]


_CONTRAST = """() => {
    const paint = (colour, below) => {
        const canvas = new OffscreenCanvas(1, 1);
        const context = canvas.getContext("2d");
        for (const each of [below, colour]) { context.fillStyle = each; context.fillRect(0, 0, 1, 1); }
        const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
        return `rgb(${r}, ${g}, ${b})`;
    };
    const light = text => {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => {
            const c = part / 255;
            return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const below = node => {
        const own = node ? getComputedStyle(node).backgroundColor : "rgb(255, 255, 255)";
        return node ? paint(own, below(node.parentElement)) : own;
    };
    const worst = {};
    for (const node of document.querySelectorAll(".cl-stage *")) {
        const text = [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim());
        if (!text || !node.checkVisibility() || node.tagName === "OPTION") continue;
        const back = below(node);
        const [a, b] = [light(paint(getComputedStyle(node).color, back)), light(back)];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const key = node.tagName + "." + node.className;
        worst[key] = Math.min(worst[key] ?? 99, ratio);
    }
    return worst;
}"""


@pytest.mark.parametrize(
    "theme", ["light", "dark", "JupyterLab light on a dark system", "JupyterLab dark", "Colab dark"]
)
def test_text_is_readable_in_every_theme(
    all_figures: list[Any], theme: str, contexts: Callable[..., BrowserContext]
) -> None:
    system = "light" if theme in ("light", "JupyterLab dark", "Colab dark") else "dark"
    page = contexts(color_scheme=system).new_page()
    lab = {
        "JupyterLab dark": ("false", "#111", "rgba(255,255,255,1)"),
        "JupyterLab light on a dark system": ("true", "#fff", "rgba(0,0,0,.87)"),
    }.get(theme)
    html = html_of(all_figures)
    if lab:
        light, paper, ink = lab
        style = f"--jp-layout-color0:{paper};--jp-content-font-color1:{ink};background:{paper}"
        html = f'<div data-jp-theme-light="{light}" style="{style}">{html}</div>'
    if theme == "Colab dark":
        html = f'<html theme="dark"><body style="background:#1f1f1f;color:#e6e6e6">{html}'
    page.set_content(html)
    open_all(page)
    worst = page.evaluate(_CONTRAST)
    assert len(worst) > 10 and min(worst.values()) >= 4.5, worst
    assert violations(page, "body") == []
    if theme == "Colab dark":
        paper = "all => all.map(each => getComputedStyle(each).backgroundColor)"
        papers = page.locator("body, .cl-live").evaluate_all(paper)
        assert set(papers) == {"rgb(31, 31, 31)"}
    for number, figure in enumerate(all_figures):
        shown = page.locator(".cl-live[role=group]").nth(number)
        keep(shown, f"{figure.name}-{theme}", greyscale=theme in ("light", "dark"))


@pytest.mark.parametrize("width", [400, 700])
def test_a_narrow_page_is_not_made_wider(
    all_figures: list[Any], width: int, show: Callable[..., Page]
) -> None:
    page = show(*all_figures, viewport={"width": width, "height": 800})
    wide = page.evaluate(
        "[...document.querySelectorAll('.cl-stage > *')].map(e => e.getBoundingClientRect().right)"
    )
    assert max(wide) <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_tests_notice_errors_and_requests_that_leave(
    contexts: Callable[..., Any], browser: Browser
) -> None:
    from conftest import Watch

    context = browser.new_context()
    watch = Watch(context)
    page = context.new_page()
    page.route("**/*", lambda route: route.abort())
    page.set_content("<img src='https://example.org/x.png'><script>undefined_name()</script>")
    page.evaluate("console.error('told')")
    page.wait_for_function("document.images[0].complete")
    context.close()
    text = "\n".join(watch.complaints)
    assert "https://example.org/x.png" in text and "undefined_name" in text and "told" in text
