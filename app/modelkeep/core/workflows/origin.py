"""Says which version names something that is missing and who recorded it last: whom to ask. Reads Git only."""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.engine.transfer import Wanted
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.paths import visible
from modelkeep.core.project import Project
from modelkeep.core.values import Output, Version, VersionKind

#: Asking Git who changed a metafile takes a moment for each: more lines help nobody.
MOST = 5
Found = Sequence[tuple[Output, Version | None]]


def origins(project: Project, missing: Sequence[Wanted], found: Found) -> list[str]:
    """A line for each of the first missing objects: the file, the version that names it, and who to ask."""
    lines = []
    for one in missing[:MOST]:
        named = _named_by(project, one, found)
        if named is not None:
            lines.append(f"{visible(one.label)}: {_story(project, *named)}.")
    return lines


def _named_by(project: Project, one: Wanted, found: Found) -> tuple[Output, Version | None] | None:
    candidates = [pair for pair in found if f"{one.label}/".startswith(f"{pair[0].path}/")]
    return next((pair for pair in candidates if _names(project, pair[0], one)), next(iter(candidates), None))


def _names(project: Project, out: Output, one: Wanted) -> bool:
    if out.oid is None or not out.oid.is_dir or out.oid == one.oid:
        return out.oid == one.oid
    try:
        return any(entry.hash == one.oid.hash for entry in project.cache.manifest(out.oid).entries)
    except ModelkeepError:
        return False


def _story(project: Project, out: Output, version: Version | None) -> str:
    metafile = visible(out.metafile)
    if version is None or project.history is None:
        return f"recorded in {metafile}"
    where = "" if version.kind is VersionKind.WORKSPACE else f" at {visible(version.name)}"
    commit = version.commit or project.history.head()[1]
    if not version.commit and (not commit or not _is_committed(project, commit, out.metafile)):
        return f"recorded here in {metafile}, which is not committed yet"
    change = project.history.last_change(commit, out.metafile)
    if change is None:
        return f"recorded{where} in {metafile}"
    when = f" on {change.when.date().isoformat()}" if change.when else ""
    who = f"{visible(change.author)} <{visible(change.email)}>"
    return f"recorded{where} in {metafile}, last changed by {who}{when} ({change.name})"


def _is_committed(project: Project, commit: str, metafile: str) -> bool:
    assert project.history is not None
    try:
        return project.history.blob(commit, metafile) == project.tree.read(metafile)
    except (OSError, ModelkeepError):
        return False
