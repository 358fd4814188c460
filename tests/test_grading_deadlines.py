"""Due dates: when work was due and handed in, what lateness costs, and that nothing runs again for it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from grading_workers import by_words, threads
from submissions import REPOSITORY, submission, write

from course_utils.command_line import main
from course_utils.errors import GradingError
from course_utils.grading import deadlines
from course_utils.grading.collect import collect
from course_utils.grading.collect.roster import Roster
from course_utils.grading.deadlines import Deadline, Deadlines, GivenDates, LateRule, Timing, read_deadlines
from course_utils.grading.deadlines.dates import length, parse_length, parse_time
from course_utils.grading.deadlines.lateness import parse_rule
from course_utils.grading.grade_class import grade_class
from course_utils.grading.grades import GradedClass
from course_utils.grading.records import Submission
from course_utils.grading.report import write_report

BERLIN = ZoneInfo("Europe/Berlin")
DUE = "2026-12-01 23:59 Europe/Berlin"
CLASS = Roster(()).of_students([("Ann Lee", "17"), ("Müller, Zoë", "18"), ("Sam (1)", "1"), ("Sam (2)", "2")])


def timing(
    late: timedelta, rule: str = "10% per day, 3 days", *, due: datetime | None = None, grace: str = "0"
):
    due = due or parse_time(DUE)
    submitted = (due.astimezone(UTC) + late).astimezone(due.tzinfo)
    return Timing(Deadline(due, parse_rule(rule), parse_length(grace), True), due, submitted, "Moodle")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DUE, "2026-12-01T23:59:00+01:00"),
        ("2026-7-1 23:59:30  Europe/Berlin", "2026-07-01T23:59:30+02:00"),
        ("2026-12-31 24:00 UTC", "2027-01-01T00:00:00+00:00"),
        ("2026-12-01T23:59:00+0100", "2026-12-01T23:59:00+01:00"),
        ("2026-12-01 23:59 UTC-5", "2026-12-01T23:59:00-05:00"),
        ("2026-10-25 02:30 +02:00", "2026-10-25T02:30:00+02:00"),
    ],
)
def test_a_date_is_read_with_its_zone(text, expected):
    assert parse_time(text).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2026-12-01", "not a date with a time. Write it as 2026-12-01 23:59 Europe/Berlin"),
        ("1.12.2026 23:59", "not a date with a time"),
        ("tomorrow", "not a date with a time"),
        ("", "not a date with a time"),
        ("2026-02-30 10:00", "no such day or time"),
        ("2026-12-01 24:01", "no such day or time"),
        ("2026-12-01 23:60", "no such day or time"),
        ("0000-12-01 23:59", "no such day or time"),
        ("9999-12-31 24:00", "not in this century"),
        ("2026-12-01 11:59 PM", "no time zone 'PM'. Write it as"),
        ("2026-12-01 23:59 CEST", "no time zone 'CEST'. Write it as"),
        ("2026-12-01 23:59 berlin", "is it Europe/Berlin?"),
        ("2026-12-01 23:59 Europe", "no time zone 'Europe'"),
        ("2026-12-01 23:59 ../etc/passwd", "no time zone"),
        ("2026-12-01 23:59 +25:00", "no time zone"),
        ("2026-03-29 02:30 Europe/Berlin", "clocks skip that time"),
        ("2026-10-25 02:30 Europe/Berlin", "twice in Europe/Berlin; write +0200 or +0100"),
    ],
)
def test_what_is_no_date_is_told_with_what_is_accepted(text, complaint):
    with pytest.raises(ValueError, match=r".") as refused:
        parse_time(text)
    assert complaint in str(refused.value)


def test_a_system_without_zones_says_what_to_install(monkeypatch):
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([])
    for name in [name for name in sys.modules if name.startswith("tzdata")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    ZoneInfo.clear_cache()
    try:
        with pytest.raises(ValueError, match=r"pip install tzdata, or write the offset"):
            parse_time("2026-12-01 23:59 Asia/Singapore")
        assert parse_time("2026-12-01 23:59 +08:00").utcoffset() == timedelta(hours=8)
    finally:
        zoneinfo.reset_tzpath(before)
        ZoneInfo.clear_cache()


def test_a_date_without_a_zone_is_in_this_machines_and_that_is_said(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Singapore")
    found = read_deadlines(GivenDates(due="2026-12-01 23:59"), None, people=CLASS, labs=[1])
    assert found.of[1].due.isoformat() == "2026-12-01T23:59:00+08:00"
    assert (
        "2026-12-01 23:59 Asia/Singapore, the zone of this machine, as none was given" in found.of[1].words()
    )
    given = read_deadlines(GivenDates(due=DUE), None, people=CLASS, labs=[1])
    assert "machine" not in given.of[1].words()


@pytest.mark.parametrize(
    ("late", "rule", "grace", "expected"),
    [
        (timedelta(0), "10% per day", "0", 0),
        (timedelta(seconds=1), "10% per day", "0", 2),
        (timedelta(days=1), "10% per day", "0", 2),
        (timedelta(days=1, seconds=1), "10% per day", "0", 4),
        (timedelta(days=3), "10% per day, 3 days", "0", 6),
        (timedelta(days=3, seconds=1), "10% per day, 3 days", "0", float("inf")),
        (timedelta(minutes=15), "no late", "15m", 0),
        (timedelta(minutes=16), "no late", "15m", float("inf")),
        (timedelta(minutes=16), "10% per day", "15m", 2),
        (timedelta(days=1, minutes=15), "10% per day", "15m", 2),  # each day ends as much later
        (timedelta(days=9), "no penalty", "0", 0),
        (timedelta(minutes=61), "1.5 points per hour, 12 hours", "0", 3),
        (timedelta(days=-9), "10% per day", "0", 0),
    ],
)
def test_each_day_that_has_begun_costs_a_share_of_the_maximum(late, rule, grace, expected):
    assert timing(late, rule, grace=grace).penalty(20) == expected


def test_a_day_lasts_until_the_same_time_on_the_clock_when_clocks_change():
    saturday = datetime(2026, 10, 24, 23, 59, tzinfo=BERLIN)  # the night has 25 hours
    assert timing(timedelta(hours=25), "10% per day", due=saturday).begun == 1
    assert timing(timedelta(hours=25, seconds=1), "10% per day", due=saturday).begun == 2
    assert length(timing(timedelta(hours=25), due=saturday).late_by) == "1 day 1 h"
    spring = datetime(2026, 3, 28, 23, 59, tzinfo=BERLIN)  # and this one 23
    assert timing(timedelta(hours=23), "10% per day", due=spring).begun == 1
    assert timing(timedelta(hours=23, seconds=1), "10% per day", due=spring).begun == 2


@pytest.mark.parametrize(
    "text", ["10", "10% per week", "200% per day", "10% per day, 3 hours", "-5 points per day", ""]
)
def test_a_rule_that_is_none_is_told_with_those_that_are(text):
    with pytest.raises(ValueError, match=r"Write it as .10% per day., .10% per day, 3 days."):
        parse_rule(text)


def read(
    text: str = "", tmp_path: Path | None = None, *, kept: bool = True, labs=(1, 2, 3, 4), **given
) -> Deadlines:
    file = None
    if tmp_path:
        file = tmp_path / "deadlines.toml"
        file.write_text(text, encoding="utf-8")
    given = GivenDates(**given) if kept else GivenDates(file=file, **given)
    return read_deadlines(given, file if kept else None, people=CLASS, labs=labs)


FILE = """# by hand
late = "10% per day, 3 days"
[due]
1 = "2026-12-01 23:59 Europe/Berlin"
2 = 2026-12-08T23:59:00+01:00
[extensions]
17 = "2 days"
"Zoë Müller" = { 1 = "2026-12-24 12:00" }
[submitted]
"Sam (1)" = "2026-12-02 08:00"
"""


def test_dates_rules_and_extensions_are_read_from_a_file(tmp_path):
    found = read(FILE, tmp_path)
    assert {lab: one.due.isoformat() for lab, one in found.of.items()} == {
        1: "2026-12-01T23:59:00+01:00",
        2: "2026-12-08T23:59:00+01:00",
    }
    assert found.extensions["Ann Lee", 1].isoformat() == "2026-12-03T23:59:00+01:00"
    assert found.extensions["Ann Lee", 2].isoformat() == "2026-12-10T23:59:00+01:00"
    assert found.extensions["Müller, Zoë", 1].isoformat() == "2026-12-24T12:00:00+01:00"
    assert ("Müller, Zoë", 2) not in found.extensions
    assert found.of[1].rule == LateRule(10, most=3) == found.of[2].rule
    sam = found.timing(
        Submission("Sam (1)", lab=1, path="x", submitted=datetime(2026, 11, 1), time_source="file")
    )
    assert sam and (length(sam.late_by), sam.source) == ("8 h 1 min", "instructor")
    assert found.text == "" and found.timing(Submission("Ann Lee", lab=3, path="x")) is None


def test_an_extension_never_makes_a_date_earlier(tmp_path):
    found = read(FILE.replace('"2 days"', '"2026-12-05 12:00"'), tmp_path)
    assert found.extensions["Ann Lee", 1].day == 5
    assert found.extensions["Ann Lee", 2] == found.of[2].due


def test_the_command_line_changes_what_is_kept_for_the_labs_that_are_graded(tmp_path):
    found = read(FILE, tmp_path, labs=[2], due="2026-12-09 12:00 UTC", late="no late", grace="15m")
    settings = tomllib.loads(found.text)
    assert settings["due"] == {"1": DUE, "2": "2026-12-09 12:00 UTC"}
    assert settings["late"] == {
        "1": "10% per day, 3 days",
        "2": "no late",
        "3": "10% per day, 3 days",
        "4": "10% per day, 3 days",
    }
    assert settings["extensions"] == tomllib.loads(FILE)["extensions"]
    again = read(found.text, tmp_path, labs=[2], due="2026-12-09 12:00 UTC")
    assert again.text == "" and again.of == found.of  # the file stays as it was edited


MISTAKES = """late = "much"
dew = 1
[due]
1 = "2026-02-30 10:00"
9 = "2026-12-01 23:59 UTC"
two = "2026-12-01 23:59 UTC"
2 = "2026-12-01 23:59 UTC"
[extensions]
Sam = "1 day"
17 = "1 day"
"Ann Lee" = "2 days"
18 = "soon"
"""


def test_every_mistake_is_listed_at_once(tmp_path):
    with pytest.raises(GradingError, match="mistakes in the due dates") as refused:
        read(MISTAKES, tmp_path, kept=False)
    said = [line.strip() for line in refused.value.why.splitlines()]
    for start in (
        "There is no setting 'dew'; is it 'due'?",
        "due: '2026-02-30 10:00': there is no such day",
        "due: there is no lab '9'",
        "due: there is no lab 'two'",
        "late: 'much' is no rule",
        "deadlines.toml, extensions: 'Sam' may be Sam (1), Sam (2): write the id.",
        "extensions: Ann Lee is named twice.",
        "extensions, 18: 'soon' is not a date",
    ):
        assert [line for line in said if line.startswith(start)], start
    assert len(said) == 8
    for text in ("due = ", 'late = "no late"', 'due = "2026-12-01 23:59"\nextensions = 3'):
        with pytest.raises(GradingError, match="1 mistake in"):
            read(text, tmp_path)


def test_a_stranger_is_a_mistake_now_and_a_remark_later(tmp_path):
    text = FILE + '"Eve" = "2026-12-02 08:00"\n'
    assert read(text, tmp_path).problems == [
        "deadlines.toml, submitted: nobody in this class is called 'Eve'."
    ]
    with pytest.raises(GradingError, match="nobody in this class"):
        read(text, tmp_path, kept=False)


def at(text: str, source: str = "Moodle", **more) -> tuple[str, tuple[str, ...]]:
    found = read_deadlines(GivenDates(due=DUE, late="10% per day"), None, people=CLASS, labs=[1])
    one = Submission(
        "Ann Lee", lab=1, path="x", submitted=datetime.fromisoformat(text), time_source=source, **more
    )
    known = found.timing(one)
    assert known is not None
    return known.words(), known.look()


def test_times_without_a_zone_are_in_the_due_dates_and_others_in_their_own():
    assert at("2026-12-02 00:00")[0] == "Handed in 1 min late according to Moodle"
    assert at("2026-12-01 23:00+00:00")[0] == "Handed in 1 min late according to Moodle"
    assert at("2026-12-01 22:59+00:00")[0] == "Handed in on time according to Moodle"


def test_what_the_platform_says_and_what_nobody_knows_is_for_a_human():
    assert (
        "Blackboard marks it as late, but by its due date"
        in at("2026-12-01 20:00", "Blackboard", platform="Blackboard", late=True)[1][0]
    )
    words, look = at("2026-12-24 20:00", "file", platform="Canvas", late=True)
    assert words == "Canvas marks it as late" and "does not say since when" in look[0]
    assert at("2026-12-24 20:00", "file", platform="Canvas") == ("Canvas does not mark it as late", ())
    words, look = at("2026-12-02 20:00", "file")
    assert "according to the file's own time" in words and "copying can change" in look[0]


needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


def repository(folder: Path, *commits: tuple[str, str]) -> None:
    """Commit files at given times, and then set everything that could run a program."""
    git = [
        "git",
        "-C",
        str(folder),
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@x",
        "-c",
        "init.defaultBranch=main",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull}
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*git, "init", "-q"], check=True, env=environment)
    for name, time in commits:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        environment |= {"GIT_COMMITTER_DATE": time, "GIT_AUTHOR_DATE": time}
        subprocess.run([*git, "add", "."], check=True, env=environment)
        subprocess.run([*git, "commit", "-qm", name], check=True, env=environment)
    subprocess.run([*git, "pack-refs", "--all"], check=True, env=environment)


@needs_git
def test_a_commit_says_when_and_runs_nothing_that_its_repository_sets(tmp_path):
    student, trace = tmp_path / "in" / "lab-01-jdoe", tmp_path / "trace"
    write(submission({"zero_pad": "# RIGHT"}), student / "labs" / "x.ipynb")
    repository(
        student, ("labs/x.ipynb", "2026-12-02T01:00:00+00:00"), ("later.txt", "2026-12-09T01:00:00+00:00")
    )
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trace}\n")
    program.chmod(0o755)
    with (student / ".git" / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {program}\n\tpager = {program}\n\tsshCommand = {program}\n"
            f"[log]\n\tshowSignature = true\n[gpg]\n\tprogram = {program}\n[diff]\n\texternal = {program}\n"
            f"[include]\n\tpath = {program}\n[alias]\n\tlog = !{program}\n"
        )
    (one,) = collect(tmp_path / "in").submissions
    assert (one.time_source, one.submitted) == ("commit", datetime(2026, 12, 2, 1, tzinfo=UTC))
    assert not trace.exists()


def test_a_file_that_is_too_large_is_not_read_in_part(tmp_path):
    file = tmp_path / "deadlines.toml"
    file.write_text('due = "2026-12-01 23:59 UTC"\n' + "# \n" * 400_000 + '[extensions]\n"Ann" = "2 days"\n')
    with pytest.raises(GradingError) as caught:
        read_deadlines(GivenDates(file=file), None, people=Roster(()), labs=[1])
    assert "larger than 1 MB" in caught.value.why


@pytest.mark.parametrize("option", ["--due", "--late", "--grace"])
def test_an_empty_value_is_no_value(option, tmp_path, capsys):
    assert main(["grade", str(tmp_path), "-o", str(tmp_path / "out"), option, " "]) == 2
    assert "it is empty" in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_that_is_nested_too_deep_is_a_mistake_in_a_sentence(tmp_path):
    file = tmp_path / "deadlines.toml"
    file.write_text("[" + ".".join("a" * 20_000) + "]\nb = 1\n")
    with pytest.raises(GradingError) as caught:
        read_deadlines(GivenDates(file=file), None, people=Roster(()), labs=[1])
    assert "nested too deep" in caught.value.why


@needs_git
def test_what_was_changed_after_the_commit_has_the_files_time(tmp_path):
    student = tmp_path / "in" / "lab-01-jdoe"
    write(submission({}), student / "labs" / "x.ipynb")
    repository(student, ("labs/x.ipynb", "2026-12-02T01:00:00+00:00"))
    write(submission({"zero_pad": "# RIGHT"}), student / "labs" / "x.ipynb")
    (one,) = collect(tmp_path / "in").submissions
    assert one.time_source == "file"


@pytest.mark.slow
@needs_git
@pytest.mark.parametrize("harm", ["link", "pipe", "outside", "nothing", "own"])
def test_a_repository_that_cannot_be_read_leaves_the_files_time(harm, tmp_path):
    student = tmp_path / "in" / "ann"
    write(submission(), student / "x.ipynb")
    if harm == "own":  # the instructor's repository around all submissions says nothing about one
        repository(tmp_path / "in", ("ann/x.ipynb", "2026-12-02T01:00:00+00:00"))
    elif harm == "link":
        repository(tmp_path / "elsewhere", ("x.ipynb", "2026-12-02T01:00:00+00:00"))
        (student / ".git").symlink_to(tmp_path / "elsewhere" / ".git")
    else:
        repository(student, ("x.ipynb", "2026-12-02T01:00:00+00:00"))
        head = student / ".git" / "HEAD"
        head.unlink()
        if harm == "pipe":
            os.mkfifo(head)
        else:
            head.write_text("ref: refs/heads/../../../../../HEAD\n" if harm == "outside" else "0" * 40)
    os.utime(student / "x.ipynb", (1_600_000_000, 1_600_000_000))
    (one,) = collect(tmp_path / "in").submissions
    assert (one.time_source, one.submitted) == ("file", datetime.fromtimestamp(1_600_000_000, UTC))


@pytest.fixture
def grades(tmp_path) -> Callable[..., GradedClass]:
    """Grades three students who handed in at noon of three days in the due date's zone."""
    for day, name in enumerate(("Ann Lee_17", "Bo Tan_18", "Cy Roe_19"), 1):
        write(
            submission({"zero_pad": "# RIGHT", "conv2d": "# RIGHT"}),
            tmp_path / "in" / f"{name}_assignsubmission_file_" / "x.ipynb",
        )
        noon = datetime(2026, 12, day, 12, tzinfo=BERLIN).timestamp()
        os.utime(tmp_path / "in" / f"{name}_assignsubmission_file_" / "x.ipynb", (noon, noon))

    def make(**given) -> GradedClass:
        graded = grade_class(
            tmp_path / "in",
            tmp_path / "out",
            root=REPOSITORY,
            workers=threads(),
            grade=by_words,
            dates=GivenDates(**given),
        )
        write_report(graded, tmp_path / "out", {1: "Lab 01"})
        return graded

    return make


def table(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "out" / "grades.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_penalties_stand_beside_the_points_and_an_extension_moves_one_of_them_alone(grades, tmp_path):
    assert grades().graded == 3
    before = table(tmp_path)
    assert {(row["Penalty"], row["Total"] == row["Points"]) for row in before} == {("0", True)}
    graded = grades(due="2026-12-01 18:00 Europe/Berlin", late="0.5 points per day, 1 day", grace="15m")
    assert graded.graded == 0
    rows = table(tmp_path)
    points = float(rows[0]["Points"])
    assert [(row["Late by"], row["Penalty"], row["Total"]) for row in rows] == [
        ("", "0", f"{points:g}"),
        ("18 h", "0.5", f"{points - 0.5:g}"),
        ("1 day 18 h", f"{points:g}", "0"),
    ]
    assert [row["Points"] for row in rows] == [row["Points"] for row in before]
    assert (rows[1]["Submitted"], rows[1]["Time from"]) == ("2026-12-02 12:00:00+01:00", "file")
    worksheet = (tmp_path / "out" / "moodle-lab-01.csv").read_text().splitlines()
    assert [line.split(",")[2] for line in worksheet[1:]] == [row["Total"] for row in rows]
    kept = tmp_path / "out" / deadlines.KEPT
    kept.write_text(kept.read_text() + '[extensions]\n"Roe, Cy" = "2026-12-03 18:00"\n')
    page = next((tmp_path / "out" / "students").glob("Bo*")).read_bytes()
    graded = grades()
    assert (graded.graded, graded.kept) == (0, 3)
    again = table(tmp_path)
    assert again[:2] == rows[:2] and next((tmp_path / "out" / "students").glob("Bo*")).read_bytes() == page
    assert (again[2]["Late by"], again[2]["Penalty"], again[2]["Total"]) == ("", "0", f"{points:g}")
    cy = next((tmp_path / "out" / "students").glob("Cy*")).read_text(encoding="utf-8")
    assert "with your extension" in cy and "Handed in on time according to the file&#39;s own time." in cy
    assert "Handed in 18 h late according to the file&#39;s own time: −0.5 points." in page.decode()
    assert json.loads((tmp_path / "out" / "grades.json").read_text())["grades"][1]["penalty"] == 0.5


@pytest.mark.slow
def test_nothing_is_changed_where_a_date_is_wrong(grades, tmp_path):
    grades(due=DUE)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(GradingError, match="due dates"):
        grades(due="2026-12-01 25:00")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
