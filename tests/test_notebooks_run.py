"""Notebooks run in fresh kernels of this interpreter, become pages of their own, and leave no process."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_samples import small_lab

from course_utils.errors import NotebookError
from course_utils.notebooks.kernel import CellError, execute
from course_utils.notebooks.outputs import RESULT_MIME, found_plot
from course_utils.notebooks.page import Card, formula, write_index, write_page
from course_utils.notebooks.run import run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cold_kernels")]
COURSE = [sys.executable, "-c", "import sys; from course_utils.command_line import main; sys.exit(main())"]


def outputs_of(*sources: str, **options: object) -> list[str]:
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    execute(notebook, Path.cwd(), profile="quick", timeout=60, **options)
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


def gone(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":  # dead, and not yet collected by init
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False


def test_the_kernel_is_this_interpreter_with_a_state_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    (text,) = outputs_of(
        "import os, sys, json\n"
        "names = ['COURSE_PROFILE', 'NBGRADER_EXECUTION', 'MPLBACKEND', 'COURSE_STATE_DIR', 'IPYTHONDIR']\n"
        "print(json.dumps([sys.executable, *map(os.environ.get, names)]))"
    )
    executable, profile, nbgrader, backend, state, ipython = json.loads(text)
    assert Path(executable).samefile(sys.executable)
    assert (profile, nbgrader) == ("quick", None)
    assert backend != "agg"
    assert state == ipython and not Path(state).exists()


def test_a_failing_cell_is_told_with_source_and_traceback():
    notebook = new_notebook(
        cells=[new_code_cell("print(1)"), new_code_cell("x = 0\n1 / x"), new_code_cell("print(2)")]
    )
    with pytest.raises(CellError) as caught:
        execute(notebook, Path.cwd(), profile="quick")
    message = str(caught.value)
    assert "1 / x" in message and "ZeroDivisionError" in message and "\x1b" not in message
    assert caught.value.number == 2
    assert notebook.cells[0].outputs and not notebook.cells[2].outputs


def test_what_is_printed_in_pieces_is_one_output_and_stays_before_the_figure():
    printed = "import time\nfor word in 'abc':\n    print(word, flush=True)\n    time.sleep(0.1)\n"
    source = f"{printed}display(1)\nprint('d')"
    notebook = new_notebook(cells=[new_code_cell(source)])
    execute(notebook, Path(), profile="quick")
    found = [(output.output_type, output.get("text")) for output in notebook.cells[0].outputs]
    assert found == [("stream", "a\nb\nc\n"), ("display_data", None), ("stream", "d\n")]


def test_keep_going_runs_the_cells_after_a_failing_one():
    notebook = new_notebook(cells=[new_code_cell("1 / 0"), new_code_cell("print('after')")])
    (error,) = execute(notebook, Path.cwd(), profile="quick", keep_going=True)
    assert error.number == 1
    assert notebook.cells[1].outputs[0].text == "after\n"


@pytest.mark.parametrize(
    ("source", "why"),
    [("import os; os._exit(3)", "kernel died"), ("import time; time.sleep(60)", "longer than 2 s")],
)
def test_a_dead_or_stuck_kernel_is_one_clear_error(source, why):
    with pytest.raises(CellError, match=why):
        execute(new_notebook(cells=[new_code_cell(source)]), Path.cwd(), profile="quick", timeout=2)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_what_a_cell_started_ends_with_its_kernel():
    (pid,) = outputs_of("import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
    assert gone(int(pid))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_what_a_cell_started_ends_even_if_the_kernel_died_before_it(tmp_path):
    note = tmp_path / "pid"
    source = (
        "import os, subprocess\n"
        f"open({str(note)!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\nos._exit(1)"
    )
    with pytest.raises(CellError):
        outputs_of(source)
    assert gone(int(note.read_text()))


def test_a_kernel_that_cannot_start_says_why(monkeypatch, tmp_path):
    (tmp_path / "ipykernel_launcher.py").write_text("raise ImportError('no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotebookError, match="No Jupyter kernel") as caught:
        outputs_of("1")
    assert "no such library" in str(caught.value)


REPORT = {
    "lab": 3,
    "dataset": "digits",
    "source": "digits instead of mnist",
    "substitute": True,
    "test_error": 0.0312,
}
REPORTING = f"""# %%
from IPython.display import display
display({{"application/vnd.convnet-labs.result+json": {REPORT}, "text/plain": "a table"}}, raw=True)
"""


def test_a_run_finds_what_the_notebook_reported_and_leaves_the_checkout_alone(tmp_path):
    lab = small_lab(tmp_path, REPORTING)
    before = sorted(tmp_path.rglob("*"))
    outcome = run(lab, profile="quick", output=tmp_path / "out")
    assert outcome.result == "passed"
    assert outcome.reports == [REPORT]
    assert "3.12 %" in outcome.findings
    assert outcome.substitutes == ["digits instead of mnist"]
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "out", outcome.page])


def test_a_failed_run_still_writes_its_page(tmp_path):
    outcome = run(
        small_lab(tmp_path, "# %%\nprint('so far')\n\n# %%\n1 / 0\n"), profile="quick", output=tmp_path
    )
    assert outcome.result == "failed"
    assert "ZeroDivisionError" in outcome.page.read_text() and "so far" in outcome.page.read_text()


class Requests(HTMLParser):
    """Collects what a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag, attributes):
        self._inside = tag
        for name, value in attributes:
            fetches = name in ("src", "poster", "srcset", "data") or (
                name == "href" and tag in ("link", "image", "use")
            )
            if fetches and value and not value.startswith("data:"):
                self.found.append(value)

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "style":
            self.found += [
                url for url in re.findall(r"url\(\s*['\"]?([^'\")]+)", data) if not url.startswith("data:")
            ]
            self.found += re.findall(r"@import[^;]+", data)
        if self._inside == "script":
            self.found += re.findall(r"https?://[^\s\"'`)]+", data)


def test_a_page_needs_no_other_file_and_no_network(tmp_path):
    (tmp_path / "picture.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"></svg>')
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "FloatSlider()"}
    cell = new_code_cell("slider", outputs=[new_output("display_data", data=widget)])
    text = new_markdown_cell(
        "# Size\n\n$\\left\\lfloor\\frac{n-f}{s}\\right\\rfloor + 1$ ![p](picture.svg)\n\n$$x_1^2$$"
    )
    notebook = new_notebook(
        cells=[text, cell], metadata={"widgets": {"application/vnd.jupyter.widget-state+json": {}}}
    )
    page = tmp_path / "page.html"
    write_page(notebook, page, title="A page", folder=tmp_path)
    requests = Requests()
    requests.feed(page.read_text())
    assert requests.found == []
    assert page.read_text().count('class="maths"') == 2
    assert "FloatSlider()" in page.read_text()


def test_a_formula_is_a_picture_whose_text_is_its_latex():
    assert 'alt="\\frac{n-f}{s}"' in formula("\\frac{n-f}{s}")
    assert "<img" in formula("n < m") and "&lt;" in formula("n < m")


def test_a_formula_that_cannot_be_drawn_is_shown_as_code():
    assert formula("\\begin{matrix}1\\end{matrix}") == "<code>\\begin{matrix}1\\end{matrix}</code>"


def test_the_index_links_pages_and_escapes_what_notebooks_say(tmp_path):
    cards = [Card("<a>", {"Found": "<b>", "Data": ""}, "a.html", '<img alt="c" src="data:,">'), Card("d", {})]
    write_index(tmp_path / "index.html", title="T", caption="C", cards=cards)
    text = (tmp_path / "index.html").read_text()
    assert '<a href="a.html">&lt;a&gt;</a>' in text and '<img alt="c"' in text
    assert "<dt>Found</dt><dd>&lt;b&gt;</dd>" in text and "Data" not in text
    assert "<h2>d</h2>" in text


def test_a_heading_can_be_linked_to_as_in_a_notebook(tmp_path):
    text = "[go](#Predict,-then-`explain`)\n\n## Predict, then `explain` & run"
    write_page(new_notebook(cells=[new_markdown_cell(text)]), tmp_path / "a.html", title="A", folder=tmp_path)
    assert '<h2 id="Predict,-then-explain-&amp;-run">' in (tmp_path / "a.html").read_text()


def test_two_drawings_of_a_formula_are_the_same_bytes_and_have_no_paper():
    first, second = formula("x^2"), formula("x^2")
    assert first == second
    svg = base64.b64decode(first.partition("base64,")[2].partition('"')[0]).decode()
    assert "date" not in svg and "#ffffff" not in svg and "<path" in svg


RESULT = {RESULT_MIME: {"test_error": 0.1}}


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ([[], [{"image/png": "QQ=="}], [{"image/png": "QUE="}]], "QUE="),
        ([[{"image/png": "QQ=="}], [RESULT], [{"image/png": "QUE="}], [{"image/png": "QUFB"}]], "QUE="),
        ([[{"image/png": "QQ=="}], [RESULT]], "QQ=="),
        ([[{"text/html": '<div><img alt="a" width="2" src="data:image/png;base64,QQ=="></div>'}]], "QQ=="),
        ([[{"text/html": '<div class="cl-live"><img alt="a" src="data:image/png;base64,QQ=="></div>'}]], ""),
    ],
    ids=["the last", "the first after a result", "one before a result", "inside a figure", "no live figure"],
)
def test_the_plot_for_what_a_notebook_found(outputs, found):
    cells = [
        new_code_cell("", outputs=[new_output("display_data", data=data) for data in each])
        for each in outputs
    ]
    shown = found_plot(new_notebook(cells=cells))
    assert shown.endswith(f';base64,{found}">') if found else shown == ""


SLOW = "# %%\nimport os, subprocess, time\nprocess = subprocess.Popen(['sleep', '600'])\n"
SLOW += "open('started', 'w').write(f'{os.getpid()} {process.pid}')\ntime.sleep(600)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups are POSIX's")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_was_finished_and_leaves_no_process(tmp_path, signal_number):
    small_lab(tmp_path, "# %%\nprint('done')\n", number=1)
    slow = small_lab(tmp_path, SLOW, number=2)
    small_lab(tmp_path, "# %%\nprint('never')\n", number=3)
    process = subprocess.Popen(
        [*COURSE, "run", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    started = slow.text.parent / "started"
    for _ in range(600):
        if started.exists() and len(started.read_text().split()) == 2:
            break
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    process.send_signal(signal_number)
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [n["result"] for n in json.loads(stdout)["notebooks"]] == ["passed", "interrupted", "not run"]
    assert "done" in (tmp_path / "build" / "01_small.html").read_text()
    assert "interrupted" in (tmp_path / "build" / "index.html").read_text()
    assert all(gone(int(pid)) for pid in started.read_text().split())
