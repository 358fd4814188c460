"""Answers that are alike are flagged; what anybody may have written is not."""

from __future__ import annotations

import pytest
from submissions import right_answers, solutions

from course_utils import exercises
from course_utils.grading.similarity import MOST, SimilarPair, find_similar, shingles

LAB = [name for name in exercises.names() if exercises.get(name).lab == 1]
REFERENCES = {name: (source,) for name, source in solutions().items()}

MINE = """
def conv2d_single(image, kernel, padding=0, stride=1):
    '''Mine.'''
    kh, kw = kernel.shape
    big = F.pad(image, [padding] * 4)
    rows = range(0, big.shape[0] - kh + 1, stride)
    cols = range(0, big.shape[1] - kw + 1, stride)
    picked = [[float((big[r:r + kh, c:c + kw] * kernel).sum()) for c in cols] for r in rows]
    answer = torch.tensor(picked)
    return answer
"""
DISGUISED = """
# all my own work
def conv2d_single(image, kernel, padding = 0, stride = 1):
    a, b = kernel.shape   # size
    p = F.pad(image,
              [padding] * 4)
    ys = range(0, p.shape[0] - a + 1, stride)
    xs = range(0, p.shape[1] - b + 1, stride)
    values: list = [[float((p[y:y + a, x:x + b] * kernel).sum()) for x in xs] for y in ys]
    out = torch.tensor(values)
    return out
"""


def similar(answers: dict[str, dict[str, str]], known: dict[str, tuple[str, ...]]) -> list[SimilarPair]:
    marks = {
        student: {name: shingles(source) for name, source in theirs.items()}
        for student, theirs in answers.items()
    }
    return find_similar(1, marks, known)


def test_names_comments_docstrings_and_layout_do_not_count():
    assert shingles(MINE) == shingles(DISGUISED)
    assert len(shingles(MINE)) > 60


@pytest.mark.slow
def test_a_disguised_copy_is_found_among_others():
    answers = {
        f"student {i}": {n: right_answers(n)[i % len(right_answers(n))] for n in LAB} for i in range(3)
    }
    answers["ann"] = {"conv2d_single": MINE}
    answers["bea"] = {"conv2d_single": DISGUISED}
    (pair,) = similar(answers, REFERENCES)
    assert (pair.first, pair.second, pair.share, pair.exercises) == ("ann", "bea", 1.0, ("conv2d_single",))


@pytest.mark.parametrize("source", ["solution", "stub"])
def test_the_reference_and_the_stub_never_count(source):
    own = (
        solutions()
        if source == "solution"
        else dict.fromkeys(LAB, "def f(x):\n    raise NotImplementedError()")
    )
    known = REFERENCES if source == "solution" else {name: (own[name],) for name in LAB}
    assert similar({"ann": own, "bea": own}, known) == []


def test_short_answers_are_never_flagged():
    short = {"same_padding": "def same_padding(f):\n    p = f - 1\n    return p // 2"}
    assert similar({"ann": short, "bea": short}, {}) == []


def test_what_many_students_share_does_not_count():
    answers = {f"student {i}": {"conv2d_single": MINE} for i in range(40)}
    assert similar(answers, {}) == []


@pytest.mark.slow
def test_different_right_answers_are_not_alike():
    ways = range(4)
    answers = {f"student {i}": {n: right_answers(n)[i % len(right_answers(n))] for n in LAB} for i in ways}
    pairs = similar({k: v for k, v in answers.items() if k != "student 0"}, REFERENCES)
    assert pairs == []


def test_one_shared_exercise_among_many_own_ones_is_not_enough():
    ann = {n: right_answers(n)[1] for n in LAB if len(right_answers(n)) > 2}
    bea = {n: right_answers(n)[2] for n in LAB if len(right_answers(n)) > 2}
    ann["conv2d_single"] = bea["conv2d_single"] = MINE
    assert similar({"ann": ann, "bea": bea}, REFERENCES) == []


@pytest.mark.slow
def test_answers_of_any_length_are_compared_by_as_much():
    long = "def f(x):\n" + "".join(f"    x = x * {i}\n" for i in range(9_000))
    assert len(shingles(long)) == MOST
    assert len(shingles(long) & shingles(long + "    return x\n")) > 0.9 * MOST


def test_what_is_no_python_is_compared_with_nothing():
    broken = {"zero_pad": "def zero_pad(image, padding)\n    return" * 50}
    assert similar({"ann": broken, "bea": broken}, {}) == []
