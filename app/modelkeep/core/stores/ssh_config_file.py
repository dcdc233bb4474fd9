"""Reads the user's ~/.ssh/config as OpenSSH does (ssh_config(5)): which settings hold for a host. Opens no connection.

For each setting the first value that applies wins; only IdentityFile and CertificateFile add up. `Include` is read
in its place, `Match exec` runs what the user wrote there. Settings nobody asks for are kept and harm nothing.
"""

from __future__ import annotations

import getpass
import glob
import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from modelkeep.core.errors import InvalidFile, UsageError
from modelkeep.core.paths import visible

_DEPTH = 16  # OpenSSH's own limit for nested includes
_LARGEST = 1 << 20
_ADD_UP = ("identityfile", "certificatefile")
_RIVALS = {"proxyjump": "proxycommand", "proxycommand": "proxyjump"}
_LINE = re.compile(r"\s*(?P<key>[A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+|$)(?P<rest>.*)")
_WORD = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\(?:.|$)|[^\s"'\\])+)""")
_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\\([\s"'\\])""")
_TOKEN = re.compile(r"%(.)|\$\{(\w+)\}")
# What may be put into a command line for a shell; a host or user may have been chosen by a repository.
_HARMLESS = re.compile(r"[\w.@:%+=,\[\]-]*")
_PATIENCE = 30  # seconds for a program of `Match exec`

Settings = dict[str, list[str]]


def read_settings(file: Path, host: str, user: str = "", port: int | None = None) -> Settings:
    """The settings of `file` for `host`, by their name in lower case. `user` and `port` win over the file.

    Values are as written: tokens such as %h are left for `expand`. Raises InvalidFile for a file that is broken.
    """
    reader = _Reader(file, host)
    if user:
        reader.found["user"] = [user]
    if port:
        reader.found["port"] = [str(port)]
    reader.read(file)
    if reader.wants_final:
        reader.is_final, reader.host = True, reader.hostname()
        reader.read(file)
    return reader.found


def host_names(file: Path) -> list[str]:
    """The names in Host lines, included files too, that are no patterns; each once, in order."""
    reader = _Reader(file, "")
    names: dict[str, None] = {}

    def collect(one: Path, depth: int) -> None:
        for _, key, rest in reader.lines(one):
            if key == "host":
                names.update((word, None) for word in words(rest) if not set(word) & set("*?!"))
            elif key == "include" and depth < _DEPTH:
                for name in reader.included(rest):
                    collect(name, depth + 1)

    collect(file, 0)
    return list(names)


def words(text: str) -> list[str]:
    """The words of a line: quotes hold blanks together, a # that begins a word ends the line."""
    found = []
    at = 0
    while (match := _WORD.match(text, at)) and not match[1].startswith("#"):
        found.append(_QUOTED.sub(lambda part: _unescaped(part), match[1]))
        at = match.end()
    return found


def _unescaped(part: re.Match[str]) -> str:
    inner = part[1] if part[1] is not None else part[2]
    return part[3] if inner is None else re.sub(r"""\\(["'\\])""", r"\1", inner)


def expand(text: str, tokens: dict[str, str], *, for_shell: bool = False) -> str:
    """`text` with its %-tokens and ${VARIABLES} replaced; tokens nobody knows stay. "~" is the home folder.

    Raises UsageError where something that could be a command would get into a command line.
    """

    def value(match: re.Match[str]) -> str:
        if match[2]:
            return match[0] if for_shell else os.environ.get(match[2], "")
        found = "%" if match[1] == "%" else tokens.get(match[1])
        if found is None:
            return match[0]
        if for_shell and match[1] in "hnr" and (found.startswith("-") or not _HARMLESS.fullmatch(found)):
            raise UsageError(
                f"{visible(found)} may not become part of a command of ~/.ssh/config.",
                hint="Check the address of the remote: names of hosts and users hold no such characters.",
            )
        return found

    done = _TOKEN.sub(value, text)
    return done if for_shell else os.path.expanduser(done)


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is matched by a pattern with * and ?, in whatever case."""
    regex = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, text.lower(), re.DOTALL) is not None


def _in_list(patterns: str, text: str) -> bool:
    """Whether a list with commas names `text`; a negated pattern that matches decides."""
    found = False
    for pattern in patterns.split(","):
        if matches(pattern.removeprefix("!"), text):
            if pattern.startswith("!"):
                return False
            found = True
    return found


class _Reader:
    """Goes through a file, and those it includes, and collects what applies to one host."""

    def __init__(self, top: Path, host: str) -> None:
        self._folder = top.parent
        self.original = self.host = host
        self.found: Settings = {}
        self.is_final = self.wants_final = False

    def read(self, file: Path, depth: int = 0) -> None:
        """Collect from `file`; one that is missing says nothing."""
        is_active = True
        for place, key, rest in self.lines(file):
            if key == "host":
                is_active = self._host_applies(words(rest))
            elif key == "match":
                is_active = self._match_applies(rest, place)
            elif not is_active:
                continue
            elif key != "include":
                self._take(key, rest, place)
            elif depth < _DEPTH:
                for name in self.included(rest):
                    self.read(name, depth + 1)

    def lines(self, file: Path) -> Iterator[tuple[str, str, str]]:
        """(place, keyword in lower case, the rest) of every line that says something."""
        try:
            text = file.read_bytes()[:_LARGEST].decode("utf-8", "replace")
        except OSError:
            return
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                match = _LINE.fullmatch(line)
                if match is None:
                    raise _broken(f"{file}:{number}", f"{visible(line.strip()[:60])} is no setting")
                yield f"{file}:{number}", match["key"].lower(), match["rest"].strip()

    def included(self, rest: str) -> Iterator[Path]:
        """The files that an Include line means, in order."""
        for pattern in words(rest):
            where = os.path.join(self._folder, os.path.expanduser(pattern))
            yield from (Path(name) for name in sorted(glob.glob(where)))

    def _take(self, key: str, rest: str, place: str) -> None:
        values = [rest] if key == "proxycommand" else words(rest)
        if not values:
            raise _broken(place, f"{key} says nothing")
        if key in _ADD_UP:
            known = self.found.setdefault(key, [])
            known += [values[0]] if values[0] not in known else []
        elif _RIVALS.get(key) not in self.found:
            self.found.setdefault(key, values)

    # -- what applies ----------------------------------------------------------------------------------

    def _host_applies(self, patterns: list[str]) -> bool:
        return _in_list(",".join(patterns), self.host)

    def _match_applies(self, rest: str, place: str) -> bool:
        """Whether all conditions of a Match line hold. One this cannot check never holds."""
        conditions = words(rest)
        if not conditions:
            raise _broken(place, "Match names no condition")
        while conditions:
            name = conditions.pop(0)
            is_wanted = not name.startswith("!")
            kind, has_value, value = name.removeprefix("!").lower().partition("=")
            check = self._checks().get(kind)
            if check is None:
                return False
            if kind not in ("all", "final", "canonical"):
                if not has_value and not conditions:
                    raise _broken(place, f"Match {kind} needs a value")
                value = value if has_value else conditions.pop(0)
            if check(value) is not is_wanted:
                return False
        return True

    def _checks(self) -> dict[str, Callable[[str], bool]]:
        return {
            "all": lambda _: True,
            "final": self._is_final,
            "canonical": lambda _: self.is_final,
            "host": lambda patterns: _in_list(patterns, self.hostname()),
            "originalhost": lambda patterns: _in_list(patterns, self.original),
            "user": lambda patterns: _in_list(patterns, self._user()),
            "localuser": lambda patterns: _in_list(patterns, login_name()),
            "exec": self._runs,
        }

    def _is_final(self, _: str) -> bool:
        self.wants_final = True
        return self.is_final

    def hostname(self) -> str:
        """Where the host is, as far as it is known now."""
        return expand(self.found.get("hostname", [self.host])[0], {"h": self.host})

    def _user(self) -> str:
        return self.found.get("user", [login_name()])[0]

    def _runs(self, command: str) -> bool:
        port = self.found.get("port", ["22"])[0]
        values = tokens(self.original, self.hostname(), port, self._user())
        line = ["/bin/sh", "-c", expand(command, values, for_shell=True)]
        try:
            done = subprocess.run(
                line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def tokens(original: str, host: str, port: str, user: str) -> dict[str, str]:
    """What the letters after % stand for (ssh_config(5), TOKENS)."""
    name = socket.gethostname()
    return {
        "C": hashlib.sha1(f"{name}{host}{port}{user}".encode()).hexdigest(),
        "d": os.path.expanduser("~"),
        "h": host,
        "i": str(os.getuid()) if hasattr(os, "getuid") else "",
        "L": name.partition(".")[0],
        "l": name,
        "n": original,
        "p": port,
        "r": user,
        "u": login_name(),
    }


def login_name() -> str:
    """Who runs this program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


def _broken(place: str, why: str) -> InvalidFile:
    return InvalidFile("~/.ssh/config", why, entry=place, hint="Correct the line, or put a # before it.")
