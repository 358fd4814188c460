"""Checkpoints: the state of a training run after each epoch, so that it can resume where it stopped."""

from __future__ import annotations

import copy
import math
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor, nn

from course_utils import settings
from course_utils.data.dataset import Dataset
from course_utils.errors import TrainingError
from course_utils.files import check_place, published, tidy
from course_utils.training.display import Display
from course_utils.training.epochs import EpochRecord
from course_utils.training.fingerprint import Fingerprint, digest_of
from course_utils.training.history import History
from course_utils.training.muon import Muon
from course_utils.training.preparation import copied_state
from course_utils.training.recipes import Recipe

VERSION = 4
CONTENT = ("records", "estimate", "device", "machine", "model", "optimizer", "generator", "random", "parts")
"""What a checkpoint holds, beside its version."""

_left: WeakKeyDictionary[nn.Module, tuple[Path, dict[str, str], dict[str, str]]] = WeakKeyDictionary()
"""For each model that `fit` trained here: its run's file and parts, and the parts after training."""


@dataclass
class Checkpoint:
    """One run's file.

    Attributes
    ----------
    path : Path
        Where it is; its name ends with a digest of what the run depends on.
    parts : dict of str to str
        What the run depends on: see `Fingerprint`. The initial weights are not part of it, or a restarted
        kernel would not find its run again. Runs that differ only in them need recipes with different names.
    beside : dict of str to value
        What it depends on beside the model.
    display : Display
        Shows what is wrong with the file, which is not a reason to stop training.
    news : str
        Why the last run of the same network with the same recipe and data is not this one, if there is one.
    usable : bool
        Whether the last attempt to write succeeded; a failed one is not repeated.
    """

    path: Path
    parts: dict[str, str]
    beside: dict[str, Any]
    display: Display
    news: str = ""
    usable: bool = True

    @classmethod
    def of(
        cls,
        model: nn.Module,
        recipe: Recipe,
        dataset: Dataset,
        display: Display,
        folder: str | os.PathLike[str] | None = None,
        code: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Checkpoint:
        """Find the file of a run, by default in the course's data folder."""
        place = settings.read().checkpoints_dir if folder is None else checkpoint_folder(folder)
        beside = {"recipe": recipe, "data": _content_of(dataset), **(code or {})}
        found = Fingerprint(model, beside)
        with suppress(KeyError, TypeError):  # a model may compare by value, which WeakKeyDictionary refuses
            path, parts, left = _left[model]
            if left == found.parts and not found.doubts and path.parent == place:
                return cls(path, parts, beside, display)
        name = re.sub(r"[^a-z0-9]+", "-", recipe.name.lower()).strip("-")[:64]
        begin = f"{name}-{_kind_of_run(model, recipe, dataset)[:8]}"
        path = place / f"{begin}{found.key[:12]}.pt"
        return cls(path, found.parts, beside, display, news=_news(path, begin, found))

    def prepare(self) -> None:
        """Make the folder, remove what killed runs left there, and say before training if that fails."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            tidy(self.path.parent, "", "*.pt.*-*.new")
            check_place(self.path)
        except (OSError, ValueError) as error:
            self._give_up(error)

    def save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, history: History
    ) -> None:
        """Write the state after an epoch, whole or not at all. A full disk is reported, not raised."""
        if not self.usable:
            return
        state = {
            "version": VERSION,
            "parts": self.parts,
            "records": [asdict(record) for record in history],
            "estimate": (history.estimate, history.test_estimate),
            "device": history.device,
            "machine": history.machine,
            "model": model.state_dict(),
            # A finished run is never resumed: keep the file small.
            "optimizer": None if history.complete else optimizer.state_dict(),
            "generator": generator.get_state(),
            "random": random_state(),
        }
        try:
            with published(self.path) as file:
                torch.save(state, file)
        except Exception as error:  # the model may hold what cannot be stored
            self._give_up(error)

    def load(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, history: History
    ) -> bool:
        """Restore all four from a sound checkpoint, or leave them alone; return whether there was one."""
        with suppress(OSError, ValueError):
            if not self.path.exists():
                return False
        before = (copied_state(model), copy.deepcopy(optimizer.state_dict()),
                  generator.get_state(), random_state())  # fmt: skip
        try:
            state = _read(self.path)
            records = _records(state["records"], history)
            if state["optimizer"] is None and records[-1].epoch < history.recipe.epochs:
                raise ValueError("it lacks the state of the optimiser")
            estimate, test_estimate = (None if part is None else float(part) for part in state["estimate"])
            model.load_state_dict(state["model"])
            if state["optimizer"] is not None:
                _load_optimizer(optimizer, state["optimizer"])
            generator.set_state(state["generator"])
            restore_random_state(state["random"])
        except Exception as error:  # whatever a truncated, foreign or outdated file leads to
            model.load_state_dict(before[0])
            optimizer.load_state_dict(before[1])
            generator.set_state(before[2])
            restore_random_state(before[3])
            self.display.warn(
                f"The checkpoint {self.path.name} cannot be read and is ignored ({_one_line(error)})."
            )
            return False
        history.records[:] = records
        history.estimate, history.test_estimate = estimate, test_estimate or 0.0
        history.device, history.machine = str(state["device"]), str(state["machine"])
        return True

    def remember(self, model: nn.Module) -> None:
        """Note how training left a model, to find its run again: an attribute may count the calls."""
        with suppress(TypeError):
            _left[model] = self.path, self.parts, Fingerprint(model, self.beside).parts

    def _give_up(self, error: BaseException) -> None:
        if self.usable:
            self.usable = False
            self.display.warn(
                f"No checkpoint can be written to {self.path.parent} ({_cause(error)}); training goes on."
            )


def checkpoint_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder that a reader names; ``~`` is their home.

    Raises
    ------
    TrainingError
        If there is no such home.
    """
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise TrainingError(
            f"The folder {os.fspath(folder)!r} for checkpoints is not known.",
            why="There is no user of that name.",
            next_step='Write the whole path, or "~/…" for your own home.',
        ) from None


def _content_of(dataset: Dataset) -> str:
    """Return a digest of the images themselves: the dataset's own does not see what was changed since."""
    texts: list[str | memoryview] = []
    for half in (dataset.train, dataset.test):
        texts.append(f"{half.mean} {half.std} {tuple(half.images.shape)} {half.images.dtype}")
        texts += [part.cpu().contiguous().numpy().data for part in (half.images, half.labels)]
    return digest_of(*texts)


def _kind_of_run(model: nn.Module, recipe: Recipe, dataset: Dataset) -> str:
    """Return a digest of layers, recipe and data, by which runs of changed code are still alike."""
    layers = [f"{name} {type(module).__qualname__}" for name, module in model.named_modules()]
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(recipe))
    return digest_of(text, dataset.digest, *layers)


def _news(path: Path, begin: str, found: Fingerprint) -> str:
    try:
        if path.exists() and not found.doubts:
            return ""
        others = sorted(path.parent.glob(f"{begin}????????????.pt"), key=lambda other: other.stat().st_mtime)
        if not others:
            return ""
        earlier = torch.load(others[-1], map_location="cpu", weights_only=True, mmap=True)["parts"]
        return found.difference(earlier)
    except Exception:  # a damaged file
        return found.difference(found.parts)


def _read(path: Path) -> dict[str, Any]:
    # torch.load does not compare the checksums that torch.save writes.
    with ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise BadZipFile(f"{damaged} has a wrong checksum")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or "version" not in state:
        raise ValueError("it is no checkpoint of this course")
    if state["version"] != VERSION:
        raise ValueError(f"it has version {state['version']}, this course writes {VERSION}")
    if missing := [name for name in CONTENT if name not in state]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return state


def _records(saved: Any, history: History) -> list[EpochRecord]:
    records = [EpochRecord(**record) for record in saved]
    epochs = [min(number, history.recipe.epochs) for number in range(1, len(records) + 1)]
    numbers = [value for record in records for value in (*vars(record).values(), *record.losses)
               if value is not record.losses]  # fmt: skip
    if (
        not 0 < len(records) <= math.ceil(history.recipe.epochs)
        or [record.epoch for record in records] != epochs
        or not all(map(math.isfinite, numbers))
    ):
        raise ValueError("its records are not those of the recipe's epochs")
    return records


def _load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Restore the momentum of each weight; the settings are the recipe's."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    muon = isinstance(optimizer, Muon)
    momentum = saved["state"]
    if not momentum and (muon or any(group["momentum"] for group in optimizer.param_groups)):
        raise ValueError("it lacks the momentum of the optimiser")
    for number, values in momentum.items():
        value = values["velocity" if muon else "momentum_buffer"]
        absent = value is None and not muon
        if not absent and not (isinstance(value, Tensor) and value.shape == weights[number].shape):
            raise ValueError("its momentum has another shape than the weights")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": momentum})


def random_state() -> dict[str, Any]:
    """Return the state of PyTorch's own generators, which dropout uses."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(state: dict[str, Any]) -> None:
    """Restore what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _one_line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return said[0][:120] if said else type(error).__name__


def _cause(error: BaseException) -> str:
    """Return what the system said: PyTorch raises an error of its own after it."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError):
            return found.strerror or _one_line(found)
        found = found.__cause__ or found.__context__
    return _one_line(error)
