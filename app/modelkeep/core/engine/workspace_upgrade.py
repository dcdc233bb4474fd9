"""Takes the files of a folder that DVC 2 recorded over to plain MD5s, as recording anything new in it needs.

One folder has one way of hashing (dvc-format §1.5), so what did not change is stored anew as well: from the
workspace where it is untouched, else from its old object. Decides nothing about metafiles.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from modelkeep.core.engine.cache import Inserted, Source
from modelkeep.core.engine.workspace_look import hashes, look
from modelkeep.core.engine.workspace_scan import Ignore
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import MissingObjects
from modelkeep.core.nouns import replace
from modelkeep.core.paths import Tree, visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import ObjectId, Output


def upgrade(
    site: Site, out: Output, entries: Mapping[str, str], progress: Progress = SILENT
) -> dict[str, Inserted]:
    """Store the files `entries` (legacy hashes by path in the folder) under plain names; what each became.

    Raises MissingObjects if a file is neither untouched on disk nor in the cache, CorruptObject.
    """
    seen = look(site.tree, out.path, Ignore(site.root), progress)
    seen = replace(seen, files={name: one for name, one in seen.files.items() if name in entries})
    links = set(seen.scan.links) if seen.scan else set()
    found = hashes(site, out, seen, entries, progress)
    there = [name for name, md5 in found.items() if entries[name] == md5]
    sources = [Source(f"{out.path}/{name}", seen.files[name].facts, name in links) for name in there]
    old = {name: ObjectId(md5, legacy=True) for name, md5 in entries.items() if name not in there}
    _require(site, out, old)
    stored = site.cache.insert_files(site.tree, sources, progress, memory=site.memory)
    return {name: stored[f"{out.path}/{name}"] for name in there} | _from_objects(site, old, progress)


def _require(site: Site, out: Output, old: Mapping[str, ObjectId]) -> None:
    here = site.cache.present(set(old.values()))
    lost = sorted(f"{out.path}/{name}" for name, oid in old.items() if oid not in here)
    if lost:
        raise MissingObjects(
            f"{visible(lost[0])} is not here, and a part of a folder that DVC 2 recorded cannot be recorded "
            "without the rest.",
            hint=f"Fetch it first: modelkeep fetch {out.path}",
            paths=lost,
        )


def _from_objects(site: Site, old: Mapping[str, ObjectId], progress: Progress) -> dict[str, Inserted]:
    sources = {}
    for oid in old.values():
        site.cache.check(oid, progress)
        sources[oid.key] = Source(oid.key, os.stat(site.cache.path(oid)), True)
    stored = site.cache.insert_files(Tree(site.cache.root, system=True), sources.values(), progress)
    return {name: stored[oid.key] for name, oid in old.items()}
