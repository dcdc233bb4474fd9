"""The user's known_hosts: read with patience and appended to. Knows no network and no paramiko.

OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): plain, hashed, wildcard and negated names, [host]:port,
@revoked, @cert-authority. A line that makes no sense is skipped, so that it cannot hide the others.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelkeep.core.durable import store_failed, sync_folder, write_file
from modelkeep.core.errors import HostKeyChanged
from modelkeep.core.keyfile import fingerprint, type_of
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import Tree
from modelkeep.core.stores.base import Address

_LARGEST = 16 << 20
_REVOKED, _AUTHORITY = "@revoked", "@cert-authority"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: its type and the bytes of the key."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """In the form of `ssh-keygen -l`: SHA256:… without padding."""
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True)
class Line:
    """One usable line: where it stands, the names it is for, the key, and its marker ("" or "@revoked")."""

    place: str
    names: str
    key: HostKey
    marker: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about one host. `files` are the user's own that were looked into."""

    host: str
    keys: tuple[Line, ...]
    revoked: tuple[Line, ...]
    files: tuple[str, ...] = ()

    def types(self) -> list[str]:
        """Key types to prefer, so that the server shows the key that can be compared."""
        return list(dict.fromkeys(line.key.type for line in self.keys))

    def check_revoked(self, key: HostKey) -> None:
        """Raise HostKeyChanged if `key`, of a host or an authority, has been revoked for this host."""
        for line in self.revoked:
            if line.key.blob == key.blob:
                raise self._refused(
                    "host_revoked",
                    key,
                    (line,),
                    f"The key of {self.host} has been revoked; nothing was sent to it.",
                    detail=f"{key.type} {key.fingerprint} ({line.place})",
                    hint="Ask the administrator of the server for its new key.",
                )

    def accepts(self, key: HostKey) -> bool:
        """True if `key` is known, False if the host is unknown; raises HostKeyChanged for everything else."""
        self.check_revoked(key)
        if any(line.key.blob == key.blob for line in self.keys):
            return True
        if not self.keys:
            return False
        known = "\n".join(
            f"Known:     {one.key.type} {one.key.fingerprint} ({one.place})" for one in self.keys
        )
        raise self._refused(
            "host_changed",
            key,
            self.keys,
            f"The identity of {self.host} has changed; nothing was sent to it.",
            detail=f"{known}\nPresented: {key.type} {key.fingerprint}",
            hint="Either the server was set up anew or someone is in between. Ask its administrator; if the new "
            f"key is right, forget the old one with: ssh-keygen -R '{self.host}'",
        )

    def _refused(
        self, reason: str, key: HostKey, known: tuple[Line, ...], title: str, *, detail: str, hint: str
    ) -> HostKeyChanged:
        error = HostKeyChanged(title, detail=detail, hint=hint, reason=reason)
        error.host, error.files = self.host, self.files
        error.presented = (key.type, key.fingerprint)
        error.known = tuple((line.key.type, line.key.fingerprint, line.place) for line in known)
        return error


def host_name(address: Address, alias: str = "") -> str:
    """The name a host has in known_hosts: its alias, else with its port in brackets unless that is 22."""
    if alias:
        return alias.lower()
    host = address.host.lower()
    return host if address.port == 22 else f"[{host}]:{address.port}"


def lookup(own: Iterable[str], name: str, *, machine: Iterable[str] = (), also: str = "") -> Known:
    """Everything the user's `own` files and the machine's say about the host; missing ones say nothing.

    What is revoked for the name `also` is revoked for this host, too.
    """
    files = tuple(own)
    lines = [line for file in (*files, *machine) for line in _lines(file)]
    keys = tuple(line for line in lines if not line.marker and _matches(line.names, name))
    revoked = tuple(
        line
        for line in lines
        if line.marker == _REVOKED and (_matches(line.names, name) or _matches(line.names, also))
    )
    return Known(name, keys, revoked, files)


def authorities(files: Iterable[str], names: Iterable[str]) -> list[Line]:
    """The lines of authorities that may vouch for a host with one of these names."""
    wanted = tuple(names)
    lines = (line for file in files for line in _lines(file) if line.marker == _AUTHORITY)
    return [line for line in lines if any(_matches(line.names, name) for name in wanted)]


def remember(file: str, name: str, key: HostKey, *, hashed: bool) -> None:
    """Append one line to `file`, which is made if it is missing. Raises StoreFailed."""
    line = f"{_hashed(name) if hashed else name} {key.type} {base64.b64encode(key.blob).decode()}\n"
    try:
        _append(Path(file), line.encode())
    except OSError as error:
        raise store_failed(error, file) from error


def own_lines(file: str, name: str) -> tuple[Line, ...]:
    """The lines that `forget_host` would take out of `file`."""
    return tuple(line for line in _lines(file) if _vouches(line, name))


def forget_host(file: str, address: Address | str) -> tuple[str, ...]:
    """Take every line out of `file` that vouches for this host, and return them; what was there is in FILE.old.

    Lines for several hosts by a pattern, authorities and revoked keys stay. The file is replaced as a whole, by
    a rename, and only if nobody wrote to it meanwhile. Raises StoreFailed.
    """
    name = address if isinstance(address, str) else host_name(address)
    target = Path(os.path.realpath(file))
    try:
        before = target.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise store_failed(error, file) from error
    lines = before.splitlines(keepends=True)
    removed = [raw for raw in lines if (line := _parse(_text(raw), "")) is not None and _vouches(line, name)]
    if removed:
        after = b"".join(line for line in lines if line not in removed)
        try:
            _replace(target, before, after)
        except OSError as error:
            raise store_failed(error, file) from error
    return tuple(_text(line) for line in removed)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()


def _vouches(line: Line, name: str) -> bool:
    if line.marker:
        return False
    return _hash_matches(line.names, name) if line.names[0] == "|" else name in line.names.lower().split(",")


def _replace(target: Path, before: bytes, after: bytes) -> None:
    folder = Tree(target.parent)
    write_file(folder, f"{target.name}.old", before, mode=0o600)
    if target.read_bytes() != before:
        raise OSError(errno.EBUSY, "somebody else is writing to it")
    write_file(folder, target.name, after)


def _append(file: Path, line: bytes) -> None:
    if not file.parent.is_dir():
        file.parent.mkdir(mode=0o700, parents=True)
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        os.write(fd, line)
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(str(file.parent))


def _lines(file: str) -> Iterator[Line]:
    try:
        with open(file, "rb") as stream:
            text = stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return
    for number, raw in enumerate(text.split("\n"), 1):
        line = _parse(raw.strip(), f"{file}:{number}")
        if line is not None:
            yield line


def _parse(text: str, place: str) -> Line | None:
    if not text or text.startswith("#"):
        return None
    fields = text.split()
    marker = fields.pop(0) if fields[0].startswith("@") else ""
    if len(fields) < 3 or marker not in ("", _REVOKED, _AUTHORITY):
        return None
    try:
        blob = base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Line(place, fields[0], HostKey(fields[1], blob), marker) if type_of(blob) == fields[1] else None


def _matches(names: str, name: str) -> bool:
    if names.startswith("|"):
        return _hash_matches(names, name)
    matched = False
    for pattern in names.lower().split(","):
        negated = pattern.startswith("!")
        if _glob(pattern.removeprefix("!"), name):
            if negated:
                return False
            matched = True
    return matched


def _glob(pattern: str, name: str) -> bool:
    # Only * and ? are special here; [ belongs to [host]:port.
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, name, re.DOTALL) is not None


def is_listed(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns, with * and ?, is for `name`."""
    return any(_glob(pattern, name) for pattern in patterns)


def _hash_matches(names: str, name: str) -> bool:
    try:
        _, kind, salt, digest = names.split("|")
        wanted = base64.b64decode(digest)
        found = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
    except (ValueError, binascii.Error):
        return False
    return kind == "1" and hmac.compare_digest(wanted, found)


def _hashed(name: str) -> str:
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
