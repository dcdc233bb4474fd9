"""Forget the key of a server, at the user's word alone: which lines of known_hosts those are, and taking them out."""

from __future__ import annotations

from modelkeep.core.nouns import dataclass
from modelkeep.core.stores import host_keys
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.values import Change, Changes


@dataclass(frozen=True, slots=True)
class KnownAs:
    """Under which name, and in which files of the user, the key of a host is kept.

    From a HostKeyChanged it is what the connection looked up: the host may be one on the way to the server.
    """

    name: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A line that holds a key of the host: `place` is FILE:LINE."""

    place: str
    type: str
    fingerprint: str


def known_as(spec: RemoteSpec) -> KnownAs:
    """Where the key of a remote's server is kept. May take long: ~/.ssh/config can run programs."""
    route = resolve(spec.host, spec.user, spec.port)
    return KnownAs(host_keys.host_name(route.address, route.key_alias), route.known_hosts)


def lines_of(host: KnownAs) -> tuple[KnownLine, ...]:
    """The lines of these files that hold keys of this host alone."""
    lines = (line for file in host.files for line in host_keys.own_lines(file, host.name))
    return tuple(KnownLine(one.place, one.key.type, one.key.fingerprint) for one in lines)


def forget(host: KnownAs) -> Changes:
    """Take those lines out; the file as it was is kept beside it, with the ending .old. Raises StoreFailed."""
    removed = tuple(line for file in host.files for line in host_keys.forget_host(file, host.name))
    return Changes(Change.NONE, f"The key of {host.name} is forgotten.", notes=removed)
