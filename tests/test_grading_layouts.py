"""Each platform's export gives its students; what can be read in two ways stops; versions and rosters."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from exports import EXPORTS, GRADESCOPE_METADATA, JUNK
from submissions import REPOSITORY, cell_of, lab_notebook

from course_utils.command_line import main
from course_utils.errors import GradingError, SettingsError
from course_utils.grading.collect import Naming, collect
from course_utils.grading.collect.layouts import LAYOUTS, NAMES, read_owners
from course_utils.grading.collect.roster import read_roster
from course_utils.grading.records import Collection, Rebuilt, RunnableNotebook

LAB = json.dumps(lab_notebook(1)).encode()
OLD, NEW = 1_700_000_000, 1_700_003_600


def put(root: Path, name: str, content: bytes | str = LAB, time: int = OLD) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (time, time))
    return path


def answered_lab(*answers: str) -> bytes:
    """Return a notebook of Lab 1 in which these exercises have another cell than the lab gives."""
    notebook = lab_notebook(1)
    for name in answers:
        cell_of(notebook, name).source = f"def {name}(*_): return 1"
    return json.dumps(notebook).encode()


def changes(cells, lab) -> Rebuilt:
    """Find answers without templates: the cells that `answered_lab` writes."""
    code = {cell.grade_id: cell.source for cell in cells if "(*_): return 1" in cell.source}
    return Rebuilt(RunnableNotebook(lab, ()), {}, (), (), code)


def by_file(collection: Collection) -> dict[str, str]:
    return {file.path: file.student for file in collection.files}


def csv(folder: Path, text: str, encoding: str = "utf-8", name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_an_exports_students_are_those_that_a_reader_finds(kind, packed, tmp_path):
    export, root = EXPORTS[kind], tmp_path / "in"
    for name in export.students:
        put(root, name)
    for name, text in {**export.others, **JUNK}.items():
        put(root, name, text)
    if packed:
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
            for path in root.rglob("*"):
                archive.write(path, path.relative_to(root))
    found = collect(tmp_path / "in.zip" if packed else root)
    assert {path: who for path, who in by_file(found).items() if path.endswith(".ipynb")} == export.students
    graded = {submission.student for submission in found.submissions if not submission.problem}
    assert graded == set(export.students.values())


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_layout_that_is_named_finds_the_same_students(kind):
    export = EXPORTS[kind]
    paths = [tuple(name.split("/")) for name in export.students]
    texts = {tuple(name.split("/")): text for name, text in export.others.items() if name.endswith(".yml")}
    _, found = read_owners(paths, paths, texts=texts)
    _, told = read_owners(paths, paths, texts=texts, layout=export.layout)
    assert found == told
    assert all(found.values())


def test_every_platform_has_an_export_among_the_tests():
    assert {layout.name for layout in LAYOUTS} <= {export.layout for export in EXPORTS.values()} <= {*NAMES}


AMBIGUOUS = {
    "copies that may be a browser's": (["Tan.ipynb", "Tan (1).ipynb", "Lee.ipynb"], "Tan and Tan"),
    "a final version beside another": (["tan_lab1.ipynb", "tan_lab1_final.ipynb"], "--layout names"),
    "two words for a lab": (["Tan HW/x.ipynb", "Tan Lab/x.ipynb"], "Tan HW and Tan Lab"),
    "a folder beside a platform's": (
        ["Wei Tan_1_assignsubmission_file_/x.ipynb", "Lee/x.ipynb"],
        "1 of 2 have names that Moodle gives",
    ),
    "a Gradescope export without its list": (["submission_1/x.ipynb", "submission_2/x.ipynb"], "metadata"),
    "numbered folders with names in them": (["01/ann/x.ipynb", "02/ann/x.ipynb", "02/bo/x.ipynb"], "groups"),
    "a name that occurs in two groups": (
        ["red/ann/x.ipynb", "red/bo/x.ipynb", "blue/ann/x.ipynb", "blue/cy/x.ipynb"],
        "--layout groups",
    ),
    "a notebook that names nobody": (["ann.ipynb", "01_conv_layer.ipynb"], "01_conv_layer.ipynb"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_stops_and_says_what_to_type(kind, tmp_path):
    names, words = AMBIGUOUS[kind]
    for name in names:
        put(tmp_path, name)
    with pytest.raises(GradingError, match=r"next: .*--") as stopped:
        collect(tmp_path)
    assert words in str(stopped.value)


def test_a_layout_overrules_and_merges_nobody(tmp_path):
    for name in ("red/ann/x.ipynb", "red/bo/x.ipynb", "blue/ann/x.ipynb", "blue/cy/x.ipynb"):
        put(tmp_path, name)
    found = collect(tmp_path, naming=Naming("groups"))
    assert [one.student for one in found.submissions] == ["ann (blue)", "ann (red)", "bo", "cy"]


def test_names_taken_as_they_are_are_students_each(tmp_path):
    put(tmp_path, "Tan.ipynb")
    put(tmp_path, "Tan (1).ipynb")
    found = collect(tmp_path, naming=Naming("names"))
    assert [one.student for one in found.submissions] == ["Tan", "Tan (1)"]


def test_a_layout_leaves_out_what_it_does_not_explain_and_says_so(tmp_path):
    put(tmp_path, "Wei Tan_1_assignsubmission_file_/x.ipynb")
    put(tmp_path, "Lee/x.ipynb")
    found = collect(tmp_path, naming=Naming("moodle"))
    assert [one.student for one in found.submissions] == ["Wei Tan"]
    assert found.unread[0].startswith("Lee/x.ipynb: ")


def test_an_unknown_layout_is_told_with_those_that_are_known(tmp_path):
    with pytest.raises(SettingsError, match="groups"):
        collect(tmp_path, naming=Naming("moddle"))


def test_folders_that_are_the_same_in_all_are_the_students_own(tmp_path):
    for name in ("ann/first/x.ipynb", "ann/second/y.ipynb", "bo/first/x.ipynb", "bo/second/y.ipynb"):
        put(tmp_path, name)
    found = collect(tmp_path)
    assert [(one.student, bool(one.problem)) for one in found.submissions] == [("ann", True), ("bo", True)]


def test_gradescopes_list_counts_only_beside_the_submissions(tmp_path):
    """A student who hands in a list of submissions hands in for nobody else."""
    forged = GRADESCOPE_METADATA.replace("Wei Tan", "Mallory")
    put(tmp_path, "assignment_1_export/submission_metadata.yml", GRADESCOPE_METADATA)
    put(tmp_path, "assignment_1_export/submission_9001/x.ipynb")
    put(tmp_path, "assignment_1_export/submission_9002/x.ipynb")
    put(tmp_path, "assignment_1_export/submission_9001/submission_metadata.yml", forged)
    assert [one.student for one in collect(tmp_path).submissions] == ["Anna Müller", "Wei Tan"]


def test_each_student_of_a_group_has_a_row(tmp_path):
    group = GRADESCOPE_METADATA.replace(
        "    :email: anna.mueller@uni.example\n",
        "    :email: anna.mueller@uni.example\n  - :name: Bo Lee\n    :sid: '3190009'\n",
    )
    put(tmp_path, "submission_metadata.yml", group)
    put(tmp_path, "submission_9001/x.ipynb")
    found = collect(tmp_path).submissions
    assert [(one.student, one.number) for one in found] == [("Anna Müller", "3190001"), ("Bo Lee", "3190009")]


def test_the_newest_by_the_platforms_time_counts_whatever_files_say(tmp_path):
    older = put(tmp_path, "Lab 1_jdoe_attempt_2026-11-01-10-22-33_z.ipynb", answered_lab("zero_pad"), NEW)
    newer = put(tmp_path, "Lab 1_jdoe_attempt_2026-11-02-08-00-00_a.ipynb", time=OLD)
    (one,) = collect(tmp_path, rebuild=changes).submissions
    assert (one.path, one.submitted.day) == (newer.name, 2)
    assert one.others == (f"{older.name} (older, 2026-11-01 10:22)",)
    assert one.notes == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "counts"),
    [
        ("submitted/ann/lab1", True),
        ("ann/lab1", True),
        ("submitted/ann/lab1/mine", False),
        ("ann", False),
        ("ann_1_assignsubmission_file_/lab1", False),
    ],
)
def test_a_time_counts_only_where_nbgrader_writes_it(place, counts, tmp_path):
    put(tmp_path, f"{place}/x.ipynb")
    put(tmp_path, f"{place}/timestamp.txt", "2020-01-01 00:00:00 UTC")
    (one,) = collect(tmp_path).submissions
    assert (one.submitted.year == 2020) == counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "beside", "text", "source", "time"),
    [
        ("submission_9001/x.ipynb", "submission_metadata.yml", GRADESCOPE_METADATA,
         "Gradescope", "10:22:33 UTC"),
        ("submitted/ann/lab1/x.ipynb", "submitted/ann/lab1/timestamp.txt", "2026-11-01 10:01:03.948203 UTC",
         "nbgrader", "10:01:03 UTC"),
        ("submitted/ann/lab1/x.ipynb", "submitted/ann/lab1/timestamp.txt", "2026-11-01 10:01:03.948203 CET",
         "nbgrader", "10:01:03 None"),
        ("ann+lab1+2026-11-01 10:22:33.1 UTC+c2/x.ipynb", "", "", "nbgrader", "10:22:33 UTC"),
        ("Lab 1_ann_attempt_2026-11-01-10-22-33_lab.ipynb", "", "", "Blackboard", "10:22:33 None"),
        ("12-67 - Ann - Nov 1, 2026 1022 AM/x.ipynb", "", "", "Brightspace", "10:22:00 None"),
    ],
    ids=["Gradescope", "nbgrader", "nbgrader, elsewhere", "exchange", "Blackboard", "Brightspace"],
)  # fmt: skip
def test_a_platforms_time_has_the_zone_that_it_names(path, beside, text, source, time, tmp_path):
    put(tmp_path, path)
    if beside:
        put(tmp_path, beside, text)
    (one,) = collect(tmp_path).submissions
    assert (one.time_source, f"{one.submitted:%H:%M:%S} {one.submitted.tzinfo}") == (source, time)


def test_a_time_beside_one_students_file_is_not_nbgraders(tmp_path):
    """nbgrader writes it for everybody."""
    for name in ("ann", "bo"):
        put(tmp_path, f"{name}/lab1/x.ipynb")
    put(tmp_path, "ann/lab1/timestamp.txt", "2020-01-01 00:00:00 UTC")
    assert [one.submitted.year for one in collect(tmp_path).submissions] == [2023, 2023]
    put(tmp_path, "bo/lab1/timestamp.txt", "2021-01-01 00:00:00 UTC")
    assert [one.submitted.year for one in collect(tmp_path).submissions] == [2020, 2021]


def test_a_time_in_an_archive_is_the_students_own_even_if_all_have_one(tmp_path):
    for name in ("ann", "bo"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("lab1/x.ipynb", LAB)
            archive.writestr("lab1/timestamp.txt", "2020-01-01 00:00:00 UTC")
        put(tmp_path, f"{name}.zip", packed.getvalue())
    assert 2020 not in [one.submitted.year for one in collect(tmp_path).submissions]


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPORTS)
def test_a_time_that_a_student_packed_counts_in_no_layout(kind, tmp_path):
    """A student hands in a folder, in an archive or, where the platform keeps folders, as it is."""
    (first, *_), others = EXPORTS[kind].students, EXPORTS[kind].others
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("lab1/x.ipynb", LAB)
        archive.writestr("lab1/timestamp.txt", "2020-01-01 00:00:00 UTC")
    put(tmp_path, str(Path(first).with_suffix(".zip")), packed.getvalue())
    for name in EXPORTS[kind].students:
        put(tmp_path, name)
        if EXPORTS[kind].layout != "nbgrader":
            put(tmp_path, f"{Path(name).parent}/mine/timestamp.txt", "2020-01-01 00:00:00 UTC")
            put(tmp_path, f"{Path(name).parent}/timestamp.txt", "2020-01-01 00:00:00 UTC")
    for name, text in others.items():
        put(tmp_path, name, text)
    times = {one.submitted.year for one in collect(tmp_path).submissions if one.submitted}
    assert 2020 not in times


@pytest.mark.parametrize("text", ["2026-11-22T10+01:00", "0000-00-00 00:00:00", "\x00" * 40, "9" * 40])
def test_a_time_in_any_form_stops_nobody(text, tmp_path):
    for name in ("x.ipynb", "y.ipynb"):
        put(tmp_path, f"submitted/ann/lab1/{name}")
    put(tmp_path, "submitted/ann/lab1/timestamp.txt", text)
    assert collect(tmp_path).submissions[0].submitted.year == 2023


@pytest.mark.parametrize("text", ["+".join(['"a"'] * 100_000), '"' + "(" * 100_000 + '"', '"\\uD800"'])
def test_a_list_of_submissions_in_any_form_stops_nobody(text, tmp_path):
    """Gradescope's own, with a name that a student chose, and one that a student handed in."""
    metadata = GRADESCOPE_METADATA.replace("Wei Tan", text)
    put(tmp_path, "submission_metadata.yml", metadata)
    put(tmp_path, "submission_9001/x.ipynb")
    put(tmp_path, "submission_9002/x.ipynb")
    put(tmp_path, "submission_9002/submission_metadata.yml", metadata)
    names = [one.student for one in collect(tmp_path).submissions]
    assert len(names) == 2
    assert all(len(name.encode()) < 300 for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("times", [(OLD, OLD), (NEW, OLD), (OLD, NEW)])
def test_without_a_platforms_time_the_version_with_most_answers_counts_and_it_says_so(names, times, tmp_path):
    put(tmp_path, f"ann/{names[0]}.ipynb", answered_lab("zero_pad", "conv2d"), times[0])
    put(tmp_path, f"ann/{names[1]}.ipynb", answered_lab("zero_pad"), times[1])
    found = collect(tmp_path, rebuild=changes)
    (one,) = found.submissions
    assert one.path == f"ann/{names[0]}.ipynb"
    assert "the most answers (2)" in one.notes[0]
    why = {file.path: file.why for file in found.files}
    assert "the one of 2 with the most answers (2)" in why[one.path]
    assert "fewer answers: 1" in why[f"ann/{names[1]}.ipynb"]


ROSTERS = {
    "names in one column": "ID,Name,E-Mail\n1,Anna Müller,am@uni.example\n2,Wei Tan,wt@uni.example\n",
    "surname and first name": "surname;FIRST NAME;id\nMüller;Anna;1\nTan;Wei;2\n",
    "German": "Matrikelnummer;Name;Vorname;E-Mail-Adresse\n1;Müller;Anna;am@uni.example\n2;Tan;Wei;\n",
    "Canvas's gradebook": (
        'Student,ID,SIS User ID\n"    Points Possible",,\n"Müller, Anna",1,\n"Tan, Wei",2,s2\n'
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("kind", ROSTERS)
def test_a_roster_is_read_with_the_columns_that_people_have(kind, encoding, tmp_path):
    roster = read_roster(csv(tmp_path, ROSTERS[kind], encoding))
    assert [(one.name, one.id) for one in roster.people] == [("Anna Müller", "1"), ("Wei Tan", "2")]


def test_a_roster_settles_names_and_lists_who_is_missing_and_who_is_unknown(tmp_path):
    for name in ("tanwei", "mulleranna", "guest"):
        put(tmp_path, f"in/{name}_123_4567_lab.ipynb")
    roster = csv(tmp_path, "id,name,email\n1,Anna Müller,\n2,Wei Tan,\n3,Bo Lee,bl@uni.example\n")
    found = collect(tmp_path / "in", naming=Naming(roster=roster))
    problems = {one.student: one.problem for one in found.submissions}
    assert problems == {"Anna Müller": "", "Wei Tan": "", "guest": "", "Bo Lee": "Nothing was handed in."}
    assert [one.student for one in found.submissions if "Not in the roster." in one.notes] == ["guest"]
    assert ("Bo Lee", "", "Nothing was handed in.") in [(f.student, f.path, f.why) for f in found.files]


@pytest.mark.parametrize(
    "login", ["jdoe", "3190001", "jane@uni.example", "Doe, Jane", "JANE DOE", "Jané Doe"]
)
def test_a_student_is_found_by_login_id_address_and_name(login, tmp_path):
    roster = read_roster(
        csv(tmp_path, "id,name,username,e-mail\n3190001,Jane Doe,jdoe,jane@uni.example\n2,Jo Doe,,\n")
    )
    assert [one.id for one in roster.find(login)] == ["3190001"]
    assert roster.find("doe") == roster.find("") == []


def test_a_platforms_own_number_is_nobodys_id(tmp_path):
    roster = read_roster(csv(tmp_path, "id,name\n12345,Anna Müller\n"))
    assert roster.find("Wei Tan", "12345") == []


def test_two_students_that_fit_one_person_of_the_roster_are_not_merged(tmp_path):
    put(tmp_path, "in/jdoe/x.ipynb")
    put(tmp_path, "in/Jane Doe/x.ipynb")
    roster = csv(tmp_path, "name,email\nJane Doe,jdoe@uni.example\n")
    with pytest.raises(GradingError, match="both fit Jane Doe"):
        collect(tmp_path / "in", naming=Naming(roster=roster))
    mapping = csv(tmp_path, "file,student\njdoe,Jane Doe\n", name="mapping.csv")
    (one,) = collect(tmp_path / "in", naming=Naming(roster=roster, mapping=mapping)).submissions
    assert one.student == "Jane Doe"


def test_people_of_one_name_in_the_roster_are_told_apart_by_the_platforms_number(tmp_path):
    put(tmp_path, "in/liwei_11_4567_x.ipynb")
    put(tmp_path, "in/liwei_12_4568_x.ipynb")
    roster = csv(tmp_path, "ID,Student\n11,Li Wei\n12,Li Wei\n13,Li Wei\n")
    found = collect(tmp_path / "in", naming=Naming(roster=roster)).submissions
    assert [one.student for one in found] == ["Li Wei (11)", "Li Wei (12)", "Li Wei (13)"]


def test_nobody_is_told_to_have_handed_in_nothing_while_a_file_may_be_theirs(tmp_path):
    put(tmp_path, "in/liwei_91_4567_x.ipynb")
    roster = csv(tmp_path, "ID,Student\n11,Li Wei\n12,Li Wei\n13,Bo Lee\n")
    found = collect(tmp_path / "in", naming=Naming(roster=roster)).submissions
    told = {one.student: one.problem for one in found}
    assert told["Bo Lee"] == "Nothing was handed in."
    assert told["Li Wei (11)"] == told["Li Wei (12)"] and "not clear" in told["Li Wei (11)"]


def test_a_mapping_overrules_names_and_leaves_files_out(tmp_path):
    put(tmp_path, "in/01_conv_layer.ipynb")
    put(tmp_path, "in/Tan.ipynb")
    put(tmp_path, "in/old/Tan (1).ipynb")
    mapping = csv(tmp_path, "File;Student\n01_conv_layer.ipynb;Bo Lee\nold;\n")
    found = collect(tmp_path / "in", naming=Naming(mapping=mapping))
    assert [one.student for one in found.submissions] == ["Bo Lee", "Tan"]
    assert "left out" in found.unread[0]


def test_a_mapping_says_whose_a_file_is_and_its_name_still_says_the_rest(tmp_path):
    put(tmp_path, "in/mulleranna_LATE_9001_770007_x.ipynb")
    put(tmp_path, "in/mulleranna_9002_770008_x.ipynb")
    put(tmp_path, "in/tanwei_9003_770009_x.ipynb")
    roster = csv(tmp_path, "id,name\n1,Anna Müller\n2,Anna Müller\n3,Wei Tan\n", name="roster.csv")
    text = "file,student\nmulleranna_LATE_9001_770007_x.ipynb,1\nmulleranna_9002_770008_x.ipynb,2\n"
    naming = Naming(roster=roster, mapping=csv(tmp_path, text, name="mapping.csv"))
    first, second, _ = collect(tmp_path / "in", naming=naming).submissions
    assert (first.student, first.number, first.platform, first.late) == (
        "Anna Müller (1)", "9001", "Canvas", True,
    )  # fmt: skip
    assert (first.exported, second.late) == ("mulleranna_LATE_9001_770007_x.ipynb", False)
    people = read_roster(roster).of_students([(first.student, first.number), (second.student, "9002")])
    assert [one.name for one in people.find("Anna Müller (2)")] == ["Anna Müller (2)"]


def test_so_it_does_where_the_mapping_names_every_file(tmp_path):
    put(tmp_path, "in/mulleranna_LATE_9001_770007_x.ipynb")
    mapping = csv(tmp_path, "file,student\nmulleranna_LATE_9001_770007_x.ipynb,Anna\n")
    (one,) = collect(tmp_path / "in", naming=Naming(mapping=mapping)).submissions
    assert (one.student, one.number, one.platform, one.late) == ("Anna", "9001", "Canvas", True)


def test_a_mapping_of_every_file_may_have_names_that_tell_nothing(tmp_path):
    put(tmp_path, "in/jdoe_LATE_9001_770007_x.ipynb")
    put(tmp_path, "in/final/01/x.ipynb")
    text = "file,student\njdoe_LATE_9001_770007_x.ipynb,Anna\nfinal,Bo\n"
    found = collect(tmp_path / "in", naming=Naming(mapping=csv(tmp_path, text))).submissions
    assert [one.student for one in found] == ["Anna", "Bo"]


def test_somebody_whose_name_begins_with_a_dot_is_not_lost(tmp_path):
    for name in (
        ".Dot Name_11_assignsubmission_file_",
        "._x_12_assignsubmission_file_",
        ".git",
        "Ann O_13_assignsubmission_file_",
    ):
        put(tmp_path, f"in/{name}/x.ipynb")
    assert [one.student for one in collect(tmp_path / "in").submissions] == [".Dot Name", "Ann O"]


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "file\nx\n", "file,student\nx,Ann\nx,Bo\n"],
    ids=["empty", "other", "half", "twice"],
)
def test_a_mapping_that_cannot_be_read_is_an_error(text, tmp_path):
    put(tmp_path, "in/x/x.ipynb")
    with pytest.raises(GradingError):
        collect(tmp_path / "in", naming=Naming(mapping=csv(tmp_path, text)))


def test_a_dry_run_shows_whose_each_file_is_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("COLUMNS", "200")
    put(tmp_path, "in/Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb")
    put(tmp_path, "in/Lab 1_tan[b]_attempt_2026-11-01-10-22-33_lab.ipynb")
    roster = csv(tmp_path, "name,login\nJane Doe,jdoe\nBo Lee,blee\n")
    before = sorted(tmp_path.rglob("*"))
    assert main(["grade", str(tmp_path / "in"), "--dry-run", "--roster", str(roster)]) == 0
    out = capsys.readouterr().out
    assert "2 students, from Blackboard" in out
    row = next(line for line in out.splitlines() if line.startswith("Jane Doe"))
    assert "2026-11-01 10:22" in row
    assert "_jdoe_" in row
    assert "Not in the roster." in next(line for line in out.splitlines() if line.startswith("tan[b]"))
    assert "Nothing was handed in" in next(line for line in out.splitlines() if line.startswith("Bo Lee"))
    assert main(["grade", str(tmp_path / "in"), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["student"] == "jdoe"
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_said_of_a_file_ends_before_what_the_roster_says_of_its_student(tmp_path):
    put(tmp_path, "in/Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb", "{}")
    put(tmp_path, "in/Lab 1_zed_attempt_2026-11-01-10-22-33_lab.ipynb", "{}")
    roster = csv(tmp_path, "name,login\nJane Doe,jdoe\n")
    said = {file.student: file.why for file in collect(tmp_path / "in", naming=Naming(roster=roster)).files}
    assert said["Jane Doe"].endswith(".")
    assert said["zed"] == f"{said['Jane Doe']} Not in the roster."


def test_grading_needs_a_folder_for_its_results(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    assert main(["grade", str(tmp_path)]) != 0
    assert "--output is missing" in capsys.readouterr().err


def test_the_help_names_every_layout():
    from course_utils.command_line.grade import Layout

    (option,) = Layout.__metadata__
    assert [word for word in NAMES if word not in option.help] == []
