"""Readers of what goes back to a platform, written from how the platforms read it, not from how we write it.

Each takes the file, and what the platform knows of its students; it returns what each of them would get.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

Returned = dict[str, dict[str, bytes]]
"""By student, the name and the content of each file."""

PLUGINS = {("assignsubmission", "file"), ("assignsubmission", "onlinetext")}


def moodle(archive: Path, participants: Mapping[int, str]) -> Returned:
    """Return what "Upload multiple feedback files in a zip" gives to each participant of an assignment."""
    returned: Returned = defaultdict(dict)
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            parts = name.split("/")
            if parts[-1].startswith((".", "~")):
                continue
            while parts:
                words = parts.pop(0).split("_", 4)
                if len(words) < 4 or not words[1].isascii() or not words[1].isdigit():
                    continue
                if int(words[1]) not in participants or (words[2], words[3]) not in PLUGINS:
                    continue
                rest = "/".join([*filter(None, words[4:]), *parts])
                assert rest not in returned[participants[int(words[1])]]
                returned[participants[int(words[1])]][rest] = files.read(name)
                break
    return returned


def canvas(archive: Path, attachments: Mapping[tuple[int, int], tuple[str, str]]) -> Returned:
    """Return what "Upload Submissions" adds to each submission; `attachments` are by user and upload."""
    returned: Returned = defaultdict(dict)
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            base = name.rpartition("/")[2]
            words = base.split("_")
            numbers = [int(word) for word in words if re.fullmatch("[0-9]+", word)]
            if words[-1].startswith("link") or base.startswith("._") or len(numbers) < 2:
                continue
            if found := attachments.get((numbers[0], numbers[1])):
                student, display_name = found
                assert display_name not in returned[student]
                returned[student][display_name] = files.read(name)
    return returned


def blackboard(file: Path, usernames: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what a file of grades says of each student: all cells of the line, by the columns' headings."""
    text = file.read_text(encoding="utf-8-sig")
    head, *lines = csv.reader(io.StringIO(text))
    assert head[:3] == ["Last Name", "First Name", "Username"]
    assert head[4:] == ["Grading Notes", "Notes Format", "Feedback to Learner", "Feedback Format"]
    returned: dict[str, dict[str, str]] = {}
    for line in lines:
        cells = dict(zip(head, line, strict=True))
        assert cells["Feedback Format"] in ("HTML", "SMART_TEXT")
        assert usernames[cells["Username"]] not in returned
        returned[usernames[cells["Username"]]] = cells
    return returned
