"""Look at versions without changing anything: what there is, what each contains, where its data is, what
differs, and a first glance at the content. Needs no checkout and downloads no data; at most a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter

from modelkeep.core.diff.tree import TreeDiff, compare_trees
from modelkeep.core.errors import ModelkeepError, NotFound, Refused, UnsafePath
from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import (
    WORKSPACE,
    Manifest,
    ObjectId,
    Output,
    Presence,
    Snapshot,
    Status,
    Version,
    VersionKind,
    VersionList,
)
from modelkeep.core.workflows import interrupted

_counts_of = attrgetter("objects", "here", "on_remote", "only_here", "only_here_bytes", "nowhere")
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
_LARGEST_IMAGE = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class OutputVersion:
    """One distinct content of an output: the newest version that has it, and all versions that do."""

    output: Output
    version: Version
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file: `kind` is "text", "image", "binary" or "not here" (`reason` says why)."""

    kind: str
    data: bytes = b""
    size: int | None = None
    truncated: bool = False
    reason: str = ""


# -- versions and what they contain --------------------------------------------------------------------


def versions(project: Project, progress: Progress = SILENT, *, commits: bool = True) -> VersionList:
    """Tags, branches and, with `commits`, the commits that touched tracked data, newest first."""
    progress.check()
    return project.git().versions() if commits else project.git().versions(commits_limit=0)


def find_version(project: Project, text: str) -> Version:
    """The version called `text`: a tag, branch, remote branch, commit id, or "workspace"."""
    if text.lower() in ("workspace", "."):
        return WORKSPACE
    return project.git().resolve(text)


def snapshot(project: Project, version: Version, progress: Progress = SILENT) -> Snapshot:
    """What is tracked at `version`; for the workspace, what its metafiles say now."""
    progress.check()
    if version.kind is VersionKind.WORKSPACE:
        return project.workspace.outputs()
    return project.catalogue.snapshot(version)


def snapshots(
    project: Project, wanted: Sequence[Version], progress: Progress = SILENT
) -> dict[str, Snapshot]:
    """Snapshots of many versions by `Version.key`; each distinct metafile is parsed once."""
    found = project.catalogue.snapshots([v for v in wanted if v.commit], progress)
    for version in wanted:
        if version.kind is VersionKind.WORKSPACE:
            found[version.key] = project.workspace.outputs()
    return found


def output_history(project: Project, path: str, progress: Progress = SILENT) -> tuple[OutputVersion, ...]:
    """Every distinct content the output at `path` had in any listed version, newest first."""
    listed = versions(project, progress)
    ordered = sorted(listed.all(), key=lambda v: v.when or datetime.min.replace(tzinfo=UTC), reverse=True)
    found = snapshots(project, ordered, progress)
    names: dict[ObjectId, list[str]] = {}
    first: dict[ObjectId, tuple[Output, Version]] = {}
    for version in ordered:
        out = found[version.key].find(path) if version.key in found else None
        if out is None or out.oid is None:
            continue
        first.setdefault(out.oid, (out, version))
        names.setdefault(out.oid, []).append(version.name)
    return tuple(
        OutputVersion(out, version, tuple(dict.fromkeys(names[oid]))) for oid, (out, version) in first.items()
    )


def status(project: Project, progress: Progress = SILENT) -> Status:
    """The workspace against its metafiles and HEAD; what was interrupted is among its problems."""
    now = project.workspace.status(progress)
    return replace(now, problems=(*interrupted.notices(project), *project.notices(), *now.problems))


# -- where the data is ---------------------------------------------------------------------------------


def presence(
    project: Project, outputs: Sequence[Output], progress: Progress = SILENT, *, ask_remote: bool = True
) -> dict[str, Presence]:
    """Where the objects of each output are, by output path.

    The cache is looked at now; a remote is listed at most once per session until `refresh_remote` or a
    push, and `Presence.asked` says when. Without `ask_remote` only an earlier listing is used.
    """
    here = _Here(project)
    listings = _Listings(project, ask_remote, progress)
    return {out.path: _presence_of(out, here, listings) for out in outputs}


def version_presence(
    project: Project,
    found: Mapping[str, Snapshot],
    progress: Progress = SILENT,
    *,
    ask_remote: bool = True,
) -> dict[str, Presence]:
    """The sum over the outputs of each snapshot, by `Version.key`."""
    here = _Here(project)
    listings = _Listings(project, ask_remote, progress)
    different = {id(out): out for one in found.values() for out in one.outputs}  # versions share most of them
    here.look(out.oid for out in different.values() if out.cached and out.oid and not out.oid.is_dir)
    parts = {}
    for key, out in different.items():
        progress.check()
        parts[key] = _part(_presence_of(out, here, listings))
    return {key: _sum([parts[id(out)] for out in one.outputs]) for key, one in found.items()}


def _part(one: Presence) -> tuple[tuple[int, ...], datetime | None]:
    return _counts_of(one), one.asked


def _sum(parts: Sequence[tuple[tuple[int, ...], datetime | None]]) -> Presence:
    """All of them together, as adding them one by one would be."""
    if not parts:
        return Presence()
    objects, here, on_remote, only_here, only_bytes, nowhere = map(
        sum, zip(*(counts for counts, _ in parts), strict=True)
    )
    moments = {asked for _, asked in parts}
    asked = None if None in moments else min(one for one in moments if one)
    return Presence(objects, here, on_remote, only_here, only_bytes, nowhere, asked)


def refresh_remote(project: Project, progress: Progress = SILENT) -> None:
    """Ask the remotes again what they have."""
    for name in list(project.listings):
        project.forget_listing(name)
    listings = _Listings(project, True, progress)
    for remote in project.remotes():
        if remote.is_default or any(out.remote == remote.name for out in project.workspace.outputs().outputs):
            listings.of(remote.name)


class _Here:
    """Sizes of the objects in the cache, each looked up once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.sizes: dict[ObjectId, int | None] = {}

    def look(self, oids: Iterable[ObjectId]) -> None:
        unknown = [oid for oid in oids if oid not in self.sizes]
        if unknown:
            found = self.project.cache.present(unknown)
            self.sizes.update((oid, found.get(oid)) for oid in unknown)

    def expand(self, out: Output) -> list[ObjectId] | None:
        """The objects of an output, or None while its manifest is not in the cache."""
        if out.oid is None:
            return []
        if not out.oid.is_dir:
            return [out.oid]
        try:
            return [out.oid, *self.project.cache.manifest(out.oid).objects()]
        except (NotFound, Refused):
            return None


class _Listings:
    """What each remote has, as far as it was or may be asked."""

    def __init__(self, project: Project, ask: bool, progress: Progress) -> None:
        self.project = project
        self.ask = ask
        self.progress = progress
        self.failed: set[str] = set()
        self.alone: bool | None = None  # whether there is no remote; None: not looked yet
        self.begun = datetime.now(UTC)

    def of(self, name: str | None) -> tuple[datetime, dict[str, int]] | None:
        if self.alone is None:
            self.alone = not self.project.config.remotes()
        if self.alone:
            return self.begun, {}  # there is nobody to ask: what is here is only here
        name = name or self.project.config.default_remote
        if name is None or name in self.failed:
            return None
        known = self.project.listings.get(name)
        if known is None and self.ask:
            try:
                with self.project.using_remote(name) as store:
                    listing = store.listing(self.progress.child(f"Asking {name}"))
            except ModelkeepError:
                self.failed.add(name)
                raise
            known = (datetime.now(UTC), listing)
            self.project.listings[name] = known
        return known


def _presence_of(out: Output, here: _Here, listings: _Listings) -> Presence:
    if not out.cached or out.oid is None:
        return Presence()
    oids = here.expand(out)
    listing = listings.of(out.remote)
    if oids is None:  # the manifest is elsewhere: its files can only be counted, and only there
        count = 1 + (out.nfiles or 0)
        on_remote = count if listing is not None and out.oid.key in listing[1] else 0
        return Presence(
            objects=count,
            on_remote=on_remote,
            nowhere=0 if listing is None or on_remote else count,
            asked=listing[0] if listing else None,
        )
    here.look(oids)
    return _count(oids, here.sizes, listing)


def _count(
    oids: Sequence[ObjectId],
    sizes: Mapping[ObjectId, int | None],
    listing: tuple[datetime, dict[str, int]] | None,
) -> Presence:
    local = remote = only = only_bytes = nowhere = 0
    keys = listing[1] if listing else {}
    for oid in oids:
        size = sizes[oid]
        there = oid.key in keys and (size is None or keys[oid.key] == size)
        local += size is not None
        remote += there
        if listing is not None and not there:
            only += size is not None
            only_bytes += size or 0
            nowhere += size is None
    return Presence(len(oids), local, remote, only, only_bytes, nowhere, listing[0] if listing else None)


# -- content -------------------------------------------------------------------------------------------


def manifest(project: Project, output: Output, progress: Progress = SILENT) -> Manifest:
    """The files of a folder output: from the cache, else only the manifest from its remote (verified)."""
    if output.oid is None or not output.oid.is_dir:
        raise NotFound(f"{output.path} is not a folder with recorded content.")
    try:
        return project.cache.manifest(output.oid)
    except NotFound:
        pass
    name = output.remote or project.config.default_remote
    if name is None:
        raise NotFound(
            f"The list of files of {output.path} is not on this machine, and no remote is set up.",
            hint="Add the remote it was pushed to: modelkeep remote add -d NAME URL",
        )
    progress.check()
    with project.using_remote(name) as store:
        return store.manifest(output.oid)


def entry_sizes(project: Project, listed: Manifest) -> dict[str, int]:
    """Sizes in bytes by hash, for the files of a manifest that are in the cache or in a known listing."""
    oids = listed.objects()
    sizes = {oid.hash: size for oid, size in project.cache.present(oids).items()}
    for _, listing in project.listings.values():
        for oid in oids:
            if oid.hash not in sizes and oid.key in listing:
                sizes[oid.hash] = listing[oid.key]
    return sizes


def preview(
    project: Project,
    version: Version,
    output: Output,
    entry: str | None = None,
    limit: int = 256 * 1024,
    progress: Progress = SILENT,
) -> Preview:
    """The first `limit` bytes of an output (or a file `entry` of it) if its content is on this machine.

    Images come whole up to 64 MiB, because half an image shows nothing. Nothing is executed or parsed here.
    """
    progress.check()
    try:
        oid = _object_of(project, output, entry)
    except NotFound as error:
        return Preview("not here", reason=error.title)
    name = (entry or output.path).lower()
    if oid is None:
        return _preview_git(project, version, output, limit)
    size = project.cache.present([oid]).get(oid)
    path = project.cache.path(oid)
    if size is None or path is None:
        return Preview("not here", reason="This file is not on this machine; fetch it to see it.")
    if name.endswith(_IMAGES):
        if size > _LARGEST_IMAGE:
            return Preview("binary", size=size, reason="This image is too large for a preview.")
        return Preview("image", path.read_bytes(), size)
    with path.open("rb") as file:
        return _text_or_binary(file.read(limit), size, limit)


def _object_of(project: Project, output: Output, entry: str | None) -> ObjectId | None:
    if not output.cached:
        return None
    if output.oid is None:
        raise NotFound(f"No content is recorded for {output.path}.")
    if entry is None:
        return output.oid
    for item in project.cache.manifest(output.oid).entries:
        if item.path == entry:
            return ObjectId(item.hash, legacy=output.oid.legacy)
    raise NotFound(f"{entry} is not in {output.path} at this version.")


def _preview_git(project: Project, version: Version, output: Output, limit: int) -> Preview:
    if version.kind is VersionKind.WORKSPACE:
        try:
            data = project.tree.read(output.path, limit=_LARGEST_IMAGE)
        except (OSError, UnsafePath):
            return Preview("not here", reason=f"{output.path} is not in the workspace.")
    else:
        blob = project.catalogue.blob(version, output.path)
        if blob is None:
            return Preview("not here", reason=f"{output.path} is not in Git at this version.")
        data = blob
    return _text_or_binary(data[:limit], len(data), limit)


def _text_or_binary(head: bytes, size: int, limit: int) -> Preview:
    """NUL bytes or broken UTF-8 (but for a character cut at the end) mean that it is not text."""
    truncated = size > len(head)
    if b"\0" in head:
        return Preview("binary", head[:4096], size, truncated, "This is a binary file.")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if not (truncated and error.start >= len(head) - 4):
            return Preview("binary", head[:4096], size, truncated, "This is not a text in UTF-8.")
        head = head[: error.start]
    return Preview("text", head, size, truncated)


# -- comparing -----------------------------------------------------------------------------------------


def compare(project: Project, before: Version, after: Version, progress: Progress = SILENT) -> TreeDiff:
    """What was added, changed, removed and renamed between two versions, down to single files.

    The workspace counts with the content it has on disk now. Sizes are None where nobody knows them yet.
    """
    progress = progress.child("Comparing")
    return compare_trees(_tree(project, before, progress), _tree(project, after, progress))


def _tree(project: Project, version: Version, progress: Progress) -> dict[str, tuple[str, int | None]]:
    if version.kind is VersionKind.WORKSPACE:
        return project.workspace.content(progress)
    found: dict[str, tuple[str, int | None]] = {}
    for out in snapshot(project, version, progress).outputs:
        if out.oid is None or not out.cached:
            continue
        if not out.oid.is_dir:
            found[out.path] = (out.oid.hash, out.size)
            continue
        listed = manifest(project, out, progress)
        sizes = entry_sizes(project, listed)
        for entry in listed.entries:
            found[f"{out.path}/{entry.path}"] = (entry.hash, sizes.get(entry.hash))
    return found
