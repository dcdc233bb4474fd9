"""What is tracked at a version, from Git blobs alone: never from the working tree, the cache or a remote.

Each distinct tree is read once and each distinct metafile parsed once per process, so five hundred tags
cost little more than one (dvc-format §2.3 for what counts). Safe from several threads; they take turns.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from modelkeep.core.engine.catalogue_plain import PlainVersions
from modelkeep.core.engine.catalogue_trees import Found, Trees
from modelkeep.core.engine.history import History
from modelkeep.core.engine.history_objects import GitObject, Objects, find
from modelkeep.core.errors import InvalidFile, ModelkeepError
from modelkeep.core.formats.ignore import IgnoreRules, has_rules
from modelkeep.core.formats.metafile import parse_metafile
from modelkeep.core.formats.pipeline import pipeline_outputs
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Output, Problem, Snapshot, Version


class _Parsed(NamedTuple):
    """What one metafile says, or why it could not be read."""

    outputs: tuple[Output, ...] = ()
    problems: tuple[Problem, ...] = ()


class _Pipeline(NamedTuple):
    """What a dvc.yaml says as long as the files it was resolved with (path -> blob id) are the same."""

    reads: tuple[tuple[str, str | None], ...]
    parsed: _Parsed


class Catalogue:
    """The snapshots of a project's history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._plain = PlainVersions()
        self._trees = Trees()
        self._metafiles: dict[Found, _Parsed] = {}
        self._pipelines: dict[tuple[Found, str | None], list[_Pipeline]] = {}
        self._ignoring: dict[tuple[Found, ...], Callable[[str], bool] | None] = {}
        self._contents: dict[str, _Parsed] = {}

    def snapshot(self, version: Version, progress: Progress = SILENT) -> Snapshot:
        """What is tracked at `version`, which must have a commit."""
        return self.snapshots([version], progress)[version.key]

    def snapshots(self, versions: Sequence[Version], progress: Progress = SILENT) -> dict[str, Snapshot]:
        """The snapshots of `versions` by their key. Unreadable metafiles become problems of their snapshot."""
        if not versions:
            return {}
        with self._lock, self._history.objects() as objects:
            commits = list(dict.fromkeys(version.commit for version in versions))
            tops = self._roots(objects, commits)
            roots = {commit: top.id if top else "" for commit, top in zip(commits, tops, strict=True)}
            new = {top.id: top for top in tops if top and top.id not in self._contents}
            plain = self._plain.read(objects, list(new.values()), progress)
            self._contents |= {root: _Parsed(outputs) for root, outputs in plain.items()}
            others = [root for root in new if root not in plain]
            self._trees.load(objects, others)
            texts = self._read_metafiles(objects, others)
            for root in others:
                progress.check()
                self._contents[root] = _Reader(self, objects, root, texts).read()
            return {one.key: self._snapshot(one, roots[one.commit]) for one in versions}

    def blob(self, version: Version, path: str) -> bytes | None:
        """The content of the regular file at `path` (relative to the project) in Git at `version`, or None."""
        return self._history.blob(version.commit, path)

    def blobs(self, versions: Iterable[Version], path: str) -> dict[str, bytes | None]:
        """The content of the regular file at `path` in each version, by commit; None where there is none."""
        found: dict[str, bytes | None] = {}
        texts: dict[str, bytes | None] = {}
        with self._history.objects() as objects:
            for version in versions:
                entry = find(objects, version.commit, self._history.prefix + path)
                if entry is None or not entry.is_file:
                    found[version.commit] = None
                    continue
                if entry.id not in texts:
                    blob = objects.read([entry.id])[0]
                    texts[entry.id] = None if blob is None else blob.data
                found[version.commit] = texts[entry.id]
        return found

    def _snapshot(self, version: Version, root: str) -> Snapshot:
        if not root:
            return Snapshot(version)
        contents = self._contents[root]
        return Snapshot(version, contents.outputs, contents.problems)

    def _roots(self, objects: Objects, commits: Sequence[str]) -> list[GitObject | None]:
        """The tree of the project's folder in each commit, None where it does not exist."""
        prefix = self._history.prefix.rstrip("/")
        if "\n" in prefix:  # git is asked by lines
            entries = [find(objects, commit, prefix) for commit in commits]
            found = objects.read([one.id if one is not None else "" for one in entries])
        else:
            found = objects.read([f"{commit}:{prefix}" for commit in commits])
        return [one if one is not None and one.type == "tree" else None for one in found]

    def _read_metafiles(self, objects: Objects, roots: Iterable[str]) -> dict[str, bytes | None]:
        """The texts of all metafiles below `roots` that were not parsed before, each read once."""
        wanted = dict.fromkeys(
            file.id
            for root in roots
            for file in self._trees.search(root).files
            if file not in self._metafiles
        )
        return {
            name: None if found is None else found.data
            for name, found in zip(wanted, objects.read(list(wanted)), strict=True)
        }

    # -- each metafile once; called by _Reader -----------------------------------------------------------

    def metafile(self, file: Found, text: Callable[[str], bytes | None]) -> _Parsed:
        """What the `.dvc` file says."""
        if file not in self._metafiles:
            self._metafiles[file] = _guarded(
                file.path, lambda: _Parsed(parse_metafile(_there(text(file.id), file.path), file.path))
            )
        return self._metafiles[file]

    def ignoring(
        self, files: tuple[Found, ...], text: Callable[[str], bytes | None]
    ) -> Callable[[str], bool] | None:
        """Tells which paths these `.dvcignore` files (outer ones first) ignore; None where they say nothing."""
        if files not in self._ignoring:
            texts = {file: text(file.id) or b"" for file in files}
            rules = IgnoreRules() if any(map(has_rules, texts.values())) else None
            for file, content in texts.items():
                if rules is not None and not _is_ignored(rules, file.path):
                    rules.add(file.path.rpartition("/")[0], content)
            # Thousands of versions ask about the same few paths.
            known = None if rules is None else functools.cache(functools.partial(_is_ignored, rules))
            self._ignoring[files] = known
        return self._ignoring[files]

    def pipeline(
        self,
        file: Found,
        lock: Found | None,
        blob_id: Callable[[str], str | None],
        text: Callable[[str], bytes | None],
    ) -> _Parsed:
        """What the `dvc.yaml` and its lock say together with the files they refer to."""
        known = self._pipelines.setdefault((file, lock.id if lock else None), [])
        for one in known:
            if all(blob_id(path) == expected for path, expected in one.reads):
                return one.parsed
        reads: dict[str, str | None] = {}

        def read(path: str) -> bytes | None:
            reads[path] = blob_id(path)
            return text(reads[path] or "")

        def resolve() -> _Parsed:
            yaml = _there(text(file.id), file.path)
            return _Parsed(*pipeline_outputs(file.path, yaml, text(lock.id) if lock else None, read))

        parsed = _guarded(file.path, resolve)
        known.append(_Pipeline(tuple(reads.items()), parsed))
        return parsed


class _Reader:
    """Reads one version: the project's tree `root`."""

    def __init__(
        self, catalogue: Catalogue, objects: Objects, root: str, texts: dict[str, bytes | None]
    ) -> None:
        self._catalogue = catalogue
        self._objects = objects
        self._root = root
        self._texts = texts
        self._search = catalogue._trees.search(root)

    def read(self) -> _Parsed:
        files = self._files()
        locks = {file.path: file for file in files if _name(file) == "dvc.lock"}
        parsed = [self._parse(file, locks) for file in files]
        outputs = [out for one in parsed for out in one.outputs]
        folders = {out.path for out in outputs}
        outside = [out for out in outputs if not _is_below(out.metafile, folders)]
        problems = [problem for one in parsed for problem in one.problems]
        problems += [
            Problem(visible(folder) or ".", "This folder could not be read from Git.")
            for folder in self._search.unread
        ]
        outputs, doubled = _without_doubles(outside)
        return _Parsed(tuple(outputs), (*problems, *doubled))

    def _files(self) -> list[Found]:
        """The metafiles that count: those that the `.dvcignore` files of this version leave."""
        every = self._search.files
        ignores = sorted(
            (f for f in every if _name(f) == ".dvcignore"), key=lambda f: (f.path.count("/"), f.path)
        )
        others = [file for file in every if _name(file) != ".dvcignore"]
        if not ignores:
            return others
        is_ignored = self._catalogue.ignoring(tuple(ignores), self._text)
        return others if is_ignored is None else [file for file in others if not is_ignored(file.path)]

    def _parse(self, file: Found, locks: dict[str, Found]) -> _Parsed:
        if file.path.endswith(".dvc"):
            return self._catalogue.metafile(file, self._text)
        if _name(file) == "dvc.lock":
            return _Parsed()
        lock = locks.get(f"{file.path.removesuffix('dvc.yaml')}dvc.lock")
        return self._catalogue.pipeline(file, lock, self._blob_id, self._text)

    def _text(self, blob: str) -> bytes | None:
        if not blob:
            return None
        if blob not in self._texts:
            found = self._objects.read([blob])[0]
            self._texts[blob] = None if found is None else found.data
        return self._texts[blob]

    def _blob_id(self, path: str) -> str | None:
        entry = self._catalogue._trees.find(self._objects, self._root, path)
        return entry.id if entry is not None and entry.is_file else None


def _guarded(path: str, work: Callable[[], _Parsed]) -> _Parsed:
    try:
        return work()
    except InvalidFile as error:
        reason = f"{error.entry}: {error.reason}" if error.entry else error.reason
        return _Parsed(problems=(Problem(visible(path), reason),))
    except ModelkeepError as error:
        return _Parsed(problems=(Problem(visible(path), error.title),))


def _there(data: bytes | None, path: str) -> bytes:
    if data is None:
        raise ModelkeepError(f"{visible(path)} is not in this copy of the repository, or far too large.")
    return data


def _name(file: Found) -> str:
    return file.path.rpartition("/")[2]


def _is_ignored(rules: IgnoreRules, path: str) -> bool:
    parts = path.split("/")
    above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return any(rules.ignores(folder, True) for folder in above) or rules.ignores(path, False)


def _is_below(path: str, folders: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts)))


def _without_doubles(outputs: Iterable[Output]) -> tuple[list[Output], list[Problem]]:
    kept: dict[str, Output] = {}
    problems = []
    for out in sorted(outputs, key=lambda one: (one.path, one.metafile)):
        first = kept.setdefault(out.path, out)
        if first is not out:
            problems.append(Problem(out.metafile, f"{out.path} is tracked by {first.metafile} as well."))
    return list(kept.values()), problems
