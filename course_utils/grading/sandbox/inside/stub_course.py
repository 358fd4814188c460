"""The face of the edition: of the course there are the exercises, and stand-ins for all the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


class _Inert(ModuleType):
    """Stands for what a notebook uses beside its exercises: it takes everything and gives itself."""

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
