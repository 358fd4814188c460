"""``course release``: what students get, as a folder and a zip; the bytes are the same on every machine."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import NotebookError
from course_utils.files import zipped
from course_utils.notebooks.build import refuse_differences
from course_utils.notebooks.hosted import course_table
from course_utils.notebooks.layout import Lab
from course_utils.notebooks.pairing import read_notebook

NAME = "convnet-labs"
_PACKAGE = "course_utils"
_COPIED = ("environment.yml", "pyproject.toml", "LICENSE", "Dockerfile", ".dockerignore")
_INSTRUCTORS = ("grading", "site")
_WORKFLOW = Path(__file__).with_name("checks.yml").read_bytes()
"""For GitHub: runs the checks of what a student pushes."""

_README = """# Convolutional networks: the labs

Welcome. In {count} you build {topics}, one short function at a time. A check after each function tells you
at once whether it is right; if it is not, the check shows the smallest case that fails and what may be
behind it. Wrong answers cost nothing: try, read, try again.

## Set up (once)

You need Python 3.11 or newer, about 1.5 GB of disk and, for this step only, a network. Open a terminal in
this folder:

```bash
python -m venv .venv
source .venv/bin/activate        # on Windows: .venv\\Scripts\\activate
pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
pip install -e .
```

With an NVIDIA GPU, leave out the line with `torch`; the course then takes 6 GB. With conda: `conda env create
-f environment.yml && conda activate {name}`. If something goes wrong, `course doctor` says what it is and
what to do.

## Work

```bash
course lab {first}                     # opens the first notebook
```

| notebook | exercises |
| --- | --- |
{table}

- Write your answer where it says `YOUR CODE HERE`, then run the cell and the check below it.
- `check.{example}.hint()` gives one hint at a time. `check.progress()` shows what is done.
- You need not work in order; a cell that needs an unfinished exercise says which one.
- You can interrupt training: run the cell again and it continues. You do not need a GPU.
- In a repository on GitHub, each push runs the checks; the verdicts are under Actions.
- Without a network, the labs use small images that come with them, and say so.

## Hand in

1. Restart the kernel, run everything once, save.
2. `course check labs/{file}` shows the verdict of every check in the terminal.
3. Hand in the notebook file. You may give it any name.

Only your functions are graded, on new numbers: of each, the last version in the notebook, with the helpers,
constants and imports that it uses, in whatever cell they stand. Prints, plots and training are not run. You
may add and change cells. The question at the end of each lab is read by your instructor: write your answer in
the cell below it.

## A word on fairness

The checks compare your answers with reference answers, so `course_utils` has to contain them. We do not hide
them. Please do not look before you have tried: the attempt is what you learn from.

{assistants}

Code: MIT, text: CC BY 4.0; see LICENSE.
"""

_ASK = "If you do not know whether you may use AI assistants here, and for what, ask your instructor."


@dataclass(frozen=True)
class Release:
    """What was released.

    Attributes
    ----------
    folder, archive : Path
    files : int
    """

    folder: Path
    archive: Path
    files: int


def release(labs: Sequence[Lab], directory: Path) -> Release:
    """Write the students' package of some labs.

    It contains the notebooks, the files that install their environment, and `course_utils` without grading
    and site. The references that checks compare with are part of it, because the checks need them. Solutions
    and tests are not. Of the package, what pyproject.toml declares is released; in a Git checkout, only what
    Git knows.

    Parameters
    ----------
    labs : sequence of Lab
    directory : Path
        Gets the folder ``convnet-labs`` and ``convnet-labs.zip``.

    Raises
    ------
    NotebookError
        If a lab is out of step with its solution or would show one, if there are files that Git neither knows
        nor ignores, or if the folder contains files that are not part of the release.
    """
    refuse_differences(labs, "Nothing was released", str(directory))
    files = dict(sorted(_files(labs, directory)))
    folder, archive = directory / NAME, directory / f"{NAME}.zip"
    _refuse_strangers(folder, set(files))
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    archive.write_bytes(zipped({f"{NAME}/{name}": content for name, content in files.items()}))
    return Release(folder, archive, len(files))


def package_files(root: Path, directory: Path, *, students: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the package's files: of those that Git knows, what it declares.

    Parameters
    ----------
    root : Path
        The checkout of the labs.
    directory : Path
        Where nothing is written if there are files that Git neither knows nor ignores.
    students : bool
        Whether to leave out what is for instructors.

    Raises
    ------
    NotebookError
        If there are such files.
    """
    wanted = _is_students if students else _is_own
    checkout = Path(__file__).resolve().parents[2]
    what = "Nothing was released" if students else "No autograder was written"
    _refuse_unknown(checkout, (_PACKAGE,), directory, wanted, what)
    known = _git(checkout, "--cached", _PACKAGE)
    for path in _declared(checkout / _PACKAGE, root):
        name = path.relative_to(checkout).as_posix()
        if wanted(name) and (known is None or name in known):
            yield name, path.read_bytes()


def _files(labs: Sequence[Lab], directory: Path) -> Iterator[tuple[str, bytes]]:
    root = labs[0].root
    notebooks = [lab.shown(lab.notebook) for lab in labs]
    _refuse_unknown(root, (*notebooks, *_COPIED), directory, lambda name: True, "Nothing was released")
    for name in (*notebooks, *_COPIED):
        yield name, _bytes(root / name)
    yield from package_files(root, directory, students=True)
    yield ".github/workflows/checks.yml", _WORKFLOW
    yield "README.md", _readme(labs).encode()


def _declared(package: Path, root: Path) -> Iterator[Path]:
    """Yield the package's modules and the data that pyproject.toml declares."""
    beside = package.parent / "pyproject.toml"  # an installed package has none; then the course's is the same
    project = tomllib.loads(_bytes(beside if beside.exists() else root / beside.name).decode())
    data = project["tool"]["setuptools"]["package-data"][_PACKAGE]
    yield from {path for pattern in ("**/*.py", *data) for path in package.glob(pattern) if path.is_file()}


def _is_own(name: str) -> bool:
    """Whether a file is the package's, and no tool's."""
    return not any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))


def _is_students(name: str) -> bool:
    """Whether a file of the package is for students."""
    return _is_own(name) and name.split("/")[1] not in _INSTRUCTORS


def _refuse_unknown(
    root: Path, names: Sequence[str], directory: Path, wanted: Callable[[str], bool], what: str
) -> None:
    """Refuse files below `names` that Git neither knows nor ignores: nobody decided who may see them."""
    found = _git(root, "--others", "--exclude-standard", *names) or set()
    unknown = sorted(filter(wanted, found))
    if unknown:
        raise NotebookError(
            f"{what}: Git does not know " + ("a file." if len(unknown) == 1 else "some files."),
            why=", ".join(unknown[:10]) + (f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""),
            left=str(directory),
            next_step="For students: git add FILE. Not for them: remove it, or name it in .gitignore.",
        )


def _git(root: Path, *arguments: str) -> set[str] | None:
    """Return the files that ``git ls-files`` lists; None if `root` is no checkout."""
    if not (root / ".git").exists():
        return None
    # What a hook of Git sets would lead to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", *arguments]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        raise NotebookError(
            f"Nothing was released: Git cannot tell which files of {root} belong to the course.",
            why=said.decode(errors="replace").strip(),
            next_step="Install git, or release from a copy without .git.",
        ) from error
    return set(filter(None, os.fsdecode(done.stdout).split("\0")))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotebookError(f"Students need {path}, which cannot be read.", why=str(error)) from error


def _readme(labs: Sequence[Lab]) -> str:
    rows, topics, example = [], [], ""
    for lab in labs:
        cells = read_notebook(lab.notebook).cells
        title = next(
            (line[2:] for c in cells for line in c.source.splitlines() if line.startswith("# ")), lab.name
        )
        marks = [c.metadata.get("nbgrader", {}) for c in cells]
        marked = [one.grade_id for one in marks if one.get("solution") and not one.get("grade")]
        topic = re.split(r" · ", title)[-1]
        topics.append(topic[0].lower() + topic[1:] if topic.startswith("The ") else topic)
        example = example or (marked[0] if marked else "x")
        rows.append(f"| `{lab.shown(lab.notebook)}` · {title} | {len(marked)} |")
    numbers = ("no", "one lab", "two labs", "three labs", "four labs")
    return _README.format(
        count=numbers[len(labs)] if len(labs) < len(numbers) else f"{len(labs)} labs",
        topics=", ".join(topics[:-1]) + (" and " if len(topics) > 1 else "") + topics[-1],
        name=NAME,
        first=labs[0].number,
        file=labs[0].notebook.name,
        table="\n".join(rows),
        example=example,
        assistants=str(course_table(labs[0].root).get("assistants", "")).strip() or _ASK,
    )


def _refuse_strangers(folder: Path, names: set[str]) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise NotebookError(f"{folder} is not a folder.", left="Everything.")
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    strangers = sorted(here - names)
    if strangers:
        raise NotebookError(
            f"{folder} contains files that are not part of this release.",
            why=", ".join(strangers[:5]) + (f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""),
            left="The folder.",
            next_step="Move the folder away, or release to another one.",
        )
