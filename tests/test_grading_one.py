"""One submission is run and judged: every exercise of its lab, each by its best verdict."""

from __future__ import annotations

import time

import nbformat
import pytest

from course_utils import exercises
from course_utils.grading import kernel_run, suspicious
from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.records import CodeCell, Limits, RunnableNotebook
from course_utils.grading.sandbox import probe_isolation

pytestmark = pytest.mark.slow

LABS = {1: "01_conv_layer", 2: "02_pooling_layer", 3: "03_lenet5", 4: "04_vgg"}
RIGHT = "def output_size(n, f, p=0, s=1):\n    return (n + 2 * p - f) // s + 1\n"
PADDING = "def same_padding(f):\n    return (f - 1) // 2\n"


@pytest.fixture(scope="module")
def isolation():
    return probe_isolation()


def cells_of(repository, folder, lab):
    notebook = nbformat.read(repository / folder / f"{LABS[lab]}.ipynb", as_version=4)
    found = []
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution") and about["grade_id"] in exercises.names():
            found.append(CodeCell(cell.source, about["grade_id"]))
        elif cell.cell_type == "code" and cell.source.startswith("import"):
            found.append(CodeCell(cell.source))
    return tuple(found)


def statuses(done):
    return {verdict.exercise: verdict.status for verdict in done.verdicts}


@pytest.mark.parametrize("lab", LABS)
def test_solutions_get_every_point(lab, isolation, repository):
    done = grade_notebook(RunnableNotebook(lab, cells_of(repository, "solutions", lab)), isolation=isolation)
    assert set(statuses(done).values()) == {"correct"} and not done.notes
    ours = [name for name in exercises.names() if exercises.get(name).lab == lab]
    assert [verdict.exercise for verdict in done.verdicts] == ours


@pytest.mark.parametrize("lab", LABS)
def test_untouched_labs_get_none(lab, isolation, repository):
    done = grade_notebook(RunnableNotebook(lab, cells_of(repository, "labs", lab)), isolation=isolation)
    assert set(statuses(done).values()) == {"not started"} and not done.notes
    assert sum(verdict.earned for verdict in done.verdicts) == 0


def test_a_wrong_answer_gets_the_notebooks_card(isolation):
    wrong = "def output_size(n, f, p=0, s=1):\n    return -(-(n + 2 * p - f) // s) + 1\n"
    done = grade_notebook(RunnableNotebook(1, (CodeCell(wrong, "output_size"),)), isolation=isolation)
    verdict = next(v for v in done.verdicts if v.exercise == "output_size")
    assert verdict.status == "wrong" and verdict.misconception == "ceil-for-floor"
    assert verdict.counterexample is not None and verdict.counterexample.note
    assert statuses(done)["conv2d"] == "not started"


def test_what_is_not_started_is_told_apart_as_in_the_notebook(isolation):
    cells = (
        CodeCell("def output_size(n, f, p=0, s=1):\n    # later\n    pass\n", "output_size"),
        CodeCell(PADDING.replace("return", "raise NotImplementedError()\n    return"), "same_padding"),
    )
    done = grade_notebook(RunnableNotebook(1, cells), isolation=isolation)
    empty, left_over = (next(v for v in done.verdicts if v.exercise == cell.exercise) for cell in cells)
    assert (empty.status, empty.earned) == ("not started", 0)
    assert (left_over.status, left_over.earned) == ("error", 0)
    assert "the line `raise NotImplementedError()` still stands in `same_padding`" in left_over.message


def test_an_endless_answer_is_told_where_it_was(isolation):
    endless = CodeCell(
        "def output_size(n, f, p=0, s=1):\n    while n > 0:\n        n = n + 1\n", "output_size"
    )
    limits = Limits(call_seconds=1)
    done = grade_notebook(RunnableNotebook(1, (endless,)), isolation=isolation, limits=limits)
    verdict = next(v for v in done.verdicts if v.exercise == "output_size")
    assert "your code was stopped after 1.0 s." in verdict.message and "in output_size" in verdict.traceback


def test_probes_come_from_the_seed(isolation):
    notebook = RunnableNotebook(
        1, (CodeCell("def output_size(n, f, p=0, s=1):\n    return n * 1000\n", "output_size"),)
    )
    first, again = [grade_notebook(notebook, isolation=isolation, seed=3) for _ in range(2)]
    assert [v.message for v in first.verdicts] == [v.message for v in again.verdicts]
    questions = ((0, "conv2d"), (1, "conv2d"), (0, "im2col"))
    assert len({kernel_run.probe_seed(seed, name) for seed, name in questions}) == 3


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def output_size(n, f:\n    return 1", "SyntaxError"),
        ("raise RuntimeError('oh no')", "RuntimeError: oh no"),
        ("x = 3", "does not define output_size"),
        ("'\ud800'", "ended in its cell"),
        ("x = '\0'", "null bytes"),
        ("-" * 100_000 + "1", "Error"),
    ],
)
def test_a_cell_that_gives_no_answer_says_why(source, said, isolation):
    done = grade_notebook(
        RunnableNotebook(1, (CodeCell(source, "output_size"), CodeCell(PADDING, "same_padding"))),
        isolation=isolation,
    )
    verdict = next(v for v in done.verdicts if v.exercise == "output_size")
    assert verdict.status == "error" and said in verdict.message
    assert statuses(done)["same_padding"] == "correct"


def test_an_answer_may_use_another_exercises(isolation):
    uses = "def same_padding(f):\n    return (f - output_size(f, f)) // 2\n"
    notebook = RunnableNotebook(1, (CodeCell(RIGHT, "output_size"), CodeCell(uses, "same_padding")))
    assert statuses(grade_notebook(notebook, isolation=isolation))["same_padding"] == "correct"


def test_a_cell_that_errs_after_its_answer_loses_nothing(isolation):
    done = grade_notebook(
        RunnableNotebook(1, (CodeCell(RIGHT + "output_size(1, 2, 3, 0)\n", "output_size"),)),
        isolation=isolation,
    )
    assert statuses(done)["output_size"] == "correct"


def test_an_answer_is_taken_as_its_own_cell_leaves_it(isolation):
    replaces = "def same_padding(f):\n    return (f - 1) // 2\ndef output_size(n):\n    return 0\n"
    notebook = RunnableNotebook(1, (CodeCell(RIGHT, "output_size"), CodeCell(replaces, "same_padding")))
    assert statuses(grade_notebook(notebook, isolation=isolation))["output_size"] == "correct"


def test_the_whole_notebook_has_a_deadline(isolation):
    endless = tuple(
        CodeCell("while True: pass", name) for name in ("output_size", "same_padding", "conv2d", "im2col")
    )
    limits = Limits(cell_seconds=1, notebook_seconds=3, patience=20)
    start = time.monotonic()
    done = grade_notebook(
        RunnableNotebook(1, (CodeCell(RIGHT), *endless)), isolation=isolation, limits=limits
    )
    assert time.monotonic() - start < 60
    assert any("used up its time" in note for note in done.notes) and not done.waited
    assert {statuses(done)[cell.exercise] for cell in endless} == {"error"}


def test_kernels_are_not_started_without_end(isolation):
    deadly = tuple(
        CodeCell("import os\nos._exit(1)", name) for name in ("output_size", "same_padding", "conv2d")
    )
    done = grade_notebook(RunnableNotebook(1, deadly), isolation=isolation, limits=Limits(restarts=1))
    assert any("used up its kernels" in note for note in done.notes)


def test_a_notebook_travels_as_text(repository):
    notebook = RunnableNotebook(1, (*cells_of(repository, "labs", 1), CodeCell("\ud800 'x'")))
    assert RunnableNotebook.from_json(notebook.to_json()) == notebook


def lab_1(repository, **changed):
    """The solution of Lab 01 with some answers changed, and its answers to lend; None: it is missing."""
    cells = cells_of(repository, "solutions", 1)
    references = tuple((cell.exercise, cell.source) for cell in cells if cell.exercise)
    mine = [CodeCell(changed.get(cell.exercise, cell.source), cell.exercise) for cell in cells]
    return RunnableNotebook(1, tuple(cell for cell in mine if cell.source is not None), references)


NO_PADDING = "def zero_pad(image, padding):\n    return image\n"


@pytest.mark.parametrize("zero_pad", [NO_PADDING, None, "def zero_pad(:", "import os\nos._exit(1)"])
def test_one_slip_costs_its_own_points_only(zero_pad, isolation, repository):
    done = grade_notebook(lab_1(repository, zero_pad=zero_pad), isolation=isolation)
    lost = [verdict.exercise for verdict in done.verdicts if verdict.status != "correct"]
    assert lost == ["zero_pad"]
    told = {verdict.exercise: verdict.message for verdict in done.verdicts if verdict.lent}
    assert set(told) >= {"conv2d_single", "conv2d", "im2col", "conv2d_as_matmul"}
    assert all("the course's `zero_pad`: yours is not right yet." in message for message in told.values())


def test_two_slips_cost_the_points_of_two(isolation, repository):
    wrong = (
        "def conv2d_single(image, kernel, padding=0, stride=1):\n    return zero_pad(image, padding) * 0\n"
    )
    notebook = lab_1(repository, zero_pad=NO_PADDING, conv2d_single=wrong)
    verdicts = {v.exercise: v for v in grade_notebook(notebook, isolation=isolation).verdicts}
    assert [name for name, v in verdicts.items() if v.status != "correct"] == ["zero_pad", "conv2d_single"]
    assert verdicts["conv2d_single"].lent == ("zero_pad",) and verdicts["conv2d_single"].earned == 0
    assert verdicts["conv2d"].lent == ("zero_pad", "conv2d_single")


def test_an_exercise_that_does_the_same_is_never_lent(isolation, repository):
    head = "(x, weight, bias=None, padding=0, stride=1):\n    return "
    calls = f"def conv2d_as_matmul{head}conv2d(x, weight, bias, padding, stride)\n"
    notebook = lab_1(repository, conv2d=f"def conv2d{head}x\n", conv2d_as_matmul=calls)
    assert statuses(grade_notebook(notebook, isolation=isolation))["conv2d_as_matmul"] == "wrong"


def test_what_is_lent_earns_nothing_and_is_shown_to_nobody(isolation, repository):
    thief = """def conv2d_single(image, kernel, padding=0, stride=1):
    zero_pad(image, padding)
    source = "".join(__import__("linecache").getlines(zero_pad.__code__.co_filename)) or str(In)
    print(source)
    globals().update(cross_correlate=zero_pad)
    if "raise" not in source:
        raise ValueError(source)
    return torch.tensor([float(ord(letter)) for letter in source])
"""
    mine = "def zero_pad(image, padding):\n    raise ValueError('mine')\n"
    notebook = lab_1(repository, zero_pad=mine, conv2d_single=thief)
    reference = dict(notebook.references)["zero_pad"]
    done = grade_notebook(notebook, isolation=isolation)
    verdict = next(v for v in done.verdicts if v.exercise == "conv2d_single")
    assert verdict.lent == ("zero_pad",) and verdict.earned == 0
    assert verdict.counterexample is None and not verdict.traceback and not verdict.printed
    assert not any(line in verdict.message for line in reference.splitlines() if len(line) > 20)
    assert statuses(done)["zero_pad"] == "error"


@pytest.mark.parametrize("lab", LABS)
def test_nothing_is_suspicious_about_the_solutions(lab, repository):
    for cell in cells_of(repository, "solutions", lab):
        assert cell.exercise is None or not suspicious.reasons_to_look(cell.source), cell.exercise


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.equal = print",
        "import sys",
        "import torch\ntorch.os.getcwd()",
        "import random\nrandom._os",
        "from os import path",
        "eval('1')",
        "F.relu.__globals__",
        "!ls",
        "!ls\n" * 501,
        "%load_ext x",
        "get_ipython().run_line_magic('matplotlib', exec('1'))",
        "np.random.x[0] = 1",
        "class A:\n    def __eq__(self, o): return True",
        "(" * 1000 + ")" * 1000,
        "-" * 100_000 + "1",
        "a" + ".b" * 100_000,
        "x = '\ud800'",
        "x = '\0'",
    ],
)
def test_what_reaches_beyond_an_exercise_is_suspicious(source):
    assert suspicious.reasons_to_look(source)


@pytest.mark.parametrize("magic", ["%matplotlib inline", "%autoreload 2", "%matplotlib widget"])
def test_a_common_magic_is_no_reason_to_look(magic):
    assert not suspicious.reasons_to_look(f"{magic}\nx = 1")
    assert suspicious.reasons_to_look(f"{magic}\nget_ipython()")


def test_a_typo_is_no_reason_to_look():
    assert not suspicious.reasons_to_look("def output_size(n, f:\n    return 1")
