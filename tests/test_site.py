"""The site: everything to read, no answer in it, and every link leads somewhere."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_samples import TEXT, small_lab

from course_utils.command_line import main
from course_utils.errors import NotebookError
from course_utils.notebooks.build import build
from course_utils.notebooks.layout import ANSWERS, Source, find_labs
from course_utils.notebooks.pairing import read_notebook
from course_utils.notebooks.strip import find_leaks
from course_utils.site import publish as publishing
from course_utils.site.lab_pages import with_outputs
from course_utils.site.publish import publish

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[1]
LARGEST = 1_000_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    publish(REPOSITORY, folder)
    return folder


class Page(HTMLParser):
    """What a page holds: every text, also of scripts and pictures; ids; links; what it loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.texts += [values[name] for name in ("alt", "title", "aria-label") if name in values]
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        self.loaded += [values[name] for name in ("src", "href") if name in values and tag != "a"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def text_of(file: Path) -> str:
    if file.name == "search.js":
        return "\n".join(
            map("\n".join, json.loads(file.read_text("utf-8").partition(" = ")[2].rstrip(";\n")))
        )
    return "".join(Page(file).texts) if file.suffix == ".html" else file.read_text("utf-8")


def words(text: str) -> str:
    """A text without what Markdown and HTML write differently."""
    return " ".join(re.findall(r"\w+", re.sub(r"\$[^$]*\$|\]\([^)]*\)", " ", text).casefold()))


def model_answers() -> Iterator[str]:
    """What instructors alone may read: the answers' text, and the model answers to the open questions."""
    for cell in read_notebook(Source(ANSWERS, REPOSITORY).solution).cells:
        if cell.cell_type == "markdown":
            # They quote the questions of the labs, and link to one another.
            yield "\n".join(line for line in cell.source.splitlines() if not line.startswith((">", "[")))
    for lab in find_labs(REPOSITORY):
        for cell in read_notebook(lab.solution).cells:
            if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"):
                yield cell.source


def given_away(folder: Path) -> list[str]:
    """What of solutions and model answers the files of a site show, with the file."""
    solutions = [read_notebook(lab.solution) for lab in find_labs(REPOSITORY)]
    lines = [
        line for answer in model_answers() for line in answer.splitlines() if len(words(line).split()) > 5
    ]
    assert len(lines) > 60
    found = []
    for file in sorted(folder.iterdir()):
        text = text_of(file)
        shown = new_notebook(cells=[new_markdown_cell(text)])
        found += [f"{file.name}: {leak.line}" for each in solutions for leak in find_leaks(each, shown)]
        squeezed = words(text)
        found += [f"{file.name}: {line}" for line in lines if words(line) in squeezed]
    return found


def test_no_solution_and_no_model_answer_is_on_it(site: Path) -> None:
    assert given_away(site) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("01_conv_layer.html", "<main", "<p><span>return</span> (n + 2 * p - f) // s + 1</p><main"),
        ("search.js", '"Stride"', '"the result is (n+2p-f)//s+1"'),
        ("02_pooling_layer.html", "<main", "<img alt='No average is as large as the maximum'><main"),
        ("index.html", "<h1>", "<p>{answer}</p><h1>"),
    ],
    ids=["code", "the search", "a question", "an answer"],
)
def test_what_is_given_away_is_found(site: Path, tmp_path: Path, name: str, old: str, new: str) -> None:
    shutil.copy(site / name, tmp_path)
    text = (tmp_path / name).read_text("utf-8")
    assert old in text
    answers = list(model_answers())
    if name.startswith("02"):
        (question,) = [text for text in answers if text.startswith("1. A is the average")]
        new = f"<img alt='{question.splitlines()[0]}'><main"
    long = next(line for line in answers[3].splitlines() if len(line.split()) > 8)
    (tmp_path / name).write_text(text.replace(old, new.format(answer=long), 1), "utf-8")
    assert len(given_away(tmp_path)) >= 1


def test_cells_that_ask_nothing_have_their_outputs_and_figures_are_live(site: Path) -> None:
    for lab in find_labs(REPOSITORY):
        page = (site / f"{lab.name}.html").read_text("utf-8")
        cells = re.split(r'<div class="cell [^>]*id="cell-id=', page)[1:]
        by_id = {cell.partition('"')[0]: cell for cell in cells}
        solution = read_notebook(lab.solution)
        assert set(by_id) == {cell.id for cell in solution.cells}
        live = sum("cl-live" in str(cell.get("outputs")) for cell in solution.cells)
        assert page.count('class="cl-live"') == live > 0
        for cell in solution.cells:
            shown = by_id[cell.id]
            if cell.metadata.get("nbgrader") or "check." in cell.source:
                assert "output_area" not in shown, cell.id
            elif cell.get("outputs"):
                assert "output_area" in shown, cell.id
        assert page.count("raise") >= lab_exercises(solution)
        # A network as PyTorch prints it is the code that makes it.
        assert "(conv1): Conv2d(" not in page


def lab_exercises(solution: nbformat.NotebookNode) -> int:
    marks = [cell.metadata.get("nbgrader", {}) for cell in solution.cells if cell.cell_type == "code"]
    return sum(bool(mark.get("solution")) for mark in marks)


def test_what_an_answer_without_parameters_returns_is_not_shown(site: Path) -> None:
    text = text_of(site / "03_lenet5.html")
    assert "The output shows what your lenet5_parameters returns." in text
    assert "490,100" not in text


def test_every_link_leads_to_a_place_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {file.name: Page(file) for file in site.glob("*.html")}
    assert len(pages) >= 9
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        for link in page.links:
            if link.startswith("https://"):
                continue
            file, _, anchor = link.partition("#")
            assert file in pages or not file, f"{name}: {link}"
            assert not anchor or anchor in pages[file or name].ids, f"{name}: {link}"
        assert [what for what in page.loaded if not what.startswith("data:")] == [], name


def test_every_section_of_every_page_can_be_searched(site: Path) -> None:
    found = json.loads((site / "search.js").read_text("utf-8").partition(" = ")[2].rstrip(";\n"))
    assert {page for page, *_ in found} == {file.name for file in site.glob("*.html")} - {"index.html"}
    assert all(anchor in Page(site / page).ids for page, _, _, anchor, _ in found[::10])
    (stride,) = [text for page, _, title, _, text in found if page.startswith("01") and title == "Stride"]
    assert "Satellite images" in stride and "output_size" not in stride
    # Outputs are no text.
    assert "cl-live" not in text_of(site / "search.js")


def test_a_page_with_all_that_it_loads_is_small(site: Path) -> None:
    shared = (site / "search.js").stat().st_size
    sizes = {file.name: file.stat().st_size + shared for file in site.glob("*.html")}
    print("\n" + "\n".join(f"{size:>9,} {name}" for name, size in sorted(sizes.items())))
    assert max(sizes.values()) <= LARGEST


TEACHING = """# Teaching

See [the lab](../labs/01_small.ipynb), [grading](grading.md#set-up), [readme](../README.md), [us](https://x.org).

## Answers to everything

forty-two is the answer

```bash
# no heading
```

### More answers

and more

## Minutes for each exercise

| exercise | id | minutes |
| --- | --- | --- |
| 1.1 | `output_size` | 15 |

## Set up

Again.

## Set up
"""
GLOSSARY = """# Glossary

## Output size (map size)

How *many* numbers come out. More on this later.

## Text

What `code` stands in.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A course with one small lab and guides."""
    root = tmp_path / "course"
    text = TEXT.replace(
        "Text with `code`.", "`text`, texts on map sizes, [output size](#x), text, output size."
    )
    build(small_lab(root, text), lambda notebook, profile: None)
    (root / "docs").mkdir()
    for name, text in {
        "grading": "# Grading\n\n## Set up\n",
        "teaching": TEACHING,
        "a_last": "# Last, `code`",
        "glossary": GLOSSARY,
        "cheat_sheet": "# Cheat sheet",
    }.items():
        (root / "docs" / f"{name}.md").write_text(text, "utf-8")
    (root / "CHANGELOG.md").write_text("# Changes\n", "utf-8")
    return root


def test_guides_are_offered_in_order_and_links_between_files_lead_to_pages(
    checkout: Path, tmp_path: Path
) -> None:
    publish(checkout, tmp_path / "site")
    start = Page(tmp_path / "site" / "index.html").links
    guides = [link for link in start if link.endswith(".html") and link != "index.html"]
    students = ["cheat_sheet.html", "glossary.html"]
    instructors = ["teaching.html", "a_last.html", "grading.html", "changelog.html"]
    assert guides == ["01_small.html", "glossary.html", "01_small.html", *students, *instructors]
    assert "1 exercise, 1 point, about 15 min" in text_of(tmp_path / "site" / "index.html")
    text = (tmp_path / "site" / "teaching.html").read_text("utf-8")
    assert '<a href="01_small.html">the lab</a>, <a href="grading.html#set-up">grading</a>, readme,' in text
    assert 'id="set-up"' in text and 'id="set-up-1"' in text
    assert '<a href="https://x.org">us</a>' in text


def test_with_a_public_address_other_files_are_linked_there_and_labs_open_in_colab(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "pyproject.toml").write_text('[tool.course]\nrepository = "https://github.com/a/b"\n')
    build(find_labs(checkout)[0], lambda notebook, profile: None)
    publish(checkout, tmp_path / "site")
    links = Page(tmp_path / "site" / "teaching.html").links
    assert "https://github.com/a/b/blob/main/README.md" in links
    colab = "https://colab.research.google.com/github/a/b/blob/main/labs/01_small.ipynb"
    for name in ("index.html", "01_small.html"):
        assert colab in Page(tmp_path / "site" / name).links


def test_sections_with_answers_stay_with_instructors(checkout: Path, tmp_path: Path) -> None:
    publish(checkout, tmp_path / "site")
    for name in ("teaching.html", "search.js"):
        text = text_of(tmp_path / "site" / name)
        assert "Answers to everything" in text and "docs/teaching.md" in text and "Again." in text
        assert not re.search("forty-two|no heading|and more|More answers", text)


def test_the_first_use_of_a_term_links_to_its_definition(checkout: Path, tmp_path: Path) -> None:
    publish(checkout, tmp_path / "site")
    text = (tmp_path / "site" / "01_small.html").read_text("utf-8")
    links = re.findall(r'<a class="term" href="([^"]*)" title="([^"]*)">([^<]*)</a>', text)
    assert links == [
        ("glossary.html#text", "What code stands in.", "texts"),
        ("glossary.html#output-size-map-size", "How many numbers come out.", "map sizes"),
    ]
    assert 'id="output-size-map-size"' in (tmp_path / "site" / "glossary.html").read_text("utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_again_it_is_the_same_bytes_what_is_gone_goes_and_other_files_stay(
    checkout: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    publish(checkout, folder)
    (folder / "CNAME").write_text("example.org")
    before = contents(folder)
    publish(checkout, folder)
    assert contents(folder) == before
    (checkout / "docs" / "grading.md").unlink()
    publish(checkout, folder)
    assert set(before) - set(contents(folder)) == {"grading.html"}


def a_file(folder: Path) -> None:
    (folder / "thesis.txt").write_text("years of work")


def an_own_index(folder: Path) -> None:
    (folder / "index.html").write_text("mine")


def an_index_beside_a_list_without_it(folder: Path) -> None:
    an_own_index(folder)
    (folder / "site.json").write_text('{"files": []}')


@pytest.mark.parametrize("fill", [a_file, an_own_index, an_index_beside_a_list_without_it])
def test_files_that_the_course_did_not_write_are_not_replaced(
    fill: Callable[[Path], None], checkout: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    fill(folder)
    before = contents(folder)
    with pytest.raises(NotebookError, match="not a site") as caught:
        publish(checkout, folder)
    assert caught.value.why and caught.value.left and caught.value.next_step
    assert contents(folder) == before


def test_after_an_interruption_the_folder_is_still_a_site(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = tmp_path / "site", tmp_path / "whole"

    def interrupted(path: Path, text: str) -> None:
        if path.name == "grading.html":
            raise KeyboardInterrupt
        write(path, text)

    write = publishing._write
    monkeypatch.setattr(publishing, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(checkout, folder)
    monkeypatch.undo()
    assert (folder / "index.html").exists() and not (folder / "grading.html").exists()
    publish(checkout, folder)
    publish(checkout, whole)
    assert contents(folder) == contents(whole)


def test_a_checkout_for_the_site_and_hidden_files_of_others_are_welcome(
    checkout: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    (folder / ".git").mkdir(parents=True)
    publish(checkout, folder)
    assert (folder / ".git").is_dir() and (folder / "index.html").exists()


def test_labs_that_are_out_of_step_are_not_published(checkout: Path, tmp_path: Path) -> None:
    text = checkout / "solutions" / "01_small.py"
    text.write_text(text.read_text("utf-8") + "\n# %% [markdown]\n# New.\n", "utf-8")
    with pytest.raises(NotebookError, match="out of step") as caught:
        publish(checkout, tmp_path / "site")
    assert caught.value.next_step == "course build" and not (tmp_path / "site").exists()


def test_a_list_of_files_that_leads_out_of_the_folder_removes_nothing(checkout: Path, tmp_path: Path) -> None:
    folder, precious = tmp_path / "site", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("work")
    (folder / "site.json").write_text(json.dumps({"files": ["../precious", "..", ".", str(precious)]}))
    publish(checkout, folder)
    assert precious.exists() and (folder / "index.html").exists()


def test_an_output_is_taken_only_from_the_same_cell_and_no_check_has_one() -> None:
    graded = {"nbgrader": {"grade_id": "check_a", "grade": True}}
    output = [new_output("stream", text="42")]
    solution = [
        new_code_cell("a()", id="same", outputs=output),
        new_code_cell("b()", id="changed", outputs=output),
        new_code_cell("verify(a)", id="check_a", metadata=graded, outputs=output),
    ]
    lab = new_notebook(
        cells=[new_code_cell(cell.source, id=cell.id, metadata=cell.metadata) for cell in solution]
    )
    lab.cells[1].source = "c()"
    shown = with_outputs(lab, new_notebook(cells=solution))
    assert [bool(cell.outputs) for cell in shown.cells] == [True, False, False]
    assert not any(cell.outputs for cell in lab.cells)


def test_the_command_says_where_the_site_is(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    assert main(["site", "../site"]) == 0
    assert f"{tmp_path / 'site' / 'index.html'} (8 pages, 0." in capsys.readouterr().out
    assert main(["site", "../site", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    sizes = {name: len(content) for name, content in contents(tmp_path / "site").items()}
    assert said == {
        "index": str(tmp_path / "site" / "index.html"),
        "bytes": sum(sizes.values()),
        "files": sizes,
    }
    (checkout / "solutions" / "01_small.ipynb").unlink()
    assert main(["site", "../other"]) == 1
    assert "solutions/01_small.ipynb does not exist" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
