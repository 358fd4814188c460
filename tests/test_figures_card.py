"""The verdict card: the smallest case side by side, in HTML and in text, whatever an answer returns."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from course_utils.figures import VERDICT_MIME, verdict_card

IMAGE = np.arange(20).reshape(5, 4)
KERNEL = np.array([[0, 1], [2, 3]])
EXPECTED = np.arange(12).reshape(4, 3)


def case(**about: Any) -> SimpleNamespace:
    """A counterexample, of a 5×4 image with a 2×2 kernel unless said otherwise."""
    usual = {
        "call": "cross_correlate(image, kernel)",
        "note": "5×4 image",
        "inputs": {"image": IMAGE, "kernel": KERNEL},
        "expected": EXPECTED,
        "actual": EXPECTED.copy(),
        "differing": None,
        "window": None,
    }
    return SimpleNamespace(**{**usual, **about})


def verdict(status: str = "wrong", **about: Any) -> SimpleNamespace:
    usual = {
        "exercise": "cross_correlate",
        "number": "1.1",
        "title": "Cross-correlation",
        "status": status,
        "misconception": None,
        "message": "the whole message",
        "counterexample": None,
        "section": None,
        "points": 2,
        "earned": 2 if status == "correct" else 0,
        "reason": "",
        "traceback": "",
        "stopped_after": None,
        "lent": (),
        "printed": "",
    }
    return SimpleNamespace(**{**usual, **about})


def text_of(**about: Any) -> str:
    return verdict_card(verdict(counterexample=case(**about), reason="The reason.")).text


def html_of(**about: Any) -> str:
    return verdict_card(verdict(counterexample=case(**about), reason="The reason.")).html


def with_one_wrong(row: int, column: int, value: float = 99) -> np.ndarray:
    actual = EXPECTED.copy()
    actual[row, column] = value
    return actual


class Structure(HTMLParser):
    """Checks that tags nest, and collects tables' captions and the classes of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_correct_and_not_started_are_one_line() -> None:
    assert verdict_card(verdict("correct")).text == "✓ Exercise 1.1 (cross_correlate): correct."
    assert verdict_card(verdict("not started")).text == "○ Exercise 1.1 (cross_correlate) is not started."


def test_an_exercise_that_waits_for_another_says_so() -> None:
    card = verdict_card(verdict("not started", reason="It waits for zero_pad, which is not started."))
    assert card.text == "○ Exercise 1.1 (cross_correlate): it waits for zero_pad, which is not started."


def test_the_verdict_is_there_for_tools() -> None:
    bundle = verdict_card(verdict(misconception="flipped-kernel"))._repr_mimebundle_()
    assert bundle[VERDICT_MIME] == {
        "id": "cross_correlate",
        "status": "wrong",
        "misconception": "flipped-kernel",
        "points": 2,
        "earned": 0,
    }


def test_the_text_sets_input_expected_and_yours_side_by_side() -> None:
    told = text_of(actual=with_one_wrong(0, 1), window={"image": [(slice(0, 2), slice(1, 3))]})
    assert told.splitlines()[:12] == [
        "✗ Exercise 1.1 (cross_correlate): not right yet.",
        "",
        "cross_correlate(image, kernel)   5×4 image",
        "",
        "image 5×4         kernel 2×2   expected 4×3   yours 4×3",
        "  0 ( 1)( 2)  3    0  1          0 [ 1]  2      0 [99]  2",
        "  4 ( 5)( 6)  7    2  3          3   4   5      3   4   5",
        "  8   9  10  11                  6   7   8      6   7   8",
        " 12  13  14  15                  9  10  11      9  10  11",
        " 16  17  18  19",
        "",
        "[ ] differs   ( ) what the first that differs is made from",
    ]
    assert "The reason." in told
    assert told.endswith("For a hint: check.cross_correlate.hint()")


def test_the_html_marks_the_same_cells_by_more_than_colour() -> None:
    html = html_of(actual=with_one_wrong(0, 1), window={"image": [(slice(0, 2), slice(1, 3))]})
    tags = Structure(html).tags
    marked = [attributes["aria-label"] for tag, attributes in tags if attributes.get("class") == "cl-differs"]
    assert marked == ["1, differs", "99, differs"]
    read = [attributes["aria-label"] for tag, attributes in tags if attributes.get("class") == "cl-window"]
    assert read == [f"{number}, in the window" for number in (1, 2, 5, 6)]
    assert "<strong>99</strong>" in html


def test_every_grid_has_a_caption_and_scoped_headings() -> None:
    html = html_of(actual=with_one_wrong(0, 1))
    tags = Structure(html).tags
    tables = sum(tag == "table" for tag, _ in tags)
    assert tables == 4 and sum(tag == "caption" for tag, _ in tags) == tables
    assert {attributes.get("scope") for tag, attributes in tags if tag == "th"} == {"row", "col"}
    assert any(attributes.get("role") == "group" and attributes.get("aria-label") for _, attributes in tags)


def test_nothing_is_marked_as_differing_when_shapes_differ() -> None:
    told = text_of(actual=np.zeros((3, 3)))
    assert "expected 4×3" in told and "yours 3×3" in told
    assert "[" not in told.split("\n\n")[2]


def test_where_differences_are_not_given_they_are_found() -> None:
    assert "[99]" in text_of(actual=with_one_wrong(3, 2), differing=None)


def test_a_large_array_is_cut_out_around_the_first_difference() -> None:
    expected = np.zeros((28, 30), int)
    actual = expected.copy()
    actual[20, 15] = actual[25, 29] = 7
    told = text_of(inputs={}, expected=expected, actual=actual)
    assert "expected 28×30, rows 16–23, columns 10–19" in told
    assert told.count("[7]") == 1 and told.count("[0]") == 1


def test_of_several_channels_the_first_differing_one_is_named() -> None:
    expected = np.zeros((6, 3, 2), int)
    actual = expected.copy()
    actual[4, 1, 1] = 5
    told = text_of(inputs={}, expected=expected, actual=actual)
    assert "expected[4] of 6×3×2" in told and "yours[4] of 6×3×2" in told
    assert "yours[0]" not in told


def test_of_several_filters_the_one_behind_the_difference_is_shown() -> None:
    expected = np.zeros((3, 2, 2), int)
    actual = expected.copy()
    actual[2, 0, 0] = 5
    weight = np.arange(3 * 2 * 2 * 2).reshape(3, 2, 2, 2)
    told = text_of(inputs={"x": np.zeros((2, 3, 3)), "weight": weight}, expected=expected, actual=actual)
    assert "weight[2, 0] of 3×2×2×2" in told and "weight[2, 1] of 3×2×2×2" in told
    assert "weight[0" not in told
    assert "x[0] of 2×3×3" in told and "x[1] of 2×3×3" in told


def test_of_many_input_channels_only_the_one_in_the_window_is_shown() -> None:
    told = text_of(inputs={"x": np.zeros((9, 3, 3))}, window={"x": [(7, slice(0, 2), slice(0, 2))]})
    assert "x[7] of 9×3×3" in told and "x[0]" not in told


def test_numbers_have_as_many_digits_as_tell_them_apart() -> None:
    expected = np.array([[0.123456, 1.0]])
    told = text_of(
        inputs={}, expected=expected, actual=np.array([[0.123498, 1.0]]), differing=[[True, False]]
    )
    assert "0.12346" in told and "0.1235" in told
    assert "1.0" not in told


def test_every_differing_pair_is_told_apart() -> None:
    expected, actual = np.array([[0.5, 0.123456]]), np.array([[0.25, 0.123498]])
    assert "0.12346" in text_of(inputs={}, expected=expected, actual=actual, differing=[[True, True]])


def test_nan_where_nan_is_expected_does_not_differ() -> None:
    nan = np.array([[np.nan, 1.0]])
    assert "[nan]" not in text_of(inputs={}, expected=nan, actual=np.array([[np.nan, 2.0]]))


def test_special_numbers_are_written_out() -> None:
    told = text_of(inputs={}, expected=np.array([[1.0, 2.0]]), actual=np.array([[np.nan, -np.inf]]))
    assert "[ nan][-inf]" in told


def test_what_was_expected_is_drawn_when_nothing_came_back() -> None:
    told = text_of(actual=None)
    assert "expected 4×3" in told and "yours  None" in told


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        (3, 4, ["expected  3", "yours     4"]),
        (3, None, ["expected  3", "yours     None"]),
        ((2, 3, 4), (2, 4, 3), ["expected  (2, 3, 4)", "yours     (2, 4, 3)"]),
        ((2, 3), EXPECTED[0], ["expected  (2, 3)"]),
        ([500, 45100], 500, ["expected  [500, 45100]", "yours     500"]),
        ({"a": 1}, "b", ["expected  {'a': 1}", "yours     'b'"]),
    ],
)
def test_what_is_no_grid_is_said_in_a_line(expected: Any, actual: Any, lines: list[str]) -> None:
    told = text_of(inputs={"n": 5}, expected=expected, actual=actual)
    assert "\n".join(lines) in told


def test_an_answer_that_could_not_be_read_is_named() -> None:
    assert "yours  an object of type S" in text_of(actual=SimpleNamespace(kind="an object of type S"))


def test_expected_and_yours_stay_on_one_row_of_text() -> None:
    wide = np.zeros((3, 10), int) + 1_000_000
    told = text_of(inputs={"image": wide}, expected=wide, actual=wide + 1)
    assert not any(line.startswith("expected") and "yours" in line for line in told.splitlines())
    narrow = wide[:, :4]
    told = text_of(inputs={"image": wide}, expected=narrow, actual=narrow + 1)
    assert any(line.startswith("expected 3×4") and "yours 3×4" in line for line in told.splitlines())


def test_an_error_shows_the_students_lines_and_the_call() -> None:
    card = verdict_card(
        verdict(
            "error",
            traceback="line 3, in cross_correlate\nValueError: no",
            counterexample=case(),
            printed="here",
        )
    )
    assert card.text.startswith("! Exercise 1.1 (cross_correlate): your code stopped with an error.")
    assert "cross_correlate(image, kernel)" in card.text
    assert "    ValueError: no" in card.text and "ValueError: no</pre>" in card.html
    assert "Your code printed:\n    here" in card.text
    assert "yours" not in card.text


def test_an_answer_that_took_too_long_says_so_in_its_title() -> None:
    card = verdict_card(verdict("error", stopped_after=10.0, traceback="  line 2, in f"))
    assert card.text.startswith("! Exercise 1.1 (cross_correlate): your code was stopped after 10 s.")
    assert "stopped with an error" not in card.text + card.html


def test_an_answer_that_never_ran_has_not_stopped_with_an_error() -> None:
    card = verdict_card(verdict("error", reason="The kernel ended. Return an int (`//`)."))
    assert card.text.startswith("! Exercise 1.1 (cross_correlate): your code could not be checked.")
    assert "(`//`)" in card.text and "(<code>//</code>)" in card.html


def test_long_answers_in_words_stand_on_a_line_each() -> None:
    short = html_of(inputs={}, expected=(1, 2), actual=(1, 3))
    long = html_of(inputs={}, expected=("conv1 50×28×28",) * 3, actual=("conv1 50×26×26",) * 3)
    assert " · yours" in short and "<br>yours" in long


class Hostile:
    def __repr__(self) -> str:
        return "<script>alert(1)</script>" + "x" * 10_000


def test_what_a_student_wrote_is_escaped_and_cut() -> None:
    script = "<script>alert(1)</script>"
    card = verdict_card(
        verdict(
            counterexample=case(actual=Hostile(), call=script, note=script, inputs={script: IMAGE}),
            reason=script,
            traceback=script,
            printed=script,
            section=script,
        )
    )
    assert "<script" not in card.html
    assert "&lt;script&gt;" in card.html
    assert len(card.text) < 2000
    Structure(card.html)


def test_the_card_needs_no_script_and_no_network() -> None:
    bundle = verdict_card(verdict(counterexample=case(actual=with_one_wrong(1, 1))))._repr_mimebundle_()
    assert not re.search(r"<script|https?:|src=|@import|url\(|on\w+=", bundle["text/html"])
    assert len(bundle["text/html"]) < 12_000


def test_the_same_verdict_gives_the_same_card() -> None:
    first, second = (html_of(actual=with_one_wrong(1, 1)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 0, 3)])
def test_an_empty_answer_is_said_to_be_empty(shape: tuple[int, ...]) -> None:
    assert "empty" in text_of(actual=np.zeros(shape))


def test_a_window_that_reaches_outside_marks_what_is_inside() -> None:
    told = text_of(actual=with_one_wrong(0, 0), window={"image": [(slice(0, 9), slice(3, 9)), (77, 0)]})
    assert "( 3)" in told and "(19)" in told


def test_tensors_are_taken_as_arrays_are() -> None:
    import torch

    told = text_of(expected=torch.zeros(2, 2, requires_grad=True), actual=torch.ones(2, 2))
    assert "[1]" in told
