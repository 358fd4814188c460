"""Hundreds of odd folders, caches and environments: right images, or an error of the course in plain words.

Longer, with other examples each time: ``FUZZ=3000 pytest -n 0 tests/test_data_fuzz.py``.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from odd_images import DAMAGED, ODD, SHOWN, SIDE, THINGS
from other_user import why_not
from PIL import Image

from course_utils import load_dataset
from course_utils import settings as course_settings
from course_utils.command_line import main
from course_utils.data import Dataset, Split, entry
from course_utils.errors import CourseError, DataError

pytestmark = pytest.mark.slow

pwd = pytest.importorskip("pwd", reason="Windows has no permission bits, pipes and devices in folders")
NOBODY = 54321
SLOW = 10.0
"""Seconds of processor time after which an example counts as hanging; most take some milliseconds."""


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported() -> None:
    """Another user may not be allowed to read this Python."""
    Image.init()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grey = ODD["grey"]()
        for half in ("train", "test"):
            (Path(folder) / half / "a").mkdir(parents=True)
            (Path(folder) / half / "a" / "x.png").write_bytes(grey)
        load_dataset(folder, root=Path(folder) / "cache")
        load_dataset("digits")
        with quiet():
            main(["data", "status"])
            main(["data", "verify", "minst"])


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        yield said


@contextlib.contextmanager
def somewhere() -> Iterator[Path]:
    """A folder that every user may look into, with others in it that one may use, read or not even see."""
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        place.chmod(0o755)
        for name, mode in (("own", 0o700), ("closed", 0o700), ("read-only", 0o755), ("temporary", 0o1777)):
            (place / name).mkdir()
            (place / name).chmod(mode)
        (place / "closed" / "inside").mkdir()
        (place / "loop").symlink_to("loop")
        (place / "file").write_bytes(b"precious")
        (place / "own" / "precious").write_bytes(b"precious")
        if os.geteuid() == 0:
            os.chown(place / "own", NOBODY, NOBODY)
        yield place
    finally:
        shutil.rmtree(place)


@contextlib.contextmanager
def in_environment(place: Path, umask: int, another: bool, cwd: str, **values: str | None) -> Iterator[None]:
    """Work as another user, if possible, in another folder, with other variables and another umask."""
    known = {name: text.format(place=place) for name, text in values.items() if text is not None}
    before = os.getcwd()
    nobody = mock.patch.object(pwd, "getpwuid", side_effect=KeyError)  # the real home is left alone
    temporary = mock.patch.object(tempfile, "tempdir", str(place / "temporary"))
    with mock.patch.dict(os.environ, known), nobody, temporary:
        for name in values.keys() - known.keys():
            os.environ.pop(name, None)
        os.chdir(place / cwd)
        old = os.umask(umask)
        try:
            if another and not why_not():
                os.seteuid(NOBODY)
            yield
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            os.umask(old)
            os.chdir(before)


def snapshot(place: Path) -> dict[Path, tuple[int, bytes | str]]:
    """Every file below `place`, with its mode and content."""
    found: dict[Path, tuple[int, bytes | str]] = {}
    for path in sorted(place.rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        found[path] = (path.lstat().st_mode, content)
    return found


def assert_unchanged(place: Path, before: dict[Path, tuple[int, bytes | str]], cache: Path | None) -> None:
    """Nothing has changed, but what is in the cache, and the folders made to hold it."""

    def elsewhere(found: dict[Path, tuple[int, bytes | str]]) -> dict[Path, tuple[int, bytes | str]]:
        return {
            path: about
            for path, about in found.items()
            if not (cache and (path.is_relative_to(cache) or cache.is_relative_to(path)))
        }

    assert elsewhere(snapshot(place)) == elsewhere(before)
    for path in (place / "file", place / "own" / "precious"):
        assert path.read_bytes() == b"precious"


PLACES = [
    None, "", "  ", "~", "~nobody-of-this-name/x", "here", "./here/there", "{place}/own", "{place}/own/new",
    "{place}/closed", "{place}/closed/inside", "{place}/read-only", "{place}/read-only/new",
    "{place}/file", "{place}/file/x", "{place}/loop", "{place}/loop/x", "{place}/none",
    "/dev/null", "/proc/none",
    "{place}/own/" + "x" * 300, "{place}/own" + "/x" * 3000, "{place}/own/\udcff\udce9", "{place}/own/a\nb",
    "{place}/own/[a]*", "{place}/own/ß名🙂", "{place}/own/**", "{place}/own/..", "{place}/own/.",
]  # fmt: skip
NAMES = [
    "mnist", "cifar10", "digits", "minst", "MNIST", "", " ", "*", "x" * 300, "a/" * 3000, "mnist\0", "\udcff",
    "[/x]", "~", "~nobody-of-this-name/x", ".", "..", "/", "/dev/null", "{place}/own", "{place}/closed",
    "{place}/closed/inside", "{place}/file", "{place}/loop", "{place}/none", "http://127.0.0.1/x",
]  # fmt: skip
ENVIRONMENTS = st.fixed_dictionaries(
    {
        "umask": st.sampled_from([0o022, 0o077, 0o777, 0]),
        "another": st.booleans(),
        "cwd": st.sampled_from(["own", "read-only", "temporary"]),
        "HOME": st.sampled_from(PLACES),
        "COURSE_DATA_DIR": st.sampled_from(PLACES),
        "COURSE_DATA_SHARED": st.sampled_from(PLACES),
        "COURSE_STATE_DIR": st.sampled_from([None, None, *PLACES]),
        "XDG_CACHE_HOME": st.sampled_from([None, None, *PLACES]),
        "COURSE_PROFILE": st.sampled_from(["fast", "quick", "slow"]),
        "COURSE_DEVICE": st.sampled_from([None, "cpu", "gpu"]),
    }
)


def explained(error: CourseError) -> None:
    """What an error must have, besides being one of the course's."""
    text = str(error)
    text.encode()  # a terminal or notebook can show it
    assert error.what and error.why and error.next_step, text
    assert "Errno" not in error.what and "object at 0x" not in text, text


@fuzz(60)
@given(
    ENVIRONMENTS,
    st.sampled_from(NAMES),
    st.sampled_from([None, None, *(place for place in PLACES if place)]),
    st.sampled_from([None, "digits"]),
    st.sampled_from(["cpu", "cpu", "meta", "gpu", "cuda:99", ""]),
)
def test_any_name_in_any_environment(environment, name, root, offline, device) -> None:
    with somewhere() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        before, cache = snapshot(place), None
        try:
            with in_environment(place, **environment):
                # Relative to the folder in which the example works.
                cache = course_settings.absolute(root.format(place=place), "root") if root else None
                cache = cache or course_settings.read().data_dir
                options = {"root": root.format(place=place)} if root else {}
                dataset = load_dataset(name.format(place=place), offline=offline, device=device, **options)
                assert dataset.name == "digits" and len(dataset.train) + len(dataset.test) == 1797
                assert name == "digits" or dataset.substitute_for == name
        except CourseError as error:
            explained(error)
        assert time.process_time() - began < SLOW
        assert_unchanged(place, before, cache)


@fuzz(60)
@given(
    ENVIRONMENTS,
    st.sampled_from(["status", "verify", "clear", "fetch", "export"]),
    st.lists(st.sampled_from([name for name in NAMES if "\0" not in name]), max_size=2),
    st.sampled_from([place for place in PLACES if place]),
)
def test_any_command_in_any_environment(environment, command, names, target) -> None:
    with somewhere() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        before, cache = snapshot(place), None
        arguments = [target.format(place=place)] if command == "export" else []
        names = names if command != "status" else []
        arguments += [name.format(place=place) for name in names]
        with in_environment(place, COURSE_OFFLINE="1", **environment), quiet() as said:
            with contextlib.suppress(CourseError):
                cache = course_settings.read().data_dir
            code = main(["data", command, "--", *arguments])
        text = said.getvalue()
        assert code in (0, 1, 2) and "Traceback" not in text, text
        assert code == 0 or "next:" in text or "run: course data" in text, text
        assert code == 2 or not set(names) - {"mnist", "cifar10", "digits"}, text
        assert time.process_time() - began < SLOW
        assert_unchanged(place, before, cache)


KINDS = st.sampled_from([*SHOWN, *ODD, *DAMAGED, *THINGS])
CLASSES = st.lists(
    st.sampled_from([b"a", b"b", b"Caf\xe9", b"[x]*", b"a\nb", "ß名".encode(), b"x" * 200, b"**", b"%s{}"]),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip


@fuzz(60)
@given(
    CLASSES,
    st.lists(st.tuples(st.sampled_from(["train", "test"]), st.integers(0, 2), KINDS), max_size=3),
    st.sampled_from(["grey", "rgb", "grey of 16 bits", "palette with transparency", "transparent"]),
    st.sampled_from([None, 0o000, 0o555, "a pipe", "a file"]),
    st.sampled_from([b"pets", b"Caf\xe9", b"[x]*", b"**", "🙂".encode() * 30]),
    st.booleans(),
)
def test_any_images_in_any_folder(classes, odd, other, cache_is, name, another) -> None:
    with somewhere() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder, cache = place / os.fsdecode(name), place / "cache"
        expected: dict[str, list[tuple[bytes, str, str]]] = {"train": [], "test": []}
        for half in expected:
            for each in classes:
                (folder / half / os.fsdecode(each)).mkdir(parents=True)
                (folder / half / os.fsdecode(each) / "x.png").write_bytes(ODD[other]())
                expected[half].append((each, "x.png", other))
        for number, (half, which, kind) in enumerate(odd):
            each = classes[which % len(classes)]
            path = folder / half / os.fsdecode(each) / f"{number}.png"
            if kind in THINGS:
                THINGS[kind](path)
            else:
                path.write_bytes((ODD.get(kind) or DAMAGED[kind])())
            expected[half].append((each, path.name, kind))
        if cache_is == "a file":
            cache.write_bytes(b"precious")
        elif cache_is is not None:
            (cache / "decoded").mkdir(parents=True)
            if cache_is == "a pipe":
                os.mkfifo(entry.path_of(cache, folder.name, str(folder)))
            else:
                (cache / "decoded").chmod(cache_is)
        before, began = snapshot(place), time.process_time()
        kinds = {kind for half in expected.values() for _, _, kind in half}
        with in_environment(place, 0o022, another=another, cwd="own"):
            try:
                loaded = [load_dataset(folder, root=cache) for _ in range(2)]
            except CourseError as error:
                explained(error)
                assert kinds - SHOWN.keys(), error
                loaded = []
        assert time.process_time() - began < SLOW
        assert_unchanged(place, before, cache)
        for dataset in loaded:
            assert not kinds & {*DAMAGED, *THINGS}
            for half, split in (("train", dataset.train), ("test", dataset.test)):
                wanted = sorted(expected[half], key=lambda one: (os.fsdecode(one[0]), one[1]))
                assert [
                    classes_in_order(classes).index(each) for each, _, _ in wanted
                ] == split.labels.tolist()
                for (_, _, kind), image in zip(wanted, split.images, strict=True):
                    assert image.shape[1:] == (SIDE, SIDE) and len(image) in (1, 3)
                    if kind in SHOWN:
                        shown, tolerance = SHOWN[kind]
                        difference = image.permute(1, 2, 0).numpy().astype(int) - shown
                        assert abs(difference).max() <= tolerance, kind
            for text in (*dataset.classes, dataset.source, dataset.name):
                text.encode()
            assert ("16 bits" in dataset.source) == any("of 16 bits" in kind for kind in kinds)


def classes_in_order(classes: list[bytes]) -> list[bytes]:
    return sorted(classes, key=os.fsdecode)


CHANGES = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 0.999), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
    st.tuples(st.just("insert"), st.floats(0, 1), st.integers(1, 100)),
    st.tuples(st.just("zeros"), st.floats(0, 1), st.integers(1, 300)),
    st.tuples(st.just("nested"), st.just(0.0), st.integers(1, 200_000)),
    st.tuples(st.sampled_from(sorted(THINGS)), st.just(0.0), st.just(0)),
    st.tuples(st.sampled_from(["empty", "closed", "swap"]), st.just(0.0), st.just(0)),
)


def change(path: Path, how: str, where: float, amount: int) -> None:
    content = bytearray(path.read_bytes())
    position = int(where * len(content))
    if how == "flip":
        content[position] ^= amount
    elif how == "cut":
        del content[position:]
    elif how == "insert":
        content[position:position] = bytes(amount)
    elif how == "zeros":
        content[position : position + amount] = bytes(min(amount, len(content) - position))
    elif how == "nested":
        content = bytearray(amount.to_bytes(8, "little") + b"[" * amount)
    elif how == "swap":
        content = content[::-1]
    elif how == "empty":
        content.clear()
    elif how in THINGS:
        path.unlink()
        THINGS[how](path)
        return
    path.write_bytes(content)  # in place, as `cp` does
    if how == "closed":
        path.chmod(0)


@fuzz(60)
@given(st.lists(CHANGES, min_size=1, max_size=2), st.booleans())
def test_any_damage_to_the_cache(changes, verify) -> None:
    with somewhere() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder, cache = place / "pets", place / "own" / "cache"
        for half in ("train", "test"):
            for name in ("a", "b"):
                (folder / half / name).mkdir(parents=True)
                for kind in ("grey", "2 bits"):
                    (folder / half / name / f"{kind}.png").write_bytes(ODD[kind]())
        before, began = snapshot(place), time.process_time()
        with in_environment(place, 0o022, another=True, cwd="own", COURSE_DATA_DIR=str(cache)):
            first = load_dataset(folder)
            copies = [(half.images.clone(), half.images) for half in (first.train, first.test)]
            (path,) = (cache / "decoded").iterdir()
            held = load_dataset(folder)
            for how, where, amount in changes:
                if path.is_file():
                    with contextlib.suppress(PermissionError):
                        change(path, how, where, amount)
                if verify:
                    with quiet() as said:
                        assert main(["data", "verify"]) in (0, 1)
                        assert main(["data", "status"]) == 0
                    assert "Traceback" not in said.getvalue()
                assert load_dataset(folder).digest == first.digest
        for copy, images in copies:
            assert torch.equal(copy, images)
        assert torch.equal(held.train.images, copies[0][0]) and held.digest == first.digest
        assert_unchanged(place, before, cache)
        assert time.process_time() - began < SLOW


DTYPES = [
    torch.uint8,
    torch.int8,
    torch.int64,
    torch.int32,
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bool,
]
SHAPES = st.sampled_from(
    [
        (6, 1, 8, 8),
        (6, 3, 8, 8),
        (6, 8, 8, 3),
        (6, 8, 8),
        (6, 64),
        (6,),
        (),
        (0, 1, 8, 8),
        (6, 1, 0, 8),
        (5, 1, 8, 8),
    ]
)
VALUES = st.sampled_from([0.0, 1.0, 3.0, -1.0, 9.0, 10.0, 255.0, 0.5])


def tensor(shape: tuple[int, ...], kind: torch.dtype, low: float, high: float) -> torch.Tensor:
    count = int(np.prod(shape))
    return torch.linspace(low, high, max(count, 1))[:count].reshape(shape).to(kind)


@fuzz(60)
@given(
    SHAPES, st.sampled_from(DTYPES), VALUES,
    st.sampled_from([(6,), (6,), (6,), (6, 1), (6, 10), (), (5,), (0,)]), st.sampled_from(DTYPES),
    VALUES, VALUES,
    st.sampled_from([0.5, 0.25, 0.0, -1.0, float("nan"), float("inf"), None, "x"]),
    st.sampled_from([(), ("a",), tuple("abcd"), tuple("abcdefghij"), "abcdefghij", (1, 2), ["a", "b"]]),
)  # fmt: skip
def test_any_tensors_that_are_put_together(
    shape, kind, high, label_shape, label_kind, first, last, std, classes
) -> None:
    images, labels = tensor(shape, kind, 0, high), tensor(label_shape, label_kind, first, last)
    try:
        split = Split(images, labels, 0.5, std)
        dataset = Dataset("mine", split, split, classes, 0.5, std, "my own", None, "digest")
    except DataError as error:
        explained_by_hand(error)
        return
    assert images.dtype == torch.uint8 and images.ndim == 4 and labels.dtype == torch.int64
    assert labels.min() >= 0 and labels.max() < len(classes)
    for batch, answers in dataset.train.batches(4):
        assert batch.isfinite().all() and len(batch) == len(answers)


def explained_by_hand(error: DataError) -> None:
    explained(error)
    assert error.what == "These images and labels are no dataset."
