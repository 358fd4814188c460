"""``course site``: the pages and what they search, in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from course_utils.errors import NotebookError
from course_utils.files import published
from course_utils.notebooks.build import refuse_differences
from course_utils.notebooks.hosted import Address, read_address
from course_utils.notebooks.layout import Lab, find_labs
from course_utils.notebooks.page import SCRIPT, STYLE, markdown_html, notebook_html
from course_utils.notebooks.pairing import read_notebook
from course_utils.site.glossary import Term, linker, terms
from course_utils.site.guides import Guide, addresses, anchors, find_guides, minutes
from course_utils.site.lab_pages import Overview, overview, with_outputs
from course_utils.site.sections import Section, sections
from course_utils.text import duration_text

_HERE = Path(__file__).parent
_WRITTEN = "site.json"
"""Names the files that the course wrote: only these are ever replaced or removed."""


@dataclass(frozen=True)
class SitePage:
    """One page.

    Attributes
    ----------
    file : str
    title, short : str
        Its title, and its name in menus.
    body : str
        HTML.
    kind : str
        ``"lab"``, ``"students"`` or ``"instructors"``.
    source : Lab or Guide
        What it was made of.
    about : Overview or None
        For labs: what the start page says.
    """

    file: str
    title: str
    short: str
    body: str
    kind: str
    source: Lab | Guide
    about: Overview | None = None

    @cached_property
    def sections(self) -> list[Section]:
        """What can be searched and linked to."""
        return sections(self.body)


def publish(root: Path, directory: Path, told: Callable[[str], None] = lambda title: None) -> dict[str, int]:
    """Write the site of a checkout; the same checkout gives the same bytes.

    Parameters
    ----------
    root : Path
        The checkout.
    directory : Path
        The folder: a new one, an empty one, or one that this function wrote before.
    told : callable
        Gets the title of each page when it is made.

    Returns
    -------
    dict of str to int
        The bytes of each file.

    Raises
    ------
    NotebookError
        If there are no solutions, whose outputs the pages show, if labs and solutions are out of step, or if
        files would be replaced that are not the course's.
    """
    before = _written(directory)
    if not before and directory.is_dir():
        _refuse(directory, [path.name for path in directory.iterdir() if not path.name.startswith(".")])
    labs = find_labs(root)
    for lab in labs:
        _need_both(lab)
    refuse_differences(labs, "The site was not written", str(directory))
    files = dict(_files(root, labs, told))
    _refuse(directory, [name for name in files if name not in before and (directory / name).exists()])
    # Listed first: after an interruption, the folder is still known as a site.
    _list(directory, before | set(files))
    for name in before - {_WRITTEN, *files}:
        if (directory / name).is_file():
            (directory / name).unlink()
    for name, text in files.items():
        _write(directory / name, text)
    _list(directory, files)
    return {name: (directory / name).stat().st_size for name in sorted({_WRITTEN, *files})}


def _write(path: Path, text: str) -> None:
    with published(path) as file:
        file.write(text.encode())


def _list(directory: Path, names: Iterable[str]) -> None:
    _write(directory / _WRITTEN, json.dumps({"files": sorted({*names} - {_WRITTEN})}, indent=1) + "\n")


def _refuse(directory: Path, strangers: list[str]) -> None:
    """Refuse a folder with files that are not the course's; hidden ones, such as Git's, do not matter."""
    if strangers:
        raise NotebookError(
            f"{directory} is not empty, and not a site that the course wrote.",
            why=f"There is {min(strangers)}.",
            left="The folder, as it is.",
            next_step="Give course site a new folder.",
        )


def _written(directory: Path) -> set[str]:
    """Return the files that an earlier call wrote; names that lead out of the folder are nobody's."""
    try:
        names = json.loads((directory / _WRITTEN).read_text("utf-8"))["files"]
        return {_WRITTEN, *(name for name in names if Path(name).name == name)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _files(root: Path, labs: list[Lab], told: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    public = read_address(labs[0])
    pages = list(_pages(root, labs, public, told))
    templates = Environment(
        loader=PackageLoader("course_utils.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    common: dict[str, Any] = {
        "pages": pages,
        "public": public,
        "counted": lambda number, what: f"{number} {what}{'s' * (number != 1)}",
        "duration": duration_text,
        "minutes": minutes([page.source for page in pages if isinstance(page.source, Guide)]),
        "markdown": partial(markdown_html, folder=root),
        "style": STYLE + (_HERE / "site.css").read_text("utf-8"),
        "scripts": ((_HERE / "site.js").read_text("utf-8"), SCRIPT),
    }
    yield "index.html", _start(templates, common)
    for before, page, after in zip([None, *pages], pages, [*pages[1:], None], strict=False):
        template = templates.get_template("page.html")
        yield page.file, template.render(page=page, before=before, after=after, **common)
    found = [
        # What the cheat sheet holds is for afterwards: the search finds its headings alone.
        (page.file, page.title, each.title, each.anchor, each.text if page.file != "cheat_sheet.html" else "")
        for page in pages
        for each in page.sections
    ]
    yield "search.js", f"window.courseSections = {json.dumps(found, ensure_ascii=False)};\n"


def _start(templates: Environment, common: dict[str, Any]) -> str:
    from course_utils import figures

    return templates.get_template("start.html").render(figure=figures.conv_walk().html, **common)


def _pages(
    root: Path, labs: list[Lab], public: Address | None, told: Callable[[str], None]
) -> Iterator[SitePage]:
    guides = find_guides(root)
    on_site = {lab.shown(lab.notebook): f"{lab.name}.html" for lab in labs}
    on_site |= {guide.path: f"{guide.name}.html" for guide in guides}
    written = [_guide_page(guide, root, partial(addresses, pages=on_site, public=public)) for guide in guides]
    known = [term for page in written if page.file == "glossary.html" for term in terms(page.sections)]
    for lab in labs:
        page = _lab_page(lab, known, addresses(lab.shown(lab.notebook), on_site, public))
        told(page.title)
        yield page
    yield from written


def _need_both(lab: Lab) -> None:
    for path in (lab.notebook, lab.solution):
        if not path.exists():
            raise NotebookError(
                f"The site cannot be made: {lab.shown(path)} does not exist.",
                why="It shows the labs with outputs of the solutions.",
                left="Nothing was written.",
                next_step=f"In a checkout with solutions: {lab.build_command}",
            )


def _lab_page(lab: Lab, known: list[Term], address: Callable[[str], str | None]) -> SitePage:
    shown = with_outputs(read_notebook(lab.notebook), read_notebook(lab.solution))
    body = notebook_html(shown, lab.notebook.parent, finish=linker(known, "glossary.html"), address=address)
    about = overview(shown)
    topic = about.title.split(" · ")[-1].removeprefix("The ")
    short = f"{lab.number:02} {topic[:1].upper()}{topic[1:]}"
    return SitePage(f"{lab.name}.html", about.title, short, body, "lab", lab, about)


def _guide_page(guide: Guide, root: Path, address: Callable[[str], Any]) -> SitePage:
    folder = (root / guide.path).parent
    body = markdown_html(guide.text, folder=folder, anchor=anchors(), address=address(guide.path))
    kind = "students" if guide.for_students else "instructors"
    return SitePage(f"{guide.name}.html", guide.title, guide.title, body, kind, guide)
