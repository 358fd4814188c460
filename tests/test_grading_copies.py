"""Another copy of the course, among what a submission can read, does not hand out the answers."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.records import CodeCell, RunnableNotebook
from course_utils.grading.sandbox import probe_isolation, sandbox
from course_utils.grading.sandbox.copies import find_copies

COPIES = {
    "site-packages/course_utils/exercises/conv_layer/output_size.py": "site-packages/course_utils",
    "build/renamed/exercises/conv_layer/output_size.py": "build/renamed/exercises",
    "checkout/solutions/01_conv_layer.py": "checkout/solutions",
    "site-packages/01_conv_layer.ipynb": "site-packages/01_conv_layer.ipynb",
    "wheels/convnet_labs-0.1.0-py3-none-any.whl": "wheels/convnet_labs-0.1.0-py3-none-any.whl",
    "wheels/other.zip": "wheels/other.zip",
    "wheels/convnet-labs-0.1.0.tar.gz": "wheels/convnet-labs-0.1.0.tar.gz",
}
"""A file with answers, and what is hidden."""
OTHERS = (
    "site-packages/torch/exercises/add.py",
    "site-packages/vgg.py",
    "wheels/numpy.whl",
    "solutions/readme.txt",
    "wheels/broken.zip",
)
ANSWER = "def output_size(n, f, p=0, s=1):\n    return (n + 2 * p - f) // s + 1\n"


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """Libraries with copies of the course, open to everybody."""
    folder = tmp_path / "libraries"
    for name in (*COPIES, *OTHERS):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ANSWER)
    for name, inside in (
        ("wheels/convnet_labs-0.1.0-py3-none-any.whl", "course_utils/exercises/conv_layer/output_size.py"),
        ("wheels/other.zip", "mine/solutions/01_conv_layer.py"),
        ("wheels/numpy.whl", "numpy/__init__.py"),
    ):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(inside, ANSWER)
    (folder / "link").symlink_to(folder / "build")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    return folder


def test_copies_are_known_by_name_or_by_what_is_in_them(libraries):
    assert sorted(find_copies([str(libraries)], [])) == sorted(
        str(libraries / one) for one in COPIES.values()
    )
    hidden = str(libraries / "site-packages")
    assert not [found for found in find_copies([str(libraries)], [hidden]) if found.startswith(hidden)]


def test_a_linked_root_is_looked_into(libraries):
    assert list(find_copies([str(libraries / "link")], [])) == [str(libraries / "build/renamed/exercises")]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")
@pytest.mark.parametrize("level", ["full", "partial", "none"])
def test_a_second_copy_gives_no_points(level, libraries, monkeypatch):
    visible = (str(libraries), *sandbox._visible())
    monkeypatch.setattr(sandbox, "_visible", lambda: visible)
    isolation = probe_isolation(at_most=level)
    if isolation.level != level:
        pytest.skip(f"this machine does not offer isolation {level}")
    hides = bool({"namespaces", "landlock"} & set(isolation.mechanisms))
    copy = str(libraries / "site-packages/course_utils")
    assert any(copy in line for line in (isolation.holds if hides else isolation.lacks))
    if not hides:
        return
    names = [str(libraries / name) for name in (*COPIES, *OTHERS)]
    source = (
        f"exec(open({str(libraries / next(iter(COPIES)))!r}).read())\n",
        "def same_padding(f):\n    found = []\n"
        f"    for path in {names!r}:\n"
        "        try:\n            found.append(bool(open(path, 'rb').read()))\n"
        "        except OSError:\n            found.append(False)\n"
        "    raise ValueError(''.join('01'[one] for one in found))\n",
    )
    cells = tuple(map(CodeCell, source, ("output_size", "same_padding")))
    done = grade_notebook(RunnableNotebook(1, cells), isolation=isolation)
    verdicts = {verdict.exercise: verdict for verdict in done.verdicts}
    assert verdicts["output_size"].earned == 0
    assert f"ValueError: {'0' * len(COPIES)}{'1' * len(OTHERS)}" in verdicts["same_padding"].traceback
