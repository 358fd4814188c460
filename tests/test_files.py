"""A published file appears whole or not at all, and the user's umask says who may read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from course_utils.files import named, open_regular, published


@pytest.fixture
def umask():
    """Set the umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
@pytest.mark.parametrize("there_before", [False, True])
def test_the_umask_gives_the_permissions(tmp_path: Path, umask, mask: int, mode: int, there_before) -> None:
    path = tmp_path / "grades.csv"
    if there_before:
        path.write_text("old")
        path.chmod(0o640)
    umask(mask)
    with published(path) as file:
        file.write(b"new")
    assert oct(stat.S_IMODE(path.stat().st_mode)) == oct(mode)


def test_until_the_end_the_old_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    for content in (b"first", b"second"):
        before = path.read_bytes() if path.exists() else None
        with published(path) as file:
            file.write(content)
            file.flush()
            assert (path.read_bytes() if path.exists() else None) == before
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["file"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), published(path) as file:
        file.write(b"half of the new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_names_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("[x]*-1.new", "[x]*-1.old", "x-1.new", "**-1.new"):
        (tmp_path / name).touch()
    assert [path.name for path in named(tmp_path, "[x]*", "-*.new")] == ["[x]*-1.new"]
    assert [path.name for path in named(tmp_path, "**", "-*")] == ["**-1.new"]
    assert named(tmp_path / "none", "", "*") == named(tmp_path / "x-1.new", "", "*") == []


def test_a_regular_file_is_opened_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError):
            open_regular(path)
