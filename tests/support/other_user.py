"""Whether a test can go on as another user, who must be allowed to read the installed packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def why_not() -> str:
    """Return why this process cannot become another user; empty if it can."""
    if not hasattr(os, "geteuid") or os.getuid() != 0:
        return "only root can become another user"
    places = (Path(sys.prefix).resolve(), Path(__file__).resolve().parent)
    folders = [folder for place in places for folder in (place, *place.parents)]
    closed = [folder for folder in folders if not folder.stat().st_mode & 0o001]
    return f"another user may not look into {closed[0]}" if closed else ""
