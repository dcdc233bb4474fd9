"""What ~/.ssh/config says about a host: where it really is and how to get there. Opens no connection.

Only the user's own file counts; nothing a repository says reaches this. `Include` is done here because
paramiko leaves it out; `Match exec` runs what the user wrote there, as OpenSSH does.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
from pathlib import Path
from typing import Any

from modelkeep.core.errors import InvalidFile
from modelkeep.core.nouns import dataclass
from modelkeep.core.stores.base import Address

_DEPTH = 16  # OpenSSH's own limit for nested includes
_LARGEST = 1 << 20
_MATCH_EXEC = re.compile(r"^\s*match\b.*\bexec\b", re.IGNORECASE | re.MULTILINE)
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class Route:
    """Where a host is and how to reach it. `identities` come from the config, `default_keys` exist anyway.

    `depth` counts the connections that run inside this one (ProxyJump).
    """

    address: Address
    identities: tuple[str, ...] = ()
    identities_only: bool = False
    default_keys: tuple[str, ...] = ()
    jumps: tuple[str, ...] = ()
    proxy_command: str = ""
    known_hosts: tuple[str, ...] = ()
    hash_known_hosts: bool = False
    depth: int = 0


def ssh_folder() -> Path:
    """The user's ~/.ssh; follows $HOME."""
    return Path(os.path.expanduser("~")) / ".ssh"


def resolve(host: str, user: str = "", port: int | None = None) -> Route:
    """Look `host` up; `user` and `port` win over the config. Raises InvalidFile for a config that is broken."""
    from modelkeep.core.stores.ssh_library import allow_match_exec, paramiko

    text = _forced(user, port) + _expanded(ssh_folder() / "config", 0)
    try:
        if _MATCH_EXEC.search(text):
            allow_match_exec()
        found: dict[str, Any] = dict(paramiko.SSHConfig.from_text(text).lookup(host))
        number = int(found.get("port", 22))
    except Exception as error:  # paramiko raises bare exceptions of several kinds here
        raise InvalidFile("~/.ssh/config", f"it could not be understood: {error}") from error
    address = Address(str(found.get("user") or _login_name()), str(found.get("hostname", host)), number)
    folder = ssh_folder()
    known = shlex.split(str(found.get("userknownhostsfile", ""))) or [
        str(folder / "known_hosts"),
        str(folder / "known_hosts2"),
    ]
    command = _proxy_command(found, address)
    return Route(
        address,
        identities=tuple(os.path.expanduser(name) for name in found.get("identityfile", [])),
        identities_only=_is_yes(found, "identitiesonly"),
        default_keys=tuple(str(folder / key) for key in _DEFAULT_KEYS if (folder / key).is_file()),
        jumps=() if command else _jumps(found),
        proxy_command=command,
        known_hosts=tuple(os.path.expanduser(name) for name in known if name.lower() != "none"),
        hash_known_hosts=_is_yes(found, "hashknownhosts"),
    )


def split_hop(text: str) -> tuple[str, str, int | None]:
    """(host, user, port) of one hop of ProxyJump: [user@]host[:port] or an ssh:// address."""
    text = text.removeprefix("ssh://")
    user, _, place = text.rpartition("@")
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if not host or host.startswith("-") or (port and not port.isdigit()):
        raise InvalidFile("~/.ssh/config", f"{text!r} is not a host to jump over", entry="ProxyJump")
    return host, user, int(port) if port else None


def _forced(user: str, port: int | None) -> str:
    # The first value wins in this format, so that %r and %p in the user's file see the right ones.
    lines = [f"  User {_quoted(user)}"] if user else []
    lines += [f"  Port {port}"] if port else []
    return "\n".join(["Host *", *lines, ""]) if lines else ""


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _expanded(file: Path, depth: int) -> str:
    """The text of a config file with its includes in place; a missing file is empty."""
    try:
        raw = file.read_bytes()[:_LARGEST]
    except OSError:
        return ""
    block = "Host *"
    lines = [block] if depth == 0 else []
    for line in raw.decode("utf-8", "replace").splitlines():
        words = line.strip().replace("=", " ", 1).split(None, 1)
        word = words[0].lower() if words else ""
        if word in ("host", "match"):
            block = line
        if word != "include":
            lines.append(line)
        elif depth < _DEPTH and len(words) == 2:
            lines += [_included(words[1], depth), block]
    return "\n".join(lines) + "\n"


def _included(patterns: str, depth: int) -> str:
    texts = []
    for pattern in shlex.split(patterns):
        where = os.path.join(ssh_folder(), os.path.expanduser(pattern))
        texts += [_expanded(Path(name), depth + 1) for name in sorted(glob.glob(where))]
    return "\n".join(texts)


def _jumps(found: dict[str, Any]) -> tuple[str, ...]:
    text = str(found.get("proxyjump", "")).strip()
    return (
        () if text.lower() in ("", "none") else tuple(hop.strip() for hop in text.split(",") if hop.strip())
    )


def _proxy_command(found: dict[str, Any], address: Address) -> str:
    text = str(found.get("proxycommand", "") or "")
    if text.lower() in ("", "none"):
        return ""
    values = {"%h": address.host, "%p": str(address.port), "%r": address.user}
    for token, value in values.items():
        text = text.replace(token, value)
    return text


def _is_yes(found: dict[str, Any], key: str) -> bool:
    return str(found.get(key, "no")).lower() in ("yes", "true")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"
