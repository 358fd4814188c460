"""The course's exceptions. Each says what failed, why, what was kept, and what to do next."""

from __future__ import annotations

import errno
from pathlib import Path


class CourseError(Exception):
    """An expected failure, explained in plain words.

    Parameters
    ----------
    what : str
        What failed, one sentence.
    why : str, optional
        The reason, with the value found and the value expected.
    left : str, optional
        What was kept, or left unchanged.
    next_step : str, optional
        The command or action that fixes it.
    """

    def __init__(self, what: str, *, why: str = "", left: str = "", next_step: str = "") -> None:
        # Names of files may hold bytes that are no characters; terminals and notebooks cannot show them.
        self.what, self.why, self.left, self.next_step = (
            part.encode(errors="backslashreplace").decode() for part in (what, why, left, next_step)
        )
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  why:  {self.why}"] if self.why else []
        lines += [f"  kept: {self.left}"] if self.left else []
        lines += [f"  next: {self.next_step}"] if self.next_step else []
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.why, self.left, self.next_step)

    def _render_traceback_(self) -> list[str]:
        # IPython calls this in place of a traceback: the reader needs the sentence, not our frames.
        return [f"{type(self).__name__}: {self}"]


def _rebuild(kind: type[CourseError], what: str, why: str, left: str, next_step: str) -> CourseError:
    return kind(what, why=why, left=left, next_step=next_step)


class DataError(CourseError):
    """A dataset cannot be found, fetched, decoded or stored."""

    @classmethod
    def from_disk(
        cls, error: OSError, path: Path, what: str, needed: int = 0, setting: str = "COURSE_DATA_DIR"
    ) -> DataError:
        """Explain what the operating system refused.

        Parameters
        ----------
        error : OSError
            The refusal.
        path : Path
            The file or folder concerned.
        what : str
            What failed, as a sentence without its full stop.
        needed : int
            Bytes that must fit on the disk, if known.
        setting : str
            What the reader changes to use another folder.
        """
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            room = f" ({needed / 1e6:,.0f} MB are needed)" if needed else ""
            why = f"The disk is full{room}."
            step = f"Free some space, or set {setting} to a folder on another disk."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            why = f"No permission: {path} ({error.strerror})."
            step = f"Set {setting} to a folder that you can write to."
        else:
            why = f"{error.strerror or error} ({path})."
            step = f"Set {setting} to another folder, or try again."
        return cls(f"{what}.", why=why, left="No half-written file was left behind.", next_step=step)


class DeviceError(CourseError):
    """The requested device does not exist on this machine."""


class SettingsError(CourseError):
    """An environment variable or option has a value that the course does not know."""


class UnknownDatasetError(DataError, SettingsError):
    """A name belongs to no dataset."""


class TrainingError(CourseError):
    """Training cannot start or continue."""


class ExerciseError(CourseError):
    """An exercise id is unknown or an exercise cannot be judged."""


class FigureError(CourseError):
    """A figure cannot be drawn from what it was given."""


class NotebookError(CourseError):
    """A notebook cannot be read, built, compared or run."""


class GradingError(CourseError):
    """Submissions cannot be collected, graded or reported."""
