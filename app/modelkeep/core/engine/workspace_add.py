"""Records data: objects into the cache, then the metafile, then the line in .gitignore, each durable in turn.

So a metafile names only objects that are safe on disk (safety rule R2). Data files keep their content, mode and
place. Which targets are allowed is decided in `workspace_targets`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from modelkeep.core.durable import write_file
from modelkeep.core.engine.cache import Inserted, Source
from modelkeep.core.engine.workspace_look import Seen, expected, hashes
from modelkeep.core.engine.workspace_scan import parents
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.engine.workspace_targets import Target, find_targets
from modelkeep.core.engine.workspace_upgrade import upgrade
from modelkeep.core.errors import MissingObjects, NotFound, UsageError
from modelkeep.core.formats.ignore import with_ignored
from modelkeep.core.formats.manifest import make_manifest
from modelkeep.core.formats.metafile import Recorded, metafile_wdir, new_metafile, update_metafile
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Change, Changes, ObjectId, Output, Snapshot


@dataclass(slots=True)
class _Done:
    """What was written so far, for the report."""

    changed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def add(
    site: Site,
    known: Snapshot,
    paths: Sequence[str],
    *,
    file: str | None,
    progress: Progress = SILENT,
) -> Changes:
    """Record checked project paths as they are on disk now. The caller holds the locks."""
    if not paths:
        raise UsageError("Nothing to add.", hint="Name files or folders.")
    if file is not None and len(paths) != 1:
        raise UsageError("--file names the metafile of exactly one file or folder.")
    found = find_targets(site, known, paths, file, progress)
    ready = [one for one in found if not _is_unchanged_legacy(site, one, progress)]
    inserted = _insert(site, ready, progress)
    done = _Done(files=len(inserted), bytes=sum(one.size for one in inserted.values()))
    for target in found:
        done.notes += _notes(site, target)
    for group in _by_output(ready):
        _record(site, group, inserted, done, progress)
    for target in found:
        changed = None if target.inside else ignore_in_git(site, target.path)
        if changed is not None and changed not in done.changed:
            done.changed.append(changed)
    _stage_in_git(site, done.changed)
    site.memory.save()
    return _report(found, done)


# -- objects ------------------------------------------------------------------------------------------


def _is_unchanged_legacy(site: Site, target: Target, progress: Progress) -> bool:
    """Whether data recorded by DVC 2 is just what it was: then its metafile stays as it is (§1.5)."""
    out = target.output
    if out is None or out.oid is None or not out.oid.legacy:
        return False
    if target.inside:
        return _is_unchanged_part(site, target, progress)
    if target.seen.is_folder != out.is_dir:
        return False
    wanted = expected(site, out)
    found = hashes(site, out, target.seen, wanted or {}, progress)
    if wanted is None:
        return make_manifest(found.items(), legacy=True)[0].oid == out.oid
    return found == wanted


def _is_unchanged_part(site: Site, target: Target, progress: Progress) -> bool:
    out = target.output
    wanted = expected(site, out) if out is not None else None
    if out is None or wanted is None:
        return False
    part = {
        name[len(target.inside) + 1 :]: md5
        for name, md5 in wanted.items()
        if f"{name}/".startswith(f"{target.inside}/")
    }
    return bool(part) and hashes(site, out, target.seen, part, progress) == part


def _insert(site: Site, targets: Iterable[Target], progress: Progress) -> dict[str, Inserted]:
    sources: list[Source] = []
    size = 0
    for target in targets:
        links = set(target.seen.scan.links) if target.seen.scan else set()
        prefix = target.data_path
        for name, one in target.seen.files.items():
            path = f"{prefix}/{name}" if name else prefix
            follow = name in links if name else site.is_into_cache(site.root / path)
            sources.append(Source(path, one.facts, follow))
            size += one.facts.st_size
    progress = progress.child("Adding", size, files=len(sources))
    return site.cache.insert_files(site.tree, sources, progress, memory=site.memory)


# -- metafiles ----------------------------------------------------------------------------------------


def _by_output(targets: Iterable[Target]) -> list[list[Target]]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.path, []).append(target)
    return list(groups.values())


def _record(
    site: Site, group: Sequence[Target], inserted: Mapping[str, Inserted], done: _Done, progress: Progress
) -> None:
    """Write the metafile of one output: recorded whole, or some parts of it."""
    target = group[0]
    text = _text(site, target.metafile)
    if target.inside:
        assert target.output is not None
        recorded = _parts(site, target.output, group, inserted, progress)
    else:
        recorded = _whole(site, target.path, target.seen, inserted)
    folder = posixpath.dirname(target.metafile)
    base = metafile_wdir(text, target.metafile) if text is not None else posixpath.dirname(target.path)
    recorded = _at(recorded, posixpath.relpath(target.path, base or "."))
    if text is not None:
        fresh = update_metafile(text, target.metafile, [recorded])
    else:
        fresh = new_metafile([recorded], wdir=posixpath.relpath(base or ".", folder or "."))
    if fresh != text:
        write_file(site.tree, target.metafile, fresh)
        done.changed.append(target.metafile)


def _at(recorded: Recorded, path: str) -> Recorded:
    return Recorded(path, recorded.oid, recorded.size, recorded.nfiles, recorded.is_exec)


def _whole(site: Site, path: str, seen: Seen, inserted: Mapping[str, Inserted]) -> Recorded:
    if not seen.is_folder:
        one = inserted[path]
        is_exec = bool(seen.files[""].facts.st_mode & 0o100)
        return Recorded("", ObjectId(one.hash), one.size, is_exec=is_exec)
    entries = {name: inserted[f"{path}/{name}"] for name in seen.files}
    _, data = make_manifest([(name, one.hash) for name, one in entries.items()])
    oid = site.cache.put(data, is_dir=True)
    return Recorded("", oid, sum(one.size for one in entries.values()), len(entries))


def _parts(
    site: Site, out: Output, group: Sequence[Target], inserted: Mapping[str, Inserted], progress: Progress
) -> Recorded:
    """The folder output as recorded, with what lies at the targets now in place of what lay there."""
    wanted = expected(site, out) if out.is_dir else None
    if wanted is None:
        raise MissingObjects(
            f"The list of files of {visible(out.path)} is not here, so a part of it cannot be recorded.",
            hint=f"Fetch it first: modelkeep fetch {out.path}",
            paths=(out.path,),
        )
    entries = dict(wanted)
    new: dict[str, Inserted] = {}
    dropped: list[str] = []
    for target in group:
        gone = _covered(entries, target.inside)
        if not gone and target.seen.is_absent:
            raise NotFound(f"There is no file or folder {visible(target.data_path)}.")
        dropped += [entries.pop(name) for name in gone]
        for name in target.seen.files:
            inner = f"{target.inside}/{name}" if name else target.inside
            new[inner] = inserted[f"{out.path}/{inner}"]
    legacy = out.oid is not None and out.oid.legacy
    if legacy:  # then all of it is recorded anew
        new |= upgrade(site, out, entries, progress)
        entries = {}
    _, data = make_manifest([*entries.items(), *((name, one.hash) for name, one in new.items())])
    oid = site.cache.put(data, is_dir=True)
    gained = sum(one.size for one in new.values())
    size = gained if legacy else _new_size(site, out, oid, dropped, gained)
    return Recorded("", oid, size, len(entries) + len(new))


def _covered(entries: Mapping[str, str], inside: str) -> list[str]:
    """The recorded files at or below `inside`, and any file that stands where it needs a folder."""
    above = {up for up in parents(inside) if up in entries}
    return [name for name in entries if name == inside or name.startswith(f"{inside}/") or name in above]


def _new_size(site: Site, out: Output, oid: ObjectId, dropped: Sequence[str], gained: int) -> int | None:
    if oid == out.oid or out.size is None:
        return out.size
    sizes = site.cache.present([ObjectId(md5) for md5 in set(dropped)])
    if any(ObjectId(md5) not in sizes for md5 in dropped):
        return None  # not known without fetching what was replaced; DVC leaves it out as well
    return out.size - sum(sizes[ObjectId(md5)] for md5 in dropped) + gained


# -- Git ----------------------------------------------------------------------------------------------


def ignore_in_git(site: Site, path: str) -> str | None:
    """Make Git ignore the data at `path` unless it does; returns the `.gitignore` that was changed, if any."""
    if site.history is None or site.git_ignored([path]):
        return None
    folder, _, name = path.rpartition("/")
    file = f"{folder}/.gitignore" if folder else ".gitignore"
    text = _text(site, file)
    fresh = with_ignored(text, name)
    if fresh is None or fresh == text:
        return None
    write_file(site.tree, file, fresh)
    return file


def _text(site: Site, relpath: str) -> bytes | None:
    """A file of the project as it is; never what a link leads to, which would be published with it."""
    try:
        return site.tree.read(relpath)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stage_in_git(site: Site, paths: Sequence[str]) -> None:
    """What `core.autostage` asks for, if the user's own config sets it: the repository's is not obeyed."""
    autostage = (site.user_setting("core", "autostage") or "").lower() == "true"
    if site.history is not None and paths and autostage:
        site.history.stage(list(paths))


# -- the report ---------------------------------------------------------------------------------------


def _notes(site: Site, target: Target) -> list[str]:
    scan = target.seen.scan
    if scan is None:
        return []
    empty = _empty_folders(scan.folders, scan.files)
    folder = site.root / target.data_path
    links = [name for name in scan.links if not site.is_into_cache(folder / name)]
    facts = (
        (scan.ignored, "ignored by .dvcignore, not recorded"),
        (scan.built_in, "Git's own, not recorded"),
        (links, "symbolic links, recorded by the content they lead to"),
        (scan.folder_links, "symbolic links to folders, not recorded: put the folder itself there"),
        (empty, "empty folders, not recorded"),
    )
    where = visible(target.data_path)
    return [f"{where}: {_counted(names)} ({fact})." for names, fact in facts if names]


def _counted(names: Sequence[str]) -> str:
    first = visible(min(names))
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _empty_folders(folders: Iterable[str], files: Iterable[str]) -> list[str]:
    holding = {up for name in files for up in parents(name)}
    return [folder for folder in folders if folder not in holding]


def _report(found: Sequence[Target], done: _Done) -> Changes:
    names = ", ".join(visible(one.data_path) for one in found[:3])
    if len(found) > 3:
        names += f" and {len(found) - 3} more"
    verb = "is recorded" if done.changed else "is unchanged"
    verb = verb.replace("is", "are") if len(found) > 1 else verb
    return Changes(
        what=Change.METAFILES | Change.CACHE if done.changed else Change.CACHE,
        summary=f"{names} {verb}.",
        paths=tuple(done.changed),
        files=done.files,
        bytes=done.bytes,
        notes=tuple(done.notes),
    )
