"""The DVC configuration of a project: four levels merged, checked, and split into what may be trusted.

What a repository sets goes through an allow-list (safety §5.2); secrets are kept apart from everything that is
shown. Pure: the files' texts come in parsed, nothing is opened, no address is contacted.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from modelkeep.core.errors import InvalidFile, NotFound
from modelkeep.core.formats.config_keys import (
    ANY_REMOTE,
    BOOL,
    FROM_REPO_CORE,
    FROM_REPO_REMOTE,
    INT,
    NAMED,
    REMOTE,
    SECRET_KEYS,
    SECTIONS,
    UNUSED,
    why_ignored,
)
from modelkeep.core.formats.configfile import Sections, edit_config, parse_config, split_section
from modelkeep.core.formats.remoteurl import RemoteConfig, SshAddress, read_url, split_password, url_problem
from modelkeep.core.values import Secret

__all__ = [
    "LEVELS",
    "Config",
    "Held",
    "Ignored",
    "RemoteConfig",
    "Sections",
    "SshAddress",
    "edit_config",
    "parse_config",
    "url_problem",
]

#: Later levels override earlier ones, key by key.
LEVELS = ("system", "global", "repo", "local")
FILES = {
    "system": "the system's DVC config",
    "global": "your DVC config",
    "repo": ".dvc/config",
    "local": ".dvc/config.local",
}
_MAX_JOBS = 64
_Value = tuple[str, str]  # value, level it comes from


class Ignored(NamedTuple):
    """A setting that the repository made and may not make. `remote` is "" for one of the whole project."""

    remote: str
    key: str
    why: str
    value: str = ""


class Held(NamedTuple):
    """A secret in a config file: the remote and level it stands at."""

    remote: str
    level: str
    secret: Secret


class Config:
    """The merged configuration. Frozen after `merge`; safe from several threads."""

    def __init__(self) -> None:
        self._sections: dict[str, dict[str, _Value]] = {}
        self._secrets: dict[str, list[tuple[str, str, Secret]]] = {}
        self._ignored: dict[tuple[str, str], Ignored] = {}

    @classmethod
    def merge(cls, levels: Mapping[str, Sections]) -> Config:
        """The configuration of the given levels. Raises InvalidFile for what DVC would refuse."""
        config = cls()
        for level in LEVELS:
            for section, body in levels.get(level, {}).items():
                config._take(level, section, body)
        config._check_remotes()
        return config

    def get(self, section: str, key: str) -> str | None:
        """The value in force, or None. Secrets and what a repository may not set are never returned."""
        found = self._sections.get(section, {}).get(key)
        return found[0] if found else None

    def flag(self, section: str, key: str, default: bool = False) -> bool:
        """A boolean key."""
        value = self.get(section, key)
        return default if value is None else value.lower() == "true"

    def level_of(self, section: str, key: str) -> str | None:
        """The level whose value is in force, or None. Relative paths are relative to that level's file."""
        found = self._sections.get(section, {}).get(key)
        return found[1] if found else None

    @property
    def default_remote(self) -> str | None:
        """The name of the default remote, in lower case."""
        value = self.get("core", "remote")
        return value.lower() if value else None

    def ignored(self) -> tuple[Ignored, ...]:
        """Settings that are not honoured because the repository itself made them, and why."""
        return tuple(self._ignored.values())

    def wish(self, section: str, key: str) -> str | None:
        """What the repository asks for and may not set, as long as the user's own config does not set it."""
        found = self._ignored.get((section, key))
        return found.value if found is not None and self.get(section, key) is None else None

    def remotes(self) -> tuple[RemoteConfig, ...]:
        """All remotes in the order they are defined, each with its inheritance resolved."""
        names = [split_section(section)[1] for section in self._sections if section.startswith('remote "')]
        return tuple(self.remote(name) for name in names)

    def remote(self, name: str) -> RemoteConfig:
        """One remote. Raises NotFound; what is wrong with its URL is said by its `problem`."""
        if f'remote "{name.lower()}"' not in self._sections:
            raise NotFound(f"There is no remote {name!r}.", hint="See `modelkeep remote list`.")
        return self._resolve(name.lower(), ())

    def secrets(self) -> tuple[tuple[str, str, str], ...]:
        """(level, section, key) of every secret in any config file, for the report. No values."""
        return tuple(
            (level, section, key) for section, found in self._secrets.items() for level, key, _ in found
        )

    def held(self, name: str, key: str) -> Held | None:
        """The secret in force under `key` of a remote, its own or inherited, and where it stands.

        A password in the URL counts when no key holds one.
        """
        names = self.ancestry(name)
        for wanted in (key, "url") if key == "password" else (key,):
            for one in names:
                for level, found, secret in reversed(self._secrets.get(f'remote "{one}"', ())):
                    if found == wanted:
                        return Held(one, level, secret)
        return None

    def ancestry(self, name: str) -> list[str]:
        """A remote and those whose address its own is built on, nearest first."""
        names: list[str] = []
        name = name.lower()
        while name not in names and (body := self._sections.get(f'remote "{name}"')):
            names.append(name)
            parts = read_url(body["url"][0])
            name = parts.host.lower() if parts.scheme == "remote" else name
        return names

    def _take(self, level: str, section: str, body: Mapping[str, str]) -> None:
        kind, name = split_section(section)
        known = NAMED.get(kind) if name else SECTIONS.get(kind)
        if known is None:
            raise InvalidFile(
                FILES[level], "is not a section DVC knows", entry=f"[{section[:80]}]",
                hint="Remove it; DVC refuses the file too.",
            )  # fmt: skip
        into = self._sections.setdefault(section, {})
        for key, value in body.items():
            if key not in known and kind != "feature":
                raise InvalidFile(
                    FILES[level], "is not a setting DVC knows", entry=f"[{section[:80]}] {key[:80]}",
                    hint="Check the spelling, or remove it; DVC refuses the file too.",
                )  # fmt: skip
            _check_value(known.get(key, ""), value, FILES[level], f"[{section[:80]}] {key}")
            self._put(level, section, key, value, into)

    def _put(self, level: str, section: str, key: str, value: str, into: dict[str, _Value]) -> None:
        if key in SECRET_KEYS:
            self._secrets.setdefault(section, []).append((level, key, Secret(value)))
            return
        if key == "url":
            value, password = split_password(value)
            if password is not None:
                self._secrets.setdefault(section, []).append((level, key, Secret(password)))
        if level == "repo" and not _repo_may_set(section, key, value):
            if key not in UNUSED and split_section(section)[0] in ("core", "cache", "remote"):
                kind, name = split_section(section)
                shown = key if kind == "remote" else f"{kind}.{key}"
                self._ignored[section, key] = Ignored(
                    name, shown, why_ignored(kind, key), split_password(value)[0]
                )
            return
        if level == "repo" and key in ("jobs", "max_sessions"):
            value = str(min(int(value), _MAX_JOBS))
        into[key] = (value, level)

    def _check_remotes(self) -> None:
        for section, body in self._sections.items():
            kind, name = split_section(section)
            if kind != "remote":
                continue
            if "url" not in body:
                raise InvalidFile(
                    FILES["repo"], "has no url", entry=f"[{section}]",
                    hint=f"Give it one, or remove it: `modelkeep remote remove {name}`.",
                )  # fmt: skip
            self._check_scheme(section, body)

    def _check_scheme(self, section: str, body: Mapping[str, _Value]) -> None:
        scheme = read_url(body["url"][0]).scheme
        allowed = ANY_REMOTE if scheme == "remote" else REMOTE.get(scheme)
        if allowed is None:
            return  # an unknown scheme is the remote's `problem`
        for key, (_, level) in body.items():
            if key not in allowed:
                kind = f"{scheme}://" if scheme else "folder"
                raise InvalidFile(
                    FILES[level], f"is not a setting of a {kind} remote", entry=f"[{section}] {key}",
                    hint="Remove it, or correct the URL.",
                )  # fmt: skip

    def _resolve(self, name: str, seen: tuple[str, ...]) -> RemoteConfig:
        section = f'remote "{name}"'
        body = self._sections.get(section)
        if body is None or name in seen:
            reason = (
                "leads back to itself" if name in seen else f"refers to a remote {name!r} that does not exist"
            )
            first = seen[0] if seen else name
            return RemoteConfig(first, "", "local", problem=f"The URL of {first} {reason}.")
        url, level = body["url"]
        own = {key: value for key, (value, _) in body.items() if key != "url"}
        held = tuple(self._secrets.get(section, ()))
        parts = read_url(url)
        if parts.scheme != "remote":
            return RemoteConfig.of(name, url, own, level, held)
        base = self._resolve(parts.host.lower(), (*seen, name))
        if base.problem:
            return RemoteConfig(name, url, base.kind, problem=base.problem)
        joined = posixpath.join(base.url, parts.path.lstrip("/"))
        return RemoteConfig.of(name, joined, {**base.options, **own}, base.level, (*base.held, *held))


def _check_value(kind: str, value: str, file: str, where: str) -> None:
    right = True
    if kind == BOOL:
        right = value.lower() in ("true", "false")
    elif kind == INT:
        right = value.strip().isascii() and value.strip().isdigit() and len(value) < 12
    if not right:
        raise InvalidFile(file, f"is not {kind}", entry=where)


def _repo_may_set(section: str, key: str, value: str) -> bool:
    kind, _ = split_section(section)
    if kind == "core":
        return key in FROM_REPO_CORE
    if kind == "remote":
        return key in FROM_REPO_REMOTE or (key in ("verify", "ssl_verify") and value.lower() == "true")
    if kind == "cache" and key == "dir":
        return _inside_project(value)
    if kind == "cache" and key == "type":
        return {part.strip() for part in value.split(",")} <= {"reflink", "copy"}
    return kind not in ("core", "cache", "remote")


def _inside_project(path: str) -> bool:
    """Whether a cache folder, relative to `.dvc`, stays inside the project and out of Git's own folder."""
    if path.startswith(("/", "~")) or "\\" in path or ":" in path:
        return False
    parts = posixpath.normpath(posixpath.join(".dvc", path)).split("/")
    return ".." not in parts and parts != ["."] and parts[0].lower() != ".git"
