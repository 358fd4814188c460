"""Calls every entry point, with stand-ins for kernels, graders and clocks; its argument is a folder.

On standard input come the settings, by name: an encoding, variables, and whether to speak to a terminal. In
each, a child of this process, which has imported the libraries, makes the calls in a folder of its own. There
is then what it said, in ``stdout`` and ``stderr``: what a call prints, after its name and a control character
before that. Exit codes are in ``codes.json``.
"""

from __future__ import annotations

import io
import json
import os
import pty
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from grading_workers import FULL, by_words, threads
from nbformat.v4 import new_output
from notebook_samples import small_lab
from submissions import REPOSITORY, submission, write

from course_utils import exercises
from course_utils.command_line import main
from course_utils.figures import verdict_card
from course_utils.grading import grade_class, grade_many
from course_utils.notebooks.kernel import CellError
from course_utils.training import __main__ as training
from course_utils.training.benchmark import Benchmark
from course_utils.training.benchmark.turns import Measurement

NAME = "Zoë Łęcka 王"
"""Of a student; no encoding but Unicode's has all its letters."""
COMMANDS = ("doctor", "data", "lab", "run", "build", "check", "release", "grade", "review", "bench", "site")


def execute(notebook: Any, *_: Any, keep_going: bool = False, **__: Any) -> list[CellError]:
    """In place of a kernel: checks find wrong answers, one cell fails."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", text="done\n")]
        name = cell.source.partition("check.")[2].partition("(")[0]
        if name in exercises.names():
            card = verdict_card(exercises.evaluate(name, lambda *_: [1.5, 2]))._repr_mimebundle_()
            cell.outputs = [new_output("display_data", data=card)]
    failed = CellError("cell-7", 7, f"print('{NAME}')", f"ValueError: {NAME} × → …")
    if keep_going:
        return [failed]
    if "1 / 0" in str(notebook.cells):
        raise failed
    return []


def measured(**_: Any) -> Benchmark:
    """In place of minutes of timing."""
    row = Measurement("vgg", "course", 160.0, 0.37, 300.0, 1e11, 0.9, None, 10)
    return Benchmark([row], f"CPU of {NAME}", {"vgg": "drawn × here"}, {"vgg": 1.0})


def calls(folder: Path) -> dict[str, list[str]]:
    """Each call's name and arguments."""
    missing, handed_in, out = str(folder / f"{NAME}.ipynb"), str(folder / "in"), str(folder / "out")
    lab = str(REPOSITORY / "labs" / "02_pooling_layer.ipynb")
    return {
        "help": ["--help"],
        **{f"{command} help": [command, "--help"] for command in COMMANDS},
        **{f"data {name} help": ["data", name, "--help"] for name in ("fetch", "serve")},
        "version": ["--version"],
        "unknown": ["frobnicate"],
        "doctor": ["doctor"],
        "doctor json": ["doctor", "--json"],
        "data status": ["data", "status"],
        "data status json": ["data", "status", "--json"],
        "data fetch": ["data", "fetch"],
        "data verify": ["data", "verify"],
        "run": ["run", "--output", str(folder / NAME)],
        "run json": ["run", "--output", str(folder / NAME), "--json"],
        "build": ["build"],
        "lab": ["lab", "1"],
        "build check": ["build", "--check"],
        "build check json": ["build", "--check", "--json"],
        "check": ["check", lab],
        "check json": ["check", lab, "--json"],
        "check missing": ["check", missing],
        "release": ["release", str(folder / NAME), "--labs", "1"],
        "release json": ["release", str(folder / NAME), "--labs", "1", "--json"],
        "site": ["site", str(folder / "site")],
        "grade": ["grade", handed_in, "-o", out],
        "grade json": ["grade", handed_in, "-o", out, "--json"],
        "bench": ["bench", "--quick"],
        "bench json": ["bench", "--quick", "--json"],
        "training help": ["--help"],
        "training": ["lenet5", "--epochs", "0.2", "--fresh"],
        "training json": ["lenet5", "--epochs", "0.2", "--json"],
        "training wrong": ["lenet5", "--profile", NAME],
    }


def prepare(folder: Path) -> None:
    """Make a course with a sound lab and a failing one, and two submissions."""
    small_lab(folder)
    small_lab(folder, "# %%\n1 / 0\n", number=2)
    for name in ("environment.yml", "pyproject.toml", "LICENSE", "Dockerfile", ".dockerignore"):
        (folder / name).write_text("", encoding="utf-8")
    (folder / "jupyterlab").mkdir()
    (folder / "jupyterlab" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "jupyterlab" / "__main__.py").write_text("print('opened')", encoding="utf-8")
    write(submission({"zero_pad": "# RIGHT"}), folder / "in" / NAME / "x.ipynb")
    write({}, folder / "in" / f"{NAME}, too" / "x.ipynb")


def call(name: str, arguments: list[str], folder: Path) -> int | str | None:
    """Make one call and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        print(f"\x1e{name}", file=stream, flush=True)
    try:
        # Submissions are of the real labs, everything else is of the small ones.
        os.chdir(REPOSITORY if name.startswith("grade") else folder)
        return training.main(arguments) if name.startswith("training") else main(arguments)
    except SystemExit as stop:
        return stop.code


def call_all(folder: Path) -> None:
    """Make every call."""
    warnings.filterwarnings("error", category=EncodingWarning, module="course_utils")
    prepare(folder)
    defaults = grade_class.grade_class.__kwdefaults__ | {"grade": by_words}
    with (
        mock.patch("course_utils.notebooks.kernel.execute", execute),
        mock.patch("course_utils.notebooks.run.execute", execute),
        mock.patch("course_utils.training.benchmark.measure", measured),
        mock.patch.object(grade_many, "this_machine", lambda jobs=None: threads(FULL)),
        mock.patch.object(grade_class.grade_class, "__kwdefaults__", defaults),
    ):
        codes = {name: call(name, arguments, folder) for name, arguments in calls(folder).items()}
    (folder / "codes.json").write_text(json.dumps(codes), encoding="utf-8")


def become(folder: Path, streams: list[int], encoding: str, more: dict[str, str]) -> None:
    """Make this process one that was started with these streams and variables."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    path = os.pathsep.join((str(folder), os.environ["PYTHONPATH"]))
    os.environ.update(
        more, PYTHONPATH=path, PYTHONIOENCODING=encoding, COURSE_STATE_DIR=str(folder / "state")
    )
    out, err = (open(number, "wb", closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(out, encoding, line_buffering=os.isatty(1))
    sys.stderr = io.TextIOWrapper(err, encoding, "backslashreplace", line_buffering=True)


def speak(folder: Path, encoding: str, more: dict[str, str], terminal: bool) -> None:
    """Make every call in a child."""
    folder.mkdir()
    paths = (Path(os.devnull), folder / "stdout", folder / "stderr")
    files = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
    ours, theirs = pty.openpty() if terminal else (-1, -1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            become(folder, [theirs] * 3 if terminal else files, encoding, more)
            call_all(folder)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    if terminal:
        os.close(theirs)
        try:
            while piece := os.read(ours, 1 << 16):
                os.write(files[1], piece)
        except OSError:  # Linux's way to say that nobody holds the other end
            pass
        os.close(ours)
    for file in files:
        os.close(file)
    if os.waitpid(child, 0)[1]:
        said = b"".join(path.read_bytes() for path in paths)
        sys.exit(said.decode("ascii", "replace")[-2000:])


if __name__ == "__main__":
    torch.optim.SGD([torch.zeros(1)])  # the first one imports PyTorch's compiler
    for name, setting in json.load(sys.stdin).items():
        speak(Path(sys.argv[1]).resolve() / name, *setting)
