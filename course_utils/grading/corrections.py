"""The instructor's word: points and comments given by hand, checked as a whole, kept between runs."""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.grading.collect.roster import Roster
from course_utils.grading.spreadsheets import decoded, unsafe

KEPT = "corrections.csv"
"""The file in the folder of results that keeps them."""
COLUMNS = ("student", "exercise", "points", "comment", "lab", "max")
NOT_SAVED = "Not saved"
"""What a message begins with where cells are given, which no file and no line tells of."""
_ALSO = {
    "name": "student",
    "id": "student",
    "email": "student",
    "question": "exercise",
    "maximum": "max",
    "aufgabe": "exercise",
    "punkte": "points",
    "kommentar": "comment",
}
_POINTS = re.compile(r"-?(?:\d+(?:[.,]\d*)?|[.,]\d+)")


@dataclass(frozen=True)
class Correction:
    """What the instructor says about one exercise or open question of a student.

    Attributes
    ----------
    name : str
        Id of the exercise or question.
    points : float or None
        None where the check's points count, and for an open question that nobody has graded.
    maximum : float
    comment : str
    """

    name: str
    points: float | None
    maximum: float
    comment: str = ""


@dataclass(frozen=True)
class Corrections:
    """All of the instructor's words about a class.

    Attributes
    ----------
    rows : list
        The cells of `columns`: what the next run reads again.
    of : dict
        By student and lab, what was said about exercises and open questions, by id.
    asked : dict
        The open questions of each lab and their points, also those that only lines tell of.
    comments : dict
        By student, and lab or None for all labs.
    regrade : set of str
        The students whose kept results do not count.
    problems : list of str
        Kept lines that match nobody.
    columns : sequence of str
        `COLUMNS`, and those that the instructor added to the kept lines.
    """

    rows: list[tuple[str, ...]] = field(default_factory=list)
    of: dict[tuple[str, int], dict[str, Correction]] = field(default_factory=dict)
    asked: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    comments: dict[tuple[str, int | None], str] = field(default_factory=dict)
    regrade: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    columns: Sequence[str] = COLUMNS

    def with_points(self) -> set[tuple[str, int]]:
        """Return the students and labs that were given points."""
        return {key for key, said in self.of.items() if any(one.points is not None for one in said.values())}

    def exercises(self, student: str, lab: int | None) -> dict[str, Correction]:
        """Return what was said about a student's exercises, by id."""
        said = self.of.get((student, lab or 0), {})
        return {name: one for name, one in said.items() if name in exercises.names()}

    def questions(self, student: str, lab: int | None) -> tuple[Correction, ...]:
        """Return a student's open questions, graded or not."""
        said = self.of.get((student, lab or 0), {})
        asked = self.asked.get(lab or 0, {}).items()
        return tuple(said.get(name) or Correction(name, None, most) for name, most in asked)

    def comment(self, student: str, lab: int | None) -> str:
        """Return the comment on a student's lab, or else on the student."""
        return self.comments.get((student, lab)) or self.comments.get((student, None), "")


@dataclass(frozen=True)
class _Line:
    where: str
    cells: Mapping[str, str]
    is_kept: bool = False

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_corrections(
    given: Sequence[str | tuple[str, ...]],
    kept: Path | None,
    *,
    people: Roster,
    labs: Iterable[int],
    questions: Mapping[int, Mapping[str, float]],
    regrade: Sequence[str] = (),
) -> Corrections:
    """Read what was given by hand, now and in earlier runs; the newest line about something replaces others.

    Parameters
    ----------
    given : sequence of str or tuple of str
        Lines ``student,exercise,points,comment``, and CSV files of such lines, with other columns, too, if
        their first line names them; tuples are the cells of `COLUMNS`.
    kept : Path or None
        The file with the lines of earlier runs; it need not exist.
    people : Roster
        The class.
    labs : iterable of int
        The labs that are graded.
    questions : mapping
        The open questions of each lab and their points.
    regrade : sequence of str
        Students to grade again.

    Raises
    ------
    GradingError
        If anything given is wrong: the reason lists every mistake.
    """
    class_ = _Class(people, sorted(labs), {lab: dict(known) for lab, known in questions.items()})
    lines, problems = list[_Line](), list[str]()
    for source in [*([str(kept)] if kept and kept.exists() else []), *given]:
        found, wrong = _read(source, is_kept=source == str(kept))
        lines += found
        problems += wrong
    class_.learn_questions(lines)
    newest: dict[tuple[str, int | None, str], dict[str, str]] = {}
    strange, told = [], []
    seen: dict[tuple[str, tuple[str, int | None, str]], str] = {}
    for line in lines:
        wrong = list[str]()
        if line.is_kept and class_.is_elsewhere(line):
            strange.append(line.cells)
            continue
        if line.is_kept and not people.find(line["student"]):
            strange.append(line.cells)
            told.append(f"{line.where}: nobody in this class is called {line['student']!r}.")
            continue
        row = class_.checked(line, wrong.append)
        problems += [f"{line.where}: {text}" for text in wrong]
        if wrong:
            continue
        key = (row[0], int(row[4]) if row[4] else None, row[1])
        file = line.where.partition(", line ")[0]
        if (file, key) in seen and file != line.where:
            problems.append(f"{line.where}: {seen[file, key]} is about the same; delete one of them.")
        seen[file, key] = line.where.rpartition(", ")[2]
        before = newest.pop(key, {})
        if row[2] or row[3]:
            # The instructor's own columns stay when a new line replaces a kept one.
            others = line.cells if line.is_kept else before
            newest[key] = {**others, **dict(zip(COLUMNS, row, strict=True))}
    again = {
        student_named(people, name, lambda text: problems.append(f"--regrade: {text}")) for name in regrade
    }
    if problems:
        raise GradingError(
            f"{len(problems)} mistake{'s' * (len(problems) > 1)} in points and comments given by hand.",
            why="\n        ".join(problems),
            left="Everything: nothing was graded or changed.",
            next_step='A line is student,exercise,points,"comment"; a name with a comma needs quotes, too.',
        )
    own = (column for line in lines if line.is_kept for column in line.cells if column)
    columns = list(dict.fromkeys([*COLUMNS, *own]))
    rows = [tuple(cells.get(column, "") for column in columns) for cells in [*strange, *newest.values()]]
    result = Corrections(rows, asked=class_.questions, regrade=again, problems=told, columns=columns)
    for (student, lab, name), cells in newest.items():
        if not name:
            result.comments[student, lab] = cells["comment"]
        elif lab is not None:
            points = _number(cells["points"]) if cells["points"] else None
            word = Correction(name, points, class_.maximum(name, lab), cells["comment"])
            result.of.setdefault((student, lab), {})[name] = word
    return result


@dataclass(frozen=True)
class _Class:
    """What a line may be about."""

    people: Roster
    labs: Sequence[int]
    questions: dict[int, dict[str, float]]

    def learn_questions(self, lines: Iterable[_Line]) -> None:
        """Note the open questions that only lines with a maximum tell of."""
        for line in lines:
            lab, most = self.lab(line), _number(line["max"])
            if line["exercise"] not in ("", *exercises.names()) and lab is not None and most is not None:
                self.questions.setdefault(lab, {}).setdefault(line["exercise"], most)

    def is_elsewhere(self, line: _Line) -> bool:
        """Whether a line is about a lab that is not graded now, or a question that is not known now."""
        name = line["exercise"]
        lab = exercises.get(name).lab if name in exercises.names() else _whole(line["lab"])
        return lab is not None and (
            lab not in self.labs
            or bool(name and name not in exercises.names() and name not in self.questions.get(lab, {}))
        )

    def checked(self, line: _Line, problem: Callable[[str], None]) -> tuple[str, ...]:
        """Return a line as it is kept, and report every mistake in it."""
        student = student_named(self.people, line["student"], problem)
        name, lab, most = line["exercise"], self.lab(line), None
        if line["lab"] and _whole(line["lab"]) is None:
            problem(f"lab is {line['lab']!r}, not a number.")
        elif line["lab"] and lab not in self.labs:
            problem(f"Lab {lab} is not graded in this run.")
        elif line["max"] and _number(line["max"]) is None:
            problem(f"max is {line['max']!r}, not a number.")
        elif name:
            most = self.known(line, lab, problem)
        if most is not None and line["max"] and _number(line["max"]) != most:
            problem(f"{name!r} has {most:g} points, not {line['max']}.")
        points = _number(line["points"])
        if line["points"] and points is None:
            problem(f"points are {line['points']!r}, not a number.")
        elif points is not None and not name:
            problem("points need an exercise; without one, a line is a comment.")
        elif points is not None and points < 0:
            problem(f"points are {line['points']}, which is negative.")
        elif points is not None and most is not None and points > most:
            problem(f"points are {line['points']}, but {name} has {most:g}.")
        if line["points"].isdigit() and re.fullmatch(r"\d{1,2}", line["comment"]):
            meant = f"{line['points']}.{line['comment']}"
            problem(f"the comment is {line['comment']!r}: for {meant} points, write {meant}.")
        extra = name and name not in exercises.names()
        return (
            student,
            name,
            "" if points is None else f"{points:.12g}",
            line["comment"],
            "" if lab is None else str(lab),
            f"{most:g}" if extra and most is not None else "",
        )

    def lab(self, line: _Line) -> int | None:
        """Return the lab that a line is about; None if it does not matter or is not clear."""
        name = line["exercise"]
        if line["lab"] or not name:
            return _whole(line["lab"])
        if name in exercises.names():
            return exercises.get(name).lab
        having = [lab for lab, known in self.questions.items() if name in known] or list(self.questions)
        return having[0] if len(having) == 1 else None

    def maximum(self, name: str, lab: int) -> float:
        """Return the points that an exercise or question has."""
        return exercises.get(name).points if name in exercises.names() else self.questions[lab][name]

    def known(self, line: _Line, lab: int | None, problem: Callable[[str], None]) -> float | None:
        """Return the points of what a line is about, if there is such an exercise or question."""
        name = line["exercise"]
        mine = [one for one in exercises.names() if exercises.get(one).lab in self.labs]
        if name in mine and exercises.get(name).lab == lab:
            return self.maximum(name, lab)
        if name in exercises.names():
            own = exercises.get(name).lab
            problem(f"{name} is in Lab {own}, " + ("not graded now." if name not in mine else f"not {lab}."))
        elif lab is not None and name in self.questions.get(lab, {}):
            return self.questions[lab][name]
        else:
            asked = [one for known in self.questions.values() for one in known]
            columns = "columns lab and max" if len(self.labs) > 1 else "a column max"
            problem(
                f"there is no exercise or open question {name!r}"
                + (_near(name, [*mine, *asked]) or f"; a question outside the notebooks needs {columns}.")
            )
        return None


def student_named(people: Roster, name: str, problem: Callable[[str], None]) -> str:
    """Return the name of a student who is called by name, id or address, or report why it is nobody's."""
    found = people.find(name) if name else []
    found = found or [one for one in people.people if one.name.startswith(f"{name} (")]
    if len(found) == 1:
        return found[0].name
    if found:
        problem(f"{name!r} may be {', '.join(one.name for one in found)}: write the id.")
    elif name:
        every = [one.name for one in people.people]
        problem(f"nobody in this class is called {name!r}{_near(name, every) or '.'}")
    else:
        problem("it names no student.")
    return name


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; is it {near[0]!r}?" if near else ""


def _number(text: str) -> float | None:
    return float(text.replace(",", ".")) if _POINTS.fullmatch(text) else None


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,3}", text) else None


def _read(source: str | tuple[str, ...], *, is_kept: bool) -> tuple[list[_Line], list[str]]:
    """Return the lines of a file, or the one line that `source` is itself, and what cannot be read."""
    if isinstance(source, tuple):
        cells = [unsafe(cell).strip() for cell in source]
        return [_Line(NOT_SAVED, dict(zip(COLUMNS, cells, strict=True)))], []
    if not os.path.isfile(source) and re.search(r"[,;\t]", source):
        return _parsed(source, f"--set {source[:40]!r}")
    name = os.path.basename(source)
    try:
        content = Path(source).read_bytes()
        if content.startswith(b"PK"):
            return [], [f"{name} is a workbook: save it as CSV."]
        return _parsed(decoded(content), name, is_file=True, is_kept=is_kept)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return [], [f"{source} cannot be read: {reason}."]


def _parsed(
    text: str, name: str, *, is_file: bool = False, is_kept: bool = False
) -> tuple[list[_Line], list[str]]:
    first = next((line for line in text.splitlines() if line.strip(",;\t ")), "")
    delimiter = _delimiter(first)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True
    )
    rows, problems, before = list[tuple[str, list[str]]](), list[str](), 0
    try:
        for row in reader:
            where, before = f"{name}, line {before + 1}" if is_file else name, reader.line_num
            if any(cells := [unsafe(cell).strip() for cell in row]):
                rows.append((where, cells))
    except csv.Error as error:
        problems.append(f"{name}, line {before + 1}: its quotes do not match ({error}).")
    heads = _heads(rows[0][1]) if rows else []
    if heads and (lacking := _lacking(heads)):
        return [], [f"{rows[0][0]}: there is no column {lacking}."]
    rows = rows[bool(heads) :]
    if not rows and not problems and not is_kept:
        problems.append(f"{name} has no lines.")
    for where, cells in rows:
        if not heads and len(cells) < 3:
            problems.append(f"{where}: it ends before the points, which may be empty: {','.join(cells)},")
    return [
        _Line(where, _by_column(cells, heads, delimiter), is_kept)
        for where, cells in rows
        if heads or len(cells) > 2
    ], problems


def _by_column(cells: Sequence[str], heads: Sequence[str], delimiter: str) -> dict[str, str]:
    if not heads:  # a comment may hold commas: shells take quotes away
        return dict(zip(COLUMNS, [*cells[:3], f"{delimiter} ".join(filter(None, cells[3:]))], strict=False))
    named: dict[str, str] = {}
    for head, cell in zip(heads, cells, strict=False):
        named[head] = named.get(head) or cell
    return named


def _heads(cells: Sequence[str]) -> list[str]:
    """Return the columns that a first line names; nothing if it is no heading."""
    plain = [re.sub(r"[\W_]", "", cell.casefold()) for cell in cells]
    known = [_ALSO.get(cell, cell) for cell in plain]
    heads = [name if name in COLUMNS else cell for name, cell in zip(known, cells, strict=True)]
    return heads if "student" in heads and len({*COLUMNS} & {*heads}) > 1 else []


def _lacking(heads: Sequence[str]) -> str:
    """Return the column that is missing beside the others."""
    if "exercise" in heads:
        return "" if "points" in heads else "points"
    return "exercise" if "points" in heads else "" if "comment" in heads else "comment"


def _delimiter(first: str) -> str:
    """Return what separates cells: the first that gives a heading, or points in the third cell."""
    for delimiter in ",;\t":
        row = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        if _heads(row) or (len(row) > 2 and (not row[2].strip() or _POINTS.fullmatch(row[2].strip()))):
            return delimiter
    return max(",;\t", key=first.count)
