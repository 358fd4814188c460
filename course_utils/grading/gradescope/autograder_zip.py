"""Autograders for Gradescope: one archive for each lab, with the course and the lab's solution."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from course_utils.files import published, zipped
from course_utils.notebooks.layout import Lab
from course_utils.notebooks.release import package_files

_HERE = Path(__file__).parent
_OLDEST = "3.11.0"
_TARGET = {
    "python_version": "3.11",
    "python_full_version": _OLDEST,
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
}
"""Gradescope's default image, for the conditions of requirements."""
_FOR_GPUS = ("nvidia-", "cuda-", "triton")

_HEADER = """# What the course needs, in the versions that were installed where this was made. What is not
# pinned was not installed there, or in a version that Python 3.11 cannot use; pip then chooses.
"""


def write_autograders(labs: Sequence[Lab], directory: Path) -> list[Path]:
    """Write an autograder for each lab: ``gradescope-lab-01.zip`` and so on.

    The bytes depend on the course and on the versions of the packages that are installed here, which are
    those that the autograder installs: points then do not depend on where it grades.

    Parameters
    ----------
    labs : sequence of Lab
    directory : Path

    Raises
    ------
    NotebookError
        If there are files that Git neither knows nor ignores.
    """
    root = labs[0].root
    project = (root / "pyproject.toml").read_bytes()
    shared = {
        "setup.sh": (_HERE / "setup.sh").read_bytes(),
        "run_autograder": (_HERE / "run_autograder.sh").read_bytes(),
        "requirements.txt": requirements(tomllib.loads(project.decode())["project"]["dependencies"]).encode(),
        "course/pyproject.toml": project,
        **{f"course/{name}": text for name, text in package_files(root, directory, students=False)},
    }
    written = []
    for lab in labs:
        path = directory / f"gradescope-lab-{lab.number:02}.zip"
        solution = {f"course/{lab.shown(lab.text)}": lab.text.read_bytes()}
        archive = zipped(shared | solution, programs=("setup.sh", "run_autograder"))
        with published(path) as file:
            file.write(archive)
        written.append(path)
    return written


def requirements(needed: Iterable[str]) -> str:
    """Return a requirements file with the installed versions of packages and of all that they need.

    Packages for GPUs are left out, and with them the difference between builds of PyTorch.

    Examples
    --------
    >>> from importlib.metadata import version
    >>> f"urllib3=={version('urllib3')}" in requirements(["requests>=2.31"]).splitlines()
    True
    """
    lines: dict[str, str] = {}
    ahead = [Requirement(text) for text in needed]
    seen = set()
    while ahead:
        requirement = ahead.pop()
        name, extras = canonicalize_name(requirement.name), requirement.extras or {""}
        if (name, *sorted(extras)) in seen or name.startswith(_FOR_GPUS):
            continue
        seen.add((name, *sorted(extras)))
        requirement.marker = None  # it holds
        lines.setdefault(name, str(requirement))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if _OLDEST in SpecifierSet(str(found.metadata.json.get("requires_python", ""))):
            lines[name] = f"{name}=={Version(found.version).public}"
        for text in found.requires or ():
            other = Requirement(text)
            if not other.marker or any(other.marker.evaluate(_TARGET | {"extra": extra}) for extra in extras):
                ahead.append(other)
    return _HEADER + "".join(f"{line}\n" for _, line in sorted(lines.items()))
