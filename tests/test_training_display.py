"""Progress: in place in a notebook, as text in a terminal."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from training_data import net, tiny_dataset, tiny_recipe

from course_utils.training import display, fit

pytestmark = pytest.mark.slow


class Handle:
    """What IPython returns for an output that can be updated."""

    def __init__(self, first: dict) -> None:
        self.shown = [first]

    def update(self, bundle: dict, *, raw: bool) -> None:
        self.shown.append(bundle)


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> list[Handle]:
    """Pretend to be in a notebook, and collect its outputs."""
    import IPython.display

    made: list[Handle] = []

    def show(bundle: dict, *, raw: bool, display_id: bool) -> Handle:
        made.append(Handle(bundle))
        return made[-1]

    monkeypatch.setattr(IPython.display, "display", show)
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    monkeypatch.setattr(display.NotebookDisplay, "share", float("inf"))
    return made


def test_a_notebook_shows_one_line_and_one_plot_updated_in_place(handles, monkeypatch) -> None:
    monkeypatch.setattr("course_utils.training.meter.LOOK_EVERY", 0.0)
    fit(net(), tiny_dataset(), tiny_recipe(), checkpoint=False)
    device, line, curves = handles
    assert device.shown[0]["text/html"].startswith("<details><summary>How it is computed</summary>CPU, ")
    texts = [bundle["text/plain"] for bundle in line.shown]
    assert any("epoch 2 of 3 · batch 4 of 7" in text and "left" in text for text in texts)
    assert texts[-1].startswith("3 of 3 epochs in ")
    assert '<progress value="11" max="21"' in "".join(bundle["text/html"] for bundle in line.shown)
    assert "<progress" not in line.shown[-1]["text/html"]
    assert len(curves.shown) == 4  # one an epoch, and the last
    assert len(curves.shown[-1]["text/html"]) < 60_000


def test_short_epochs_do_not_spend_their_time_on_drawing(handles, monkeypatch) -> None:
    monkeypatch.setattr(display.NotebookDisplay, "share", 1e-6)
    fit(net(), tiny_dataset(), tiny_recipe(), checkpoint=False)
    assert len(handles[2].shown) == 2  # the first epoch's, and the last


def test_a_finished_run_shows_its_curves_again(handles, course_environment) -> None:
    fit(net(), tiny_dataset(), tiny_recipe(), show=False)
    fit(net(), tiny_dataset(), tiny_recipe())
    assert [len(handle.shown) for handle in handles] == [1, 1]
    assert "<img alt=" in handles[1].shown[0]["text/html"]


def test_a_terminal_gets_a_line_for_each_epoch(capsys) -> None:
    fit(net(), tiny_dataset(), tiny_recipe(), checkpoint=False)
    out = capsys.readouterr().out
    assert [line[:10] for line in out.splitlines() if line.startswith("epoch")] == [
        "epoch  1/3",
        "epoch  2/3",
        "epoch  3/3",
    ]
    assert out.splitlines()[-1].startswith("3 of 3 epochs in ")


def test_a_notebook_is_distinguished_from_a_terminal(monkeypatch) -> None:
    for shell, expected in [
        (None, False),
        (SimpleNamespace(), False),
        (SimpleNamespace(kernel=object()), True),
    ]:
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert display.in_notebook() is expected
    monkeypatch.delitem(sys.modules, "IPython")
    assert display.in_notebook() is False
