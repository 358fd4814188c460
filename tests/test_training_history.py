"""A history, its plot and its report: what they show is what happened, and on which data."""

from __future__ import annotations

import html
import json
import math
from dataclasses import replace

import pytest
from training_data import tiny_recipe

from course_utils.training import (
    DivideEvery,
    EpochRecord,
    History,
    Recipe,
    Triangle,
    plot_ablation,
    recipe,
    report,
)
from course_utils.training.epochs import epoch_count
from course_utils.training.results import LECTURE, MIME
from course_utils.training.schedules import Squeezed


def run(epochs: int = 4, planned: Recipe | None = None, **changes: object) -> History:
    planned = planned or tiny_recipe(epochs=4, schedule=DivideEvery(2, epochs=2))
    records = [
        EpochRecord(
            number, 0.1, 1 / number, 0.2 / number, 0.25 / number, seconds=2.0 * number, test_seconds=0.5
        )
        for number in range(1, epochs + 1)
    ]
    history = History(
        planned, "digits", "digits (1,797 real ones)", classes=10, records=records, parameters=1234
    )
    return replace(history, **changes)


def test_final_figures_are_the_last_epochs() -> None:
    history = run()
    assert history.final is history.records[-1]
    assert history.test_error == 0.0625
    assert history.train_error == 0.05
    assert history.seconds_per_epoch == 5.0
    assert history.seconds == 22.0
    assert history.complete
    assert not run(3).complete


def test_a_history_without_epochs_says_so() -> None:
    with pytest.raises(IndexError, match="No epoch was finished"):
        _ = run(0).final
    assert run(0).summary() == "0 of 4 epochs"
    run(0).plot()


def test_the_estimate_is_compared_with_what_it_took() -> None:
    assert run(estimate=10.5, test_estimate=0.5).estimate_ratio == 2.0
    assert run(estimate=None).estimate_ratio is None
    assert run(0, estimate=1.0).estimate_ratio is None
    assert (
        run(1, estimate=58.0, test_estimate=2.0).forecast("this CPU")
        == "3 epochs ≈ 3 min on this CPU (1 min each)"
    )
    assert run(3, estimate=2.0).forecast("cuda:0") == "1 epoch ≈ 2.0 s on cuda:0 (2.0 s each)"


def test_the_text_form_holds_no_measured_figure() -> None:
    assert repr(run()) == "History(tiny: 4 of 4 epochs on digits)"
    assert repr(run(2, interrupted=True)) == "History(tiny: 2 of 4 epochs on digits, interrupted)"


def test_the_plot_shows_loss_error_and_the_level_of_guessing() -> None:
    losses, errors = run().plot().figure.axes
    assert losses.get_xlabel() == errors.get_xlabel() == "epoch"
    assert "nats" in losses.get_ylabel()
    assert "%" in errors.get_ylabel()
    assert list(losses.lines[0].get_ydata()) == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert {line.get_label(): next(iter(line.get_ydata())) for line in errors.lines[:2]} == {
        "training": 20,
        "test": 25,
    }
    assert losses.lines[1].get_ydata()[0] == math.log(10)
    assert "ln 10 = 2.303" in losses.texts[0].get_text()
    assert "ln 3 = 1.099" in run(classes=3).plot().figure.axes[0].texts[0].get_text()


def test_training_and_test_differ_in_more_than_colour() -> None:
    training, test = run().plot().figure.axes[1].lines[:2]
    assert training.get_marker() != test.get_marker()
    assert training.get_linestyle() != test.get_linestyle()


def drops(planned: Recipe) -> list[float]:
    axes = run(1, planned).plot().figure.axes[1]
    return [line.get_xdata()[0] for line in axes.lines[2:]]


@pytest.mark.slow
def test_the_plot_marks_where_the_learning_rate_falls() -> None:
    assert drops(recipe("vgg", "lecture")) == [9, 13, 17]
    assert drops(recipe("lenet5", "lecture")) == [5, 10, 15, 20, 25]
    assert drops(tiny_recipe(epochs=9, schedule=Triangle())) == []
    assert drops(tiny_recipe(epochs=9)) == []
    squeezed = Squeezed(DivideEvery(1.5, epochs=5), epochs=30)
    assert drops(tiny_recipe(epochs=3, schedule=squeezed)) == [0.5, 1, 1.5, 2, 2.5]


def test_the_loss_of_every_step_is_a_curve_even_within_one_epoch() -> None:
    record = EpochRecord(1, 0.1, 2.0, 0.2, 0.2, 10.0, 1.0, losses=(3.0, 2.0, 1.5, 1.5))
    line = run(planned=tiny_recipe(epochs=1), records=[record]).plot().figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [0.125, 0.375, 0.625, 0.875]
    assert list(line.get_ydata()) == [3.0, 2.0, 1.5, 1.5]


@pytest.mark.parametrize(
    ("epochs", "text"),
    [
        (0, "0 epochs"),
        (1, "1 epoch"),
        (30, "30 epochs"),
        (2.5, "2.5 epochs"),
        (1 / 3, "a third of an epoch"),
        (0.335, "a third of an epoch"),
        (0.5, "half an epoch"),
        (0.8, "80 % of an epoch"),
    ],
)
def test_a_part_of_an_epoch_is_said_in_words(epochs: float, text: str) -> None:
    assert epoch_count(epochs) == text


def test_a_run_of_part_of_an_epoch_says_how_far_it_got() -> None:
    record = EpochRecord(0.5, 0.1, 1, 0.2, 0.2, 5.0, 1.0)
    planned = tiny_recipe(epochs=0.5)
    assert repr(run(planned=planned, records=[])) == "History(tiny: nothing of half an epoch on digits)"
    assert repr(run(planned=planned, records=[record])) == "History(tiny: half an epoch on digits)"


@pytest.mark.slow
def test_the_plot_names_recipe_and_source() -> None:
    title = run().plot().figure.get_suptitle()
    assert title == "tiny · digits (1,797 real ones)"
    assert (
        run(dataset="mnist", source="shared folder").plot().figure.get_suptitle()
        == "tiny · mnist, shared folder"
    )


def test_the_plot_shows_itself_as_a_small_png_with_an_alternative_text() -> None:
    history = run(30, recipe("lenet5", "lecture"))
    plot = history.plot()
    assert plot.png.startswith(b"\x89PNG")
    assert len(plot.png) < 30_000
    data = plot._repr_mimebundle_()
    assert data["text/plain"] == f"Loss and error of {history!r}"
    begun = "loss 1.0000, test error 25.00 % at first"
    alternative = html.escape(f"{data['text/plain']}: {begun}; {history.summary()}")
    assert f'<img alt="{alternative}" src="data:image/png;base64,' in data["text/html"]


def test_a_report_is_readable_by_people_and_by_tools() -> None:
    bundle = report(3, run(), note="x")._repr_mimebundle_()
    figures = json.loads(json.dumps(bundle[MIME]))
    assert (figures["lab"], figures["dataset"], figures["substitute"]) == (3, "digits", False)
    assert (figures["test_error"], figures["epochs"], figures["seconds_per_epoch"]) == (0.0625, 4, 5.0)
    assert (figures["source"], figures["note"], figures["lecture"]) == (
        "digits (1,797 real ones)",
        "x",
        LECTURE[3],
    )
    text = bundle["text/plain"]
    assert text.splitlines()[1].split() == ["test", "error", "6.25", "%", "0.78", "%"]
    assert "time per epoch" in text
    assert "96 s" in text
    assert text.splitlines()[-1] == "Data: digits (1,797 real ones)"
    assert "6.25 %" in bundle["text/html"]
    assert "digits (1,797 real ones)" in bundle["text/html"]


def test_a_report_says_that_embedded_data_stood_in() -> None:
    shown = report(3, run(substitute_for="mnist"))._repr_mimebundle_()
    sentence = "Not mnist: digits stood in for it, so the errors cannot be compared."
    assert sentence in shown["text/plain"]
    assert sentence in shown["text/html"]
    assert shown[MIME]["substitute"] is True


def test_a_report_says_that_training_is_unfinished() -> None:
    assert "Unfinished: 2 of 4 epochs." in str(report(4, run(2)))
    assert "Unfinished" not in str(report(4, run()))


def test_a_report_of_training_stopped_in_its_first_epoch_has_no_errors_and_says_so() -> None:
    shown = report(4, run(0, interrupted=True))
    assert ("test error", "–", "20.00 %") in shown.rows()
    assert "Unfinished: 0 of 4 epochs." in shown.notes()
    assert shown._repr_mimebundle_()[MIME]["test_error"] is None
    assert json.dumps(shown.figures)


def test_a_report_takes_other_figures_to_compare_with() -> None:
    text = str(report(4, run(), lecture={"test_error": 0.46}))
    assert "46.00 %" in text
    assert "–" in text  # what the lecture does not state


def test_a_report_escapes_what_it_shows() -> None:
    shown = report(4, run(dataset="<b>", source="a<script>"))._repr_mimebundle_()["text/html"]
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_last_part_of_an_epoch_counts_as_what_it_is() -> None:
    records = [EpochRecord(1, 0.1, 1, 0.2, 0.2, 10.0, 1.0), EpochRecord(1.25, 0.1, 1, 0.1, 0.1, 2.5, 1.0)]
    history = run(planned=tiny_recipe(epochs=1.25), records=records, estimate=10.0, test_estimate=1.0)
    assert history.seconds_per_epoch == 10.0
    assert history.estimate_ratio == 1.0
    assert history.complete
    assert repr(history) == "History(tiny: 1.25 of 1.25 epochs on digits)"
    half_way = run(planned=tiny_recipe(epochs=1.25), records=records[:1], estimate=10.0, test_estimate=1.0)
    assert not half_way.complete
    assert half_way.left() == 3.5
    assert half_way.left(0.1) == pytest.approx(2.5)
    assert half_way.forecast("this CPU") == "a quarter of an epoch ≈ 3.5 s on this CPU (11 s each)"
    assert (report(3, history).figures["epochs"], report(3, history).figures["epochs_planned"]) == (
        1.25,
        1.25,
    )
    history.plot()


def test_a_result_is_shared_in_one_line() -> None:
    history = run(
        dataset="cifar10", source="CIFAR-10 (JPEG copy), shared folder", machine="2 threads of AMD EPYC"
    )
    assert history.share(0.125) == (
        "CIFAR-10 (JPEG copy): 12.5 % test error after 7.0 s on 2 threads of AMD EPYC (seed 0, recipe 'tiny')"
    )
    assert ": 5 % test error not reached, 6.2 % after 22 s on" in history.share(0.05)
    stood_in = replace(history, dataset="shapes", substitute_for="cifar10")
    assert stood_in.share(0.2).startswith("shapes, standing in for cifar10: 20 % test error after")
    assert "not reached, no epoch finished on" in replace(history, records=[]).share(0.2)


def test_the_ablation_is_drawn_with_the_whole_recipe_first() -> None:
    rows = [{"name": name, "test_error": error} for name, error in (("whole", 0.2), ("a", 0.4), ("b", 0.3))]
    plot = plot_ablation({"rows": rows, "recipe": "vgg, fast", "data": "CIFAR-10", "date": "2026-01-01"})
    axes = plot.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["whole", "b", "a"]
    assert [bar.get_width() for bar in axes.patches] == [20, 30, 40]
    assert axes.get_xlabel() == "test error (%)"
    assert plot.alt == "whole: 20.0 %; b: 30.0 %; a: 40.0 %"
    assert "CIFAR-10" in plot.figure.get_suptitle()
    assert plot.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("loss", [0.5, 2.2])
@pytest.mark.parametrize("training", [0.0, 0.001, 0.01, 0.3])
@pytest.mark.parametrize("test", [0.001, 0.0078, 0.011, 0.35])
def test_what_a_report_says_of_the_errors_is_true_of_them(loss: float, training: float, test: float) -> None:
    record = EpochRecord(4, 0.1, loss, training, test, 10.0, 1.0)
    says = report(3, run(records=[record], classes=10)).notes()[0]
    assert says.startswith("The loss is still close to that of guessing") == (loss > 2)
    if loss < 2:
        assert ("known by heart" in says) == (training < 0.9 * test)
        assert ("is above the training" in says or "far above the training" in says) == (
            training < 0.9 * test
        )
        assert ("training error is above the test" in says) == (training > test)


def test_a_report_without_an_epoch_says_nothing_of_errors() -> None:
    assert report(3, run(records=[])).notes()[0].startswith("Data: ")
