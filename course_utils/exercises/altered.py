"""Wrong references made from right ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def altered(right: Callable[..., Any], **changes: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return `right` with some of its arguments changed by name, or its result, under the name ``result``.

    An argument that is None stays None.

    Examples
    --------
    >>> altered(pow, exp=lambda n: n + 1)(2, 3), altered(pow, result=str)(2, 3)
    (16, '8')
    >>> altered(pow, mod=lambda m: m + 1)(2, 3)
    8
    """
    signature = inspect.signature(right)
    finish = changes.pop("result", lambda result: result)

    def wrong(*arguments: Any, **keywords: Any) -> Any:
        given = signature.bind(*arguments, **keywords)
        given.apply_defaults()
        for name, change in changes.items():
            if given.arguments[name] is not None:
                given.arguments[name] = change(given.arguments[name])
        return finish(right(*given.args, **given.kwargs))

    return wrong
