"""Opening a lab in the browser: links to Colab and Binder, and the cell that installs the course on Colab."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_utils.errors import NotebookError
from course_utils.notebooks.layout import Lab

# Links of text: a badge's picture would be asked of another machine whenever the notebook is opened.
_LINKS = """**[Open in Colab]({colab})** · **[Open in Binder]({binder})**

Colab offers a GPU (*Runtime, Change runtime type*). Neither keeps your work: download the notebook."""

_INSTALL = """# On Colab only, and only once: install the course.
import importlib.util
import subprocess
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("course_utils") is None:
    course = "git+{repository}@{branch}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", course], check=True)
    importlib.invalidate_caches()"""


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

    def cells(self, lab: Lab) -> list[NotebookNode]:
        """Return the cells that stand before a lab's own: the links, and the installation on Colab."""
        path = lab.shown(lab.notebook)
        place = self.repository.removeprefix("https://github.com/")
        links = _LINKS.format(
            colab=f"https://colab.research.google.com/github/{place}/blob/{self.branch}/{path}",
            binder=f"https://mybinder.org/v2/gh/{place}/{self.branch}?urlpath=lab/tree/{path}",
        )
        install = _INSTALL.format(repository=self.repository, branch=self.branch)
        return [new_markdown_cell(links, id="open-elsewhere"), new_code_cell(install, id="install-on-colab")]


def read_address(lab: Lab) -> Address | None:
    """Return the address in ``[tool.course]`` of the checkout's pyproject.toml, or None if it is empty.

    Raises
    ------
    NotebookError
        If Colab and Binder could not find a repository there.
    """
    file = lab.root / "pyproject.toml"
    if not file.exists():
        return None
    table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("course", {})
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
