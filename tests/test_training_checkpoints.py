"""Checkpoints: a run resumes where it stopped, to the last bit, and never from another run's state."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from training_data import Net, net, tiny_dataset, tiny_recipe

from course_utils import files
from course_utils.errors import TrainingError
from course_utils.training import Recipe, checkpoints, fit, loop
from course_utils.training.checkpoints import Checkpoint
from course_utils.training.display import Display


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def figures(history) -> list[tuple]:
    return [
        (each.epoch, each.learning_rate, each.train_loss, each.train_error, each.test_error)
        for each in history
    ]


@pytest.fixture
def folder(course_environment: Path) -> Path:
    return course_environment / "checkpoints"


def stop_in_epoch(
    number: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] = SystemExit
) -> None:
    """Let the kernel die in the middle of an epoch, counted from 1."""
    real, calls = loop.train_epoch, []

    def train_then_die(*arguments, **settings):
        calls.append(1)
        result = real(*arguments, **settings)
        if len(calls) == number:
            raise error
        return result

    monkeypatch.setattr(loop, "train_epoch", train_then_die)


def must_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "train_epoch", lambda *_, **__: pytest.fail("it trained"))


@pytest.mark.slow
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_bit(
    folder, monkeypatch, capsys, error
) -> None:
    recipe, dataset = tiny_recipe(epochs=4), tiny_dataset()
    whole = net(1)
    expected = fit(whole, dataset, recipe, show=False, checkpoint=False)

    with monkeypatch.context() as patch:
        stop_in_epoch(3, patch, error)
        first = net(1)
        with suppress(SystemExit):
            assert fit(first, dataset, recipe, show=False).interrupted
    torch.manual_seed(999)  # another kernel: other weights, another state of the global generator
    second = net(2)
    torch.rand(5)
    history = fit(second, dataset, recipe)
    assert "resuming: 2 of 4 epochs" in capsys.readouterr().out
    assert figures(history) == figures(expected)
    assert same(weights(second), weights(whole))
    assert not history.interrupted


@pytest.mark.slow
def test_a_finished_run_is_loaded_at_once(folder, monkeypatch, capsys) -> None:
    recipe, dataset = tiny_recipe(), tiny_dataset()
    trained = net()
    first = fit(trained, dataset, recipe, show=False)
    must_not_train(monkeypatch)
    model = net(5)
    again = fit(model, dataset, recipe)
    assert again.records == first.records
    assert (again.estimate, again.device) == (first.estimate, first.device)
    assert same(weights(model), weights(trained))
    out = capsys.readouterr().out
    assert "already trained: 3 of 3 epochs; fit(..., fresh=True) starts over." in out
    assert "≈" not in out


@pytest.mark.slow
def test_fresh_starts_over(folder) -> None:
    recipe, dataset = tiny_recipe(), tiny_dataset()
    fit(net(), dataset, recipe, show=False)
    model = net(5)
    history = fit(model, dataset, recipe, fresh=True, show=False)
    kept = net(6)
    assert (
        fit(kept, dataset, recipe, show=False).records == history.records
    )  # and takes the place of the old run
    assert same(weights(kept), weights(model))


@pytest.mark.slow
def test_without_checkpoints_nothing_is_written_or_read(folder) -> None:
    recipe, dataset = tiny_recipe(epochs=1), tiny_dataset()
    fit(net(), dataset, recipe, show=False, checkpoint=False)
    assert not folder.exists()
    fit(net(), dataset, recipe, show=False)
    model = net(5)
    fit(model, dataset, recipe, show=False, checkpoint=False)
    assert not same(weights(model), weights(torch_load_model(folder)))


def torch_load_model(folder: Path) -> nn.Module:
    model = Net()
    model.load_state_dict(torch.load(next(folder.glob("*.pt")), weights_only=True)["model"])
    return model


def test_a_finished_run_keeps_no_optimiser(folder) -> None:
    fit(net(), tiny_dataset(), tiny_recipe(epochs=1), show=False)
    assert torch.load(next(folder.glob("*.pt")), weights_only=True)["optimizer"] is None


def file_of(model: nn.Module, recipe: Recipe, digest: str) -> str:
    return Checkpoint.of(model, recipe, tiny_dataset(digest), Display()).path.name


def test_another_run_is_never_mistaken_for_this_one() -> None:
    class Corrected(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = nn.functional.avg_pool2d(torch.relu(self.norm(self.deep(torch.relu(self.conv(x))))), 2)
            return self.scores(self.drop(x.flatten(1)))

    Corrected.__name__, Corrected.__qualname__ = Net.__name__, Net.__qualname__
    recipe = tiny_recipe()
    model = net()
    other_dropout = net()
    other_dropout.drop.p = 0.5
    names = [
        file_of(model, recipe, "tiny"),
        file_of(model, replace(recipe, learning_rate=0.06), "tiny"),
        file_of(model, replace(recipe, name="other"), "tiny"),
        file_of(model, recipe, "other"),
        file_of(other_dropout, recipe, "tiny"),
        file_of(Corrected(), recipe, "tiny"),
        file_of(nn.Linear(3, 4), recipe, "tiny"),
        file_of(nn.Linear(4, 3), recipe, "tiny"),
    ]
    assert len(set(names)) == len(names)


def test_the_file_does_not_depend_on_the_weights() -> None:
    assert file_of(net(1), tiny_recipe(), "tiny") == file_of(net(2), tiny_recipe(), "tiny")


def test_a_class_defined_again_in_the_same_way_finds_its_run() -> None:
    source = (
        "class Again(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x if self.kind in {'a', 'b', 'c'} else [y for y in x]\n"
    )
    names = []
    for _ in range(2):
        space = {"nn": nn, "__name__": "__main__"}
        exec(source, space)
        names.append(file_of(space["Again"](), tiny_recipe(), "tiny"))
    assert names[0] == names[1]


class Trap:
    """What a hostile checkpoint would hold: unpickling it runs code."""

    sprung = False

    def __reduce__(self) -> tuple:
        return (setattr, (Trap, "sprung", True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", ["empty", "truncated", "garbage", "flipped", "foreign", "hostile", "old version"]
)
def test_a_damaged_checkpoint_is_reported_and_ignored(folder, capsys, damage: str) -> None:
    recipe, dataset = tiny_recipe(), tiny_dataset()
    expected = fit(net(), dataset, recipe, show=False)
    file = next(folder.glob("*.pt"))
    whole = file.read_bytes()
    match damage:
        case "empty":
            file.write_bytes(b"")
        case "truncated":
            file.write_bytes(whole[: len(whole) // 2])
        case "garbage":
            file.write_bytes(b"not a checkpoint at all" * 50)
        case "flipped":
            stored = torch_load_model(folder).conv.weight.detach().numpy().tobytes()
            assert stored in whole
            file.write_bytes(whole.replace(stored, bytes([stored[0] ^ 1]) + stored[1:]))
        case "foreign":
            torch.save({"version": checkpoints.VERSION, "model": {}}, file)
        case "hostile":
            file.write_bytes(pickle.dumps(Trap()))
        case "old version":
            torch.save({**torch.load(file, weights_only=True), "version": 0}, file)
    model = net()
    history = fit(model, dataset, recipe)
    assert not Trap.sprung
    assert f"The checkpoint {file.name} cannot be read and is ignored" in capsys.readouterr().out
    assert figures(history) == figures(expected)
    assert fit(net(3), dataset, recipe, show=False).records == history.records  # mended


@pytest.mark.slow
def test_a_damaged_checkpoint_is_reported_in_a_silent_run_too(folder) -> None:
    fit(net(), tiny_dataset(), tiny_recipe(epochs=1), show=False)
    next(folder.glob("*.pt")).write_bytes(b"")
    with pytest.warns(UserWarning, match="cannot be read and is ignored"):
        fit(net(), tiny_dataset(), tiny_recipe(epochs=1), show=False)


@pytest.mark.slow
def test_an_interrupted_write_leaves_the_last_checkpoint_whole(folder, monkeypatch) -> None:
    recipe, dataset = tiny_recipe(epochs=3), tiny_dataset()
    real, calls = torch.save, []

    def save_and_die(state, file):
        calls.append(1)
        if len(calls) == 2:
            file.write(b"half")
            raise SystemExit
        real(state, file)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save_and_die)
        with pytest.raises(SystemExit):
            fit(net(), dataset, recipe, show=False)
    assert [file.suffix for file in folder.iterdir()] == [".pt"]
    assert len(torch.load(next(folder.glob("*.pt")), weights_only=True)["records"]) == 1


def test_a_folder_that_cannot_be_written_is_reported_once_and_training_continues(
    course_environment, capsys
) -> None:
    course_environment.mkdir()
    (course_environment / "checkpoints").write_text("a file where the folder should be")
    history = fit(net(), tiny_dataset(), tiny_recipe())
    assert len(history) == 3
    assert capsys.readouterr().out.count("No checkpoint can be written") == 1


# All or nothing.


def interrupted(monkeypatch, folder: Path) -> Path:
    """Train two of four epochs and return the checkpoint."""
    with monkeypatch.context() as patch:
        stop_in_epoch(3, patch)
        with suppress(SystemExit):
            fit(net(1), tiny_dataset(), tiny_recipe(epochs=4), show=False, checkpoint=folder)
    return next(folder.glob("*.pt"))


NUMBERS = ("epoch", "learning_rate", "train_loss", "train_error", "test_error", "seconds", "test_seconds")
WRONG = {
    **{f"no {name}": {name: ...} for name in ("version", *checkpoints.CONTENT)},
    **{f"{name} is None": {name: None} for name in ("version", *checkpoints.CONTENT)},
    **{f"{name} is a number": {name: 5} for name in ("version", *checkpoints.CONTENT)},
    **{f"{name} is empty": {name: {}} for name in ("records", "model", "optimizer", "random", "estimate")},
    "a generator of a GPU": {"generator": torch.zeros(16, dtype=torch.uint8)},
    "a generator of another type": {"generator": torch.zeros(5056)},
    "another generator": {"random": {"cpu": torch.zeros(16, dtype=torch.uint8), "cuda": []}},
    "an optimiser without momentum": {"optimizer": {"state": {}, "param_groups": []}},
    "an optimiser of another kind": {"optimizer": {"state": {0: {"velocity": torch.zeros(8, 1, 3, 3)}}}},
    "momentum of another shape": {"optimizer": {"state": {0: {"momentum_buffer": torch.zeros(3)}}}},
    "momentum of a weight too many": {"optimizer": {"state": {99: {"momentum_buffer": torch.zeros(3)}}}},
    "records with other names": {"records": [{"loss": 1.0}]},
    "records that are no numbers": {"records": [dict.fromkeys(NUMBERS, "x")]},
    "weights of another model": {"model": nn.Linear(2, 2).state_dict()},
    "half of the weights": {"model": dict(list(Net().state_dict().items())[:3])},
}  # fmt: skip


@pytest.fixture(scope="module")
def two_of_four(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        file = interrupted(patch, folder)
    whole = net(1)
    history = fit(whole, tiny_dataset(), tiny_recipe(epochs=4), show=False, checkpoint=False)
    return {"name": file.name, "content": torch.load(file, weights_only=True), "weights": weights(whole),
            "figures": figures(history)}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_a_checkpoint_is_loaded_as_a_whole_or_not_at_all(two_of_four, tmp_path, capsys, wrong: str) -> None:
    content = {**two_of_four["content"], **WRONG[wrong]}
    torch.save(
        {name: value for name, value in content.items() if value is not ...}, tmp_path / two_of_four["name"]
    )
    model = net(1)
    history = fit(model, tiny_dataset(), tiny_recipe(epochs=4), checkpoint=tmp_path)
    said = capsys.readouterr().out
    if wrong.startswith(("device", "machine", "parts")):  # words, which decide nothing
        assert "resuming" in said
        return
    assert "cannot be read and is ignored" in said
    assert figures(history) == two_of_four["figures"]
    assert same(weights(model), two_of_four["weights"])


def test_an_ignored_checkpoint_leaves_optimiser_and_generators_as_they_were(two_of_four, tmp_path) -> None:
    content = {**two_of_four["content"], "random": {"cpu": torch.zeros(16, dtype=torch.uint8), "cuda": []}}
    model, recipe = net(1), tiny_recipe(epochs=4)
    saved = Checkpoint.of(model, recipe, tiny_dataset(), Display(), tmp_path)
    torch.save(content, saved.path)
    optimizer = recipe.make_optimizer(model)
    generator = torch.Generator().manual_seed(5)
    before = generator.get_state(), torch.get_rng_state(), weights(model)
    history = checkpoints.History.begin(model, tiny_dataset(), recipe, device="", machine="")
    with pytest.warns(UserWarning, match="ignored"):
        assert not saved.load(model, optimizer, generator, history)
    assert not optimizer.state and not history.records
    assert torch.equal(generator.get_state(), before[0]) and torch.equal(torch.get_rng_state(), before[1])
    assert same(weights(model), before[2])


# Files and folders.


def test_what_killed_runs_left_is_swept_and_what_others_write_is_not(tmp_path, monkeypatch) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    # On a home that machines share, a number that is no process here may be one that writes elsewhere.
    elsewhere = tmp_path / f"tiny-0123.pt.{killed.pid}-0123abcd.new"
    old = tmp_path / f"tiny-0123.pt.{killed.pid}-0123abce.new"
    strange = tmp_path / "notes.new"
    for file in (elsewhere, old, strange):
        file.write_bytes(b"")
    for file in (old, strange):
        os.utime(file, (time.time() - 90_000,) * 2)
    fit(net(), tiny_dataset(), tiny_recipe(epochs=1), show=False, checkpoint=tmp_path)
    left = {file.name for file in tmp_path.iterdir() if file.suffix != ".pt"}
    assert left == {elsewhere.name, strange.name}


def test_a_tilde_is_home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fit(net(), tiny_dataset(), tiny_recipe(epochs=1), show=False, checkpoint="~/x")
    assert len(list((tmp_path / "x").glob("*.pt"))) == 1
    assert not (tmp_path / "~").exists()


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(TrainingError, match="no user of that name"):
        fit(net(), tiny_dataset(), tiny_recipe(epochs=1), checkpoint="~nobody-by-this-name/x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_is_said_once_in_plain_words_and_training_goes_on(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(files, "create", lambda path: open("/dev/full", "r+b", buffering=0))  # noqa: SIM115
    monkeypatch.setattr(files, "settle", lambda file: None)
    history = fit(net(), tiny_dataset(), tiny_recipe(epochs=2), checkpoint=tmp_path)
    assert len(history) == 2
    said = capsys.readouterr().out
    assert said.count("No checkpoint can be written") == 1
    assert "No space left on device" in said and "training goes on" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "/proc/no/such", "/dev/null/x"])
def test_a_folder_that_cannot_be_is_said_before_training_which_goes_on(name: str, capsys) -> None:
    history = fit(net(), tiny_dataset(), tiny_recipe(epochs=2), checkpoint=name)
    assert len(history) == 2
    said = capsys.readouterr().out
    assert said.count("No checkpoint can be written") == 1
    assert said.index("No checkpoint can be written") < said.index("epoch  1/2")


def test_a_model_that_cannot_be_stored_trains(tmp_path, capsys) -> None:
    class Strange(Net):
        def get_extra_state(self) -> object:
            return lambda: None

        def set_extra_state(self, state: object) -> None:
            pass

    assert len(fit(Strange(), tiny_dataset(), tiny_recipe(epochs=2), checkpoint=tmp_path)) == 2
    assert capsys.readouterr().out.count("No checkpoint can be written") == 1


@pytest.mark.slow
def test_checkpoints_are_in_the_courses_data_folder_under_the_recipes_name(folder) -> None:
    fit(net(), tiny_dataset(), tiny_recipe(name="My Recipe, 2×"), show=False)
    assert [file.name.rpartition("-")[0] for file in folder.iterdir()] == ["my-recipe-2"]
