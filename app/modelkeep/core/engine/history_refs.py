"""Parses what git prints about refs and commits into versions. Pure: runs nothing, knows no repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from modelkeep.core.errors import UsageError
from modelkeep.core.formats.gto import parse_gto, version_sort_key
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern
from modelkeep.core.values import Version, VersionKind

_REF_FIELDS = (
    "refname",
    "objectname",
    "objecttype",
    "*objectname",
    "*objecttype",
    "creatordate:raw",
    "taggername",
    "taggeremail:trim",
    "authorname",
    "authoremail:trim",
    "*authorname",
    "*authoremail:trim",
    "HEAD",
    "symref",
    "contents",
    "contents:signature",
)
#: Fields end with NUL, which no field can contain; so a line break or any other text inside is harmless.
REF_FORMAT = "".join(f"%({name})%00" for name in _REF_FIELDS)
COMMIT_FORMAT = "%H%x00%an%x00%ae%x00%cd%x00%B"
_COMMIT_FIELDS = 5
_KINDS = (
    ("refs/tags/", VersionKind.TAG),
    ("refs/heads/", VersionKind.BRANCH),
    ("refs/remotes/", VersionKind.REMOTE_BRANCH),
)
_OLDEST = datetime.min.replace(tzinfo=UTC)
_BAD_NAME = pattern(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|\.$|/$|^[-/.@]|^@$")


class RefLine(NamedTuple):
    """One ref as for-each-ref printed it. `commit` is "" while a tag of a tag is not peeled to its end."""

    ref: str
    target: str
    commit: str
    version: Version


def parse_refs(out: bytes) -> Iterator[RefLine]:
    """The refs in the output of for-each-ref with REF_FORMAT, except symbolic ones and tags of files."""
    fields = out.split(b"\0")
    width = len(_REF_FIELDS)
    for start in range(0, len(fields) - width, width):
        record = dict(zip(_REF_FIELDS, fields[start : start + width], strict=True))
        record["refname"] = record["refname"].lstrip(b"\n")
        line = _ref_line(record)
        if line is not None:
            yield line


def _ref_line(record: dict[str, bytes]) -> RefLine | None:
    ref = record["refname"].decode("utf-8", "surrogateescape")
    kind, name = kind_of(ref)
    if kind is None or record["symref"]:
        return None
    annotated = record["objecttype"] == b"tag"
    pointed = record["*objecttype"] if annotated else record["objecttype"]
    if pointed not in (b"commit", b"tag"):
        return None
    target = record["objectname"].decode()
    commit = "" if pointed == b"tag" else (record["*objectname"].decode() if annotated else target)
    author = "taggername" if record["taggername"] else "*authorname" if annotated else "authorname"
    email = author.replace("name", "email:trim")
    version = Version(
        kind,
        name,
        ref,
        commit,
        moment(record["creatordate:raw"].decode("ascii", "replace")),
        _text(record[author]),
        _text(record[email]),
        _message(record["contents"], record["contents:signature"]),
        annotated=annotated,
        gto=parse_gto(name) if annotated and kind is VersionKind.TAG else None,
        is_head=record["HEAD"] == b"*",
    )
    return RefLine(ref, target, commit, version)


def kind_of(ref: str) -> tuple[VersionKind | None, str]:
    """What a full ref name is, and its short name."""
    for prefix, kind in _KINDS:
        if ref.startswith(prefix):
            return kind, ref.removeprefix(prefix)
    return None, ref


def parse_commits(out: bytes) -> Iterator[Version]:
    """The commits in the output of `log -z` with COMMIT_FORMAT and --date=raw."""
    fields = out.split(b"\0")
    for start in range(0, len(fields) - _COMMIT_FIELDS + 1, _COMMIT_FIELDS):
        commit, author, email, date, message = fields[start : start + _COMMIT_FIELDS]
        sha = commit.decode()
        yield Version(
            VersionKind.COMMIT,
            sha[:10],
            "",
            sha,
            moment(date.decode("ascii", "replace")),
            _text(author),
            _text(email),
            _text(message).strip("\n"),
        )


def parse_status(out: bytes) -> Iterator[tuple[str, str]]:
    """(path, how it differs: "added", "changed" or "removed") from `status --porcelain=v2 -z --no-renames`."""
    fields = {b"1": 8, b"u": 10, b"?": 1}  # how many words stand before the path
    for entry in out.split(b"\0"):
        before = fields.get(entry[:1])
        if before is not None:
            yield entry.split(b" ", before)[before].decode("utf-8", "surrogateescape"), _status_mark(entry)


def _status_mark(entry: bytes) -> str:
    index, tree = entry[2:3], entry[3:4]
    if entry[:1] == b"?" or (index == b"A" and tree != b"D"):
        return "added"
    return "removed" if entry[:1] == b"1" and b"D" in (index, tree) else "changed"


def moment(raw: str) -> datetime | None:
    """Git's raw date (`seconds ±hhmm`) with its offset; None for a date no calendar holds."""
    seconds, _, zone = raw.partition(" ")
    try:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
        there = timezone(-offset if zone.startswith("-") else offset)
    except ValueError:
        there = UTC
    try:
        return datetime.fromtimestamp(int(seconds), there)
    except (ValueError, OverflowError, OSError):
        return None


def newest_first(versions: Iterable[Version]) -> tuple[Version, ...]:
    """Sorted for the screen: newest first, at the same second the higher version number first."""
    return tuple(sorted(versions, key=_age, reverse=True))


def _age(version: Version) -> tuple[datetime, object, str]:
    return (version.when or _OLDEST, version_sort_key(version.name), version.name)


def check_new_name(name: str) -> None:
    """Raise UsageError unless `name` is a good name for a new tag or branch.

    Stricter than git (check-ref-format): nothing invisible, nothing that looks like an option or an id.
    """
    if not name or _BAD_NAME.search(name) or visible(name) != name or name == "HEAD":
        raise UsageError(
            f"{visible(name) or 'An empty name'} cannot name a version or branch.",
            hint="Use letters, digits, '.', '-', '_' and '/', starting with a letter or digit.",
        )
    if re.fullmatch(r"[0-9a-f]{7,64}", name) or name.startswith("refs/"):
        raise UsageError(
            f"{name} could be mistaken for a commit or a full name.", hint="Choose another name."
        )


def _message(contents: bytes, signature: bytes) -> str:
    if signature and contents.endswith(signature):
        contents = contents.removesuffix(signature)
    return _text(contents).strip("\n")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
