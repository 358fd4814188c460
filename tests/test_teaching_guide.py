"""The guide for instructors, the cheat sheet and the glossary say what the labs and the checks say."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from course_utils import exercises
from course_utils.notebooks.layout import Lab, find_labs
from course_utils.notebooks.outputs import output_texts
from course_utils.notebooks.pairing import read_notebook, read_text
from course_utils.notebooks.strip import find_leaks

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
LABS = {lab.number: lab for lab in find_labs(REPOSITORY)}


def document(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The parts of a text under its headings of the second level, without what stands before them."""
    _, *parts = re.split(r"^## ", text, flags=re.M)
    return dict(part.split("\n", 1) for part in parts)


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables of a text, without the heads."""
    table = r"^\|.*\|\n\|(?: -+ \|)+\n((?:\|.*\|\n?)+)"
    for body in re.findall(table, text, flags=re.M):
        for row in body.splitlines():
            yield [cell.strip() for cell in row.strip("|").split(" |")]


@cache
def prose(lab: Lab) -> str:
    """What a student reads in a lab, in one line and without marks."""
    cells = [
        c for c in read_text(lab.text).cells if c.cell_type == "markdown" and "nbgrader" not in c.metadata
    ]
    return " ".join(" ".join(cell.source for cell in cells).replace("*", "").split())


@cache
def everything(lab: Lab) -> str:
    """A lab's text and code without solutions, and what its solution printed, in one line."""
    code = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", lab.text.read_text("utf-8"), flags=re.S)
    cells = [cell for cell in read_notebook(lab.solution).cells if cell.cell_type == "code"]
    printed = [text for cell in cells for text in output_texts(cell)]
    return " ".join(re.sub(r"^# ", "", "\n".join([code, *printed]), flags=re.M).split())


def stands_in(lab: Lab, written: str) -> bool:
    """Whether code stands in a lab, whatever its spaces; a number must not be a part of another."""
    if re.search(r"[^\d,.]", written):
        return re.sub(r"\s", "", written) in re.sub(r"\s", "", everything(lab))
    return bool(re.search(rf"(?<![\d.,]){re.escape(written)}(?!\d|[.,]\d)", everything(lab)))


# --- glossary ----------------------------------------------------------------------------------------------


def terms() -> list[tuple[str, str]]:
    return [(term, text.strip()) for term, text in sections(document("glossary")).items()]


def labs_with(term: str) -> list[int]:
    pattern = re.compile(rf"(?<![\w-]){re.escape(term)}(?:s|es)?(?![\w-])", re.I)
    return [number for number, lab in LABS.items() if pattern.search(prose(lab))]


def test_the_glossary_is_in_alphabetical_order_and_has_each_term_once() -> None:
    found = re.findall(r"^## (.+)$", document("glossary"), flags=re.M)
    assert 40 <= len(found) <= 60
    assert [(a, b) for a, b in pairwise(found) if a.casefold() >= b.casefold()] == []


@pytest.mark.parametrize(("term", "text"), terms(), ids=[term for term, _ in terms()])
def test_a_term_first_appears_in_the_lab_that_the_glossary_names(term: str, text: str) -> None:
    definition, _, named = text.rpartition(" (Lab 0")
    assert definition and named == f"{labs_with(term)[0]})"
    assert len(re.findall(r"\.(?=\s|$)", definition)) in (1, 2, 3)


# --- cheat sheet -------------------------------------------------------------------------------------------

SHEET = {int(title[5]): text for title, text in sections(document("cheat_sheet")).items()}
CODE = re.compile(r"`([^`]+)`")
NUMBER = re.compile(r"\d[\d,.×]*\d|\d")


def calls(text: str) -> list[tuple[str, str]]:
    """The formulas for what an exercise computes: the call and its value."""
    return re.findall(r"`(\w+\([^`=]+\)) = ([^`]+)`", text)


FORMULAS = [
    call for text in SHEET.values() for call in calls(text) if call[0].split("(")[0] in exercises.names()
]


def as_python(formula: str) -> str:
    written = re.sub(r"⌊([^⌊⌋]+) / (\w)⌋", r"((\1) // \2)", formula)
    written = re.sub(r"(\d)([a-z])", r"\1*\2", written)
    for sign, python in {"−": "-", "·": "*", "²": "**2", "^": "**"}.items():
        written = written.replace(sign, python)
    return written


@pytest.mark.parametrize(("call", "value"), FORMULAS, ids=[call for call, _ in FORMULAS])
def test_a_formula_gives_what_the_exercise_computes(call: str, value: str) -> None:
    name, draw = call.split("(")[0], random.Random(0)
    for _ in range(50):
        numbers = {letter: draw.randint(1, 9) for letter in re.findall(r"\b[A-Za-z]\b", call)}
        numbers |= {letter: draw.randint(9, 40) for letter in ("n", "H", "W") if letter in numbers}
        if name == "same_padding":
            numbers["f"] = 2 * numbers["f"] + 1
        reference = {name: exercises.get(name).reference}
        assert eval(as_python(value), {}, numbers) == pytest.approx(eval(call, reference, numbers))


def test_the_formulas_of_the_cheat_sheet_are_found() -> None:
    assert {call.split("(")[0] for call, _ in FORMULAS} >= {"output_size", "pooled_shape", "receptive_field"}


@pytest.mark.parametrize("number", LABS)
def test_all_else_on_the_cheat_sheet_stands_in_its_lab(number: int) -> None:
    text = SHEET[number]
    for call, value in calls(text):
        text = text.replace(f"`{call} = {value}`", "")
    for sum_ in re.findall(r"`([\d, +]+ = [\d,]+)`", text):
        parts, total = sum_.replace(",", "").split(" = ")
        assert sum(map(int, parts.split(" + "))) == int(total)
        text = text.replace(f"`{sum_}`", sum_)
    words = [" ".join(row) for row in rows(text)]
    found = [code for line in words for code in CODE.findall(line)]
    found += [number for line in words for number in NUMBER.findall(CODE.sub("", line))]
    assert found and [each for each in found if not stands_in(LABS[number], each)] == []


def test_the_cheat_sheet_is_short_enough_for_one_page() -> None:
    lines = [line for line in document("cheat_sheet").splitlines() if line and "---" not in line]
    assert len(lines) <= 55 and max(map(len, lines)) <= 110


# --- what students may read --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cheat_sheet", "glossary"])
@pytest.mark.parametrize("lab", LABS.values(), ids=lambda lab: lab.name)
def test_no_line_of_a_solution_is_given_away(name: str, lab: Lab) -> None:
    page = new_notebook(cells=[new_markdown_cell(document(name))])
    assert find_leaks(read_notebook(lab.solution), page) == []
