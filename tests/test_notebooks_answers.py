"""The answers for instructors: they quote each question that a lab leaves to its readers, and answer it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_utils.notebooks.build import check
from course_utils.notebooks.layout import ANSWERS, Lab, Source, find_labs, find_sources
from course_utils.notebooks.outputs import output_texts, problems
from course_utils.notebooks.pairing import read_notebook, read_text

REPOSITORY = Path(__file__).parents[1]
LABS = find_labs(REPOSITORY)
SOURCE = Source(ANSWERS, REPOSITORY)

each_lab = pytest.mark.parametrize("lab", LABS, ids=[lab.name for lab in LABS])

LEFT_TO_THE_READER = ("**Try it", "**A challenge")

ANSWERED_IN_THE_LAB = (
    "Why bother? Because",
    "Does pooling bring the two images closer together?",
    "**How long does a step take?**",
    "**What does each of them contribute?**",
    "**Which classes are confused?**",
    "Where are the parameters, and where is the work? Choose",
)
"""Questions that the next cell of the lab answers. Those above an exercise are its own."""


def paragraphs(source: str) -> Iterator[str]:
    """Each paragraph of a text as one line, without the marks of a quotation."""
    for paragraph in re.split(r"\n(?:> ?)?\n", source):
        yield " ".join(paragraph.replace("\n> ", "\n").removeprefix("> ").split())


def questions(lab: Lab) -> list[str]:
    """The paragraphs of a lab that leave a question to the reader."""
    found = []
    for cell in read_text(lab.text).cells:
        if cell.cell_type == "markdown":
            exercise = "### Exercise" in cell.source or "### Question" in cell.source
            for paragraph in paragraphs(cell.source):
                asks = "?" in paragraph and not exercise
                asks = asks and not any(question in paragraph for question in ANSWERED_IN_THE_LAB)
                if asks or paragraph.startswith(LEFT_TO_THE_READER):
                    found.append(paragraph)
    return found


def quotations() -> dict[int, list[str]]:
    """What the answers quote, by the number of the lab."""
    found: dict[int, list[str]] = {lab.number: [] for lab in LABS}
    number = 0
    for cell in read_text(SOURCE.text).cells:
        if cell.cell_type == "markdown":
            for block in cell.source.split("\n\n"):
                if heading := re.fullmatch(r"## Lab (\d\d)", block):
                    number = int(heading[1])
                elif block.startswith("> "):
                    found[number] += paragraphs(block)
    return found


@each_lab
def test_each_quoted_question_stands_in_its_lab(lab: Lab):
    cells = [cell.source for cell in read_text(lab.text).cells if cell.cell_type == "markdown"]
    written = [paragraph for source in cells for paragraph in paragraphs(source)]
    assert [quoted for quoted in quotations()[lab.number] if quoted not in written] == []


@each_lab
def test_each_question_of_a_lab_has_an_answer(lab: Lab):
    asked = questions(lab)
    assert asked
    assert [question for question in asked if question not in quotations()[lab.number]] == []


def test_the_questions_that_the_labs_answer_stand_in_them():
    text = " ".join(" ".join(cell.source.split()) for lab in LABS for cell in read_text(lab.text).cells)
    assert [question for question in ANSWERED_IN_THE_LAB if question not in text] == []


def test_each_answer_quotes_a_question_and_shows_something():
    sections: list[list[str]] = []
    for cell in read_notebook(SOURCE.solution).cells:
        if cell.cell_type == "markdown":
            for block in cell.source.split("\n\n"):
                if block.startswith("### "):
                    sections.append([block])
                elif block.startswith("> "):
                    sections[-1].append("quotation")
        elif sections and any(map(str.strip, output_texts(cell))):
            sections[-1].append("output")
    assert sections
    assert [name for name, *parts in sections if not {"quotation", "output"} <= set(parts)] == []


def test_the_notebook_is_built_from_its_text():
    assert [str(difference) for difference in check(SOURCE)] == []
    assert problems(read_notebook(SOURCE.solution)) == []


def test_they_are_built_with_the_labs_and_no_lab_is_made_of_them():
    assert find_sources(REPOSITORY) == [*LABS, SOURCE]
    assert find_sources(REPOSITORY, 2) == LABS[1:2]
    assert not (REPOSITORY / "labs" / f"{ANSWERS}.ipynb").exists()
