"""Suggests the name of the next version from those that exist. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SEMVER = re.compile(r"(v?)(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?")
_CANDIDATE = re.compile(r"(v?\d{1,9}\.\d{1,9}(?:\.\d{1,9})?)-(?:rc|alpha|beta|pre|dev)[0-9A-Za-z.-]*")
FIRST = "v1.0"


def next_name(names: Iterable[str]) -> str:
    """The name after the highest SemVer one: v1.1 -> v1.2, v2.0.0 -> v2.1.0, v2.0.3 -> v2.0.4; else v1.0. After
    a candidate for a higher one, such as v1.3-rc1, it is that: v1.3."""
    taken = set(names)
    known = [match for name in taken if (match := _SEMVER.fullmatch(name))]
    names_to_be = (match[1] for name in taken if (match := _CANDIDATE.fullmatch(name)))
    coming = [match for name in names_to_be if (match := _SEMVER.fullmatch(name))]
    if not known and not coming:
        return FIRST
    last = max((*known, *coming), key=_order)
    name = _after(last) if last in known else last[0]
    while name in taken:
        match = _SEMVER.fullmatch(name)
        assert match is not None
        name = _after(match)
    return name


def _order(match: re.Match[str]) -> tuple[int, int, int]:
    return int(match[2]), int(match[3]), int(match[4] or 0)


def _after(match: re.Match[str]) -> str:
    major, minor, patch = _order(match)
    if match[4] is None:
        return f"{match[1]}{major}.{minor + 1}"
    return f"{match[1]}{major}.{minor}.{patch + 1}" if patch else f"{match[1]}{major}.{minor + 1}.0"
