"""A student's page begins with one thing to do: the first cause, what is not started, or the challenge."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_class import mark, row
from submissions import LABS, REPOSITORY

from course_utils import exercises
from course_utils.grading.corrections import Correction
from course_utils.grading.grades import GradeRow, Mark
from course_utils.grading.records import Submission
from course_utils.grading.report.next_step import feedback_text, next_step

LAB_ONE = [one for one in map(exercises.get, exercises.names()) if one.lab == 1]
FLIPPED = mark("cross_correlate", "wrong", misconception="flipped-kernel", reason="The only value is 1.")
ERROR = mark("zero_pad", "error", reason="zero_pad(image, 1) raises NameError. `hight` is not defined. Oh.")
LENT = {"reason": "The shape is 3×3.", "lent": ("zero_pad",)}


def lab(*marks: Mark, rest: str = "correct", **more) -> GradeRow:
    """A student's Lab 1 with these marks, and the rest of one status; what is optional is not started."""
    given = {one.exercise: one for one in marks}
    statuses = {one.id: "not started" if one.optional else rest for one in LAB_ONE}
    return row("ann", [given.get(one.id) or mark(one.id, statuses[one.id]) for one in LAB_ONE], **more)


def told(graded: GradeRow) -> str:
    step = next_step(graded)
    return " ".join(step.sentences) if step else ""


def test_the_first_cause_is_the_only_thing_to_do():
    graded = lab(ERROR, mark("im2col", "wrong", reason="The shape is 1×1."))
    step = next_step(graded)
    assert step.exercise == "zero_pad"
    assert step.sentences == (
        "Start with Exercise 1.2 (`zero_pad`).",
        "The card says what stops it.",
        "Read “Padding” in Lab 01 again, then change your answer and run its check.",
    )
    assert "NameError: `hight` is not defined. Read “Padding”" in feedback_text(graded)


def test_what_only_follows_from_another_exercise_waits_for_it():
    follows = mark("conv2d_single", "wrong", **LENT)
    assert next_step(lab(follows, mark("im2col", "wrong", reason="x"))).exercise == "im2col"
    assert "Exercise 1.2 (`zero_pad`)" in told(lab(mark("zero_pad", "not started"), follows))
    assert next_step(lab(follows)).exercise == "conv2d_single"  # there is nothing else to do


def test_a_single_mistake_is_called_so_and_its_misconception_says_where_to_read():
    own = exercises.get("cross_correlate").misconceptions[0]
    graded = lab(mark("cross_correlate", "wrong", misconception=own.id, reason="The only value is 1."))
    lab_name, _, heading = own.section.partition(", ")
    assert told(graded).startswith("Only Exercise 1.1 (`cross_correlate`) is not right yet. The card shows")
    assert f"“{heading}” in {lab_name}" in told(graded)
    assert own.sentence in feedback_text(graded)
    assert "Start with" in told(lab(FLIPPED, mark("conv2d_gradient", "wrong", reason="x")))


def test_what_is_optional_is_never_the_first_thing_to_mend():
    graded = lab(mark("conv2d_gradient", "wrong", reason="The shape is 1×1."))
    assert next_step(graded).exercise == ""
    assert "Exercise 1.9 (`conv2d_gradient`), which is optional, or the challenge" in told(graded)


def test_whoever_has_begun_goes_on_and_whoever_has_not_is_asked_about_the_file():
    begun = lab(mark("cross_correlate"), rest="not started")
    assert told(begun).startswith("What you have answered is right. Go on with Exercise 1.2 (`zero_pad`)")
    follows = lab(mark("cross_correlate"), mark("conv2d_single", "wrong", **LENT), rest="not started")
    assert told(follows).startswith("Go on with Exercise 1.2")
    assert "check which file you sent. Otherwise start with Exercise 1.1" in told(lab(rest="not started"))


def test_why_an_answer_was_not_found_stands_where_it_is_the_next_thing():
    remark = "Exercise 1.2 (zero_pad): its cell is text, not code."
    graded = lab(mark("zero_pad", "not started"), remarks=(remark,))
    assert told(graded) == "Start with Exercise 1.2 (`zero_pad`): its cell is text, not code."


@pytest.mark.parametrize(
    ("points", "words"),
    [(2, "All points. Well done."), (1, "Only Exercise 1.1"), (0, "Only Exercise 1.1")],
)
def test_what_the_instructor_gave_all_points_for_is_done(points, words):
    graded = lab(FLIPPED, corrections={"cross_correlate": Correction("cross_correlate", points, 2)})
    assert told(graded).startswith(words)


def test_nobody_is_praised_for_points_that_the_instructor_took():
    taken = {"cross_correlate": Correction("cross_correlate", 0, 2, "Please see me.")}
    assert next_step(lab(corrections=taken)) is None


def test_right_exercises_are_praised_though_open_questions_wait():
    graded = lab(questions=(Correction("why", None, 3),))
    assert told(graded).startswith("All exercises are right. Well done.")
    assert "Up to 3 more points are open until" in feedback_text(graded)
    assert told(lab()).startswith("Everything is right. Well done.")


def test_an_empty_answer_is_told_and_not_waited_for():
    questions = (Correction("why", None, 3), Correction("essay", None, 5))
    graded = lab(questions=questions, written={"why": ""})
    assert told(graded) == "All exercises are right. Well done. The question `why` of the lab has no answer."
    assert "Up to 5 more points are open until" in feedback_text(graded)
    assert "has no answer" not in told(lab(questions=questions[1:]))  # it may stand in no notebook


def test_a_message_without_a_next_step_says_why():
    absent = GradeRow(Submission("ann", lab=1, problem="Nothing was handed in."), comment="Are you well?")
    assert feedback_text(absent) == "Your instructor: Are you well? Nothing was handed in."


def test_what_only_the_instructor_can_grade_is_left_to_them():
    waits = lab(mark("zero_pad", "not graded", reason="Which one?"))
    said = "What could be graded is right. Your instructor will look at Exercise 1.2 (`zero_pad`)."
    assert told(waits) == feedback_text(waits) == said
    assert "Start with" in told(lab(FLIPPED, mark("zero_pad", "not graded", reason="Which one?")))


@pytest.mark.parametrize("name", LABS.values())
def test_every_lab_ends_with_the_challenge_that_the_page_speaks_of(name):
    text = Path(REPOSITORY / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    assert "**A challenge" in text[text.rindex("\n# ## ") :]


def test_every_exercise_says_where_to_read():
    texts = {
        number: Path(REPOSITORY / "solutions" / f"{name}.py").read_text(encoding="utf-8")
        for number, name in LABS.items()
    }
    for exercise in map(exercises.get, exercises.names()):
        lab_name, _, heading = exercise.section.partition(", ")
        assert f"\n# ## {heading}\n" in texts[int(lab_name.removeprefix("Lab "))], exercise.id
