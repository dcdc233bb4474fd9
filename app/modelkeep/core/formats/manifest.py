"""Directory objects (`.dir`) to Manifest values and back (dvc-format §3). Knows no stores and no files.

The bytes are a JSON list sorted by path in code point order, ASCII only, without a final newline; their MD5 is
the object's name, so one differing byte would be another object.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from typing import Any

from modelkeep.core.errors import CorruptObject, InvalidFile, UnsafePath
from modelkeep.core.paths import clashes, safe_relpath, visible
from modelkeep.core.values import Entry, Manifest, ObjectId

MAX_BYTES = 512 << 20
MAX_ENTRIES = 5_000_000
_HASH = re.compile(r"[0-9a-f]{32}").fullmatch
# Names that need no closer look: no component begins with a dot or holds a character with a second meaning.
_ORDINARY = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.,+=@() -]*/)*[A-Za-z0-9_][A-Za-z0-9_.,+=@() -]*"
).fullmatch
_TRUST_ORDINARY = os.name != "nt"  # Windows has reserved names such as aux.txt and forbids trailing dots


def parse_manifest(data: bytes, oid: ObjectId, where: str) -> Manifest:
    """The Manifest in the bytes of the `.dir` object `oid`; `where` is the store's name for messages.

    Raises CorruptObject when the bytes do not hash to the name (checked first), InvalidFile for content that
    cannot be a folder: bad JSON, unsafe paths, duplicates, a path that is both file and folder.
    """
    name = oid.name
    if len(data) > MAX_BYTES:
        raise InvalidFile(name, f"is larger than {MAX_BYTES >> 20} MB", entry=where)
    actual = hashlib.md5(data).hexdigest()
    if actual != oid.hash:
        raise CorruptObject(
            name, where, actual=actual, hint="Fetch it again, or push it again from a good copy."
        )
    entries = _entries(_items(data, name), name)
    entries.sort()
    clash = _clash([entry.path for entry in entries])
    if clash:
        raise InvalidFile(name, _clash_text(*clash), entry=visible(clash[1]))
    return Manifest(oid, tuple(entries))


def manifest_bytes(entries: Iterable[tuple[str, str]]) -> bytes:
    """The exact bytes DVC writes for (path, md5) pairs, which need not be sorted and are not checked."""
    listed = [{"md5": md5, "relpath": path} for path, md5 in sorted(entries)]
    return json.dumps(listed).encode("ascii")


def make_manifest(entries: Iterable[tuple[str, str]], *, legacy: bool = False) -> tuple[Manifest, bytes]:
    """A Manifest of (path, md5) pairs with its bytes. Raises UnsafePath for what no folder can hold."""
    checked = sorted(Entry(_safe(path), md5 if _HASH(md5) else ObjectId(md5).hash) for path, md5 in entries)
    clash = _clash([entry.path for entry in checked])
    if clash:
        raise UnsafePath(f"{visible(clash[1])}: {_clash_text(*clash)}.")
    data = manifest_bytes(checked)
    oid = ObjectId(hashlib.md5(data).hexdigest(), is_dir=True, legacy=legacy)
    return Manifest(oid, tuple(checked)), data


def _safe(path: str) -> str:
    if _TRUST_ORDINARY and _ORDINARY(path):
        return path
    return safe_relpath(path, inside_data=True)


def _items(data: bytes, name: str) -> list[Any]:
    try:
        items = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidFile(name, f"is not a list of files: {str(error)[:120]}") from None
    if not isinstance(items, list):
        raise InvalidFile(name, "is not a list of files")
    if len(items) > MAX_ENTRIES:
        raise InvalidFile(name, f"lists more than {MAX_ENTRIES} files")
    return items


def _entries(items: list[Any], name: str) -> list[Entry]:
    entries = []
    for position, item in enumerate(items, 1):
        try:
            path, md5 = item["relpath"], item["md5"]
            if not _HASH(md5):
                raise InvalidFile(name, "has no valid MD5", entry=f"entry {position}")
            entries.append(Entry(_safe(path), md5))
        except (TypeError, KeyError):
            raise InvalidFile(name, "lacks relpath or md5 as text", entry=f"entry {position}") from None
        except UnsafePath as error:
            hint = "Nothing of this folder is used."
            raise InvalidFile(name, error.title, entry=f"entry {position}", hint=hint) from None
    return entries


def _clash(paths: list[str]) -> tuple[str, str] | None:
    """As `clashes`, but asks for the pair only when there is one: folders are few, paths are many."""
    files = set(paths)
    folders = {path.rpartition("/")[0] for path in paths}
    for folder in list(folders):
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in folders:
                break
            folders.add(folder)
    return clashes(paths) if len(files) < len(paths) or files & folders else None


def _clash_text(first: str, second: str) -> str:
    return (
        "is listed twice" if first == second else f"needs {visible(first)} to be a file and a folder at once"
    )
