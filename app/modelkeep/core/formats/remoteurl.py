"""The URL of a remote taken apart, and what is wrong with it. Knows the rules of addresses, contacts nobody."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from modelkeep.core.errors import UnsafePath, UsageError
from modelkeep.core.formats.config_keys import REMOTE
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern
from modelkeep.core.values import Secret

_URL = pattern(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/@]*(?:@[^/@]*)*)@)?(?P<rest>[^/]*)(?P<path>/.*)?",
    re.DOTALL,
)
_HOST = pattern(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[^:]*))?")
_SCP = pattern(r"(?P<who>[^/]*@[^/:@]+|[^/:]{2,}):(?P<path>.*)", re.DOTALL)
_SCP_PASSWORD = pattern(r"(?P<user>[^/:@]*):(?P<password>[^/]*)@(?P<rest>[^/:@]+:.*)", re.DOTALL)
_DRIVE = pattern(r"[A-Za-z]:[\\/]")
_CONTROL = pattern(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class UrlParts(NamedTuple):
    """A URL; `scheme` is "" for a folder. `port` is "" when none is given."""

    scheme: str
    user: str
    host: str
    port: str
    path: str


class SshAddress(NamedTuple):
    """Where an SSH remote is. None means: as `~/.ssh/config` says, else the default."""

    user: str | None
    host: str
    port: int | None
    path: str


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """One remote with everything that applies to it, without secrets: neither `url` nor `options` hold any.

    `level` defines the URL. `held` are the secrets that config files hold for it: (level, key, secret), the
    weakest level first; the key `url` stands for a password in the URL's userinfo.
    `problem` is one sentence when the remote cannot be used.
    """

    name: str
    url: str
    kind: str
    options: dict[str, str] = field(default_factory=dict)
    level: str = "repo"
    held: tuple[tuple[str, str, Secret], ...] = field(default=(), repr=False)
    problem: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        url: str,
        options: Mapping[str, str],
        level: str,
        held: tuple[tuple[str, str, Secret], ...],
    ) -> RemoteConfig:
        """From a URL without password."""
        kind = read_url(url).scheme or "local"
        return cls(name, url, kind, dict(options), level, held, url_problem(url))

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean option."""
        value = self.options.get(key)
        return default if value is None else value.lower() == "true"

    @property
    def secrets(self) -> tuple[tuple[str, str], ...]:
        """(level, key) of the secrets in config files, for the report."""
        return tuple((level, key) for level, key, _ in self.held)

    @property
    def ssh_address(self) -> SshAddress:
        """User, host, port and absolute path of an `ssh://` remote; DVC's keys win over the URL's parts.

        Raises UsageError for another kind and for an address that has a `problem`.
        """
        if self.kind != "ssh" or self.problem:
            raise UsageError(self.problem or f"The remote {self.name} is not an SSH remote.")
        parts = read_url(self.url)
        port = self.options.get("port") or parts.port
        user = self.options.get("user") or parts.user
        if user.startswith("-") or _CONTROL.search(user):
            raise UsageError(f"The user name of the remote {self.name} is not a user name.")
        if port and not 0 < int(port) < 65536:
            raise UsageError(f"The remote {self.name} has the port {port}, which does not exist.")
        return SshAddress(user or None, parts.host, int(port) if port else None, parts.path or "/")

    def local_path(self, config_dir: Path) -> Path:
        """The folder of a local remote; `config_dir` is the folder of the config file that defines the URL.

        Raises UsageError for another kind, UnsafePath for a place where data has no business.
        """
        if self.kind != "local" or self.problem:
            raise UsageError(self.problem or f"The remote {self.name} is not a folder.")
        path = Path(os.path.normpath(os.path.join(config_dir, os.path.expanduser(self.url))))
        check_place(path)
        return path


def read_url(url: str) -> UrlParts:
    """Take a URL apart; anything without `scheme://host` is a folder."""
    match = _URL.fullmatch(url)
    if match is None or _DRIVE.match(url):
        return UrlParts("", "", "", "", url)
    host = _HOST.fullmatch(match["rest"])
    name, port = (host["host"], host["port"] or "") if host else (match["rest"], "")
    user = unquote((match["user"] or "").partition(":")[0])
    return UrlParts(match["scheme"].lower(), user, name.strip("[]"), port, match["path"] or "")


def split_password(url: str) -> tuple[str, str | None]:
    """(the URL without the password of its userinfo, the password or None)."""
    match = _URL.fullmatch(url)
    if match is None:
        scp = _SCP_PASSWORD.fullmatch(url)
        return (f"{scp['user']}@{scp['rest']}", scp["password"]) if scp else (url, None)
    if not match["user"] or ":" not in match["user"]:
        return url, None
    user, _, password = match["user"].partition(":")
    who = f"{user}@" if user else ""
    return f"{match['scheme']}://{who}{match['rest']}{match['path'] or ''}", unquote(password)


def url_problem(url: str) -> str:
    """What is wrong with a remote's URL, in one sentence that shows the right form; "" if it is fine."""
    if not url or _CONTROL.search(url):
        return "The URL of the remote is empty or contains control characters."
    parts = read_url(url)
    if url.lower().startswith("file:"):
        path = parts.path if parts.scheme else url[5:]
        return f"file: addresses are not understood by DVC; use the plain path {visible('/' + path.lstrip('/'))}."
    if not parts.scheme:
        return _folder_problem(url)
    if parts.scheme == "remote":
        return "" if parts.host else "remote:// needs the name of another remote."
    if parts.scheme not in REMOTE:
        return f"{visible(parts.scheme)}:// is not a kind of remote that DVC knows."
    return _address_problem(parts)


def _folder_problem(url: str) -> str:
    url, _ = split_password(url)
    scp = None if _DRIVE.match(url) else _SCP.fullmatch(url)
    if scp:
        path = scp["path"] if scp["path"].startswith("/") else f"/absolute/path/{scp['path']}"
        return (
            f"This form is a folder name for DVC; write ssh://{visible(scp['who'])}{visible(path)} instead."
        )
    if "://" in url:
        return "The URL of the remote is not complete: after :// comes a host name."
    return ""


def _address_problem(parts: UrlParts) -> str:
    if not parts.host or parts.host.startswith("-") or parts.user.startswith("-"):
        return "The URL of the remote has no proper host or user name."
    if not re.fullmatch(r"[\w.:%-]+", parts.host):
        return f"{visible(parts.host)} is not a host name."
    if parts.port and not (parts.port.isascii() and parts.port.isdigit() and 0 < int(parts.port[:9]) < 65536):
        return f"{visible(parts.port)} is not a port number."
    return ""


def check_place(path: Path) -> None:
    """Raise UnsafePath if no remote may lie in the folder `path`."""
    if _is_forbidden(path):
        raise UnsafePath(
            f"The remote points to {visible(str(path))}, where no data may be stored.",
            hint="Choose a folder of its own.",
        )


def _is_forbidden(path: Path) -> bool:
    places = [Path("/etc"), Path.home() / ".ssh"]
    return ".git" in (part.lower() for part in path.parts) or any(
        path == place or place in path.parents for place in places
    )
