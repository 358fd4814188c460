"""``course doctor``: what a bug report needs, and what to do about each problem."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer

from course_utils.command_line.options import Json
from course_utils.command_line.output import console, say_json
from course_utils.terminal import printable

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "jupyterlab",
    "ipykernel",
    "ipywidgets",
    "jupytext",
    "nbclient",
    "nbconvert",
)
DISTRIBUTION = "convnet-labs"
GIGABYTE = 10**9
DISK_NEEDED = 1 * GIGABYTE
MEMORY_NEEDED = 2 * GIGABYTE


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    topic : str
        What was looked at.
    value : str
        What was found.
    state : str
        ``"ok"``; ``"note"``: the course works, but something could be better; ``"problem"``: it does not.
    advice : str
        What to do about it.
    """

    topic: str
    value: str
    state: str = "ok"
    advice: str = ""


def doctor(json: Json = False) -> None:
    """Show versions, device, data, disk and Jupyter, and what to do about each problem.

    Exit code 1 if something that the course needs does not work.
    """
    found = list(examine())
    if json:
        say_json([asdict(finding) for finding in found])
    else:
        _print(found)
    raise typer.Exit(1 if any(finding.state == "problem" for finding in found) else 0)


def examine() -> Iterator[Finding]:
    """Examine one topic after the other. An examination that fails is itself a problem."""
    looks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("system", _system),
        ("versions", _versions),
        ("requirements", _requirements),
        ("settings", _settings),
        ("device", _device),
        ("data", _data),
        ("disk", _disk),
        ("memory", _memory),
        ("Jupyter", _jupyter),
        ("address", _address),
    ]
    for topic, look in looks:
        try:
            yield from look()
        except Exception as error:  # the report must appear whatever is broken
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            advice = getattr(error, "next_step", "") or "Please report this line."
            yield Finding(topic, what, "problem", advice)


def _system() -> Iterator[Finding]:
    yield Finding("system", f"{platform.platform()}, {platform.machine()}")
    yield Finding("Python", f"{platform.python_version()} at {sys.executable}")


def _versions() -> Iterator[Finding]:
    from course_utils import __file__ as place
    from course_utils import __version__

    yield Finding("course", f"{__version__} at {Path(place or '').parent}")
    for name in PACKAGES:
        try:
            yield Finding(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            if _hosted():
                yield Finding(name, "not installed; no lab needs it here", "note")
            else:
                yield Finding(name, "not installed", "problem", f"{sys.executable} -m pip install {name}")


def _requirements() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "installation", "the package is used without being installed", "note", "pip install -e ."
        )
        return
    unmet = []
    for line in lines:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            unmet.append(f"{wanted.name} is not installed")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            unmet.append(f"{wanted.name} {version} does not satisfy {wanted.specifier}")
    if unmet and _hosted():
        advice = "Leave it: versions other than the ones shipped here break its widgets."
        yield Finding("requirements", "; ".join(unmet), "note", advice)
    elif unmet:
        yield Finding(
            "requirements",
            "; ".join(unmet),
            "problem",
            f"{sys.executable} -m pip install -e . in the checkout",
        )
    else:
        yield Finding("requirements", "all met")


def _hosted() -> bool:
    """Whether this is Colab or Kaggle, where the course is installed alone."""
    return not os.environ.keys().isdisjoint({"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"})


def _settings() -> Iterator[Finding]:
    from course_utils import settings
    from course_utils.text import shown_address

    values = {name: value for name, value in sorted(os.environ.items()) if name.startswith("COURSE_")}
    for name, value in values.items():
        if name == "COURSE_DATA_MIRROR" or "://" in value:
            values[name] = shown_address(value)
    yield Finding(
        "environment",
        ", ".join(f"{name}={value}" for name, value in values.items()) or "no COURSE_ variable is set",
    )
    current = settings.read()
    yield Finding("profile", current.profile)
    if current.data_shared and not os.path.isdir(current.data_shared):
        yield Finding(
            "shared data",
            f"{current.data_shared} is not a folder, or may not be read",
            "problem",
            "Correct COURSE_DATA_SHARED or unset it.",
        )


def _device() -> Iterator[Finding]:
    import torch

    from course_utils.device import describe_device
    from course_utils.threads import usable_cores

    yield Finding("device", describe_device())
    cores = f"may use {usable_cores()} of the machine's {os.cpu_count()} cores"
    yield Finding("threads", f"{torch.get_num_threads()}; {cores}")


def _data() -> Iterator[Finding]:
    from course_utils.command_line.data import whereabouts

    for name, place in whereabouts().items():
        if place:
            yield Finding(name, place)
        else:
            advice = f"course data fetch {name}, or set COURSE_DATA_SHARED to a folder that has it"
            yield Finding(
                name, "not found; embedded data will stand in if it cannot be downloaded", "note", advice
            )


def _disk() -> Iterator[Finding]:
    from course_utils import settings

    folder = settings.read().data_dir
    existing = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    free = shutil.disk_usage(existing).free
    value = f"{folder}, {free / GIGABYTE:.1f} GB free"
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        advice = "Set COURSE_DATA_DIR to a folder that you can write to."
        yield Finding("cache", f"{folder} cannot be written: {error.strerror}", "problem", advice)
        return
    if free < DISK_NEEDED:
        yield Finding(
            "cache",
            value,
            "note",
            "CIFAR-10 and checkpoints need 1 GB: free some space, or move COURSE_DATA_DIR.",
        )
    else:
        yield Finding("cache", value)


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    value = f"{memory.available / GIGABYTE:.1f} of {memory.total / GIGABYTE:.1f} GB available"
    if memory.available < MEMORY_NEEDED:
        yield Finding(
            "memory", value, "note", "Close other programs before training, or set COURSE_PROFILE=quick."
        )
    else:
        yield Finding("memory", value)


def _jupyter() -> Iterator[Finding]:
    from nbformat.v4 import new_code_cell, new_notebook

    from course_utils.notebooks.kernel import execute

    probe = new_notebook(cells=[new_code_cell("import sys; print(sys.executable)")])
    with tempfile.TemporaryDirectory() as folder:
        execute(probe, Path(folder), profile="quick", timeout=60)
    yield Finding("kernel", f"starts with {probe.cells[0].outputs[0].text.strip()}")
    try:
        from course_utils.notebooks.layout import find_checkout, find_labs

        root = find_checkout()
        yield Finding("labs", f"{', '.join(lab.name for lab in find_labs(root))} in {root}")
    except Exception as error:
        yield Finding("labs", str(error).splitlines()[0], "note", getattr(error, "next_step", ""))


def _address() -> Iterator[Finding]:
    from course_utils.errors import NotebookError
    from course_utils.notebooks.hosted import read_address
    from course_utils.notebooks.layout import find_checkout, find_labs

    try:
        lab = find_labs(find_checkout())[0]
    except NotebookError:
        return  # the line about the labs says so
    if not lab.text.exists():
        return  # a student's copy: there is nothing to build
    if address := read_address(lab):
        yield Finding("address", f"{address.repository}, branch {address.branch}")
    else:
        yield Finding(
            "address",
            "none: the labs have no links to Colab and Binder, and no cell that installs the course there",
            advice="Write the public address into [tool.course] of pyproject.toml, then: course build",
        )


def _print(found: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("✓", "green"), "note": ("○", "yellow"), "problem": ("✗", "red")}
    table = Table.grid(padding=(0, 2))
    for finding in found:
        mark, colour = marks[finding.state]
        value = Text(printable(finding.value), overflow="fold")
        if finding.advice:
            value.append(printable(f"\n→ {finding.advice}"), style=colour)
        table.add_row(Text(printable(mark), style=colour), finding.topic, value)
    shown = console()
    shown.print(table)
    problems = sum(finding.state == "problem" for finding in found)
    notes = sum(finding.state == "note" for finding in found)
    shown.print(
        f"{problems} problem{'s' * (problems != 1)}, {notes} note{'s' * (notes != 1)}.", highlight=False
    )
