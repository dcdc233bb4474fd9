"""Finds the metafiles on disk and reads what the workspace tracks; touches no data and writes nothing.

Follows dvc-format §2.3 for the workspace: what Git or `.dvcignore` ignores is not looked at, nor nested DVC
projects, symbolic links, or the inside of tracked folders. What was read before is remembered by its bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from modelkeep.core.engine.workspace_scan import Ignore, parents
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import InvalidFile, ModelkeepError, UnsafePath
from modelkeep.core.formats.metafile import parse_metafile
from modelkeep.core.formats.pipeline import pipeline_outputs
from modelkeep.core.paths import safe_relpath
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import WORKSPACE, Output, Problem, Snapshot

Found = tuple[tuple[Output, ...], tuple[Problem, ...]]
Reader = Callable[[str], bytes | None]


class Outputs:
    """Reads the tracked outputs from disk, again and again, each changed metafile once. One thread."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, tuple[dict[str, bytes | None], Found]] = {}
        #: Folders and metafiles that the last reading could not look into: what they track is not known.
        self.unread: list[str] = []

    def read(self, progress: Progress = SILENT) -> Snapshot:
        """Everything tracked right now, sorted by path, with what could not be read."""
        outputs: list[Output] = []
        problems: list[Problem] = []
        ignore = Ignore(self._site.root)
        self.unread = []
        tracked: set[str] = set()
        level = [""]
        while level:
            progress.check()
            try:
                metafiles, folders = self._list(level, ignore)
            except InvalidFile as error:  # a .dvcignore: what it covers is not known, so nothing is skipped
                problems.append(Problem(error.file, error.reason))
                metafiles, folders = self._list(level, ignore)
            skipped = self._site.git_ignored([*metafiles, *folders])
            for metafile in metafiles:
                if metafile not in skipped:
                    found, wrong = self._read_one(metafile)
                    outputs += found
                    problems += wrong
            tracked.update(out.path for out in outputs)
            level = [folder for folder in folders if folder not in skipped and folder not in tracked]
        kept = [out for out in outputs if not any(up in tracked for up in parents(out.metafile))]
        single, overlaps = _without_overlaps(sorted(kept, key=lambda out: out.path))
        return Snapshot(WORKSPACE, tuple(single), (*problems, *overlaps))

    def _list(self, level: Iterable[str], ignore: Ignore) -> tuple[list[str], list[str]]:
        metafiles: list[str] = []
        folders: list[str] = []
        for folder in level:
            entries = self._scan(folder)
            if folder and any(entry.name == ".dvc" and entry.is_dir() for entry in entries):
                continue
            ignore.enter(folder)
            prefix = f"{folder}/" if folder else ""
            for entry in entries:
                is_dir = entry.is_dir(follow_symlinks=False)
                if not _is_text(entry.name) or ignore.covers(prefix + entry.name, is_dir):
                    continue
                if is_dir and entry.name not in (".dvc", ".git", ".hg"):
                    folders.append(prefix + entry.name)
                elif is_metafile(entry.name) and entry.is_file(follow_symlinks=False):
                    metafiles.append(prefix + entry.name)
        return sorted(metafiles), folders

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._site.root / folder) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):  # gone meanwhile
            return []
        except OSError:
            self.unread.append(folder)
            return []

    def _read_one(self, metafile: str) -> Found:
        known = self._known.get(metafile)
        if known and known[0][metafile] and all(self._bytes(path) == data for path, data in known[0].items()):
            return known[1]
        used: dict[str, bytes | None] = {}

        def read(path: str) -> bytes | None:
            used[path] = self._bytes(path)
            return used[path]

        found = outputs_of(metafile, read)
        if used[metafile] is None:
            self.unread.append(metafile)
        self._known[metafile] = used, found
        return found

    def _bytes(self, relpath: str) -> bytes | None:
        try:
            return self._site.tree.read(safe_relpath(relpath))
        except (OSError, UnsafePath):
            return None


def outputs_of(metafile: str, read: Reader) -> Found:
    """What one metafile tracks, whose bytes (and those it refers to) `read` gives."""
    data = read(metafile)
    if data is None:
        return (), ()
    try:
        if metafile.endswith(".dvc"):
            return parse_metafile(data, metafile), ()
        return pipeline_outputs(metafile, data, read(metafile.removesuffix("yaml") + "lock"), read)
    except InvalidFile as error:
        return (), (Problem(metafile, error.reason),)
    except ModelkeepError as error:
        return (), (Problem(metafile, error.title),)


def is_metafile(name: str) -> bool:
    """Whether a file of this name says what is tracked."""
    return name == "dvc.yaml" or (name.endswith(".dvc") and name != ".dvc")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_overlaps(outputs: Iterable[Output]) -> tuple[list[Output], list[Problem]]:
    """The outputs, sorted by path, without those that another one is or holds: these become problems."""
    owner: dict[str, str] = {}
    kept, problems = [], []
    for out in outputs:
        above = next((up for up in (out.path, *parents(out.path)) if up in owner), None)
        if above is not None:
            problems.append(Problem(out.metafile, f"{out.path} is already tracked by {owner[above]}."))
        else:
            owner[out.path] = out.metafile
            kept.append(out)
    return kept, problems
