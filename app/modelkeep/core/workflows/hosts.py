"""Forget the key of a server, at the user's word alone: which lines of known_hosts those are, and taking them out."""

from __future__ import annotations

from modelkeep.core.nouns import dataclass
from modelkeep.core.stores import host_keys
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.values import Change, Changes


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A line that holds a key of the host: `place` is FILE:LINE."""

    place: str
    type: str
    fingerprint: str


def host_of(spec: RemoteSpec) -> str:
    """The name that the server of a remote has in known_hosts: host, or [host]:port."""
    route = resolve(spec.host, spec.user, spec.port)
    return host_keys.host_name(route.address, route.key_alias)


def lines_of(host: str) -> tuple[KnownLine, ...]:
    """The lines of the user's known_hosts that hold keys of this host alone."""
    lines = (line for file in _files(host) for line in host_keys.own_lines(file, host))
    return tuple(KnownLine(one.place, one.key.type, one.key.fingerprint) for one in lines)


def forget(host: str) -> Changes:
    """Take those lines out; the file as it was is kept beside it, with the ending .old. Raises StoreFailed."""
    removed = tuple(line for file in _files(host) for line in host_keys.forget_host(file, host))
    return Changes(Change.NONE, f"The key of {host} is forgotten.", notes=removed)


def _files(host: str) -> tuple[str, ...]:
    """The user's own files for a host that is named as in known_hosts."""
    name, _, port = host.rpartition("]:")
    route = resolve(name.removeprefix("["), "", int(port)) if name else resolve(host)
    return route.known_hosts
