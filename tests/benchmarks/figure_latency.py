"""From key press to changed frame: the live figures, beside the same idea drawn by Python in a kernel.

Run it by hand on a quiet machine: ``python tests/benchmarks/figure_latency.py``. It needs a browser, and for
the comparison JupyterLab and ipywidgets. Prints a table, or with ``--json`` numbers. A key press is timed
from the event's own timestamp until the frame with the change is painted. With ipywidgets and matplotlib the
answer comes from a kernel, and the time runs until the new picture is painted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import Browser, Page, sync_playwright
from torch import nn

from course_utils import figures, load_dataset

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("support", "browser"))
from choice import ARGUMENTS, decide
from lab_server import jupyterlab, open_notebook, run_all
from network_samples import NETWORKS, LeNet5, answers, history

PRESSES = 30

# Resolves with the milliseconds from the next key press to the frame after the change of what is watched.
_TIMED = """selector => {
    const frame = () => new Promise(requestAnimationFrame);
    window.pressed = null;
    const listen = event => { window.pressed ??= event.timeStamp; };
    document.addEventListener("keydown", listen, {capture: true, once: true});
    const changed = new Promise(resolve => {
        const watcher = new MutationObserver(() => { watcher.disconnect(); resolve(); });
        watcher.observe(document.querySelector(selector),
            {subtree: true, childList: true, attributes: true, characterData: true});
    });
    const late = new Promise((_, reject) => setTimeout(reject, 10000, "no change after 10 s"));
    window.answer = Promise.race([late, changed.then(async () => {
        const image = [...document.querySelector(selector).querySelectorAll("img")].at(-1);
        if (image?.src?.startsWith("data:")) await image.decode().catch(() => {});
        await frame();
        const painted = new MessageChannel();
        const done = new Promise(resolve => (painted.port1.onmessage = resolve));
        painted.port2.postMessage(0);
        await done;
        return performance.now() - window.pressed;
    })]);
}"""

_WIDGETS = """
import torch, matplotlib.pyplot as plt, ipywidgets
from torch.nn import functional
x = torch.tensor(IMAGE).float(); w = torch.tensor(FILTER).float()
y = functional.conv2d(x[None, None], w[None, None])[0, 0]
def walk(at):
    r, q = divmod(at, 4)
    _, axes = plt.subplots(1, 3, figsize=(8, 3))
    for axis, values in zip(axes, (x, w, y)):
        axis.imshow(values, cmap="Blues"); axis.set_axis_off()
        for i, row in enumerate(values.tolist()):
            for j, value in enumerate(row):
                axis.text(j, i, f"{value:g}", ha="center", va="center")
    axes[0].add_patch(plt.Rectangle((q - .5, r - .5), 3, 3, fill=False, lw=3))
    axes[2].add_patch(plt.Rectangle((q - .5, r - .5), 1, 1, fill=False, lw=3))
    plt.show()
ipywidgets.interact(walk, at=(0, 15));
"""


def presses(page: Page, control: Any, watched: str, keys: tuple[str, str]) -> list[float]:
    """Press two keys in turn, each after the answer to the last one."""
    control.focus()
    times = []
    for index in range(PRESSES + 3):
        page.evaluate(_TIMED, watched)
        page.keyboard.press(keys[index % 2])
        times.append(float(page.evaluate("window.answer")))
        page.wait_for_timeout(30)
    # The first few wake caches and compilers.
    return times[3:]


def cases() -> Iterator[tuple[str, Any, str, tuple[str, str]]]:
    """Yield name, figure, control and the two keys: the seven figures as they start, then larger ones."""
    along, down, up = ("ArrowRight", "ArrowLeft"), ("ArrowDown", "ArrowUp"), ("ArrowUp", "ArrowDown")
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 50, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(50, 100, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip
    field = figures.receptive_field(network, torch.randn(1, 28, 28))
    yield "conv_walk, window", figures.conv_walk(), "Window", along
    yield "conv_walk, padding", figures.conv_walk(), "Padding", up
    yield "im2col_walk, column", figures.im2col_walk(), "Column", along
    yield "im2col_walk, padding", figures.im2col_walk(), "Padding", up
    yield "pool_walk, window", figures.pool_walk(), "Window", along
    yield "shape_chain of LeNet5, padding", figures.shape_chain(LeNet5(), (1, 28, 28)), "padding of conv1", up
    yield (
        "cost_bars of five networks, order",
        figures.cost_bars(dict(list(NETWORKS.items())[:5])),
        "Sort by",
        down,
    )
    yield "receptive_field, unit", field, "Unit", along
    yield "receptive_field, layer", field, "Layer", down
    yield "training_panel, epoch", figures.training_panel(history(30)), "Epoch", ("ArrowLeft", "ArrowRight")
    digits = load_dataset("digits").test
    mistakes = figures.training_panel(history(), answers(digits.labels), digits.labels, digits.images)
    yield "training_panel, confusion", mistakes, "Cell", along
    x, weight = torch.randint(0, 9, (3, 12, 12)), torch.randint(-3, 4, (4, 3, 3, 3))
    yield "conv_walk 3×12×12, window", figures.conv_walk(x, weight, padding=1), "Window", along
    yield "im2col_walk 3×12×12, column", figures.im2col_walk(x, weight, padding=1), "Column", along
    yield "im2col_walk 3×12×12, padding", figures.im2col_walk(x, weight), "Padding", up
    yield "pool_walk 3×12×12, stride", figures.pool_walk(x), "Stride", up


def live(browser: Browser) -> Iterator[tuple[str, list[float]]]:
    """Time each live figure, opened from a file."""
    with tempfile.TemporaryDirectory() as folder:
        for name, figure, label, keys in cases():
            file = Path(folder, "figure.html")
            html = figure._repr_mimebundle_()["text/html"]
            file.write_text(f"<!doctype html><meta charset=utf-8>{html}", "utf-8")
            page = browser.new_page()
            page.goto(file.as_uri())
            control = page.get_by_label(label, exact=True).first
            yield name, presses(page, control, ".cl-stage", keys)
            page.close()


def widgets(browser: Browser) -> list[float]:
    """Time conv_walk's idea with ipywidgets and matplotlib in JupyterLab."""
    import nbformat

    from course_utils.figures.live.convolution import FILTER, IMAGE

    with tempfile.TemporaryDirectory() as folder:
        source = _WIDGETS.replace("IMAGE", str(IMAGE)).replace("FILTER", str(FILTER))
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip())])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        file = Path(folder, "walk", "walk.ipynb")
        file.parent.mkdir()
        nbformat.write(notebook, file)
        with jupyterlab(Path(folder), [file]) as address:
            page = browser.new_page()
            page.set_default_timeout(120_000)
            open_notebook(page, address, "walk/walk.ipynb")
            run_all(page)
            page.locator(".jp-OutputArea img").first.wait_for()
            page.wait_for_timeout(1000)
            handle = page.locator(".widget-slider [role=slider], .noUi-handle").first
            times = presses(
                page, handle, ".widget-output, .jupyter-widgets-output-area", ("ArrowRight", "ArrowLeft")
            )
            page.close()
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers for a tool")
    parser.add_argument(
        "--without-widgets", action="store_true", help="leave out the comparison in JupyterLab"
    )
    options = parser.parse_args()
    choice = decide(lambda line: print(line, file=sys.stderr))
    if choice.launch is None:
        parser.exit(1, f"{choice.reason}\n")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**choice.launch, args=ARGUMENTS)
        results = list(live(browser))
        if not options.without_widgets:
            results.append(("ipywidgets + matplotlib, window", widgets(browser)))
        browser.close()
    rows = [
        {
            "what": name,
            "median_ms": round(statistics.median(times), 1),
            "p95_ms": round(sorted(times)[int(0.95 * len(times))], 1),
            "presses": len(times),
        }
        for name, times in results
    ]
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    print(f"{'key press to changed frame':34}{'median':>10}{'p95':>10}")
    for row in rows:
        print(f"{row['what']:34}{row['median_ms']:>7} ms{row['p95_ms']:>7} ms")


if __name__ == "__main__":
    main()
