"""A Jupyter server of the tests' own: it serves copies of the notebooks, and nobody's settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import warm_kernels
from playwright.sync_api import Page

TOKEN = "tests"
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Cells out of sight are drawn, too: the tests look at all of them.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
}
# Otherwise each page asks, for seconds, whether extensions want JupyterLab to be built again.
PAGE = {"buildCheck": False, "buildAvailable": False}
RUN_ALL_MS = 240_000


class FrontEnd(NamedTuple):
    """What starts a front end's server, its options' prefix, and the path under which it opens a notebook."""

    module: str
    options: str
    path: str


JUPYTERLAB = FrontEnd("jupyterlab", "LabApp", "lab/tree")
NOTEBOOK_7 = FrontEnd("notebook", "JupyterNotebookApp", "notebooks")


@contextmanager
def jupyterlab(folder: Path, notebooks: list[Path], front_end: FrontEnd = JUPYTERLAB) -> Iterator[str]:
    """Serve copies of `notebooks`, under ``<parent's name>/<name>``; the answer is the address."""
    for notebook in notebooks:
        copy = folder / "work" / notebook.parent.name / notebook.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(notebook, copy)
    for name, settings in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    page_config = folder / "config" / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True, exist_ok=True)
    page_config.write_text(json.dumps(PAGE))
    own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    own |= {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    own |= {"IPYTHONDIR": "ipython", "COURSE_STATE_DIR": "state"}
    environment = os.environ | {name: str(folder / place) for name, place in own.items()}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    options += [
        f"--ServerApp.root_dir={folder / 'work'}",
        f"--{front_end.options}.expose_app_in_browser=True",
    ]
    log = folder / "server.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [
                sys.executable,
                warm_kernels.__file__,
                front_end.module,
                "--no-browser",
                "--allow-root",
                *options,
            ],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api/status?token={TOKEN}", server, log)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"Jupyter does not answer:\n{log.read_text()[-2000:]}")


def open_notebook(page: Page, address: str, name: str, front_end: FrontEnd = JUPYTERLAB) -> None:
    """Open a notebook, in JupyterLab in place of the one that is open, and wait until its cells are there."""
    if page.url.startswith(f"{address}/lab"):
        close(page)
        command(page, "docmanager:open", path=name)
    else:
        page.goto(f"{address}/{front_end.path}/{name}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=60_000)
    _idle(page)


def close(page: Page) -> None:
    """Close what is open, saved or not."""
    page.evaluate("() => [...jupyterapp.shell.widgets('main')].forEach(widget => widget.dispose())")


def command(page: Page, name: str, **arguments: object) -> None:
    """Give one of JupyterLab's commands, as its menus do."""
    page.evaluate(
        "([name, args]) => jupyterapp.commands.execute(name, args).then(() => null)", [name, arguments]
    )


def save(page: Page) -> None:
    """Save the notebook, as Ctrl-S does."""
    command(page, "docmanager:save")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")


def end_kernels(address: str) -> None:
    """End all kernels, as a server does that was started again."""
    headers = {"Authorization": f"token {TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/api/sessions", headers=headers)) as answer:
        sessions = json.load(answer)
    for session in sessions:
        end = urllib.request.Request(
            f"{address}/api/sessions/{session['id']}", headers=headers, method="DELETE"
        )
        urllib.request.urlopen(end).close()


def _idle(page: Page) -> None:
    # JupyterLab asks a new kernel several things; a page that goes away meanwhile reports them as errors.
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
    page.wait_for_function(f"() => {kernel}?.connectionStatus === 'connected'", timeout=60_000)
    page.wait_for_function(f"() => {kernel}.status === 'idle'", timeout=60_000)
    page.wait_for_timeout(500)


def run_all(page: Page) -> None:
    """Run all cells and wait for the last."""
    run = "jupyterapp.commands.execute('notebook:run-all-cells')"
    page.evaluate(f"() => {{ window.ran = false; {run}.then(() => (window.ran = true)); }}")
    page.wait_for_function("() => window.ran", timeout=RUN_ALL_MS)
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('*'))",
        timeout=10_000,
    )


def errors(page: Page) -> list[str]:
    """What cells printed as errors."""
    found = page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
    return [re.sub(r"\x1b\[[0-9;]*m", "", text) for text in found]


def change_theme(page: Page, theme: str) -> None:
    """Choose JupyterLab's light or dark theme, and wait until it is there."""
    command(page, "apputils:change-theme", theme=f"JupyterLab {theme}")
    page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=f"JupyterLab {theme}")
    # While a theme is loaded, nothing is shown.
    page.wait_for_function("() => document.querySelector('.jp-WindowedPanel-outer').clientHeight > 0")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def unfold(page: Page) -> None:
    """Make the window as tall as the notebook, so that a screenshot shows all of it."""
    height = page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollHeight")
    assert height > page.evaluate("() => innerHeight") / 2, "the notebook is not shown"
    page.set_viewport_size({"width": 1250, "height": min(int(height) + 150, 16_000)})
    page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
