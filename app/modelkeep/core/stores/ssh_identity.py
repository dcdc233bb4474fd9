"""Whether a server is who it should be: what known_hosts says, and who is asked where it says nothing.

Runs after the keys of the connection were agreed on and before anything is sent that could be a secret. Opens no
connection.
"""

from __future__ import annotations

from modelkeep.core.errors import StoreFailed, UnknownHost, Unsupported
from modelkeep.core.progress import Progress
from modelkeep.core.stores import host_keys
from modelkeep.core.stores.base import LoginProvider, Trust
from modelkeep.core.stores.host_keys import HostKey, Known, Line
from modelkeep.core.stores.ssh_config import Route
from modelkeep.core.stores.ssh_hostcert import problem
from modelkeep.core.stores.ssh_turns import turn

_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_CERTIFICATE = "-cert-v01@openssh.com"

_trusted_once: set[tuple[str, bytes]] = set()


def forget_trust() -> None:
    """Forget every key that was trusted for this run only."""
    _trusted_once.clear()


def key_types(route: Route, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The types of host keys to ask for, in order: as HostKeyAlgorithms says, else such that the server shows
    the key that is known. Raises Unsupported if nothing is left."""
    if route.key_algorithms:
        return _configured(route, offered)
    names: list[str] = []
    if _authorities(route):
        names += [f"{name}{_CERTIFICATE}" for name in offered]
        offered = (*offered, *names)
    for kind in _known(route).types():
        names += _RSA if kind == "ssh-rsa" else [kind]
    first = [name for name in names if name in offered]
    return tuple(first + [name for name in offered if name not in first])


def _configured(route: Route, offered: tuple[str, ...]) -> tuple[str, ...]:
    text = route.key_algorithms
    sign, text = (text[0], text[1:]) if text[0] in "+-^" else ("", text)
    wanted = [name for name in text.split(",") if name]
    if sign == "-":
        found = [name for name in offered if not host_keys.is_listed(wanted, name)]
    else:
        found = [name for name in wanted if name in offered]
        found += [name for name in offered if sign and name not in found]
    if not found:
        raise Unsupported(
            f"HostKeyAlgorithms of ~/.ssh/config leaves nothing that can be used for {route.address.host}.",
            detail=f"It says {route.key_algorithms}; supported are {', '.join(offered)}.",
            hint="Remove the line, or add ssh-ed25519 to it.",
            reason="old_algorithms",
        )
    return tuple(found)


def check_host(
    route: Route, key: HostKey, certificate: bytes | None, login: LoginProvider, progress: Progress
) -> str:
    """Return, with a fact for people, only if the server's key is known or a person trusts it.

    `certificate` is what the server showed for its key, if it did. Raises HostKeyChanged, UnknownHost, Cancelled.
    Several connections that meet the same key ask once.
    """
    fact = f"{key.type} {key.fingerprint}"
    remark = ""
    if authorities := _authorities(route):
        remark = _doubt(route, key, certificate, authorities)
        if not remark:
            return f"{fact} (certificate)"
    if _is_known(route, key):
        return fact
    name = host_keys.host_name(route.address, route.key_alias)
    if route.strict:
        raise UnknownHost(
            name,
            key.type,
            key.fingerprint,
            hint="StrictHostKeyChecking in ~/.ssh/config forbids to ask. Add the key with ssh-keyscan after you "
            "compared its fingerprint with the one its administrator gives you.",
        )
    with turn(login, f"host {name} {key.fingerprint}", progress):
        if not _is_known(route, key):  # else another worker has asked meanwhile
            if remark:
                login.say(remark)
            _ask(route, name, key, login)
    return fact


def _authorities(route: Route) -> list[Line]:
    """Who may vouch for the host; such lines name hosts without a port, too, as certificates do."""
    files = (*route.known_hosts, *route.machine_hosts)
    names = {host_keys.host_name(route.address, route.key_alias), route.address.host.lower()}
    return host_keys.authorities(files, names)


def _doubt(route: Route, key: HostKey, certificate: bytes | None, authorities: list[Line]) -> str:
    """Why no authority vouches for the server's key, for people; "" if one does. Raises HostKeyChanged."""
    host = route.key_alias or route.address.host
    known = _known(route)
    known.check_revoked(key)
    if certificate is None:
        why = "The server shows no certificate"
    else:
        valid = {line.key.blob for line in authorities}
        found = problem(certificate, host, valid - {line.key.blob for line in known.revoked})
        if not found:
            return ""
        why = f"Its certificate cannot be used: {found}"
    return f"known_hosts names an authority that vouches for {host}. {why}; you are asked about its plain key instead."


def _known(route: Route) -> Known:
    name = host_keys.host_name(route.address, route.key_alias)
    plain = route.address.host.lower()  # authorities count by it, so whoever is revoked by it does not
    return host_keys.lookup(route.known_hosts, name, machine=route.machine_hosts, also=plain)


def _is_known(route: Route, key: HostKey) -> bool:
    known = _known(route)
    return known.accepts(key) or (known.host, key.blob) in _trusted_once


def _ask(route: Route, name: str, key: HostKey, login: LoginProvider) -> None:
    answer = Trust(login.trust_host(name, key.type, key.fingerprint))
    if answer is Trust.CANCEL:
        raise UnknownHost(name, key.type, key.fingerprint)
    if answer is Trust.REMEMBER and route.known_hosts:
        try:
            host_keys.remember(route.known_hosts[0], name, key, hashed=route.hash_known_hosts)
            return
        except StoreFailed as error:
            login.say(f"{error.title} The key of {name} is trusted until Modelkeep ends.")
    _trusted_once.add((name, key.blob))
