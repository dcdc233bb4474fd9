"""Certificates of hosts (OpenSSH's PROTOCOL.certkeys): does an authority the user trusts vouch for a server?

The connection itself proves that the server has the key in the certificate; here is decided what the certificate
is worth. Opens no connection and reads no files.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from modelkeep.core.keyfile import certificate_fields, fields, fingerprint, type_of
from modelkeep.core.paths import visible
from modelkeep.core.stores.ssh_library import paramiko

_HOST = 2
_NEVER = (1 << 64) - 1


def problem(certificate: bytes, host: str, authorities: Iterable[bytes], now: float | None = None) -> str:
    """Why this certificate does not vouch for `host`, for people; "" if it does."""
    try:
        return _problem(certificate, host, set(authorities), time.time() if now is None else now)
    except (ValueError, UnicodeDecodeError):
        return "it cannot be read"


def _problem(certificate: bytes, host: str, authorities: set[bytes], now: float) -> str:
    rest = certificate_fields(certificate)[1]
    kind = int.from_bytes(rest[8:12], "big")
    (_, principals), rest = fields(rest[12:], 2)
    after, before = int.from_bytes(rest[:8], "big"), int.from_bytes(rest[8:16], "big")
    (critical, _, _, authority, signature), rest = fields(rest[16:], 5)
    signed = certificate[: len(certificate) - len(signature) - 4]
    if rest:
        return "it has more than it should"
    if authority not in authorities:
        return f"it is signed by an authority that is not known ({fingerprint(authority)})"
    if not _is_signed(authority, signed, signature):
        return "its signature is wrong"
    if kind != _HOST:
        return "it is not for a host"
    names = [name.decode() for name in _all(principals)]
    if names and host.lower() not in (name.lower() for name in names):
        return f"it is for {visible(', '.join(names))[:200]}"
    if critical:
        return "it demands something that is not known"
    if now < after:
        return "it is not valid yet"
    if before != _NEVER and now >= before:
        return "it has expired"
    return ""


def _all(data: bytes) -> list[bytes]:
    found = []
    while data:
        (one,), data = fields(data, 1)
        found.append(one)
    return found


def _is_signed(authority: bytes, data: bytes, signature: bytes) -> bool:
    try:
        key = paramiko.PKey.from_type_string(type_of(authority), authority)
        return bool(key.verify_ssh_sig(data, paramiko.Message(signature)))
    except Exception:  # paramiko and cryptography have no common error for a bad key or signature
        return False
