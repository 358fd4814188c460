"""How three downloaders cope with the same faults: the course's, torchvision's and pooch's.

    python tests/benchmarks/data_faults.py [--wait 45]

Every case runs against a real server on loopback that misbehaves on purpose, each downloader in a process of
its own: once while the server misbehaves, and once more after it has recovered, as a student would. The table
shows what each run gave, and how many bytes were fetched in all, as a share of the file; a second one counts.
pooch is left out if it is not installed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import misbehaving_server as bad
from misbehaving_server import Behaviour, Server

CONTENT = random.Random(5242).randbytes(4_000_000)
NAME = "images.gz"
HALF = len(CONTENT) // 2

COURSE = """
import requests, tqdm.auto
from pathlib import Path
from course_utils import settings
from course_utils.data.acquire import acquire
from course_utils.data.catalog import File, Published
# start
file = File(name, size, sha256)
dataset = Published("images", "Images", ((file,),), tuple(mirrors), ("",), ())
acquire(dataset, Path(folder).parent, settings.read())
"""
TORCHVISION = """
from urllib.error import URLError
from torchvision.datasets.utils import check_integrity, download_url
# start
# As in torchvision.datasets.MNIST.download, which is the only one there with mirrors.
for mirror in mirrors:
    try:
        download_url(f"{mirror}/{name}", folder, filename=name, md5=md5)
    except URLError as error:
        last = error
        continue
    break
else:
    raise RuntimeError(f"Error downloading {name}") from last
"""
POOCH = """
import pooch
# start
pooch.retrieve(f"{mirrors[0]}/{name}", known_hash=f"sha256:{sha256}", path=folder, fname=name)
"""


@dataclass(frozen=True)
class Case:
    """A fault: what the first server does while it lasts, and whether there is a second, good one."""

    name: str
    script: tuple[Behaviour, ...] = ()
    always: Behaviour | None = None
    second: bool = False
    kill: bool = False
    damage: Callable[[bytes], bytes] | None = None


def _flip(content: bytes) -> bytes:
    return content[:HALF] + bytes([content[HALF] ^ 1]) + content[HALF + 1 :]


_CHUNKS = f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n0\r\n"


def _trailers(handler: bad.Handler, content: bytes) -> None:
    """Send everything, and then trailers without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNKS)
    handler.noted.sent += len(content)
    bad.endless("", b"X-More: 1\r\n", 0.01)(handler, b"")


CASES = (
    Case("503 twice, then fine", (bad.status(503), bad.status(503))),
    Case("429 with Retry-After: 1", (bad.status(429, Retry_After="1"),)),
    Case("404, second mirror good", always=bad.status(404), second=True),
    Case("403 everywhere", always=bad.status(403)),
    Case("headers never come", always=bad.no_headers),
    Case("headers never come, second mirror good", always=bad.no_headers, second=True),
    Case("body stalls half-way", (bad.stall_after(HALF),)),
    Case("body drips", (bad.drip_after(HALF, 0.05),)),
    Case("reset half-way", (bad.reset_after(HALF),)),
    Case("short body with length", (bad.short(HALF, with_length=True),)),
    Case("short body without length", (bad.short(HALF, with_length=False),)),
    Case("one flipped bit", (bad.flipped_bit,)),
    Case("one flipped bit, second mirror good", always=bad.flipped_bit, second=True),
    Case("sign-in page with 200", always=bad.web_page),
    Case("redirect loop", always=bad.redirect(f"/{NAME}")),
    Case("range ignored after a reset", (bad.reset_after(HALF), bad.range_ignored)),
    Case("one byte a second", always=bad.drip_after(0, 1.0)),
    Case("one byte a second, second mirror good", always=bad.drip_after(0, 1.0), second=True),
    Case("Retry-After: 55 each time", always=bad.status(503, Retry_After="55")),
    Case("Retry-After: 55 each time, second good", always=bad.status(503, Retry_After="55"), second=True),
    Case("trailers without end", always=_trailers),
    Case(
        "redirect with a body without end",
        always=bad.endless(f"HTTP/1.1 302 Found\nLocation: /{NAME}x\n\n", bytes(1 << 16), 0.05),
    ),
    Case("206 without Content-Range", always=bad.says("HTTP/1.1 206 Partial Content\n")),
    Case("201", always=bad.says("HTTP/1.1 201 Created\n")),
    Case(
        "Content-Length twice", always=bad.says("HTTP/1.1 200 OK\n" + f"Content-Length: {len(CONTENT)}\n" * 2)
    ),
    Case("killed half-way", (bad.stall_after(HALF),), kill=True),
    Case("damaged afterwards", damage=_flip),
    Case("cut afterwards", damage=lambda content: content[:HALF]),
)


@dataclass(frozen=True)
class Run:
    """How one run ended: its exit code (None if it had to be stopped), what it said, and its time."""

    code: int | None
    error: str
    seconds: float


@dataclass(frozen=True)
class Cell:
    """What one downloader made of one fault."""

    text: str
    counts: frozenset[str]


COUNTS = ("right at once", "wrong file left", "still waiting when stopped", "right at the second try")


def state_of(folder: Path) -> str:
    """What lies under the file's name."""
    found = (folder / NAME).read_bytes() if (folder / NAME).exists() else None
    return "nothing" if found is None else "right" if found == CONTENT else "WRONG FILE"


def outcome(folder: Path, run: Run) -> str:
    """What one run gave, in a few words."""
    state = state_of(folder)
    if run.code is None:
        return f"still waits, {state}"
    if run.code == 0:
        return "right" if state == "right" else f"no error, {state}"
    raised = re.findall(r"^([\w.]+)(?::|$)", run.error, re.MULTILINE)
    reason = raised[-1].rpartition(".")[2] if raised else "killed"
    return f"error ({reason})" if state == "nothing" else f"error ({reason}), {state}"


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*"))


def fetch(script: str, folder: Path, mirrors: list[str], wait: float, kill: bool = False) -> Run:
    """Run a downloader in a process of its own."""
    known = {
        "mirrors": mirrors,
        "folder": str(folder),
        "name": NAME,
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "md5": hashlib.md5(CONTENT).hexdigest(),
    }
    imports, _, work = script.partition("# start\n")
    text = (
        f"import json\nglobals().update(json.loads({json.dumps(json.dumps(known))}))\n"
        f"{imports}\nprint('ready', flush=True)\n{work}"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", text], stderr=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        try:
            if kill:
                while time.monotonic() - began < wait and _bytes_in(folder) < HALF // 2:
                    time.sleep(0.02)
                process.send_signal(signal.SIGKILL)
            _, error = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Run(None, "", time.monotonic() - began)
    return Run(process.returncode, error, time.monotonic() - began)


def run(case: Case, script: str, wait: float) -> Cell:
    """One cell of the table."""
    files = {f"/{NAME}": CONTENT}
    with (
        tempfile.TemporaryDirectory() as temporary,
        Server(files, case.script, always=case.always) as first,
        Server(files) as second,
    ):
        folder = Path(temporary) / "archives"  # the name that the course's own cache gives it
        folder.mkdir()
        mirrors = [first.url, second.url] if case.second else [first.url]
        before = fetch(script, folder, mirrors, wait, case.kill)
        one, state = outcome(folder, before), state_of(folder)
        if case.damage:
            (folder / NAME).write_bytes(case.damage(CONTENT))
        first.script, first.always = [], None
        two = outcome(folder, fetch(script, folder, mirrors, wait))
        share = (first.sent + second.sent) / len(CONTENT)
    happened = (one == "right", state == "WRONG FILE", before.code is None, two == "right")
    counts = frozenset(name for name, so in zip(COUNTS, happened, strict=True) if so)
    return Cell(f"{one}, {before.seconds:.0f} s → {two}; {share:.2f}×", counts)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wait", type=float, default=45, help="seconds after which a run counts as hanging")
    arguments = parser.parse_args()
    loaders = {"course_utils": COURSE, "torchvision": TORCHVISION}
    if importlib.util.find_spec("pooch"):
        loaders["pooch"] = POOCH
    print("| fault | " + " | ".join(loaders) + " |")
    print("| --- |" + " --- |" * len(loaders))
    totals: dict[str, Counter[str]] = {name: Counter() for name in loaders}
    for case in CASES:
        cells = {name: run(case, script, arguments.wait) for name, script in loaders.items()}
        print(f"| {case.name} | " + " | ".join(cell.text for cell in cells.values()) + " |", flush=True)
        for name, cell in cells.items():
            totals[name].update(cell.counts)
    print(f"\n| of {len(CASES)} faults | " + " | ".join(loaders) + " |")
    print("| --- |" + " --- |" * len(loaders))
    for count in COUNTS:
        print(f"| {count} | " + " | ".join(str(totals[name][count]) for name in loaders) + " |")


if __name__ == "__main__":
    main()
