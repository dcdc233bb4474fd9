"""What ~/.ssh/config says about a host: where it really is, how to get there and how to log in. Opens no connection.

Only the user's own file counts; nothing a repository says reaches this but the names of host and user.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from modelkeep.core.errors import InvalidFile
from modelkeep.core.nouns import dataclass
from modelkeep.core.stores.base import Address
from modelkeep.core.stores.ssh_config_file import (
    Settings,
    expand,
    host_names,
    login_name,
    read_settings,
    tokens,
)

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa")
_MACHINE_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_PORT = re.compile(r"[0-9]{1,5}")
_TIME = re.compile(r"(?:[0-9]+[smhdw])*(?:[0-9]+[smhdw]?)", re.IGNORECASE)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Route:
    """Where a host is, how to reach it and how to log in there.

    `identities` and `certificates` come from the config, `default_keys` exist anyway. `agent` is the socket of
    the agent: "" for the one of the environment, "none" for no agent. `strict` refuses unknown hosts without a
    question. `known_hosts` are the user's own files, the first of which is appended to. `key_algorithms` is HostKeyAlgorithms as it is written. `connect_timeout`, `alive_interval` and
    `alive_count` are None where the config is silent. `depth` counts the connections that run inside this one.
    """

    address: Address
    identities: tuple[str, ...] = ()
    identities_only: bool = False
    certificates: tuple[str, ...] = ()
    default_keys: tuple[str, ...] = ()
    agent: str = ""
    jumps: tuple[str, ...] = ()
    proxy_command: str = ""
    known_hosts: tuple[str, ...] = ()
    machine_hosts: tuple[str, ...] = ()
    key_alias: str = ""
    hash_known_hosts: bool = False
    strict: bool = False
    key_algorithms: str = ""
    connect_timeout: float | None = None
    alive_interval: int | None = None
    alive_count: int | None = None
    depth: int = 0


def ssh_folder() -> Path:
    """The user's ~/.ssh; follows $HOME."""
    return Path(os.path.expanduser("~")) / ".ssh"


def hosts() -> tuple[str, ...]:
    """The names of hosts in the user's config that are no patterns, in its order. Raises InvalidFile."""
    return tuple(host_names(ssh_folder() / "config"))


def resolve(host: str, user: str = "", port: int | None = None) -> Route:
    """Look `host` up; `user` and `port` win over the config. Raises InvalidFile for a config that is broken.

    Raises UsageError where the names of host or user could be a command in a line of the config.
    """
    folder = ssh_folder()
    found = read_settings(folder / "config", host, user, port)
    name = expand(_one(found, "hostname") or host, {"h": host})
    address = Address(_one(found, "user") or login_name(), name, _port(found))
    values = tokens(host, name, str(address.port), address.user)

    def paths(key: str) -> tuple[str, ...]:
        return tuple(expand(path, values) for path in found.get(key, []) if path.lower() != "none")

    own_hosts = (str(folder / "known_hosts"), str(folder / "known_hosts2"))
    command = _one(found, "proxycommand")
    has_command = command.lower() not in ("", "none")
    return Route(
        address,
        identities=paths("identityfile"),
        identities_only=_is_yes(found, "identitiesonly"),
        certificates=paths("certificatefile"),
        default_keys=tuple(str(folder / key) for key in _DEFAULT_KEYS if (folder / key).is_file()),
        agent=_agent(found, values),
        jumps=_jumps(found, values),
        proxy_command=expand(command, values, for_shell=True) if has_command else "",
        known_hosts=paths("userknownhostsfile") if "userknownhostsfile" in found else own_hosts,
        machine_hosts=paths("globalknownhostsfile") if "globalknownhostsfile" in found else _MACHINE_HOSTS,
        key_alias=_one(found, "hostkeyalias"),
        hash_known_hosts=_is_yes(found, "hashknownhosts"),
        strict=_is_yes(found, "stricthostkeychecking"),
        key_algorithms=_one(found, "hostkeyalgorithms"),
        connect_timeout=_seconds(found, "connecttimeout"),
        alive_interval=_whole(_seconds(found, "serveraliveinterval")),
        alive_count=_whole(_seconds(found, "serveralivecountmax")),
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
    if not host or host.startswith("-") or (port and not _PORT.fullmatch(port)):
        raise InvalidFile("~/.ssh/config", f"{text!r} is not a host to jump over", entry="ProxyJump")
    return host, user, int(port) if port else None


def _one(found: Settings, key: str) -> str:
    return found.get(key, [""])[0]


def _port(found: Settings) -> int:
    text = _one(found, "port") or "22"
    if not _PORT.fullmatch(text) or not 0 < int(text) < 65536:
        raise InvalidFile("~/.ssh/config", f"{text!r} is no port", entry="Port")
    return int(text)


def _agent(found: Settings, values: dict[str, str]) -> str:
    text = _one(found, "identityagent")
    if text in ("", "SSH_AUTH_SOCK"):
        return ""
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:], "none")
    return text.lower() if text.lower() == "none" else expand(text, values) or "none"


def _jumps(found: Settings, values: dict[str, str]) -> tuple[str, ...]:
    text = expand(_one(found, "proxyjump"), values)
    if text.lower() == "none":
        return ()
    return tuple(hop.strip() for hop in text.split(",") if hop.strip())


def _seconds(found: Settings, key: str) -> float | None:
    """A time such as 90, 90s or 1m30s; None where nothing is said."""
    text = _one(found, key)
    if text.lower() in ("", "none"):
        return None
    if not _TIME.fullmatch(text) or len(text) > 20:
        raise InvalidFile("~/.ssh/config", f"{text!r} is no time", entry=key)
    return float(sum(int(number) * _UNITS[unit.lower()] for number, unit in re.findall(r"(\d+)(\D?)", text)))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _is_yes(found: Settings, key: str) -> bool:
    return _one(found, key).lower() in ("yes", "true")
