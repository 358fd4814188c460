"""When a file of a student's Git repository was committed; nothing that the repository sets is obeyed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from course_utils.files import open_regular
from course_utils.grading.collect.submitted_files import MOST_BYTES

_SECONDS = 10
_MOST_BYTES = 2**20
# Memory in KiB, and CPU time; not every system has the first limit.
_LIMITED = f'ulimit -v 2097152; ulimit -t {_SECONDS}; exec "$@"'


def commit_time(submissions: Path, path: str) -> datetime | None:
    """Return when the commit that last changed a file was made, by the clock of the student's computer.

    A repository is read if it lies below the submissions. Its settings, hooks and attributes are not: Git
    gets a repository of our own, which borrows the student's objects.

    Parameters
    ----------
    submissions : Path
    path : str
        Below the submissions.

    Returns
    -------
    datetime or None
        None if the file is in no repository, or has changed since, or has no commit that can be read.
    """
    parts = path.split("/")
    for depth in range(len(parts) - 1, 0, -1):
        repository = submissions.joinpath(*parts[:depth])
        if _is_folder(repository / ".git"):
            commit, below = _head(repository / ".git"), "/".join(parts[depth:])
            blob = _blob(submissions.joinpath(*parts))
            return _asked(repository / ".git" / "objects", commit, below, blob) if commit and blob else None
    return None


def _blob(file: Path) -> str:
    """Return Git's name for the content of an ordinary file, or nothing."""
    try:
        with open_regular(file, follow=False) as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError:
        return ""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _asked(objects: Path, commit: str, path: str, blob: str) -> datetime | None:
    with tempfile.TemporaryDirectory(prefix="course-git-") as folder:
        own = Path(folder)
        for name in ("objects", "refs"):
            (own / name).mkdir()
        (own / "HEAD").write_text("ref: refs/heads/none\n")
        (own / "config").write_text(
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tcommitGraph = false\n"
        )
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "GIT_DIR": folder,
            "GIT_OBJECT_DIRECTORY": str(objects.absolute()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }

        def said(*arguments: str) -> str:
            done = subprocess.run(
                ["sh", "-c", _LIMITED, "sh", "git", *arguments], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True,
            )  # fmt: skip
            return done.stdout.decode().strip()

        try:
            if said("rev-parse", "--verify", f"{commit}:{path}") != blob:  # changed after the commit
                return None
            return datetime.fromisoformat(said("log", "-1", "--format=%cI", commit, "--", path))
        except (OSError, ValueError, subprocess.SubprocessError):
            return None


def _head(git: Path) -> str:
    """Return the commit that is checked out, or an empty string."""
    head = _content(git / "HEAD").strip()
    if match := re.fullmatch(r"ref: (refs/heads/[^\x00-\x20]+)", head):
        if ".." in match[1]:
            return ""
        packed = re.search(rf"^([0-9a-f]+) {re.escape(match[1])}$", _content(git / "packed-refs"), re.M)
        head = _content(git / match[1]).strip() or (packed[1] if packed else "")
    return head if re.fullmatch(r"[0-9a-f]{40}", head) else ""


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _content(path: Path) -> str:
    """Return the text of a small ordinary file, or nothing."""
    try:
        with open_regular(path, follow=False) as file:
            return file.read(_MOST_BYTES).decode()
    except (OSError, ValueError):
        return ""
