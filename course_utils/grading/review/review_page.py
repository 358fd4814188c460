"""The page of one answer: what the student wrote beside what to compare it with, and the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from course_utils.grading.grades import Mark
from course_utils.grading.report.pages import environment, script_digest
from course_utils.grading.result_store import read_result
from course_utils.grading.review.items import Review, ReviewedClass, ReviewItem

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SCRIPT = (Path(__file__).parent / "templates" / "review.js").read_text("utf-8")
POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src '{script_digest(SCRIPT)}'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Choice:
    """What an address asks for.

    Attributes
    ----------
    at : str
        The place of an item; empty for the first.
    lab, name : str
        Only this lab, and only this question or exercise; empty for all.
    questions : bool
        Only open questions.
    everything : bool
        Also what is decided.
    """

    at: str = ""
    lab: str = ""
    name: str = ""
    questions: bool = False
    everything: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Choice:
        """Return what the part of an address after the question mark asks for."""
        return cls(
            query.get("at", ""),
            query.get("lab", ""),
            query.get("name", ""),
            query.get("only") == "questions",
            query.get("show") == "all",
        )

    def address(self, at: str = "") -> str:
        """Return the address of a place, or of the first, with the same choice."""
        fields = {
            "lab": self.lab,
            "name": self.name,
            "only": "questions" if self.questions else "",
            "show": "all" if self.everything else "",
            "at": at,
        }
        return "?" + urlencode({name: text for name, text in fields.items() if text})

    def of_class(self, class_: ReviewedClass) -> list[ReviewItem]:
        """Return the items of the chosen lab, question or exercise, and kind, decided or not."""
        return [
            item
            for item in class_.items
            if self.lab in ("", str(item.row.lab or ""))
            and self.name in ("", item.name)
            and (item.kind == "question" or not self.questions)
        ]


def page_of(review: Review, choice: Choice) -> str | Choice:
    """Return the page that is asked for, or what to ask for in its place: the first item has an address."""
    class_ = review.now()
    chosen = choice.of_class(class_)
    listed = [item for item in chosen if choice.everything or class_.waits(item)]
    if not choice.at:
        return replace(choice, at=listed[0].place) if listed else _render(review, class_, choice, chosen)
    item = next((one for one in class_.items if one.place == choice.at), None)
    if item is None:
        return replace(choice, at="")
    order = {one.place: place for place, one in enumerate(class_.items)}
    here = order[item.place]
    following = next((one for one in listed if order[one.place] > here), None)
    previous = next((one for one in reversed(listed) if order[one.place] < here), None)
    return _render(review, class_, choice, chosen, item, following, previous)


def _render(
    review: Review,
    class_: ReviewedClass,
    choice: Choice,
    chosen: list[ReviewItem],
    item: ReviewItem | None = None,
    following: ReviewItem | None = None,
    previous: ReviewItem | None = None,
) -> str:
    labs = class_.material.labs
    marks = _marks(review, item) if item else {}
    return (
        _pages()
        .get_template("review.html")
        .render(
            output=review.output,
            class_=class_,
            choice=choice,
            chosen=chosen,
            left=sum(map(class_.waits, chosen)),
            labs={str(number): lab.title for number, lab in labs.items()},
            names={one.name: one.label for one in class_.items if one.name},
            item=item,
            lab=labs.get(item.row.lab) if item and item.row.lab else None,
            mark=marks.get(item.name) if item else None,
            marks=marks,
            word=class_.word(item) if item else ("", ""),
            suggested=_suggested(item, marks) if item else "",
            following=following and choice.address(following.place),
            previous=previous and choice.address(previous.place),
            # After the last one, what was passed over is next.
            after=choice.address(following.place if following else choice.at if choice.everything else ""),
            everything=replace(choice, everything=True).address(),
            script=SCRIPT,
            script_digest=script_digest(SCRIPT),
        )
    )


def _marks(review: Review, item: ReviewItem) -> dict[str, Mark]:
    """Return the checks' verdicts on a student's lab; where a human must decide, they say nothing."""
    result = read_result(review.output / "results", item.row.key) if item.row.key else None
    marks = result.marks if result else ()
    return {mark.exercise: mark for mark in marks if mark.exercise not in item.row.unclear}


def _suggested(item: ReviewItem, marks: Mapping[str, Mark]) -> str:
    """Return the points that seem likely; they count only when a human saves them."""
    if item.is_not_started:
        return "0"
    return str(marks[item.name].earned) if item.name in marks else ""


@cache
def _pages() -> Environment:
    from jinja2 import ChoiceLoader, PackageLoader

    pages = environment()
    own = PackageLoader("course_utils.grading.review")
    pages = pages.overlay(loader=ChoiceLoader([own, pages.loader]) if pages.loader else own)
    pages.filters = pages.filters | {"markdown": _markdown}
    return pages


def _markdown(text: str) -> Markup:
    """Show the instructor's own Markdown, without the headings that it begins with: the page has its own."""
    from markupsafe import Markup
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return Markup(markdown2html_mistune(re.sub(r"\A(?:#+ .*\s+)+", "", text)))
