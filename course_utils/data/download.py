"""Download a dataset's files: every mirror gets a chance, every byte is verified, no half file appears."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from pathlib import Path

from course_utils.data.catalog import File, Published
from course_utils.data.mirror import BrokenError, Mirror, Patience, RefusedError, SlowError
from course_utils.data.partial import Partial
from course_utils.data.transfer import ask, pieces
from course_utils.errors import DataError
from course_utils.settings import Settings

PATIENCE = Patience()


class OutOfReachError(Exception):
    """No mirror delivered the file.

    Attributes
    ----------
    reasons : list of str
        One line for each mirror.
    kept : int
        Bytes downloaded, from which the next run continues.
    """

    def __init__(self, reasons: list[str], kept: int = 0) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.kept = reasons, kept


class Downloader:
    """Downloads the parts of one dataset, and remembers between them which mirrors were silent.

    Parameters
    ----------
    dataset : Published
        What to download.
    folder : Path
        Where to put it.
    options : Settings
        For ``COURSE_DATA_MIRROR`` and ``COURSE_OFFLINE``.
    """

    def __init__(self, dataset: Published, folder: Path, options: Settings) -> None:
        self.dataset, self.folder, self.options = dataset, folder, options
        self.patience = PATIENCE
        self.began = time.monotonic()
        self.answered = False
        self.silent: set[str] = set()

    def fetch(self, variants: tuple[File, ...]) -> tuple[Path, str]:
        """Download one part; returns its path and where it came from.

        Raises
        ------
        OutOfReachError
            If no mirror delivers it.
        DataError
            If it cannot be stored.
        """
        mirrors = self._mirrors(variants)
        if self.options.offline:
            raise OutOfReachError([f"{mirror.base}: not tried, COURSE_OFFLINE is set" for mirror in mirrors])
        try:
            with contextlib.ExitStack() as stack:
                return self._fetch(mirrors, stack)
        except ImportError as error:
            raise DataError(
                f"{self.dataset.title} cannot be downloaded.",
                why=f"The package requests cannot be imported ({error}).",
                left="Nothing was changed.",
                next_step="pip install requests",
            ) from error
        except OSError as error:
            what = f"{self.dataset.title} cannot be stored"
            raise DataError.from_disk(error, self.folder, what, variants[0].size) from error

    def _mirrors(self, variants: tuple[File, ...]) -> list[Mirror]:
        mirrors = [
            Mirror(base, [(f"{base}/{variants[0].name}", variants[0])]) for base in self.dataset.mirrors
        ]
        if self.options.data_mirror:
            base = self.options.data_mirror.rstrip("/")
            # The class's own mirror is a shared folder that is served: the same places, the same variants.
            addresses = [
                ("/".join(filter(None, (base, folder, file.name))), file)
                for file in variants
                for folder in self.dataset.folders
            ]
            mirrors.insert(0, Mirror(base, addresses))
        return sorted(mirrors, key=lambda mirror: mirror.base in self.silent)

    def _fetch(self, mirrors: list[Mirror], stack: contextlib.ExitStack) -> tuple[Path, str]:
        partials: dict[File, Partial] = {}
        while True:
            mirror = self._choose(mirrors, partials)
            url, file = mirror.addresses[0]
            if file not in partials:
                partials[file] = stack.enter_context(Partial(self.folder / file.name, file))
            partial = partials[file]
            best = partial.best
            try:
                if not partial.complete:
                    others = [other for other in mirrors if other is not mirror and not other.tedious]
                    may_leave = any(other.usable(self.patience) for other in others)
                    self._transfer(mirror, url, partial, self._seconds(mirrors), may_leave=may_leave)
                    self.answered = True
            except RefusedError as error:
                self.answered = self.answered or error.answered
                mirror.refuse(str(error))
            except SlowError as error:
                mirror.tedious, mirror.reason = True, str(error)
            except BrokenError as error:
                self._blame(mirror, error, gained=partial.best > best)
                if error.restart:
                    partial.restart()
            if partial.complete and partial.right:
                came_from = " and ".join(sorted(partial.origins - {""})) or "an earlier download"
                partial.publish()
                return partial.path, came_from
            if partial.complete:
                mirror.wrong += partial.origins == {mirror.base}
                partial.restart()
                wrong = "what it sends does not match the published checksum"
                if mirror.wrong > 1:
                    mirror.refuse(wrong)
                else:
                    self._blame(mirror, BrokenError(wrong), gained=False)

    def _choose(self, mirrors: list[Mirror], partials: dict[File, Partial]) -> Mirror:
        """Pick the mirror to ask next; waits if all that remain asked for a pause."""
        while True:
            now = time.monotonic()
            alive = [mirror for mirror in mirrors if mirror.usable(self.patience)]
            expired = not self.answered and now - self.began >= self.patience.verdict
            if not alive or expired:
                kept = sum(partial.size for partial in partials.values())
                raise OutOfReachError([f"{mirror.base}: {mirror.reason}" for mirror in mirrors], kept)
            ready = [mirror for mirror in alive if mirror.ready_at <= now]
            if ready:
                return min(ready, key=lambda mirror: (mirror.tedious, mirror.failures))
            time.sleep(min(mirror.ready_at for mirror in alive) - now)

    def _seconds(self, mirrors: list[Mirror]) -> float:
        """Seconds to wait for an answer; until a server answers, the mirrors share `Patience.verdict`."""
        if self.answered:
            return self.patience.headers
        left = self.patience.verdict - (time.monotonic() - self.began)
        untried = sum(mirror.reason == "not tried" for mirror in mirrors)
        return min(max(left / max(untried, 1), 0.5), self.patience.headers)

    def _transfer(
        self, mirror: Mirror, url: str, partial: Partial, seconds: float, *, may_leave: bool
    ) -> None:
        from tqdm.auto import tqdm

        file, validator = partial.file, partial.validators.get(url)
        answer = ask(
            url, file, offset=partial.size, validator=validator, seconds=seconds, patience=self.patience
        )
        self.answered = True
        try:
            if answer.offset != partial.size:
                partial.restart()
            partial.remember(url, answer.validator)
            if shutil.disk_usage(self.folder).free < file.size - partial.size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            about = {"total": file.size, "initial": partial.size, "desc": file.name}
            with tqdm(**about, unit="B", unit_scale=True, delay=1) as bar:
                for piece in pieces(answer, file, self.patience, may_leave=may_leave):
                    partial.append(piece, mirror.base)
                    bar.update(len(piece))
        except RefusedError:
            partial.restart()
            raise
        finally:
            answer.response.close()

    def _blame(self, mirror: Mirror, error: BrokenError, *, gained: bool) -> None:
        if error.answered:
            self.answered = True
        else:
            self.silent.add(mirror.base)
        mirror.fail(error, self.patience, gained=gained)
