"""Download a dataset's files: every mirror gets a chance, every byte is verified, no half file appears."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
from pathlib import Path

from course_utils.data.address import HttpAddress
from course_utils.data.catalog import File, Published
from course_utils.data.mirror import BrokenError, Mirror, Patience, RefusedError, SlowError
from course_utils.data.partial import Partial
from course_utils.data.transfer import ask, pieces
from course_utils.errors import DataError
from course_utils.settings import Settings
from course_utils.text import shown_address

PATIENCE = Patience()


class OutOfReachError(Exception):
    """No mirror delivered the file.

    Attributes
    ----------
    reasons : list of str
        One line for each address, the class's own mirror first.
    kept : int
        Bytes downloaded, from which the next run continues.
    """

    def __init__(self, reasons: list[str], kept: int = 0) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.kept = reasons, kept


class Downloader:
    """Downloads the parts of one dataset, and remembers between them which mirrors failed.

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
        self.began = self.said = time.monotonic()
        self.answered = False
        self.failed: set[str] = set()
        self.news = ""

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
            package = (error.name or "requests").partition(".")[0]
            raise DataError(
                f"{self.dataset.title} cannot be downloaded.",
                why=f"The package {package} cannot be imported ({error}).",
                left="Nothing was changed.",
                next_step=f"pip install {package}",
            ) from error
        except OSError as error:
            what = f"{self.dataset.title} cannot be stored"
            raise DataError.from_disk(error, self.folder, what, variants[0].size) from error

    def _mirrors(self, variants: tuple[File, ...]) -> list[Mirror]:
        mirrors = [_mirror(base, [("", variants[0])]) for base in self.dataset.mirrors]
        if self.options.data_mirror and self.options.data_mirror.strip():
            # The class's own mirror is a shared folder that is served: the same places, the same variants.
            places = [(folder, file) for file in variants for folder in self.dataset.folders]
            mirrors.insert(0, _mirror(self.options.data_mirror, places))
        return mirrors

    def _fetch(self, mirrors: list[Mirror], stack: contextlib.ExitStack) -> tuple[Path, str]:
        partials: dict[File, Partial] = {}
        while True:
            mirror = self._choose(mirrors, partials)
            address, file = mirror.addresses[0]
            if file not in partials:
                partials[file] = stack.enter_context(Partial(self.folder / file.name, file))
            partial = partials[file]
            if partial.pure and partial.origins != {mirror.base}:
                partial.restart()
            best, received, began = partial.best, partial.received, time.monotonic()
            self._say(f"asking {address}")
            doubt = ""
            try:
                if not partial.complete:
                    others = [other for other in mirrors if other is not mirror and not other.tedious]
                    may_leave = any(other.usable(self.patience) for other in others)
                    seconds = self._seconds(mirrors)
                    doubt = self._transfer(mirror, address, partial, seconds, may_leave=may_leave)
            except RefusedError as error:
                self.answered = self.answered or error.answered
                self.news = f"{address}: {error}"
                mirror.refuse(str(error))
            except SlowError as error:
                self.news = f"{address}: {error}"
                mirror.tedious, mirror.reason = True, str(error)
            except BrokenError as error:
                self.news = f"{address}: {error}"
                self._blame(mirror, error, gained=partial.best > best)
                if error.restart:
                    partial.restart()
            self._charge([mirror], time.monotonic() - began, partial.received - received)
            if not mirror.spent:
                self.said = time.monotonic()  # the bar was moving
            if partial.complete and partial.right:
                came_from = " and ".join(sorted(partial.origins - {""})) or "an earlier download"
                partial.publish()
                return partial.path, came_from
            if partial.complete and partial.origins != {mirror.base}:
                # Nobody knows whose bytes were wrong, so from now on all must come from one server.
                partial.purify()
            elif partial.complete:
                partial.restart()
                mirror.wrong += 1
                wrong = doubt or "what it sends does not match the published checksum"
                if doubt or mirror.wrong > 1:
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
                raise OutOfReachError([line for mirror in mirrors for line in mirror.reasons], kept)
            ready = [mirror for mirror in alive if mirror.ready_at <= now]
            if ready:
                return min(ready, key=self._rank)
            pause = min(mirror.ready_at for mirror in alive) - now
            self._say(f"waiting {pause:.0f} s", pause)
            time.sleep(pause)
            self._charge(alive, pause, 0)

    def _charge(self, mirrors: list[Mirror], seconds: float, received: int) -> None:
        for mirror in mirrors:
            mirror.charge(seconds, received, self.patience)
            if mirror.spent >= self.patience.window:
                self.failed.add(mirror.base)

    def _say(self, what_next: str, ahead: float = 0.0) -> None:
        """Tell what went wrong and what comes next, if nothing has been told for a while."""
        now = time.monotonic()
        if self.news and now + ahead - self.said >= self.patience.quiet:
            print(f"{self.news}; {what_next}", file=sys.stderr)
            self.said, self.news = now + ahead, ""

    def _rank(self, mirror: Mirror) -> tuple[bool, bool, int]:
        return mirror.base in self.failed, mirror.tedious, mirror.failures

    def _seconds(self, mirrors: list[Mirror]) -> float:
        """Seconds to wait for an answer; until a server answers, the mirrors share `Patience.verdict`."""
        if self.answered:
            return self.patience.headers
        left = self.patience.verdict - (time.monotonic() - self.began)
        untried = sum(mirror.reason == "not tried" for mirror in mirrors)
        return min(max(left / max(untried, 1), 0.5), self.patience.headers)

    def _transfer(
        self, mirror: Mirror, address: HttpAddress, partial: Partial, seconds: float, *, may_leave: bool
    ) -> str:
        """Fetch what is missing; returns what made the server's answer doubtful."""
        from tqdm.auto import tqdm

        file, validator = partial.file, partial.validators.get(str(address))
        answer = ask(
            address, file, offset=partial.size, validator=validator, seconds=seconds, patience=self.patience
        )
        self.answered = True
        try:
            if answer.offset != partial.size:
                partial.restart()
            partial.remember(str(address), answer.validator)
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
            answer.exchange.close()
        return answer.doubt

    def _blame(self, mirror: Mirror, error: BrokenError, *, gained: bool) -> None:
        if error.answered:
            self.answered = True
        else:
            self.failed.add(mirror.base)
        mirror.fail(error, self.patience, gained=gained)


def _mirror(base: str, places: list[tuple[str, File]]) -> Mirror:
    try:
        address = HttpAddress.read(base)
    except ValueError:
        hint = "in a password, / ? # and @ are written %2F %3F %23 and %40"
        why = "this is not an http address" + (f" ({hint})" if "@" in base else "")
        return Mirror(shown_address(base), [], refused=[f"{shown_address(base)}: {why}"])
    return Mirror(str(address), [(address.below(folder, file.name), file) for folder, file in places])
