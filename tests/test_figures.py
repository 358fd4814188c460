"""Plots, number grids and tables: what they draw, how small they are, and what they refuse."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import prepared
import pytest
import torch
from PIL import Image

from course_utils import figures
from course_utils.errors import FigureError

NETWORKS = {"AlexNet": (8, 15.4), "ResNet-152": (152, 3.6), "VGG-16": (16, 7.3), "GoogLeNet": (22, 6.7)}
CLASSES = [str(digit) for digit in range(10)]
REPOSITORY = Path(__file__).parents[1]


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


PICTURES: dict[str, Callable[[], Any]] = {
    "image_grid grey": lambda: figures.image_grid(random(20, 1, 28, 28), titles=range(20)),
    "image_grid colour": lambda: figures.image_grid((random(30, 3, 32, 32) * 255).to(torch.uint8)),
    "worst_mistakes": lambda: figures.worst_mistakes(
        random(40, 3, 32, 32), random(40, 10), torch.zeros(40).long(), CLASSES
    ),
    "filters of one channel": lambda: figures.filters(random(50, 1, 3, 3) - 0.5),
    "filters of many channels": lambda: figures.filters(random(100, 50, 3, 3) - 0.5),
    "feature_maps": lambda: figures.feature_maps(random(50, 28, 28), image=random(3, 30, 30)),
    "timing_bars": lambda: figures.timing_bars({"loops": 2.5, "im2col": 0.012, "nn.Conv2d": 3e-4}),
    "receptive_field_growth": lambda: figures.receptive_field_growth(
        {"conv1": 3, "conv2": 5, "pool": 6}, image=32
    ),
    "depth_chart": lambda: figures.depth_chart(NETWORKS),
}
TABLES: dict[str, Callable[[], Any]] = {
    "number_grids": lambda: figures.number_grids(a=random(3, 3), b=torch.eye(2)),
    "confusion_matrix": lambda: figures.confusion_matrix(torch.eye(10).long() * 5, CLASSES),
    "table": lambda: figures.table([["conv", 500]], ["layer", "parameters"]),
}


@cache
def drawn(name: str) -> Any:
    return {**PICTURES, **TABLES}[name]()


@pytest.mark.slow
def test_titles_of_long_class_names_do_not_run_into_one_another() -> None:
    scores = torch.zeros(12, 2).index_fill(1, torch.tensor(0), 2.5)
    short, long = (
        figures.worst_mistakes(torch.ones(12, 1, 32, 32), scores, torch.ones(12).long(), names)
        for names in (["7", "9"], ["automobile", "airplane"])
    )
    assert "says 7, 92.4%, is 9" in short.alt
    assert "says automobile, 92.4%, is airplane" in long.alt
    for picture in (short, long):
        pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("L")).astype(int)
        between = [round(column * pixels.shape[1] / 6) for column in range(1, 6)]
        gaps = pixels[: pixels.shape[0] // 8, [x + near for x in between for near in (-1, 0, 1)]]
        assert gaps.min() > 200


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (16, 3, 2, 2), (2, 2, 5, 5), (64, 64, 3, 3)], ids=str)
def test_nothing_written_beside_the_filters_is_cut_off(shape: tuple[int, ...]) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(figures.filters(random(*shape) - 0.5).png)).convert("L"))
    assert (pixels[:, :2] == 255).all()
    assert (pixels[:, -2:] == 255).all()
    assert (pixels[-2:] == 255).all()


def test_a_narrow_page_scrolls_a_picture_before_its_letters_are_too_small() -> None:
    html = figures.timing_bars({"a": 1.0, "b": 2.0}).html
    wide, least = (int(re.search(rf"{key}(\d+)", html)[1]) for key in ('width="', "min-width:"))
    assert 0.8 * wide < least < wide and "overflow-x:auto" in html


@pytest.mark.parametrize(
    "notebook", sorted((REPOSITORY / "solutions").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_no_figure_of_a_notebook_is_larger_than_60_kilobytes(notebook: Path) -> None:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    sizes = [len("".join(output.get("data", {}).get("text/html", "")).encode()) for output in outputs]
    assert max(sizes) <= 60_000


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_has_alt_text_and_a_text_twin(name: str) -> None:
    bundle = drawn(name)._repr_mimebundle_()
    source = re.search(r'src="data:image/png;base64,([^"]+)"', bundle["text/html"])
    alt = re.search(r'alt="([^"]+)"', bundle["text/html"])
    assert source and alt and len(alt[1]) > 20
    assert len(bundle["text/html"].encode()) <= 60_000
    assert base64.b64decode(source[1]) == drawn(name).png
    image = Image.open(io.BytesIO(drawn(name).png))
    assert image.mode == "P" and "transparency" not in image.info
    assert image.getpixel((0, image.height - 1)) == image.getpixel((image.width - 1, image.height - 1))
    assert len(bundle["text/plain"]) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PICTURES, *TABLES])
def test_drawing_twice_gives_the_same(name: str) -> None:
    again = {**PICTURES, **TABLES}[name]()
    assert again._repr_mimebundle_() == drawn(name)._repr_mimebundle_()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PICTURES, *TABLES])
def test_no_figure_needs_a_script_or_the_network(name: str) -> None:
    html = drawn(name)._repr_mimebundle_()["text/html"]
    assert not re.search(r"<script|https?:|@import|url\(|\son\w+=", html)


@pytest.mark.slow
def test_drawing_leaves_matplotlibs_state_alone() -> None:
    code = """
import sys, matplotlib
matplotlib.rcParams["axes.facecolor"] = "red"
before = matplotlib.rcParams.copy()
from course_utils import figures
large = figures.timing_bars({"a": 1.0, "b": 2.0}).png
assert matplotlib.rcParams.copy() == before, "rcParams changed"
assert "matplotlib.pyplot" not in sys.modules, "pyplot was imported"
matplotlib.rcParams["axes.facecolor"] = "blue"
assert figures.timing_bars({"a": 1.0, "b": 2.0}).png == large, "the user's settings leak in"
"""
    assert prepared.run(code).returncode == 0


def test_importing_figures_is_cheap() -> None:
    code = "import sys; from course_utils import figures; print(*{'matplotlib', 'torch'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not answer.stdout.split()


def test_every_public_figure_resolves_to_what_it_is_called() -> None:
    for name in figures.__all__:
        assert getattr(figures, name) is not None
    assert callable(figures.table) and callable(figures.verdict_card)
    with pytest.raises(AttributeError, match="image_grid"):
        _ = figures.image_gird


def test_number_grids_stand_side_by_side_with_their_signs() -> None:
    image = [[3, 2, 3], [0, 1, 3]]
    drawn = figures.number_grids(
        image=image, kernel=[[1, 0]], output=[[3, 2], [0, 1]], signs="*=", windows={"image": (0, slice(0, 2))}
    )
    assert drawn.text.splitlines() == [
        "image 2×3       kernel 1×2       output 2×2",
        "(3)(2) 3    *    1  0        =    3  2",
        " 0  1  3                          0  1",
    ]
    assert drawn.html.count("<table") == 3 and drawn.html.count('class="cl-sign"') == 2
    assert drawn.html.count("cl-window") == 2


def test_number_grids_draw_each_channel() -> None:
    drawn = figures.number_grids(x=torch.arange(8).view(2, 2, 2))
    assert "x[0] of 2×2×2" in drawn.text and "x[1] of 2×2×2" in drawn.text


def test_a_window_may_be_several_regions() -> None:
    drawn = figures.number_grids(x=torch.arange(9).view(3, 3), windows={"x": [(0, 0), (2, slice(1, 3))]})
    assert [word for word in drawn.text.split() if word.startswith("(")] == ["(0)", "(7)(8)"]


def test_a_confusion_matrix_names_its_axes_and_shares() -> None:
    drawn = figures.confusion_matrix([[8, 2], [0, 5]], ["cat", "dog"])
    assert drawn.text.splitlines() == [
        "Confusion matrix: rows are true classes, columns are predictions",
        "true \\ predicted  cat  dog   right",
        "────────────────  ───  ───  ──────",
        "cat                 8    2   80.0%",
        "dog                 0    5  100.0%",
    ]
    assert 'title="20.0%">2<' in drawn.html


def test_a_class_without_images_has_no_share() -> None:
    assert figures.confusion_matrix([[0, 0], [0, 5]], ["cat", "dog"]).text.splitlines()[3].endswith("–")


def test_worst_mistakes_are_the_most_confident_ones_first() -> None:
    scores = torch.tensor([[0.0, 3.0], [0.0, 9.0], [5.0, 0.0], [0.0, 1.0]])
    drawn = figures.worst_mistakes(
        random(4, 1, 8, 8), scores, torch.tensor([0, 0, 0, 1]), ["cat", "dog"], count=1
    )
    assert drawn.text.splitlines() == [
        "The 1 most confident of 2 mistakes among 4 images:",
        "  image 1: predicted dog (100.0%), is cat",
    ]


def test_without_mistakes_a_sentence_says_so() -> None:
    scores = torch.tensor([[3.0, 0.0]])
    drawn = figures.worst_mistakes(random(1, 1, 8, 8), scores, torch.tensor([0]), ["cat", "dog"])
    assert drawn.text == "No mistakes: 1 of 1 images are right."


def test_an_image_grid_is_recognised_by_its_pixels() -> None:
    first, second = random(4, 1, 8, 8), random(4, 1, 8, 8)
    second[0, 0, 0, 0] += 0.01
    texts = [figures.image_grid(images).text for images in (first, first, second)]
    assert texts[0] == texts[1] != texts[2]
    assert figures.image_grid(first + 1e-7).text == texts[0], "rounding must not change what is compared"
    assert texts[0].startswith("4 images of 1×8×8 in 1 row of 4; digest ")


def test_images_show_black_and_white_where_they_are() -> None:
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    images[1] = 255
    picture = Image.open(io.BytesIO(figures.image_grid(images).png)).convert("L")
    row = [picture.getpixel((int(picture.width * x), picture.height // 2)) for x in (0.25, 0.75)]
    assert row == [0, 255]


def map_colours(drawn: Any, *shown: int, of: int) -> set[tuple[int, ...]]:
    """The colours in the middle of some of a row of maps."""
    pixels = np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB"))
    high, wide = pixels.shape[0], pixels.shape[1] / of
    parts = [
        pixels[high // 2 : high * 3 // 5, int((index + 0.2) * wide) : int((index + 0.8) * wide)]
        for index in shown
    ]
    return {tuple(map(int, colour)) for part in parts for colour in part.reshape(-1, 3)}


BLACK, GREY, WHITE = (0, 0, 0), range(300, 420), (255, 255, 255)


def test_each_feature_map_has_its_own_scale_from_black_to_white() -> None:
    ramp = torch.linspace(0, 1, 12).expand(12, 12)
    drawn = figures.feature_maps(torch.stack([ramp * 0.01, ramp * 7 + 3, ramp * 0]))
    for index in (0, 1):
        colours = map_colours(drawn, index, of=3)
        assert min(colours) < (80,) * 3 and max(colours) > (180,) * 3
        assert all(len(set(colour)) == 1 for colour in colours), "grey"
    assert map_colours(drawn, 2, of=3) == {BLACK}
    assert (
        drawn.text == "Feature maps: 3 of 12×12: filter 1 (0 to 0.01), filter 2 (3 to 10), filter 3 (all 0)"
    )


def test_with_negative_numbers_0_is_the_middle_grey_of_every_map() -> None:
    constant = torch.tensor([-0.01, 0.0, 7.0]).view(3, 1, 1).expand(3, 6, 6)
    drawn = figures.feature_maps(constant)
    below, zero, above = (sum(map_colours(drawn, index, of=3).pop()) for index in range(3))
    assert below < 200 and zero in GREY and above > 450


def test_filters_are_told_apart_by_lightness_around_0() -> None:
    constant = torch.tensor([-1.0, 0.0, 3.0]).view(3, 1, 1, 1).expand(3, 1, 6, 6)
    picture = Image.open(io.BytesIO(figures.filters(constant).png)).convert("RGB")
    line = {picture.getpixel((x, picture.height // 3)) for x in range(int(picture.width * 0.7))}
    colours = sorted(sum(colour) for colour in line - {WHITE})
    assert len(colours) >= 3 and colours[1] in GREY


def test_alt_text_says_what_is_to_be_seen_and_nothing_that_only_programs_compare() -> None:
    weight = torch.tensor([-0.5, 0.25, 0.75, 0.75]).view(4, 1, 1, 1)
    alt = figures.filters(weight).alt
    assert alt.endswith("Weights from -0.5 (blue) through 0 (grey) to 0.75 (yellow), 25% of them below 0.")
    digits = figures.image_grid(np.zeros((2, 8, 8)), ["3", "5"], alt="Two digits")
    assert "digest" in digits.text
    assert digits.alt == "Two digits: 2 images of 1×8×8 in 1 row of 2, titles 3, 5"


def test_the_input_stands_before_its_feature_maps() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, 9, 9)
    drawn = figures.feature_maps(torch.ones(2, 8, 8), ["edges", "spots"], image=red)
    assert map_colours(drawn, 0, of=3) == {(255, 0, 0)}
    assert drawn.text == "Feature maps: 2 of 8×8, beside the input: edges (all 1), spots (all 1)"
    assert "Each map has its own scale" in drawn.alt


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 4, 16, 32])
def test_titles_of_feature_maps_neither_meet_nor_leave_the_picture(count: int) -> None:
    maps = torch.tensor([-0.0123, -0.00456]).repeat(count, 1)[:, None].expand(count, 8, 2)
    drawn = figures.feature_maps(maps, ["brighter than its neighbours"] * count, image=maps[:1])
    pixels = np.asarray(Image.open(io.BytesIO(drawn.png)).convert("L")).astype(int)
    columns = min(count + 1, 6 if count < 24 else 8)
    edges = [min(round(at * pixels.shape[1] / columns), pixels.shape[1] - 2) for at in range(columns + 1)]
    titles = pixels[: int(0.3 * drawn.figure.dpi)]
    assert titles.min() < 100
    assert titles[:, [edge + near for edge in edges for near in (0, 1)]].min() > 200
    assert pixels[[0, -1]].min() > 200


def test_times_are_told_in_their_units_with_the_ratio() -> None:
    text = figures.timing_bars({"loops": 2.5, "im2col": 0.0125, "conv": 5e-7}).text
    assert text == (
        "time per call: loops 2.5 s; im2col 12 ms, 200 times faster; conv 500 ns, 5,000,000 times faster"
    )


def test_the_depth_chart_says_its_numbers_from_the_shallowest_to_the_deepest() -> None:
    assert figures.depth_chart(NETWORKS).text == (
        "Top-5 error on ImageNet: AlexNet, 8 layers, 15.4 %; VGG-16, 16 layers, 7.3 %; "
        "GoogLeNet, 22 layers, 6.7 %; ResNet-152, 152 layers, 3.6 %"
    )


def test_the_names_in_the_depth_chart_are_whole_and_apart() -> None:
    figure = figures.depth_chart(NETWORKS).figure
    names, room = [each.get_window_extent() for each in figure.axes[0].texts], figure.axes[0].bbox
    assert len(names) == 4
    for index, name in enumerate(names):
        assert room.contains(*name.p0) and room.contains(*name.p1)
        assert not any(name.overlaps(other) for other in names[index + 1 :])


def test_a_table_aligns_words_left_and_numbers_right() -> None:
    drawn = figures.table(
        [["conv", 450, torch.tensor(0.5)], ["a longer name", None, 12345]],
        ["layer", "count", "share"],
        "A caption",
    )
    assert drawn.text.splitlines() == [
        "A caption",
        "layer          count   share",
        "─────────────  ─────  ──────",
        "conv             450     0.5",
        "a longer name      –  12,345",
    ]
    assert "<caption>A caption</caption>" in drawn.html and 'scope="row"' in drawn.html


def test_names_are_escaped() -> None:
    script = "<script>"
    for drawn in (
        figures.table([[script, 1]], [script, "b"], script),
        figures.confusion_matrix([[1]], [script]),
        figures.number_grids(**{script: [[1]]}),
        figures.line(script),
        figures.timing_bars({script: 1.0, "b": 2.0}),
        figures.image_grid(np.zeros((1, 4, 4)), titles=[script], alt='"><script>'),
    ):
        assert "<script" not in drawn.html


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: figures.image_grid(random(8, 8)), "image_grid takes images"),
        (lambda: figures.image_grid(random(2, 2, 8, 8)), "image_grid takes images"),
        (lambda: figures.image_grid(random(101, 8, 8)), "1 to 100 images, not 101"),
        (lambda: figures.image_grid(random(0, 8, 8)), "1 to 100 images, not 0"),
        (lambda: figures.image_grid([random(8, 8), random(7, 8)]), "images of one shape"),
        (lambda: figures.image_grid("abc"), "image_grid takes images"),
        (lambda: figures.image_grid(random(2, 8, 8), titles=["a"]), "1 titles for 2 images"),
        (lambda: figures.filters(random(3, 3)), "K×C×h×w"),
        (lambda: figures.feature_maps(random(2, 3, 4, 5)), "C×H×W"),
        (lambda: figures.feature_maps(random(3, 4, 5), ["a"]), "1 titles for 3 maps"),
        (lambda: figures.feature_maps(random(3, 4, 5), image=random(2, 4, 5)), "input image C×H×W"),
        (lambda: figures.timing_bars({}), "names and seconds"),
        (lambda: figures.timing_bars({"a": 0.0}), "above 0"),
        (lambda: figures.timing_bars({"a": "fast"}), "above 0"),
        (lambda: figures.receptive_field_growth([3, 5]), "layers and pixels"),
        (lambda: figures.depth_chart({}), "names and pairs (layers, error)"),
        (lambda: figures.depth_chart({"x": (0, 3.6)}), "above 0"),
        (lambda: figures.depth_chart({"x": 3.6}), "names and pairs (layers, error)"),
        (lambda: figures.confusion_matrix(torch.zeros(2, 3), ["a", "b"]), "2×2 counts for 2 classes"),
        (lambda: figures.confusion_matrix([[-1]], ["a"]), "negative"),
        (
            lambda: figures.worst_mistakes(random(2, 1, 4, 4), random(3), torch.zeros(2), CLASSES),
            "scores N×K",
        ),
        (
            lambda: figures.worst_mistakes(random(2, 1, 4, 4), random(3, 10), torch.zeros(3), CLASSES),
            "2 images",
        ),
        (lambda: figures.number_grids(), "0 matrices"),
        (lambda: figures.number_grids(a=[[1]], signs="="), "1 matrices and 1 signs"),
        (lambda: figures.number_grids(a=torch.zeros(1, 1, 1, 1)), "a has 4 axes"),
        (lambda: figures.number_grids(a="x"), "a has no numbers"),
        (lambda: figures.number_grids(a=[[1]], windows={"b": (0, 0)}), "names 'b'"),
        (lambda: figures.table([[1, 2]], ["a"]), "2 cells, but 1 columns"),
    ],
)
def test_what_cannot_be_drawn_is_one_error_with_what_the_figure_takes(
    draw: Callable[[], Any], sentence: str
) -> None:
    with pytest.raises(FigureError, match=re.escape(sentence)):
        draw()


def test_scripts_styles_and_pages_keep_to_the_width_of_a_line_of_python(repository: Path) -> None:
    width = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["line-length"]
    files = [
        file for kind in ("js", "css", "html") for file in (repository / "course_utils").rglob(f"*.{kind}")
    ]
    lines = {file.name: file.read_text("utf-8").splitlines() for file in files}
    assert {"conv_walk.js", "conv_walk.css", "student.html"} <= lines.keys()
    assert not [(name, line) for name, text in lines.items() for line in text if len(line) > width]
