"""What the commands print: lines, JSON and tables, to streams of any encoding."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from course_utils.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console


def say(line: object = "", *, err: bool = False) -> None:
    """Print a line at once. `typer.echo` would write UTF-8 where the terminal expects ASCII."""
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


def say_json(value: Any) -> None:
    """Print plain values as JSON."""
    say(json.dumps(value, indent=2, default=str))


def console(*, wide: int | None = None, stderr: bool = False) -> Console:
    """Return a console for tables: as wide as the terminal, or `wide` columns where there is none."""
    from rich.console import Console
    from rich.text import Text

    class Printable(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            # Replaced before rich counts columns. A path that is too long is wrapped, not cut.
            return super().render_str(printable(text, self.file), **({"overflow": "fold"} | options))

    made = Printable(stderr=stderr)
    return made if made.is_terminal or wide is None else Printable(stderr=stderr, width=wide)
