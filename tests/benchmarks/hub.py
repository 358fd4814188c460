"""A class on a JupyterHub: students open labs, run all cells and hand in; a table shows what that takes.

Run it as root on a quiet Linux machine: ``python tests/benchmarks/hub.py``. It needs, on the PATH or beside
this Python, jupyterhub and nbgitpuller (``pip install jupyterhub nbgitpuller``, in the environment of the
course), the hub's proxy (``npm install -g configurable-http-proxy``), git and a browser.
``COURSE_DATA_SHARED`` leads to MNIST. The accounts student1, student2, … and instructor are created
for the run. They, their files and their processes are removed at the end, even after Ctrl-C. The hub's
configuration and the command to hand in are those of docs/jupyterhub.md.

A student follows the link, logs in, and waits for the server, the pull and the notebook; runs the untouched
lab; puts a finished copy in its place; runs that; hands it in from a terminal. First student1 alone, then all
students at once. All browsers run on the same machine, so the times are a little worse than on a real hub.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from choice import ARGUMENTS, decide  # noqa: E402
from lab_server import command, save  # noqa: E402

from course_utils import settings  # noqa: E402

GUIDE = (ROOT / "docs" / "jupyterhub.md").read_text("utf-8")
LABS = {int(path.name[:2]): path for path in sorted((ROOT / "labs").glob("*.ipynb"))}
INSTRUCTOR = "instructor"
MB = 10**6
# Students have what is installed, which may be the release; the instructor has this checkout.
FROM_CHECKOUT = os.environ | {"PYTHONPATH": str(ROOT)}
TOOLS = {
    "course": "pip install -e .",
    "jupyterhub": "pip install jupyterhub",
    "jupyterhub-singleuser": "pip install jupyterhub",
    "gitpuller": "pip install nbgitpuller",
    "configurable-http-proxy": "npm install -g configurable-http-proxy",
    "git": "apt-get install git",
    "useradd": "run it on Linux",
}


def find_tools(students: list[str]) -> dict[str, str]:
    """Return the paths of the programs that the run needs; end with one sentence if one is missing."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise SystemExit("This creates accounts and starts servers for them: run it as root, on Linux.")
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = {name: shutil.which(name, path=paths) for name in TOOLS}
    missing = [f"{name} ({TOOLS[name]})" for name, path in found.items() if path is None]
    if missing:
        raise SystemExit(f"Not on the PATH: {', '.join(missing)}. Nothing was started.")
    taken = [account.pw_name for account in pwd.getpwall() if account.pw_name in {*students, INSTRUCTOR}]
    if taken:
        raise SystemExit(f"This machine already has the account {taken[0]}. Nothing was started.")
    return {name: path for name, path in found.items() if path is not None}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def run(*words: str | Path, **options: Any) -> str:
    """Run a command; if it fails, its output is the error."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def account(name: str, home: Path) -> Iterator[None]:
    """A user whose home nobody else can read."""
    shared = Path(tempfile.gettempdir())
    before = set(shared.iterdir())
    run("useradd", "--create-home", "--user-group", "--home-dir", home, "--shell", "/bin/bash", name)
    try:
        home.chmod(0o700)
        yield
    finally:
        uid = pwd.getpwnam(name).pw_uid
        for process in psutil.process_iter(["uids"]):
            if process.info["uids"] and process.info["uids"].real == uid:
                process.kill()
        for path in set(shared.iterdir()) - before:
            if path.lstat().st_uid == uid:
                print(f"{name} left {path}; it was removed")
                run("rm", "-rf", "--", path)
        subprocess.run(["userdel", name], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def served(release: Path, folder: Path) -> Iterator[str]:
    """Serve the release as a git repository with git's own server, and yield its address."""
    git = ["git", "-C", release, "-c", "user.name=Course", "-c", "user.email=course@localhost"]
    run(*git[:3], "init", "--quiet", "--initial-branch=main")
    run(*git, "add", "--all", "--force")
    run(*git, "commit", "--quiet", "--message=The labs")
    run("git", "clone", "--quiet", "--bare", release, folder / "convnet-labs")
    port = free_port()
    words = ["daemon", "--export-all", f"--base-path={folder}", "--listen=127.0.0.1", f"--port={port}"]
    server = subprocess.Popen(["git", *words], stderr=subprocess.DEVNULL)
    try:
        yield f"git://127.0.0.1:{port}/convnet-labs"
    finally:
        server.terminate()
        server.wait()


@dataclass
class Hub:
    address: str
    password: str
    process: subprocess.Popen[bytes]
    log: Path


def configuration(
    tools: dict[str, str], students: list[str], folder: Path, options: argparse.Namespace
) -> str:
    """Return the guide's configuration with this run's paths, and what a run on one machine needs."""
    block = re.search(r"```python\n(c\.Spawner.*?)```", GUIDE, re.DOTALL)
    if block is None:
        raise SystemExit("docs/jupyterhub.md has no configuration that begins with c.Spawner.")
    extra = {"COURSE_PROFILE": options.profile, **dict(pair.split("=", 1) for pair in options.environment)}
    return f"""
c = get_config()
{block.group(1).replace("/srv/data", str(folder / "data"))}
c.Spawner.environment.update({extra!r})
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = {options.password!r}
c.Authenticator.allowed_users = {set(students)!r}
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [{tools["jupyterhub-singleuser"]!r}]
c.Spawner.args = ["--LabApp.expose_app_in_browser=True"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.ConfigurableHTTPProxy.command = [{tools["configurable-http-proxy"]!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{free_port()}"
c.JupyterHub.bind_url = {options.address!r}
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{free_port()}"
"""


@contextmanager
def jupyterhub(
    tools: dict[str, str], students: list[str], folder: Path, options: argparse.Namespace
) -> Iterator[Hub]:
    """Start a JupyterHub and its proxy with umask 077, the strictest that hubs set."""
    options.address, options.password = f"http://127.0.0.1:{free_port()}", secrets.token_urlsafe(24)
    place = folder / "hub"
    place.mkdir(mode=0o700)
    (place / "jupyterhub_config.py").write_text(configuration(tools, students, folder, options))
    log = place / "jupyterhub.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [tools["jupyterhub"], "--config=jupyterhub_config.py"],
            cwd=place,
            stdout=stream,
            stderr=subprocess.STDOUT,
            umask=0o077,
            # Ctrl-C reaches only this program, which ends the hub, which ends its servers.
            start_new_session=True,
        )
    try:
        wait_for(lambda: answers(f"{options.address}/hub/health"), 120, "The hub does not answer.", process)
        yield Hub(options.address, options.password, process, log)
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def wait_for(
    done: Callable[[], object], seconds: float, sentence: str, process: subprocess.Popen[bytes] | None = None
) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise SystemExit(sentence)
        time.sleep(0.2)


class Memory:
    """The peak memory of each student, the hub and all of them, in bytes; shared pages are divided up."""

    def __init__(self, students: list[str], hub: Hub) -> None:
        self.students = {pwd.getpwnam(name).pw_uid: name for name in students}
        self.hub = hub.process.pid
        self.peaks: dict[str, int] = {}
        self.over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[Memory]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            thread.join()

    def _watch(self) -> None:
        while not self.over.wait(1.5):
            held = dict.fromkeys([*self.students.values(), "hub"], 0)
            for process in psutil.process_iter(["uids", "ppid"]):
                # The hub's children are its proxy and the students' servers, which have another owner.
                ours = "hub" if self.hub in (process.pid, process.info["ppid"]) else None
                owner = self.students.get(process.info["uids"].real, ours) if process.info["uids"] else None
                if owner is not None:
                    with suppress(psutil.Error):
                        held[owner] += process.memory_full_info().pss
            held["all"] = sum(held.values())
            self.peaks = {name: max(size, self.peaks.get(name, 0)) for name, size in held.items()}


@dataclass
class Student:
    """A student with a home folder and a page in a browser."""

    name: str
    home: Path
    page: Page


def follow_link(student: Student, hub: Hub, repository: str, notebook: str) -> None:
    """Follow the guide's link and log in; the server, the pull and the notebook follow."""
    query = urlencode(
        {"repo": repository, "branch": "main", "urlpath": f"lab/tree/convnet-labs/labs/{notebook}"}
    )
    student.page.goto(f"{hub.address}/hub/user-redirect/git-pull?{query}")
    if student.page.locator("#username_input").count():
        student.page.fill("#username_input", student.name)
        student.page.fill("#password_input", hub.password)
        student.page.click("#login_submit", no_wait_after=True)


def wait_until_open(student: Student, notebook: str) -> None:
    student.page.wait_for_url(f"**/user/{student.name}/lab/**", wait_until="commit")
    student.page.wait_for_function(
        """name => {
            const { context, sessionContext } = window.jupyterapp?.shell.currentWidget ?? {};
            const kernel = sessionContext?.session?.kernel;
            return context?.path.endsWith(name) && context.isReady
                && kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
        }""",
        arg=notebook,
    )


def run_all(students: list[Student], patience: float) -> list[float]:
    """Run all cells for all students at once; return the seconds until each one's last cell has run."""
    for student in students:
        student.page.evaluate(
            """() => {
                const started = performance.now();
                window.ran = null;
                jupyterapp.commands.execute('notebook:run-all-cells')
                    .then(() => { window.ran = (performance.now() - started) / 1000; });
            }"""
        )
    for student in students:
        student.page.wait_for_function("() => window.ran !== null", timeout=patience * 1000, polling=500)
        save(student.page)
    return [float(student.page.evaluate("() => window.ran")) for student in students]


def give_finished(student: Student, hub: Hub, lab: int) -> None:
    """Replace the untouched lab by a finished copy, through the student's own server."""
    name = LABS[lab].name
    notebook = json.loads((ROOT / "solutions" / name).read_text("utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    student.page.evaluate(
        """async ([path, content]) => {
            const { sessions, contents } = jupyterapp.serviceManager;
            await sessions.shutdownAll();
            await contents.save(path, { type: 'notebook', format: 'json', content });
        }""",
        [f"convnet-labs/labs/{name}", notebook],
    )
    student.page.goto(f"{hub.address}/user/{student.name}/lab/tree/convnet-labs/labs/{name}?reset")


def outputs(student: Student, lab: int) -> Iterator[dict[str, Any]]:
    """Yield the outputs of the student's saved notebook."""
    path = student.home / "convnet-labs" / "labs" / LABS[lab].name
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        yield from cell.get("outputs", [])


def look_through(student: Student, lab: int, state: str, profile: str) -> list[str]:
    """Return what is wrong with a notebook after its run."""
    found, text = [], ""
    for output in outputs(student, lab):
        if output["output_type"] == "error":
            found.append(f"{student.name}, lab {lab}, {state}: {output['ename']}: {output['evalue']}")
        text += "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
    if not text:
        found.append(f"{student.name}, lab {lab}, {state}: nothing was shown")
    if lab == 3 and profile != "quick" and "MNIST, shared folder" not in text:
        found.append(f"{student.name}, lab {lab}, {state}: MNIST did not come from the shared folder")
    return found


def hand_in(students: list[Student], boxes: Path, labs: list[int]) -> None:
    """Type the guide's command into a terminal of each student's JupyterLab."""
    line = re.search(r"^install -m .*$", GUIDE, re.MULTILINE)
    if line is None:
        raise SystemExit("docs/jupyterhub.md has no line that begins with install -m, to hand in with.")
    for student in students:
        command(student.page, "terminal:create-new")
        student.page.wait_for_selector(".jp-Terminal .xterm-screen", timeout=60_000)
        student.page.locator(".jp-Terminal .xterm-screen").click()
        student.page.wait_for_timeout(1500)  # until the shell shows its prompt
        for lab in labs:
            words = (
                line.group().replace("/srv/submissions", str(boxes)).replace("01_conv_layer", LABS[lab].stem)
            )
            student.page.keyboard.type(words)
            student.page.keyboard.press("Enter")
    for student, lab in itertools.product(students, labs):
        wait_for(
            (boxes / student.name / LABS[lab].name).exists, 60, f"{student.name} could not hand in lab {lab}."
        )


def grade(course: str, boxes: Path, home: Path, labs: list[int]) -> list[str]:
    """Grade as the instructor, who is not an administrator; return what is wrong."""
    words = ["runuser", "--user", INSTRUCTOR, "--", course, "grade", boxes, "--output", home / "grades"]
    print(run(*words, cwd=ROOT, env=FROM_CHECKOUT))
    with (home / "grades" / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    full = [row for row in rows if row["Points"] == row["Max"] != "0"]
    print(f"{len(rows)} rows in grades.csv, {len(full)} with full marks")
    missing = {(box.name, str(lab)) for box in boxes.iterdir() for lab in labs}
    missing -= {(row["Student"], row["Lab"]) for row in full}
    return [f"{name} has no full marks in lab {lab}" for name, lab in sorted(missing)]


def snapshot(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*"))


def foreign_files(students: list[Student]) -> list[str]:
    """Return the caches that do not belong to their student."""
    found = []
    for student in students:
        cache = student.home / ".cache" / "convnet-labs"
        owners = {path.lstat().st_uid for path in [cache, *cache.rglob("*")] if path.exists()}
        if owners != {pwd.getpwnam(student.name).pw_uid}:
            found.append(f"{cache} is not {student.name}'s own")
    return found


class Class:
    """The students of one run, and the table of times and memory."""

    HEADER = (
        "lab",
        "what",
        "students",
        "s, median / last",
        "MB a student, median / most",
        "hub and proxy",
        "all",
    )

    def __init__(self, hub: Hub, repository: str, memory: Memory, options: argparse.Namespace) -> None:
        self.hub, self.repository, self.memory = hub, repository, memory
        self.profile, self.patience = options.profile, options.patience
        self.rows: list[tuple[str, ...]] = []
        self.wrong: list[str] = []

    def work(self, students: list[Student], lab: int) -> None:
        """Open a lab through the link and run all cells; then the same with a finished copy in its place."""
        self.memory.peaks = {}
        begun, opened = time.monotonic(), []
        for student in students:
            follow_link(student, self.hub, self.repository, LABS[lab].name)
        for student in students:
            wait_until_open(student, LABS[lab].name)
            opened.append(time.monotonic() - begun)
        self.note(lab, "link to open notebook", students, opened)
        for state in ("untouched", "finished"):
            if state == "finished":
                for student in students:
                    give_finished(student, self.hub, lab)
                for student in students:
                    wait_until_open(student, LABS[lab].name)
            self.memory.peaks = {}
            self.note(lab, f"run all, {state}", students, run_all(students, self.patience))
            for student in students:
                self.wrong += look_through(student, lab, state, self.profile)
        for student in students:
            student.page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
            command(student.page, "application:close-all")

    def note(self, lab: int, what: str, students: list[Student], seconds: list[float]) -> None:
        time.sleep(3)  # the memory is measured once more
        peaks = {name: size / MB for name, size in self.memory.peaks.items()}
        each = [peaks[student.name] for student in students]
        memory = (f"{median(each):,.0f} / {max(each):,.0f}", f"{peaks['hub']:,.0f}", f"{peaks['all']:,.0f}")
        times = f"{median(seconds):.0f} / {max(seconds):.0f}"
        self.rows.append((f"{lab:02}", what, str(len(students)), times, *memory))
        print(*self.rows[-1], sep="  ", flush=True)

    def print_table(self) -> None:
        rows = [self.HEADER, ["---"] * len(self.HEADER), *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("| " + " | ".join(map(str.ljust, row, widths)) + " |")


def main() -> int:
    """Print the table; the exit code is 1 if something was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--lab", type=int, action="append", choices=sorted(LABS), help="default: 1 and 3")
    parser.add_argument("--profile", default="quick", choices=settings.PROFILES)
    parser.add_argument(
        "--environment", action="append", default=[], metavar="NAME=VALUE", help="for every student's server"
    )
    parser.add_argument("--patience", type=float, default=3600, help="seconds for one Run All")
    options = parser.parse_args()
    names = [f"student{number}" for number in range(1, options.users + 1)]
    labs = options.lab or [1, 3]
    tools = find_tools(names)
    choice = decide(print)
    if choice.launch is None:
        raise SystemExit(choice.reason)
    # Clean up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True))
        )
        folder.chmod(0o711)
        boxes, shared = folder / "submissions", folder / "data"
        for place in (boxes, folder / "home", folder / "git"):
            place.mkdir()
        course: dict[str, Any] = {"cwd": ROOT, "env": FROM_CHECKOUT}
        run(tools["course"], "data", "export", shared / "convnet-labs", "mnist", **course)
        run(tools["course"], "release", folder / "release", **course)
        for name in (INSTRUCTOR, *names):
            stack.enter_context(account(name, folder / "home" / name))
        for name in names:
            run("install", "-d", "-m", "2750", "-o", name, "-g", INSTRUCTOR, boxes / name)
        before = snapshot(shared)
        repository = stack.enter_context(served(folder / "release" / "convnet-labs", folder / "git"))
        hub = stack.enter_context(jupyterhub(tools, names, folder, options))
        memory = stack.enter_context(Memory(names, hub).watched())
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(playwright.chromium.launch(args=ARGUMENTS, **choice.launch))
        students = []
        for name in names:
            context = browser.new_context(viewport={"width": 1250, "height": 1000})
            context.set_default_timeout(300_000)
            students.append(Student(name, folder / "home" / name, context.new_page()))
        everyone = Class(hub, repository, memory, options)
        for lab in labs:
            everyone.work(students[:1], lab)
        # Or the checkpoint of the trained network would be found.
        shutil.rmtree(students[0].home / ".cache" / "convnet-labs")
        shutil.rmtree(students[0].home / "convnet-labs")
        for lab in labs:
            everyone.work(students, lab)
        hand_in(students, boxes, labs)
        wrong = (
            everyone.wrong
            + foreign_files(students)
            + grade(tools["course"], boxes, folder / "home" / INSTRUCTOR, labs)
        )
        if snapshot(shared) != before:
            wrong.append("the shared folder has changed")
        everyone.print_table()
        print(
            "\n".join(wrong or ["nothing was wrong: the shared folder is unchanged, and all have full marks"])
        )
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
