"""Tables about a class: the roster, who is in it, and the mapping, whose a file is."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import GradingError
from course_utils.grading.spreadsheets import decoded

_COLUMNS = {
    "id": "id studentid sid idnumber sisuserid sisid matriculationnumber matriculation "
    "matrikelnummer matrnr studentnumber number",
    "login": "username login loginid sisloginid user userid githubusername",
    "name": "name fullname student studentname displayname",
    "surname": "surname lastname familyname nachname",
    "first": "firstname givenname forename vorname first",
    "email": "email mail emailaddress emailadresse",
    "file": "file path files folder datei",
}
"""What a column is, by the names that platforms give it: without spaces, hyphens and capitals."""


@dataclass(frozen=True)
class Person:
    """Somebody in the roster.

    Attributes
    ----------
    name : str
        Unique: followed by the id where two people share a name.
    id : str
    names : frozenset of str
        The names, written in every usual way.
    keys : frozenset of str
        What else identifies the person: id, address and login.
    email : str
        Or an empty string.
    """

    name: str
    id: str
    names: frozenset[str]
    keys: frozenset[str]
    email: str = ""


@dataclass(frozen=True)
class Roster:
    """The people of a class.

    Examples
    --------
    >>> from pathlib import Path; from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "class.csv"
    ...     _ = file.write_text("ID;Surname;First name\\n17;Müller;Anna\\n", encoding="latin-1")
    ...     roster = read_roster(file)
    >>> [one.id for name in ("Müller, Anna", "mulleranna", "17") for one in roster.find(name)]
    ['17', '17', '17']
    >>> roster.find("Anna")
    []
    """

    people: tuple[Person, ...]

    def find(self, name: str, number: str = "") -> list[Person]:
        """Return whom a name, an id, an address or a login means: several people if it is not clear.

        A name as this class shows it, "Kim Min (14)", is nobody else's.
        A number decides between people of one name. Alone it counts only if no name fits, and only as an
        address: a platform's own number may be another student's id.
        """
        if shown := [one for one in self.people if one.name == name]:
            return shown
        wanted, spelling = _folded(name), _key(name)
        found = [one for one in self.people if wanted in one.keys or spelling in one.names]
        if len(found) > 1:
            return [one for one in found if _folded(number) in one.keys] or found
        return found or [one for one in self.people if "@" in number and _folded(number) in one.keys]

    def of_students(self, students: Iterable[tuple[str, str]]) -> Roster:
        """Return the roster of these names and numbers, with what this one knows of them.

        Examples
        --------
        >>> [one.name for one in Roster(()).of_students([("Ada Lovelace", "17")]).find("Lovelace, Ada")]
        ['Ada Lovelace']
        """
        known = {person.name: person for person in self.people}
        return Roster(
            tuple(
                known.get(name)
                or Person(name, number, frozenset(_spellings(name)), frozenset({_folded(number)} - {""}))
                for name, number in dict(students).items()
            )
        )


def read_roster(file: Path) -> Roster:
    """Read a CSV file with the columns id, name (or surname and first name) and e-mail, in any order.

    Raises
    ------
    GradingError
        If it cannot be read or names nobody.
    """
    people = []
    rows = [(_full_name(row), row) for row in _rows(file)]
    names = Counter(name for name, _ in rows)
    for name, row in rows:
        email, number = _cell(row, "email"), _cell(row, "id")
        keys = {cell for kind, cell in row if kind in ("id", "login", "email")} | {email.partition("@")[0]}
        shown = name or email or number
        if not shown or shown == "Points Possible":  # the second line of Canvas's gradebook
            continue
        if name and names[name] > 1:
            shown = f"{name} ({number or email})"
        known = frozenset(_folded(key) for key in keys if key)
        people.append(Person(shown, number, frozenset(_spellings(name)), known, email))
    if not people:
        raise GradingError(
            f"{file} names nobody.", next_step="Its first line must be, for example: id,name,e-mail"
        )
    return Roster(tuple(people))


def read_mapping(file: Path) -> dict[tuple[str, ...], str]:
    """Read a CSV file with the columns file and student: whose a file, or all in a folder, is.

    A file without a student is left out.

    Raises
    ------
    GradingError
        If it cannot be read, lacks a column, or gives a file twice.
    """
    given: dict[tuple[str, ...], str] = {}
    for row in _rows(file, "file", "name"):
        path, student = _cell(row, "file"), _cell(row, "name")
        parts = tuple(part for part in path.replace("\\", "/").split("/") if part)
        if given.setdefault(parts, student) != student:
            raise GradingError(f"{file} gives {path} to two students.", next_step="Delete one of the lines.")
    return {parts: name for parts, name in given.items() if parts}


def mapped(parts: Sequence[str], mapping: Mapping[tuple[str, ...], str]) -> str | None:
    """Return the student that a mapping gives a file to, or None; the longest path counts."""
    for length in range(len(parts), 0, -1):
        if (head := tuple(parts[:length])) in mapping:
            return mapping[head]
        # Archives are shown without their ending.
        if (archive := (*head[:-1], f"{head[-1]}.zip")) in mapping:
            return mapping[archive]
    return None


def _rows(file: Path, *needed: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the cells of each line, each with what its column is."""
    try:
        lines = decoded(file.read_bytes()).splitlines()
        head = lines[0] if lines else ""
        heads, *rows = list(csv.reader(lines, delimiter=max(",;\t", key=head.count))) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GradingError(
            f"{file} cannot be read.", why=str(error), next_step='Save it as "CSV UTF-8".'
        ) from error
    kinds = [_kind(name) for name in heads]
    if "first" in kinds and "surname" not in kinds:
        kinds = ["surname" if kind == "name" else kind for kind in kinds]
    example = "file,student" if needed else "id,name,e-mail"
    if not set(kinds) - {""} or not set(needed) <= set(kinds):
        raise GradingError(
            f"{file} lacks columns.",
            why=f"Its first line is: {head[:80]}",
            next_step=f"The first line must be, for example: {example}",
        )
    for row in rows:
        yield [(kind, " ".join(cell.split())) for kind, cell in zip(kinds, row, strict=False) if kind]


def _cell(row: Sequence[tuple[str, str]], wanted: str) -> str:
    return next((cell for kind, cell in row if kind == wanted and cell), "")


def _kind(head: str) -> str:
    plain = re.sub(r"[\W_]", "", head.casefold())
    return next((kind for kind, names in _COLUMNS.items() if plain in names.split()), "")


def _full_name(row: Sequence[tuple[str, str]]) -> str:
    surname, comma, first = _cell(row, "name").partition(",")
    if surname:
        return f"{first.strip()} {surname}" if comma else surname
    return f"{_cell(row, 'first')} {_cell(row, 'surname')}".strip()


def _spellings(name: str) -> Iterator[str]:
    """Yield a name as one word, beginning at each of its words: platforms put the surname first."""
    words = _words(name)
    for i in range(len(words)):
        yield "".join(words[i:] + words[:i])


def _key(name: str) -> str:
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    return [word for part in name.split() if (word := re.sub(r"[\W_]", "", _folded(part)))]


def _folded(text: str) -> str:
    """Return a text without accents and capitals."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).strip()
