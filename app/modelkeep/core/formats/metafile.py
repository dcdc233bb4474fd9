"""`.dvc` files to Outputs and back, byte for byte as DVC 3 writes them (dvc-format §1, §2.4).

Knows the text only: opens no file, and what the hashes stand for is other modules' business.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Sequence
from typing import Any

from modelkeep.core.errors import InvalidFile, Unsupported
from modelkeep.core.formats.entries import (
    ARTIFACT,
    OUT,
    Content,
    check_keys,
    check_trackable,
    content_of,
    make_output,
    resolve,
    work_dir,
)
from modelkeep.core.formats.yamldoc import dump_yaml, load_for_update, load_yaml
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import is_plain, visible
from modelkeep.core.values import ObjectId, Output

_TOP: dict[str, Any] = {
    "md5": object, "wdir": object, "deps": object, "outs": object, "locked": bool, "frozen": bool,
    "meta": object, "always_changed": bool, "desc": str,
}  # fmt: skip
_DEP: dict[str, Any] = {**ARTIFACT, "repo": dict, "db": dict, "fs_config": dict}
#: The whole text of a metafile as `dvc add` writes it. A hash that YAML would take for a number is not among them.
_PLAIN = re.compile(
    rb"outs:\n- md5: (?=[0-9]*[a-f])(?!0b|[0-9]*e[0-9]*(?:\.dir)?\n)([0-9a-f]{32})(\.dir)?\n"
    rb"  size: (0|[1-9][0-9]{0,17})\n(?:  nfiles: (0|[1-9][0-9]{0,17})\n)?(?:  isexec: (true)\n)?"
    rb"  hash: md5\n  path: ([A-Za-z_][A-Za-z0-9_.-]*)\n"
)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_CONTENT_KEYS = ("md5", "size", "nfiles", "isexec", "hash")
_DEFAULTS = {"cache": True, "push": True, "persist": False, "desc": "", "type": "", "labels": [], "meta": {}}
_NOT_IN_CHECKSUM = frozenset(
    {"desc", "type", "labels", "meta", "locked", "frozen", "metric", "persist", "isexec", "size", "nfiles"}
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one entry of `outs` records. `path` is as written: relative to the metafile's working folder."""

    path: str
    oid: ObjectId | None
    size: int | None = None
    nfiles: int | None = None
    is_exec: bool = False


def parse_metafile(data: bytes, path: str) -> tuple[Output, ...]:
    """The outputs of the `.dvc` file at `path` (project relative), in its order.

    Outputs with `cache: false` are included with `cached` False. Raises InvalidFile, naming the entry.
    """
    plain = _PLAIN.fullmatch(data)
    quick = _plain_output(plain, path) if plain is not None else None
    if quick is not None:
        return (quick,)
    top = _load(data, path)
    folder = work_dir(path, top.get("wdir"))
    imported = any("repo" in dep for dep in top.get("deps") or ())
    outputs = []
    for position, entry in enumerate(top.get("outs") or ()):
        where = visible(str(entry.get("path") or f"output {position + 1}"))
        resolved = resolve(folder, entry["path"], path, where)
        content = content_of(entry, path, where)
        outputs.append(make_output(resolved, content, entry, path, imported=imported))
    check_trackable((out.path for out in outputs), path)
    return tuple(outputs)


def _plain_output(found: re.Match[bytes], path: str) -> Output | None:
    """The output of a metafile of DVC's plain form, which most are; None if a name needs a closer look."""
    md5, is_dir, size, nfiles, is_exec, name = found.groups()
    folder = path.rpartition("/")[0]
    text = name.decode()
    where = f"{folder}/{text}" if folder else text
    if text.lower() in _WORDS or text.endswith(".dvc") or text == "dvc.yaml" or not is_plain(where):
        return None
    content = Content(
        ObjectId(md5.decode(), is_dir is not None),
        int(size),
        None if nfiles is None else int(nfiles),
        is_exec is not None,
    )
    return make_output(where, content, {}, path)


def metafile_wdir(data: bytes, path: str) -> str:
    """The folder that the paths in it are relative to: project relative, "" for the project's root."""
    return work_dir(path, _load(data, path).get("wdir"))


def is_import(data: bytes, path: str) -> bool:
    """Whether the `.dvc` file was written by `dvc import` or `import-url`, and so carries a stage checksum."""
    top = _load(data, path)
    return bool(top.get("deps"))


def new_metafile(records: Sequence[Recorded], *, wdir: str | None = None) -> bytes:
    """The bytes DVC 3 writes for a fresh `.dvc` file. `wdir` is relative to the folder of the file."""
    top: dict[str, Any] = {}
    if wdir and posixpath.normpath(wdir) != ".":
        top["wdir"] = posixpath.normpath(wdir)
    top["outs"] = [_entry(record) for record in records]
    return dump_yaml(top)


def update_metafile(data: bytes, path: str, records: Sequence[Recorded]) -> bytes:
    """The `.dvc` file with `records` in place of what it said about those outputs; new ones are appended.

    Comments, order and style stay as DVC keeps them: values change in place, new keys go to the end of their
    output, obsolete ones are removed. When nothing changes, the same bytes come back. An import's own checksum
    is recomputed. Raises InvalidFile, and Unsupported for cloud-versioned outputs.
    """
    before = {_norm(entry["path"]): entry for entry in _load(data, path).get("outs") or ()}
    fresh = {_norm(record.path): _entry(record) for record in records}
    changed = {key: entry for key, entry in fresh.items() if _differs(before.get(key), entry)}
    if not changed:
        return data
    for key in changed.keys() & before.keys():
        if before[key].get("files") or before[key].get("cloud") or before[key].get("version_id"):
            raise Unsupported(
                f"{visible(key)} is kept in a cloud-versioned remote, which Modelkeep does not write.",
                hint="Use `dvc add` and `dvc push` for this output.",
            )
    top = load_for_update(data, path) or {}
    _apply(top, path, changed)
    return dump_yaml(top)


def _load(data: bytes, path: str) -> dict[str, Any]:
    """The checked top level of a `.dvc` file."""
    if not data:
        raise InvalidFile(
            path, "was cut off while being written: it is empty", hint="Restore the file from Git."
        )
    top = load_yaml(data, path)
    if top is None:
        return {}
    if isinstance(top, dict) and "cmd" in top:
        raise InvalidFile(
            path, "is a pipeline stage of DVC 1 (it has a cmd:)",
            hint="Move the stage to a dvc.yaml; commands of a project are never run.",
        )  # fmt: skip
    checked = check_keys(top, _TOP, path, "")
    _check_text(checked, "wdir", path)
    _check_text(checked, "md5", path)
    for name, keys in (("deps", _DEP), ("outs", OUT)):
        _check_list(checked, name, keys, path)
    return checked


def _check_text(top: dict[str, Any], key: str, path: str) -> None:
    if not isinstance(top.get(key), (str, type(None))):
        raise InvalidFile(path, f"{key} is not text", entry=key, hint="Put it in quotes.")


def _check_list(top: dict[str, Any], name: str, keys: dict[str, Any], path: str) -> None:
    entries = top.get(name)
    if entries is None:
        return
    if not isinstance(entries, list):
        raise InvalidFile(path, "is not a list", entry=name)
    for position, entry in enumerate(entries):
        where = f"{name} {position + 1}"
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            where = visible(entry["path"])
        check_keys(entry, keys, path, where)
        if name == "outs" and not entry.get("path"):
            raise InvalidFile(path, "has no path", entry=where)


def _norm(path: str) -> str:
    return posixpath.normpath(path)


def _entry(record: Recorded) -> dict[str, Any]:
    """An entry with the keys in the order DVC writes them for a new file."""
    entry: dict[str, Any] = {}
    if record.oid is not None:
        entry["md5"] = record.oid.name
        if record.size is not None:
            entry["size"] = record.size
        if record.nfiles is not None:
            entry["nfiles"] = record.nfiles
        if record.is_exec:
            entry["isexec"] = True
    if record.oid is None or not record.oid.legacy:
        entry["hash"] = "md5"
    entry["path"] = _norm(record.path)
    return entry


def _differs(old: dict[str, Any] | None, new: dict[str, Any]) -> bool:
    return old is None or _facts(old) != _facts(new)


def _facts(entry: dict[str, Any]) -> tuple[Any, ...]:
    md5, size, nfiles, is_exec, algorithm = (entry.get(key) for key in _CONTENT_KEYS)
    return md5 or None, size, nfiles, bool(is_exec), algorithm


def _apply(top: Any, path: str, changed: dict[str, dict[str, Any]]) -> None:
    """Change the round-trip structure as DVC's own diff does, in the order it does."""
    outs = top.get("outs")
    if outs is None:
        outs = top["outs"] = []
    remaining = dict(changed)
    for entry in outs:
        new = remaining.pop(_norm(entry["path"]), None)
        if new is not None:
            _apply_entry(entry, new)
        _tidy(entry)
    outs.extend(remaining.values())
    for key in ("wdir", "deps", "frozen", "locked", "always_changed", "desc", "meta"):
        if key in top and (not top[key] or (key == "wdir" and _norm(top[key]) == ".")):
            del top[key]
    if top.get("md5") and top.get("deps"):
        top["md5"] = _stage_checksum(_load(dump_yaml(top), path))


def _apply_entry(entry: Any, new: dict[str, Any]) -> None:
    for key in (*_CONTENT_KEYS, "etag", "checksum"):
        if key in entry and key not in new:
            del entry[key]
    for key, value in new.items():
        if key not in entry or entry[key] != value:
            entry[key] = value


def _tidy(entry: Any) -> None:
    """What DVC does to every output of a file that it writes, also to those that did not change."""
    for key, default in _DEFAULTS.items():
        if key in entry and (entry[key] == default or entry[key] is None):
            del entry[key]
    if entry["path"] != _norm(entry["path"]):
        entry["path"] = _norm(entry["path"])


def _stage_checksum(top: dict[str, Any]) -> str:
    """The checksum of an import over its own text (dvc-format §2.4)."""
    core = {key: value for key, value in top.items() if key not in ("md5", "meta", "desc")}
    if core.get("wdir") == ".":
        del core["wdir"]
    return hashlib.md5(json.dumps(_stripped(core), sort_keys=True).encode()).hexdigest()


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in _NOT_IN_CHECKSUM}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return value
