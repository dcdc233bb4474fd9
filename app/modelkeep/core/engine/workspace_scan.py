"""One pass over a folder of the workspace: which files DVC would record, and what it would not.

Knows the `.dvcignore` rules and what may stand in a tracked folder (dvc-format §3); never opens a data file
and knows neither hashes nor metafiles. Symbolic links are looked at, never walked through.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from modelkeep.core.errors import InvalidFile, Refused, UnsafePath
from modelkeep.core.formats.ignore import IgnoreRules, has_rules
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import read_small, safe_relpath, visible
from modelkeep.core.progress import SILENT, Progress

IGNORE_FILE = ".dvcignore"
_BUILT_IN = frozenset({".git", ".hg", ".dvc"})
# Only names that begin like this can mean `.git` and its kind; anything else ASCII needs no closer look.
_SUSPICIOUS = (".git", ".dvc", ".hg", "git~", ".")


class Ignore:
    """The `.dvcignore` rules of a project, read folder by folder as a walk comes by."""

    def __init__(self, root: Path, *, obeyed: bool = True) -> None:
        """With `obeyed` False there are no rules: outside a project a `.dvcignore` is a file like any other."""
        self._root = root
        self._obeyed = obeyed
        self._rules: IgnoreRules | None = None  # made with the first rule: many projects have none
        self._read: set[str] = set()

    def enter(self, folder: str) -> None:
        """Take the rules of `folder` (relative to the project, "" for its root) into account."""
        if not self._obeyed or folder in self._read:
            return
        self._read.add(folder)
        path = os.path.join(self._root, folder, IGNORE_FILE)
        try:
            text = read_small(Path(path))
        except (FileNotFoundError, NotADirectoryError):
            return
        except UnsafePath as error:
            if os.path.isdir(path):
                return
            raise InvalidFile(f"{folder}/{IGNORE_FILE}".lstrip("/"), "is not a regular file") from error
        if has_rules(text):
            self._rules = self._rules or IgnoreRules()
            self._rules.add(folder, text)

    def enter_parents(self, relpath: str) -> None:
        """Take the rules of all folders above `relpath` into account."""
        self.enter("")
        for place, char in enumerate(relpath):
            if char == "/":
                self.enter(relpath[:place])

    @property
    def any_rules(self) -> bool:
        """Whether a rule was found so far: without one, no path needs to be asked about."""
        return self._rules is not None

    def covers(self, relpath: str, is_dir: bool) -> bool:
        """Whether `relpath` is ignored; its parents were entered and are not ignored themselves."""
        return self._rules is not None and self._rules.ignores(relpath, is_dir)

    def covers_with_parents(self, relpath: str, is_dir: bool) -> bool:
        """Whether `relpath` or a folder above it is ignored."""
        self.enter_parents(relpath)
        cuts = [place for place, char in enumerate(relpath) if char == "/"]
        return any(self.covers(relpath[:cut], True) for cut in cuts) or self.covers(relpath, is_dir)


@dataclass(slots=True)
class Scan:
    """What a folder holds; all paths are relative to it.

    `files` are recordable, with their facts (for a link those of the file it leads to). `links` are those of
    them that are symbolic links. The other lists are what DVC refuses or leaves out without a word.
    """

    files: dict[str, os.stat_result] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    folder_links: list[str] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    unsafe_names: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    ignore_files: list[str] = field(default_factory=list)
    built_in: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all recordable files."""
        return sum(facts.st_size for facts in self.files.values())


def scan_folder(path: str, relpath: str, ignore: Ignore, progress: Progress = SILENT) -> Scan:
    """Walk the folder at absolute `path`, known in the project as `relpath`, once.

    The caller has made sure that no parent of `path` is a link. A folder that vanishes meanwhile counts as
    empty.
    """
    scan = Scan()
    ignore.enter_parents(f"{relpath}/x")
    waiting = [""]
    while waiting:
        progress.check()
        folder = waiting.pop()
        entries = _list(os.path.join(path, folder) if folder else path)
        if any(entry.name == ".dvc" and entry.is_dir(follow_symlinks=False) for entry in entries):
            scan.nested.append(folder)
            continue
        inner = f"{relpath}/{folder}" if folder else relpath
        ignore.enter(inner)
        prefix = f"{folder}/" if folder else ""
        plain = not ignore.any_rules
        for entry in entries:
            if plain and _is_ordinary(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    scan.files[prefix + entry.name] = entry.stat(follow_symlinks=False)
            elif entry.is_dir(follow_symlinks=False):
                if _descends(scan, entry.name, prefix, inner, ignore):
                    scan.folders.append(prefix + entry.name)
                    waiting.append(prefix + entry.name)
            else:
                _sort_in(scan, entry, prefix + entry.name, inner, ignore)
    return scan


def _list(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(error, path) from error


def unreadable(error: OSError, path: str) -> Refused:
    """The operating system's refusal to read something of the user's as an error a person understands."""
    return Refused(
        f"{visible(path)} cannot be read: {error.strerror}.",
        hint="Check who owns it and its permissions; nothing was changed.",
        paths=(path,),
    )


def _descends(scan: Scan, name: str, prefix: str, folder: str, ignore: Ignore) -> bool:
    if name in _BUILT_IN:
        scan.built_in.append(prefix + name)
    elif not recordable_name(name):
        scan.unsafe_names.append(prefix + name)
    elif ignore.covers(f"{folder}/{name}", True):
        scan.ignored.append(prefix + name)
    else:
        return True
    return False


def _sort_in(scan: Scan, entry: os.DirEntry[str], relpath: str, folder: str, ignore: Ignore) -> None:
    name = entry.name
    if name == ".git":
        scan.built_in.append(relpath)
    elif ignore.covers(f"{folder}/{name}", False):
        scan.ignored.append(relpath)
    elif name == IGNORE_FILE:
        scan.ignore_files.append(relpath)
    elif not recordable_name(name):
        scan.unsafe_names.append(relpath)
    elif entry.is_symlink():
        _sort_in_link(scan, entry, relpath)
    else:
        try:
            facts = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISREG(facts.st_mode):
            scan.files[relpath] = facts
        else:
            scan.special.append(relpath)


def _sort_in_link(scan: Scan, entry: os.DirEntry[str], relpath: str) -> None:
    try:
        facts = entry.stat()
    except OSError:
        scan.broken_links.append(relpath)
        return
    if stat.S_ISREG(facts.st_mode):
        scan.files[relpath] = facts
        scan.links.append(relpath)
    elif stat.S_ISDIR(facts.st_mode):
        scan.folder_links.append(relpath)
    else:
        scan.special.append(relpath)


def _is_ordinary(name: str) -> bool:
    """Whether nothing about the name needs a closer look. Most names are, in folders of many thousands."""
    return name.isascii() and name[0] not in ".gG" and os.name != "nt"


def recordable_name(name: str) -> bool:
    """Whether a file of this name can be recorded and checked out again anywhere Modelkeep runs."""
    if name.isascii() and os.name != "nt" and not name.lower().startswith(_SUSPICIOUS):
        return True
    try:
        safe_relpath(name, inside_data=True)
    except UnsafePath:
        return False
    return True


def parents(relpath: str) -> Iterator[str]:
    """The folders above `relpath`, nearest first, without the root."""
    folder = relpath.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
