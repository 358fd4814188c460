"""Lab 04: what the checks say about blocks, VGG, schedules, perceptrons, fields and residual blocks."""

import time
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from window_property import check_window

from course_utils import exercises
from course_utils.exercises.networks.layer_trace import LayerTrace, WithoutRandomInit
from course_utils.exercises.vgg.vgg import ARCH, VGG
from course_utils.exercises.vgg.vgg_parameters import vgg_parameters


def verdict(exercise_id, candidate, seed=0):
    return exercises.evaluate(exercise_id, candidate, seed=seed)


# ------------------------------------------------------------------------------------------------- VGG


def test_the_reference_has_the_lectures_parameters():
    with WithoutRandomInit():
        model = VGG()
    parts = [sum(p.numel() for p in part.parameters()) for part in (*model.blocks, model.head)]
    assert (
        parts
        == vgg_parameters()
        == [
            (3 * 64 * 9 + 64) + (64 * 64 * 9 + 64),
            (64 * 128 * 9 + 128) + (128 * 128 * 9 + 128),
            (128 * 256 * 9 + 256) + (256 * 256 * 9 + 256),
            256 * 512 * 9 + 512,
            (512 * 2 * 2 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 10 + 10),
        ]
    )
    assert sum(parts) == 27_540_554


def test_the_reference_takes_other_architectures():
    small = VGG(arch=((1, 4), (2, 8)), hidden=16)
    assert small(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_slides_variant_is_named():
    class Slide(VGG):
        def __init__(self, arch=((2, 64), (2, 128), (2, 256), (2, 512)), hidden=4096):
            super().__init__(arch, hidden)

    found = verdict("vgg", Slide)
    assert found.misconception == "second-conv-in-block-4"
    assert "conv8 (512×4×4) comes after conv7" in found.message


class OfTheLab(VGG):
    """Blocks and widths as asked for, unless a test fixes them."""

    def __init__(self, arch=ARCH, hidden=4096):
        super().__init__(**({"arch": arch, "hidden": hidden} | self.fixed))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixed", "misconception"),
    [
        ({}, None),
        ({"arch": ARCH}, "arch-ignored"),
        ({"hidden": 4096}, "hidden-ignored"),
        ({"arch": ARCH, "hidden": 4096}, "arch-and-hidden-ignored"),
    ],
)
def test_a_network_that_ignores_what_it_is_asked_for_is_named(fixed, misconception):
    found = verdict("vgg", type("Asked", (OfTheLab,), {"fixed": fixed}))
    assert (found.status == "correct") == (misconception is None)
    assert found.misconception == misconception


def test_a_missing_pool_in_one_block_names_the_layer():
    class Unpooled(VGG):
        def __init__(self):
            super().__init__()
            self.blocks[1][-1] = nn.Identity()
            self.head[1] = nn.Linear(512 * 4 * 4, 4096)

    found = verdict("vgg", Unpooled)
    assert found.status == "wrong"
    assert "conv5 (256×16×16) comes after conv4; expected max-pool2 (128×8×8)." in found.message


def test_a_head_that_does_not_fit_says_where_it_stops():
    class Misfit(VGG):
        def __init__(self):
            super().__init__()
            self.head[1] = nn.Linear(512, 4096)

    found = verdict("vgg", Misfit)
    assert found.status == "error"
    assert "it stops where linear1 (4096) should follow" in found.message


def test_a_network_too_large_to_run_is_reported_at_once():
    class WithoutPooling(VGG):
        def __init__(self):
            super().__init__()
            for block in self.blocks:
                block[-1] = nn.Identity()
            self.head[1] = nn.Linear(512 * 32 * 32, 4096)

    found = verdict("vgg", WithoutPooling)
    assert (
        "It has 2,16" in found.message and "how large is the map that enters a linear layer?" in found.message
    )


def test_a_class_that_needs_arguments_is_an_error_with_its_reason():
    class Needs(VGG):
        def __init__(self, arch):
            super().__init__(arch)

    found = verdict("vgg", Needs)
    assert found.status == "error"
    assert "missing 1 required positional argument" in found.traceback


def seconds(exercise_id, candidate):
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        exercises.evaluate(exercise_id, candidate)
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.slow
def test_right_and_wrong_networks_are_judged_in_little_time():
    class WithTanh(VGG):
        def forward(self, x):
            return self.head(torch.tanh(self.blocks(x)))

    # 0.1 and 0.7 s on an idle machine; beside other work, memory is slower.
    assert seconds("vgg", VGG) < 1
    assert seconds("vgg", WithTanh) < 2


# ----------------------------------------------------------------------------------------------- trace


def test_equal_networks_get_equal_values_whatever_the_order_of_registration():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.b(self.a(x))

    class Other(One):
        def __init__(self):
            nn.Module.__init__(self)
            self.b, self.a = nn.Linear(3, 2), nn.Linear(4, 3)

    x = torch.randn(2, 4)
    scores = []
    for network in (One(), Other()):
        with torch.no_grad(), WithoutRandomInit(), LayerTrace():
            scores.append(network(x))
    assert torch.equal(*scores)


def test_the_trace_names_layers_alike_for_modules_and_functions():
    weight, bias = nn.Parameter(torch.randn(2, 1, 3, 3)), nn.Parameter(torch.randn(2))
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, stride=2), nn.ReLU(), nn.MaxPool2d(2))
    x = torch.randn(1, 1, 8, 8)
    with LayerTrace() as one:
        module(x)
    with LayerTrace() as other:
        F.max_pool2d(F.conv2d(x, weight, bias, stride=2, padding=1).clamp(min=0), 2)
    assert one.layers == other.layers
    assert [layer["name"] for layer in one.layers] == ["conv1", "ReLU1", "max-pool1"]
    assert one.layers[0]["stride"] == [2, 2]
    assert [layer["shape"] for layer in one.layers] == [[2, 4, 4], [2, 4, 4], [2, 2, 2]]


def test_random_starting_values_are_drawn_again_afterwards():
    with WithoutRandomInit():
        nn.Linear(2, 2)
    assert nn.Linear(50, 50).weight.std() > 0


# ----------------------------------------------------------------------------------------------- blocks


def test_a_list_of_layers_is_not_a_block():
    found = verdict("vgg_block", lambda i, o, n: [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)])
    assert "It returns a list where a module (nn.Module) is expected." in found.message


def test_a_second_convolution_that_expects_the_first_ones_input_is_named():
    def block(in_channels, out_channels, convs):
        layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1) for _ in range(convs)]
        return nn.Sequential(*layers, nn.ReLU(), nn.MaxPool2d(2))

    found = verdict("vgg_block", block)
    assert found.status in ("error", "wrong")

    def with_relus(in_channels, out_channels, convs):
        layers = [
            x for _ in range(convs) for x in (nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU())
        ]
        return nn.Sequential(*layers, nn.MaxPool2d(2))

    found = verdict("vgg_block", with_relus)
    assert found.status == "error"
    assert found.misconception == "input-channels-kept"
    assert "stops where conv2" in found.message


def test_stride_in_place_of_pooling_is_asked_about():
    def block(in_channels, out_channels, convs):
        return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1, stride=2), nn.ReLU())

    assert "Is its stride 1?" in verdict("vgg_block", block).message


def test_shared_weights_are_reported():
    def block(in_channels, out_channels, convs):
        layers = [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
        same = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        for _ in range(convs - 1):
            layers += [same, nn.ReLU()]
        return nn.Sequential(*layers, nn.MaxPool2d(2))

    found = verdict("vgg_block", block)
    assert found.misconception == "one-layer-repeated"
    assert "conv3 uses the weights of an earlier layer again" in found.message


# ------------------------------------------------------------------------------------------ perceptrons


def test_images_that_are_not_flattened_stop_with_an_error():
    def make_mlp(sizes):
        layers = [x for i, o in pairwise(sizes) for x in (nn.Linear(i, o), nn.ReLU())]
        return nn.Sequential(*layers[:-1])

    found = verdict("make_mlp", make_mlp)
    assert found.status == "error"
    assert found.misconception == "not-flattened"
    assert "mat1 and mat2" in found.traceback


def test_a_relu_missing_in_the_deepest_place_is_located():
    def make_mlp(sizes):
        model = exercises.get("make_mlp").reference(sizes)
        if len(sizes) == 5:
            model[6] = nn.Identity()
        return model

    found = verdict("make_mlp", make_mlp)
    assert found.status == "wrong"
    assert "After linear3 there is no ReLU." in found.message


# -------------------------------------------------------------------------------------- receptive field


@pytest.mark.parametrize(
    ("layers", "field"),
    [
        ([(3, 1)], 1 + 2),
        ([(3, 1), (3, 1)], 1 + 2 + 2),
        ([(3, 1), (2, 2), (3, 1)], 1 + 2 * 1 + 1 * 1 + 2 * 2),
        ([(3, 2), (3, 3), (5, 1)], 1 + 2 * 1 + 2 * 2 + 4 * (2 * 3)),
    ],
)
def test_a_kernel_adds_its_steps_times_the_strides_before_it(layers, field):
    assert exercises.get("receptive_field").reference(layers) == field


def test_the_field_of_the_labs_vgg_is_what_one_output_sees():
    layers = [layer for convs in (2, 2, 2, 1) for layer in [*[(3, 1)] * convs, (2, 2)]]
    size = 101
    image = torch.zeros(1, 1, size, size, requires_grad=True)
    x = image
    for kernel, stride in layers:
        x = F.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride)
    x[0, 0, 0, 0].backward()
    seen = int((image.grad[0, 0, 0] > 0).sum())
    assert exercises.get("receptive_field").reference(layers) == seen


# ----------------------------------------------------------------------------------- batch normalisation


def test_a_channel_of_one_and_three_becomes_its_bias_minus_and_plus_its_weight():
    x = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)  # mean 2, variance ((1 − 2)² + (3 − 2)²) / 2 = 1
    out = exercises.get("batch_norm").reference(x, torch.tensor([5.0]), torch.tensor([7.0]), eps=0)
    assert out.flatten().tolist() == [7 - 5, 7 + 5]


def test_eps_belongs_under_the_root():
    x = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
    out = exercises.get("batch_norm").reference(x, torch.ones(1), torch.zeros(1), eps=3)
    assert out.flatten().tolist() == [-1 / (1 + 3) ** 0.5, 1 / (1 + 3) ** 0.5]


@pytest.mark.parametrize(
    ("spread", "misconception"),
    [
        (lambda x, eps: (x.var((0, 2, 3), correction=0, keepdim=True) + eps).sqrt(), None),
        (lambda x, eps: (x.var((0, 2, 3), keepdim=True) + eps).sqrt(), "unbiased-variance"),
        (lambda x, eps: x.std((0, 2, 3), keepdim=True) + eps, "unbiased-std-plus-eps"),
        (lambda x, eps: x.std((0, 2, 3), keepdim=True), "unbiased-and-eps-forgotten"),
    ],
)
def test_pytorchs_own_var_and_std_divide_by_one_less(spread, misconception):
    def batch_norm(x, weight, bias, eps=1e-5):
        y = (x - x.mean((0, 2, 3), keepdim=True)) / spread(x, eps)
        return y * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)

    found = verdict("batch_norm", batch_norm)
    assert (found.status == "correct") == (misconception is None)
    assert found.misconception == misconception


def test_no_other_reason_than_the_axis_is_given_for_weights_along_the_columns():
    def batch_norm(x, weight, bias, eps=1e-5):
        y = (x - x.mean((0, 2, 3), keepdim=True)) / (
            x.std((0, 2, 3), keepdim=True, correction=0) ** 2 + eps
        ).sqrt()
        return y * weight + bias

    found = verdict("batch_norm", batch_norm)
    assert found.misconception == "along-the-columns"
    assert "stride" not in found.message


# --------------------------------------------------------------------------------------- pointwise head


def test_a_score_is_the_mean_of_the_weighted_channels_and_the_bias():
    x = torch.tensor([[[[1.0, 3.0]], [[10.0, 20.0]]]])  # one image, two channels of 1×2
    weight = torch.tensor([[1.0, 0.0], [2.0, -1.0]]).reshape(2, 2, 1, 1)
    out = exercises.get("pointwise_head").reference(x, weight, torch.tensor([5.0, 0.0]))
    assert out.tolist() == [[(1 + 3) / 2 + 5, ((2 * 1 - 10) + (2 * 3 - 20)) / 2]]


def test_scores_that_keep_height_and_width_are_named():
    found = verdict("pointwise_head", lambda x, w, b: F.adaptive_avg_pool2d(F.conv2d(x, w, b), 1))
    assert found.misconception == "axes-kept"
    assert "The shape is 1×1×1×1; expected 1×1." in found.message


@pytest.mark.parametrize("exercise_id", ["batch_norm", "pointwise_head"])
@pytest.mark.parametrize("seed", range(5))
def test_windows_hold_exactly_what_a_cell_is_made_from(exercise_id, seed):
    check_window(exercises.get(exercise_id), seed)


# ------------------------------------------------------------------------------------------ other parts


@pytest.mark.parametrize(
    ("join", "misconception"),
    [
        (lambda x, y: x + F.relu(y), "relu-before-addition"),
        (lambda x, y: F.relu(y), "no-skip"),
        (lambda x, y: x + y, "no-final-relu"),
    ],
)
def test_wrong_joins_are_named(join, misconception):
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.two = nn.Conv2d(channels, channels, 3, padding=1)
            self.one = nn.Conv2d(channels, channels, 3, padding=1)

        def forward(self, x):
            return join(x, self.two(F.relu(self.one(x))))

    assert verdict("residual_block", Block).misconception == misconception


@pytest.mark.parametrize(("bias", "final_relu"), [(False, True), (True, True), (False, False)])
def test_batch_normalisation_is_accepted_and_a_forgotten_relu_with_it_is_not(bias, final_relu):
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.one = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
            self.two = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
            self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

        def forward(self, x):
            y = x + self.bn2(self.two(F.relu(self.bn1(self.one(x)))))
            return F.relu(y) if final_relu else y

    assert verdict("residual_block", Block).status == ("correct" if final_relu else "wrong")


def test_a_block_adds_its_input_to_what_its_convolutions_give():
    block = exercises.get("residual_block").reference(1)
    for conv, factor in ((block.conv1, 2), (block.conv2, 3)):
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
        conv.weight.data[0, 0, 1, 1] = factor
    (row,) = block(torch.tensor([[[[1.0, 4.0, -5.0]]]]))[0, 0].tolist()
    assert row == [1 + 3 * (2 * 1), 4 + 3 * (2 * 4), max(0, -5 + 3 * 0)]


def test_an_input_changed_in_place_gives_another_sum():
    class InPlace(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.one = nn.Conv2d(channels, channels, 3, padding=1)
            self.two = nn.Conv2d(channels, channels, 3, padding=1)

        def forward(self, x):
            y = self.two(F.relu_(self.one(x.mul_(2))))
            return F.relu(x + y)

    assert verdict("residual_block", InPlace).status == "wrong"


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(9, 0.25), (10, 0.25 / 2), (14, 0.25 / 2 / 2), (17, 0.25 / 2 / 2), (18, 0.25 / 2 / 2 / 2)],
)
def test_the_rate_is_halved_three_times(epoch, rate):
    assert exercises.get("vgg_learning_rate").reference(epoch) == rate


def test_learning_rates_that_are_one_epoch_off_are_named():
    late = verdict("vgg_learning_rate", lambda epoch: 0.25 / 2 ** sum(epoch > at for at in (10, 14, 18)))
    assert late.misconception == "one-epoch-late"
    assert late.counterexample.call == "vgg_learning_rate(10)"


def test_a_count_of_one_block_is_reported_by_its_name():
    found = verdict("vgg_parameters", lambda: [38_720, 221_440, 885_248, 1_180_159, 25_214_986])
    assert "The count for block 4 is 1 too small." in found.message


def test_a_convolution_that_is_applied_in_place_of_another_is_named():
    class Block(exercises.get("residual_block").reference):
        def forward(self, x):
            return F.relu(x + self.conv1(F.relu(self.conv1(x))))

    message = exercises.evaluate("residual_block", Block).message
    assert "conv2 is never used; conv1 is applied twice." in message
    assert "detached" not in message and "times what" not in message


def test_an_input_that_is_changed_in_place_is_refused():
    class Block(exercises.get("residual_block").reference):
        def forward(self, x):
            y = self.conv2(F.relu(self.conv1(x)))
            x += y
            return F.relu(x)

    message = exercises.evaluate("residual_block", Block).message
    assert "changes its input in place" in message


def test_a_list_in_sequential_is_named():
    right = exercises.get("vgg_block").reference
    found = exercises.evaluate("vgg_block", lambda *sizes: nn.Sequential(list(right(*sizes))))
    assert found.misconception == "list-in-sequential" and "nn.Sequential(*layers)" in found.message


class Lazy(nn.Module):
    def __init__(self, *_):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyConv2d(2, 3, padding=1), nn.Flatten(), nn.LazyLinear(10))

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("exercise_id", ["lenet5", "vgg", "vgg_block", "make_mlp", "residual_block"])
def test_a_network_without_weights_before_its_first_batch_is_refused(exercise_id):
    with pytest.raises(ValueError, match="uninitialized parameter"):
        sum(parameter.numel() for parameter in Lazy().parameters())  # as the labs and `fit` count them
    found = exercises.evaluate(exercise_id, Lazy)
    assert found.status == "wrong" and "A lazy layer has no weights before its first batch" in found.reason


def by_numbers(x, weight, bias, eps=1e-5):
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    channels = zip(range(x.shape[1]), weight.tolist(), bias.tolist(), strict=True)
    scaled = [w * (x[:, c] - mean[c]) / (variance[c] + eps).sqrt() + b for c, w, b in channels]
    return torch.stack(scaled, dim=1)


def test_batch_norm_must_let_the_gradient_through_to_what_is_learned():
    reference = exercises.get("batch_norm").reference
    cut = {
        "`weight` and `bias`": [
            by_numbers,
            torch.no_grad()(reference),
            lambda x, weight, bias, eps=1e-5: reference(x, weight, bias, eps).detach(),
            lambda x, weight, bias, eps=1e-5: reference(x, weight.data, bias.data, eps),
            lambda x, weight, bias, eps=1e-5: reference(x, weight, bias, eps).detach().numpy(),
        ],
        "`bias`": [lambda x, weight, bias, eps=1e-5: reference(x, weight, bias.detach(), eps)],
    }
    for names, answers in cut.items():
        for answer in answers:
            found = verdict("batch_norm", answer)
            assert found.status == "wrong"
            assert f"The result is right, but no gradient flows back to {names}" in found.reason


def test_batch_norm_in_numpy_is_told_that_numpy_keeps_no_gradients():
    def in_numpy(x, weight, bias, eps=1e-5):
        return torch.from_numpy(weight.numpy())

    found = verdict("batch_norm", in_numpy)
    assert found.status == "error" and "NumPy keeps no gradients" in found.reason
