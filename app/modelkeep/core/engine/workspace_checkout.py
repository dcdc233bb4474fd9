"""Decides how the workspace (or another folder) becomes what outputs record; changes nothing.

Follows dvc-format §7.7 where that is safe. A file whose content is in no object is *unsaved* and stands in the
way; files that `.dvcignore` covers are never touched; nothing is reached through a symbolic link.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from modelkeep.core.engine.cache_link import is_linked
from modelkeep.core.engine.workspace_hash import FileHashes, OnDisk
from modelkeep.core.engine.workspace_look import Seen, expected, hashes, look
from modelkeep.core.engine.workspace_scan import Ignore, parents
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.formats.manifest import make_manifest
from modelkeep.core.nouns import dataclass, field, replace
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import ObjectId, Output


class Placing(NamedTuple):
    """A file to write: its object and size, and the file it replaces (None: nothing may stand there, except
    a dangling link into the cache with `over_link`)."""

    path: str
    oid: ObjectId
    size: int
    is_exec: bool = False
    before: OnDisk | None = None
    over_link: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """A file to remove or replace: what it is now, and the objects of which each one holds its content."""

    path: str
    before: OnDisk
    copies: tuple[ObjectId, ...]
    first: bool = False


@dataclass(frozen=True, slots=True)
class CheckoutPlan:
    """What a checkout will do, by path relative to the project (or to the folder of an export).

    `unsaved` files would be lost and need `force`; `missing` names what has no object here; `blocked` is
    neither file nor folder and must be moved away by hand. `bytes` is what will be written.
    """

    create: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    bytes: int = 0
    request: Request | None = field(default=None, repr=False)
    placings: tuple[Placing, ...] = field(default=(), repr=False)
    removals: tuple[Removal, ...] = field(default=(), repr=False)
    replaced: tuple[Removal, ...] = field(default=(), repr=False)
    folders: tuple[str, ...] = field(default=(), repr=False)
    emptied: tuple[str, ...] = field(default=(), repr=False)
    make_exec: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether everything is in place already."""
        return not (self.placings or self.removals or self.folders or self.make_exec)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, to plan it anew under the lock. See `Workspace.plan_checkout`."""

    outputs: tuple[Output, ...]
    sub: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone: tuple[Output, ...] = ()
    target: Tree | None = None
    expect_fetched: bool = False
    relink: bool = False


@dataclass(frozen=True, slots=True)
class _Obstacles:
    """What stands in a folder besides its files: `foreign` is not ours to touch, `odd` cannot be data."""

    foreign: frozenset[str] = frozenset()
    odd: frozenset[str] = frozenset()

    @classmethod
    def of(cls, seen: Seen) -> _Obstacles:
        if seen.scan is None:
            return cls()
        scan = seen.scan
        foreign = (scan.ignored, scan.nested, scan.built_in, scan.ignore_files, scan.unsafe_names)
        odd = (scan.folder_links, scan.special, scan.broken_links)
        return cls(
            frozenset(name for names in foreign for name in names),
            frozenset(name for names in odd for name in names),
        )

    def __bool__(self) -> bool:
        return bool(self.foreign or self.odd)


class Planner:
    """Gathers the plan of one request. Use once."""

    def __init__(self, site: Site, request: Request, progress: Progress = SILENT) -> None:
        self._site = site
        self._request = request
        self._progress = progress
        self._tree = request.target or site.tree
        self._ignore = Ignore(self._tree.root, obeyed=request.target is None)
        self._placings: dict[str, Placing] = {}
        self._extra: dict[str, Removal] = {}
        self._kept: set[str] = set()
        self._blocked: set[str] = set()
        self._missing: set[str] = set()
        self._folders: set[str] = set()
        self._emptied: set[str] = set()
        self._make_exec: list[str] = []
        self._relinked: set[str] = set()
        self._unlisted: set[str] = set()
        self._unlisted_new: set[str] = set()

    def plan(self) -> CheckoutPlan:
        """Look at every output and put the findings together."""
        for out in self._request.outputs:
            if out.cached and out.oid is not None:
                self._progress.note(out.path)
                self._plan_output(out)
        for out in self._request.gone:
            if not self._site.git_tracked(out.path):
                self._plan_gone(out)
        self._site.memory.save()
        return self._finish()

    # -- one output ------------------------------------------------------------------------------------

    def _plan_output(self, out: Output) -> None:
        seen = look(self._tree, out.path, self._ignore, self._progress)
        wanted = expected(self._site, out)
        if wanted is None:
            self._plan_unlisted(out, seen)
            return
        chosen = self._chosen(out, wanted)
        in_the_way = _in_the_way(chosen, seen.files)
        if chosen is not wanted or self._request.target is not None:  # other files are none of our business
            near = {name: one for name, one in seen.files.items() if name in chosen or name in in_the_way}
            seen = replace(seen, files=near)
        found = hashes(self._site, out, seen, wanted, self._progress)
        if seen.odd and not self._is_into_cache(out.path):
            self._blocked.add(out.path)
            return
        if (
            found == chosen and seen.is_folder and not self._request.relink
        ):  # as most often: all is as it should be
            self._kept.update(f"{out.path}/{name}" for name in found)
            return
        obstacles = _Obstacles.of(seen)
        for name, md5 in chosen.items():
            self._plan_file(out, name, md5, seen, found, obstacles)
        if out.is_dir and not wanted and not seen.is_folder:
            self._folders.add(out.path)
        for name, file in seen.files.items():
            if name not in chosen:
                self._plan_extra(out, name, file, found[name], first=name in in_the_way)
        self._clear_folders(out, chosen, seen)

    def _chosen(self, out: Output, wanted: dict[str, str]) -> dict[str, str]:
        """The files asked for: all of them, or those at or below the names in `sub`."""
        names = self._request.sub.get(out.path)
        if names is None:
            return wanted
        chosen: dict[str, str] = {}
        for name in names:
            hits = {path: md5 for path, md5 in wanted.items() if path == name or path.startswith(f"{name}/")}
            if not hits:
                self._missing.add(f"{out.path}/{name}")
            chosen |= hits
        return chosen

    def _plan_unlisted(self, out: Output, seen: Seen) -> None:
        """The manifest is not here. Fine if the files on disk give just this one."""
        if seen.is_folder and self._request.target is None and out.oid is not None:
            found = hashes(self._site, out, seen, {}, self._progress)
            if make_manifest(found.items(), legacy=out.oid.legacy)[0].oid == out.oid:
                self._kept.update(f"{out.path}/{name}" for name in found)
                return
        self._missing.add(out.path)
        if self._request.expect_fetched:
            (self._unlisted_new if seen.is_absent else self._unlisted).add(out.path)

    def _plan_file(
        self, out: Output, name: str, md5: str, seen: Seen, found: Mapping[str, str], odd: _Obstacles
    ) -> None:
        path = f"{out.path}/{name}" if name else out.path
        oid = ObjectId(md5, legacy=out.oid is not None and out.oid.legacy)
        is_exec = out.is_exec and not name
        there = seen.files.get(name)
        if there is None:
            if not (name and odd and self._stays(path, name, odd)):
                over = seen.odd or name in odd.odd
                self._placings[path] = Placing(path, oid, 0, is_exec, over_link=over)
        elif found[name] == md5:
            self._kept.add(path)
            if is_exec and not there.facts.st_mode & 0o100 and _is_own(there):
                self._make_exec.append(path)
            if self._request.relink and not self._is_right_link(there, oid, is_exec):
                self._placings[path] = Placing(path, oid, 0, is_exec, there)
                self._relinked.add(path)
        else:
            self._placings[path] = Placing(path, oid, 0, is_exec, there)
            self._extra[path] = Removal(path, there, self._copies(out, there, found[name]))

    def _is_right_link(self, there: OnDisk, oid: ObjectId, is_exec: bool) -> bool:
        kind = "copy" if is_exec else self._site.link_types[0]
        return is_linked(kind, there.path, self._site.cache.path(oid))

    def _stays(self, path: str, name: str, obstacles: _Obstacles) -> bool:
        """Whether what is at `path`, no file to the scan, is left as it is: not ours, or in the way."""
        if any(up in obstacles.foreign for up in (name, *parents(name))):
            return os.path.lexists(self._tree.path(path))
        way = next((one for one in (name, *parents(name)) if one in obstacles.odd), None)
        if way is None or (way == name and self._is_into_cache(path)):
            return False
        self._blocked.add(path[: len(path) - len(name)] + way)
        return True

    def _is_into_cache(self, path: str) -> bool:
        """Whether `path` is a link to an object that is gone."""
        return self._site.is_into_cache(self._tree.path(path))

    def _plan_extra(self, out: Output, name: str, file: OnDisk, md5: str, *, first: bool) -> None:
        path = f"{out.path}/{name}" if name else out.path
        if path not in self._extra or first:
            self._extra[path] = Removal(path, file, self._copies(out, file, md5), first)

    def _copies(self, out: Output, file: OnDisk, md5: str) -> tuple[ObjectId, ...]:
        if not md5:
            return ()
        if out.oid is None or not out.oid.legacy:
            return (ObjectId(md5),)
        plain = FileHashes(self._site.memory).of(file, self._progress)
        return ObjectId(md5, legacy=True), ObjectId(plain)

    def _clear_folders(self, out: Output, chosen: Mapping[str, str], seen: Seen) -> None:
        """Folders that stand where a file must go: they go if they are empty by then."""
        if seen.scan is None:
            return
        scan = seen.scan
        listed = (
            scan.ignored,
            scan.special,
            scan.folder_links,
            scan.broken_links,
            scan.built_in,
            scan.nested,
        )
        others = {name for names in listed for name in names}
        for folder in ["", *scan.folders]:
            if folder in chosen or any(up in chosen for up in parents(folder)) or "" in chosen:
                inside = [name for name in others if not folder or f"{name}/".startswith(f"{folder}/")]
                base = f"{out.path}/{folder}" if folder else out.path
                self._blocked.update(f"{out.path}/{name}" for name in inside)
                self._emptied.add(base)

    def _plan_gone(self, out: Output) -> None:
        """An output that the version does not have: its files go as far as nothing else wants them."""
        seen = look(self._tree, out.path, self._ignore, self._progress)
        wanted = expected(self._site, out) or {}
        found = hashes(self._site, out, seen, wanted, self._progress)
        for name, file in seen.files.items():
            self._plan_extra(out, name, file, found[name], first=False)

    # -- all together ----------------------------------------------------------------------------------

    def _finish(self) -> CheckoutPlan:
        extra = [one for path, one in self._extra.items() if path not in self._kept]
        copies = {oid for one in extra for oid in one.copies}
        needed = {one.oid for one in self._placings.values()}
        here = self._site.cache.present(needed | copies, self._progress)
        placings = self._available(here)
        paths = {one.path for one in placings} | (self._placings.keys() - self._relinked)
        new = {one.path for one in self._placings.values() if one.before is None}
        return CheckoutPlan(
            create=_sorted(new | self._unlisted_new),
            replace=_sorted((paths - new) | self._unlisted),
            delete=_sorted(one.path for one in extra if one.path not in paths),
            unsaved=_sorted(one.path for one in extra if not any(oid in here for oid in one.copies)),
            missing=() if self._request.expect_fetched else _sorted(self._missing),
            blocked=_sorted(self._blocked),
            bytes=sum(one.size for one in placings),
            request=self._request,
            placings=tuple(placings),
            removals=tuple(one for one in extra if one.path not in paths),
            replaced=tuple(one for one in extra if one.path in paths),
            folders=_sorted(self._folders),
            emptied=_sorted(self._emptied),
            make_exec=_sorted(self._make_exec),
        )

    def _available(self, here: Mapping[ObjectId, int]) -> list[Placing]:
        found = []
        for one in self._placings.values():
            if one.oid in here:
                size = here[one.oid]
                found.append(one._replace(size=size))
            elif one.path not in self._relinked:  # what is in place already needs no object
                self._missing.add(one.path)
        return sorted(found, key=lambda one: one.path)


def _in_the_way(chosen: Mapping[str, str], present: Iterable[str]) -> set[str]:
    """Files that stand where a folder must be, or below where a file must be."""
    if "" in chosen:
        return {name for name in present if name}
    needed = {up for name in chosen for up in parents(name)}
    needed |= {""} if chosen else set()
    return {name for name in present if name in needed or any(up in chosen for up in parents(name))}


def _is_own(file: OnDisk) -> bool:
    """Whether changing the mode of a file changes no other: it is neither a link nor hard-linked."""
    return file.facts.st_nlink == 1 and not os.path.islink(file.path)


def _sorted(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(paths))


def plan_checkout(
    site: Site,
    outputs: Sequence[Output],
    *,
    sub: Mapping[str, tuple[str, ...]] | None = None,
    gone: Sequence[Output] = (),
    target: Tree | None = None,
    expect_fetched: bool = False,
    relink: bool = False,
    progress: Progress = SILENT,
) -> CheckoutPlan:
    """See `Workspace.plan_checkout`."""
    request = Request(tuple(outputs), dict(sub or {}), tuple(gone), target, expect_fetched, relink)
    return Planner(site, request, progress.child("Comparing with the workspace")).plan()
