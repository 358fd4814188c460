"""Checkpoints: the state of a training run after each epoch, so that it can resume where it stopped."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import nn

from course_utils import settings
from course_utils.files import published
from course_utils.training.display import Display
from course_utils.training.epochs import EpochRecord
from course_utils.training.history import History
from course_utils.training.recipes import Recipe

VERSION = 3
# What reading a truncated, foreign or outdated file may raise.
DAMAGED = (OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, AttributeError,
           pickle.UnpicklingError, BadZipFile)  # fmt: skip


@dataclass
class Checkpoint:
    """One run's file.

    Attributes
    ----------
    path : Path
        Where it is; its name ends with the run's key, see `run_key`.
    display : Display
        Shows what is wrong with the file, which is not a reason to stop training.
    usable : bool
        Whether the last attempt to write succeeded; a failed one is not repeated.
    """

    path: Path
    display: Display
    usable: bool = True

    @classmethod
    def of(
        cls,
        model: nn.Module,
        recipe: Recipe,
        digest: str,
        display: Display,
        folder: str | os.PathLike[str] | None = None,
        code: Sequence[Callable[..., Any]] = (),
    ) -> Checkpoint:
        """Find the file of a run, by default in the course's data folder."""
        name = re.sub(r"[^a-z0-9]+", "-", recipe.name.lower()).strip("-")[:64]
        place = Path(folder) if folder is not None else settings.read().checkpoints_dir
        return cls(place / f"{name}-{run_key(model, recipe, digest, code)}.pt", display)

    def save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, history: History
    ) -> None:
        """Write the state after an epoch, whole or not at all. A full disk is reported, not raised."""
        if not self.usable:
            return
        state = {
            "version": VERSION,
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
        except (OSError, RuntimeError) as error:
            self.usable = False
            self.display.warn(
                f"No checkpoint can be written to {self.path.parent} ({error}); training goes on."
            )

    def load(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, history: History
    ) -> bool:
        """Restore all four from a sound checkpoint, if there is one, and return whether there was."""
        if not self.path.exists():
            return False
        untouched = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        try:
            # torch.load does not compare the checksums that torch.save writes.
            with ZipFile(self.path) as archive:
                if damaged := archive.testzip():
                    raise BadZipFile(f"{damaged} has a wrong checksum")
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["version"] != VERSION:
                raise ValueError(f"it has version {state['version']}, this course writes {VERSION}")
            records = [EpochRecord(**record) for record in state["records"]]
            model.load_state_dict(state["model"])
            if state["optimizer"] is not None:
                optimizer.load_state_dict(state["optimizer"])
            generator.set_state(state["generator"])
            restore_random_state(state["random"])
        except DAMAGED as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            model.load_state_dict(untouched)
            self.display.warn(
                f"The checkpoint {self.path.name} cannot be read and is ignored ({reason[:120]})."
            )
            return False
        history.records[:] = records
        history.estimate, history.test_estimate = state["estimate"]
        history.device, history.machine = state["device"], state["machine"]
        return True


def run_key(
    model: nn.Module, recipe: Recipe, digest: str, functions: Sequence[Callable[..., Any]] = ()
) -> str:
    """Return a key of all that decides a run: the model's structure and code, `functions`, recipe and data.

    The initial weights are not part of it, or a restarted kernel would not find its run again. Runs that
    differ only in them need recipes with different names, or ``checkpoint=False``.
    """
    text = [re.sub(r" at 0x[0-9a-fA-F]+", "", f"{recipe}\n{model}"), digest]
    # The rates themselves, because a schedule may be a function.
    text.append(repr([recipe.rate(recipe.epochs * part / 100) for part in range(100)]))
    text += [_code_text(function.__code__) for function in functions if hasattr(function, "__code__")]
    text += [f"{name} {tuple(tensor.shape)}" for name, tensor in model.state_dict().items()]
    # A corrected forward() keeps every name and shape, but the old weights do not belong to it.
    kinds = {type(module) for module in model.modules() if not type(module).__module__.startswith("torch.")}
    for kind in sorted(kinds, key=lambda kind: kind.__qualname__):
        code = getattr(getattr(kind, "forward", None), "__code__", None)
        text.append(f"{kind.__qualname__} {_code_text(code) if code else ''}")
    return hashlib.sha256("\n".join(text).encode()).hexdigest()[:16]


def _code_text(code: CodeType) -> str:
    return f"{code.co_code.hex()} {code.co_names} {[_constant_text(item) for item in code.co_consts]}"


def _constant_text(item: Any) -> str:
    if isinstance(item, CodeType):
        return _code_text(item)
    # A set's order changes from one Python process to the next.
    return repr(sorted(map(repr, item)) if isinstance(item, frozenset) else item)


def random_state() -> dict[str, Any]:
    """Return the state of PyTorch's own generators, which dropout uses."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(state: dict[str, Any]) -> None:
    """Restore what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
