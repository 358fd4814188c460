"""What labs 03 and 04 say about their training runs is true of small runs here, and of the stored ones."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from torch import nn

from course_utils import exercises, load_dataset
from course_utils.settings import PROFILES
from course_utils.training import EpochRecord, History, recipe
from course_utils.training.recorded import measured
from course_utils.training.results import MIME, meaning_of


def stored(repository: Path, name: str) -> list[Any]:
    """Every output of a stored solution that is a picture, a table or a report."""
    notebook = nbformat.read(repository / "solutions" / f"{name}.ipynb", as_version=4)
    return [
        output.data
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "data" in output
    ]


def text(repository: Path, name: str) -> str:
    lines = (repository / "solutions" / f"{name}.py").read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("# ") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_four_epochs_of_the_students_own_loop_bring_the_error_below_one_in_ten(
    seed: int, repository: Path
) -> None:
    digits, criterion = load_dataset("digits"), nn.CrossEntropyLoss()
    step, evaluate = exercises.get("train_step").reference, exercises.get("evaluate").reference
    rate = exercises.get("lenet5_learning_rate").reference
    torch.manual_seed(seed)
    # The same network, and a third faster on a processor.
    net = exercises.get("lenet5").reference().to(memory_format=torch.channels_last)
    assert evaluate(net, digits.test.batches(256)) > 0.8  # "nine in ten"
    optimizer = torch.optim.SGD(net.parameters(), lr=0.25)
    for epoch in range(4):
        for group in optimizer.param_groups:
            group["lr"] = rate(epoch * 30 // 4)
        net.train()
        for images, labels in digits.train.batches(32, shuffle=True):
            step(net, images, labels, criterion, optimizer)
    assert evaluate(net, digits.test.batches(256)) < 0.1
    said = text(repository, "03_lenet5")
    assert "the error falls from nine in ten to less than one in ten" in said
    assert [epoch * 30 // 4 for epoch in range(4)] == [0, 7, 15, 22]
    assert "that of the lecture's epochs 0, 7, 15 and 22" in said


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("network", "exercise", "first", "made_for"),
    [("lenet5", "lenet5_learning_rate", 0, 30), ("vgg", "vgg_learning_rate", 1, 20)],
)
def test_a_students_squeezed_rate_is_the_recipes(
    network: str, exercise: str, first: int, made_for: int, profile: str
) -> None:
    rate, plan = exercises.get(exercise).reference, recipe(network, profile)
    for epoch in torch.linspace(0, plan.epochs, 501)[:-1].tolist():
        own = rate(first + int(made_for * epoch / plan.epochs)) * plan.learning_rate / 0.25
        assert own == pytest.approx(plan.rate(epoch))


def test_what_the_lab_says_of_the_profiles_stands_in_their_recipes(repository: Path) -> None:
    said = text(repository, "03_lenet5")
    lecture, fast = (recipe("lenet5", profile) for profile in ("lecture", "fast"))
    assert "`lecture` is the lecture's own recipe, 30 epochs" in said and lecture.epochs == 30
    assert "comes as far in two" in said and fast.epochs == 2
    assert "batches are a quarter smaller" in said and fast.batch_size * 4 == lecture.batch_size * 3
    assert "nine tenths of the last one" in said and fast.momentum == 0.9
    assert "by up to a pixel" in said and fast.augmentation.shift == 1
    assert (
        "is smaller where momentum makes the steps longer" in said
        and fast.learning_rate < lecture.learning_rate
    )


def test_the_stored_run_of_lab_03_comes_as_far_as_the_lecture(repository: Path) -> None:
    (found,) = [data[MIME] for data in stored(repository, "03_lenet5") if MIME in data]
    assert found["dataset"] == "mnist" and found["recipe"] == "lenet5, fast"
    assert found["test_error"] <= 0.0078


@pytest.mark.parametrize("name", ["03_lenet5", "04_vgg"])
def test_a_stored_report_says_what_its_numbers_say(name: str, repository: Path) -> None:
    (data,) = [data for data in stored(repository, name) if MIME in data]
    found = data[MIME]
    record = EpochRecord(
        found["epochs"], 0.1, 0.5, found["train_error"], found["test_error"], seconds=1, test_seconds=1
    )
    plan = recipe("lenet5", "fast")
    history = History(plan, found["dataset"], found["source"], classes=10, records=[record])
    assert meaning_of(history) in data["text/plain"]


def test_the_first_picture_of_lab_04_shows_every_class(repository: Path) -> None:
    told = next(
        data["text/plain"]
        for data in stored(repository, "04_vgg")
        if "text/html" in data and "images of" in data["text/plain"]
    )
    titles = told.partition("titles ")[2].partition(";")[0].split(", ")
    assert len(titles) == 20 and len(set(titles)) == 10


def table_of_networks(repository: Path) -> dict[str, list[str]]:
    for data in stored(repository, "04_vgg"):
        lines = data.get("text/plain", "").splitlines()
        if any(line.startswith("your VGG, batch norm") for line in lines):
            return {line.split("  ")[0]: line.split()[-6:] for line in lines[3:]}
    raise AssertionError("the table of all networks is missing")


def test_in_the_stored_run_of_lab_04_each_network_is_better_than_the_one_before(repository: Path) -> None:
    rows = table_of_networks(repository)
    assert list(rows) == ["1-layer MLP", "3-layer MLP", "your VGG", "your VGG, batch norm", "all of it"]
    errors = [float(row[-4]) for row in rows.values()]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] <= 20
    seconds = [float(row[-2]) for row in rows.values()]
    assert sum(seconds) < 240


def test_the_ablation_shows_what_the_lab_says_of_it(repository: Path) -> None:
    rows = {row["name"]: 100 * row["test_error"] for row in measured("ablation")["rows"]}
    whole = rows.pop("the whole recipe")
    most = sorted(rows, key=rows.__getitem__)[-3:]
    said = text(repository, "04_vgg")
    assert "normalisation, a falling learning rate and the optimiser are worth the most" in said
    assert set(most) == {"without batch normalisation", "constant learning rate", "SGD in place of Muon"}
    assert "mirrored training images and label smoothing hardly matter yet" in said
    assert abs(rows["without shift and flip"] - whole) < 1
    assert abs(rows["without label smoothing"] - whole) < 0.6


def test_the_recorded_plateau_is_one_and_batch_normalisation_ends_it(repository: Path) -> None:
    deep, normalised = measured("plateau")["runs"]
    waits = next(i for i, loss in enumerate(deep["losses"]) if loss < 2.2) / deep["parts"]
    assert 1 <= waits <= 5
    assert all(abs(loss - math.log(10)) < 0.02 for loss in deep["losses"][: deep["parts"] // 2])
    assert normalised["losses"][normalised["parts"] // 10] < 2.2
    said = text(repository, "04_vgg")
    assert "stays at ln 10 = 2.303 for one to five epochs" in said
    assert "With batch normalisation the loss falls at once" in said
