"""The course on a machine that lacks what Windows lacks; its argument is a folder, its last word "done"."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pkgutil
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import tiny_data
import without_unix
from notebook_samples import small_lab
from training_data import net, tiny_dataset, tiny_recipe

import course_utils
from course_utils import exercises, fit
from course_utils.command_line import main
from course_utils.data import entry, load, manage
from course_utils.errors import DataError
from course_utils.exercises.guard import RunawayError, deadline
from course_utils.files import published
from course_utils.notebooks.kernel import _processes_below
from course_utils.training import loop

FOLDER = Path(sys.argv[1])


def every_module_is_imported() -> None:
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        # Students get no grading, and instructors are told; see `grading_is_refused`.
        if not module.name.startswith("course_utils.grading"):
            importlib.import_module(module.name)


def answers_are_judged_and_endless_ones_stopped() -> None:
    assert exercises.evaluate("same_padding", lambda f: f // 2).status == "correct"
    with contextlib.suppress(RunawayError), deadline(0.05):
        while True:
            time.sleep(0)
    assert threading.active_count() == 1


def datasets_are_cached_and_an_open_entry_stays() -> None:
    dataset, files = tiny_data.mnist()
    load.PUBLISHED["mnist"] = dataset
    raw = FOLDER / "shared" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    path = entry.path_of_published(FOLDER / "cache", dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load.load_dataset("mnist")
        assert not without_unix.in_use(str(path))
        # While somebody reads it, another process decodes the same files, and finds the name taken.
        arrays, origin, content = entry.read(path)
        reading = path.open("rb")
        entry.save(path, arrays, origin, content)
    try:
        manage.clear(["mnist"])
    except DataError as error:
        assert "Shut down the kernels" in str(error)
    else:
        raise AssertionError("an open entry was removed")
    reading.close()
    content_before = path.read_bytes()
    path.write_bytes(content_before[:-1] + bytes([content_before[-1] ^ 1]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load.load_dataset("mnist")
    # The damaged entry is let go before it is replaced; no warning says that nothing can be cached.
    assert all("will be rebuilt" in str(warning.message) for warning in caught)
    assert path.read_bytes() == content_before
    manage.clear(["mnist"])
    assert not path.exists()


def training_is_interrupted_and_goes_on() -> None:
    recipe, dataset = tiny_recipe(epochs=2), tiny_dataset()
    real = loop.train_epoch

    def train_then_stop(*arguments: object, **settings: object) -> object:
        loop.train_epoch = interrupted
        return real(*arguments, **settings)

    def interrupted(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    loop.train_epoch = train_then_stop
    assert fit(net(), dataset, recipe, show=False).interrupted
    loop.train_epoch = real
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert len(fit(net(), dataset, recipe)) == 2
    assert "resuming: 1 of 2 epochs" in said.getvalue() and "No checkpoint" not in said.getvalue()


def a_file_that_is_open_is_waited_for_then_left() -> None:
    path = FOLDER / "open.txt"
    path.write_bytes(b"old")
    with path.open("rb"):
        try:
            with published(path) as file:
                file.write(b"new")
        except PermissionError:
            pass
        else:
            raise AssertionError("an open file was replaced")
    assert path.read_bytes() == b"old" and not list(FOLDER.glob("open.txt.*"))


def notebooks_are_built_run_and_checked() -> None:
    small_lab(FOLDER)
    check = "from course_utils import check\ncheck.same_padding(lambda f: f // 2)"
    small_lab(FOLDER, f"# %%\n{check}\n", number=2)
    for arguments in (["build"], ["build", "--check"], ["run", "--lab", "1", "--profile", "quick"]):
        assert main(arguments) == 0, arguments
    assert main(["doctor"]) == 0
    assert main(["check", str(FOLDER / "solutions" / "02_small.ipynb")]) == 1  # nine others have no check


def what_a_kernel_started_is_known() -> None:
    # On Linux the kernel's group is ended by the libraries, so that only the list can be shown.
    myself = SimpleNamespace(provisioner=SimpleNamespace(pid=os.getpid()))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        assert started.pid in [process.pid for process in _processes_below(myself)]


def grading_is_refused() -> None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert main(["grade", str(FOLDER), "-o", str(FOLDER / "grades")]) == 1
    assert "in WSL" in said.getvalue() and not (FOLDER / "grades").exists()


if __name__ == "__main__":
    warnings.filterwarnings("error", category=EncodingWarning, module="course_utils")
    every_module_is_imported()
    answers_are_judged_and_endless_ones_stopped()
    datasets_are_cached_and_an_open_entry_stays()
    training_is_interrupted_and_goes_on()
    a_file_that_is_open_is_waited_for_then_left()
    notebooks_are_built_run_and_checked()
    what_a_kernel_started_is_known()
    grading_is_refused()
    print("done")
