"""What a forced checkout replaced: which content, under which paths, so that it can be put back.

The content itself is in the cache; a record here is a small JSON file that names it. Writes and reads the
records and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelkeep.core.durable import write_file
from modelkeep.core.errors import InvalidFile, NotFound, Refused, UnsafePath
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import Tree, safe_relpath, visible
from modelkeep.core.settings import KnownExports
from modelkeep.core.values import ObjectId

FOLDER = ".dvc/tmp/modelkeep/replaced"


@dataclass(frozen=True, slots=True)
class Kept:
    """One file that was replaced: the object with its content, its size and its mode."""

    oid: ObjectId
    size: int
    mode: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """One operation that replaced unsaved data. `folder` is "" for the project, else where an export went."""

    id: str
    when: datetime
    files: Mapping[str, Kept] = field(default_factory=dict)
    metafiles: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Everything it replaced."""
        return (*self.files, *self.metafiles)


def write_record(
    tree: Tree, files: Mapping[str, Kept], metafiles: Mapping[str, str], folder: str = ""
) -> str:
    """Write a record durably and return its id. `tree` is the project with its own files (`system`)."""
    now = datetime.now(UTC)
    record = now.strftime("%Y%m%dT%H%M%S.%fZ")
    if folder:
        KnownExports.load().add(record, folder)
    data = {
        "when": now.isoformat(),
        "folder": folder,
        "files": {path: [kept.oid.name, kept.size, kept.mode] for path, kept in files.items()},
        "metafiles": dict(metafiles),
    }
    write_file(tree, f"{FOLDER}/{record}.json", json.dumps(data, indent=1).encode())
    return record


def records(tree: Tree) -> tuple[Replaced, ...]:
    """All records, newest first; one that cannot be read is left out."""
    try:
        names = sorted(os.listdir(tree.path(f"{FOLDER}/x").parent), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    found = []
    for name in names:
        if name.endswith(".json"):
            try:
                found.append(read_record(tree, name.removesuffix(".json")))
            except (InvalidFile, NotFound):
                continue
    return tuple(found)


def read_record(tree: Tree, record: str) -> Replaced:
    """The record with this id. Raises NotFound, InvalidFile."""
    if "/" in record or record.startswith("."):
        raise NotFound(f"Nothing was replaced under the name {record}.")
    file = f"{FOLDER}/{record}.json"
    try:
        data = json.loads(tree.read(file))
        return Replaced(
            record,
            datetime.fromisoformat(data["when"]),
            {safe_relpath(path, inside_data=True): _kept(value) for path, value in data["files"].items()},
            {safe_relpath(path): str(text) for path, text in data["metafiles"].items()},
            str(data["folder"]),
        )
    except FileNotFoundError:
        raise NotFound(f"Nothing was replaced under the name {record}.") from None
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        UnsafePath,
    ) as error:
        raise InvalidFile(file, f"it is no record of replaced data ({error})") from error


def folder_of(record: Replaced) -> Path | None:
    """Where the files of `record` belong; None for the project. Raises Refused for a folder that no export of
    this user wrote to."""
    if not record.folder:
        return None
    if not KnownExports.load().has(record.id, record.folder):
        raise Refused(
            f"The record {record.id} leads to {visible(record.folder)}, outside of this project.",
            hint="It was not made here by you, so it is not followed.",
        )
    return Path(record.folder)


def _kept(value: Any) -> Kept:
    name, size, mode = value
    return Kept(ObjectId.parse(name), int(size), int(mode) & 0o777)
