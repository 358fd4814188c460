"""No encoding of a terminal or a pipe ends anything; what it lacks is shown in ASCII."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import prepared
import pytest

from course_utils.terminal import fall_back_to_ascii, printable

SUPPORT = Path(__file__).with_name("support")
FAILS = {"unknown": 2, "training wrong": 2} | dict.fromkeys(
    (
        "run",
        "run json",
        "build",
        "build check",
        "build check json",
        "check",
        "check json",
        "check missing",
        "data fetch",
        "site",
    ),
    1,
)
SETTINGS = {
    "cp1252, a pipe, no colour": ("cp1252", {"NO_COLOR": "1"}, False),
    "ASCII, a pipe, 40 columns": ("ascii", {"COLUMNS": "40"}, False),
    "cp1252, a narrow terminal": ("cp1252", {"COLUMNS": "40", "TERM": "xterm"}, True),
    "ASCII, a dumb terminal": ("ascii", {"COLUMNS": "40", "TERM": "dumb"}, True),
}


CHECKED = ("-X", "warn_default_encoding")
"""No file is opened in the encoding of the machine: the script makes Python's warning an error."""


class Narrow(io.StringIO):
    """A stream that says which encoding it has."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:
        return self._encoding


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("30 epochs ≈ 7 min → 3×28×28", "utf-8", "30 epochs ≈ 7 min → 3×28×28"),
        ("30 epochs ≈ 7 min → 3×28×28", "cp1252", "30 epochs ~ 7 min -> 3×28×28"),
        ("✓ 3×28×28 · ✗ … – 10⁵ µs ½ Aᵀ", "ascii", "ok 3x28x28 - x ... - 10^5 us 1/2 A^T"),
        ("Zoë Zoe\u0308 “ﬁt” █▏", "ascii", 'Zoe Zoe "fit" ##'),
        ("王 \udce9", "latin-1", "<U+738B> <U+DCE9>"),
        ("loss · 王", "cp932", "loss - 王"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(text, encoding, expected) -> None:
    assert printable(text, Narrow(encoding)) == expected


def test_a_program_may_print_anything_once_its_streams_fall_back(monkeypatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
        fall_back_to_ascii()
        stream = getattr(sys, name)
        print("≈ ×", file=stream, flush=True)
        assert stream.buffer.getvalue().split() == [b"~", b"\xd7"]
    monkeypatch.setattr(sys, "stdout", None)  # as under pythonw
    fall_back_to_ascii()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Path:
    """The folders, by setting, in which every entry point was called."""
    folder = tmp_path_factory.mktemp("spoken")
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "FORCE_COLOR")}
    path = os.pathsep.join((str(SUPPORT), str(Path(__file__).parents[1])))
    ended = subprocess.run(
        [sys.executable, *CHECKED, str(SUPPORT / "every_entry_point.py"), str(folder)],
        input=json.dumps(SETTINGS), env={**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_entry_point_speaks_every_encoding(setting, spoken) -> None:
    encoding, _, terminal = SETTINGS[setting]
    names = ("stdout",) if terminal else ("stdout", "stderr")
    streams = [(spoken / setting / name).read_bytes() for name in names]
    codes = json.loads((spoken / setting / "codes.json").read_text(encoding="utf-8"))
    assert codes == {name: FAILS.get(name, 0) for name in codes}
    for stream in streams:
        text = stream.decode(encoding)  # raises where another encoding's bytes slipped in
        for part in text.split("\x1e")[1:]:
            name, said = part.split("\n", 1)
            if stream is streams[0] and name.strip().endswith("json"):
                assert terminal or json.loads(said) is not None
                continue
            for trace in ("Traceback", "UnicodeEncodeError", r"\u", r"\x", "�"):
                assert trace not in said
            # A terminal's sequence, and rich's sign for a total that is not known yet.
            assert "?" not in said.replace("\x1b[?", "").replace("0/?", "")


@pytest.mark.slow
@pytest.mark.usefixtures("course_environment")
def test_a_students_script_trains_and_checks_into_a_pipe_of_any_encoding() -> None:
    script = (
        "from training_data import net, tiny_dataset, tiny_recipe\n"
        "from course_utils import check, fit\n"
        "fit(net(), tiny_dataset(), tiny_recipe(epochs=1), checkpoint=False)\n"
        "check.begin(lab=1)\n"
        "check.zero_pad(lambda image, padding: image)\n"
        "check.progress(lab=1)\n"
    )
    for encoding in ("cp1252", "ascii"):
        done = prepared.run(script, encoding=encoding)
        assert done.returncode == 0, done.stderr
        text = done.stdout
        assert "1 epoch ~ " in text and "x Exercise 1.2" in text and "o not started" in text
