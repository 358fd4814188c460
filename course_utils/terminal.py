"""Text for terminals and pipes that cannot show every character, such as ``> log`` on Windows.

A character that the encoding lacks is replaced by ASCII, ``≈`` by ``~``, so that printing never fails.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import IO

_ERRORS = "course-ascii"
_WORDS = {
    "→": "->",
    "←": "<-",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "✓": "ok",
    "…": "...",
    "√": "sqrt ",
}
_WORDS |= {"σ": "sigma", "Σ": "sum ", "°": " deg"}
_STAND_INS = (
    str.maketrans("×·–—−↓○✗µμ│┃─━⁄‘’“”", "x----voxuu||--/''\"\"")
    | {ord(character): word for character, word in _WORDS.items()}
    | dict.fromkeys(range(0x2580, 0x25A0), "#")  # blocks, of which bars are made
)


def fall_back_to_ascii() -> None:
    """Make ``sys.stdout`` and ``sys.stderr`` write stand-ins from now on; for programs, not for libraries."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def printable(text: object, stream: IO[str] | None = None) -> str:
    """Return `text` with stand-ins for what `stream` (by default ``sys.stdout``) cannot show."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return str(text).encode(encoding, _ERRORS).decode(encoding)


def _stand_ins(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_stand_in, error.object[error.start : error.end])), error.end


def _stand_in(character: str) -> str:
    if unicodedata.combining(character):
        return ""
    text = unicodedata.normalize("NFKD", character.translate(_STAND_INS)).translate(_STAND_INS)
    raised = "^" * unicodedata.decomposition(character).startswith("<super>")
    ascii_only = text.encode("ascii", "ignore").decode()
    return raised + ascii_only if ascii_only else f"<U+{ord(character):04X}>"


codecs.register_error(_ERRORS, _stand_ins)
