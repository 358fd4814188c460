"""Whatever recipes, arguments and option values are made of: a finite result or one of the course's errors.

A few hundred cases each time, always the same ones; many new ones with FUZZ=3000 in the environment.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from notebook_samples import small_lab
from torch import nn
from training_data import CLASSES, Net, net, tiny_dataset, tiny_recipe

from course_utils.command_line import main
from course_utils.errors import CourseError
from course_utils.notebooks import kernel
from course_utils.training import (
    PLAIN,
    Augmentation,
    Constant,
    DivideAt,
    DivideEvery,
    Recipe,
    Speed,
    Squeezed,
    Triangle,
    benchmark,
    error_rate,
    evaluate,
    fit,
    predict,
    recipe,
)
from course_utils.training.checkpoints import CONTENT
from course_utils.training.loop import train_step

pytestmark = pytest.mark.slow

DATA = tiny_dataset(train=12, test=5)
SEED = 0


def outcome(call: Callable[[], object]) -> object:
    """Return the result, or None after one of the course's errors, which says something in a few lines."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            return call()
        except CourseError as error:
            said = str(error)
            assert error.what and len(said) < 1500 and "Traceback" not in said
            return None


# Values.


class Thing:
    pass


NUMBERS = st.one_of(
    st.sampled_from(
        [
            0,
            -1,
            1,
            2,
            3,
            2**31,
            2**63,
            2**64,
            10**20,
            10**400,
            -(2**70),
            True,
            False,
            0.0,
            -0.0,
            0.5,
            2.5,
            1e-320,
            1e30,
            1e38,
            1e39,
            1e308,
            math.nan,
            math.inf,
            -math.inf,
        ]
    ),
    st.integers(-3, 70),
    st.floats(-2, 2),
    st.sampled_from(
        [
            np.int64(3),
            np.float32(0.5),
            np.float64("nan"),
            np.bool_(True),
            torch.tensor(1),
            torch.tensor(0.5),
            torch.tensor(True),
            torch.zeros(2),
            torch.zeros(0),
            np.zeros(3),
            1j,
        ]
    ),
)
JUNK = st.one_of(
    NUMBERS,
    st.none(),
    st.text(max_size=5),
    st.sampled_from(
        [
            "sgd",
            "5",
            "nan",
            "\0",
            "\ud800",
            b"x",
            [],
            {},
            (),
            set(),
            [1],
            {"a": 1},
            Thing(),
            Thing,
            print,
            len,
            lambda: None,
            lambda *a: None,
            lambda *a: "x",
            math,
            Net,
            nn.Linear,
            Recipe,
            torch,
            DATA,
            DATA.train,
            DATA.test.images,
            Ellipsis,
            NotImplemented,
            range(3),
            iter([]),
            Path("x"),
            ValueError("x"),
            object(),
        ]
    ),
)
SCHEDULES = st.one_of(
    st.builds(DivideEvery, NUMBERS, NUMBERS),
    st.builds(DivideAt, NUMBERS, st.one_of(JUNK, st.tuples(NUMBERS))),
    st.builds(Triangle, NUMBERS, NUMBERS),
    st.builds(Squeezed, st.builds(DivideEvery, NUMBERS, NUMBERS), NUMBERS),
    st.builds(Squeezed, JUNK, NUMBERS),
    JUNK,
)
FIELDS = {
    "name": st.text(max_size=5),
    "epochs": st.sampled_from([0.4, 1, 1.5, 2]),
    "batch_size": st.integers(1, 20),
    "learning_rate": st.floats(1e-4, 1),
    "schedule": st.sampled_from([Constant(), Triangle(), DivideEvery(2, 1)]),
    "optimizer": st.sampled_from(["sgd", "muon"]),
    "momentum": st.floats(0, 0.99),
    "nesterov": st.booleans(),
    "weight_decay": st.floats(0, 1),
    "label_smoothing": st.floats(0, 0.9),
    "augmentation": st.builds(Augmentation, st.integers(0, 9), st.booleans()),
    "least_steps": st.integers(0, 10),
    "seed": st.integers(0, 2**63 - 1),
}


@st.composite
def recipe_values(draw: st.DrawFn) -> dict:
    """Values for a recipe: possible ones, and up to three of any kind."""
    values = {
        name: draw(field)
        for name, field in FIELDS.items()
        if draw(st.booleans()) or name in ("name", "epochs")
    }
    for name in draw(st.lists(st.sampled_from([*FIELDS]), max_size=3, unique=True)):
        values[name] = draw(SCHEDULES if name == "schedule" else JUNK)
    return values


@fuzz(150, share=0.3, seconds=10)
@given(recipe_values())
def test_recipes(values: dict) -> None:
    made = outcome(lambda: Recipe(**values))
    if made is None:
        return
    assert all(math.isfinite(rate) and rate >= 0 for rate in map(made.rate, (0, made.epochs / 3)))
    assert str(made) and str(made.table())
    steps = made.for_batches(math.ceil(12 / made.batch_size)).epochs * math.ceil(12 / made.batch_size)
    if steps <= 40:
        check_history(outcome(lambda: fit(net(), DATA, made, checkpoint=False, show=False)))


def check_history(history: object) -> None:
    """Make sure that a history holds finite numbers and can be shown."""
    if history is None:
        return
    for record in history:
        numbers = [*vars(record).values(), *record.losses]
        assert all(math.isfinite(number) for number in numbers if number is not record.losses)
        assert 0 <= record.test_error <= 1
    assert repr(history) and (not history.records or history.summary())


@fuzz(150, share=0.2, seconds=10)
@given(JUNK, JUNK)
def test_augmentations_and_recipes_by_name(first: object, second: object) -> None:
    outcome(lambda: Augmentation(first, second))
    outcome(lambda: recipe(first, second))
    outcome(lambda: recipe(first, "quick", dataset=second))
    outcome(lambda: recipe("vgg", "quick", dataset=second))


# Models.


class Given(Net):
    """A network whose forward ends in a function, and whose first layer may be changed."""

    def __init__(self, function: object, change: object = None) -> None:
        super().__init__()
        self.function = function
        if change is not None:
            change(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(super().forward(x))


class NotSetUp(nn.Module):
    def __init__(self) -> None:
        pass


def fail(*_: object) -> None:
    raise RuntimeError("CUDA error: something\nmore lines")


ENDS = [
    lambda x: x,
    lambda x: x.exp(),
    lambda x: x * math.nan,
    lambda x: x * math.inf,
    lambda x: x / 0,
    lambda x: None,
    lambda x: x[0],
    lambda x: x[:, :2],
    lambda x: x[:, None],
    lambda x: x.T,
    lambda x: x.argmax(1),
    lambda x: x.long(),
    lambda x: x.bool(),
    lambda x: x.double(),
    lambda x: x.half(),
    lambda x: x.to(torch.complex64),
    lambda x: x.detach(),
    lambda x: x.tolist(),
    lambda x: x.detach().numpy(),
    lambda x: (x, x),
    lambda x: {"scores": x},
    lambda x: x.to("meta"),
    lambda x: torch.zeros(len(x), CLASSES),
    lambda x: torch.cat([x, x]),
    lambda x: x[:0],
    lambda x: x.softmax(0),
    lambda x: x.add_(1),
    lambda x: x.sparse_mask,
    lambda x: x.to_sparse(),
    fail,
    lambda: 5,
    lambda x: x @ x,
    "function",
    lambda x: x.view(-1),
    lambda x: x.squeeze(),
    lambda x: x.requires_grad_(False),
    lambda x: x.data,
    lambda x: 1 / 0,
]
CHANGES = [
    None,
    lambda m: m.double(),
    lambda m: m.half(),
    lambda m: m.to("meta"),
    lambda m: m.requires_grad_(False),
    lambda m: m.eval(),
    lambda m: setattr(m, "conv", nn.Conv2d(3, 8, 3)),
    lambda m: setattr(m, "conv", nn.Identity()),
    lambda m: setattr(m, "scores", nn.LazyLinear(CLASSES)),
    lambda m: setattr(m, "scores", nn.Linear(3, CLASSES)),
    lambda m: setattr(m, "norm", None),
    lambda m: setattr(m, "x", (y for y in ())),
    lambda m: m.to(torch.complex64),
    lambda m: nn.init.constant_(m.conv.weight, math.nan),
    lambda m: m.register_forward_hook(fail),
    lambda m: m.conv.weight.register_hook(fail),
    lambda m: setattr(m, "deep", nn.Conv3d(8, 8, 1)),
    lambda m: nn.utils.parametrizations.weight_norm(m.conv),
    lambda m: m.register_buffer("b", torch.zeros(3)),
]
MODELS = st.one_of(
    st.builds(Given, st.sampled_from(ENDS), st.sampled_from(CHANGES)),
    st.builds(Given, st.sampled_from(ENDS)),
    st.sampled_from([nn.Flatten, NotSetUp]).map(lambda kind: kind()),
    st.sampled_from(
        [
            lambda: nn.Sequential(),
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES)),
            lambda: nn.ModuleList(),
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES), nn.BatchNorm1d(CLASSES)),
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
            lambda: nn.Linear(8, CLASSES),
            lambda: nn.LSTM(8, 4),
            lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(CLASSES)),
            lambda: nn.Embedding(5, CLASSES),
        ]
    ).map(lambda make: make()),
    st.sampled_from([Net, print, None, 5, "net", DATA, [], tiny_recipe()]),
)


# Data.

IMAGES, LABELS = DATA.train.images, DATA.train.labels
HALF_CHANGES = st.one_of(
    st.just({}),
    st.just({}),
    st.sampled_from(
        [
            {"labels": LABELS + 1},
            {"labels": LABELS - 1},
            {"labels": LABELS.float()},
            {"labels": LABELS.int()},
            {"labels": LABELS[:5]},
            {"labels": LABELS[:, None]},
            {"labels": LABELS.bool()},
            {"labels": LABELS.tolist()},
            {"images": IMAGES.float()},
            {"images": IMAGES / 255},
            {"images": IMAGES[:, 0]},
            {"images": IMAGES[0]},
            {"images": IMAGES[:0], "labels": LABELS[:0]},
            {"images": IMAGES[:, :, :3]},
            {"images": IMAGES[:, :0]},
            {"images": IMAGES.repeat(1, 3, 1, 1)},
            {"images": IMAGES.numpy()},
            {"images": IMAGES.to("meta")},
            {"images": IMAGES[:1], "labels": LABELS[:1]},
            {"labels": LABELS.to("meta")},
            {"images": IMAGES.bool()},
        ]
    ),
    st.builds(lambda name, value: {name: value}, st.sampled_from(["images", "labels", "mean", "std"]), JUNK),
)


def unchecked(made, **values):
    """The same with other values, however wrong: tensors change in place after they were checked."""
    other = copy.copy(made)
    for name, value in values.items():
        object.__setattr__(other, name, value)
    return other


@st.composite
def datasets(draw: st.DrawFn) -> object:
    """A dataset with something changed, or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JUNK)
    made = DATA
    for half in draw(st.sampled_from([[], ["train"], ["test"], ["train", "test"]])):
        made = unchecked(made, **{half: unchecked(getattr(made, half), **draw(HALF_CHANGES))})
    if draw(st.integers(0, 9)) == 0:
        made = unchecked(made, **{draw(st.sampled_from(["digest", "name"])): draw(JUNK)})
    return made


STEPS = [
    train_step,
    fail,
    lambda *a: None,
    lambda *a: math.nan,
    lambda *a: "x",
    lambda *a: 0.5,
    lambda *a: torch.zeros(3),
    lambda *a: torch.tensor(0.5),
    lambda *a: True,
    lambda: 5,
    5,
    None,
    lambda *a: 1j,
    lambda *a: 10**400,
    lambda *a: np.float32(0.5),
    lambda m, x, y, c, o: c(m(x[:1]), y),
    lambda m, x, y, c, o: c(m(y), x),
    lambda m, x, y, c, o: m.train().scores.sum(),
    lambda m, x, y, c, o: c(m(x), y).backward(),
]
EVALUATIONS = [
    evaluate,
    fail,
    lambda *a: None,
    lambda *a: 0.5,
    lambda *a: 50,
    lambda *a: math.nan,
    lambda *a: "x",
    lambda: 5,
    lambda *a: torch.tensor(0.5),
    lambda *a: torch.zeros(2),
    lambda m, b: next(b),
    5,
    None,
]
OPTIONS = {
    "train_step": st.sampled_from(STEPS),
    "evaluate": st.sampled_from(EVALUATIONS),
    "learning_rate": st.one_of(JUNK, NUMBERS.map(lambda value: lambda epoch: value)),
    "device": st.one_of(
        st.sampled_from(["cpu", "gpu", "cuda:99", "meta", "mps", 0, -1, torch.device("cpu")]), JUNK
    ),
    "speed": st.one_of(st.sampled_from([None, PLAIN, Speed(channels_last=True), Speed(bf16=True)]), JUNK),
}


@fuzz(150, share=0.6, seconds=10)
@given(st.data())
def test_arguments_of_fit(data: st.DataObject) -> None:
    hostile = data.draw(st.sets(st.sampled_from(["model", "dataset", "recipe", "options"]), max_size=2))
    model = data.draw(MODELS) if "model" in hostile else net()
    dataset = data.draw(datasets()) if "dataset" in hostile else DATA
    plan = data.draw(JUNK) if "recipe" in hostile else tiny_recipe(epochs=1, batch_size=5)
    names = data.draw(st.lists(st.sampled_from([*OPTIONS]), max_size=2, unique=True))
    options = {name: data.draw(OPTIONS[name]) for name in names if "options" in hostile}
    arguments = [model, dataset, plan]
    if data.draw(st.integers(0, 9)) == 9:
        arguments = data.draw(st.permutations(arguments))
    check_history(outcome(lambda: fit(*arguments, checkpoint=False, show=False, **options)))


BATCHES = st.one_of(
    JUNK,
    st.lists(
        st.tuples(
            st.one_of(JUNK, st.just(torch.zeros(2, 1, 8, 8))), st.one_of(JUNK, st.just(torch.zeros(2).long()))
        ),
        max_size=2,
    ),
    st.builds(lambda size: DATA.test.batches(size), st.integers(1, 9)),
)
SPLITS = st.one_of(JUNK, HALF_CHANGES.map(lambda values: unchecked(DATA.test, **values)))


@fuzz(150, share=0.6, seconds=10)
@given(MODELS, BATCHES, SPLITS)
def test_arguments_of_evaluate_and_predict(model: object, batches: object, split: object) -> None:
    share = outcome(lambda: evaluate(model, batches))
    assert share is None or 0 <= share <= 1
    scores = outcome(lambda: predict(model, split))
    assert scores is None or (scores.ndim == 2 and len(scores) == len(split))
    rate = outcome(lambda: error_rate(batches, split))
    assert rate is None or 0 <= rate <= 1


# Checkpoints.


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    fit(net(1), DATA, tiny_recipe(epochs=1), checkpoint=folder, show=False)
    return next(folder.glob("*.pt"))


@fuzz(150, share=0.1, seconds=10)
@given(data=st.data())
def test_checkpoints(checkpoint: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = tiny_recipe(epochs=1)
        file = Path(folder, checkpoint.name)
        content = torch.load(checkpoint, weights_only=True)
        place = content
        name = data.draw(st.sampled_from(["version", *CONTENT]))
        while isinstance(place.get(name), dict) and data.draw(st.booleans()):
            place = place[name]
            name = data.draw(st.sampled_from([*place]))
        if data.draw(st.booleans()):
            del place[name]
        else:
            place[name] = data.draw(
                st.one_of(NUMBERS, st.sampled_from([None, "x", [], {}, (), b"x", [1], {"a": 1}]))
            )
        try:
            torch.save(content, file)
        except OverflowError:
            return
        if data.draw(st.integers(0, 3)) == 0:
            content = bytearray(file.read_bytes())
            content[data.draw(st.integers(0, len(content) - 1))] ^= 255
            file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        model = net(1)
        history = outcome(lambda: fit(model, DATA, plan, checkpoint=folder, show=False))
        check_history(history)
        assert history.complete


# The command line.

WORDS = st.one_of(
    st.sampled_from(
        [
            "nan",
            "inf",
            "-inf",
            "-1",
            "0",
            "1",
            "1.5",
            "9" * 20,
            "1e400",
            "",
            " ",
            "x",
            "lenet5",
            "quick",
            "slow",
            "nope",
            "tcp://",
            "~/x",
            "/proc/no/x",
            "/dev/null/x",
            "a.png",
            "a.xyz",
            ".",
            "..",
            "x" * 300,
            "solutions/01_small.py",
            "solutions",
            "labs/x",
            "ann,zero_pad,1",
            ",",
            "1,2",
            "a,b",
            "é",
            "\udc80",
            "-h",
            "full",
            "moodle",
            "broken.ipynb",
            "list.csv",
        ]
    ),
    st.text(st.characters(exclude_characters="\0"), max_size=6),
)
LINES = {
    "check": ["--timeout", None, "--markdown", "--page", "--classroom50", "--json"],
    "run": ["--lab", "--profile", "--output", "--timeout", "--json"],
    "build": ["--lab", "--profile", "--timeout", "--check", "--force", "--json"],
    "release": [None, "--labs", "--gradescope", "--json"],
    "grade": [
        None,
        "--output",
        "--lab",
        "--dry-run",
        "--roster",
        "--layout",
        "--mapping",
        "--seed",
        "--jobs",
        "--set",
        "--regrade",
        "--time-limit",
        "--unexplained",
        "--require-isolation",
        "--json",
    ],
    "bench": ["--output", "--quick", "--json"],
}
FLAGS = {"--json", "--markdown", "--check", "--force", "--dry-run", "--quick"}


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its options, each with any value."""
    command = draw(st.sampled_from([*LINES]))
    line = [command]
    for option in draw(st.lists(st.sampled_from(LINES[command]), max_size=5)):
        line += [option] if option in FLAGS else [draw(WORDS)] if option is None else [option, draw(WORDS)]
    return line


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("fuzz")
    small_lab(root)
    (root / "broken.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [5]}')
    (root / "list.csv").write_text("id,name\n1,Ann\n")
    return root


def nothing(*_: object, **__: object) -> list:
    return []


@fuzz(150, share=0.3, seconds=10)
@given(line=lines())
def test_command_lines(checkout: Path, line: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        patch.setenv("HOME", str(checkout))
        patch.setattr(kernel, "execute", nothing)
        patch.setattr("course_utils.notebooks.run.execute", nothing)
        patch.setattr(benchmark, "measure", lambda **_: (_ for _ in ()).throw(CourseError("Not measured.")))
        patch.setattr("course_utils.grading.grade_many.own_isolation", fail_to_isolate)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(line)
        assert code in (0, 1, 2), line
        assert "Traceback" not in err.getvalue() + out.getvalue()
        assert code == 0 or err.getvalue() or out.getvalue(), line


def fail_to_isolate() -> None:
    raise CourseError("Not isolated.")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def built(checkout: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        patch.setattr(kernel, "execute", nothing)
        assert main(["build"]) == 0
    return (checkout / "solutions" / "01_small.ipynb").read_text(encoding="utf-8")


@fuzz(150, share=0.06, seconds=10)
@given(data=st.data())
def test_damaged_notebooks(checkout: Path, built: str, data: st.DataObject) -> None:
    notebook = json.loads(built)
    for _ in range(data.draw(st.integers(1, 2))):
        place: object = notebook
        while True:
            keys = [*place] if isinstance(place, dict) else [*range(len(place))]  # type: ignore[misc]
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.integers(0, 3)):  # type: ignore[index]
                place = place[key]  # type: ignore[index]
                continue
            place[key] = data.draw(JSON)  # type: ignore[index]
            break
    (checkout / "solutions" / "01_small.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (checkout / "labs" / "01_small.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (checkout / "in" / "ann").mkdir(parents=True, exist_ok=True)
    (checkout / "in" / "ann" / "x.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        patch.setattr(kernel, "execute", nothing)
        patch.setattr("course_utils.notebooks.run.execute", nothing)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            commands = (
                ["build", "--check"],
                ["run"],
                ["check", "labs/01_small.ipynb"],
                ["grade", "in", "--dry-run"],
            )
            for command in commands:
                assert main(command) in (0, 1, 2), command
        assert "Traceback" not in err.getvalue() + out.getvalue()
