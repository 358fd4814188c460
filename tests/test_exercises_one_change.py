"""A wrong answer that one small change makes right is told where, and of which kind, the change is."""

import dis
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from course_utils import check, exercises
from course_utils.exercises import one_change
from course_utils.exercises.one_change import changes, look_closer


def ends_at_the_kernel(image, kernel):
    rows, columns = image.shape
    kh, kw = kernel.shape
    out = torch.zeros(rows - kh + 1, columns - kw + 1)
    for i in range(rows - kh + 1):
        for j in range(columns - kw + 1):
            out[i, j] = (image[i:kh, j:kw] * kernel).sum()
    return out


def one_window_short(image, kernel):
    rows, columns = image.shape
    kh, kw = kernel.shape
    out = torch.zeros(rows - kh + 1, columns - kw + 1)
    for i in range(rows - kh):
        for j in range(columns - kw + 1):
            out[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return out


def without_parentheses(n, f, p=0, s=1):
    return int(n + 2 * p - f / s + 1)


def other_comparison(epoch):
    rate = 0.25
    for milestone in (10, 14, 18):
        if epoch > milestone - 1:
            rate = rate / 2
        if epoch == milestone + 3:
            rate = rate * 1
    return 2 * rate


def reset_too_rarely(layers):
    size = 1
    step = 1
    for kernel, stride in layers:
        size += kernel * step
        step *= stride
    return size


def pair_of_values(scores, labels):
    best = scores.max(dim=1)
    return (best != labels).float().mean().item()


def earlier_rounds_lost(first, second):
    a, b = first.shape
    c, d = second.shape
    out = torch.zeros(a + c - 1, b + d - 1)
    for i in range(a):
        for j in range(b):
            for k in range(c):
                for m in range(d):
                    out[i + k, j + m] = first[i, j] * second[k, m]
    return out


def largest_of_each_column(x, size=2, stride=None):
    stride = size if stride is None else stride
    channels, height, width = x.shape
    out = torch.zeros(channels, (height - size) // stride + 1, (width - size) // stride + 1)
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            top, left = i * stride, j * stride
            out[:, i, j] = x[:, top : top + size, left : left + size].amax(dim=1)
    return out


def inputs_of_another_layer():
    return [50 * 9 + 50, 100 * 50 * 9 + 100, 4900 * 100 + 100, 4900 * 10 + 10]


def scores_for_classes(model, batches):
    model.eval()
    wrong, count = 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            wrong += (scores != labels).sum().item()
            count += len(labels)
    return wrong / count


class InputNotAdded(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1)
        self.two = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.relu(x * self.two(torch.relu(self.one(x))))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(1, 50, 3, padding=1)
        self.head = nn.Linear(4900, 10)

    def forward(self, x):
        return self.head(self.one(x).flatten(1))


@pytest.fixture
def without_haste(monkeypatch):
    monkeypatch.setattr(one_change, "SECONDS", 60.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exercise_id", "answer", "told"),
    [
        ("cross_correlate", ends_at_the_kernel, "`kh` and `kw` lack a term"),
        ("cross_correlate", one_window_short, "in `for i in range(rows - kh)`, "),
        ("output_size", without_parentheses, "`n + 2 * p - f` needs parentheses"),
        ("vgg_learning_rate", other_comparison, "in `return 2 * rate`, "),
        ("receptive_field", reset_too_rarely, "`kernel` is off by one"),
        ("error_rate", pair_of_values, "`max` is not the right function here"),
        ("fuse_filters", earlier_rounds_lost, "`=` replaces what earlier rounds left"),
        ("max_pool", largest_of_each_column, "`dim=1` does not name the dimensions"),
        ("lenet5_parameters", inputs_of_another_layer, "the 4900 in `4900 * 10` is not the number"),
        ("evaluate", scores_for_classes, "`scores` holds scores where the classes"),
        ("residual_block", InputNotAdded, "the `*` of `x * self.two"),
    ],
)
def test_the_one_thing_that_is_wrong_is_named(exercise_id, answer, told, without_haste):
    verdict = exercises.evaluate(exercise_id, answer)
    assert verdict.status in ("wrong", "error")
    closer = look_closer(exercises.get(exercise_id), answer, replace(verdict, misconception=None))
    assert closer.reason.startswith(f"{verdict.reason} One thing is wrong: ".lstrip())
    assert told in closer.reason


def test_a_check_tells_it(without_haste, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(exercises, "_QUICK", 60.0)
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    check.vgg_learning_rate(other_comparison)
    assert "One thing is wrong: in `return 2 * rate`, the 2 in `2 * rate`" in capsys.readouterr().out
    monkeypatch.setattr(exercises, "_QUICK", 0.0)
    check.vgg_learning_rate(other_comparison)
    assert "One thing is wrong" not in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_told_is_true():
    right = [
        change.sentence
        for change in changes(reset_too_rarely)
        if exercises.evaluate("receptive_field", change.answer).status == "correct"
    ]
    assert len(right) < 5 and any("`kernel` is off by one" in sentence for sentence in right)


def test_where_a_misconception_is_known_nothing_is_looked_for():
    known = exercises.get("output_size").misconceptions[0].wrong
    plainly = exercises.evaluate("output_size", known)
    assert plainly.misconception and exercises.evaluate("output_size", known, closely=True) == plainly


def test_two_things_that_are_wrong_are_not_told_as_one():
    def both(n, f, p=0, s=1):
        return (n + 3 * p - f - 7) // s

    assert "One thing is wrong" not in exercises.evaluate("output_size", both, closely=True).reason


CALLS: list[int] = []


def remembers(n, f, p=0, s=1):
    global CALLS
    CALLS = [*CALLS, n]
    return n - f


def counts_for_ever(n, f, p=0, s=1):
    steps = 0
    while steps < n - f:
        steps += 1
    return steps * 5


@pytest.mark.slow
def test_the_search_ends_and_leaves_the_notebook_as_it_was():
    began = time.process_time()
    assert exercises.evaluate("output_size", counts_for_ever, closely=True).status == "wrong"
    assert time.process_time() - began < 5
    exercises.evaluate("output_size", remembers, closely=True)
    # Changed copies have variables of their own; the answer itself runs once more, to find where it fails.
    assert len(CALLS) <= 2 * len(exercises.get("output_size").probes(0))


def test_no_network_of_another_size_is_tried():
    for _, network in changes(Network):
        try:
            shapes = {tuple(weight.shape) for weight in network().parameters()}
        except (NameError, AttributeError, TypeError):
            continue
        assert shapes <= {tuple(weight.shape) for weight in Network().parameters()}


def test_a_source_that_is_not_there_has_no_changes():
    assert list(changes(eval("lambda n: n"))) == []
    assert list(changes(max)) == []
    namespace = {"__name__": "lost"}
    exec("def lost(n):\n    return n", namespace)
    assert list(changes(namespace["lost"])) == []


def test_no_power_of_large_numbers_is_tried():
    def parameters():
        return 4096 + 4096 * 4096

    codes = [change.answer.__code__ for change in changes(parameters)]
    assert codes and not any(
        "**" in str(step.argrepr) for code in codes for step in dis.get_instructions(code)
    )
