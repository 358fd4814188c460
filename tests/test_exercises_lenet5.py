"""Lab 03: what the checks say about networks, training steps and evaluation."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from course_utils import exercises
from course_utils.exercises import judge, observe
from course_utils.exercises.lenet5.error_rate import scores_with
from course_utils.exercises.lenet5.lenet5 import LeNet5
from course_utils.exercises.lenet5.train_step import SmallSGD
from course_utils.exercises.probes import Draw


def verdict(exercise_id, candidate, seed=0):
    return exercises.evaluate(exercise_id, candidate, seed=seed)


class Network(nn.Module):
    """A LeNet5 that tests change in one place."""

    def __init__(self, padding=1, features=4900, width=100, bias=True):
        super().__init__()
        self.first = nn.Conv2d(1, 50, 3, padding=padding, bias=bias)
        self.second = nn.Conv2d(50, width, 3, padding=padding)
        self.hidden = nn.Linear(features, 100)
        self.last = nn.Linear(100, 10)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        return F.max_pool2d(F.relu(self.second(x)), 2).flatten(1)

    def forward(self, x):
        return self.last(F.relu(self.hidden(self.features(x))))


# ------------------------------------------------------------------------------------------------ LeNet5


CONV1, CONV2 = 1 * 50 * 3 * 3 + 50, 50 * 100 * 3 * 3 + 100
LINEAR1, LINEAR2 = 100 * 7 * 7 * 100 + 100, 100 * 10 + 10


def test_the_reference_has_the_lectures_parameters():
    assert sum(p.numel() for p in LeNet5().parameters()) == CONV1 + CONV2 + LINEAR1 + LINEAR2 == 536_710


def test_missing_padding_names_the_first_layer_that_differs_with_both_shapes():
    found = verdict("lenet5", lambda: Network(padding=0, features=2500))
    assert found.status == "wrong"
    assert found.misconception == "no-padding"
    assert "conv1 gives 50×26×26; expected 50×28×28." in found.message
    assert "conv1 50×26×26" in str(found.counterexample.actual)


def test_padding_missing_in_the_second_convolution_only():
    def build():
        model = Network(features=3600)
        model.second = nn.Conv2d(50, 100, 3)
        return model

    found = verdict("lenet5", build)
    assert "conv2 gives 100×12×12; expected 100×14×14." in found.message
    assert found.misconception is None


def test_an_error_half_way_shows_the_traceback_and_the_layer_that_led_to_it():
    found = verdict("lenet5", lambda: Network(padding=0))
    assert found.status == "error"
    assert "conv1 gives 50×26×26; expected 50×28×28." in found.message
    assert "self.last(F.relu(self.hidden(self.features(x))))" in found.traceback
    assert "mat1 and mat2 shapes cannot be multiplied" in found.traceback


def test_a_head_of_the_wrong_size_says_where_it_stops():
    found = verdict("lenet5", lambda: Network(features=100 * 14 * 14))
    assert found.status == "error"
    assert (
        "Its layers are as expected up to max-pool2; it stops where linear1 (100) should follow."
        in found.message
    )


def test_errors_of_another_kind_are_not_taken_for_a_misconception():
    found = verdict("lenet5", lambda: Network(features=100 * 14 * 14))
    assert found.misconception is None


def test_another_number_of_filters_is_asked_about():
    found = verdict("lenet5", lambda: Network(width=64, features=64 * 49))
    assert "conv2 gives 64×14×14; expected 100×14×14. Does it have the right number" in found.message


def test_one_missing_relu_is_located():
    class WithoutOne(Network):
        def forward(self, x):
            x = F.max_pool2d(F.relu(self.first(x)), 2)
            x = F.max_pool2d(self.second(x), 2).flatten(1)
            return self.last(F.relu(self.hidden(x)))

    found = verdict("lenet5", WithoutOne)
    assert found.status == "wrong"
    assert "After conv2 there is no ReLU." in found.message


def test_one_activation_of_another_kind_is_located():
    class Mixed(Network):
        def forward(self, x):
            return self.last(F.gelu(self.hidden(self.features(x))))

    assert "After linear1 comes a GELU; expected a ReLU." in verdict("lenet5", Mixed).message


def test_a_missing_bias_is_reported_by_the_count():
    message = verdict("lenet5", lambda: Network(bias=False)).message
    assert "536,660 parameters; expected 536,710. Does every layer have a bias?" in message


def test_layers_that_are_never_used_are_reported():
    class WithSpare(Network):
        def __init__(self):
            super().__init__()
            self.spare = nn.Linear(10, 10)

    assert "spare is never used." in verdict("lenet5", WithSpare).message


def test_layers_in_a_plain_list_are_reported():
    class Unregistered(Network):
        def __init__(self):
            super().__init__()
            layer = self.last
            del self.last
            self.__dict__["last"] = layer

    message = verdict("lenet5", Unregistered).message
    assert "1,010 parameters that model.parameters() does not list" in message
    assert "plain Python list?" in message and "too large" not in message


def test_layers_made_in_forward_are_reported():
    class MadeAnew(Network):
        def __init__(self):
            super().__init__()
            del self.last

        def forward(self, x):
            return nn.Linear(100, 10)(F.relu(self.hidden(self.features(x))))

    message = verdict("lenet5", MadeAnew).message
    assert "layers are made anew in each call of forward. Make them once, in __init__." in message
    assert "plain Python list" not in message and "too large" not in message


def test_a_detached_value_is_reported():
    class Detached(Network):
        def forward(self, x):
            return self.last(F.relu(self.hidden(self.features(x).detach())))

    message = verdict("lenet5", Detached).message
    assert "45,600 of its 536,710 parameters get no gradient" in message


def test_frozen_parameters_are_reported():
    assert "get no gradient" in verdict("lenet5", lambda: Network().requires_grad_(False)).message


def test_dropout_is_found_in_training_and_in_evaluation_mode():
    class Dropping(Network):
        def forward(self, x):
            return self.last(F.dropout(F.relu(self.hidden(self.features(x))), 0.2))

    class DroppingInTraining(Network):
        def forward(self, x):
            return self.last(F.dropout(F.relu(self.hidden(self.features(x))), 0.2, self.training))

    for network in (Dropping, DroppingInTraining):
        assert "drops values at random" in verdict("lenet5", network).message


def test_a_batch_mixed_into_the_features_is_reported():
    class Mixing(Network):
        def forward(self, x):
            return self.last(F.relu(self.hidden(self.features(x).reshape(1, -1))))

    found = verdict("lenet5", Mixing)
    assert found.misconception == "batch-into-one-row"
    assert "works for one image and fails for several" in found.message


def test_a_lost_batch_of_one_is_reported():
    class Squeezing(Network):
        def forward(self, x):
            return super().forward(x).squeeze()

    assert "The shape for one image is 10; expected 1×10." in verdict("lenet5", Squeezing).message


def test_one_layer_used_twice_is_reported():
    class Twice(Network):
        def __init__(self):
            super().__init__()
            self.second = nn.Conv2d(50, 50, 3, padding=1)
            self.hidden = nn.Linear(50 * 49, 100)

        def features(self, x):
            x = F.max_pool2d(F.relu(self.first(x)), 2)
            return F.max_pool2d(F.relu(self.second(self.second(x))), 2).flatten(1)

    assert verdict("lenet5", Twice).status == "wrong"


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (lambda: None, "It returns nothing (None) where a module (nn.Module) is expected."),
        (lambda: Network, "It returns the class Network, not a network made from it."),
        (lambda: [nn.Conv2d(1, 50, 3)], "It returns a list where a module (nn.Module) is expected."),
        (lambda: nn.Module(), "Module has no method named forward."),
        (lambda: nn.ModuleList([nn.Flatten()]), "A ModuleList only holds layers, it does not apply them"),
    ],
)
def test_what_is_not_a_network_is_reported(candidate, sentence):
    assert sentence in verdict("lenet5", candidate).message


def test_a_forward_that_does_not_return_a_tensor_is_reported():
    class Pair(Network):
        def forward(self, x):
            return (super().forward(x),)

    assert "It returns a tuple where a tensor is expected." in verdict("lenet5", Pair).message


def test_a_stub_is_not_started():
    class Stub(nn.Module):
        def __init__(self):
            super().__init__()
            raise NotImplementedError()

    class HalfAStub(Network):
        def forward(self, x):
            raise NotImplementedError()

    assert verdict("lenet5", Stub).status == "not started"
    assert verdict("lenet5", HalfAStub).status == "not started"


def test_tensors_that_equal_everything_are_not_scores():
    class Equal(torch.Tensor):
        def __eq__(self, other):
            return True

        def detach(self):
            return LeNet5()(torch.zeros(1, 1, 28, 28))

    class Hostile(Network):
        def forward(self, x):
            return super().forward(x).mul(0).as_subclass(Equal)

    assert verdict("lenet5", Hostile).status == "wrong"


def test_the_model_that_was_checked_is_not_the_students():
    built = []

    def build():
        built.append(Network())
        return built[-1]

    verdict("lenet5", build)
    assert len(built) == 1


def test_forged_observations_are_wrong_and_never_an_exception():
    exercise = exercises.get("lenet5")
    probes = exercise.probes(0)
    right = observe(exercise, exercise.reference, probes[0])
    forged = [
        None,
        1,
        [],
        {},
        "x",
        dict.fromkeys(right.value),
        {key: {} for key in right.value},
        {**right.value, "one": "x"},
    ]
    forged += [
        {**right.value, "layers": [{}], "parameters": 0},
        {**right.value, "stopped": True, "layers": 3},
    ]
    for value in forged:
        seen = [type(right)("returned", value=value)]
        assert judge(exercise, probes, seen).status == "wrong", value


# ------------------------------------------------------------------------------------------- train_step


@pytest.mark.slow
def test_the_small_optimizer_moves_as_pytorchs():
    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    ours, theirs = (
        SmallSGD(one, lr=0.1, momentum=0.9),
        torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9),
    )
    for _ in range(4):
        x = torch.randn(5, 3)
        for model, optimizer in ((one, ours), (other, theirs)):
            optimizer.zero_grad(set_to_none=False)
            model(x).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(one.weight, other.weight)


def test_a_step_subtracts_the_learning_rate_times_the_gradient():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2)
    step = exercises.get("train_step").reference
    loss = step(
        model, torch.tensor([[3.0]]), torch.tensor([[1.0]]), nn.MSELoss(), SmallSGD(model, lr=0.1, momentum=0)
    )
    assert loss == (2 * 3 - 1) ** 2
    assert model.weight.item() == pytest.approx(2 - 0.1 * 2 * (2 * 3 - 1) * 3)


def test_a_forgotten_zero_grad_is_right_in_the_first_step_and_named_in_the_second():
    def train_step(model, images, labels, criterion, optimizer):
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    found = verdict("train_step", train_step)
    assert found.misconception == "gradients-not-zeroed"
    assert "step 2 (right until then)" in found.message
    assert "backward adds to them" in found.message


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("zero backward", "the optimizer never takes a step"),
        ("zero step", "no gradient is ever computed"),
        ("zero step backward", "the optimizer steps before there is a gradient"),
        ("backward zero step", "the gradient is gone when the optimizer steps"),
    ],
)
def test_parameters_that_never_change_are_explained(order, reason):
    def train_step(model, images, labels, criterion, optimizer):
        loss = criterion(model(images), labels)
        for action in order.split():
            {"zero": optimizer.zero_grad, "backward": loss.backward, "step": optimizer.step}[action]()
        return loss.item()

    found = verdict("train_step", train_step)
    assert f"The parameters never change: {reason}." in found.message
    assert found.misconception


def test_a_step_without_return_is_reported():
    def train_step(model, images, labels, criterion, optimizer):
        exercises.get("train_step").reference(model, images, labels, criterion, optimizer)

    assert "returns nothing (None)" in verdict("train_step", train_step).message


def test_a_model_in_evaluation_mode_is_found_by_batch_normalisation():
    def train_step(model, images, labels, criterion, optimizer):
        model.eval()
        return exercises.get("train_step").reference(model, images, labels, criterion, optimizer)

    found = verdict("train_step", train_step)
    assert found.misconception == "evaluation-mode"
    assert found.counterexample.note == "a model with batch normalisation"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("loss = criterion(labels, model(images))", "The criterion gets the labels first"),
        ("with torch.no_grad(): loss = criterion(model(images), labels)", "under torch.no_grad"),
        ("loss = criterion(model(images).detach(), labels)", "cut off from the model (.detach()"),
    ],
)
def test_a_loss_that_cannot_be_followed_back_is_explained(lines, told):
    def train_step(model, images, labels, criterion, optimizer):
        names = {"model": model, "images": images, "labels": labels, "criterion": criterion, "torch": torch}
        optimizer.zero_grad()
        exec(lines, names)
        names["loss"].backward()
        optimizer.step()
        return names["loss"].item()

    found = verdict("train_step", train_step)
    assert found.status == "error" and told in found.message


def test_an_optimizer_of_ones_own_is_reported():
    def train_step(model, images, labels, criterion, optimizer):
        mine = SmallSGD(model, lr=0.3, momentum=0)
        return exercises.get("train_step").reference(model, images, labels, criterion, mine)

    message = verdict("train_step", train_step).message
    assert "The optimizer that was given never takes a step." in message


# --------------------------------------------------------------------------------------------- evaluate


def test_the_mean_of_batch_means_is_named():
    def evaluate(model, batches):
        model.eval()
        with torch.no_grad():
            errors = [(model(x).argmax(1) != y).float().mean() for x, y in batches]
        return sum(errors) / len(errors)

    found = verdict("evaluate", evaluate)
    assert found.misconception == "mean-of-batch-means"
    assert (0 / 3 + 1 / 1) / 2 == 0.5 and (0 + 1) / (3 + 1) == 0.25
    assert "It returns 0.5; expected 0.25." in found.message


def test_a_right_share_in_the_wrong_mode_is_not_right():
    def evaluate(model, batches):
        with torch.no_grad():
            wrong = [model(x).argmax(1) != y for x, y in batches]
        return torch.cat(wrong).float().mean()

    found = verdict("evaluate", evaluate)
    assert found.misconception == "training-mode"
    assert "The share is right, but the model ran in training mode." in found.message


def test_recorded_gradients_are_reported():
    def evaluate(model, batches):
        model.eval()
        return torch.cat([model(x).argmax(1) != y for x, y in batches]).float().mean()

    found = verdict("evaluate", evaluate)
    assert found.misconception == "gradients-recorded"


def test_a_model_that_is_changed_on_the_way_is_reported():
    def evaluate(model, batches):
        share = exercises.get("evaluate").reference(model, batches)
        with torch.no_grad():
            model[0][1].weight.add_(1)
        return share

    assert "the model is not the same afterwards: 0.1.weight changed" in verdict("evaluate", evaluate).message


def test_a_share_that_is_made_up_without_the_model_is_reported():
    def evaluate(model, batches):
        images = torch.cat([x.flatten(1) for x, _ in batches])
        return (images.argmax(1) != torch.cat([y for _, y in batches])).float().mean()

    assert "was never called" in verdict("evaluate", evaluate).message


# ---------------------------------------------------------------------------------------- overfit_batch


def trained(mode=True, lr=0.05):
    def overfit_batch(model, images, labels, steps):
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        if mode is not None:
            model.train(mode)
        step = exercises.get("train_step").reference
        return [step(model, images, labels, F.cross_entropy, optimizer) for _ in range(steps)]

    return overfit_batch


def test_each_loss_is_the_one_before_its_step():
    model = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(model.weight)
    losses = exercises.get("overfit_batch").reference(model, torch.ones(1, 1), torch.tensor([0]), 2)
    # The gradient of the first score is 1/2 − 1, of the second 1/2.
    one, other = 0.05 * 0.5, -0.05 * 0.5
    assert losses == pytest.approx([np.log(2), np.log(1 + np.exp(other - one))])


@pytest.mark.slow
def test_a_sound_network_learns_a_batch_by_heart_and_one_with_a_second_softmax_does_not():
    torch.manual_seed(0)
    images, labels = torch.randn(4, 1, 28, 28), torch.tensor([3, 1, 4, 5])
    overfit_batch = exercises.get("overfit_batch").reference
    assert overfit_batch(LeNet5(), images, labels, 60)[-1] < 0.1
    assert overfit_batch(nn.Sequential(LeNet5(), nn.Softmax(1)), images, labels, 60)[-1] > 1.461


@pytest.mark.parametrize(
    ("mode", "misconception"), [(True, None), (False, "evaluation-mode"), (None, "mode-left-as-it-was")]
)
def test_the_mode_in_which_a_batch_is_learned_matters(mode, misconception):
    found = verdict("overfit_batch", trained(mode=mode))
    assert (found.status == "correct") == (misconception is None)
    assert found.misconception == misconception


def test_the_mode_afterwards_does_not_matter():
    def overfit_batch(model, *rest):
        losses = trained()(model, *rest)
        model.eval()
        return losses

    assert verdict("overfit_batch", overfit_batch).status == "correct"


def test_a_copy_that_learns_leaves_the_model_as_it_was():
    found = verdict("overfit_batch", lambda model, *rest: trained()(copy.deepcopy(model), *rest))
    assert found.misconception == "a-copy-is-trained"
    assert "The losses are right, but the model's parameters are the same as before" in found.message


def test_right_losses_of_another_last_step_are_found_in_the_parameters():
    found = verdict("overfit_batch", trained(lr=0.1))
    assert found.misconception == "learning-rate-0.1"
    assert "The losses are right, but not the parameters after the training" in found.message


# ------------------------------------------------------------------------------------------- the others

MEAN = (0 + 1 + 0.2) / 3
SPREAD = (((0 - MEAN) ** 2 + (1 - MEAN) ** 2 + (0.2 - MEAN) ** 2) / 3) ** 0.5


@pytest.mark.parametrize("seed", range(20))
def test_drawn_scores_have_the_wrong_answers_that_were_asked_for(seed):
    wrong = [True, False, True, True, False]
    scores, labels = scores_with(Draw(seed), wrong, 4)
    assert (scores.argmax(1) != labels).tolist() == wrong
    assert (scores.argmin(1) == labels).tolist() == [True, False, False, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [-100, -5, -0.5, 0, 0.5, 1, 5, 100])
@pytest.mark.parametrize("which", ["label", "highest", "lowest", "sum"])
@pytest.mark.parametrize("sign", [1, -1])
def test_no_threshold_tells_right_answers_from_wrong_ones(threshold, which, sign):
    def by_threshold(scores, labels):
        figure = {
            "label": scores[range(len(labels)), labels],
            "highest": scores.amax(1),
            "lowest": scores.amin(1),
            "sum": scores.sum(1),
        }[which]
        return (sign * figure < sign * threshold).float().mean().item()

    assert all(verdict("error_rate", by_threshold, seed).status == "wrong" for seed in range(5))


def test_the_highest_score_of_each_class_is_no_relation_of_numbers():
    found = verdict("error_rate", lambda scores, labels: (scores.argmax(dim=0) != labels).float().mean())
    assert "taken over the images" in found.message and "1 minus" not in found.message


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ([CONV1, CONV2, LINEAR1, 100 * 10], "The count for linear2 is 10 too small."),
        ([CONV1, CONV2, LINEAR1], "One number is expected for each of conv1, conv2, linear1, linear2"),
        ([CONV1, CONV2, LINEAR1, LINEAR2, 536_700], "It is not the sum of the others."),
        (CONV1 + CONV2 + LINEAR1 + 100 * 10, "As a total, it is 10 too small."),
    ],
)
def test_counts_say_where_they_differ(counts, sentence):
    found = verdict("lenet5_parameters", lambda: counts)
    assert found.status == "wrong"
    assert sentence in found.message


@pytest.mark.parametrize(
    ("exercise_id", "arguments", "expected"),
    [
        ("pixel_statistics", (torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8),), (MEAN, SPREAD)),
        ("lenet5_parameters", (), [CONV1, CONV2, LINEAR1, LINEAR2]),
        (
            "error_rate",
            (torch.tensor([[1, 3, 2], [4, 0, 0], [5, 6, 7]]), torch.tensor([1, 2, 0])),
            (0 + 1 + 1) / 3,
        ),
        ("lenet5_learning_rate", (4,), 0.25),
        ("lenet5_learning_rate", (5,), 0.25 / 1.5),
        ("lenet5_learning_rate", (14,), 0.25 / 1.5 / 1.5),
    ],
)
def test_the_references_do_the_labs_arithmetic(exercise_id, arguments, expected):
    assert exercises.get(exercise_id).reference(*arguments) == pytest.approx(expected)


def test_both_standard_deviations_are_right():
    def statistics(correction):
        return lambda images: tuple(
            float(x) for x in torch.std_mean(images / 255, correction=correction)[::-1]
        )

    assert verdict("pixel_statistics", statistics(0)).status == "correct"
    assert verdict("pixel_statistics", statistics(1)).status == "correct"


def test_statistics_in_one_array_are_accepted():
    assert (
        verdict("pixel_statistics", lambda x: np.array([(x / 255.0).mean(), (x / 255.0).std()])).status
        == "correct"
    )
