"""The Gradescope autograder in an image like Gradescope's own: setup, then submissions, timed and limited.

As root, on Linux, with a Debian or Ubuntu in a folder (its Python 3.11 or newer, or that in its packages):

    debootstrap --variant=minbase bookworm ROOT
    python tests/benchmarks/gradescope_image.py ROOT --setup

The folder gets /autograder, as Gradescope lays it out, and is entered with the rights that Docker gives a
container; a control group limits processor and memory. setup.sh sees TORCH_INDEX and pip's variables.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS)]

import gradescope  # noqa: E402
from nbgrader_hostile import hand_in  # noqa: E402
from submissions import REPOSITORY, solutions, submission  # noqa: E402
from test_grading_gradescope import FORGER, SPY  # noqa: E402

from course_utils.grading.gradescope.autograder_zip import write_autograders  # noqa: E402
from course_utils.notebooks.layout import find_labs  # noqa: E402

RIGHTS = (
    "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap net_bind_service "
    "sys_chroot kill audit_write"
)
"""Docker's own list."""
GROUPS = Path("/sys/fs/cgroup")


def entered(root: Path, *command: str) -> list[str]:
    """Return the command that runs another one inside, as root with Docker's rights."""
    kept = ",".join(f"+{right}" for right in RIGHTS.split())
    return ["setpriv", f"--bounding-set=-all,{kept}", "--inh-caps=-all", "chroot", str(root), *command]


@contextmanager
def limited(cpus: float, memory: float) -> Iterator[tuple[list[Path], Path]]:
    """Make control groups of so many cores and bytes; yield where processes enter, and where the peak is."""
    name = f"gradescope-{os.getpid()}"
    if (GROUPS / "cgroup.controllers").exists():
        folders = [GROUPS / name]
        limits = {"cpu.max": f"{cpus * 100_000:.0f} 100000", "memory.max": f"{memory:.0f}"}
        peak = folders[0] / "memory.peak"
    else:
        folders = [GROUPS / "cpu" / name, GROUPS / "memory" / name]
        limits = {"cpu.cfs_quota_us": f"{cpus * 100_000:.0f}", "memory.limit_in_bytes": f"{memory:.0f}"}
        peak = folders[1] / "memory.max_usage_in_bytes"
    for folder in folders:
        folder.mkdir()
        for file, value in limits.items():
            if (folder / file).exists():
                (folder / file).write_text(value)
    try:
        yield [folder / "cgroup.procs" for folder in folders], peak
    finally:
        for folder in folders:
            for _ in range(100):
                try:
                    folder.rmdir()
                    break
                except OSError:
                    time.sleep(0.1)


def set_up(root: Path, lab: int) -> None:
    """Unpack the autograder and run its setup.sh."""
    home = root / "autograder"
    shutil.rmtree(home, ignore_errors=True)
    (home / "source").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        (archive,) = write_autograders(find_labs(REPOSITORY, lab), Path(folder))
        subprocess.run(["unzip", "-q", archive, "-d", home / "source"], check=True)
        print(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB")
    shutil.copy(home / "source" / "run_autograder", home)
    start = time.monotonic()
    done = subprocess.run(
        entered(root, "/autograder/source/setup.sh"), stdout=subprocess.DEVNULL, check=False
    )
    print(f"setup.sh: exit code {done.returncode}, {time.monotonic() - start:.0f} s")
    if done.returncode:
        raise SystemExit(1)


def run(root: Path, content: bytes, cpus: float, memory: float, kill_after: float | None = None) -> str:
    """Hand in a notebook, run the autograder, and return what came of it."""
    home = root / "autograder"
    for name in ("submission", "results"):
        shutil.rmtree(home / name, ignore_errors=True)
    (home / "submission_metadata.json").unlink(missing_ok=True)
    gradescope.folder(home, {"lab.ipynb": content})
    with limited(cpus, memory) as (entries, peak):
        start = time.monotonic()

        def enter() -> None:
            os.setsid()
            for entry in entries:
                entry.write_text("0")

        with (home / "results" / "stdout").open("wb") as out:
            process = subprocess.Popen(
                entered(root, "/autograder/run_autograder"), stdout=out, stderr=out, preexec_fn=enter
            )
            if kill_after is not None:
                time.sleep(kill_after)
                for entry in entries[:1]:
                    for pid in entry.read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
            code = process.wait()
        seconds, most = time.monotonic() - start, int(peak.read_text())
    found = gradescope.read(home)
    given = gradescope.points(found)
    lost = [number for number, score in given.items() if not score]
    return (
        f"exit code {code}, {seconds:.0f} s, {most / 2**20:.0f} MiB, isolation "
        f"{found.get('extra_data', {}).get('isolation')}, {sum(given.values()):g} points, none for {lost}: "
        f"{found['output'].splitlines()[0]}"
    )


def submissions(lab: int) -> dict[str, Any]:
    """Return notebooks to hand in, by what is wrong with them."""
    right = solutions(lab)
    head = {name: source.split("\n")[0] for name, source in right.items()}
    endless = {name: f"{line}\n    while True:\n        pass\n" for name, line in head.items()}
    waiting = {name: f"import time\n{line}\n    time.sleep(1000)\n" for name, line in head.items()}
    if lab != 1:
        return {"solution": submission(right, lab)}
    spy = {"output_size": SPY.replace("@SOURCE@", "/autograder/source/course")}
    spy |= {"same_padding": FORGER.replace("@HOME@", "/autograder")}
    with tempfile.TemporaryDirectory() as folder:
        memory = json.loads(hand_in("memory_at_call", Path(folder), Path("/nowhere"))[0].read_text())
    return {
        "solution": submission(right),
        "spy": submission(right | spy),
        "killed": submission(right | {"conv2d": endless["conv2d"]}),
        "memory": memory,
        "endless": submission(endless),
        "waiting": submission(waiting),
    }


def main() -> int:
    """Print a line for each submission."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--lab", type=int, default=1)
    parser.add_argument("--setup", action="store_true", help="run setup.sh first")
    parser.add_argument("--cpus", type=float, default=1.0)
    parser.add_argument("--gigabytes", type=float, default=1.5)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these submissions")
    parser.add_argument("--kill-after", type=float, default=10.0, help="when the one to kill is, in seconds")
    options = parser.parse_args()
    root, limits = options.root.resolve(), (options.cpus, options.gigabytes * 1e9)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    try:
        if options.setup:
            set_up(root, options.lab)
        for name, notebook in submissions(options.lab).items():
            if not options.only or name in options.only:
                kill_after = options.kill_after if name == "killed" else None
                told = run(root, json.dumps(notebook).encode(), *limits, kill_after)
                print(f"Lab {options.lab}, {name}: {told}", flush=True)
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
