"""As another user: homes that are closed, missing or nobody's, and folders that may not be read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import prepared
import pytest
from other_user import why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")]
USER = 54321
"""An id that nobody has, as in `docker run --user 54321`."""

# Everything is imported before the process becomes another user, who may not be allowed to read this Python.
SCRIPT = """
import contextlib, io, json, os, sys, traceback, warnings
import torch
torch.set_num_threads(1)
from course_utils import load_dataset, settings
from course_utils.checks import progress
from course_utils.command_line import main
from course_utils.errors import CourseError

def load(offline):
    try:
        return load_dataset("mnist", offline=offline).source
    except CourseError as error:
        return str(error)

def story(offline):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        said = load(offline)
        codes = [main(["data", command]) for command in ("status", "verify", "clear")]
        progress.record("zero_pad", "correct", 1)
    return said, str(settings.read().data_dir), codes, progress.states()["zero_pad"]["status"]

def as_user(user, environment, offline):
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        with open(read) as answer:
            os.wait()
            return answer.read()
    try:
        os.setgroups([]), os.setgid(user), os.setuid(user)
        os.environ.pop("HOME", None), os.environ.pop("COURSE_DATA_DIR", None)
        os.environ.update(environment)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answer = [*story(offline), [str(warning.message) for warning in caught]]
    except BaseException:
        answer = traceback.format_exc()
    with open(write, "w") as file:
        json.dump(answer, file)
    os._exit(0)

story("digits")
cases = json.load(sys.stdin)
print(json.dumps([json.loads(as_user(*case)) for case in cases]))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may look into; `tmp_path` is closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    for name, mode in (("closed", 0o700), ("read-only", 0o755), ("temporary", 0o1777), ("own", 0o700)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
    (folder / "closed" / "inside").mkdir()
    if os.geteuid() == 0:
        os.chown(folder / "own", USER, USER)
    yield folder
    shutil.rmtree(folder)


def run(place: Path, *cases: tuple[dict[str, str], str | None]) -> list[tuple[str, str, list[str]]]:
    """Load MNIST as that user, for each environment and substitute: what is said, the cache, the warnings."""
    if reason := why_not():
        pytest.skip(reason)
    common = {"TMPDIR": str(place / "temporary"), "COURSE_PROFILE": "fast", "COURSE_OFFLINE": "1"}
    asked = [(USER, common | environment, offline) for environment, offline in cases]
    ran = prepared.run(SCRIPT, given=json.dumps(asked))
    assert ran.returncode == 0, ran.stderr
    found = []
    for answer in json.loads(ran.stdout.splitlines()[-1]):
        assert not isinstance(answer, str), answer
        said, cache, codes, verdict, caught = answer
        assert codes == [0, 0, 0] and verdict == "correct", answer
        found.append((said, cache, caught))
    return found


def test_without_a_usable_home_the_substitute_comes(place: Path) -> None:
    def outside() -> list[Path]:
        return [path for path in place.rglob("*") if not path.is_relative_to(place / "temporary")]

    before = outside()
    homes = ("", "/", f"{place}/closed", f"{place}/closed/inside", f"{place}/read-only", f"{place}/none", "~")
    for said, cache, caught in run(place, ({}, "digits"), *(({"HOME": home}, "digits") for home in homes)):
        assert said == "digits (scikit-learn, 1,797 real digits) instead of mnist: offline"
        assert cache == str(place / "temporary" / f"convnet-labs-{USER}")
        assert caught == []
    assert outside() == before


def test_a_home_of_ones_own_is_used_even_if_its_cache_may_only_be_read(place: Path) -> None:
    (place / "read-only" / ".cache" / "convnet-labs").mkdir(parents=True)
    homes = [place / "own", place / "read-only"]
    found = run(place, *(({"HOME": str(home)}, "digits") for home in homes))
    assert [cache for _, cache, _ in found] == [str(home / ".cache" / "convnet-labs") for home in homes]


@pytest.mark.parametrize("name", ["COURSE_DATA_SHARED", "COURSE_DATA_DIR"])
def test_a_folder_that_may_not_be_read_is_named(place: Path, name: str) -> None:
    environment = {"HOME": str(place / "own"), name: str(place / "closed" / "inside")}
    (said, _, _), (instead, _, _) = run(place, (environment, None), (environment, "digits"))
    label = "shared folder" if name == "COURSE_DATA_SHARED" else "user cache"
    assert said.startswith("MNIST is out of reach.") and f"The {label} {place}/closed/inside" in said
    assert "cannot be read: Permission denied." in said and f"Set {name} to a folder" in said
    assert instead == "digits (scikit-learn, 1,797 real digits) instead of mnist: offline"
