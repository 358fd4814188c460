"""The question at the end of each lab: a human grades it, and what its model answer says is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from course_utils import exercises
from course_utils.notebooks.layout import Lab, find_labs
from course_utils.notebooks.pairing import read_notebook, read_text

REPOSITORY = Path(__file__).parents[1]
LABS = find_labs(REPOSITORY)


def question_and_answer(lab: Lab) -> tuple[str, str, dict]:
    """The text of a lab's question, the model answer in the cell below it, and that cell's marks."""
    cells = read_text(lab.text).cells
    (place,) = (i for i, cell in enumerate(cells) if "### Question" in cell.source)
    answer = cells[place + 1]
    return cells[place].source, answer.source, answer.metadata.nbgrader


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_a_lab_has_one_question_that_a_human_grades(lab: Lab) -> None:
    question, answer, marks = question_and_answer(lab)
    assert marks["grade"] and marks["solution"] and not marks["locked"]
    assert f"### Question · `{marks['grade_id']}` ({marks['points']} points)" in question
    assert question.count("(1 point)") == marks["points"]
    assert marks["grade_id"] not in exercises.names()
    (given,) = (c for c in read_notebook(lab.notebook).cells if marks["grade_id"] in str(c.metadata))
    assert (given.source, given.cell_type) == ("YOUR ANSWER HERE", "markdown") and len(answer) > 200


def numbers(lab: int) -> list[float]:
    """The numbers of a lab's model answer, in order, without those that number its parts."""
    text = re.sub(r"^\d\. ", "", question_and_answer(LABS[lab - 1])[1], flags=re.M).replace(",", "")
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", text)]


def test_the_border_of_a_white_image() -> None:
    out = nn.functional.conv2d(torch.ones(1, 1, 100, 100), torch.ones(1, 1, 3, 3), padding=1)[0, 0]
    corner, edge, inside = numbers(1)[:3]
    assert {out[i, j].item() for i in (0, -1) for j in (0, -1)} == {corner}
    assert {*out[0, 1:-1].tolist(), *out[1:-1, -1].tolist()} == {edge}
    assert set(out[1:-1, 1:-1].flatten().tolist()) == {inside}


def test_a_map_with_these_two_tables_exists_and_where_they_agree_it_is_constant() -> None:
    question = question_and_answer(LABS[1])[0]
    rows = re.findall(r"^(?:A:|  ) +([\d.]+) +([\d.]+) +(?:B:)? +([\d.]+) +([\d.]+)$", question, flags=re.M)
    average, largest = torch.tensor([[float(x) for x in row] for row in rows]).split(2, dim=1)
    whole = torch.cartesian_prod(*[torch.arange(7)] * 4).float()
    for mean, most in zip(average.flatten(), largest.flatten(), strict=True):
        fit = whole[(whole.mean(1) == mean) & (whole.amax(1) == most)]
        assert len(fit)
        if mean == most:
            assert fit.tolist() == [[4.0] * 4]


def test_larger_images_for_lenet5() -> None:
    small, large = 100 * 7 * 7, 100 * 14 * 14
    assert {float(large), float(small)} <= set(numbers(3))
    assert large / small == (56 / 28) ** 2 == 4
    assert exercises.get("lenet5_parameters").reference()[2] == 100 * small + 100


def test_one_more_convolution_for_vgg() -> None:
    field, work = (exercises.get(name).reference for name in ("receptive_field", "conv_multiply_adds"))
    conv, pool = (3, 1), (2, 2)
    blocks = [[conv, conv, pool], [conv, conv, pool], [conv, conv, pool], [conv, pool]]

    def seen(more: int | None) -> int:
        layers = [layer for i, block in enumerate(blocks) for layer in [conv] * (i == more) + block]
        return field(layers[:-1])

    assert [seen(0) - seen(None), seen(3) - seen(None)] == numbers(4)[:2] == [2, 16]
    assert work(64, 64, 32, 32, 3) == work(512, 512, 4, 4, 3) == pytest.approx(37.7e6, rel=0.002)
    weights = [channels * channels * 9 for channels in (512, 64)]
    assert weights == pytest.approx([2.4e6, 37e3], rel=0.02)
