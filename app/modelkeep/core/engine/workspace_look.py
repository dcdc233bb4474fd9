"""What is on disk at an output right now, and its content's hashes. Judges nothing and changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from modelkeep.core.engine.workspace_hash import FileHashes, OnDisk
from modelkeep.core.engine.workspace_scan import Ignore, Scan, scan_folder
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Output


@dataclass(slots=True)
class Seen:
    """What stands at a path: `files` by their path relative to it, "" for the path itself.

    `is_folder` is a real folder, which `scan` describes; `odd` is something that no output can be (a link
    that leads to a folder or nowhere, a device).
    """

    files: dict[str, OnDisk] = field(default_factory=dict)
    is_folder: bool = False
    odd: bool = False
    scan: Scan | None = None

    @property
    def is_absent(self) -> bool:
        """Whether there is nothing at all."""
        return not (self.files or self.is_folder or self.odd)


def look(tree: Tree, relpath: str, ignore: Ignore, progress: Progress = SILENT) -> Seen:
    """See what is at `relpath`; a link to a file counts as that file. Raises UnsafePath for linked parents."""
    path = os.fspath(tree.path(relpath))
    try:
        facts = os.lstat(path)
        if stat.S_ISLNK(facts.st_mode):
            facts = os.stat(path)
            if stat.S_ISDIR(facts.st_mode):
                return Seen(odd=True)
    except (FileNotFoundError, NotADirectoryError):
        return Seen(odd=os.path.islink(path))
    except OSError:  # a link that leads round in a circle
        return Seen(odd=True)
    if stat.S_ISREG(facts.st_mode):
        return Seen({"": OnDisk(path, facts)})
    if not stat.S_ISDIR(facts.st_mode):
        return Seen(odd=True)
    scan = scan_folder(path, relpath, ignore, progress)
    prefix = path + os.sep
    return Seen({name: OnDisk(prefix + name, one) for name, one in scan.files.items()}, True, scan=scan)


def expected(site: Site, out: Output) -> dict[str, str] | None:
    """The hashes an output records by relative path ("" for a file); None if its manifest is not here.

    Raises CorruptObject or InvalidFile for a manifest that cannot be used.
    """
    if out.oid is None:
        return {}
    if out.files:
        return {path: md5 for path, md5, _ in out.files}
    if not out.oid.is_dir:
        return {"": out.oid.hash}
    if not site.cache.present([out.oid]):
        return None
    return {entry.path: entry.hash for entry in site.cache.manifest(out.oid).entries}


def hashes(
    site: Site, out: Output, seen: Seen, wanted: Mapping[str, str], progress: Progress = SILENT
) -> dict[str, str]:
    """The hash of each file that was seen, in the way the output records hashes."""
    hashing = FileHashes(site.memory)
    if out.oid is not None and out.oid.legacy:
        return hashing.against(seen.files, wanted, progress)
    return hashing.of_many(seen.files, progress)


def current_content(
    site: Site, outputs: Iterable[Output], progress: Progress = SILENT
) -> dict[str, tuple[str, int | None]]:
    """Hash and size of every file on disk that belongs to one of `outputs`, by project path."""
    found: dict[str, tuple[str, int | None]] = {}
    ignore = Ignore(site.root)
    for out in outputs:
        try:
            seen = look(site.tree, out.path, ignore, progress)
            wanted = expected(site, out) or {}
        except ModelkeepError:  # status tells what is wrong with it
            continue
        for name, md5 in hashes(site, out, seen, wanted, progress).items():
            if md5:
                path = f"{out.path}/{name}" if name else out.path
                found[path] = md5, seen.files[name].facts.st_size
    site.memory.save()
    return found
