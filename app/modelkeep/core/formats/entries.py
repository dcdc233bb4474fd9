"""One entry of an `outs` list in a `.dvc` file or a `dvc.lock`: checked, and turned into an Output.

Knows the keys DVC 3 accepts (dvc-format §1.3) and where a path may lead; nothing of whole files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from modelkeep.core.errors import InvalidFile, UnsafePath
from modelkeep.core.formats.kinds import kind_of
from modelkeep.core.formats.manifest import make_manifest
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import safe_relpath, visible
from modelkeep.core.patterns import pattern
from modelkeep.core.values import ObjectId, Output

CHECKSUMS: dict[str, Any] = {"md5": str, "etag": str, "checksum": str}
META: dict[str, Any] = {"size": int, "nfiles": int, "isexec": bool, "version_id": str}
NOTES: dict[str, Any] = {"desc": str, "type": str, "labels": list, "meta": object}
ARTIFACT: dict[str, Any] = {
    **CHECKSUMS, **META, "path": str, "persist": bool, "cloud": dict, "hash": str, "files": list,
}  # fmt: skip
OUT: dict[str, Any] = {
    **ARTIFACT, **NOTES, "cache": bool, "remote": str, "push": bool, "fs_config": dict,
}  # fmt: skip
LOCK_OUT: dict[str, Any] = {**CHECKSUMS, **META, "path": str, "cloud": dict, "hash": str, "files": list}
_LISTED: dict[str, Any] = {**CHECKSUMS, **META, "relpath": str, "cloud": dict}
_URL = pattern(r"[A-Za-z][\w+.-]*://")
_UNQUOTED = (
    "Put the hash in quotes: without them YAML reads it as a number. DVC writes it as '…' for that reason."
)


def check_keys(entry: Any, allowed: Mapping[str, Any], file: str, where: str) -> dict[str, Any]:
    """`entry` if it is a mapping of allowed keys with values of their types, else InvalidFile."""
    if not isinstance(entry, dict):
        raise InvalidFile(file, "is not a mapping", entry=where)
    for key, value in entry.items():
        if key not in allowed:
            raise InvalidFile(
                file,
                f"has the key {str(key)[:80]!r}, which DVC does not know",
                entry=where,
                hint="Remove the key; notes of your own belong under meta:.",
            )
        _check_type(key, value, allowed[key], file, where)
    return entry


def _check_type(key: str, value: Any, type_: Any, file: str, where: str) -> None:
    if key in CHECKSUMS:
        if isinstance(value, (int, float)):
            raise InvalidFile(
                file, f"the {key} of this entry is an unquoted number", entry=where, hint=_UNQUOTED
            )
        if value is None:
            return
    fits = isinstance(value, type_) and not (type_ is int and isinstance(value, bool))
    if key == "labels" and fits:
        fits = all(isinstance(label, str) for label in value)
    if not fits or (type_ is int and value < 0):
        raise InvalidFile(file, f"{key} is not {_NAMES.get(type_, 'of the right type')}", entry=where)


_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}


def resolve(folder: str, path: str, file: str, where: str = "") -> str:
    """`path` relative to `folder`, both normalised, as a path beneath the project. Raises InvalidFile.

    `folder` is relative to the project, "" is its root. `..` may occur as long as the result stays inside.
    """
    label = where or visible(path)
    if _URL.match(path):
        raise InvalidFile(
            file, f"the output {visible(path)} lies outside the project", entry=where,
            hint="DVC 3 does not track external outputs; import the data instead.",
        )  # fmt: skip
    if path.startswith("/"):
        raise InvalidFile(file, f"the path {visible(path)} is absolute", entry=where)
    joined = posixpath.normpath(posixpath.join(folder, path))
    if joined in (".", "..") or joined.startswith("../"):
        raise InvalidFile(file, f"the path {visible(path)} leads outside the project", entry=where)
    try:
        return safe_relpath(joined)
    except UnsafePath as error:
        raise InvalidFile(file, error.title, entry=label) from None


def work_dir(file: str, wdir: str | None) -> str:
    """The folder that paths in `file` are relative to: project relative, "" for the project's root."""
    own = posixpath.dirname(file)
    if not wdir:
        return own
    if wdir.startswith("/") or "\\" in wdir or "\0" in wdir:
        raise InvalidFile(file, f"the working folder {visible(wdir)} is not a relative path", entry="wdir")
    joined = posixpath.normpath(posixpath.join(own, wdir))
    if joined == "..":
        joined = "../"
    if joined.startswith("../"):
        raise InvalidFile(file, f"the working folder {visible(wdir)} leads outside the project", entry="wdir")
    return "" if joined == "." else joined


@dataclass(frozen=True, slots=True)
class Content:
    """What an entry records about the bytes: the part that `.dvc` and `dvc.lock` have in common."""

    oid: ObjectId | None = None
    size: int | None = None
    nfiles: int | None = None
    is_exec: bool = False
    cloud: bool = False
    files: tuple[tuple[str, str, int | None], ...] = ()


def content_of(entry: Mapping[str, Any], file: str, where: str) -> Content:
    """The content of a checked entry. Raises InvalidFile for a hash that is not MD5."""
    algorithm = entry.get("hash")
    if algorithm not in (None, "md5"):
        raise InvalidFile(
            file, f"uses the hash {algorithm[:40]!r}; DVC 3 writes only md5", entry=where,
            hint="Add the data again with DVC 3.",
        )  # fmt: skip
    if entry.get("files"):
        return _listed_content(entry, file, where)
    cloud = _is_cloud(entry, file, where)
    oid = _oid(entry.get("md5"), algorithm is None, file, where)
    if oid is None and not cloud and (entry.get("etag") or entry.get("checksum")):
        raise InvalidFile(
            file, "is identified by an etag of its server, not by an MD5", entry=where,
            hint="Modelkeep reads only data that DVC hashed itself; add the data again.",
        )  # fmt: skip
    return Content(oid, entry.get("size"), entry.get("nfiles"), bool(entry.get("isexec")), cloud)


def _is_cloud(entry: Mapping[str, Any], file: str, where: str) -> bool:
    cloud = entry.get("cloud")
    if cloud is not None:
        if len(cloud) > 1:
            raise InvalidFile(file, "cloud names more than one remote", entry=where)
        for name, facts in cloud.items():
            check_keys(facts, {**META, **CHECKSUMS}, file, f"{where} cloud {str(name)[:40]}")
    return bool(cloud) or bool(entry.get("version_id"))


def _oid(md5: str | None, legacy: bool, file: str, where: str) -> ObjectId | None:
    if not md5:
        return None
    try:
        return ObjectId.parse(md5, legacy=legacy)
    except UnsafePath as error:
        raise InvalidFile(file, error.title, entry=where) from None


def _listed_content(entry: Mapping[str, Any], file: str, where: str) -> Content:
    """A cloud-versioned folder: its files stand in the metafile and its manifest is computed from them."""
    listed = [check_keys(item, _LISTED, file, f"{where} files") for item in entry["files"]]
    for item in listed:
        if "relpath" not in item:
            raise InvalidFile(file, "a file in files: has no relpath", entry=where)
        _is_cloud(item, file, where)
    files = tuple((item["relpath"], item.get("md5") or "", item.get("size")) for item in listed)
    if not all(md5 for _, md5, _ in files):
        return Content(cloud=True, nfiles=len(files))
    try:
        manifest, _ = make_manifest([(path, md5) for path, md5, _ in files], legacy=entry.get("hash") is None)
    except UnsafePath as error:
        raise InvalidFile(file, error.title, entry=where) from None
    sizes = [size for _, _, size in files if size is not None]
    total = sum(sizes) if len(sizes) == len(files) else None
    return Content(manifest.oid, total, len(files), cloud=True, files=files)


def make_output(
    path: str,
    content: Content,
    flags: Mapping[str, Any],
    metafile: str,
    *,
    type_: str = "",
    hint: str = "",
    stage: str | None = None,
    imported: bool = False,
) -> Output:
    """The Output for a checked path, content and flags (`desc`, `cache`, `remote`, …).

    `type_` is a type declared elsewhere (an artifact), `hint` one that follows from where the entry stands.
    """
    declared = str(flags.get("type") or type_)
    is_dir = bool(content.files) or (content.oid is not None and content.oid.is_dir)
    return Output(
        path=path,
        oid=content.oid,
        metafile=metafile,
        kind=kind_of(path, declared or hint, is_dir),
        size=content.size,
        nfiles=content.nfiles,
        is_exec=content.is_exec,
        cached=bool(flags.get("cache", True)),
        push=bool(flags.get("push", True)),
        remote=flags.get("remote") or None,
        stage=stage,
        desc=str(flags.get("desc") or ""),
        type=declared,
        labels=tuple(flags.get("labels") or ()),
        meta=flags.get("meta"),
        imported=imported,
        cloud=content.cloud,
        files=content.files,
    )


def check_trackable(paths: Iterable[str], file: str) -> None:
    """Refuse outputs that DVC cannot track: metafiles, and two outputs of which one lies in the other."""
    seen = sorted(paths)
    for path in seen:
        if path.endswith(".dvc") or posixpath.basename(path) == "dvc.yaml":
            raise InvalidFile(file, "names a metafile as its output", entry=visible(path))
    for first, second in pairwise(seen):
        if first == second:
            raise InvalidFile(file, "names the same output twice", entry=visible(first))
    known = set(seen)
    for path in seen:
        parent = posixpath.dirname(path)
        while parent:
            if parent in known:
                raise InvalidFile(file, f"lies inside the output {visible(parent)}", entry=visible(path))
            parent = posixpath.dirname(parent)
