"""Labs on hosted services: links to Colab, Kaggle and Binder, and the cell that installs the course there."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_utils.errors import NotebookError
from course_utils.notebooks.layout import Lab

KERNEL_NEEDS = (
    *("torch", "torchvision", "numpy", "matplotlib", "sklearn"),
    *("requests", "filelock", "tqdm", "platformdirs", "ipywidgets"),
)
"""The modules that a lab's kernel imports beside the course: Colab and Kaggle have them all. The other
requirements in pyproject.toml are those of the commands."""

# Text, not badges: a badge's picture is fetched from another machine whenever the notebook is opened.
_LINKS = """**[Open in Colab]({colab})** · **[Open in Kaggle]({kaggle})** · **[Open in Binder]({binder})**

Colab offers a GPU (*Runtime, Change runtime type*); so does Kaggle (*Settings, Accelerator*). On Kaggle, turn
the internet on first. Download the notebook to keep your work."""

# The page that shows the widgets fits the versions that Colab and Kaggle ship, and only these.
_INSTALL = Template(
    """# On Colab and Kaggle only, and only once: install the course. All other packages stay as they are.
import importlib
import os
import subprocess
import sys
from importlib.util import find_spec

elsewhere = "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ
if elsewhere and not find_spec("course_utils"):
    needs = "$needs".split()
    missing = [name.replace("sklearn", "scikit-learn") for name in needs if not find_spec(name)]
    print("Installing", ", ".join(["the course", *missing]), "and nothing else.")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps"]
    done = subprocess.run([*pip, "$course", *missing], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr)
        raise RuntimeError(
            "The course could not be installed; pip says why above. On Kaggle, turn the internet on in the "
            "notebook's settings. Then run this cell again."
        )
    importlib.invalidate_caches()"""
)


@dataclass(frozen=True)
class Address:
    """Where the course can be fetched from.

    Attributes
    ----------
    repository : str
        ``https://github.com/<owner>/<name>``.
    branch : str
        The branch that students get.
    """

    repository: str
    branch: str

    def file(self, path: str) -> str:
        """Return where people read a file of the checkout."""
        return f"{self.repository}/blob/{self.branch}/{path}"

    def colab(self, lab: Lab) -> str:
        """Return where Colab opens a lab."""
        file = self.file(lab.shown(lab.notebook))
        return file.replace("https://github.com", "https://colab.research.google.com/github")

    def cells(self, lab: Lab) -> list[NotebookNode]:
        """Return the cells that stand before a lab's own: the links, and the installation."""
        path = lab.shown(lab.notebook)
        place = self.repository.removeprefix("https://github.com/")
        links = _LINKS.format(
            colab=self.colab(lab),
            kaggle=f"https://kaggle.com/kernels/welcome?src={self.file(path)}",
            binder=f"https://mybinder.org/v2/gh/{place}/{self.branch}?urlpath=lab/tree/{path}",
        )
        course = f"git+{self.repository}@{self.branch}"
        install = _INSTALL.substitute(needs=" ".join(KERNEL_NEEDS), course=course)
        return [new_markdown_cell(links, id="open-elsewhere"), new_code_cell(install, id="install-on-colab")]


def course_table(root: Path) -> dict[str, Any]:
    """Return ``[tool.course]`` of a checkout's pyproject.toml: what an instructor sets there."""
    file = root / "pyproject.toml"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    table: dict[str, Any] = tomllib.loads(text).get("tool", {}).get("course", {})
    return table


def read_address(lab: Lab) -> Address | None:
    """Return the address in ``[tool.course]`` of the checkout's pyproject.toml, or None if it is empty.

    Raises
    ------
    NotebookError
        If Colab and Binder cannot open that address.
    """
    table = course_table(lab.root)
    repository = str(table.get("repository", "")).removesuffix("/").removesuffix(".git")
    if not repository:
        return None
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", repository):
        raise NotebookError(
            "The labs cannot link to Colab and Binder.",
            why=f"[tool.course] in pyproject.toml has repository = {repository!r}; both open GitHub's.",
            left="Nothing was written.",
            next_step="Write https://github.com/<owner>/<name>, or leave it empty for labs without links.",
        )
    return Address(repository, str(table.get("branch", "main")))


def with_links(lab: Lab, notebook: NotebookNode) -> NotebookNode:
    """Put the links and the installation before the cells of a student's notebook, if there is an address."""
    if address := read_address(lab):
        notebook.cells[:0] = address.cells(lab)
    return notebook
