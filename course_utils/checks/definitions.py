"""Where an answer was defined: a check says when its cell has failed, or defines another name, since then."""

from __future__ import annotations

import re
from typing import Any

from course_utils import exercises

_MARK = "_course_definitions"
_DEFINED = re.compile(r"^(?:async +def|def|class) +(\w+)", re.MULTILINE)


def install(shell: Any) -> None:
    """Watch an IPython shell; a second call changes nothing."""
    if not hasattr(shell, _MARK):
        watcher = Definitions(shell)
        setattr(shell, _MARK, watcher)
        shell.events.register("post_run_cell", watcher.after_cell)


def older_than_its_cell(shell: Any, title: str, answer: Any) -> str:
    """Return a warning if `answer` is not what the cell above says now; empty if it is, or nobody knows."""
    watcher = getattr(shell, _MARK, None)
    if watcher is None or answer is not shell.user_ns.get(title):
        return ""
    return watcher.warnings.get(title, "")


class Definitions:
    """Remembers of each exercise whether its name still has the value of an earlier run.

    Parameters
    ----------
    shell : IPython.InteractiveShell
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._titles = [exercises.get(name).title for name in exercises.names()]
        self._values = self._now()
        self._homes: dict[str, str | None] = {}
        self.warnings: dict[str, str] = {}

    def _now(self) -> dict[str, Any]:
        return {title: self._shell.user_ns[title] for title in self._titles if title in self._shell.user_ns}

    def after_cell(self, result: Any) -> None:
        """Compare the names that the cell defines with the names that have a new value."""
        source, cell_id = result.info.raw_cell, getattr(result.info, "cell_id", None)
        defined = _DEFINED.findall(source)
        before, self._values = self._values, self._now()
        error = result.error_before_exec or result.error_in_exec
        for title, value in self._values.items():
            if value is not before.get(title):
                self.warnings.pop(title, None)
                self._homes[title] = cell_id if title in defined else None
            elif error is not None and title in defined:
                self.warnings[title] = (
                    f"A cell stopped with {_public_kind(error)} before it could define {title}: "
                    f"what is checked here is the {title} from before."
                )
            elif error is None and defined and cell_id and self._homes.get(title) == cell_id:
                self.warnings[title] = (
                    f"The cell that defined {title} now defines {' and '.join(defined)}: "
                    f"what is checked here is the {title} from before."
                )


def _public_kind(error: BaseException) -> str:
    """Name what an error is; some of Python's syntax errors have a private class."""
    return next(kind.__name__ for kind in type(error).__mro__ if not kind.__name__.startswith("_"))
