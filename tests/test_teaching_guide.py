"""The guide for instructors, the cheat sheet and the glossary say what the labs and the checks say."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from nbformat.v4 import new_markdown_cell, new_notebook
from torch import nn
from torch.nn import functional

from course_utils import exercises
from course_utils.figures.live.pool_walk import MAP
from course_utils.notebooks.cells import grade_id_of
from course_utils.notebooks.layout import ANSWERS, Lab, Source, find_labs
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
def everything(lab: Source) -> str:
    """A lab's text and code without solutions, and what its solution printed, in one line."""
    code = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", lab.text.read_text("utf-8"), flags=re.S)
    cells = [cell for cell in read_notebook(lab.solution).cells if cell.cell_type == "code"]
    printed = [text for cell in cells for text in output_texts(cell)]
    return " ".join(re.sub(r"^# ", "", "\n".join([code, *printed]), flags=re.M).split())


def stands_in(lab: Source, written: str) -> bool:
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


# --- the guide ---------------------------------------------------------------------------------------------

GUIDE = sections(document("teaching"))
IDS = exercises.names()
FOR_INSTRUCTORS = [title for title in GUIDE if title.startswith("Answers")]
NUMBERED = {exercises.get(name).number: name for name in IDS}


def minutes() -> dict[str, int]:
    """The estimated minutes of each exercise."""
    return {CODE.findall(row[1])[0]: int(row[-1]) for row in rows(GUIDE["Minutes for each exercise"])}


def answer_lines() -> dict[str, int]:
    """How many lines of each answer no earlier answer of its lab has."""
    counts = {}
    for lab in LABS.values():
        seen: set[str] = set()
        for cell in read_text(lab.text).cells:
            regions = re.findall(r"### BEGIN SOLUTION(.*?)### END SOLUTION", cell.source, flags=re.S)
            lines = [line.strip() for region in regions for line in region.splitlines() if line.strip()]
            if lines:
                counts[grade_id_of(cell)] = len([line for line in lines if line not in seen])
            seen.update(lines)
    return counts


def test_every_exercise_has_an_estimate_that_follows_from_its_lines_and_ideas() -> None:
    counts = answer_lines()
    for (number, name, lines, ideas, total), wanted in zip(
        rows(GUIDE["Minutes for each exercise"]), IDS, strict=True
    ):
        exercise = exercises.get(wanted)
        assert name == f"`{wanted}`" + " (optional)" * exercise.optional
        assert (number, int(lines)) == (exercise.number, counts[wanted])
        assert int(total) == 5 * math.ceil((int(lines) + 3 * len(ideas.split("; "))) / 5)


def test_every_exercise_has_misconceptions_to_expect_that_its_check_knows() -> None:
    found = list(rows(GUIDE["What students get wrong"]))
    assert [CODE.findall(row[0]) for row in found] == [[name] for name in IDS]
    for (name, expected, sentence), wanted in zip(found, IDS, strict=True):
        known = {misconception.id for misconception in exercises.get(wanted).misconceptions}
        assert CODE.findall(expected) and set(CODE.findall(expected)) <= known, name
        assert sentence.endswith((".", "?"))


def test_a_class_takes_90_minutes_and_its_exercises_have_their_time() -> None:
    _, *plans = GUIDE["Two 90-minute classes"].split("### ")
    estimates = minutes()
    assert len(plans) == 2
    for plan in plans:
        end = 0
        for time, _, students, _ in rows(plan):
            start, stop = map(int, time.split("–"))
            assert start == end
            end = stop
            asked = [NUMBERED[number] for number in re.findall(r"\b\d\.\d+\b", students)]
            assert sum(estimates[name] for name in asked) <= stop - start
        assert end == 90


def test_the_week_of_homework_has_every_exercise_once_and_adds_its_minutes_up() -> None:
    numbers, estimates, done = list(NUMBERED), minutes(), []
    for _, days, total in rows(GUIDE["A week of homework"]):
        first, last, *without = re.findall(r"\d\.\d+", days)
        chosen = [n for n in numbers[numbers.index(first) : numbers.index(last) + 1] if n not in without]
        assert sum(estimates[NUMBERED[number]] for number in chosen) == int(total)
        done += chosen
    assert done == [number for number, name in NUMBERED.items() if not exercises.get(name).optional]


def test_the_points_of_each_lab_are_those_of_its_exercises() -> None:
    found = [tuple(map(int, row)) for row in rows(GUIDE["Grading"])]
    sums = [sum(exercises.get(name).points for name in IDS if exercises.get(name).lab == n) for n in LABS]
    assert found == [(number, points, 2, points + 2) for number, points in zip(LABS, sums, strict=True)]


@pytest.mark.slow
def test_every_figure_of_the_guide_can_be_shown() -> None:
    before, setup, after = re.split(r"```python\n(.*?)```", document("teaching"), flags=re.S)
    namespace: dict[str, Any] = {}
    exec(setup, namespace)
    shown = [code for code in CODE.findall(after) if code.startswith("figures.")]
    assert "figures." not in before
    assert len(shown) == 9
    said = "\n".join(repr(eval(code, namespace)) for code in shown)
    for stated in ("output 1×4×4, its first number 6", "matrix 9×16, 4 times", "536,710", "138,357,544"):
        assert stated in said


def test_what_is_seen_in_the_figures_is_true() -> None:
    text = " ".join(GUIDE["Figures"].split())
    pixels = torch.zeros(1, 1, 6, 6, requires_grad=True)
    functional.conv2d(pixels, torch.ones(1, 1, 3, 3), stride=2).sum().backward()
    assert f"hatched, {int((pixels.grad == 0).sum())} of 36 pixels" in text
    image = torch.tensor(MAP)[None].float()
    moved = image.roll(1, dims=-1)
    kept = [
        int((pool(image, 2) == pool(moved, 2)).sum())
        for pool in (functional.max_pool2d, functional.avg_pool2d)
    ]
    assert f"{kept[0]} of 9, though {int((image != moved).sum())} of 36 pixels changed" in text
    assert f"with the average, {kept[1]}." in text
    count, before = (
        exercises.get("count_conv_parameters").reference,
        exercises.get("lenet5_parameters").reference(),
    )
    assert f"{count(1, 50, 5) + count(50, 100, 5) + sum(before[2:]):,} parameters" in text
    layers = [(3, 1), (3, 1), (2, 2)] * 2
    fields = [exercises.get("receptive_field").reference(layers[: n + 1]) for n in range(6)]
    assert f"They see* {', '.join(map(str, fields))} pixels" in text
    assert f"{512 * 7 * 7 * 4096 + 4096:,} of" in text


def test_the_true_numbers_for_the_slides_stand_in_the_labs() -> None:
    for *_, true, number in rows(GUIDE["Slides to correct"]):
        found = re.findall(r"\[\[.*\]\]", true) or NUMBER.findall(true)
        assert [each for each in found if not stands_in(LABS[int(number)], each)] == []


def items(text: str) -> list[str]:
    """The items of a numbered list, each in one line."""
    return [" ".join(item.split()) for item in re.split(r"^\d+\. ", text, flags=re.M)[1:]]


def test_every_question_for_an_exam_has_an_answer_with_the_right_numbers() -> None:
    of = {name: exercises.get(name).reference for name in IDS}
    asked = [item.split(" *Answer:* ") for item in items(GUIDE["Answers and questions for an exam"])]
    assert len(asked) == 10 and all(question.endswith(("?", ".")) for question, _ in asked)
    answers = [answer for _, answer in asked]
    side = of["output_size"](227, 11, 0, 4)
    after = of["pooled_shape"]((1, side, side), 3, 2)[1]
    assert answers[0] == f"{side}×{side} and {after}×{after}."
    one, two = of["count_conv_parameters"](64, 64, 5), 2 * of["count_conv_parameters"](64, 64, 3)
    assert f"{one:,} and {two:,} parameters" in answers[1]
    assert of["receptive_field"]([(5, 1)]) == of["receptive_field"]([(3, 1)] * 2) == 5
    window = torch.tensor([[[-1.0, 1.0]]])
    assert [
        functional.avg_pool1d(window.relu(), 2).item(),
        functional.avg_pool1d(window, 2).relu().item(),
    ] == [0.5, 0]
    assert math.log(100) == pytest.approx(4.605, abs=0.001)
    wrong, sizes = [30, 30, 30, 50], [300, 300, 300, 100]
    shares = [w / n for w, n in zip(wrong, sizes, strict=True)]
    assert f"{sum(wrong) / sum(sizes):.0%}".replace("%", " %") in answers[4]
    assert f"The mean is {sum(shares) / 4:.0%}".replace("%", " %") in answers[4]
    counts = of["lenet5_parameters"]()
    assert answers[5].startswith(f"{sum(counts[:2]) + 100 * 10 + 10:,} instead of {sum(counts):,}")
    layers = [(7, 2), (3, 2), (3, 1)]
    assert answers[6] == f"{of['receptive_field'](layers)} pixels; {2 * 2} pixels apart."
    assert answers[7].startswith(f"By {sum(0.9**k for k in range(1000)):.0f}:")
    with pytest.raises(ValueError, match=re.search(r'"(.+)"', answers[8])[1]):
        nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1))


def test_every_question_that_a_lab_leaves_open_is_answered() -> None:
    parts = re.split(r"^\*\*Lab 0(\d)\*\*$", GUIDE['Answers to every "Try it" and challenge'], flags=re.M)
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
        quoted = [part.removeprefix("> ").removesuffix(" …") for part in paragraphs if part.startswith("> ")]
        cells = [cell.source for cell in read_text(LABS[int(number)].text).cells]
        asked = [" ".join(part.split()) for source in cells for part in source.split("\n\n")]
        left = [part for part in asked if part.startswith(("**Try it", "**A challenge"))]
        assert [part for part in left if not part.startswith(tuple(quoted))] == []
        assert [quote for quote in quoted if not any(part.startswith(quote) for part in asked)] == []
        assert not paragraphs[-1].startswith("> ")
    assert list(map(int, parts[1::2])) == list(LABS)


def test_the_answers_quote_what_the_answers_for_instructors_found() -> None:
    told = re.sub(r"^>.*$", "", GUIDE['Answers to every "Try it" and challenge'], flags=re.M)
    told = re.sub(r"\*\*Lab \d\d\*\*", "", told)
    source = Source(ANSWERS, REPOSITORY)
    found = NUMBER.findall(told)
    assert found and [each for each in found if not stands_in(source, each)] == []


def test_the_answers_come_last() -> None:
    assert list(GUIDE)[-len(FOR_INSTRUCTORS) :] == FOR_INSTRUCTORS and len(FOR_INSTRUCTORS) == 2


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", ["teaching", "cheat_sheet", "glossary"])
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document(name)):
        path, _, place = target.partition("#")
        page = (DOCS / path if path else DOCS / f"{name}.md").resolve()
        assert page.is_file(), target
        headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
        assert not place or place in map(anchor, headings), target


# --- what students may read --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["teaching", "cheat_sheet", "glossary"])
@pytest.mark.parametrize("lab", LABS.values(), ids=lambda lab: lab.name)
def test_no_line_of_a_solution_is_given_away(name: str, lab: Lab) -> None:
    text = document(name).partition("\n## Answers")[0]
    page = new_notebook(cells=[new_markdown_cell(text)])
    assert find_leaks(read_notebook(lab.solution), page) == []
