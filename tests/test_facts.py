"""Every number that the labs state about the lecture is computed again; every erratum stands in its lab."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from network_samples import zoo
from torch import nn
from torch.nn import functional as F  # noqa: N812

from course_utils import exercises

IMAGE_6 = torch.tensor(
    [[3, 2, 3, 3, 3, 1], [0, 1, 3, 3, 1, 2], [2, 2, 0, 0, 2, 0]]
    + [[3, 0, 1, 3, 3, 0], [2, 3, 2, 0, 0, 1], [2, 2, 2, 3, 1, 0]]
)
KERNEL_3 = torch.tensor([[0, 1, 0], [0, 0, 0], [1, 1, 2]])
KERNEL_5 = torch.tensor([[1, 2, 1, 1, 2], [0, 0, 1, 0, 1], [0, 1, 0, 0, 1], [1, 1, 1, 2, 1], [1, 2, 1, 1, 2]])
IMAGE_7 = torch.tensor(
    [[3, 2, 3, 3, 3, 1, 2], [0, 1, 3, 3, 1, 2, 1], [2, 2, 0, 0, 2, 0, 0], [3, 0, 1, 3, 3, 0, 3]]
    + [[2, 3, 2, 0, 0, 1, 1], [2, 2, 2, 3, 1, 0, 1], [0, 2, 1, 1, 3, 3, 1]]
)
VALID = [[6, 5, 7, 5], [6, 10, 13, 7], [11, 5, 2, 4], [8, 11, 10, 7]]
PADDED_3 = [[2, 7, 10, 8, 8, 3], [9, 6, 5, 7, 5, 3], [3, 6, 10, 13, 7, 5]] + [
    [10, 11, 5, 2, 4, 1],
    [9, 8, 11, 10, 7, 1],
    [2, 3, 2, 0, 0, 1],
]
PADDED_5 = [[12, 22, 26, 19, 16, 13], [20, 25, 27, 23, 18, 13], [27, 40, 50, 40, 24, 21]] + [
    [28, 41, 35, 32, 30, 16],
    [18, 22, 30, 19, 11, 8],
    [11, 21, 18, 11, 13, 11],
]
STRIDE_2 = [[6, 7, 3], [11, 2, 3], [7, 8, 9]]
STRIDE_2_OF_THE_SLIDE = [[6, 5, 7], [6, 10, 13], [11, 5, 2]]
POOL_INPUT = torch.tensor(
    [[3, 3, 0, 1, 1, 1], [7, 2, 1, 1, 5, 2], [7, 9, 1, 0, 5, 6]]
    + [[5, 6, 1, 0, 3, 2], [9, 7, 0, 0, 0, 0], [4, 7, 0, 0, 0, 1]]
)


def correlate(
    image: torch.Tensor, kernel: torch.Tensor, padding: int = 0, stride: int = 1
) -> list[list[int]]:
    out = F.conv2d(image[None, None].double(), kernel[None, None].double(), padding=padding, stride=stride)
    return out[0, 0].long().tolist()


def reference(exercise_id: str):
    return exercises.get(exercise_id).reference


def lab(repository: Path, number: int) -> str:
    (path,) = (repository / "solutions").glob(f"0{number}_*.py")
    text = path.read_text()
    return " ".join(line.removeprefix("# ").removeprefix("> ") for line in text.splitlines())


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


# --- worked examples ---------------------------------------------------------------------------------------


def test_the_lectures_convolution_of_a_6_by_6_image() -> None:
    assert correlate(IMAGE_6, KERNEL_3) == VALID
    assert reference("cross_correlate")(IMAGE_6.float(), KERNEL_3.float()).tolist() == VALID


def test_the_padded_result_of_the_slide_belongs_to_the_3_by_3_filter(repository: Path) -> None:
    assert correlate(IMAGE_6, KERNEL_3, padding=1) == PADDED_3
    assert correlate(IMAGE_6, KERNEL_5, padding=2) == PADDED_5 != PADDED_3
    assert "the 3×3 filter with padding 1" in lab(repository, 1)


def test_the_slides_stride_2_result_is_the_corner_of_the_stride_1_result(repository: Path) -> None:
    assert correlate(IMAGE_7, KERNEL_3, stride=2) == STRIDE_2
    corner = [row[:3] for row in correlate(IMAGE_7, KERNEL_3)[:3]]
    assert corner == STRIDE_2_OF_THE_SLIDE
    assert str(STRIDE_2_OF_THE_SLIDE) in lab(repository, 1)
    assert str(STRIDE_2) in lab(repository, 1)


def test_the_lectures_max_pooling() -> None:
    pooled = [[7, 1, 5], [9, 1, 6], [9, 0, 1]]
    assert F.max_pool2d(POOL_INPUT[None].double(), 2)[0].long().tolist() == pooled
    assert reference("max_pool")(POOL_INPUT[None].float())[0].tolist() == pooled


@pytest.mark.parametrize(
    ("n", "f", "p", "s"), [(6, 3, 0, 1), (6, 5, 2, 1), (7, 3, 0, 2), (8, 3, 0, 2), (227, 11, 0, 4)]
)
def test_the_output_size_is_floored(n: int, f: int, p: int, s: int) -> None:
    measured = F.conv2d(torch.zeros(1, 1, n, n), torch.zeros(1, 1, f, f), padding=p, stride=s).shape[-1]
    assert measured == math.floor((n + 2 * p - f) / s + 1) == reference("output_size")(n, f, p, s)


def test_an_activation_map_has_two_dimensions_and_one_channel(repository: Path) -> None:
    out = F.conv2d(torch.zeros(1, 3, 5, 5), torch.zeros(1, 3, 3, 3), padding=1)
    assert out[0].shape == (1, 5, 5)
    assert '"1-D activation map"' in lab(repository, 1)


def test_the_worked_tensors_of_the_labs_are_the_lectures(repository: Path) -> None:
    one, two = (lab(repository, n).replace(" ", "") for n in (1, 2))
    for tensor in (IMAGE_6, IMAGE_7, KERNEL_3, KERNEL_5):
        assert str(tensor.tolist()).replace(" ", "")[1:-1] in one.replace(",]", "]")
    assert str(POOL_INPUT.tolist()).replace(" ", "")[1:-1] in two.replace(",]", "]")


# --- claims of labs 01 and 02 ------------------------------------------------------------------------------


def test_the_marked_window_is_added_up_right(repository: Path) -> None:
    text = lab(repository, 1)
    start = text.index("gives 0·3")
    products, _, total = text[start:].removeprefix("gives ").partition(". ")[0].partition(" = ")
    pairs = [tuple(map(int, product.split("·"))) for product in products.split(" + ")]
    assert pairs == list(zip(KERNEL_3.flatten().tolist(), IMAGE_6[:3, :3].flatten().tolist(), strict=True))
    assert sum(weight * pixel for weight, pixel in pairs) == int(total) == VALID[0][0]


def test_thirteen_convolutions_leave_2_by_2_of_28_by_28(repository: Path) -> None:
    side = 28
    for _ in range(13):
        side = reference("output_size")(side, 3)
    assert side == 2
    assert "Stack thirteen of them on a 28×28 digit, and only 2×2 numbers are left" in lab(repository, 1)


def test_a_stride_shrinks_the_map_by_s_and_the_work_by_its_square(repository: Path) -> None:
    size, work = reference("output_size"), reference("conv_multiply_adds")
    for s in (2, 3, 4):
        whole, less = size(10_000, 3, 1), size(10_000, 3, 1, s)
        assert whole / less == pytest.approx(s, rel=1e-3)
        assert work(3, 64, whole, whole, 3) / work(3, 64, less, less, 3) == pytest.approx(s**2, rel=2e-3)
    assert "shrinks by a factor of about s in each direction, and the work by about s²" in lab(repository, 1)


def test_im2col_copies_a_pixel_up_to_f_by_f_times(repository: Path) -> None:
    for f in (2, 3, 5):
        columns = reference("im2col")(torch.arange(1.0, 122).reshape(1, 11, 11), f)
        assert columns.flatten().unique(return_counts=True)[1].max() == f * f
    with_border = reference("im2col")(torch.zeros(1, 28, 28), 3, 1)
    assert with_border.numel() == 9 * 28 * 28
    text = lab(repository, 1)
    assert "copied into up to f·f columns" in text and "nine times as many" in text


def test_two_3_by_3_filters_see_5_by_5_pixels(repository: Path) -> None:
    fused = reference("fuse_filters")(torch.ones(3, 3), torch.ones(3, 3))
    assert fused.shape == (5, 5) and fused.all()
    assert "Two 3×3 filters see 5×5 pixels" in lab(repository, 1)


def test_a_linear_layer_in_place_of_the_convolution_needs_30_8_million_numbers(repository: Path) -> None:
    with torch.device("meta"):
        assert parameters(nn.Linear(28 * 28, 50 * 28 * 28)) / 1e6 == pytest.approx(30.8, abs=0.05)
    assert reference("count_conv_parameters")(1, 50, 3) == 500
    assert "30.8 million numbers; the convolution needs 500" in lab(repository, 1)


def test_a_kernel_is_learned_from_input_and_output() -> None:
    x, learned = torch.randn(8, 1, 16, 16), torch.randn(1, 1, 3, 3, requires_grad=True)
    kernel = KERNEL_3[None, None].float()
    for _ in range(100):
        loss = F.mse_loss(F.conv2d(x, learned), F.conv2d(x, kernel))
        learned.data -= 0.1 * torch.autograd.grad(loss, learned)[0]
    assert torch.allclose(learned, kernel, atol=5e-3)


def test_pooling_keeps_a_quarter_of_the_numbers_and_drops_what_does_not_fit(repository: Path) -> None:
    assert reference("max_pool")(POOL_INPUT[None].float()).numel() == POOL_INPUT.numel() / 4
    assert reference("pooled_shape")((50, 7, 7)) == (50, 3, 3)
    assert nn.MaxPool2d(2, ceil_mode=True)(torch.zeros(50, 7, 7)).shape == (50, 4, 4)
    text = lab(repository, 2)
    assert "A quarter of the numbers is left" in text
    assert "7×7 becomes 3×3: one row and one column are dropped" in text


def test_average_pooling_is_a_convolution_and_gives_each_pixel_a_quarter(repository: Path) -> None:
    x = torch.randn(1, 1, 6, 8, requires_grad=True)
    assert torch.allclose(F.avg_pool2d(x, 2), F.conv2d(x, torch.full((1, 1, 2, 2), 0.25), stride=2))
    F.avg_pool2d(x, 2).sum().backward()
    assert x.grad.unique().tolist() == [0.25]
    assert "would have given each of the four pixels a quarter" in lab(repository, 2)


def test_half_the_side_and_twice_the_channels_cost_the_same() -> None:
    cost = reference("conv_multiply_adds")
    assert len({cost(64 * k, 64 * k, 32 // k, 32 // k, 3) for k in (1, 2, 4, 8)}) == 1


NOISE = torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("p", "s"), [(2, 1), (4, 1), (4, 2), (7, 1), (7, 2), (7, 4)])
def test_a_maximum_stays_with_probability_p_minus_s_over_p_plus_s(p: int, s: int, repository: Path) -> None:
    shared, both = p * (p - s), p * (p + s)  # pixels
    share = reference("shift_agreement")(nn.MaxPool2d(p), NOISE, s)
    assert share == pytest.approx(shared / both, abs=0.02) == pytest.approx((p - s) / (p + s), abs=0.02)
    assert "probability (p − s) / (p + s). For 4×4 windows and one pixel that is 3/5" in lab(repository, 2)


def test_it_is_the_stride_that_breaks_equivariance(repository: Path) -> None:
    whole, edges = (256 * NOISE).floor(), torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])
    along = reference("shift_equivariance")

    def convolution(x):
        return F.conv2d(x, edges, padding=1)

    def strided(x):
        return F.conv2d(x, edges, padding=1, stride=2)

    def columns(shift: int) -> float:
        """How many of the 28 columns do not move along."""
        return 28 * (1 - along(convolution, whole, shift))

    assert [round(columns(shift)) for shift in (1, 2, 3)] == [3, 4, 4]
    assert min(along(nn.MaxPool2d(3, 1, 1), whole, shift) for shift in (1, 2, 3)) > 0.9
    assert along(nn.MaxPool2d(2), whole, 2) == 1 and along(strided, whole, 2) > 0.8
    for shift in (1, 3):
        assert along(nn.MaxPool2d(2), whole, shift) == pytest.approx(1 / 3, abs=0.02)
        assert along(strided, whole, shift) < 0.005
        assert along(nn.MaxPool2d(28), whole, shift) == 1
    text = lab(repository, 2)
    assert "3 or 4 of 28 columns" in text
    assert "The maximum then saves a third of its outputs, the strided convolution none" in text


# --- LeNet5 ------------------------------------------------------------------------------------------------


def test_lenet5_has_the_lectures_parameters_layer_by_layer() -> None:
    layers = [nn.Conv2d(1, 50, 3), nn.Conv2d(50, 100, 3), nn.Linear(4900, 100), nn.Linear(100, 10)]
    counts = [parameters(layer) for layer in layers]
    assert counts == [500, 45_100, 490_100, 1_010] == list(reference("lenet5_parameters")())
    assert sum(counts) == 536_710 == parameters(reference("lenet5")())


def test_lenet5s_learning_rate_is_divided_by_one_and_a_half_every_five_epochs(repository: Path) -> None:
    from course_utils.training import recipe

    expected = [0.25 / 1.5 ** (epoch // 5) for epoch in range(30)]
    assert [reference("lenet5_learning_rate")(epoch) for epoch in range(30)] == pytest.approx(expected)
    plan = recipe("lenet5", "lecture")
    assert (plan.epochs, plan.batch_size, plan.learning_rate, plan.momentum) == (30, 128, 0.25, 0)
    assert [plan.rate(epoch) for epoch in range(30)] == pytest.approx(expected)
    assert '"divide by 2"' in lab(repository, 3)
    assert "divide by 1.5" in lab(repository, 3)


@pytest.mark.slow
@pytest.mark.real_data
def test_mnist_has_60000_training_images_and_the_lectures_statistics(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from course_utils import load_dataset

    monkeypatch.setenv("COURSE_DATA_SHARED", str(real_data))
    mnist = load_dataset("mnist")
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert reference("pixel_statistics")(mnist.train.images) == pytest.approx((0.1307, 0.3081), abs=5e-5)
    assert (mnist.mean, mnist.std) == pytest.approx((0.1307, 0.3081), abs=5e-5)


def test_the_slides_50000_mnist_images_are_corrected(repository: Path) -> None:
    assert "60,000 training images (the slide says 50,000)" in lab(repository, 3)


def test_a_second_softmax_keeps_the_loss_above_1_461(repository: Path) -> None:
    surest = torch.eye(10)  # what a softmax gives at best
    assert F.cross_entropy(surest, torch.arange(10)).item() == pytest.approx(1.461, abs=5e-4)
    assert "below 1.461" in lab(repository, 3)


def test_from_zero_weights_only_the_last_biases_get_a_gradient(repository: Path) -> None:
    network = reference("lenet5")()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    F.cross_entropy(network(torch.randn(4, 1, 28, 28)), torch.tensor([0, 1, 1, 2])).backward()
    learning = [name for name, parameter in network.named_parameters() if parameter.grad.any()]
    assert learning == ["linear2.bias"]
    assert "only the last biases get a gradient" in lab(repository, 3)


# --- VGG ---------------------------------------------------------------------------------------------------


def vgg_layers(last_block: int) -> list[int]:
    channels = [3, 64, 64, 128, 128, 256, 256, *[512] * last_block]
    with torch.device("meta"):
        pairs = pairwise(channels)
        convs = [parameters(nn.Conv2d(i, o, 3)) for i, o in pairs]
        head = sum(parameters(nn.Linear(i, o)) for i, o in [(2048, 4096), (4096, 4096), (4096, 10)])
    return [*convs, head]


def test_vgg_has_27_5_million_parameters_and_the_slide_counts_a_variant(repository: Path) -> None:
    one, two, three, four, five, six, seven, head = vgg_layers(1)
    blocks = [one + two, three + four, five + six, seven, head]
    assert blocks == [38_720, 221_440, 885_248, 1_180_160, 25_214_986] == list(reference("vgg_parameters")())
    assert sum(blocks) == 27_540_554
    with torch.device("meta"):
        assert parameters(reference("vgg")()) == 27_540_554
    assert sum(vgg_layers(2)) == 29_900_362
    for number in ("29,900,362", "27,540,554", '"512 × 216"'):
        assert number in lab(repository, 4)


def test_vggs_learning_rate_is_halved_at_epochs_10_14_and_18() -> None:
    from course_utils.training import recipe

    expected = [0.25] * 9 + [0.125] * 4 + [0.0625] * 4 + [0.03125] * 3
    assert [reference("vgg_learning_rate")(epoch) for epoch in range(1, 21)] == expected
    plan = recipe("vgg", "lecture")
    assert (plan.epochs, plan.batch_size, plan.momentum) == (20, 128, 0)
    assert [plan.rate(epoch) for epoch in range(20)] == expected


def test_the_plateau_is_ln_10() -> None:
    loss = F.cross_entropy(torch.zeros(4, 10), torch.arange(4))
    assert loss.item() == pytest.approx(math.log(10)) == pytest.approx(2.303, abs=5e-4)


def test_the_mlp_baselines_have_the_lectures_sizes() -> None:
    assert parameters(reference("make_mlp")((3072, 10))) == 30_730  # the lecture: 0.03M
    assert parameters(reference("make_mlp")((3072, 512, 512, 10))) == pytest.approx(2e6, rel=0.1)


def test_the_baselines_errors_are_the_lectures(repository: Path) -> None:
    stated = (
        "one layer reaches 65 % test error, with 59 % on the training images; the one with three layers 46 %"
    )
    assert stated in lab(repository, 4)


def test_after_block_3_one_output_sees_more_than_the_image(repository: Path) -> None:
    block, field = [(3, 1), (3, 1), (2, 2)], reference("receptive_field")
    assert field(block * 3) == 36 > 32 >= field(block * 2)
    assert "After block 3 one output already sees more than the whole image" in lab(repository, 4)


# --- case studies ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (zoo("alexnet"), 61_100_840),
        (zoo("vgg16"), 138_357_544),
        (zoo("googlenet", aux_logits=False, init_weights=False), 6_624_904),
        (zoo("googlenet", aux_logits=True, init_weights=False), 13_004_888),
        (zoo("resnet152"), 60_192_808),
    ],
    ids=["AlexNet", "VGG-16", "GoogLeNet", "GoogLeNet with its auxiliary heads", "ResNet-152"],
)
def test_a_case_study_has_as_many_parameters_as_the_lab_says(build, expected: int) -> None:
    with torch.device("meta"):
        assert parameters(build()) == expected


def alexnet_of_2012(groups: int) -> int:
    def conv(i: int, o: int, f: int, g: int) -> int:
        return i // g * o * f * f + o

    convs = conv(3, 96, 11, 1) + conv(96, 256, 5, groups) + conv(256, 384, 3, 1)
    convs += conv(384, 384, 3, groups) + conv(384, 256, 3, groups)
    return convs + (9216 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 1000 + 1000)


def test_alexnet_as_published_has_61_million_parameters_62_without_groups() -> None:
    assert alexnet_of_2012(groups=2) / 1e6 == pytest.approx(61.0, abs=0.05)
    assert alexnet_of_2012(groups=1) / 1e6 == pytest.approx(62.4, abs=0.05)


def test_alexnet_has_5_convolutions_3_poolings_and_3_linear_layers(repository: Path) -> None:
    with torch.device("meta"):
        layers = list(zoo("alexnet")().modules())
    count = [
        sum(isinstance(layer, kind) for layer in layers) for kind in (nn.Conv2d, nn.MaxPool2d, nn.Linear)
    ]
    assert count == [5, 3, 3]
    assert "AlexNet has 5 convolutions, 3 poolings and 3 linear layers (the slide: 7, 3 and 2)" in lab(
        repository, 4
    )


def test_lenet_of_1998_has_about_60000_parameters(repository: Path) -> None:
    layers = [
        nn.Conv2d(1, 6, 5),
        nn.Conv2d(6, 16, 5),
        nn.Linear(400, 120),
        nn.Linear(120, 84),
        nn.Linear(84, 10),
    ]
    assert sum(parameters(layer) for layer in layers) == 61_706
    assert "about 60 thousand parameters" in lab(repository, 4)


@pytest.mark.parametrize(
    "statement", ["15.3 %", "ResNet-152's 3.57 %", "6.6 million", "13.0 with them (the slide: 5)"]
)
def test_lab_04_corrects_the_slides_of_the_case_studies(repository: Path, statement: str) -> None:
    assert statement in lab(repository, 4)


def test_a_pointwise_head_has_a_fraction_of_the_parameters_of_vggs(repository: Path) -> None:
    with torch.device("meta"):
        published = parameters(zoo("vgg16")().classifier)
        averaged = [parameters(nn.Conv2d(512, classes, 1)) for classes in (10, 1000)]
        of_resnet = parameters(zoo("resnet152")().fc)
    assert (25_088 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 1000 + 1000) == published == 123_642_856
    assert averaged == [512 * 10 + 10, 512 * 1000 + 1000] == [5_130, 513_000]
    assert of_resnet < published / 50
    assert "(25_088 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 1000 + 1000)" in lab(repository, 4)


def with_weights(model: nn.Module) -> list[nn.Module]:
    return [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]


def test_networks_have_more_weight_layers_than_their_names_say(repository: Path) -> None:
    with torch.device("meta"):
        googlenet = zoo("googlenet", aux_logits=False, init_weights=False)()
        resnet = zoo("resnet152")()
    modules = [module for name, module in googlenet.named_children() if name.startswith("inception")]
    assert len(modules) == 9 and {len(with_weights(module)) for module in modules} == {6}
    assert len(with_weights(googlenet)) == 58 == 22 + 9 * (6 - 2)
    shortcuts = [layer for name, layer in resnet.named_modules() if name.endswith("downsample.0")]
    assert [layer.kernel_size for layer in shortcuts] == [(1, 1)] * 4
    assert len(with_weights(resnet)) == 156 == 152 + len(shortcuts)
    assert "58 in GoogLeNet and 156 in ResNet-152" in lab(repository, 4)


def test_resnet_152s_block_is_a_bottleneck_of_three_normalised_convolutions(repository: Path) -> None:
    with torch.device("meta"):
        block = zoo("resnet152")().layer1[1]
    convolutions = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size for layer in convolutions] == [(1, 1), (3, 3), (1, 1)]
    assert [layer.out_channels for layer in convolutions] == [64, 64, 256]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in block.modules()) == 3
    assert "1×1 to a quarter of the channels, 3×3 on these, 1×1 back" in lab(repository, 4)


def test_the_table_of_case_studies_has_the_lectures_errors(repository: Path) -> None:
    for error in ('5, "0.6 M", "0.4 % (MNIST)"', '8, "62 M", "15.4 %"', '16, "138 M", "7.3 %"'):
        assert error in lab(repository, 4)
    for error in ('22, "5 M", "6.7 %"', '152, "60 M", "3.6 %"'):
        assert error in lab(repository, 4).replace("         ", " ").replace("        ", " ")
