"""What a private key file of SSH tells without being opened: its form, whether it is locked, its public half.

OpenSSH's own form carries the public key in clear (OpenSSH's PROTOCOL.key); for PEM the file beside it that ends
with ".pub" stands in. Knows no cryptography and no servers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from pathlib import Path

from modelkeep.core.nouns import dataclass

_LARGEST = 1 << 16
_CERTIFICATE = "-cert-v01@openssh.com"
_HEAD = b"openssh-key-v1\0"
_BEGIN = re.compile(rb"-----BEGIN ([A-Z ]*?) ?PRIVATE KEY-----")
#: How many fields of a certificate after its nonce are those of the key.
_FIELDS = {"ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa": 2, "sk-ssh-ed25519": 2, "sk-ecdsa": 3}


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key file. `public` is the public half as it goes over the wire, None where it is not known.

    `mark` is the name a passphrase is kept under: the fingerprint of the key, or of the file where the public half
    is not known; SHA256:… in either case. `form` is "OPENSSH", "RSA" (PEM), "" (PKCS#8), "PuTTY" and the like.
    """

    path: str
    form: str
    is_locked: bool
    public: bytes | None
    mark: str


def look_at(path: str) -> KeyFile | None:
    """What the file at `path` is; None if there is none that can be read, or it is no private key."""
    name = os.path.expanduser(path)
    try:
        with open(name, "rb") as file:
            text = file.read(_LARGEST)
    except OSError:
        return None
    if text.startswith(b"PuTTY-User-Key-File"):
        return KeyFile(name, "PuTTY", b"Encryption: none" not in text, None, fingerprint(text))
    begin = _BEGIN.search(text)
    if begin is None:
        return None
    form = begin[1].decode()
    is_locked, public = b"ENCRYPTED" in text, None
    if form == "OPENSSH":
        is_locked, public = _opened(text[begin.end() :].partition(b"-----END")[0])
    public = public or public_half(f"{name}.pub")
    return KeyFile(name, form, is_locked, public, fingerprint(public or text))


def _opened(text: bytes) -> tuple[bool, bytes | None]:
    """Whether the content of OpenSSH's form is encrypted, and the public key in it."""
    try:
        data = base64.b64decode(b"".join(text.split()))
        if not data.startswith(_HEAD):
            return False, None
        (cipher, _, _), rest = fields(data[len(_HEAD) :], 3)
        (public,), _ = fields(rest[4:], 1)
    except (binascii.Error, ValueError):
        return False, None
    return cipher != b"none", public


def is_too_open(path: str) -> bool:
    """Whether others may read the file; OpenSSH then refuses to use it."""
    if os.name == "nt":
        return False
    try:
        found = os.stat(os.path.expanduser(path))
    except OSError:
        return False
    return found.st_uid == os.getuid() and bool(stat.S_IMODE(found.st_mode) & 0o077)


def public_half(path: str) -> bytes | None:
    """The key or certificate in a one-line public file; None where there is none."""
    try:
        words = Path(os.path.expanduser(path)).read_bytes()[:_LARGEST].split()
        blob = base64.b64decode(words[1], validate=True)
        return blob if type_of(blob).encode() == words[0] else None
    except (OSError, ValueError, IndexError):
        return None


def type_of(blob: bytes) -> str:
    """The type that the key or certificate names itself, "" if it is neither."""
    try:
        return fields(blob, 1)[0][0].decode("ascii")
    except (ValueError, UnicodeDecodeError):
        return ""


def fingerprint(blob: bytes) -> str:
    """In the form of `ssh-keygen -l`: SHA256:… without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def certified(blob: bytes) -> bytes | None:
    """The plain public key that a certificate is for; None for anything else."""
    try:
        return certificate_fields(blob)[0]
    except ValueError:
        return None


def certificate_fields(blob: bytes) -> tuple[bytes, bytes]:
    """(the plain public key, what follows it) of a certificate (OpenSSH's PROTOCOL.certkeys).

    Raises ValueError for anything else.
    """
    kind = type_of(blob)
    plain = kind.removesuffix(_CERTIFICATE)
    count = next((n for name, n in _FIELDS.items() if plain == name or plain.startswith(f"{name}-")), 0)
    if plain == kind or not count:
        raise ValueError("this is no certificate")
    if plain.startswith("sk-"):
        plain += "@openssh.com"
    found, rest = fields(blob, 2 + count)
    return b"".join(_field(one) for one in (plain.encode(), *found[2:])), rest


def fields(data: bytes, count: int) -> tuple[list[bytes], bytes]:
    """The first `count` strings of SSH's wire format, and what follows. Raises ValueError where it is shorter."""
    found = []
    for _ in range(count):
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 + size or len(data) < 4:
            raise ValueError("the data is shorter than it says")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found, data


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
