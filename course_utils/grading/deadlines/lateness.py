"""What late work loses, and how one student's work keeps to its due date."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from course_utils.grading.deadlines.dates import counted, length, shown

KEPT = "deadlines.toml"
"""The file in the folder of results that keeps the due dates."""
_LATE = 'Write it as "10% per day", "10% per day, 3 days", "2 points per hour", "no late" or "no penalty"'
_SOURCES = {
    "commit": "the date of its last commit",
    "file": "the file's own time",
    "instructor": "your instructor",
}
_RULE = re.compile(
    r"(\d+(?:[.,]\d+)?) ?(%|percent|points?) ?(?:per|a|/) ?(day|hour)"
    r"(?:, ?(?:at most )?(\d{1,3}) (day|hour)s?)?"
)


@dataclass(frozen=True)
class LateRule:
    """What late work loses.

    Attributes
    ----------
    amount : float
    is_percent : bool
        Whether the amount is in percent of the lab's maximum, not in points.
    unit : str
        ``"day"`` or ``"hour"``: each that has begun counts.
    most : int or None
        After so many, work counts 0 points.

    Examples
    --------
    >>> rule = LateRule(10, most=3)
    >>> [rule.penalty(days, maximum=19) for days in (0, 1, 3, 4)]
    [0.0, 1.9, 5.7, inf]
    >>> rule.words()
    'Late work loses 10 % of the maximum points for each day begun; after 3 days it does not count.'
    """

    amount: float = 0.0
    is_percent: bool = True
    unit: str = "day"
    most: int | None = None

    def penalty(self, begun: int, maximum: float) -> float:
        """Return what is lost when so many days or hours have begun."""
        if self.most is not None and begun > self.most:
            return math.inf
        return round(begun * self.amount * (maximum / 100 if self.is_percent else 1), 2)

    def words(self) -> str:
        """Return the rule as a sentence."""
        if self.most == 0:
            return "Late work does not count."
        if not self.amount and self.most is None:
            return "Late work loses nothing."
        of = f"{self.amount:g} % of the maximum points" if self.is_percent else counted(self.amount, "point")
        end = f"; after {counted(self.most, self.unit)} it does not count" if self.most else ""
        return f"Late work loses {of} for each {self.unit} begun{end}."


def parse_rule(text: str) -> LateRule:
    """Return what ``--late`` says.

    Raises
    ------
    ValueError
        With a sentence that says what is accepted.

    Examples
    --------
    >>> parse_rule("10% per day, 3 days")
    LateRule(amount=10.0, is_percent=True, unit='day', most=3)
    >>> parse_rule("no late").words()
    'Late work does not count.'
    """
    plain = " ".join(text.casefold().split())
    if plain in ("no late", "no penalty"):
        return LateRule(most=0 if plain == "no late" else None)
    match = _RULE.fullmatch(plain)
    if match is None or (match[5] or match[3]) != match[3]:
        raise ValueError(f"{text!r} is no rule for late work. {_LATE}.")
    rule = LateRule(
        float(match[1].replace(",", ".")),
        not match[2].startswith("point"),
        match[3],
        int(match[4]) if match[4] else None,
    )
    if rule.is_percent and rule.amount > 100:
        raise ValueError(f"{text!r} takes more than everything. {_LATE}.")
    return rule


@dataclass(frozen=True)
class Deadline:
    """When a lab is due.

    Attributes
    ----------
    due : datetime
        With its zone.
    rule : LateRule
    grace : timedelta
        By how much every date is later than what is said.
    is_zone_given : bool
        Whether the zone was given, and is not just that of this machine.
    """

    due: datetime
    rule: LateRule
    grace: timedelta
    is_zone_given: bool

    def words(self) -> str:
        """Return what was decided, for the instructor."""
        parts = [f"Due {shown(self.due)}"]
        parts[0] += "" if self.is_zone_given else ", the zone of this machine, as none was given"
        parts += [f"{length(self.grace)} of grace"] if self.grace else []
        return f"{'; '.join(parts)}. {self.rule.words()}"


@dataclass(frozen=True)
class Timing:
    """When one student's lab was due and handed in.

    Attributes
    ----------
    deadline : Deadline
    due : datetime
        The student's own date: the lab's, or later with an extension.
    submitted : datetime or None
        With a zone; None if nothing says when.
    source : str
        What says so: a platform, ``"commit"``, ``"file"`` or ``"instructor"``; empty if nothing does.
    platform : str
        Where it was handed in.
    is_marked : bool
        Whether the platform marks it as late.
    """

    deadline: Deadline
    due: datetime
    submitted: datetime | None
    source: str
    platform: str = ""
    is_marked: bool = False

    @property
    def is_extended(self) -> bool:
        """Whether the student has an extension."""
        return self.due != self.deadline.due

    @property
    def late_by(self) -> timedelta:
        """How much time passed since the due date, or nothing."""
        # Python subtracts times of one zone as the clock on the wall shows them, whatever its changes.
        passed = self.submitted.astimezone(UTC) - self.due.astimezone(UTC) if self.submitted else timedelta()
        return max(passed, timedelta())

    @property
    def begun(self) -> int:
        """How many of the rule's days or hours have begun after the due date and the grace."""
        if self.submitted is None or self.late_by <= self.deadline.grace:
            return 0
        if self.deadline.rule.unit == "hour":
            return math.ceil((self.late_by - self.deadline.grace) / timedelta(hours=1))
        # A day lasts until the same time on the clock, also when clocks change.
        wall = self.submitted.astimezone(self.due.tzinfo).replace(tzinfo=None) - self.due.replace(tzinfo=None)
        return max(math.ceil((wall - self.deadline.grace) / timedelta(days=1)), 1)

    def penalty(self, maximum: float) -> float:
        """Return the points that are lost."""
        return self.deadline.rule.penalty(self.begun, maximum)

    def words(self) -> str:
        """Return when it was handed in, compared with the due date, for the student.

        Examples
        --------
        >>> due = datetime(2026, 12, 1, 23, 59, tzinfo=UTC)
        >>> deadline = Deadline(due, LateRule(10), timedelta(), is_zone_given=True)
        >>> Timing(deadline, due, due + timedelta(days=1, hours=3), "Gradescope").words()
        'Handed in 1 day 3 h late according to Gradescope'
        """
        if self.submitted is None and self.platform == "Canvas":
            return f"Canvas {'marks' if self.is_marked else 'does not mark'} it as late"
        if self.submitted is None:
            return "Nothing says when it was handed in"
        late = f"{length(self.late_by)} late" if self.late_by else "on time"
        within = ", within the grace" if self.late_by and not self.begun else ""
        return f"Handed in {late} according to {_SOURCES.get(self.source, self.source)}{within}"

    def look(self) -> tuple[str, ...]:
        """Return why a human should look at it."""
        marks = f"{self.platform} marks it as late"
        if self.submitted is None and self.is_marked:
            return (f"{marks} and does not say since when: `submitted` in {KEPT} can.",)
        if self.is_marked and not self.late_by:
            return (f"{marks}, but by its due date here it is not: {shown(self.due)}.",)
        if self.source == "file" and self.penalty(1):
            return ("It is late by the file's own time alone, which copying can change.",)
        return ()
