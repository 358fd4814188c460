"""Environment variables and paths: the one place that reads them."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.errors import SettingsError

PROFILES = ("lecture", "fast", "quick")
"""The lecture's recipe; the same target in less time; embedded data and a few seconds."""


@dataclass(frozen=True)
class Settings:
    """What the environment asks for.

    Attributes
    ----------
    data_dir : Path
        The user's cache of datasets (``COURSE_DATA_DIR``).
    data_shared : Path or None
        A read-only folder that is searched first (``COURSE_DATA_SHARED``).
    data_mirror : str or None
        Base address tried before the public mirrors (``COURSE_DATA_MIRROR``).
    offline : bool
        True when ``COURSE_OFFLINE`` forbids every download.
    profile : str
        One of `PROFILES` (``COURSE_PROFILE``).
    state_dir : Path
        Where the reader's progress and checkpoints are kept (``COURSE_STATE_DIR``); by default `data_dir`.
        Runs of the solutions use a folder of their own: they train from scratch and mark no exercise as done.
    device : str or None
        The device to use (``COURSE_DEVICE``), for example ``cpu`` or ``cuda:1``.
    """

    data_dir: Path
    data_shared: Path | None
    data_mirror: str | None = field(repr=False)
    offline: bool
    profile: str
    state_dir: Path
    device: str | None

    @property
    def checkpoints_dir(self) -> Path:
        """Where training keeps its checkpoints."""
        return self.state_dir / "checkpoints"

    @property
    def progress_dir(self) -> Path:
        """Where the state of each exercise is kept."""
        return self.state_dir / "progress"


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the course's environment variables.

    Parameters
    ----------
    environ : mapping, optional
        Defaults to ``os.environ``, read afresh at each call, so that a notebook can set a variable in a cell.

    Raises
    ------
    SettingsError
        If ``COURSE_PROFILE`` or ``COURSE_OFFLINE`` has an unknown value, or a folder's path is impossible.
    """
    env = os.environ if environ is None else environ

    def folder(name: str) -> Path | None:
        text = env.get(name, "")
        return absolute(text, name) if text.strip() else None

    data_dir = folder("COURSE_DATA_DIR") or _default_data_dir()
    return Settings(
        data_dir=data_dir,
        data_shared=folder("COURSE_DATA_SHARED"),
        data_mirror=env.get("COURSE_DATA_MIRROR") or None,
        offline=_flag("COURSE_OFFLINE", env.get("COURSE_OFFLINE", "")),
        profile=check_profile(env.get("COURSE_PROFILE") or "fast"),
        state_dir=folder("COURSE_STATE_DIR") or data_dir,
        device=env.get("COURSE_DEVICE") or None,
    )


def check_profile(profile: str) -> str:
    """Return `profile` if it is known.

    Raises
    ------
    SettingsError
        Otherwise, with the known ones.
    """
    if profile not in PROFILES:
        raise SettingsError(
            f"There is no profile {profile!r}.",
            why=f"The profiles are {', '.join(PROFILES)}.",
            next_step="Set COURSE_PROFILE, or --profile, to one of them.",
        )
    return profile


def absolute(path: str | os.PathLike[str], name: str) -> Path:
    """Return `path` with ``~`` and links resolved; there need not be anything.

    Parameters
    ----------
    path : str or path
        What the user wrote.
    name : str
        Where the user wrote it: a variable or a parameter.

    Raises
    ------
    SettingsError
        If there can never be anything: there is no such home, links lead in a circle, a name is too long.
    """
    expanded = os.path.expanduser(path)
    try:
        why = _impossible(expanded)
        place = Path(os.path.realpath(expanded))
    except ValueError as error:
        # Each version of Python has its own words for this.
        why = f"It cannot be a path: {error if chr(0) not in expanded else 'embedded null byte'}."
    except OSError:
        why = "It starts at the current folder, which no longer exists."
    if why:
        step = f"Set {name} to the path of a folder."
        raise SettingsError(f"{name} is {os.fspath(path)!r}.", why=why, next_step=step)
    return place


def _impossible(path: str) -> str:
    """Say why there can never be anything at `path`; empty if there can."""
    if path.startswith("~"):
        return f"There is no home folder {Path(path).parts[0]}."
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "Its links lead in a circle."
        if error.errno == errno.ENAMETOOLONG:
            return "A name in it is longer than the system allows."
    return ""


def _flag(name: str, text: str) -> bool:
    if text.lower() in ("", "0", "false", "no", "off"):
        return False
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    raise SettingsError(
        f"{name} is {text!r}.", why="It can only be on or off.", next_step=f"Set {name}=1 or {name}=0."
    )


def _default_data_dir() -> Path:
    """The user's cache folder, or a temporary one where there is no home or it cannot be used."""
    try:
        cache = _user_cache()
    except RuntimeError:  # neither HOME nor an entry in passwd, as in a container that runs as any user
        cache = Path()
    if _usable(cache):
        return cache
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"convnet-labs{user}"


def _user_cache() -> Path:
    # Imported here so that a machine with only torch, numpy, matplotlib and tqdm can train.
    try:
        from platformdirs import user_cache_path
    except ImportError:
        return Path.home() / ".cache" / "convnet-labs"
    return user_cache_path("convnet-labs", appauthor=False)


def _usable(folder: Path) -> bool:
    """Whether `folder` can be read, or made."""
    if not folder.is_absolute():
        return False
    for place in (folder, *folder.parents):
        try:
            place.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return place.is_dir() and os.access(place, os.X_OK if place == folder else os.W_OK | os.X_OK)
    return False
