"""What the checks say of answers that were written without knowing the checks: see ``tests/answers``."""

from functools import partial
from typing import get_args

import pytest
from answers import FOLDER, Answer, Outcome, answers, judged, outcome

from course_utils import exercises
from course_utils.exercises import Verdict, judging, observing

IDS = exercises.names()
GOOD = {"agreed", "cause named", "located only"}

KNOWN = {
    "pixel_statistics 3": "on purpose: a tensor with one number is as good as the number",
    "residual_block 8": "on purpose: batch normalisation after each convolution is accepted",
}
"""Answers that are judged wrongly or misled. When a check is mended, its line must go."""


def test_every_exercise_has_answers_and_every_answer_an_exercise():
    assert {path.stem for path in FOLDER.iterdir()} == set(IDS)
    every = [answer for name in IDS for answer in answers(name)]
    assert {answer.verdict for answer in every} == {"right", "wrong", "not started"}
    assert all(answer.cause for answer in every if answer.verdict == "wrong")
    assert set(KNOWN) <= {str(answer) for answer in every}


@pytest.mark.slow
@pytest.mark.parametrize("exercise_id", IDS)
def test_no_answer_is_judged_wrongly_or_misled(exercise_id, monkeypatch):
    evaluate, found = judging.evaluate, {}
    for answer in answers(exercise_id):
        for seconds in (2, observing.SECONDS):
            monkeypatch.setattr(judging, "evaluate", partial(evaluate, seconds=seconds))
            verdict = judged(answer)
            kind = outcome(answer, verdict)
            is_good = kind in GOOD and (kind == "cause named" or not answer.named)
            # An endless answer has 2 s; what a slow machine stopped then has as long as a student's.
            if is_good or verdict.stopped_after is None:
                break
        if not is_good:
            found[str(answer)] = f"{kind}, although it is {answer.verdict}: {answer.cause}\n{verdict.message}"
    new = [f"{name}: {what}" for name, what in found.items() if name not in KNOWN]
    assert not new, "\n\n".join(new)
    mended = {name for name in KNOWN if name.rpartition(" ")[0] == exercise_id} - set(found)
    assert not mended, f"delete from KNOWN: {mended}"


def said(reason="", *, status="wrong", misconception=None, traceback=""):
    return Verdict(
        "output_size", "1.4", "output_size", status, misconception, reason=reason, traceback=traceback
    )


FORGOTTEN = exercises.get("output_size").misconceptions[0]


@pytest.mark.parametrize(
    ("verdict", "fields", "expected"),
    [
        (said(status="correct"), {"verdict": "right"}, "agreed"),
        (said("It returns 3; expected 2."), {"verdict": "right"}, "right refused"),
        (said(status="not started"), {"verdict": "right"}, "right refused"),
        (said(status="correct"), {}, "wrong accepted"),
        (said(status="correct"), {"verdict": "not started"}, "wrong accepted"),
        (said(status="not started"), {}, "start mistaken"),
        (said("It returns nothing."), {"verdict": "not started"}, "start mistaken"),
        (said(status="not started"), {"verdict": "not started"}, "agreed"),
        (said(f"It returns 3. {FORGOTTEN.sentence}", misconception=FORGOTTEN.id), {}, "misleading"),
        (
            said(f"It returns 3. {FORGOTTEN.sentence}", misconception=FORGOTTEN.id),
            {"located": [FORGOTTEN.id]},
            "located only",
        ),
        (
            said(f"It returns 3. {FORGOTTEN.sentence}", misconception=FORGOTTEN.id),
            {"named": [FORGOTTEN.id]},
            "cause named",
        ),
        (said("It returns 3; expected 2. It is too large by 1."), {}, "misleading"),
        (said("It returns 3; expected 2. It is too large by 1."), {"located": ["too large"]}, "located only"),
        (said("It returns nothing (None): is a `return` missing?"), {}, "misleading"),
        (said("It returns nothing (None): is a `return` missing?"), {"named": ["`return`"]}, "cause named"),
        (said("It returns 3; expected 2. It is right whenever s is 1."), {}, "located only"),
        (said(status="error", traceback="NameError: name 'x' is not defined"), {}, "located only"),
        (said(status="error", traceback="NameError: name 'x'"), {"named": ["name 'x'"]}, "cause named"),
        (said(status="error"), {}, "silent"),
    ],
)  # fmt: skip
def test_a_card_is_compared_with_what_the_teacher_says(verdict, fields, expected):
    answer = Answer("output_size", 1, **{"verdict": "wrong", "cause": "It is late.", "code": "", **fields})
    assert outcome(answer, verdict) == expected
    assert expected in get_args(Outcome)


def judged_code(exercise_id, code):
    return judged(Answer(exercise_id, 1, "wrong", "", code))


def test_an_answer_runs_where_it_stands_in_the_notebook():
    code = "def same_padding(f):\n    return {}"
    assert (
        judged_code("same_padding", code.format("(kernel.shape[0] - 1) // 2")).misconception == "always-one"
    )
    assert (
        "'output_size' is not defined"
        in judged_code("same_padding", code.format("output_size(f, 1)")).message
    )
    assert judged_code("conv2d_as_matmul", "conv2d_as_matmul = conv2d").status == "correct"


def test_a_cell_that_fails_gives_pythons_message():
    for code, message in (
        ("x = (1", "'(' was never closed"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ):
        verdict = judged_code("output_size", code)
        assert verdict.status == "error" and message in verdict.traceback
    assert judged_code("output_size", "def size(n): return n").traceback == "KeyError: 'output_size'"
