"""What a run depends on: every edit that can change its result is seen, and no other.

The edits were listed before the code that reads them.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from training_data import Net, net, tiny_dataset, tiny_recipe

from course_utils.training import fit
from course_utils.training.fingerprint import Fingerprint

NOTEBOOK = '''
import enum, functools, threading
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SCALE = 2.0
UNUSED = 1
TABLE = torch.linspace(0, 1, 2000)
NUMBERS = np.linspace(0, 1, 2000)
SETTINGS = {"a": [1, 2, 3], "b": {"c": 0.5}, "kinds": {"x", "y", "z"}}
LAYERS = {"act": lambda x: x * 2}
POOL = F.max_pool2d

@dataclass
class Config:
    slope: float = 0.1
    sizes: tuple = (1, 2)

CONFIG = Config()

class Mode(enum.Enum):
    FAST = 1
    SLOW = 2

MODE = Mode.FAST

def inner(x):
    return x + 1

def helper(x, shift=1, *, factor=2):
    """Shift."""
    return inner(x) * factor + shift  # then

def make(power):
    def act(x):
        return x ** power
    return act

ACT = make(2)

def doubled(function):
    @functools.wraps(function)
    def wrapper(x):
        return 2 * function(x)
    return wrapper

@doubled
def decorated(x):
    return x - 3

def countdown(n):
    return 0 if n == 0 else countdown(n - 1)

class Curve:
    def __init__(self):
        self.slope = 0.3
    def __call__(self, x):
        return self.slope * x

CURVE = Curve()

class Slotted:
    __slots__ = ("width",)
    def __init__(self):
        self.width = 7

SLOTTED = Slotted()

class Sign(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.sign()
    @staticmethod
    def backward(context, gradient):
        return gradient * 1.5

class Base(nn.Module):
    def scaled(self, x):
        return x * 0.5
    def forward(self, x):
        return x * 11

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
    def forward(self, x):
        return torch.relu(self.conv(x))

class Net(Base):
    shift = 0.25
    def __init__(self, act=F.relu):
        super().__init__()
        self.block = Block()
        self.drop = nn.Dropout(0.1)
        self.leaky = nn.LeakyReLU(0.1)
        self.fc = nn.Linear(64, 4)
        self.act = act
        self.soft = functools.partial(F.leaky_relu, negative_slope=0.01)
        self.level = 3
        self.names = ["one", "two"]
        self.register_buffer("mask", torch.ones(8))
        self.register_buffer("hidden", torch.zeros(8), persistent=False)
    @property
    def gain(self):
        return 1.5
    @staticmethod
    def twice(x):
        return x + x
    @classmethod
    def plus(cls, x):
        return x + cls.shift
    def features(self, x):
        return self.leaky(self.block(x))
    def forward(self, x):
        """Score."""
        x = super().forward(x)
        x = self.scaled(self.twice(self.plus(getattr(self, "fea" + "tures")(x)))) * self.gain
        x = helper(x) * SCALE + TABLE.sum() + NUMBERS.sum() + SETTINGS["b"]["c"] + CONFIG.slope
        x = LAYERS["act"](POOL(x, 1)) + ACT(x) + decorated(x) + CURVE(x) + SLOTTED.width
        x = [y for y in [x] if SETTINGS["kinds"]][0] + countdown(3) + (lambda z: z * 5)(x)
        if MODE is Mode.FAST and self.level in {1, 2, 3}:
            x = Sign.apply(self.soft(self.act(x)))
        return self.fc(self.drop(x.flatten(1)))

def train_step(model, images, labels, criterion, optimizer):
    optimizer.zero_grad()
    loss = criterion(model(images), labels) + penalty(model)
    loss.backward()
    optimizer.step()
    return loss.item()

def penalty(model):
    return 0.0

def rate(epoch):
    return 0.1 if epoch < START else 0.05

START = 1
model = Net()
'''

RETRAIN = {
    "forward": ("x.flatten(1)", "x.flatten(1) + 1"),
    "a method that forward calls": ("self.leaky(self.block(x))", "self.block(self.leaky(x))"),
    "a property": ("return 1.5", "return 1.6"),
    "a static method": ("return x + x\n", "return x - x\n"),
    "a class method": ("x + cls.shift", "x - cls.shift"),
    "a helper": ("inner(x) * factor + shift", "inner(x) * factor - shift"),
    "the helper of a helper": ("return x + 1", "return x + 2"),
    "a number": ("SCALE = 2.0", "SCALE = 3.0"),
    "a number's type": ("SCALE = 2.0", "SCALE = 2"),
    "a sign": ("SCALE = 2.0", "SCALE = -2.0"),
    "one value in the middle of a tensor": (
        "TABLE = torch.linspace(0, 1, 2000)",
        "TABLE = torch.linspace(0, 1, 2000); TABLE[1000] += 1e-6",
    ),
    "one value in the middle of an array": (
        "NUMBERS = np.linspace(0, 1, 2000)",
        "NUMBERS = np.linspace(0, 1, 2000); NUMBERS[1000] += 1e-9",
    ),
    "a list in a dict": ("[1, 2, 3], ", "[1, 2, 4], "),
    "a tuple for a list": ("[1, 2, 3], ", "(1, 2, 3), "),
    "a dict in a dict": ('{"c": 0.5}', '{"c": 0.6}'),
    "a set": ('{"x", "y", "z"}', '{"x", "y", "w"}'),
    "a function in a dict": ("lambda x: x * 2", "lambda x: x * 3"),
    "which of PyTorch's functions": ("POOL = F.max_pool2d", "POOL = F.adaptive_max_pool2d"),
    "an object's attribute by default": ("slope: float = 0.1", "slope: float = 0.2"),
    "an object's attribute": ("CONFIG = Config()", "CONFIG = Config(slope=0.3)"),
    "an enumeration's member": ("MODE = Mode.FAST", "MODE = Mode.SLOW"),
    "what a closure holds": ("ACT = make(2)", "ACT = make(3)"),
    "the code of a closure": ("return x ** power", "return -x ** power"),
    "a decorated function": ("return x - 3", "return x - 4"),
    "a decorator": ("return 2 * function(x)", "return 3 * function(x)"),
    "a function that calls itself": ("countdown(n - 1)", "countdown(n - 1) + 1"),
    "an object that can be called": ("return self.slope * x", "return self.slope + x"),
    "its attribute": ("self.slope = 0.3", "self.slope = 0.4"),
    "a slot": ("self.width = 7", "self.width = 8"),
    "a gradient": ("gradient * 1.5", "gradient * 2.5"),
    "the method of a base class": ("return x * 0.5", "return x * 0.6"),
    "what super() calls": ("return x * 11", "return x * 12"),
    "the forward of a part": ("torch.relu(self.conv(x))", "torch.tanh(self.conv(x))"),
    "an attribute of the class": ("shift = 0.25", "shift = 0.75"),
    "a default argument": ("x, shift=1, *", "x, shift=2, *"),
    "a keyword's default": ("*, factor=2", "*, factor=3"),
    "an activation": ("act=F.relu", "act=F.gelu"),
    "an activation of another kind": ("act=F.relu", "act=torch.relu"),
    "the argument of a partial": ("negative_slope=0.01", "negative_slope=0.02"),
    "the rate of dropout": ("nn.Dropout(0.1)", "nn.Dropout(0.2)"),
    "the slope of LeakyReLU": ("nn.LeakyReLU(0.1)", "nn.LeakyReLU(0.2)"),
    "a padding": ("nn.Conv2d(1, 1, 3, padding=1)", "nn.Conv2d(1, 1, 5, padding=2)"),
    "an attribute": ("self.level = 3", "self.level = 4"),
    "an attribute True for 1": ("self.level = 3", "self.level = True"),
    "an attribute in a list": ('["one", "two"]', '["one", "three"]'),
    "a buffer": ("torch.ones(8)", "torch.ones(8) * 2"),
    "a buffer that is not saved": ("torch.zeros(8)", "torch.ones(8)"),
    "the code in a comprehension": ('SETTINGS["kinds"]][0]', 'SETTINGS["a"]][0]'),
    "the code in a lambda": ("z * 5", "z * 6"),
    "a constant set": ("in {1, 2, 3}", "in {1, 2, 5}"),
    "the training step": ("loss.backward()\n", "(2 * loss).backward()\n"),
    "the training step's helper": ("return 0.0", "return 0.1"),
    "the learning rate": ("else 0.05", "else 0.06"),
    "what the learning rate uses": ("START = 1", "START = 2"),
    "a name that is defined now": (
        "UNUSED = 1",
        "UNUSED = 1\ndef getattr(*a): return object.__getattribute__(*a)",
    ),
    "a frozen weight": ("model = Net()", "model = Net(); model.fc.bias.requires_grad_(False)"),
    "the weights' type": ("model = Net()", "model = Net().double()"),
    "a hook": ("model = Net()", "model = Net(); model.fc.register_forward_hook(lambda m, i, o: o * 2)"),
    "a hook before": ("model = Net()", "model = Net(); model.register_forward_pre_hook(lambda m, i: i)"),
    "a weight's hook": ("model = Net()", "model = Net(); model.fc.weight.register_hook(lambda g: g * 2)"),
    "another forward for the object": (
        "model = Net()",
        "model = Net(); model.forward = lambda x: model.fc(x.flatten(1))",
    ),
    "another forward for the class": (
        "model = Net()",
        "model = Net(); Net.forward = lambda self, x: self.fc(x.flatten(1))",
    ),
    "a parametrisation": ("model = Net()", "model = Net(); nn.utils.parametrizations.weight_norm(model.fc)"),
    "a call that is looked up": (
        "    def features",
        "    def __getattr__(self, n): return super().__getattr__(n)\n    def features",
    ),
    "tied weights": (
        "model = Net()",
        "model = Net(); model.fc2 = nn.Linear(64, 4); model.fc2.weight = model.fc.weight",
    ),
}

KEEP = {
    "the same again": ("", ""),
    "a comment": ("# then", "# and then"),
    "a comment more": ("return x + 1", "# one more\n    return x + 1"),
    "blank lines": ("\ndef inner", "\n\n\n\ndef inner"),
    "a docstring": ('"""Shift."""', '"""Shift it."""'),
    "a docstring of forward": ('"""Score."""', '"""Score it."""'),
    "no docstring": ('        """Score."""\n', ""),
    "a line break": ("inner(x) * factor + shift", "(inner(x) * factor\n        + shift)"),
    "a space": ("return x - 3", "return  x-3"),
    "a variable that nothing uses": ("UNUSED = 1", "UNUSED = 2"),
    "a variable by the name of an attribute": ("UNUSED = 1", "fc = features = level = mask = 5"),
    "what was defined in another order": ("UNUSED = 1", "START = 5; ACT = None"),
    "the mode": ("model = Net()", "model = Net().eval()"),
    "the weights": ("model = Net()", "model = Net(); nn.init.zeros_(model.fc.weight)"),
    "gradients that are left": ("model = Net()", "model = Net(); model.fc.weight.sum().backward()"),
    "a handle that is kept": (
        "self.level = 3",
        "self.level = 3; self.handle = self.register_forward_hook(print); self.handle.remove()",
    ),
}


def notebook(source: str = NOTEBOOK) -> dict:
    space = {"__name__": "__main__"}
    exec(compile(source, "<ipython-input-1>", "exec"), space)
    return space


def read(source: str = NOTEBOOK) -> Fingerprint:
    space = notebook(source)
    return Fingerprint(space["model"], {"train_step": space["train_step"], "learning_rate": space["rate"]})


@pytest.fixture(scope="module")
def before() -> Fingerprint:
    return read()


@pytest.mark.slow
@pytest.mark.parametrize("edit", RETRAIN)
def test_what_can_change_the_result_is_another_run(edit: str, before: Fingerprint) -> None:
    old, new = RETRAIN[edit]
    assert NOTEBOOK.count(old) == 1
    after = read(NOTEBOOK.replace(old, new))
    assert after.key != before.key
    assert "the last run" in after.difference(before.parts)
    assert not after.doubts


@pytest.mark.parametrize("edit", KEEP)
def test_what_cannot_change_the_result_is_the_same_run(edit: str, before: Fingerprint) -> None:
    old, new = KEEP[edit]
    assert not old or NOTEBOOK.count(old) == 1
    source = NOTEBOOK.replace(old, new) if old else NOTEBOOK
    if edit == "a handle that is kept":
        before = read(source)
    after = read(source)
    assert after.difference(before.parts) == ""
    assert after.key == before.key


def test_the_sentence_names_what_has_changed(before: Fingerprint) -> None:
    def said(old: str, new: str) -> str:
        return read(NOTEBOOK.replace(old, new)).difference(before.parts)

    assert said(*RETRAIN["a method that forward calls"]) == "`Net.features` has changed since the last run"
    assert said(*RETRAIN["the helper of a helper"]) == "`inner` has changed since the last run"
    assert said(*RETRAIN["a number"]) == "`SCALE` has changed since the last run"
    assert said(*RETRAIN["an attribute"]).startswith("`model.level` ")
    assert said(*RETRAIN["a buffer"]) == "`model.mask` and 1 more have changed since the last run"  # __init__
    assert said(*RETRAIN["an attribute of the class"]) == "`Net.shift` has changed since the last run"


@pytest.mark.slow
def test_another_process_with_another_hash_seed_finds_the_run(before: Fingerprint) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/support'); sys.path.insert(0, 'tests')\n"
        "from test_training_fingerprint import read\nprint(read().key)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == before.key


def test_code_that_has_run_often_is_the_same_code() -> None:
    """Python writes faster instructions into code that runs often."""
    space = notebook()
    before = Fingerprint(space["model"])
    for _ in range(300):
        space["helper"](1), space["countdown"](5)
    space["model"](torch.zeros(2, 1, 8, 8))
    assert Fingerprint(space["model"]).parts == before.parts


def test_the_course_and_libraries_are_not_read_further() -> None:
    found = Fingerprint(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), {"evaluate": fit})
    assert not any("load_dataset" in name or "torch" in name for name in found.parts)


def test_a_module_of_ones_own_is_read_where_it_is_used(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "my_helpers_of_a_test.py"
    file.write_text("WIDTH = 3\nOTHER = 1\ndef act(x):\n    return x * WIDTH\n", encoding="utf-8")
    source = (
        "import my_helpers_of_a_test as h\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def forward(self, x):\n        return h.act(x)\nmodel = Net()\n"
    )
    keys = []
    for old, new in (("", ""), ("OTHER = 1", "OTHER = 2"), ("WIDTH = 3", "WIDTH = 4"), ("x * W", "x + W")):
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        importlib.invalidate_caches()
        if (module := sys.modules.get(file.stem)) is not None:
            importlib.reload(module)
        keys.append(Fingerprint(notebook(source)["model"]).key)
    monkeypatch.delitem(sys.modules, file.stem)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


class Holder(nn.Module):
    """A model that holds a value."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value
        self.fc = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


@pytest.mark.parametrize("kind", ["generator", "lock", "file", "too deep", "raises"])
def test_what_cannot_be_read_is_said(kind: str) -> None:
    class Raises:
        @property
        def __dict__(self) -> dict:
            raise RuntimeError

    deep: list = []
    for _ in range(5000):
        deep = [deep]
    with open(os.devnull, encoding="utf-8") as file:
        values = {
            "generator": (x for x in ()),
            "lock": threading.Lock(),
            "file": file,
            "too deep": deep,
            "raises": Raises(),
        }
        model = Holder(values[kind])
        found, again = Fingerprint(model), Fingerprint(model)
    assert list(found.doubts) == ["model.value"]
    assert "`model.value` cannot be compared: it holds a" in found.difference(again.parts)


def test_values_that_contain_themselves_or_share_much_are_read_in_a_moment() -> None:
    endless: list = [1]
    endless.append(endless)
    shared: list = [1]
    for _ in range(60):
        shared = [shared, shared]
    begun = time.monotonic()
    for value in (endless, shared, {"me": endless}, torch.zeros(5_000_000)):
        assert Fingerprint(Holder(value)).key == Fingerprint(Holder(value)).key
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "first, second",
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("1", 1),
        ([1, 2], (1, 2)),
        ([1, [2]], [1, 2]),
        (["ab"], ["a", "b"]),
        ({1: 2}, {2: 1}),
        (b"a", "a"),
        (float("nan"), 0.0),
        (torch.zeros(2), torch.zeros(2, 1)),
        (torch.tensor([1.00000]), torch.tensor([1.00001])),
        (torch.zeros(2), torch.zeros(2).double()),
        (10**5000, 10**5000 + 1),
    ],
    ids=range(14),
)
def test_values_that_look_alike_are_told_apart(first: object, second: object) -> None:
    assert Fingerprint(Holder(first)).key != Fingerprint(Holder(second)).key
    assert Fingerprint(Holder(first)).key == Fingerprint(Holder(first)).key


# What fit makes of it.


def edited(old: str = "", new: str = "") -> dict:
    source = NOTEBOOK.replace(old, new) if old else NOTEBOOK
    torch.manual_seed(0)
    return notebook(source)


def train(space: dict, tmp_path: Path, **options: object):
    torch.manual_seed(0)
    recipe = tiny_recipe(epochs=1, learning_rate=1e-6, momentum=0.0, nesterov=False)
    settings = {"train_step": space["train_step"], "learning_rate": space["rate"], **options}
    return fit(space["model"], tiny_dataset(), recipe, checkpoint=tmp_path, **settings)


@pytest.mark.slow
def test_a_mended_method_trains_anew_and_says_why_and_taken_back_it_is_found_again(tmp_path, capsys) -> None:
    train(edited(), tmp_path)
    assert "anew" not in capsys.readouterr().out
    train(edited(), tmp_path)
    assert "already trained" in capsys.readouterr().out
    train(edited(*RETRAIN["a method that forward calls"]), tmp_path)
    said = capsys.readouterr().out
    assert "training anew: `Net.features` has changed since the last run." in said
    assert "already trained" not in said and "epoch  1/1" in said
    train(edited(*KEEP["a comment"]), tmp_path)
    assert "already trained" in capsys.readouterr().out


class Counting(Net):
    """It counts its calls, keeps what it saw, and has a buffer that moves."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen = x
        if self.training:
            self.mean += 0.1 * (x.mean().detach() - self.mean)
        return super().forward(x)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Net, Counting])
def test_the_same_model_again_and_a_new_one_are_already_trained(kind: type, tmp_path, capsys) -> None:
    model = kind()
    for each in (model, model, kind(), model.eval(), kind()):
        fit(each, tiny_dataset(), tiny_recipe(epochs=1), checkpoint=tmp_path)
    assert capsys.readouterr().out.count("already trained") == 4
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_what_cannot_be_compared_trains_anew_and_says_why(tmp_path, capsys) -> None:
    for _ in range(2):
        model = net()
        model.lock = threading.Lock()
        fit(model, tiny_dataset(), tiny_recipe(epochs=1), checkpoint=tmp_path)
    said = capsys.readouterr().out
    assert "already trained" not in said
    assert said.count("training anew: `model.lock` cannot be compared: it holds a lock.") == 1


@pytest.mark.slow
@pytest.mark.parametrize("change", ["images", "labels", "std"])
def test_changed_data_are_another_run(change: str, tmp_path, capsys) -> None:
    from dataclasses import replace

    dataset = tiny_dataset()
    fit(net(), dataset, tiny_recipe(epochs=1), checkpoint=tmp_path)
    value = {"images": 255 - dataset.train.images, "labels": dataset.train.labels.flip(0), "std": 0.3}
    other = replace(dataset, train=replace(dataset.train, **{change: value[change]}))
    fit(net(), other, tiny_recipe(epochs=1), checkpoint=tmp_path)
    said = capsys.readouterr().out
    assert "already trained" not in said
    assert "training anew: `data` has changed since the last run." in said
