"""What the instructor's page says a class got wrong: causes and not what follows, the commonest first."""

from __future__ import annotations

import pytest
from made_up_class import mark, row

from course_utils import exercises
from course_utils.exercises.model import Verdict
from course_utils.grading.corrections import Correction
from course_utils.grading.grades import GradeRow, JudgedSubmission, Mark, Result, result_of
from course_utils.grading.records import Isolation, Submission
from course_utils.grading.report.summary import error_sentence, reasons, summarise

FLIPPED = {"status": "wrong", "misconception": "flipped-kernel", "reason": "It flips the kernel."}
SYNTAX = {
    "status": "error",
    "reason": "Its cell fails with SyntaxError: '(' was never closed (<cell>, line 3)",
}


def causes(*students: list[Mark]) -> list[tuple[int, str, tuple[str, ...]]]:
    (lab,) = summarise([row(f"student {i}", marks) for i, marks in enumerate(students)])
    return [
        (len(one.cases), one.id or one.sentence, tuple(e.id for e in one.exercises)) for one in lab.causes
    ]


def test_what_only_follows_from_another_exercise_is_no_cause():
    lent = {
        "reason": "It was judged with the course's `zero_pad`: yours is not right yet.",
        "lent": ("zero_pad",),
    }
    student = [
        mark("zero_pad", "wrong", misconception="height-for-width", reason="x"),
        mark("conv2d_single", "correct", **lent),
        mark("im2col", "error", **lent),
        mark("conv2d", "wrong", **{**lent, "misconception": "flipped-kernel"}),
    ]
    assert causes(student, student) == [
        (2, "height-for-width", ("zero_pad",)),
        (2, "flipped-kernel", ("conv2d",)),  # with the course's zero_pad it would have been right otherwise
    ]


@pytest.mark.parametrize(("size", "sharing", "headlines"), [(3, 1, 0), (3, 2, 1), (50, 2, 0), (50, 3, 1)])
def test_a_cause_that_hardly_anybody_shares_is_no_headline(size, sharing, headlines):
    wrong = [[mark("cross_correlate", **FLIPPED)]] * sharing
    assert len(causes(*wrong, *[[mark("cross_correlate")]] * (size - sharing))) == headlines


def test_python_errors_are_grouped_by_their_sentence_and_each_student_counts_once():
    both = [mark("cross_correlate", **SYNTAX), mark("zero_pad", **SYNTAX)]
    assert causes(
        both, [mark("cross_correlate", **FLIPPED)], both, [mark("cross_correlate", **FLIPPED), both[1]]
    ) == [
        (3, "SyntaxError: '(' was never closed", ("cross_correlate", "zero_pad")),
        (2, "flipped-kernel", ("cross_correlate",)),
    ]


def test_a_students_error_reads_the_same_whatever_was_asked():
    def zero_pad(image, n):
        return hight  # noqa: F821

    verdicts = [exercises.evaluate("zero_pad", zero_pad, seed=seed) for seed in range(3)]
    (sentence,) = {error_sentence(verdict.reason) for verdict in verdicts}
    assert sentence.startswith("NameError: ") and "hight" in sentence
    stopped = (
        "conv2d(x=…, p=1) did not end within 10 s, after 3 right answers. Look at the line shown: was it …?"
    )
    assert error_sentence(stopped) == "It did not end within 10 s."


def test_what_the_instructor_overrules_is_no_mistake_of_the_class():
    marks = [mark("cross_correlate", **FLIPPED)]
    full = {"cross_correlate": Correction("cross_correlate", 2, 2)}
    part = {"cross_correlate": Correction("cross_correlate", 1, 2)}
    (lab,) = summarise(
        [row("a", marks, corrections=full), row("b", marks), row("c", marks, corrections=part)]
    )
    assert [len(one.cases) for one in lab.causes] == [2]
    (hard,) = lab.hardest
    assert (hard.counts["correct"], hard.counts["wrong"], hard.lost) == (1, 2, 3)
    assert lab.mean == pytest.approx(100 * (2 + 0 + 1) / 3 / row("a", marks).maximum)


def test_points_that_a_human_has_not_given_yet_are_not_lost():
    marks = [mark("cross_correlate", "not graded"), mark("zero_pad", "not started")]
    (lab,) = summarise([row("a", marks)])
    assert {hard.exercise: hard.lost for hard in lab.hardest} == {"cross_correlate": 0, "zero_pad": 1}


def test_why_a_human_should_look_is_told_once_with_all_whom_it_concerns():
    nothing = GradeRow(
        Submission("d", lab=1, problem="Nothing was handed in."), look=("Nothing was handed in.",)
    )
    rows = [row("a", [], look=("One.",)), row("b", [], look=("Two.", "One.")), row("c", []), nothing]
    assert [(why, [one.student for one in them]) for why, them in reasons(rows)] == [
        ("One.", ["a", "b"]),
        ("Two.", ["b"]),
    ]


def test_what_was_lent_is_stored():
    verdict = Verdict("conv2d", "1.6", "conv2d", "correct", points=3, earned=3, lent=("zero_pad",))
    result = result_of(JudgedSubmission([verdict], (), 0.1, Isolation("full")))
    assert Result.from_json(result.to_json()) == result
    assert result.marks[0].lent == ("zero_pad",)


def test_points_by_hand_count_where_the_checks_could_not_read():
    unread = Submission("a", lab=1, problem="The file is not a notebook.")
    by_hand = GradeRow(unread, corrections={"zero_pad": Correction("zero_pad", 1, 1)})
    (lab,) = summarise([by_hand])
    assert (lab.graded, lab.missing) == (1, 0)
