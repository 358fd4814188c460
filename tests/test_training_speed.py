"""Switches for speed: probed, reported, harmless; and the small network that the fast recipes train."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from training_data import CLASSES, net, tiny_dataset, tiny_recipe

from course_utils.data import load_dataset
from course_utils.errors import TrainingError
from course_utils.training import PLAIN, SmallVGG, Speed, fit, vgg_blocks, whiten
from course_utils.training import speed as switches
from course_utils.training.networks import build, lab_network
from course_utils.training.preparation import sample
from course_utils.training.speed import default_speed, supported

CPU = torch.device("cpu")


class Viewer(nn.Module):
    """A model that insists on contiguous images, as many students' do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.deep = nn.Conv2d(6, 6, 3, padding=1)
        self.scores = nn.Linear(6 * 64, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores(self.deep(self.conv(x)).view(-1, 6 * 64))


def test_a_model_that_uses_view_falls_back_and_says_why() -> None:
    model = Viewer().train()
    speed = supported(Speed(channels_last=True, bf16=True), model, sample(tiny_dataset()))
    assert not speed.channels_last
    assert speed.bf16
    assert "channels-last: off" in speed.describe(CPU)
    assert "flatten(1) takes both" in speed.describe(CPU)
    assert model.deep.weight.is_contiguous()
    assert model.training


def test_a_model_that_uses_view_trains(capsys) -> None:
    history = fit(Viewer(), tiny_dataset(), tiny_recipe(epochs=1), checkpoint=False)
    assert len(history) == 1
    assert "flatten(1) takes both" in capsys.readouterr().out


def test_a_model_that_flattens_keeps_the_switch_and_is_left_as_it_was() -> None:
    model = net().train()
    requested = Speed(channels_last=True)
    before = model.norm.running_mean.clone()
    assert supported(requested, model, sample(tiny_dataset())) == requested
    assert model.deep.weight.is_contiguous()
    assert model.training
    assert torch.equal(model.norm.running_mean, before)


def test_weights_are_contiguous_again_after_training() -> None:
    model = net()
    fit(
        model,
        tiny_dataset(),
        tiny_recipe(epochs=1),
        speed=Speed(channels_last=True),
        checkpoint=False,
        show=False,
    )
    assert all(weight.is_contiguous() for weight in model.parameters())


@pytest.mark.parametrize(
    ("vectors", "tiles", "model", "expected"),
    [
        (False, False, "AMD EPYC", False),
        (True, False, "AMD EPYC 9B14", True),
        (True, False, "Intel(R) Xeon(R) Processor", False),
        (True, False, "Intel64 Family 6 Model 143 Stepping 8, GenuineIntel", False),
        (True, True, "Intel(R) Xeon(R) Processor", True),
    ],
)
def test_bf16_is_on_only_where_the_processor_is_faster_with_it(
    monkeypatch, vectors, tiles, model, expected
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: vectors, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles, raising=False)
    monkeypatch.setattr(switches, "cpu_model", lambda: model)
    chosen = default_speed(CPU)
    assert (chosen.channels_last, chosen.bf16) == (True, expected)


def test_bf16_is_off_where_pytorch_cannot_tell(monkeypatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
    chosen = default_speed(CPU)
    assert (chosen.channels_last, chosen.bf16) == (True, False)


def test_the_line_names_device_threads_and_switches(monkeypatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert Speed(True, True).describe(CPU) == "CPU, 2 threads, channels-last: on, bf16: on"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert PLAIN.describe(CPU) == "CPU, 1 thread, channels-last: off, bf16: off"
    assert PLAIN.describe(torch.device("cuda:1")).startswith("cuda:1, ")


def test_bf16_changes_the_arithmetic_and_not_the_weights_type() -> None:
    seen = []
    model = net()
    model.scores.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    fit(model, tiny_dataset(), tiny_recipe(epochs=1), speed=Speed(bf16=True), checkpoint=False, show=False)
    assert torch.bfloat16 in seen
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


@pytest.mark.slow
def test_the_switches_do_not_change_what_is_learnt() -> None:
    errors = []
    for speed in (PLAIN, Speed(channels_last=True), Speed(channels_last=True, bf16=True)):
        history = fit(net(), tiny_dataset(), tiny_recipe(epochs=4), speed=speed, checkpoint=False, show=False)
        errors.append(history.final.train_loss)
    assert errors == pytest.approx([errors[0]] * 3, abs=0.03)


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), lambda x: nn.functional.max_pool2d(x, 2), lambda x: torch.max_pool2d(x, 2)]
)
def test_a_flattened_maps_gradient_comes_back_channels_last(pool: Callable[[Tensor], Tensor]) -> None:
    images = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    gradients, formats = [], []
    for speed in (PLAIN, Speed(channels_last=True)):
        leaf = images.clone().requires_grad_()
        with speed.pooling(CPU):
            pooled = pool(leaf)
            pooled.register_hook(
                lambda gradient: formats.append(gradient.is_contiguous(memory_format=torch.channels_last))
            )
            (pooled.flatten(1) ** 2).sum().backward()
        gradients.append(leaf.grad)
    assert formats == [False, True]
    assert torch.equal(*gradients)


def test_a_single_pooled_image_is_taken_too() -> None:
    image = torch.rand(3, 4, 4, requires_grad=True)
    with Speed(channels_last=True).pooling(CPU):
        nn.functional.max_pool2d(image, 2).sum().backward()
    assert image.grad is not None and image.grad.sum() == 12


def _pooled_last(x: Tensor) -> Tensor:
    return nn.functional.max_pool2d(nn.functional.relu(x), 2)


def _input_changed_between(x: Tensor) -> Tensor:
    x = x * 1
    y = torch.relu(x)
    x.sub_(3)
    return nn.functional.max_pool2d(y, 2)


def _another_between(x: Tensor) -> Tensor:
    first, other = x.relu(), (2 - x).relu()
    return nn.functional.max_pool2d(first, 2) + other[..., ::2, ::2]


def _used_twice(x: Tensor) -> Tensor:
    y = x.relu()
    return nn.functional.max_pool2d(y, 2) + y[..., 1::2, 1::2]


def _with_indices(x: Tensor) -> Tensor:
    pooled, indices = nn.functional.max_pool2d(x.relu(), 2, return_indices=True)
    return pooled * indices


WITH_RELU = {
    "modules": nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)),
    "in place": nn.Sequential(nn.Identity(), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
    "functions": _pooled_last,
    "overlapping": nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
    "input changed between": _input_changed_between,
    "another between": _another_between,
    "used twice": _used_twice,
    "with indices": _with_indices,
}


@pytest.mark.parametrize("network", WITH_RELU)
def test_relu_before_max_pooling_gives_the_same_bits(network: str) -> None:
    images = torch.randn(3, 5, 8, 8, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    images[0, 0] = 0
    images[1, 0] = -1
    images[2, 0, 0, 0] = float("nan")
    found = []
    for speed in (PLAIN, Speed(channels_last=True)):
        leaf = images.to(memory_format=torch.channels_last).requires_grad_()
        with speed.pooling(CPU):
            pooled = WITH_RELU[network](leaf * 1)
        (pooled.nan_to_num() ** 2).sum().backward()
        found.append((pooled.detach(), leaf.grad))
    for plain, fast in zip(*found, strict=True):
        assert torch.equal(plain.nan_to_num(7), fast.nan_to_num(7))


def test_relu_after_pooling_is_what_is_trained() -> None:
    leaf = torch.randn(2, 3, 4, 4, requires_grad=True)
    with Speed(channels_last=True).pooling(CPU):
        pooled = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))(leaf)
    assert type(pooled.grad_fn).__name__ == "ReluBackward0"


def test_a_change_of_what_relu_gave_is_seen() -> None:
    with Speed(channels_last=True).pooling(CPU):
        rectified = torch.zeros(2, 3, 4, 4, requires_grad=True).relu()
        rectified.add_(1)
        assert nn.functional.max_pool2d(rectified, 2).eq(1).all()


@pytest.mark.parametrize("watch", ["retain_grad", "register_hook"])
def test_who_watches_the_gradient_of_relu_gets_it(watch: str) -> None:
    leaf = torch.randn(2, 3, 4, 4, requires_grad=True)
    seen: list[Tensor] = []
    with Speed(channels_last=True).pooling(CPU):
        rectified = leaf.relu()
        rectified.retain_grad() if watch == "retain_grad" else rectified.register_hook(seen.append)
        nn.functional.max_pool2d(rectified, 2).sum().backward()
    gradient = rectified.grad if watch == "retain_grad" else seen[0]
    assert gradient is not None and gradient.sum() == 2 * 3 * 4


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
def test_the_small_network_takes_every_dataset_of_the_course(channels: int, size: int) -> None:
    model = SmallVGG(vgg_blocks(((1, 8), (2, 16))), 16, channels=channels, classes=7)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 7)


def test_blocks_are_what_their_description_says() -> None:
    convs = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    blocks = vgg_blocks(((2, 8), (1, 16)))
    assert [type(layer) for layer in blocks] == [*convs, *convs, nn.MaxPool2d, *convs, nn.MaxPool2d]
    assert [(layer.in_channels, layer.out_channels) for layer in blocks if isinstance(layer, nn.Conv2d)] == [
        (16, 8),
        (8, 8),
        (8, 16),
    ]
    early = vgg_blocks(((2, 8),), pool_first=True, batch_norm=False)
    assert [type(layer) for layer in early] == [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Conv2d, nn.ReLU]
    assert all(layer.bias is not None for layer in early if isinstance(layer, nn.Conv2d))


def test_the_small_network_looks_at_the_mirror_image_only_in_evaluation() -> None:
    torch.manual_seed(0)
    model = SmallVGG(vgg_blocks(((1, 8),), batch_norm=False), 8, mirror=True)
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        both = (model(images) + model(images.flip(-1))) / 2
        assert torch.allclose(model.eval()(images), both)
        assert torch.allclose(model(images), model(images.flip(-1)))


@pytest.mark.parametrize(("name", "parameters"), [("lenet5", 536_710), ("vgg", 27_540_554)])
def test_the_labs_networks_have_the_lectures_parameters(name: str, parameters: int) -> None:
    channels, side = (1, 28) if name == "lenet5" else (3, 32)
    with torch.device("meta"):
        model = lab_network(name, channels=channels, side=side)
    assert sum(weight.numel() for weight in model.parameters()) == parameters


@pytest.mark.slow
def test_each_profile_trains_its_network_and_the_small_one_is_whitened() -> None:
    shapes = load_dataset("shapes")
    assert isinstance(build("vgg", "lecture", load_dataset("shapes"))[0], nn.Conv2d)
    assert len([layer for layer in build("vgg", "fast", shapes) if isinstance(layer, nn.Conv2d)]) == 3
    model = build("modern", "quick", shapes)
    assert isinstance(model, SmallVGG)
    assert not model.patches.weight.requires_grad
    with pytest.raises(TrainingError, match="lenet5, vgg, modern"):
        build("alexnet", "fast", shapes)


@pytest.mark.slow
def test_whitened_patches_are_uncorrelated_with_variance_one() -> None:
    split = load_dataset("shapes").train
    layer = nn.Conv2d(3, 8, 3)
    whiten(layer, split, floor=0.0)
    values = layer(split.normalised(split.images[:1000])).transpose(0, 1).flatten(1)[:4]
    covariance = values @ values.T / values.shape[1]
    assert torch.allclose(covariance, torch.eye(4), atol=1e-3)
    assert torch.equal(layer.weight[:4], -layer.weight[4:])
    assert not layer.weight.requires_grad
    assert not layer.bias.any()


@pytest.mark.parametrize("filters", [7, 20])
def test_a_layer_that_cannot_be_whitened_is_reported(filters: int) -> None:
    with pytest.raises(TrainingError, match="cannot be whitened"):
        whiten(nn.Conv2d(1, filters, 3), tiny_dataset().train)


def test_the_heap_is_kept_only_where_the_c_library_can(monkeypatch) -> None:
    asked = []
    library = SimpleNamespace(mallopt=lambda option, value: asked.append(option) or 1)
    monkeypatch.setattr(switches.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_speed(CPU).keep_heap
    switches.keep_heap(PLAIN)
    assert asked == []
    switches.keep_heap(Speed(keep_heap=True))
    assert asked == [switches.M_MMAP_THRESHOLD, switches.M_TRIM_THRESHOLD]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not default_speed(CPU).keep_heap


@pytest.mark.parametrize(("largest", "trimmed"), [(2**30, True), (2**25, True), (0, False)])
def test_older_c_libraries_keep_what_they_can(monkeypatch, largest: int, trimmed: bool) -> None:
    taken = {}

    def mallopt(option: int, value: int) -> int:
        if option == switches.M_MMAP_THRESHOLD and value > largest:
            return 0
        taken[option] = value
        return 1

    monkeypatch.setattr(switches.ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    switches.keep_heap(Speed(keep_heap=True))
    assert taken.get(switches.M_MMAP_THRESHOLD, 0) == largest
    assert (switches.M_TRIM_THRESHOLD in taken) == trimmed
