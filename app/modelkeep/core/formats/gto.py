"""GTO tag names to values, and the order of versions (dvc-format §9). Knows tag names only, no tags or commits."""

from __future__ import annotations

from modelkeep.core.patterns import pattern
from modelkeep.core.values import GtoName

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9\-/_]*[a-zA-Z0-9])?"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_SEMVER = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_TAG = pattern(
    rf"(?P<artifact>(?:[a-zA-Z0-9\-_./]+=)?{_NAME})"
    rf"(?:(?:#(?P<stage>{_NAME})|@(?P<version>v{_SEMVER}))(?P<cancel>!?)|@(?P<word>deprecated|created))"
    r"(?:#(?P<counter>[0-9]{1,18}))?"
)
_VERSION = pattern(
    rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?"
    r"(?:-(?P<pre>[0-9a-zA-Z.-]+))?(?:\+[0-9a-zA-Z.-]+)?"
)
_DIGITS = pattern(r"([0-9]+)")
_LONGEST = 1024
SortKey = tuple[tuple[int, int, str], ...]


def parse_gto(tag: str) -> GtoName | None:
    """What the tag name says in GTO's grammar, or None. Whether the tag is annotated is for the caller.

    `artifact` is in the form people type: `dir:name` where the tag has `dir=name`.
    """
    match = _TAG.fullmatch(tag) if len(tag) <= _LONGEST else None
    if match is None:
        return None
    counter = int(match["counter"]) if match["counter"] else None
    artifact = match["artifact"].replace("=", ":")
    cancelled = bool(match["cancel"])
    if match["word"]:
        event = "deprecate" if match["word"] == "deprecated" else "create"
        return GtoName(artifact, event, counter=counter)
    if match["version"]:
        event = "deregister" if cancelled else "register"
        return GtoName(artifact, event, version=match["version"], counter=counter)
    return GtoName(artifact, "unassign" if cancelled else "assign", stage=match["stage"], counter=counter)


def version_sort_key(name: str) -> tuple[SortKey, int, tuple[int, int, int], int, SortKey]:
    """A key that sorts version names as people expect: SemVer order, `v1.10` after `v1.9`, others by their text.

    Names of one artifact (`model@v1.0.0`) come together; a pre-release comes before its release.
    """
    artifact, at, version = name.rpartition("@")
    match = _VERSION.fullmatch(version) if len(name) <= _LONGEST else None
    if match is None:
        return _natural(name[:_LONGEST]), 0, (0, 0, 0), 0, ()
    numbers = (_int(match["major"]), _int(match["minor"]), _int(match["patch"]))
    return _natural(artifact + at), 1, numbers, 0 if match["pre"] else 1, _prerelease(match["pre"] or "")


def _int(text: str | None) -> int:
    return int(text[:18]) if text else 0


def _prerelease(text: str) -> SortKey:
    """SemVer: numbers by value and before words, words by their bytes, fewer parts first."""
    parts = text.split(".") if text else []
    return tuple((0, _int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def _natural(text: str) -> SortKey:
    parts = _DIGITS.split(text)
    return tuple((1, _int(part), "") if i % 2 else (0, 0, part.casefold()) for i, part in enumerate(parts))
