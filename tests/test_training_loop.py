"""The loop: it is the lecture's, its figures are right, and what goes wrong is reported."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from training_data import CLASSES, Net, net, tiny_dataset, tiny_recipe

from course_utils import exercises
from course_utils.errors import DeviceError, TrainingError
from course_utils.training import (
    PLAIN,
    Augmentation,
    Recipe,
    Triangle,
    error_rate,
    evaluate,
    fit,
    loop,
    predict,
    trainer,
)
from course_utils.training.preparation import estimate

BARE = Recipe("bare", epochs=2, batch_size=16, learning_rate=0.1)


def quiet(model: nn.Module, recipe: Recipe, **settings: object):
    return fit(model, tiny_dataset(), recipe, checkpoint=False, show=False, **settings)


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_fit_is_the_lectures_loop() -> None:
    trained, by_hand, dataset = net().eval(), net(), tiny_dataset()
    for model in (trained, by_hand):
        model.drop.p = 0.0
    history = fit(trained, dataset, BARE, speed=PLAIN, checkpoint=False, show=False)

    criterion, generator = nn.CrossEntropyLoss(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for record in history:
        total_loss, wrong = 0.0, 0
        by_hand.train()
        for images, labels in dataset.train.batches(16, shuffle=True, generator=generator):
            scores = by_hand(images)
            loss = criterion(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(labels)
            wrong += (scores.argmax(1) != labels).sum().item()
        assert record.train_loss == pytest.approx(total_loss / 100, rel=1e-5)
        assert record.train_error == pytest.approx(wrong / 100)
        assert record.test_error == evaluate(by_hand, dataset.test.batches(30))
    assert same_weights(trained, by_hand)


@pytest.mark.slow
def test_training_learns() -> None:
    history = quiet(net(), tiny_recipe(epochs=4))
    assert history.final.train_loss < history.records[0].train_loss
    assert history.test_error < 0.2
    assert [record.epoch for record in history] == [1, 2, 3, 4]
    assert all(record.seconds > 0 and record.test_seconds > 0 for record in history)


def test_the_rate_follows_the_schedule_at_every_step(monkeypatch) -> None:
    used = []
    monkeypatch.setattr(
        torch.optim.SGD, "step", lambda self: used.append(self.param_groups[0]["lr"]), raising=True
    )
    monkeypatch.setattr(trainer, "estimate", lambda *_, **__: (1.0, 0.1))
    recipe = tiny_recipe(epochs=2, schedule=Triangle())
    quiet(net(), recipe)
    assert used == pytest.approx([recipe.rate(step / 7) for step in range(14)])
    assert len(set(used)) > 7


@pytest.mark.slow
def test_label_smoothing_reaches_the_loss() -> None:
    losses = [
        quiet(net(), tiny_recipe(epochs=4, label_smoothing=share)).final.train_loss for share in (0, 0.4)
    ]
    assert losses[1] > losses[0] + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(shift=2, flip=True)])
def test_the_seed_decides_the_run(augmentation: Augmentation) -> None:
    runs = []
    for seed in (3, 3, 4):
        model = net()
        model.drop.p = 0.0
        quiet(model, tiny_recipe(seed=seed, augmentation=augmentation))
        runs.append(model)
    assert same_weights(runs[0], runs[1])
    assert not same_weights(runs[0], runs[2])


def test_the_estimate_leaves_no_trace() -> None:
    model, untouched = net().eval(), net()
    random = torch.get_rng_state()
    estimated = estimate(model, tiny_dataset(), tiny_recipe(), PLAIN, torch.device("cpu"))
    assert all(0 < seconds < 60 for seconds in estimated)
    assert same_weights(model, untouched)
    assert torch.equal(torch.get_rng_state(), random)
    assert not model.training
    assert all(weight.grad is None for weight in model.parameters())


def test_the_estimate_times_the_very_step_that_an_epoch_takes(monkeypatch) -> None:
    taken = []

    def recorded(*arguments):
        taken.append([type(argument) for argument in arguments])
        return loop.train_step(*arguments)

    estimate(net(), tiny_dataset(), tiny_recipe(), PLAIN, torch.device("cpu"), step=recorded)
    timed = taken.copy()
    taken.clear()
    monkeypatch.setattr(trainer, "estimate", lambda *_, **__: (1.0, 0.1))
    quiet(net(), tiny_recipe(epochs=1), speed=PLAIN, train_step=recorded)
    assert len(taken) == 7
    assert timed[:3] == taken[:3]


def test_the_estimate_times_steps_and_does_not_judge_their_loss() -> None:
    diverging = tiny_recipe(learning_rate=1e30, schedule=BARE.schedule)
    assert all(
        seconds > 0 for seconds in estimate(net(), tiny_dataset(), diverging, PLAIN, torch.device("cpu"))
    )


def test_the_estimate_follows_the_whole_recipe() -> None:
    seen = []

    def recorded(*arguments):
        seen.append(arguments[3:5])
        return loop.train_step(*arguments)

    estimate(
        net(), tiny_dataset(), tiny_recipe(label_smoothing=0.4), PLAIN, torch.device("cpu"), step=recorded
    )
    criterion, optimizer = seen[0]
    assert criterion.label_smoothing == 0.4
    assert optimizer.param_groups[0]["momentum"] == 0.9


def test_a_short_training_is_estimated_from_few_steps() -> None:
    taken = []

    def recorded(*arguments):
        taken.append(arguments)
        return loop.train_step(*arguments)

    estimate(net(), tiny_dataset(), tiny_recipe(epochs=1), PLAIN, torch.device("cpu"), step=recorded)
    assert len(taken) == 2 + 3  # two to get warm


def test_evaluate_counts_images_and_not_batches() -> None:
    class Always(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(torch.zeros(len(x), dtype=torch.int64), 3).float()

    batches = [
        (torch.zeros(4, 1, 2, 2), torch.tensor([0, 0, 0, 1])),
        (torch.zeros(1, 1, 2, 2), torch.tensor([1])),
    ]
    assert evaluate(Always(), batches) == pytest.approx(2 / 5)


@pytest.mark.parametrize("mode", [True, False])
def test_evaluate_and_predict_leave_mode_and_statistics_alone(mode: bool) -> None:
    model = net().train(mode)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first = evaluate(model, tiny_dataset().test.batches(10))
    scores = predict(model, tiny_dataset().test)
    assert model.training is mode
    assert evaluate(model, tiny_dataset().test.batches(7)) == first  # no dropout: the same twice
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not scores.requires_grad


def test_evaluate_restores_the_mode_after_a_failure() -> None:
    model = net().train()
    with pytest.raises(TrainingError, match=r"expected input.* to have 1 channels, but got 5"):
        evaluate(model, [(torch.zeros(2, 5, 8, 8), torch.zeros(2))])
    assert model.training


def test_nothing_to_evaluate_is_reported() -> None:
    with pytest.raises(TrainingError, match="nothing to evaluate"):
        evaluate(net(), [])


def test_predict_gives_every_score_in_order(monkeypatch) -> None:
    monkeypatch.setattr("course_utils.training.evaluation.BATCH", 7)
    model, dataset = net(), tiny_dataset()
    scores = predict(model, dataset.test)
    assert scores.shape == (30, CLASSES)
    with torch.no_grad():
        expected = model.eval()(dataset.test.normalised(dataset.test.images))
    assert torch.allclose(scores, expected, atol=1e-5)
    assert error_rate(scores, dataset.test.labels) == evaluate(model, dataset.test.batches(30))


def test_error_rate_is_the_share_of_wrong_answers() -> None:
    scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 4.0], [1.0, 0.0]])
    assert error_rate(scores, torch.tensor([0, 1, 1, 0])) == 0.25


def test_a_loss_that_is_not_finite_ends_training_with_its_likely_cause() -> None:
    with pytest.raises(TrainingError, match="learning rate, 1e\\+30 here, is too large"):
        quiet(net(), tiny_recipe(learning_rate=1e30, schedule=BARE.schedule))


def test_scores_of_a_wrong_shape_are_reported_before_training() -> None:
    class NoReturn(Net):
        def forward(self, x: torch.Tensor) -> None:
            super().forward(x)

    with pytest.raises(TrainingError, match=r"\(2, 4\), not NoneType"):
        quiet(NoReturn(), tiny_recipe())
    with pytest.raises(TrainingError, match=r"\(2, 4\), not \(2, 3\)"):
        quiet(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), tiny_recipe())


def test_a_model_without_weights_is_reported() -> None:
    with pytest.raises(TrainingError, match="nothing to train"):
        quiet(nn.Flatten(), tiny_recipe())


def test_an_absent_device_is_reported() -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        quiet(net(), tiny_recipe(), device="cuda:99")


def test_the_models_own_error_is_not_hidden() -> None:
    with pytest.raises(TrainingError, match=r"mat1 and mat2") as raised:
        quiet(nn.Sequential(nn.Flatten(), nn.Linear(65, 4)), tiny_recipe())
    assert raised.value.next_step.startswith("The linear layer expects 65 values for each image and gets 64")
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_ctrl_c_ends_training_and_keeps_the_model(monkeypatch, capsys) -> None:
    calls = []

    def evaluate_then_stop(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(trainer, "estimate", lambda *_, **__: (1.0, 0.1))
    model = net()
    history = fit(model, tiny_dataset(), tiny_recipe(epochs=5), evaluate=evaluate_then_stop, checkpoint=False)
    assert history.interrupted
    assert len(history) == 1
    assert not same_weights(model, net())
    assert model.deep.weight.is_contiguous()
    assert "Interrupted after 1 of 5 epochs" in capsys.readouterr().out


@pytest.mark.slow
def test_the_run_announces_device_switches_and_time(capsys) -> None:
    fit(net(), tiny_dataset(), tiny_recipe(), checkpoint=False)
    out = capsys.readouterr().out
    assert "CPU, " in out
    assert "channels-last: on" in out
    assert "3 epochs ≈ " in out
    assert "on this CPU" in out
    assert "epoch  3/3" in out


def test_a_silent_run_prints_nothing(capsys) -> None:
    quiet(net(), tiny_recipe(epochs=1))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_the_history_knows_where_it_comes_from() -> None:
    history = quiet(net(), tiny_recipe(epochs=1))
    assert (history.dataset, history.source, history.classes) == ("tiny", "made for a test", CLASSES)
    assert history.parameters == sum(weight.numel() for weight in Net().parameters())
    assert history.device.startswith("CPU, ")
    assert history.estimate > 0


def test_a_part_of_an_epoch_is_trained_and_recorded(monkeypatch) -> None:
    steps = []
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: steps.append(self.param_groups[0]["lr"]))
    monkeypatch.setattr(trainer, "estimate", lambda *_, **__: (1.0, 0.1))
    history = quiet(net(), tiny_recipe(epochs=1.5, schedule=Triangle()))  # 7 batches an epoch
    assert len(steps) == 7 + 3  # 10.5 batches, as whole ones
    assert [record.epoch for record in history] == [1, pytest.approx(10 / 7)]
    assert history.records[1].share == pytest.approx(3 / 7)
    assert history.complete
    assert history.summary().startswith("1.43 of 1.43 epochs in ")
    assert steps[-1] == pytest.approx(history.recipe.rate(9 / 7))


def test_a_small_training_set_is_passed_over_until_there_are_enough_steps() -> None:
    history = quiet(net(), tiny_recipe(epochs=1, least_steps=16))
    assert history.epochs == 3  # 7 batches each; whole epochs
    assert len(history) == 3


students_step = exercises.get("train_step").reference


@pytest.mark.slow
def test_a_students_own_step_evaluation_and_learning_rate_are_what_trains() -> None:
    calls, rates = [], []

    def step(model, images, labels, criterion, optimizer):
        calls.append(len(labels))
        rates.append(optimizer.param_groups[0]["lr"])
        return students_step(model, images, labels, criterion, optimizer)

    def test(model, batches):
        calls.append("test")
        return evaluate(model, batches)

    def rate(epoch):
        return 0.1 / 2 ** int(2 * epoch)

    usual, own = net(), net()
    for model in (usual, own):
        model.drop.p = 0.0
    expected = quiet(usual, BARE)
    history = fit(
        own,
        tiny_dataset(),
        BARE,
        train_step=step,
        evaluate=test,
        checkpoint=False,
        show=False,
    )
    assert calls[-16:] == [16, 16, 16, 16, 16, 16, 4, "test"] * 2
    assert same_weights(usual, own)
    assert [record.train_error for record in history] == [record.train_error for record in expected]
    assert [record.train_loss for record in history] == pytest.approx(
        [record.train_loss for record in expected]
    )
    rates.clear()
    history = quiet(net(), BARE, train_step=step, learning_rate=rate)
    assert rates[-14:] == [0.1] * 4 + [0.05] * 3 + [0.025] * 4 + [0.0125] * 3
    assert [record.learning_rate for record in history] == [0.1, 0.025]


@pytest.mark.slow
def test_a_step_without_zero_grad_trains_as_it_is_written() -> None:
    def step(model, images, labels, criterion, optimizer):
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    usual, own = net(), net()
    quiet(usual, BARE)
    quiet(own, BARE, train_step=step)
    assert not same_weights(usual, own)


@pytest.mark.parametrize("returned", [None, "0.5", torch.zeros(16)])
def test_a_step_or_an_evaluation_that_returns_no_number_is_named(returned: object) -> None:
    def step(*arguments):
        students_step(*arguments)
        return returned

    model = net()
    with pytest.raises(TrainingError, match=r"training step returned .*\n.*one number"):
        quiet(model, BARE, train_step=step)
    with pytest.raises(TrainingError, match=r"evaluate returned .*\n.*from 0 to 1"):
        quiet(model, BARE, evaluate=lambda *_: 50.0 if returned == "0.5" else returned)
    assert same_weights(model, net())


def test_the_loss_of_each_part_of_an_epoch_is_recorded(monkeypatch) -> None:
    monkeypatch.setattr("course_utils.training.meter.CURVE_POINTS", 3)
    losses = []

    def step(*arguments):
        losses.append(students_step(*arguments))
        return losses[-1]

    record = quiet(net(), tiny_recipe(epochs=1), train_step=step).final
    first, second, third = losses[-7:-4], losses[-4:-2], losses[-2:]
    means = [sum(part) / len(part) for part in (first, second, third)]
    assert record.losses == pytest.approx(means, rel=1e-5)


@pytest.mark.slow
def test_muon_trains_and_its_run_resumes_from_a_checkpoint(tmp_path, monkeypatch) -> None:
    recipe = tiny_recipe(epochs=4, optimizer="muon", least_steps=0)
    whole = net(1)
    expected = fit(whole, tiny_dataset(), recipe, checkpoint=False, show=False)
    real, calls = loop.train_epoch, []

    def train_then_die(*arguments, **settings):
        calls.append(1)
        if len(calls) == 3:
            raise SystemExit
        return real(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_epoch", train_then_die)
        with pytest.raises(SystemExit):
            fit(net(1), tiny_dataset(), recipe, checkpoint=tmp_path, show=False)
    second = net(2)
    fit(second, tiny_dataset(), recipe, checkpoint=tmp_path, show=False)
    assert expected.test_error < 0.2
    assert same_weights(second, whole)
