"""Which versions objects belonged to, as far as Git and the lists at hand tell. Reads; removes nothing."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from datetime import UTC, datetime

from modelkeep.core.engine.garbage import Kept, Sizes
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.formats.manifest import parse_manifest
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import ObjectId, Output, Version

#: Entries of lists that are read for the story alone.
_MOST = 2_000_000
_OLDEST = datetime.min.replace(tzinfo=UTC)
Hashes = Callable[[ObjectId], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Belonging:
    """Objects that one content of one output consisted of: its path and the names of the versions that have it,
    newest first. An object of several is counted for the newest; those of none have no path."""

    path: str
    versions: tuple[str, ...]
    objects: int
    bytes: int


def belongings(
    project: Project, objects: Sizes, kept: Kept, hashes: Hashes, progress: Progress
) -> tuple[Belonging, ...]:
    """What `objects` belonged to. `hashes` gives the files of a folder, none where its list cannot be read."""
    if not objects:
        return ()
    left = dict(objects)
    told: list[Belonging] = []
    for (path, oid), names in _contents(project, kept, progress).items():
        progress.check()
        keys = [oid.key]
        if oid.is_dir:
            keys += [ObjectId(one, legacy=oid.legacy).key for one in hashes(oid)]
        mine = {key: left.pop(key) for key in keys if key in left}
        if mine:
            told.append(Belonging(path, tuple(names), len(mine), sum(mine.values())))
    if left:
        told.append(Belonging("", (), len(left), sum(left.values())))
    return tuple(told)


def _contents(
    project: Project, kept: Kept, progress: Progress
) -> dict[tuple[str, ObjectId], dict[str, None]]:
    """Every content that is not kept, with the names of the versions that have it."""
    found: dict[tuple[str, ObjectId], dict[str, None]] = {}
    if project.history is None:
        return found
    listed = project.git().versions().all()
    ordered = sorted(listed, key=_age, reverse=True)
    snapshots = project.catalogue.snapshots(ordered, progress)
    for version in ordered:
        for out in snapshots[version.key].outputs:
            if out.oid is not None and _may_go(out, kept):
                found.setdefault((out.path, out.oid), {})[version.name] = None
    return found


def _age(version: Version) -> datetime:
    return version.when or _OLDEST


def _may_go(out: Output, kept: Kept) -> bool:
    return out.cached and out.oid is not None and not kept.has_key(out.oid.key)


def lists_in(store: ObjectStore, here: Container[str], most: int = _MOST) -> Hashes:
    """Reads the lists under the keys `here` of a store; none once there were too many, in entries or `most`."""
    left, reads = _MOST, most

    def hashes(oid: ObjectId) -> Iterable[str]:
        nonlocal left, reads
        if oid.key not in here or left <= 0 or reads <= 0:
            return ()
        reads -= 1
        try:
            entries = parse_manifest(store.read(oid), oid, store.name).entries
        except ModelkeepError:
            return ()
        left -= len(entries)
        return [entry.hash for entry in entries]

    return hashes
