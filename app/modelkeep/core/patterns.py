"""Regular expressions that are compiled at their first use. Knows nothing of what they match.

Compiling one takes a fraction of a millisecond, and there are many that most commands never need.
"""

from __future__ import annotations

import re
from typing import Any, cast

_METHODS = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer", "pattern", "flags")


class _Later:
    """Stands for a pattern; from its first use on it has the pattern's own methods."""

    def __init__(self, text: str, flags: int) -> None:
        self._said = text, flags

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(*self._said)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """What `re.compile` gives, with less work now."""
    return cast("re.Pattern[str]", _Later(text, flags))
