"""Due dates: when each student's work was due and handed in, and what it loses if that was late."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.files import open_regular
from course_utils.grading.collect.roster import Roster
from course_utils.grading.corrections import student_named
from course_utils.grading.deadlines.dates import ACCEPTED, later, names_zone, parse_length, parse_time
from course_utils.grading.deadlines.lateness import KEPT, Deadline, LateRule, Timing, parse_rule
from course_utils.grading.records import Submission

__all__ = ["KEPT", "Deadline", "Deadlines", "GivenDates", "LateRule", "Timing", "read_deadlines"]

_SETTINGS = ("due", "late", "grace", "extensions", "submitted")
_LARGEST = 2**20
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class GivenDates:
    """What the command line says about due dates.

    Attributes
    ----------
    due, late, grace : str
        For the labs that are graded now; where empty, what was kept holds.
    file : Path or None
        Takes the place of all that was kept.
    """

    due: str = ""
    late: str = ""
    grace: str = ""
    file: Path | None = None


@dataclass(frozen=True)
class Deadlines:
    """The due dates of a class.

    Attributes
    ----------
    of : dict
        By lab.
    extensions, submitted : dict
        By student and lab: a later due date, and when it was handed in by the instructor's account.
    text : str
        What to keep for later runs; empty if that has not changed.
    problems : list of str
        Kept lines that match nobody.
    """

    of: dict[int, Deadline] = field(default_factory=dict)
    extensions: dict[tuple[str, int], datetime] = field(default_factory=dict)
    submitted: dict[tuple[str, int], datetime] = field(default_factory=dict)
    text: str = ""
    problems: list[str] = field(default_factory=list)

    def timing(self, submission: Submission) -> Timing | None:
        """Return how a submission keeps to its due date; None if there is no date, or nothing handed in."""
        key = submission.student, submission.lab or 0
        deadline = self.of.get(key[1])
        if deadline is None or not (submission.path or key in self.submitted):
            return None
        time, source = submission.submitted, submission.time_source
        if submission.platform == "Canvas":  # its files have the time of the download
            time, source = None, ""
        if key in self.submitted:
            time, source = self.submitted[key], "instructor"
        if time is not None:
            zone = deadline.due.tzinfo
            time = (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(zone)
        due = self.extensions.get(key, deadline.due)
        return Timing(deadline, due, time, source, submission.platform, submission.late)


def read_deadlines(given: GivenDates, kept: Path | None, *, people: Roster, labs: Iterable[int]) -> Deadlines:
    """Read due dates: those given now, and for the rest those of earlier runs.

    Parameters
    ----------
    given : GivenDates
    kept : Path or None
        The file with the dates of earlier runs; it need not exist.
    people : Roster
        The class.
    labs : iterable of int
        The labs that are graded now.

    Raises
    ------
    GradingError
        If anything is wrong: the reason lists every mistake.
    """
    mistakes = list[str]()
    source = given.file or kept
    text = _text(source, mistakes) if source and (given.file or source.exists()) else ""
    name = source.name if source else KEPT
    settings = _parsed(text, name, mistakes)
    before = json.dumps(settings, default=str)
    for key in ("due", "late", "grace"):
        if value := getattr(given, key):
            _set(settings, key, value, sorted(labs))
    if json.dumps(settings, default=str) != before:
        text = _as_toml(settings)
    elif not given.file:
        text = ""
    found = _deadlines(settings, _SettingsReader(people, name, bool(given.file), mistakes), mistakes)
    if mistakes:
        raise GradingError(
            f"{len(mistakes)} mistake{'s' * (len(mistakes) > 1)} in the due dates.",
            why="\n        ".join(mistakes),
            left="Everything: nothing was graded or changed.",
            next_step=f'{ACCEPTED}; --late "10% per day, 3 days"; --grace 15m.',
        )
    return replace(found, text=text)


class _SettingsReader:
    """Reads settings, and notes every mistake."""

    def __init__(self, people: Roster, name: str, is_given: bool, mistakes: list[str]) -> None:
        self._people, self._name, self._is_given, self._mistakes = people, name, is_given, mistakes
        self.strangers = list[str]()

    def by_lab(self, key: str, value: Any, parse: Callable[[int, str], _Value]) -> dict[int, _Value]:
        """Return a value for each lab: a table has a line for each, anything else holds for all labs."""
        found = dict[int, _Value]()
        for lab, text in value.items() if isinstance(value, Mapping) else [(lab, value) for lab in _labs()]:
            try:
                if str(lab) not in map(str, _labs()):
                    raise ValueError(f"there is no lab {lab!r}; write 1, 2, ….")
                found[int(lab)] = parse(int(lab), str(text))
            except ValueError as error:
                self._note(f"{key}: {error}")
        return found

    def by_student(
        self, key: str, value: Any, parse: Callable[[int, str], datetime]
    ) -> dict[tuple[str, int], datetime]:
        """Return a time for each student and lab."""
        if not isinstance(value, Mapping):
            self._mistakes.append(f'{key} is not a table. Write [{key}] and below it "Jane Doe" = "…".')
            return {}
        found = dict[tuple[str, int], datetime]()
        for name, said in value.items():
            wrong = list[str]()
            student = student_named(self._people, name, wrong.append)
            if wrong:
                is_unknown = not self._people.find(name) and not self._is_given
                told = self.strangers if is_unknown else self._mistakes
                told += [f"{self._name}, {key}: {text}" for text in wrong]
                continue
            for lab, time in self.by_lab(f"{key}, {name}", said, parse).items():
                if (student, lab) in found:
                    self._note(f"{key}: {student} is named twice.")
                found[student, lab] = time
        return found

    def _note(self, mistake: str) -> None:
        # What holds for all labs is wrong for each of them.
        if mistake not in self._mistakes:
            self._mistakes.append(mistake)


def _deadlines(settings: Mapping[str, Any], reader: _SettingsReader, mistakes: list[str]) -> Deadlines:
    for key in settings:
        if key not in _SETTINGS:
            near = difflib.get_close_matches(key, _SETTINGS, n=1)
            hint = f"is it {near[0]!r}?" if near else f"there are {', '.join(_SETTINGS)}."
            mistakes.append(f"There is no setting {key!r}; {hint}")
    due = reader.by_lab("due", settings.get("due", {}), lambda lab, text: (parse_time(text), text))
    rules = reader.by_lab("late", settings.get("late", {}), lambda lab, text: parse_rule(text))
    graces = reader.by_lab("grace", settings.get("grace", {}), lambda lab, text: parse_length(text))
    if settings and not settings.get("due"):
        mistakes.append(f"There is no due date; {', '.join(settings)} needs one.")
    of = {
        lab: Deadline(time, rules.get(lab, LateRule()), graces.get(lab, timedelta()), names_zone(text))
        for lab, (time, text) in due.items()
    }

    def extended(lab: int, text: str) -> datetime:
        # An extension for all labs is none for those that are due later.
        return max(of[lab].due, later(text, of[lab].due)) if lab in of else datetime.max

    def handed_in(lab: int, text: str) -> datetime:
        return parse_time(text, of[lab].due.tzinfo if lab in of else UTC)

    return Deadlines(
        of,
        reader.by_student("extensions", settings.get("extensions", {}), extended),
        reader.by_student("submitted", settings.get("submitted", {}), handed_in),
        problems=reader.strangers,
    )


def _labs() -> list[int]:
    return sorted({exercises.get(name).lab for name in exercises.names()})


def _parsed(text: str, name: str, mistakes: list[str]) -> dict[str, Any]:
    try:
        settings = tomllib.loads(text)
        json.dumps(settings, default=str)
        return settings
    except RecursionError:
        mistakes.append(f"{name} cannot be read: it is nested too deep.")
    except ValueError as error:
        mistakes.append(f"{name} cannot be read: {error}.")
    return {}


def _text(source: Path, mistakes: list[str]) -> str:
    try:
        with open_regular(source) as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError("it is larger than 1 MB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        mistakes.append(f"{source} cannot be read: save it as UTF-8.")
        return ""
    except (OSError, ValueError) as error:
        mistakes.append(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}.")
        return ""


def _set(settings: dict[str, Any], key: str, value: str, labs: Sequence[int]) -> None:
    """Change a setting for the labs that are graded now."""
    if labs == _labs():
        settings[key] = value
        return
    before = settings.get(key, {})
    table = before if isinstance(before, Mapping) else dict.fromkeys(map(str, _labs()), before)
    settings[key] = {**table, **dict.fromkeys(map(str, labs), value)}


def _as_toml(settings: Mapping[str, Any]) -> str:
    """Return settings as TOML: values first, then tables."""

    def quoted(value: Any) -> str:
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")

    def value_of(value: Any) -> str:
        if not isinstance(value, Mapping):
            return quoted(value)
        return f"{{ {', '.join(f'{quoted(key)} = {quoted(one)}' for key, one in value.items())} }}"

    lines = ["# Due dates. Edit this file as you like: each run of `course grade` reads it again."]
    lines += [f"{key} = {quoted(one)}" for key, one in settings.items() if not isinstance(one, Mapping)]
    for key, table in settings.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{key}]", *(f"{quoted(one)} = {value_of(said)}" for one, said in table.items())]
    return "\n".join(lines) + "\n"
