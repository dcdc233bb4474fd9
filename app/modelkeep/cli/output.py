"""How values look on the command line: aligned text for people, one JSON document for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from modelkeep.core.errors import ModelkeepError
from modelkeep.core.paths import visible
from modelkeep.core.values import Changes, Output, Presence, Version

_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def print_json(value: object) -> None:
    """One JSON document on standard output; of a list, each item on a line of its own."""
    if not isinstance(value, list) or not value:
        print(json_text(value, indent=2))
        return
    lines = ",\n".join(f"  {json_text(item)}" for item in value)
    print(f"[\n{lines}\n]")


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON that a terminal shows as it is: invisible, direction and undecodable characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSEEN.sub(lambda match: json.dumps(match[0])[1:-1], text)


def size_text(size: int | None) -> str:
    """Bytes for people; a dash where nobody knows."""
    if size is None:
        return "–"
    import humanize

    return humanize.naturalsize(size).replace(" Bytes", " B").replace(" Byte", " B")


def when_text(when: datetime | None) -> str:
    """A moment in local time, to the minute."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M") if when else ""


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Columns as wide as their widest cell; `right` are the indexes of right-aligned ones."""
    if not rows:
        return
    cells = [[visible(cell) for cell in row] for row in (header, *rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        parts = []
        for i, cell in enumerate(row):
            gap = " " * (widths[i] - _width(cell))
            parts.append(gap + cell if i in right else cell + gap)
        print("  ".join(parts).rstrip())


def _width(text: str) -> int:
    """Cells a text takes on a terminal: wide characters such as Hangul take two."""
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def changes_json(done: Changes) -> dict[str, Any]:
    """What an operation did, for programs."""
    return {
        "summary": done.summary,
        "paths": list(done.paths),
        "files": done.files,
        "bytes": done.bytes,
        "notes": list(done.notes),
    }


def print_changes(done: Changes) -> None:
    """What an operation did, for people."""
    print(visible(done.summary))
    for path in done.paths[:20]:
        print(f"  {visible(path)}")
    if len(done.paths) > 20:
        print(f"  … and {len(done.paths) - 20} more")
    if done.files:
        print(f"{done.files} files, {size_text(done.bytes)}")
    for note in done.notes:
        print(f"Note: {visible(note)}")


def version_json(version: Version) -> dict[str, Any]:
    """A version, for programs."""
    return {
        "name": version.name,
        "kind": version.kind.value,
        "ref": version.ref or None,
        "commit": version.commit or None,
        "when": version.when.isoformat() if version.when else None,
        "author": version.author,
        "email": version.email,
        "message": version.message,
        "annotated": version.annotated,
        "current": version.is_head,
        "artifact": version.gto.artifact if version.gto else None,
    }


def output_json(out: Output, where: Presence | None = None) -> dict[str, Any]:
    """An output, for programs."""
    value: dict[str, Any] = {
        "path": out.path,
        "kind": out.kind.value,
        "is_dir": out.is_dir,
        "size": out.size,
        "files": out.file_count,
        "md5": out.oid.name if out.oid else None,
        "metafile": out.metafile,
        "stage": out.stage,
        "remote": out.remote,
        "desc": out.desc or None,
        "labels": list(out.labels),
        "cached": out.cached,
        "push": out.push,
        "imported": out.imported,
    }
    if where is not None:
        value |= presence_json(where)
    return value


def presence_json(where: Presence) -> dict[str, Any]:
    """Where objects are, for programs; None where the remote was not asked."""
    asked = where.asked is not None
    return {
        "where": where.where.value,
        "objects": where.objects,
        "here": where.here,
        "on_remote": where.on_remote if asked else None,
        "only_here": where.only_here if asked else None,
        "missing": where.nowhere if asked else None,
        "remote_asked": where.asked.isoformat() if where.asked else None,
    }


def show_error(error: ModelkeepError, *, as_json: bool) -> None:
    """An error on standard error: cause, facts, fix, and the paths it is about."""
    if as_json:
        value = {
            "error": type(error).__name__,
            "title": error.title,
            "detail": error.detail,
            "hint": error.hint,
            "paths": list(error.paths),
        }
        print(json_text(value), file=sys.stderr)
        return
    print(f"modelkeep: {visible(error.title)}", file=sys.stderr)
    for line in error.detail.splitlines():
        print(f"  {visible(line)}", file=sys.stderr)
    shown = [path for path in error.paths if path not in error.title]
    for path in shown[:50]:
        print(f"  {visible(path)}", file=sys.stderr)
    if len(shown) > 50:
        print(f"  … and {len(shown) - 50} more", file=sys.stderr)
    if error.hint:
        print(visible(error.hint), file=sys.stderr)
