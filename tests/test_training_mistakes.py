"""Ordinary mistakes get an answer in the student's words: before training, with what to write instead."""

from __future__ import annotations

import decimal
import fractions
import functools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from training_data import CLASSES, Net, net, tiny_dataset, tiny_recipe

from course_utils.errors import DataError, SettingsError, TrainingError
from course_utils.training import (
    Augmentation,
    DivideAt,
    DivideEvery,
    Recipe,
    Squeezed,
    Triangle,
    error_rate,
    evaluate,
    fit,
    predict,
    recipe,
)
from course_utils.training.__main__ import main
from course_utils.training.loop import train_step

DATA = tiny_dataset()
quick = functools.partial(fit, checkpoint=False, show=False)


def changed(half: str = "train", **values: object):
    return replace(DATA, **{half: replace(getattr(DATA, half), **values)})


# Recipes.

NOT_NUMBERS = [
    None,
    True,
    False,
    "5",
    b"5",
    [],
    {},
    (),
    math.nan,
    math.inf,
    -math.inf,
    object(),
    torch.zeros(2),
    np.zeros(2),
    1j,
    print,
    decimal.Decimal(1),
    10**400,
]
IMPOSSIBLE = {
    "epochs": [*NOT_NUMBERS, 0, -1, 0.0, -0.5, 1e308],
    "batch_size": [*NOT_NUMBERS, 0, -1, 2.5, 64.0, 2**70],
    "learning_rate": [*NOT_NUMBERS, 0, -0.1],
    "momentum": [*NOT_NUMBERS, -0.1, 1.0, 1.5],
    "weight_decay": [*NOT_NUMBERS, -1e-4],
    "label_smoothing": [*NOT_NUMBERS, -0.1, 1.0],
    "least_steps": [*NOT_NUMBERS, -1, 2.5],
    "seed": [*NOT_NUMBERS, -1, 0.5, 99999999999999999999, "42"],
    "name": [None, 5, b"a", ["a"]],
    "nesterov": [None, 1, 0.9, "yes"],
    "optimizer": [None, "adam", "SGD", torch.optim.SGD, [], {}],
    "schedule": [None, "constant", 0.1, Triangle, lambda epoch: 0.1],
    "augmentation": [None, True, Augmentation, "flip", lambda x: x],
}


def shown(value: object) -> str:
    """Name a case alike in every process: without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, value", [(name, value) for name, values in IMPOSSIBLE.items() for value in values], ids=shown
)
def test_an_impossible_value_of_a_recipe_is_named_with_the_rule(name: str, value: object) -> None:
    with pytest.raises(TrainingError, match=rf"It has {name}=.*; {name} is ") as raised:
        Recipe(**{"name": "mine", "epochs": 1, name: value})
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": np.int64(2)},
        {"epochs": np.float32(0.5)},
        {"epochs": fractions.Fraction(1, 2)},
        {"batch_size": np.int64(16)},
        {"learning_rate": 1},
        {"learning_rate": torch.tensor(0.1)},
        {"seed": 2**63 - 1},
        {"momentum": 0.9, "nesterov": True},
        {"epochs": torch.tensor(2)},
    ],
    ids=shown,
)
def test_numbers_of_other_libraries_are_numbers(values: dict) -> None:
    made = Recipe(**{"name": "mine", "epochs": 1} | values)
    assert all(type(getattr(made, name)) in (int, float, bool) for name in values)


def test_nesterov_without_momentum_is_explained() -> None:
    with pytest.raises(TrainingError, match="needs a momentum"):
        Recipe("mine", 1, nesterov=True)


@pytest.mark.parametrize(
    "schedule",
    [
        DivideEvery(0, 1),
        DivideEvery(2, 0),
        DivideEvery("2", 5),
        DivideAt(0, (1,)),
        DivideAt(2, 5),
        Squeezed(DivideEvery(2, 1), epochs="x"),
        Triangle(start=-1),
        Triangle(peak="x"),
    ],
    ids=shown,
)
def test_a_schedule_that_gives_no_rate_is_refused_with_the_recipe(schedule: object) -> None:
    with pytest.raises(TrainingError, match=r"cannot be followed|schedule of the recipe 'mine' fails"):
        Recipe("mine", 2, schedule=schedule)


@pytest.mark.parametrize("values", [(-1,), (2.5,), ("1",), (True,), (None,), (1, "yes"), (1, 2)], ids=shown)
def test_an_impossible_augmentation_is_refused(values: tuple) -> None:
    with pytest.raises(TrainingError, match="whole number of pixels"):
        Augmentation(*values)


def test_a_shift_as_large_as_the_image_is_refused_before_training() -> None:
    with pytest.raises(TrainingError, match="8×8 pixels, the shift is 8"):
        quick(net(), DATA, tiny_recipe(augmentation=Augmentation(shift=8)))


@pytest.mark.parametrize("name", [None, 5, [], {}, Net])
def test_a_recipe_of_no_network_is_refused(name: object) -> None:
    with pytest.raises(TrainingError, match="The recipes are for"):
        recipe(name, "quick")
    with pytest.raises(SettingsError, match="no profile"):
        recipe("vgg", DATA.train.images)
    with pytest.raises(TrainingError, match="is no dataset"):
        recipe("vgg", "quick", dataset="cifar10")


# Arguments.


def test_a_class_is_not_yet_a_model() -> None:
    for call in (
        lambda: quick(Net, DATA, tiny_recipe()),
        lambda: evaluate(Net, DATA.test.batches(8)),
        lambda: predict(Net, DATA.test),
    ):
        with pytest.raises(TrainingError, match="Net is a class") as raised:
            call()
        assert "(Net()" in raised.value.next_step


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_arguments_in_another_order_are_named(order: tuple) -> None:
    given = (net(), DATA, tiny_recipe())
    with pytest.raises(TrainingError, match="another order") as raised:
        quick(*(given[place] for place in order))
    assert "fit(model, dataset, recipe)" in raised.value.next_step


def test_arguments_of_evaluate_in_another_order_are_named() -> None:
    with pytest.raises(TrainingError, match="another order"):
        evaluate(DATA.test.batches(8), net())


@pytest.mark.parametrize(
    "place, value, said",
    [
        (0, None, "None is no model"),
        (0, "lenet5", "'lenet5' is no model"),
        (0, lambda x: x, "no model"),
        (0, nn.functional.relu, "function relu is no model"),
        (1, None, "dataset of fit is None"),
        (1, "mnist", "dataset of fit is the text 'mnist'"),
        (1, DATA.train, "not one of its halves"),
        (1, DATA.train.batches(8), "whole dataset"),
        (1, DATA.train.images, "a tensor of shape"),
        (2, None, "recipe of fit is None"),
        (2, 5, "takes a Recipe"),
        (2, "lenet5", 'recipe("lenet5")'),
        (2, recipe, "the function recipe"),
        (2, Recipe, "the class Recipe"),
    ],
    ids=shown,
)
def test_an_argument_of_another_kind_is_named(place: int, value: object, said: str) -> None:
    given: list = [net(), DATA, tiny_recipe()]
    given[place] = value
    with pytest.raises(TrainingError) as raised:
        quick(*given)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"train_step": 5}, "train_step of fit is the number 5"),
        ({"evaluate": None}, "evaluate of fit is None"),
        ({"learning_rate": 0.1}, "dataclasses.replace(recipe, learning_rate=…)"),
        ({"speed": "fast"}, "a Speed"),
        ({"device": 0}, "device of fit is the number 0"),
        ({"device": DATA.train.images}, "device of fit is a tensor of shape"),
        ({"checkpoint": None}, "True, False or a folder"),
        ({"checkpoint": ""}, "True, False or a folder"),
        ({"checkpoint": 5}, "True, False or a folder"),
        ({"checkpoint": b"x"}, "True, False or a folder"),
    ],
    ids=shown,
)
def test_an_option_of_another_kind_is_named(options: dict, said: str) -> None:
    with pytest.raises(TrainingError) as raised:
        fit(net(), DATA, tiny_recipe(), **{"show": False, "checkpoint": False} | options)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "batches",
    [None, 5, DATA, DATA.test, DATA.test.images, "test", [1, 2], [(1, 2)], [DATA.test.images], [("a", "b")]],
    ids=shown,
)
def test_what_is_no_batches_is_named(batches: object) -> None:
    with pytest.raises(TrainingError):
        evaluate(net(), batches)


@pytest.mark.parametrize("split", [None, DATA, DATA.test.images, DATA.test.batches(8), 5])
def test_what_is_no_split_is_named(split: object) -> None:
    with pytest.raises(TrainingError, match="in place of a split"):
        predict(net(), split)


# Data.


def test_labels_that_were_changed_in_place_are_named_before_training() -> None:
    dataset = changed(labels=DATA.train.labels.clone())
    dataset.train.labels.add_(1)
    with pytest.raises(DataError, match="go from 1 to 4"):
        quick(net(), dataset, tiny_recipe())


@pytest.mark.parametrize("labels", [torch.zeros(2, 1), torch.zeros(3), torch.zeros(()), [0, 0], None])
def test_labels_that_do_not_fit_the_scores_are_refused(labels: object) -> None:
    with pytest.raises(TrainingError, match="do not fit together"):
        error_rate(torch.zeros(2, 3), labels)
    with pytest.raises(TrainingError):
        evaluate(net(), [(torch.zeros(2, 1, 8, 8), labels)])


def test_no_labels_are_refused() -> None:
    with pytest.raises(TrainingError, match="no labels"):
        error_rate(torch.zeros(0, 3), torch.zeros(0))


# Models.


class Forward(Net):
    """A network whose forward is given."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(super().forward(x))


def test_the_line_of_the_student_that_fails_is_named() -> None:
    class Failing(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scores(x)

    with pytest.raises(TrainingError) as raised:
        quick(Failing(), DATA, tiny_recipe())
    assert "cannot take images of 1×8×8" in raised.value.what
    assert "of forward: return self.scores(x))" in raised.value.why
    assert raised.value.left == "The model was not trained."


@pytest.mark.parametrize(
    "function, said",
    [
        (lambda x: None, "not NoneType"),
        (lambda x: x[:, :3], "(2, 3)"),
        (lambda x: x[0], "(4,)"),
        (lambda x: 5, "not int"),
        (lambda x: x.argmax(1), "(2,)"),
        (lambda x: x.long(), "torch.int64"),
        (lambda x: [x], "not list"),
        (lambda x: x / "a", "TypeError"),
        (lambda x: x.missing, "AttributeError"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: x.to(torch.complex64), "torch.complex64"),
        (lambda x: x.detach(), "must depend on the weights"),
        (lambda x: torch.tensor(x.tolist()), "must depend on the weights"),
        (lambda x: x * math.nan, "loss became nan"),
        (lambda x: x.to("meta"), "fails"),
    ],
    ids=range(15),
)
def test_a_forward_that_cannot_be_trained_is_named(function: object, said: str) -> None:
    with pytest.raises(TrainingError) as raised:
        quick(Forward(function), DATA, tiny_recipe(epochs=1))
    assert said in str(raised.value)


def test_a_model_that_is_not_set_up_is_named() -> None:
    class NotSetUp(nn.Module):
        def __init__(self) -> None:
            pass

    with pytest.raises(TrainingError, match=r"super\(\).__init__\(\)"):
        quick(NotSetUp(), DATA, tiny_recipe())


def test_a_model_without_weights_predicts_and_is_not_trained() -> None:
    model = nn.Sequential(nn.AvgPool2d(4), nn.Flatten())
    assert predict(model, DATA.test).shape == (30, CLASSES)
    assert 0 <= evaluate(model, DATA.test.batches(8)) <= 1
    with pytest.raises(TrainingError, match="nothing to train"):
        quick(model, DATA, tiny_recipe())
    with pytest.raises(TrainingError, match="nothing to train"):
        quick(net().requires_grad_(False), DATA, tiny_recipe())


@pytest.mark.parametrize("change", [nn.Module.double, nn.Module.half, nn.Module.bfloat16])
def test_a_model_of_another_type_is_named(change) -> None:
    with pytest.raises(TrainingError, match="cannot take images") as raised:
        quick(change(net()), DATA, tiny_recipe())
    assert "model.float()" in raised.value.next_step


def test_a_model_elsewhere_than_the_images_is_named() -> None:
    model = net().to("meta")
    with pytest.raises(TrainingError, match="cannot be moved to cpu"):
        quick(model, DATA, tiny_recipe())
    with pytest.raises(TrainingError, match="on meta, and the images are on cpu"):
        evaluate(model, DATA.test.batches(8))
    with pytest.raises(TrainingError):
        predict(net(), replace(DATA.test, images=DATA.test.images[:, :, :5]))


def test_data_on_two_devices_are_moved() -> None:
    from course_utils.training.preparation import on_device

    with pytest.raises(TrainingError, match="images cannot be moved to cpu"):
        quick(net(), changed(images=DATA.train.images.to("meta")), tiny_recipe())
    half = replace(DATA, test=replace(DATA.test, images=DATA.test.images.to("meta")))
    assert on_device(half, torch.device("meta")).train.images.device.type == "meta"
    assert on_device(DATA, torch.device("cpu")) is DATA


def test_batch_normalisation_of_a_single_image_is_explained() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES), nn.BatchNorm1d(CLASSES))
    with pytest.raises(TrainingError, match="more than 1 value per channel") as raised:
        quick(model, DATA, tiny_recipe(batch_size=99))
    assert "another batch_size" in raised.value.next_step


def test_kernels_of_volumes_do_not_stop_the_fast_memory_format() -> None:
    class Volume(Net):
        def __init__(self) -> None:
            super().__init__()
            self.volume = nn.Conv3d(1, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(self.volume(x[:, None])[:, 0])

    assert len(quick(Volume(), DATA, tiny_recipe(epochs=1))) == 1


def test_a_last_step_that_ruins_the_weights_is_no_result() -> None:
    def step(model, images, labels, criterion, optimizer):
        loss = criterion(model(images), labels).item()
        if len(labels) == 4:  # the epoch's last batch
            with torch.no_grad():
                next(model.parameters()).fill_(math.nan)
        return loss

    with pytest.raises(TrainingError, match="weight became infinite or not a number"):
        quick(net(), DATA, tiny_recipe(epochs=1), train_step=step)


def test_the_estimate_leaves_buffers_alone_that_are_not_saved() -> None:
    class Moving(Net):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()), persistent=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.calls += 1
            return super().forward(x)

    model = Moving()
    quick(model, DATA, tiny_recipe(epochs=1))
    assert model.calls == 7


# Functions.


@pytest.mark.parametrize(
    "function, said",
    [
        (lambda epoch: None, "learning rate is None"),
        (lambda epoch: "0.1", "'0.1'"),
        (lambda epoch: math.nan, "nan"),
        (lambda epoch: -0.1, "-0.1"),
        (lambda epoch: math.inf, "inf"),
        (lambda epoch: [0.1], "[0.1]"),
        (lambda: 0.1, "TypeError"),
        (lambda epoch: {0: 0.1}[epoch], "KeyError"),
        (lambda epoch: True, "True"),
        (lambda epoch: 0.1 if epoch < 0.93 else None, "learning rate is None"),
    ],
    ids=range(10),
)
def test_a_learning_rate_that_is_none_is_named(function: object, said: str) -> None:
    with pytest.raises(TrainingError) as raised:
        quick(net(), DATA, tiny_recipe(epochs=1), learning_rate=function)
    assert said in str(raised.value)


@pytest.mark.slow
def test_a_rate_of_pytorch_or_numpy_is_a_number(tmp_path) -> None:
    for rate in (np.float64(0.1), torch.tensor(0.1), np.float32(0.1)):
        history = fit(
            net(),
            DATA,
            tiny_recipe(epochs=1),
            learning_rate=lambda epoch, rate=rate: rate,
            checkpoint=tmp_path,
            fresh=True,
            show=False,
        )
        assert history.final.learning_rate == pytest.approx(0.1)


def failing(*arguments: object) -> float:
    raise ValueError("as written")


def test_a_step_that_scores_other_images_is_named() -> None:
    steps = (lambda *a: 0.5, lambda m, x, y, c, o: c(m(x[:1]), y[:1]))
    for step in steps:
        with pytest.raises(TrainingError, match=r"training step scores [01] of 16 images"):
            quick(net(), DATA, tiny_recipe(epochs=1), train_step=step)


def test_a_loss_of_numpy_is_a_number_and_a_complex_one_is_none() -> None:
    def step(*arguments: object) -> object:
        return np.float32(train_step(*arguments).item())

    assert len(quick(net(), DATA, tiny_recipe(epochs=1), train_step=step)) == 1
    for wrong, said in ((1j, "one number"), (torch.tensor(1j), "one number"), (10**400, "loss became inf")):
        with pytest.raises(TrainingError, match=said):
            quick(net(), DATA, tiny_recipe(epochs=1), train_step=lambda *a, w=wrong: [train_step(*a), w][1])


def test_a_step_or_an_evaluation_that_fails_is_named_with_its_line() -> None:
    for options in ({"train_step": failing}, {"evaluate": failing}):
        with pytest.raises(TrainingError) as raised:
            quick(net(), DATA, tiny_recipe(epochs=1), **options)
        assert "ValueError: as written (line " in raised.value.why
        assert 'of failing: raise ValueError("as written"))' in raised.value.why


def test_ctrl_c_in_a_students_code_is_ctrl_c() -> None:
    def stop(*arguments: object) -> float:
        raise KeyboardInterrupt

    assert quick(net(), DATA, tiny_recipe(epochs=1), train_step=stop).interrupted


# The command.


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--epochs", "0"], "epochs is a number above 0"),
        (["--epochs", "nan"], "epochs=nan"),
        (["--epochs", "inf"], "epochs=inf"),
        (["--seed", "9" * 20], "seed is a whole number"),
        (["--seed", "-1"], "seed=-1"),
        (["--checkpoint", ""], "checkpoint of fit is the text ''"),
        (["--profile", "slow"], "no profile"),
    ],
    ids=range(7),
)
def test_wrong_values_of_the_command_are_named(arguments: list[str], said: str, capsys, monkeypatch) -> None:
    import signal

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["lenet5", "--data", "digits", *arguments]) in (1, 2)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert said in capsys.readouterr().err
