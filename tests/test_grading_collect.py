"""Submissions are found in any sensible layout, each with owner, lab and version; the rest is told."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from pathlib import Path

import pytest
from submissions import cell_of, lab_notebook, write

from course_utils.errors import GradingError
from course_utils.grading.collect import collect

ONE = json.dumps(lab_notebook(1)).encode()
TWO = json.dumps(lab_notebook(2)).encode()
OLD, NEW = 1_700_000_000, 1_700_003_600


def put(root: Path, name: str, content: bytes = ONE, time: int = OLD) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time, time))
    return path


def zipped(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def found(root: Path, lab: int | None = None) -> list[tuple[str, int | None, str]]:
    return [(s.student, s.lab, s.problem) for s in collect(root, lab).submissions]


LAYOUTS = {
    "a folder per student": ["alice/lab.ipynb", "bob/lab.ipynb"],
    "a folder per student and lab": ["alice/lab01/x.ipynb", "bob/lab01/x.ipynb"],
    "the lab's folder first": ["lab01/alice/x.ipynb", "lab01/bob/x.ipynb"],
    "the lab's folder with words": ["Lab 1 - submissions/alice/x.ipynb", "Lab 1 - submissions/bob/x.ipynb"],
    "folders with student and lab": ["alice_lab1/x.ipynb", "bob-lab-01/x.ipynb"],
    "flat, the lab last": ["alice_01_conv_layer.ipynb", "bob_lab1.ipynb"],
    "flat, the lab first": ["01_conv_layer_alice.ipynb", "lab 1 - bob.ipynb"],
    "flat, names alone": ["alice.ipynb", "bob.ipynb"],
    "nbgrader's course folder": ["submitted/alice/lab1/01_conv_layer.ipynb", "submitted/bob/lab1/x.ipynb"],
    "nbgrader's inbound folder": [
        "alice+lab1+2026-11-02 15:58:23 UTC+QaX/x.ipynb",
        "bob+lab1+2026-11-02 15:58:24 UTC/x.ipynb",
    ],
    "a Moodle download": ["alice_12_assignsubmission_file_/x.ipynb", "bob_13_assignsubmission_file/y.ipynb"],
    "a Moodle download without folders": [
        "alice_12_assignsubmission_file_x.ipynb",
        "bob_13_assignsubmission_file_lab.ipynb",
    ],
    "a Canvas download": ["alice_100_2000_x.ipynb", "bob_LATE_101_2001_01_conv_layer-1.ipynb"],
    "a Canvas download in a folder": ["dl/alice_100_2000_x.ipynb", "dl/bob_101_2001_x.ipynb"],
    "two Moodle downloads": [
        "lab 1 early/alice_12_assignsubmission_file_/x.ipynb",
        "course-99/bob_13_assignsubmission_file_/x.ipynb",
        "course-99/carol_14_assignsubmission_file_/x.ipynb",
    ],
    "a Moodle download in a folder": ["dl/alice_1_assignsubmission_file_/x.ipynb"],
    "file names that look like Canvas": ["alice/notes_2026_1122_x.ipynb", "bob/lab_2026_1122_x.ipynb"],
    "one folder around all": ["download-2026/alice/x.ipynb", "download-2026/bob/x.ipynb"],
    "tutorial groups": ["red/alice/x.ipynb", "red/bob/x.ipynb", "blue/carol/x.ipynb", "blue/dan/x.ipynb"],
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", ["folder", "zip"])
def test_every_layout_gives_the_same_students(layout, packed, tmp_path):
    names = LAYOUTS[layout]
    students = ["alice", "bob", "carol", "dan"][: len(names)]
    if packed == "zip":
        source = tmp_path / "all.zip"
        source.write_bytes(zipped(dict.fromkeys(names, ONE)))
    else:
        source = tmp_path / "in"
        for name in names:
            put(source, name)
    assert found(source) == [(student, 1, "") for student in students]


def test_archives_per_student_in_a_folder_and_archives_in_them(tmp_path):
    put(tmp_path, "alice.zip", zipped({"work/01.ipynb": ONE}))
    put(tmp_path, "bob.zip", zipped({"inner.zip": zipped({"x.ipynb": ONE})}))
    put(tmp_path, "carol/lab.zip", zipped({"labs/x.ipynb": ONE}))
    assert found(tmp_path) == [("alice", 1, ""), ("bob", 1, ""), ("carol", 1, "")]


def test_a_class_in_an_archive_in_a_folder(tmp_path):
    put(tmp_path, "class.zip", zipped({"alice/x.ipynb": ONE, "bob/x.ipynb": ONE}))
    assert found(tmp_path) == [("alice", 1, ""), ("bob", 1, "")]


def test_an_archive_in_an_archive_in_an_archive_is_reported(tmp_path):
    put(tmp_path, "alice.zip", zipped({"b.zip": zipped({"c.zip": zipped({"x.ipynb": ONE})})}))
    ((student, _, problem),) = found(tmp_path)
    assert student == "alice"
    assert "archive in an archive" in problem


def test_the_lab_is_read_from_the_cells_not_from_the_name(tmp_path):
    put(tmp_path, "alice/01_conv_layer.ipynb", TWO)
    assert found(tmp_path) == [("alice", 2, "")]


def test_a_lab_without_ids_is_known_by_its_functions(tmp_path):
    notebook = lab_notebook(3)
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    write(notebook, tmp_path / "alice" / "x.ipynb")
    assert found(tmp_path) == [("alice", 3, "")]


def test_one_student_with_two_labs_has_two_rows_and_a_chosen_lab_one(tmp_path):
    put(tmp_path, "alice/a.ipynb", ONE)
    put(tmp_path, "alice/b.ipynb", TWO)
    assert found(tmp_path) == [("alice", 1, ""), ("alice", 2, "")]
    assert found(tmp_path, lab=2) == [("alice", 2, "")]


def test_another_lab_than_asked_for_is_told(tmp_path):
    put(tmp_path, "alice/a.ipynb", TWO)
    assert found(tmp_path, lab=1) == [("alice", 1, "It is Lab 2, not Lab 1.")]


def versions(root: Path) -> tuple[str, tuple[str, ...]]:
    (one,) = collect(root).submissions
    assert not one.problem
    return one.path, one.others


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("alice/lab.ipynb", "alice/lab (2).ipynb"),
        ("alice/z.ipynb", "alice/a.ipynb"),
        ("alice/new/lab.ipynb", "alice/old/lab.ipynb"),
    ],
)
def test_the_newest_file_counts_and_the_older_is_listed(older, newer, tmp_path):
    put(tmp_path, older, time=OLD)
    put(tmp_path, newer, time=NEW)
    path, others = versions(tmp_path)
    assert path == newer
    assert others == (f"{older} (older, {_date(OLD)})",)


def _date(time: int) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(time):%Y-%m-%d %H:%M}"


def test_of_a_canvas_download_the_last_upload_counts_whatever_the_file_times_say(tmp_path):
    put(tmp_path, "alice_100_2000_lab.ipynb", time=NEW)
    put(tmp_path, "alice_LATE_100_2107_lab-1.ipynb", time=OLD)
    path, _ = versions(tmp_path)
    assert path == "alice_LATE_100_2107_lab-1.ipynb"
    (one,) = collect(tmp_path).submissions
    assert (one.late, one.number, one.platform) == (True, "100", "Canvas")


def test_nbgraders_timestamp_counts_more_than_the_files_time(tmp_path):
    put(tmp_path, "submitted/alice/lab1/x.ipynb", time=NEW)
    put(tmp_path, "submitted/alice/lab1/timestamp.txt", b"2020-01-01 00:00:00 UTC")
    (one,) = collect(tmp_path).submissions
    assert one.submitted.year == 2020
    assert one.others == ()


def test_two_versions_of_the_same_age_are_for_a_human(tmp_path):
    notebook = lab_notebook(1)
    cell_of(notebook, "zero_pad").source = "def zero_pad(image, padding): return image"
    put(tmp_path, "alice/a.ipynb")
    put(tmp_path, "alice/b.ipynb", json.dumps(notebook).encode())
    (one,) = collect(tmp_path).submissions
    assert "as new as" in one.notes[0]


def test_two_people_in_one_folder_are_not_taken_for_versions(tmp_path):
    put(tmp_path, "groupwork/alice/x.ipynb")
    put(tmp_path, "groupwork/bob/x.ipynb")
    put(tmp_path, "carol/x.ipynb")
    by_name = {s.student: s for s in collect(tmp_path).submissions}
    assert "not clear" in by_name["groupwork"].problem
    assert "alice" not in by_name["groupwork"].problem + by_name["groupwork"].path
    assert "groupwork/alice/x.ipynb" in by_name["groupwork"].notes[0]
    assert by_name["carol"].problem == ""


@pytest.mark.parametrize(
    "inside",
    ["bob+lab1+2030-01-01 00:00:00 UTC/x.ipynb", "bob_13_assignsubmission_file_/x.ipynb", "bob/x.ipynb"],
)
def test_nobody_hands_in_for_another(inside, tmp_path):
    put(tmp_path, "alice.zip", zipped({inside: ONE, inside.replace("bob", "carol"): ONE}), time=NEW)
    put(tmp_path, "bob/x.ipynb")
    students = {s.student: s for s in collect(tmp_path).submissions}
    assert set(students) == {"alice", "bob"}
    assert (students["bob"].path, students["bob"].others) == ("bob/x.ipynb", ())


def test_two_students_with_one_name_are_told_apart_by_their_numbers(tmp_path):
    put(tmp_path, "Li Wei_11_assignsubmission_file_/x.ipynb")
    put(tmp_path, "Li Wei_12_assignsubmission_file_/x.ipynb")
    one, two = collect(tmp_path).submissions
    assert (one.student, two.student) == ("Li Wei (11)", "Li Wei (12)")
    assert "told apart" in one.notes[0]


def test_one_name_in_two_unicode_forms_is_one_student(tmp_path):
    put(tmp_path, "Jose\u0301/a.ipynb", time=OLD)
    put(tmp_path, "Jos\u00e9/b.ipynb", time=NEW)
    assert [s.student for s in collect(tmp_path).submissions] == ["Jos\u00e9"]


@pytest.mark.slow
@pytest.mark.parametrize("names", [("al", "al (1)"), ("-x", "x"), ("ann", "Ann"), ("ann v1", "ann v2")])
def test_folders_with_names_that_are_nearly_the_same_are_two_students(names, tmp_path):
    for name in names:
        put(tmp_path, f"{name}/x.ipynb")
    assert {student for student, _, _ in found(tmp_path)} == set(names)


BROKEN = {
    "empty": (b"", "is empty"),
    "blank": (b" \n", "is empty"),
    "cut off": (ONE[:2000], "not JSON from line"),
    "another file": (b"%PDF-1.4 \xff\xfe", "neither JSON nor Python"),
    "JSON of another kind": (b"[1, 2]", "JSON of another kind"),
    "an old format": (b'{"nbformat": 2, "worksheets": [{"cells": []}]}', "old format"),
    "a future format": (b'{"nbformat": 5, "cells": [{}]}', "no cells of format 4"),
    "no cells": (b'{"nbformat": 4, "cells": []}', "has no cells"),
    "cells that are none": (b'{"nbformat": 4, "cells": [7]}', "is not a cell"),
    "a source that is none": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}', "not text"),
    "deep JSON": (b"[" * 200_000 + b"]" * 200_000, "nested too deep"),
    "a huge number": (b'{"nbformat": ' + b"9" * 5000 + b"}", "is not a notebook"),
    "too many cells": (b'{"nbformat": 4, "cells": [' + b"{}," * 5000 + b"{}]}", "more than any lab"),
    "no exercise": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "1"}]}', "no exercise"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_notebook_is_told_in_a_sentence_and_the_others_are_read(kind, tmp_path):
    content, complaint = BROKEN[kind]
    put(tmp_path, "alice/x.ipynb", content)
    put(tmp_path, "bob/x.ipynb")
    (alice, _, problem), bob = found(tmp_path)
    assert (alice, bob) == ("alice", ("bob", 1, ""))
    assert complaint in problem
    assert problem.endswith(".")


def test_a_notebook_of_two_labs_alike_is_not_guessed(tmp_path):
    notebook = lab_notebook(1)
    notebook.cells = [cell_of(lab_notebook(1), "zero_pad"), cell_of(lab_notebook(2), "max_pool")]
    write(notebook, tmp_path / "alice.ipynb")
    assert "Lab 1 and of Lab 2" in found(tmp_path)[0][2]


def test_a_huge_notebook_is_reported_and_not_read(tmp_path):
    with put(tmp_path, "alice/x.ipynb").open("ab") as file:
        file.truncate(300 * 2**20)  # sparse: it takes no space
    ((_, _, problem),) = found(tmp_path)
    assert problem.startswith("It has 300 MB")


def test_a_broken_second_file_is_for_a_human_and_the_first_is_graded(tmp_path):
    put(tmp_path, "alice/a.ipynb")
    put(tmp_path, "alice/b.ipynb", b"{", time=NEW)
    (one,) = collect(tmp_path).submissions
    assert one.path == "alice/a.ipynb"
    assert "b.ipynb was not graded" in one.notes[0]


def test_links_are_never_followed(tmp_path):
    secret = put(tmp_path / "elsewhere", "secret.ipynb")
    root = tmp_path / "in"
    put(root, "bob/x.ipynb")
    (root / "alice").mkdir()
    (root / "alice" / "x.ipynb").symlink_to(secret)
    (root / "carol").symlink_to(tmp_path / "elsewhere")
    problems = {student: problem for student, _, problem in found(root)}
    assert problems["bob"] == ""
    assert "symbolic link" in problems["alice"]
    assert "symbolic link" in problems["carol"]


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("x.ipynb")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    put(tmp_path, "alice.zip", stream.getvalue())
    assert "symbolic link" in found(tmp_path)[0][2]


def test_a_pipe_does_not_hang_the_batch(tmp_path):
    (tmp_path / "alice").mkdir()
    os.mkfifo(tmp_path / "alice" / "x.ipynb")
    assert "not an ordinary file" in found(tmp_path)[0][2]


@pytest.mark.parametrize("name", ["../../evil.ipynb", "/etc/evil.ipynb", "..\\evil.ipynb", "C:/evil.ipynb"])
def test_paths_that_leave_an_archive_are_refused_and_nothing_is_written(name, tmp_path):
    put(tmp_path / "in", "alice.zip", zipped({name: ONE}))
    assert "leads out" in found(tmp_path / "in")[0][2]
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["alice.zip"]


@pytest.mark.slow
def test_an_archive_that_unpacks_to_gigabytes_is_not_read(tmp_path):
    bomb = zipped({f"{i}.ipynb": b"0" * (30 * 2**20) for i in range(4)})
    put(tmp_path, "alice.zip", bomb)
    assert "The archive was not read" in found(tmp_path)[0][2]


def test_an_archive_that_lies_about_its_sizes_is_read_no_further(tmp_path):
    lying = bytearray(zipped({"x.ipynb": b" " * 100_000 + ONE}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = lying.index(signature) + offset
        lying[place : place + 4] = (100).to_bytes(4, "little")
    put(tmp_path, "alice.zip", bytes(lying))
    assert "cannot be read from its archive" in found(tmp_path)[0][2]


def test_damaged_and_encrypted_archives_are_reported(tmp_path):
    whole = zipped({"x.ipynb": ONE})
    put(tmp_path, "alice.zip", whole[: len(whole) // 2])
    put(tmp_path, "bob.zip", b"no archive")
    broken = bytearray(whole)
    broken[200:400] = bytes(200)
    put(tmp_path, "carol.zip", bytes(broken))
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    put(tmp_path, "dan.zip", bytes(locked))
    put(tmp_path, "eve.rar", b"Rar!")
    problems = {student: problem for student, _, problem in found(tmp_path)}
    assert list(problems) == ["alice", "bob", "carol", "dan", "eve"]
    assert all(problems.values())
    assert "only zip" in problems["eve"]


def test_a_damaged_archive_of_all_submissions_is_an_error(tmp_path):
    path = put(tmp_path, "all.zip", b"no archive")
    with pytest.raises(GradingError, match="cannot be read"):
        collect(path)


def test_other_files_are_listed_and_a_student_with_nothing_else_is_told(tmp_path):
    put(tmp_path, "alice/x.ipynb")
    put(tmp_path, "alice/report.pdf", b"")
    put(tmp_path, "bob/report.pdf", b"")
    put(tmp_path, "README.txt", b"")
    alice, bob = (collection := collect(tmp_path)).submissions
    assert alice.others == ("alice/report.pdf",)
    assert bob.problem == "No notebook was handed in."
    assert collection.unread == ["README.txt: its path does not say whose it is, or it is not a notebook."]


def test_what_systems_leave_behind_is_not_seen(tmp_path):
    put(tmp_path, "alice/x.ipynb")
    put(tmp_path, "alice/.ipynb_checkpoints/x-checkpoint.ipynb", time=NEW)
    put(tmp_path, "__MACOSX/alice/._x.ipynb", b"junk")
    assert versions(tmp_path) == ("alice/x.ipynb", ())


def test_a_notebook_with_a_name_that_says_nobody_is_not_guessed(tmp_path):
    put(tmp_path, "01_conv_layer.ipynb")
    with pytest.raises(GradingError, match=r"01_conv_layer\.ipynb"):
        collect(tmp_path)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()])
def test_nothing_to_collect_is_an_error(make, tmp_path):
    make(tmp_path / "in")
    with pytest.raises(GradingError):
        collect(tmp_path / "in")


def test_names_that_are_no_text_become_text(tmp_path):
    folder = os.fsencode(tmp_path) + b"/al\xffice\n"
    os.mkdir(folder)
    with open(folder + b"/x.ipynb", "wb") as file:
        file.write(ONE)
    (one,) = collect(tmp_path).submissions
    one.student.encode()
    assert one.student.isprintable()
