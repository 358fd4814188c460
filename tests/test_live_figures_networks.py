"""Chain of shapes, costs, training panel and drawing pad: their numbers are torch's, and what they refuse."""

from __future__ import annotations

import base64
import copy
import io
import json
import math
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from network_samples import NETWORKS, Branches, LeNet5, answers, history, zoo
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils import figures
from course_utils.errors import FigureError
from course_utils.figures.live.draw_digit import DigitPad
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.tracing import trace

LARGEST = 60_000


@pytest.fixture(scope="module")
def digits() -> Any:
    from course_utils import load_dataset

    return load_dataset("digits")


def panel(digits: Any, **options: Any) -> LiveFigure:
    labels = digits.test.labels
    return figures.training_panel(
        history(), answers(labels, **options), labels, digits.test.images, digits.classes
    )


def samples(digits: Any) -> dict[str, LiveFigure]:
    return {
        "chain": figures.shape_chain(LeNet5(), (1, 28, 28)),
        "long chain": figures.shape_chain(zoo("resnet18"), (3, 224, 224)),
        "costs": figures.cost_bars(NETWORKS),
        "panel": panel(digits),
        "curves": figures.training_panel(history(30)),
        "pad": figures.draw_digit(LeNet5()).figure,
    }


# Every live figure


@pytest.mark.slow
def test_a_figure_is_small_the_same_each_time_and_has_a_text_twin(digits: Any) -> None:
    for name, figure in samples(digits).items():
        bundle = figure._repr_mimebundle_()
        assert len(bundle["text/html"].encode()) <= LARGEST, name
        assert 30 < len(bundle["text/plain"]) < 1500, name
        assert Image.open(io.BytesIO(figure.png)).size[0] > 300, name
    assert {n: f.html for n, f in samples(digits).items()} == {n: f.html for n, f in samples(digits).items()}


def test_an_image_of_many_colours_still_fits() -> None:
    pixels = torch.randint(0, 256, (900, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(900) % 10
    run = figures.training_panel(history(150), answers(labels, right=0.1), labels, pixels.to(torch.uint8))
    assert len(run.html.encode()) <= LARGEST
    assert len(run.data["tiles"]) >= 10


@pytest.mark.parametrize("name", ["chain", "panel", "pad"])
def test_creation_takes_no_more_than_a_few_frames(name: str, digits: Any) -> None:
    model = LeNet5()
    make: dict[str, Callable[[], Any]] = {
        "chain": lambda: figures.shape_chain(model, (1, 28, 28)).html,
        "panel": lambda: panel(digits).html,
        "pad": lambda: figures.draw_digit(model).figure.html,
    }
    make[name]()

    def taken() -> float:
        start = time.process_time()
        make[name]()
        return time.process_time() - start

    assert min(taken() for _ in range(5)) <= 0.05


# What a trace finds


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_multiply_adds_are_torchs(name: str) -> None:
    build, shape = NETWORKS[name]
    with torch.device("meta"):
        model = build().eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, *shape))
    traced = trace(build, shape, figure="test")
    assert traced.parameters == sum(weight.numel() for weight in model.parameters())
    assert 2 * traced.multiply_adds == counter.get_total_flops()


def test_a_layers_cost_is_its_modules() -> None:
    model = zoo("resnet18")().to("meta").eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224, device="meta"))
    flops = {
        name.removeprefix("ResNet."): sum(each.values()) for name, each in counter.get_flop_counts().items()
    }
    network = figures.cost_bars({"ResNet-18": (model, (3, 224, 224))}).data["networks"][0]
    modules = dict(model.named_modules())
    assert len(network["layers"]) == network["runs"] == 21
    for name, kind, _, parameters, work in network["layers"]:
        assert 2 * work == flops[name], name
        norm = modules[re.sub(r"conv(\d)$", r"bn\1", name).replace("downsample.0", "downsample.1")]
        own = [modules[name], norm] if "batch norm" in kind else [modules[name]]
        assert parameters == sum(weight.numel() for part in own for weight in part.parameters()), name


def test_shapes_are_those_of_a_real_run() -> None:
    model = Branches().eval()
    seen: dict[str, tuple[int, ...]] = {}
    for name, part in model.named_children():
        part.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, tuple(out.shape)))
    model(torch.zeros(1, 3, 13, 10))
    boxes = {box["name"]: box for box in figures.shape_chain(model, (3, 13, 10)).data["boxes"]}
    for name in ("wide", "left", "right", "pool", "average", "last"):
        assert tuple(boxes[name]["shape"]) == seen[name]
    assert boxes["wide"]["also"] == ["batch norm", "ReLU"] and boxes["wide"]["more"] == 8


def test_a_trace_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    model[2].eval()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(3)
    draws = torch.rand(2), trace(model, (1, 9, 9), figure="test"), trace(LeNet5, (1, 28, 28), figure="test")
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(4), torch.cat([draws[0], after]))
    assert [part.training for part in model] == [True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_used_twice_or_never_count_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.spare = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(5, 7)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(self.conv(x))

    network = figures.cost_bars({"twice": (Twice(), (2, 6, 6))}).data["networks"][0]
    assert network["parameters"] == 38 + 42
    assert network["work"] == 2 * 36 * 36
    assert [row[3:] for row in network["layers"]] == [[38, 1296], [0, 1296], [42, 0]]
    chain = figures.shape_chain(Twice(), (2, 6, 6)).data
    assert [box["weighs"] for box in chain["boxes"]] == [False, True, False] and chain["unused"] == 42


# The training panel


def test_curves_carry_the_history(digits: Any) -> None:
    run = history(12)
    data = figures.training_panel(run).data
    for row, record in zip(data["epochs"], run.records, strict=True):
        expected = (
            record.epoch,
            record.learning_rate,
            record.train_loss,
            record.train_error,
            record.test_error,
        )
        assert row == pytest.approx(expected, rel=1e-4)
    assert data["plateau"] == pytest.approx(math.log(10))
    assert data["place"] == "digits (scikit-learn), instead of mnist"


def test_a_real_history_is_taken(digits: Any) -> None:
    from course_utils.training import fit, recipe

    plan = recipe("lenet5")
    from course_utils.training.history import History

    made = History(plan, "digits", "digits (scikit-learn)", classes=10)
    made.add(0.25, 2.3, 0.9, 0.88, 1.0, 0.1)
    assert figures.training_panel(made).data["epochs"] == [[1, 0.25, 2.3, 0.9, 0.88]]
    assert fit


def test_the_matrix_and_the_images_are_the_answers(digits: Any) -> None:
    labels, images = digits.test.labels, digits.test.images
    scores = answers(labels)
    data = panel(digits).data
    taken = scores.argmax(1)
    matrix = torch.zeros(10, 10, dtype=torch.long).index_put_(
        (labels, taken), torch.tensor(1), accumulate=True
    )
    assert data["matrix"] == matrix.tolist()
    sure = scores.double().softmax(1).max(1).values
    sheet = data["sheet"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["source"].split(",")[1]))).convert("L"))
    last: dict[tuple[int, int], float] = {}
    for at, (truth, answer, index, confidence) in enumerate(data["tiles"]):
        assert truth == labels[index] and answer == taken[index] and truth != answer
        assert confidence == pytest.approx(sure[index].item(), abs=1e-4)
        assert confidence <= last.get((truth, answer), 1)
        last[truth, answer] = confidence
        top, left = at // sheet["columns"] * sheet["height"], at % sheet["columns"] * sheet["width"]
        tile = pixels[top : top + sheet["height"], left : left + sheet["width"]].astype(int)
        step = -(-images.shape[-1] // 32)
        assert abs(tile - images[index, 0, ::step, ::step].numpy().astype(int)).max() <= 16
    assert len(last) == int(((matrix > 0) & ~torch.eye(10).bool()).sum())


def test_no_mistake_is_no_problem(digits: Any) -> None:
    made = panel(digits, right=100.0)
    assert made.data["tiles"] == [] and "0 wrong of" in made.text


# The drawing pad


def test_the_pad_answers_as_the_network_does() -> None:
    torch.manual_seed(0)
    model = LeNet5().train()
    pixels = torch.randint(0, 256, (28, 28), dtype=torch.uint8)
    with torch.no_grad():
        scores = copy.deepcopy(model).eval()(((pixels / 255 - 0.1307) / 0.3081)[None, None])[0]
    widget = figures.draw_digit(model).widget()
    field, answer = widget.children
    field.value = "7:" + base64.b64encode(pixels.numpy().tobytes()).decode()
    shares = [float(share) for share in re.findall(r"<td>([\d.]+) %</td>", answer.value)]
    assert shares == pytest.approx((100 * scores.softmax(0)).tolist(), abs=0.051)
    assert f"LeNet5 says {scores.argmax()}" in answer.value and 'data-number="7"' in answer.value
    assert answer.value.count("<img") == 2 and "conv2: 16 of 100 feature maps of 14×14" in answer.value
    assert model.training


def test_the_pad_says_what_went_wrong() -> None:
    model = LeNet5()
    field, answer = figures.draw_digit(model).widget().children
    field.value = "1:nonsense"
    assert "The network stopped: " in answer.value
    model.linear2 = nn.Linear(3, 10)
    field.value = "2:" + base64.b64encode(bytes(784)).decode()
    assert "The network stopped: RuntimeError" in answer.value


def test_the_pad_shows_itself_and_then_the_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    pad = figures.draw_digit(LeNet5())
    pad._ipython_display_()
    assert shown[0] is pad.figure and [type(part).__name__ for part in shown[1].children] == [
        "Textarea",
        "HTML",
    ]
    assert repr(pad) == pad.figure.text and isinstance(pad, DigitPad)


# What is refused


class Looped(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum().item() > 0 else -x


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "chain of no model": (lambda: figures.shape_chain(3, (1, 28, 28)), "takes a torch.nn.Module"),
    "chain of a function of no model": (lambda: figures.shape_chain(dict, (1, 28, 28)), "returned dict"),
    "chain of a builder that fails": (
        lambda: figures.shape_chain(lambda: 1 / 0, (1, 9, 9)),
        "ZeroDivisionError",
    ),
    "chain of no shape": (lambda: figures.shape_chain(LeNet5(), 28), r"\(channels, height, width\)"),
    "chain of two sizes": (lambda: figures.shape_chain(LeNet5(), (28, 28)), r"\(channels, height, width\)"),
    "chain of an empty image": (
        lambda: figures.shape_chain(LeNet5(), (1, 0, 28)),
        r"\(channels, height, width\)",
    ),
    "chain of other channels": (lambda: figures.shape_chain(LeNet5(), (10_000, 28, 28)), "10000 channels"),
    "chain of another size": (lambda: figures.shape_chain(LeNet5(), (1, 32, 28)), "cannot be multiplied"),
    "chain of a model that reads values": (lambda: figures.shape_chain(Looped(), (1, 9, 9)), "cannot follow"),
    "chain of too many layers": (
        lambda: figures.shape_chain(zoo("resnet152"), (3, 224, 224)),
        "at most 64 layers",
    ),
    "chain of nothing": (lambda: figures.shape_chain(nn.Identity(), (1, 9, 9)), "has 0"),
    "costs of a list": (lambda: figures.cost_bars([LeNet5]), "takes a dict"),
    "costs of nothing": (lambda: figures.cost_bars({}), "takes a dict"),
    "costs without shapes": (lambda: figures.cost_bars({"a": LeNet5}), "name to"),
    "costs of other channels": (lambda: figures.cost_bars({"a": (LeNet5, (3, 28, 28))}), "3 channels"),
    "panel of no history": (lambda: figures.training_panel(7), "what fit returns"),
    "panel of no epoch": (lambda: figures.training_panel(history(0)), "0 epochs"),
    "panel of scores alone": (lambda: figures.training_panel(history(), torch.zeros(3, 10)), "labels N"),
    "panel of images alone": (
        lambda: figures.training_panel(history(), images=torch.zeros(3, 1, 8, 8)),
        "scores N×K",
    ),
    "panel of flat scores": (
        lambda: figures.training_panel(history(), torch.zeros(3), torch.zeros(3).long()),
        "scores N×K",
    ),
    "panel of other names": (
        lambda: figures.training_panel(history(), torch.zeros(3, 10), torch.zeros(3).long(), classes="abc"),
        "a score and a name",
    ),
    "panel of other labels": (
        lambda: figures.training_panel(history(), torch.zeros(3, 10), torch.tensor([1, 2, 10])),
        "from 0 to 9",
    ),
    "panel of broken scores": (
        lambda: figures.training_panel(history(), torch.full((3, 10), math.nan), torch.zeros(3).long()),
        "nan",
    ),
    "panel of fewer images": (
        lambda: figures.training_panel(
            history(), torch.zeros(3, 10), torch.ones(3).long(), torch.zeros(2, 1, 8, 8)
        ),
        "same N images",
    ),
    "panel of flat images": (
        lambda: figures.training_panel(
            history(), torch.zeros(3, 10), torch.ones(3).long(), torch.zeros(3, 64)
        ),
        "one or three channels",
    ),
    "panel of normalised images": (
        lambda: figures.training_panel(
            history(), torch.zeros(3, 10), torch.ones(3).long(), torch.full((3, 1, 8, 8), -2.0)
        ),
        "0…1",
    ),
    "pad of no model": (lambda: figures.draw_digit("net"), "takes a torch.nn.Module"),
    "pad of three channels": (lambda: figures.draw_digit(nn.Conv2d(3, 4, 3)), "cannot follow"),
    "pad of maps": (lambda: figures.draw_digit(nn.Conv2d(1, 4, 3)), "one score for each"),
    "pad of a huge size": (lambda: figures.draw_digit(LeNet5(), size=10_000), "from 8 to 96"),
    "pad of no deviation": (lambda: figures.draw_digit(LeNet5(), std=0), "above 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_figure_cannot_draw_is_said_in_a_sentence(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(FigureError, match=words) as raised:
        call()
    assert raised.value.what.endswith(".") and len(raised.value.what) < 160
    assert "takes" in raised.value.what or "cannot follow" in raised.value.what


def test_a_loss_that_ran_away_leaves_a_gap() -> None:
    run = history(4)
    run.records[3].train_loss = math.inf
    made = figures.training_panel(run)
    assert made.data["epochs"][3][2] is None and "last loss not a number" in made.text
    json.dumps(made.data, allow_nan=False)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.shape_chain(Unfinished, (3, 32, 32)),
        lambda: figures.shape_chain(UnfinishedForward(), (3, 32, 32)),
        lambda: figures.cost_bars({"stub": (Unfinished, (3, 32, 32))}),
        lambda: figures.receptive_field(UnfinishedForward(), torch.zeros(3, 32, 32)),
    ],
)
def test_an_unfinished_exercise_is_not_taken_for_a_wrong_model(draw):
    with pytest.raises(NotImplementedError):
        draw()


class Unfinished(nn.Module):
    def __init__(self):
        super().__init__()
        raise NotImplementedError()


class UnfinishedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        raise NotImplementedError()
