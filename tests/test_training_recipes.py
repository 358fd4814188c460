"""Recipes: the lecture's two are the lecture's; schedules and augmentation do what they say."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from torch import nn

from course_utils.errors import SettingsError, TrainingError
from course_utils.settings import PROFILES
from course_utils.training import RECIPES, Augmentation, DivideAt, Muon, Recipe, Triangle, recipe
from course_utils.training.muon import orthogonal


def test_the_lecture_divides_lenet5s_rate_by_one_and_a_half_every_five_epochs() -> None:
    lecture = recipe("lenet5", "lecture")
    assert [lecture.rate(epoch) for epoch in range(30)] == [0.25 / 1.5 ** (epoch // 5) for epoch in range(30)]
    assert lecture.rate(4.99) == 0.25
    plain = (
        lecture.epochs,
        lecture.batch_size,
        lecture.momentum,
        lecture.weight_decay,
        lecture.label_smoothing,
    )
    assert plain == (30, 128, 0, 0, 0)
    assert not lecture.augmentation


def test_the_lecture_halves_vggs_rate_at_epochs_10_14_and_18_counted_from_1() -> None:
    lecture = recipe("vgg", "lecture")
    rates = {epoch: lecture.rate(epoch - 1) for epoch in range(1, 21)}
    assert [rates[epoch] for epoch in (1, 9, 10, 13, 14, 17, 18, 20)] == [
        0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125, 0.03125,
    ]  # fmt: skip
    assert (lecture.epochs, lecture.batch_size, lecture.momentum, bool(lecture.augmentation)) == (
        20,
        128,
        0,
        False,
    )


def test_a_triangle_rises_to_its_peak_and_falls_to_nothing() -> None:
    triangle = Triangle(peak=0.25, start=0.1)
    rates = [triangle.rate(2.0, epoch, 4) for epoch in (0, 0.5, 1, 2.5, 4)]
    assert rates == pytest.approx([0.2, 1.1, 2.0, 1.0, 0.0])


def test_every_network_has_a_recipe_in_every_profile() -> None:
    networks = {network for network, _ in RECIPES}
    assert set(RECIPES) == {(network, profile) for network in networks for profile in PROFILES}
    assert {"lenet5", "vgg"} <= networks
    assert len({each.name for each in RECIPES.values()}) == len(RECIPES)


def test_the_profile_comes_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "lecture")
    assert recipe("vgg") is RECIPES["vgg", "lecture"]
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    assert recipe("vgg") is RECIPES["vgg", "quick"]


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="lenet5, vgg"):
        recipe("alexnet", "fast")
    with pytest.raises(SettingsError, match="lecture, fast, quick"):
        recipe("vgg", "slow")


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": -1}, {"label_smoothing": 1.0}]
)
def test_a_recipe_that_cannot_be_followed_is_refused(change: dict) -> None:
    with pytest.raises(TrainingError, match=next(iter(change))):
        replace(recipe("vgg", "fast"), **change)


def test_a_recipe_is_a_value() -> None:
    assert Recipe("a", 3, schedule=DivideAt(2, (2,))) == Recipe("a", 3, schedule=DivideAt(2, (2,)))
    with pytest.raises(FrozenInstanceError):
        recipe("vgg", "fast").epochs = 3  # type: ignore[misc]


def test_weight_decay_spares_biases_and_normalisation() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    groups = Recipe("a", 1, weight_decay=0.1).make_optimizer(model).param_groups
    decayed = {id(weight) for group in groups if group["weight_decay"] for weight in group["params"]}
    assert decayed == {id(model[0].weight), id(model[3].weight)}
    assert sum(len(group["params"]) for group in groups) == 6


def test_a_frozen_weight_is_not_given_to_the_optimiser() -> None:
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    assert [
        weight for group in Recipe("a", 1).make_optimizer(model).param_groups for weight in group["params"]
    ] == [model.weight]


def test_each_image_is_shifted_by_itself_and_every_shift_occurs() -> None:
    image = torch.arange(20.0).reshape(1, 4, 5)
    padded = nn.functional.pad(image[None], [1] * 4, mode="reflect")[0]
    shifts = {(y, x): padded[:, y : y + 4, x : x + 5] for y in range(3) for x in range(3)}
    batch = Augmentation(shift=1)(image.expand(200, 1, 4, 5), torch.Generator().manual_seed(0))
    met = [next(key for key, shifted in shifts.items() if torch.equal(shifted, each)) for each in batch]
    assert set(met) == set(shifts)


def test_about_half_of_the_images_are_mirrored() -> None:
    images = torch.rand(400, 3, 4, 5)
    batch = Augmentation(flip=True)(images, torch.Generator().manual_seed(0))
    mirrored = [torch.equal(after, before.flip(-1)) for before, after in zip(images, batch, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(images, batch, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 160 < sum(mirrored) < 240


def test_augmentation_is_repeatable_and_optional() -> None:
    images = torch.rand(9, 1, 6, 6)
    both = Augmentation(shift=2, flip=True)
    draws = [both(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert Augmentation()(images, torch.Generator()) is images
    assert Recipe("a", 1).augment(torch.Generator()) is None


def test_a_recipe_takes_whole_steps_and_at_least_so_many() -> None:
    half = Recipe("a", 0.5, least_steps=4)
    assert half.for_batches(469).epochs == 234 / 469
    assert half.for_batches(2).epochs == 2
    assert Recipe("a", 3).for_batches(10) == Recipe("a", 3)


def test_muon_makes_the_step_of_a_matrix_orthogonal() -> None:
    torch.manual_seed(0)
    for shape in ((6, 20), (20, 6)):
        lengths = (
            torch.linalg.svdvals(orthogonal(torch.randn(shape) ** 3)) / max(1, shape[0] / shape[1]) ** 0.5
        )
        assert 0.6 < lengths.min() <= lengths.max() < 1.3
    matrix = torch.diag(torch.tensor([3.0, -1.0, 2.0]))
    assert torch.equal(orthogonal(matrix).sign(), matrix.sign())


def test_muon_agrees_with_pytorchs_where_that_can_be_used() -> None:
    ours, theirs = (nn.Linear(7, 5, bias=False) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    steps = [
        Muon(ours.parameters(), 0.1, momentum=0.0),
        torch.optim.Muon(theirs.parameters(), 0.1, momentum=0.0, weight_decay=0.0),
    ]
    for model, optimizer in zip((ours, theirs), steps, strict=True):
        model.weight.grad = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
        with torch.autocast("cpu", torch.bfloat16):  # theirs always multiplies so
            optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=2e-3)


def test_muon_treats_vectors_as_nesterov_sgd_does_and_does_not_decay_them() -> None:
    ours, theirs = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    first = Muon(ours.parameters(), 0.1, momentum=0.9, weight_decay=0.5)
    second = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, nesterov=True)
    for step in range(3):
        for model, optimizer in ((ours, first), (theirs, second)):
            optimizer.zero_grad()
            (model(torch.arange(12.0).reshape(3, 4) ** (step + 1)) ** 3).sum().backward()
            optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight)
    assert torch.allclose(ours.bias, theirs.bias)


def test_muon_sees_a_kernel_as_one_row_for_each_filter() -> None:
    conv = nn.Conv2d(2, 3, 3, bias=False)
    before = conv.weight.detach().clone()
    conv.weight.grad = torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    Muon(conv.parameters(), 1.0, momentum=0.0).step()
    assert torch.allclose(
        before - conv.weight.detach(), orthogonal(conv.weight.grad.flatten(1)).view(3, 2, 3, 3), atol=1e-6
    )


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(TrainingError, match="'sgd' or 'muon'"):
        Recipe("a", 1, optimizer="adam")


def test_muon_decays_matrices_alone() -> None:
    layer = nn.Linear(3, 2)
    before = [weight.detach().clone() for weight in layer.parameters()]
    for weight in layer.parameters():
        weight.grad = torch.zeros_like(weight)
    Muon(layer.parameters(), 0.1, weight_decay=0.5).step()
    assert torch.allclose(layer.weight, 0.95 * before[0])
    assert torch.equal(layer.bias, before[1])
