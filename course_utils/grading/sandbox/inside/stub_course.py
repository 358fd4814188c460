"""`course_utils` as a student's kernel sees it: the exercises, and inert stubs for everything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


class _Inert(ModuleType):
    """A stub for whatever else a notebook uses: it accepts everything and returns itself."""

    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        return None


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name == "exercises":
        raise AttributeError(name)
    return _Inert(name)


for _name in ("checks", "data", "device", "figures", "settings", "timing", "training"):
    sys.modules[f"{__name__}.{_name}"] = _Inert(f"{__name__}.{_name}")
