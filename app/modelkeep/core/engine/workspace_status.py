"""How the workspace stands: each output against its metafile, and each metafile against HEAD. Changes nothing.

Says nothing a user would delete data for: hashes may come from the memory of earlier runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelkeep.core.engine.workspace_look import Seen, expected, hashes, look
from modelkeep.core.engine.workspace_scan import Ignore
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.formats.manifest import make_manifest
from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Output, OutputStatus, Problem, Snapshot, State, Status


@dataclass(slots=True)
class _Examined:
    """An output between looking at it and knowing which of its objects are in the cache."""

    out: Output
    seen: Seen
    wanted: dict[str, str] | None
    state: State = State.CLEAN
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def missing(self, site: Site, progress: Progress) -> set[str]:
        """The hashes of its objects that are not in the cache."""
        oid = self.out.oid
        if oid is None:
            return set()
        absent = site.cache.lacking(set((self.wanted or {}).values()), legacy=oid.legacy, progress=progress)
        if oid.is_dir and not self.out.files and not site.cache.present([oid]):
            absent.add(oid.hash)
        return absent


def read_status(site: Site, now: Snapshot, head: Snapshot | None, progress: Progress = SILENT) -> Status:
    """The status of all cached outputs in `now`, against disk and against `head` (None without commits)."""
    ignore = Ignore(site.root)
    examined: list[_Examined] = []
    problems = list(now.problems)
    progress = progress.child("Looking at the data")
    for out in now.outputs:
        if not out.cached:
            continue
        progress.note(out.path)
        try:
            examined.append(_examine(site, out, ignore, progress))
        except ModelkeepError as error:
            problems.append(Problem(out.path, error.title))
            examined.append(_Examined(out, Seen(odd=True), None, State.MODIFIED))
    site.memory.save()
    before = {out.path: out for out in head.outputs} if head is not None else {}
    found = [_finish(one, one.missing(site, progress), before.get(one.out.path)) for one in examined]
    paths = {out.path for out in now.outputs}
    gone = [out for path, out in before.items() if path not in paths and out.cached]
    found += [OutputStatus(out, State.CLEAN, State.DELETED) for out in gone]
    found.sort(key=lambda one: one.output.path)
    return Status(outputs=tuple(found), problems=tuple(problems))


def _examine(site: Site, out: Output, ignore: Ignore, progress: Progress) -> _Examined:
    seen = look(site.tree, out.path, ignore, progress)
    wanted = expected(site, out)
    one = _Examined(out, seen, wanted)
    if out.oid is None:
        one.state = State.NOT_IN_CACHE if seen.is_absent else State.NEW
    elif seen.is_absent:
        one.state = State.DELETED
    elif seen.odd or seen.is_folder != out.is_dir:
        one.state = State.MODIFIED
    elif wanted is None:
        one.state = _state_without_manifest(site, one, progress)
    else:
        _compare(one, hashes(site, out, seen, wanted, progress))
    return one


def _state_without_manifest(site: Site, one: _Examined, progress: Progress) -> State:
    """The manifest is not here, but if the files on disk give just this manifest, nothing changed."""
    out = one.out
    assert out.oid is not None
    found = hashes(site, out, one.seen, {}, progress)
    manifest, _ = make_manifest(found.items(), legacy=out.oid.legacy)
    if manifest.oid.hash != out.oid.hash:
        return State.MODIFIED
    one.wanted = found
    return State.CLEAN


def _compare(one: _Examined, found: Mapping[str, str]) -> None:
    wanted = one.wanted or {}
    if found == wanted:
        return
    one.added = tuple(sorted(path for path in found if path not in wanted))
    one.removed = tuple(sorted(path for path in wanted if path not in found))
    one.changed = tuple(sorted(path for path, md5 in found.items() if wanted.get(path, md5) != md5))
    if one.added or one.changed or one.removed:
        one.state = State.MODIFIED
    if not one.seen.is_folder:
        one.added = one.changed = one.removed = ()


def _finish(one: _Examined, missing: set[str], before: Output | None) -> OutputStatus:
    status = OutputStatus(one.out, one.state, State.CLEAN, one.added, one.changed, one.removed, len(missing))
    if missing and _explained_by(one, missing):
        status = replace(status, state=State.NOT_IN_CACHE)
    if before is None or not before.cached:
        return replace(status, committed=State.NEW)
    return status if before.oid == one.out.oid else replace(status, committed=State.MODIFIED)


def _explained_by(one: _Examined, missing: set[str]) -> bool:
    """Whether data is absent from the workspace only because its objects are not here."""
    if one.state is State.DELETED:
        return True
    if one.state is not State.MODIFIED or one.added or one.changed or not one.removed:
        return False
    wanted = one.wanted or {}
    return all(wanted[path] in missing for path in one.removed)
