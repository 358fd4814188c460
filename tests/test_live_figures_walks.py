"""Live figures, on the side of Python: the data they carry is torch's, and what they refuse, they explain."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils import figures
from course_utils.errors import FigureError
from course_utils.figures.live.receptive_field import LETTERS

IMAGE = torch.tensor(
    [
        [3, 2, 3, 3, 3, 1],
        [0, 1, 3, 3, 1, 2],
        [2, 2, 0, 0, 2, 0],
        [3, 0, 1, 3, 3, 0],
        [2, 3, 2, 0, 0, 1],
        [2, 2, 2, 3, 1, 0],
    ]
)
FILTER = torch.tensor([[0, 1, 0], [0, 0, 0], [1, 1, 2]])


def html_of(figure: Any) -> str:
    return figure._repr_mimebundle_()["text/html"]


def data_of(figure: Any) -> dict[str, Any]:
    """What the browser reads, out of the HTML itself."""
    found = re.search(r'<script type="application/json">(.*?)</script>', html_of(figure), re.S)
    return json.loads(found[1])


class Functional(nn.Module):
    """A network written with functions instead of modules, with a branch that is concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, (3, 5), padding=(1, 2), stride=(1, 2))
        self.second = nn.Conv2d(6, 2, 3, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        x = torch.cat([x, functional.max_pool2d(x, 3, stride=1, padding=1)], 1)
        return functional.avg_pool2d(self.second(x), 2)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 5, stride=2)
        self.one = nn.Conv2d(4, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        y = x + self.two(self.one(x).relu())
        return torch.cat([y.relu(), x], 1)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(10, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(12 * 49, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "lenet": (lenet, (1, 28, 28)),
    "batch norm and padding": (
        lambda: nn.Sequential(
            nn.ZeroPad2d((2, 0, 1, 0)), nn.Conv2d(3, 4, 4, stride=3), nn.BatchNorm2d(4), nn.ReLU(),
            nn.AvgPool2d(2, stride=1, padding=1), nn.AdaptiveAvgPool2d((2, 1)),
        ),
        (3, 17, 11),
    ),
    "residual": (Residual, (1, 15, 12)),
    "ceil mode": (lambda: nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(1, 2, 2)), (1, 10, 10)),
}  # fmt: skip


def test_the_walks_start_with_the_lectures_example() -> None:
    data = data_of(figures.conv_walk())
    assert data["x"] == [IMAGE.tolist()] == data_of(figures.im2col_walk())["x"]
    assert data["weight"] == [[FILTER.tolist()]]
    assert data["bias"] == [0] and not data["biased"]
    text = repr(figures.conv_walk())
    assert text == (
        "conv_walk: 1×6×6 image, 1×1×3×3 filters, padding 0, stride 1: output 1×4×4, its first number 6"
    )
    assert "matrix 9×16, 4 times the image's numbers" in repr(figures.im2col_walk())
    assert repr(figures.pool_walk()).endswith("output 1×3×3, its first maximum 7")


def test_the_walks_carry_the_users_tensors_to_the_last_bit() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 7, 6), torch.randn(3, 2, 3, 2, requires_grad=True), torch.randn(3)
    for walk in (figures.conv_walk, figures.im2col_walk):
        figure = walk(x, weight, bias, padding=1, stride=2)
        data = data_of(figure)
        assert torch.equal(torch.tensor(data["x"]), x)
        assert torch.equal(torch.tensor(data["weight"]), weight.detach())
        assert torch.equal(torch.tensor(data["bias"]), bias)
        assert (data["padding"], data["stride"], data["biased"]) == (1, 2, True)
    first = functional.conv2d(x[None], weight, bias, stride=2, padding=1)[0, 0, 0, 0].item()
    assert f"output 3×4×4, its first number {first:.4g}" in repr(
        figures.conv_walk(x, weight, bias, padding=1, stride=2)
    )
    assert torch.equal(torch.tensor(data_of(figures.pool_walk(x, 3, 2))["x"]), x)
    expected = functional.max_pool2d(x, 3, 2)[0, 0, 0].item()
    assert repr(figures.pool_walk(x, 3, 2)).endswith(f"output 2×3×2, its first maximum {expected:.4g}")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float64, torch.float16, torch.bool])
def test_other_kinds_of_numbers_are_taken(dtype: torch.dtype) -> None:
    assert data_of(figures.conv_walk((IMAGE > 1).to(dtype), FILTER))["x"] == [(IMAGE > 1).int().tolist()]


def every_figure() -> list[Any]:
    torch.manual_seed(1)
    return [
        figures.conv_walk(torch.rand(1, 32, 32), torch.randn(55, 1, 5, 5)),
        figures.im2col_walk(torch.randn(4, 12, 12), torch.randn(50, 4, 3, 3), torch.randn(50), padding=1),
        figures.pool_walk(torch.randn(9, 16, 16)),
        figures.receptive_field(lenet(), torch.randn(1, 28, 28)),
        figures.receptive_field(Residual(), torch.randn(1, 64, 64)),
    ]


def test_the_largest_figures_stay_below_60_kilobytes() -> None:
    sizes = {repr(figure): len(html_of(figure).encode()) for figure in every_figure()}
    assert max(sizes.values()) <= 60_000, sizes


def test_figures_need_nothing_from_outside_and_are_the_same_each_time() -> None:
    for figure, again in zip(every_figure(), every_figure(), strict=True):
        bundle = figure._repr_mimebundle_()
        html = bundle["text/html"]
        assert set(bundle) == {"text/plain", "text/html"}
        assert bundle == again._repr_mimebundle_()
        letters = r'"(?:data:image/png;base64,|maps":"|pixels":")[\w+/=]+"'
        addresses = set(re.findall(r"(?:https?:)?//[\w.]+", re.sub(letters, "", html)))
        assert addresses <= {"http://www.w3.org"}, addresses
        assert html.count("</script") == 2
        assert not re.search(r"^\s*//", html, re.M)


def test_the_still_picture_says_in_words_what_it_shows() -> None:
    html = html_of(figures.conv_walk())
    still = re.search(r'<div class="cl-still"><img alt="([^"]+)" width="\d+" src="data:image/png', html)
    assert still and still[1] == repr(figures.conv_walk())


def test_two_figures_have_two_ids() -> None:
    ids = {re.search(r'id="(cl-\w+)"', html_of(figure))[1] for figure in every_figure()}
    assert len(ids) == 5


def test_text_in_the_data_cannot_end_the_script() -> None:
    from course_utils.figures.live.live_figure import LiveFigure

    png = figures.conv_walk().png
    html = LiveFigure("pool_walk", "a <b>", {"name": "</script><b>"}, png, 'say "x"').html
    assert "</script><b>" not in html
    assert json.loads(re.search(r"json\">(.*?)</script>", html)[1]) == {"name": "</script><b>"}
    assert 'aria-label="a &lt;b&gt;"' in html and 'alt="say &quot;x&quot;"' in html


@pytest.mark.parametrize("name", NETWORKS)
def test_a_unit_changes_exactly_when_a_pixel_in_its_window_does(name: str) -> None:
    build, shape = NETWORKS[name]
    torch.manual_seed(2)
    model = build().double().eval()
    for parameter in model.parameters():
        parameter.data = parameter.data.abs() + 0.1
    image = torch.rand(shape, dtype=torch.float64)
    layers = data_of(figures.receptive_field(model, image))["layers"]
    pixels = shape[1] * shape[2]
    bumped = image.repeat(pixels, 1, 1, 1)
    for at in range(pixels):
        bumped[at, :, at // shape[2], at % shape[2]] += 100
    outputs, plain = outputs_of(model, bumped), outputs_of(model, image[None])
    assert len(outputs) == len(layers)
    for layer, changed, base in zip(layers, outputs, plain, strict=True):
        if changed.dim() == 2:
            changed, base = changed[..., None, None], base[..., None, None]
        assert layer["shape"] == list(outputs[layers.index(layer)].shape[1:])
        for r in range(changed.shape[2]):
            for q in range(changed.shape[3]):
                seen = ((changed[:, 0, r, q] - base[:, 0, r, q]).abs() > 1e-6).reshape(shape[1:])
                window = torch.zeros(shape[1:], dtype=torch.bool)
                (top, bottom), (left, right) = (
                    (max(axis[3], axis[0] * unit + axis[1]), min(axis[4], axis[0] * unit + axis[2]))
                    for axis, unit in zip(layer["field"], (r, q), strict=True)
                )
                window[top : bottom + 1, left : right + 1] = True
                assert torch.equal(seen, window), (layer["name"], r, q)


def outputs_of(model: nn.Module, batch: Tensor) -> list[Tensor]:
    """The outputs of the layers that the figure lists, each after what follows it number by number."""
    if isinstance(model, Residual):
        with torch.no_grad():
            stem = model.stem(batch).relu()
            one = model.one(stem).relu()
            two = model.two(one)
            return [stem, one, two, (stem + two).relu()]
    outputs: list[Tensor] = []
    with torch.no_grad():
        for part in model:
            batch = part(batch)
            if isinstance(part, (nn.ReLU, nn.BatchNorm2d)):
                outputs[-1] = batch
            elif not isinstance(part, (nn.Flatten, nn.ZeroPad2d)):
                outputs.append(batch)
    return outputs


def test_feature_maps_are_torchs_within_half_a_level() -> None:
    torch.manual_seed(3)
    model, image = lenet(), torch.randn(1, 28, 28)
    data = data_of(figures.receptive_field(model, image))
    for layer, output in zip(data["layers"], outputs_of(model, image[None]), strict=True):
        low, high = np.array(layer["ranges"])[..., None, None].swapaxes(0, 1)
        levels = np.searchsorted(LETTERS, np.frombuffer(layer["maps"].encode(), np.uint8), sorter=ORDER)
        values = low + (high - low) * ORDER[levels].reshape(-1, *layer["size"]) / 63
        wanted = output[0][layer["channels"]] if output.dim() == 4 else output[0].reshape(1, *layer["size"])
        assert (np.abs(values - wanted.numpy()) <= (high - low) / 126 + 1e-5).all()
        ends = [wanted.amin((1, 2)), wanted.amax((1, 2))]
        assert np.allclose(np.array(layer["ranges"]).T, torch.stack(ends), atol=1e-5)


ORDER = np.argsort(LETTERS)


def test_the_receptive_field_shows_the_maps_of_most_contrast() -> None:
    torch.manual_seed(4)
    model, image = lenet(), torch.randn(1, 28, 28)
    with torch.no_grad():
        contrast = model[:2](image[None])[0].std((1, 2))
    assert data_of(figures.receptive_field(model, image))["layers"][0]["channels"] == sorted(
        contrast.argsort(descending=True)[:8].tolist()
    )


def test_a_network_written_with_functions_is_followed_too() -> None:
    layers = data_of(figures.receptive_field(Functional(), torch.randn(16, 20)))["layers"]
    assert [(layer["name"], layer["field"]) for layer in layers] == [
        ("conv, ReLU", [[1, -1, 1, 0, 15], [2, -2, 2, 0, 19]]),
        ("max pool", [[1, -2, 2, 0, 15], [2, -4, 4, 0, 19]]),
        ("conv", [[1, -2, 6, 0, 15], [2, -4, 12, 0, 19]]),
        ("average pool", [[2, -2, 7, 0, 15], [4, -4, 14, 0, 19]]),
    ]


def test_a_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.ReLU())
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    figures.receptive_field(model, torch.randn(1, 9, 9))
    assert [part.training for part in model] == [True, False, True, True] and model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


X, W = torch.randn(2, 6, 6), torch.randn(3, 2, 3, 3)
CONV = nn.Conv2d(1, 2, 3)
HUGE = nn.Conv2d(1, 2, 3)
nn.init.constant_(HUGE.weight, 3e38)
nn.init.constant_(HUGE.bias, float("inf"))

REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("wrong rank", lambda: figures.conv_walk(X[None, None], W), "takes an image C×H×W"),
    ("a batch", lambda: figures.im2col_walk(X[None], W), "takes an image C×H×W .*this one is 1×2×6×6"),
    ("a text", lambda: figures.conv_walk("cat"), "takes an image C×H×W .*this is str"),
    ("nothing", lambda: figures.conv_walk(torch.zeros(1, 0, 4), W), "takes an image C×H×W"),
    ("nan", lambda: figures.conv_walk(X / 0 * 0, W), "this one holds nan"),
    ("10,000 channels", lambda: figures.conv_walk(torch.zeros(10_000, 6, 6), W), "takes .*10000×6×6"),
    ("channels that differ", lambda: figures.conv_walk(X[:1], W), "number of channels; .* has 1, .* have 2"),
    ("large kernel", lambda: figures.conv_walk(X, torch.ones(1, 2, 9, 9), padding=1), "no larger than the"),
    ("numbers", lambda: figures.im2col_walk(torch.ones(9, 20, 20), torch.ones(1, 9, 3, 3)), "most 2,400"),
    ("bias", lambda: figures.conv_walk(X, W, torch.ones(2)), "one bias per filter, here 3; it got 2"),
    ("padding", lambda: figures.conv_walk(X, W, padding=-1), "padding must be a whole number of at least 0"),
    ("padding as a pair", lambda: figures.im2col_walk(X, W, padding=(1, 1)), "must be a whole number"),
    ("stride", lambda: figures.conv_walk(X, W, stride=0), "stride must be a whole number of at least 1"),
    ("wide padding", lambda: figures.conv_walk(X, W, padding=500), "within 64×64"),
    ("pooling window", lambda: figures.pool_walk(X, 7), "no larger than the map; 7×7"),
    ("pooling rank", lambda: figures.pool_walk(torch.ones(4)), "pool_walk takes maps C×H×W"),
    ("pooling channels", lambda: figures.pool_walk(torch.ones(10_000, 2, 2)), "pool_walk takes maps"),
    ("pooling stride", lambda: figures.pool_walk(X, 2, 1.5), "stride must be a whole number of .* 1.5"),
    ("wrong image size", lambda: figures.receptive_field(lenet(), torch.ones(1, 40, 28)), "fails on"),
    ("wrong image channels", lambda: figures.receptive_field(CONV, torch.ones(3, 8, 8)), "fails on"),
    ("two channels", lambda: figures.receptive_field(CONV, torch.ones(2, 8, 8)), "of 1 or 3 channels"),
    ("large image", lambda: figures.receptive_field(CONV, torch.ones(1, 224, 224)), "at most 64×64"),
    ("no model", lambda: figures.receptive_field(torch.relu, torch.ones(1, 8, 8)), "this model is builtin"),
    ("no layer", lambda: figures.receptive_field(nn.ReLU(), torch.ones(1, 8, 8)), "at least one convolution"),
    (
        "not to be followed",
        lambda: figures.receptive_field(nn.Sequential(CONV, nn.Upsample(None, 2)), torch.ones(1, 8, 8)),
        "this model also uses upsample",
    ),
    (
        "infinite outputs",
        lambda: figures.receptive_field(nn.Sequential(nn.Conv2d(1, 1, 1), HUGE), torch.ones(1, 8, 8)),
        "finite outputs; those of conv are not",
    ),
    (
        "deep and large",
        lambda: figures.receptive_field(nn.Sequential(*[nn.ReLU(), CONV_SAME] * 9), torch.ones(1, 64, 64)),
        "at most 22,000 numbers",
    ),
]  # fmt: skip
CONV_SAME = nn.Conv2d(1, 1, 3, padding=1)


@pytest.mark.parametrize(("call", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_drawn_is_refused_with_one_sentence(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(FigureError, match=sentence) as refused:
        call()
    assert refused.value.what.endswith(".") and "\n" not in refused.value.what


def test_a_figure_is_made_within_50_milliseconds() -> None:
    model, image = lenet(), torch.randn(1, 28, 28)
    calls: dict[str, Callable[[], Any]] = {
        "conv_walk": figures.conv_walk,
        "im2col_walk": figures.im2col_walk,
        "pool_walk": figures.pool_walk,
        "receptive_field": lambda: figures.receptive_field(model, image),
    }
    for name, call in calls.items():
        html_of(call())
        best = min(processor_seconds(lambda call=call: html_of(call())) for _ in range(5))
        assert best <= 0.05, f"{name} took {best * 1000:.0f} ms"


def processor_seconds(call: Callable[[], Any]) -> float:
    """Time that does not grow with the other work on the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started = time.process_time()
    call()
    spent = time.process_time() - started
    torch.set_num_threads(threads)
    return spent
