"""What a version changed in its outputs, as rows of values: from two snapshots, or from the status. No widget."""

from __future__ import annotations

from collections.abc import Mapping

from modelkeep.core.nouns import dataclass
from modelkeep.core.values import OutputStatus, Snapshot, State, Status
from modelkeep.gui import signs


@dataclass(frozen=True)
class Altered:
    """One path and how it changed; `growth` in bytes, None where nobody knows."""

    path: str
    mark: str
    growth: int | None = None


def altered(
    snapshot: Snapshot,
    before: Snapshot | None,
    status: Status | None,
    sizes: Mapping[str, int] | None = None,
) -> tuple[Altered, ...]:
    """The changed outputs; of the workspace also what Git sees as uncommitted. `sizes` are those on the disk, of
    outputs that differ from what is recorded."""
    if status is not None:
        return _uncommitted(status, before, sizes or {})
    if before is None:
        return ()
    new = {out.path: out for out in snapshot.outputs}
    old = {out.path: out for out in before.outputs}
    rows = []
    for path in sorted(new.keys() | old.keys()):
        now, then = new.get(path), old.get(path)
        if now is None and then is not None:
            rows.append(Altered(path, "removed", -(then.size or 0)))
        elif then is None and now is not None:
            rows.append(Altered(path, "added", now.size))
        elif now and then and now.oid != then.oid:
            known = now.size is not None and then.size is not None
            rows.append(Altered(path, "changed", (now.size or 0) - (then.size or 0) if known else None))
    return tuple(rows)


def _uncommitted(status: Status, before: Snapshot | None, sizes: Mapping[str, int]) -> tuple[Altered, ...]:
    old = {out.path: out.size for out in before.outputs} if before is not None else {}
    data = []
    for one in status.outputs:
        path, mark = one.output.path, signs.mark_of(one.state) or signs.mark_of(one.committed)
        now = 0 if mark == "removed" else sizes.get(path) if _differs(one) else one.output.size
        was = old.get(path, 0)
        data.append(Altered(path, mark, None if now is None or was is None else now - was))
    rows = [row for row in data if row.mark and row.mark != "absent"]
    told = {one.output.metafile for one in status.outputs}
    rows += [Altered(path, _git_mark(path, status)) for path in status.git_changes if path not in told]
    return tuple(rows)


def _differs(one: OutputStatus) -> bool:
    return one.state in (State.MODIFIED, State.NEW)


def _git_mark(path: str, status: Status) -> str:
    if path in status.git_added:
        return "added"
    return "removed" if path in status.git_removed else "changed"
