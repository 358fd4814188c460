"""What can be handed in and is hard to read: code, notebooks, archives and names."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from submissions import lab_notebook, submission

ONE = json.dumps(lab_notebook(1)).encode()
RIGHT = {"zero_pad": "# RIGHT\nzero_pad = lambda image, padding: image"}
LONG = "a" * 200_000

CODE = {
    "magics for the shell": "!ls\n" * 501,
    "magics of a line": "%x\n" * 600,
    "questions": "x?\n" * 600,
    "magics in much code": "%x\n" * 49 + "x = 1\n" * 50,
    "a sum of a thousand": "x = " + "+".join("1" * 1_000),
    "a sum of a hundred thousand": "x = " + "+".join("1" * 100_000),
    "brackets 10,000 deep": "x = " + "[" * 10_000 + "]" * 10_000,
    "parentheses 10,000 deep": "x = " + "(" * 10_000 + ")" * 10_000,
    "nested just below the limit": "x = " + "-" * 190 + "1",
    "lists nested just below the limit": "x = " + "[" * 190 + "]" * 190,
    "brackets that never close": "[" * 20_000 + "\n" * 1_000,
    "a decimal number of 100,000 digits": "x = " + "9" * 100_000,
    "a hexadecimal number of 200,000 digits": "x = 0x" + "f" * 200_000,
    "null bytes": "x = '\0'\n\0",
    "half a surrogate pair": "x = '\ud800'",
    "strings in strings": "x = " + "f'{" * 150 + "1" + "}'" * 150,
    "blocks in blocks": "\n".join(" " * i + "if 1:" for i in range(150)) + "\n" + " " * 150 + "pass",
    "many small statements": "a = 1\n" * 40_000,
    "a long name": f"def {LONG}(): return {LONG}",
    "many decorators": "@a\n" * 5_000 + "def f(): pass",
    "an unfinished string": "'''" + "\n\\" * 50_000,
    "dots": "x" + ".a" * 50_000,
    "comparisons": "x = " + "<".join("1" * 5_000),
    "a function that calls the next": "".join(f"def f{i}():\n    return f{i + 1}()\n" for i in range(500)),
    "blank lines": "\n" * 200_000 + "%",
    "spaces": "=" + " " * 200_000 + "%",
    "backquotes": "```\n```" * 1_000,
}
"""Sources of a cell."""


def zipped(
    members: Mapping[str, bytes] | Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """An archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, content)
    return stream.getvalue()


def extra(source: object, kind: str = "code", **about: object) -> dict[str, object]:
    """A cell as in JSON."""
    return {"cell_type": kind, "metadata": about, "source": source, "outputs": [], "execution_count": None}


def _with_cells(*cells: object) -> bytes:
    notebook = submission(RIGHT)
    return json.dumps({**notebook, "cells": [*notebook["cells"], *cells]}).encode()


def _without_ids(count: int) -> bytes:
    cells = [extra(f"def zero_pad(): return {i}\n" + "x = 1\n" * 20) for i in range(count)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def _nested(levels: int) -> list[object]:
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return inner


def _answered(source: str) -> dict[str, object]:
    return extra(source, nbgrader={"grade_id": "zero_pad"})


NOTEBOOKS: dict[str, Callable[[], bytes]] = {
    "lists 100,000 deep": lambda: b"[" * 100_000,
    "objects 100,000 deep": lambda: b'{"a":' * 100_000,
    "lists in the metadata": lambda: _with_cells(extra("", nested=_nested(800))),
    "millions of lists": lambda: b"[" + b"[]," * 1_000_000 + b"[]]",
    "a million cells": lambda: b'{"nbformat":4,"cells":[' + b"{}," * 200_000 + b"{}]}",
    "a cell of 50 MB": lambda: _with_cells(extra("@")).replace(b"@", b"x = 1 \\n " * 5_500_000),
    "a text of blank lines": lambda: _with_cells(extra("\n" * 1_000_000, "markdown")),
    "an id of 20 MB": lambda: _with_cells(extra("", nbgrader={"grade_id": "x" * 5_000_000})),
    "a source that is a number": lambda: _with_cells(extra(5)),
    "a source in lists": lambda: _with_cells(extra([["x"]])),
    "a source that is nothing": lambda: _with_cells(extra(None)),
    "ids that are no text": lambda: _with_cells(extra("", nbgrader={"grade_id": ["zero_pad"]})),
    "half a surrogate pair as an id": lambda: _with_cells(extra("", nbgrader={"grade_id": "\ud800"})),
    "a number of 5,000 digits": lambda: ONE.replace(b'"nbformat_minor"', b'"x": ' + b"9" * 5_000 + b', "y"'),
    "null bytes": lambda: b"\0" * 1_000_000,
    "cells that define one function": lambda: _without_ids(300),
    "names that other cells define": lambda: _with_cells(
        extra("\n".join(f"n{'x' * 3_000}{i} = 1" for i in range(60))),
        _answered("def zero_pad(): return " + ", ".join(f"n{'x' * 3_000}{i}" for i in range(60))),
    ),
    "imports that an answer needs": lambda: _with_cells(
        extra("\n".join(f"import m{i}" for i in range(2_000))),
        _answered("def zero_pad(): return " + ", ".join(f"m{i}" for i in range(2_000))),
    ),
    "an answer from 80 cells": lambda: _with_cells(
        *(extra(f"def f{i}(): return f{i + 1}, " + ", ".join(["f0"] * 200)) for i in range(80)),
        _answered("def zero_pad(): return f0"),
    ),
}
"""The contents of a file whose name ends like a notebook's."""


def _listing(count: int) -> bytes:
    """An archive of nothing but its list."""
    one = zipped({"x": b""})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    size = count * (end - start)
    tail = one[end : end + 12] + size.to_bytes(4, "little") + start.to_bytes(4, "little") + b"\0\0"
    return one[:start] + one[start:end] * count + tail


def _damaged_lzma() -> bytes:
    archive = bytearray(zipped({"x.ipynb": ONE}, zipfile.ZIP_LZMA))
    archive[60:90] = b"\xff" * 30
    return bytes(archive)


def _overlapping() -> bytes:
    """An archive whose list names one entry again and again."""
    one = zipped({"x.ipynb": ONE})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    size = 200 * (end - start)
    tail = one[end : end + 12] + size.to_bytes(4, "little") + start.to_bytes(4, "little") + b"\0\0"
    return one[:start] + one[start:end] * 200 + tail


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "LZMA that is damaged": _damaged_lzma,
    "entries that overlap": _overlapping,
    "an archive in an archive in an archive in an archive": lambda: zipped(
        {"a.zip": zipped({"a.zip": zipped({"a.zip": zipped({"x.ipynb": ONE})})})}
    ),
    "a name of 20,000 underscores": lambda: zipped({"_" * 20_000 + "x.ipynb": ONE}),
    "a name of 60,000 spaces": lambda: zipped({" " * 60_000 + "x.ipynb": ONE}),
    "a path of 30,000 folders": lambda: zipped({"a/" * 30_000 + "x.ipynb": ONE}),
    "20,000 files": lambda: zipped({f"{i}.txt": b"" for i in range(20_000)} | {"x.ipynb": ONE}),
    "4,000 files and no notebook": lambda: zipped({f"{i}.txt": b"" for i in range(4_000)}),
    "a bomb": lambda: zipped({"x.ipynb": b" " * 70_000_000}),
    "archives in an archive, each a bomb": lambda: zipped(
        dict.fromkeys([f"{i}.zip" for i in range(40)], zipped({"x.ipynb": b" " * 30_000_000}))
    ),
    "archives in an archive, of many files": lambda: zipped(
        dict.fromkeys([f"{i}.zip" for i in range(20)], zipped({f"{j}": b"" for j in range(3_000)}))
    ),
    "an archive in an archive that lists 300,000 files": lambda: zipped(
        {"x.ipynb": ONE, "a.zip": _listing(300_000)}
    ),
    "one name twice": lambda: zipped([("x.ipynb", ONE), ("x.ipynb", ONE.replace(b"zero_pad", b"zero"))]),
    "many notebooks that each take long": lambda: zipped(
        dict.fromkeys([f"{i}.ipynb" for i in range(30)], _without_ids(1_000))
    ),
    "a list of submissions": lambda: zipped(
        {
            "x.ipynb": ONE,
            "submission_metadata.yml": b'submission_1:\n  :submitters:\n  - :name: "'
            + b"+".join([b'"a"'] * 100_000)
            + b'"\n',
        }
    ),
}
"""The contents of an archive that one student hands in."""

NAMES = {
    "underscores": "_" * 20_000 + "x.ipynb",
    "underscores and a lab": "_" * 20_000 + "lab1.ipynb",
    "spaces": " " * 60_000 + "x.ipynb",
    "copies": "(1)" * 20_000 + "x.ipynb",
    "digits": "9" * 60_000 + ".ipynb",
    "words": "_final" * 10_000 + "_.ipynb",
    "hyphens": " - " * 20_000 + ".ipynb",
    "attempts": "_attempt_2026" * 4_000 + ".ipynb",
    "300 bytes": "é" * 150 + ".ipynb",
    "folders": "a/" * 30_000 + "x.ipynb",
    "nothing": "//x.ipynb",
}
"""Names in the archive of a class."""


def folders_in_folders(folder: Path, name: str) -> None:
    """Make 1,500 folders in one another, deeper than a path can name."""
    place = os.open(folder, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir(name, dir_fd=place)
        below = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
