"""`.dvcignore` rules and `.gitignore` lines as DVC reads and writes them (dvc-format §5.1, §5.3). Pure.

The rules are Git's with DVC's differences: lines are stripped on both sides, and what lies below an ignored
folder is ignored. Matching is pathspec's, as in DVC.
"""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

from modelkeep.core.errors import InvalidFile, Unsupported
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern

BUILT_IN = (".hg/", ".git/", ".git", ".dvc/")
_FILE = ".dvcignore"
_MAX_BYTES = 1 << 20
_STARS = pattern(r"\*(?!\*)")
_ESCAPED = pattern(r"([\[\]!*#?\\])")


def has_rules(text: bytes) -> bool:
    """Whether a `.dvcignore` says anything at all: the one that DVC makes holds comments alone."""
    lines = (line.strip() for line in text.removeprefix(b"\xef\xbb\xbf").splitlines())
    return any(line and not line.startswith(b"#") for line in lines)


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    ignores: bool
    folders_only: bool


class IgnoreRules:
    """The rules of one project at one version. Add the files from the root down; not thread-safe."""

    def __init__(self) -> None:
        self._rules: dict[str, list[_Rule]] = {"": _compile(BUILT_IN, _FILE)}
        self._known: dict[tuple[str, bool], bool] = {}

    def add(self, folder: str, text: bytes) -> None:
        """Take the `.dvcignore` of `folder` ("" is the root) into account. Raises InvalidFile.

        A file that the rules above it ignore has no effect, as in DVC.
        """
        name = f"{folder}/{_FILE}" if folder else _FILE
        if len(text) > _MAX_BYTES:
            raise InvalidFile(name, "is larger than 1 MB")
        if self.ignores(name, False):
            return
        try:
            lines = text.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        except UnicodeDecodeError:
            raise InvalidFile(name, "is not UTF-8 text") from None
        self._extend(folder, _compile([line.strip() for line in lines], name))

    def skip_folder(self, folder: str) -> None:
        """Ignore `folder` because it is a project of its own (it holds a `.dvc` folder)."""
        parent, _, name = folder.rpartition("/")
        self._extend(parent, _compile([f"/{_ESCAPED.sub(_escape, name)}/"], _FILE))

    def ignores(self, relpath: str, is_dir: bool) -> bool:
        """Whether the path (project relative) or a folder above it is ignored."""
        parent = relpath.rpartition("/")[0]
        if parent and self._folder_ignored(parent):
            return True
        return self._matches(relpath, is_dir)

    def _extend(self, folder: str, rules: list[_Rule]) -> None:
        self._rules.setdefault(folder, []).extend(rules)
        self._known.clear()

    def _folder_ignored(self, folder: str) -> bool:
        known = self._known.get((folder, True))
        if known is None:
            known = self._known[folder, True] = self.ignores(folder, True)
        return known

    def _matches(self, relpath: str, is_dir: bool) -> bool:
        """The last rule that matches decides; those of the nearest folder come last."""
        folder = relpath
        while folder:
            folder = folder.rpartition("/")[0]
            rules = self._rules.get(folder)
            if rules:
                within = relpath[len(folder) + 1 :] if folder else relpath
                decided = _decide(rules, within, is_dir)
                if decided is not None:
                    return decided
        return False


def _decide(rules: list[_Rule], path: str, is_dir: bool) -> bool | None:
    for rule in reversed(rules):
        if rule.folders_only and not is_dir:
            continue
        if rule.pattern.match(path) or (is_dir and rule.pattern.match(f"{path}/")):
            return rule.ignores
    return None


def _compile(lines: list[str] | tuple[str, ...], file: str) -> list[_Rule]:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    rules = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        # Each star of a component multiplies the time one hostile name can cost.
        if len(line) > 4096 or any(len(_STARS.findall(part)) > 4 for part in line.split("/")):
            raise InvalidFile(file, "has a pattern with too many wildcards", entry=f"line {number}")
        try:
            regex, ignores = GitIgnoreSpecPattern.pattern_to_regex(line)
            if regex is not None and ignores is not None:
                rules.append(_Rule(_regex(str(regex), "[" in line), ignores, line.endswith("/")))
        except (ValueError, re.error, RecursionError, OverflowError):
            raise InvalidFile(file, "has a pattern that is not valid", entry=f"line {number}") from None
    return rules


def _regex(text: str, has_set: bool) -> re.Pattern[str]:
    if not has_set:
        return re.compile(text)
    # Python warns that sets such as [[] may mean something else one day; pathspec writes them, as Git allows them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(text)


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[1]


def gitignore_line(name: str) -> str:
    """The line (without its end) by which `dvc add` makes Git ignore the entry `name` of the same folder.

    A final space is escaped, because Git would drop it; DVC forgets that. Raises Unsupported for a line break.
    """
    if "\n" in name or "\r" in name:
        raise Unsupported(f"Git cannot ignore {visible(name)}: its name has a line break.", hint="Rename it.")
    line = "/" + _ESCAPED.sub(_escape, name)
    return line[:-1] + "\\ " if line.endswith(" ") else line


def with_ignored(text: bytes | None, name: str) -> bytes | None:
    """The `.gitignore` with a line for `name` at its end; None if it has one that no `!` line after it may take
    back. `text` None: there is no file."""
    line = gitignore_line(name).encode()
    if not text:
        return line + b"\n"
    lines = [known.rstrip(b"\r") for known in text.split(b"\n")]
    if line in lines and not any(known.startswith(b"!") for known in lines[lines.index(line) :]):
        return None
    return text + (b"" if text.endswith(b"\n") else b"\n") + line + b"\n"


def without_ignored(text: bytes | None, name: str) -> bytes | None:
    """The `.gitignore` without the line for `name`; None if it has none. Empty: the file should go, as in DVC."""
    if not text:
        return None
    line = gitignore_line(name).encode()
    lines = text.splitlines(keepends=True)
    kept = [known for known in lines if known.rstrip(b"\r\n") != line]
    return None if len(kept) == len(lines) else b"".join(kept)
