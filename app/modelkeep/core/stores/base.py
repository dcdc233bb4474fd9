"""What every store can do, and the nouns stores share. Knows nothing of Git, DVC, hashes or where bytes lie.

A key is a relative POSIX path. Stores raise only Modelkeep's errors (and Cancelled); whatever paramiko or the
operating system say is turned into one of them where it enters. Calls that take a `progress` end within two
seconds of its `cancel`, also while the network is silent. A store's docstring says what several threads may do.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from modelkeep.core.errors import NotFound, UsageError
from modelkeep.core.leftovers import temp_name
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import safe_relpath, visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Secret

Done = Callable[[str, int], None]
Failed = Callable[[str, Exception], None]


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts a caller may plan by. `connections` is how many operations at once are worth while."""

    connections: int = 1
    cheap_listing: bool = True
    atomic_replace: bool = True
    runs_commands: bool = False
    is_local: bool = False


class Item(NamedTuple):
    """One stored thing: its key and size in bytes."""

    key: str
    size: int


@dataclass(slots=True)
class Incoming:
    """Something to be stored under `key`.

    `chunks` is read once; it raises at its end if the content turned out wrong, and the store then discards
    what it wrote and goes on with the next. `size` is checked where known. `checksum`, valid after `chunks`
    ended, is the MD5 of the raw bytes in hex: a store that runs commands compares it with the server's own.
    `reopen` starts the content again, so that a broken connection can be resumed in the middle of an object.
    `in_order` says that taking the next item ends this one's content, as in a stream of another store.
    `whole` gives a small content at once, as often as it is asked, and raises what `chunks` would; `checksum` is
    then valid after it, too.
    """

    key: str
    chunks: Iterator[bytes]
    size: int | None = None
    checksum: Callable[[], str] | None = None
    reopen: Callable[[], Iterator[bytes]] | None = None
    in_order: bool = False
    whole: Callable[[], bytes] | None = None


class Store(ABC):
    """Bytes under keys. Keys that `safe_relpath` refuses raise UnsafePath before anything is touched."""

    @property
    @abstractmethod
    def traits(self) -> Traits:
        """Facts about this store; may become more exact once it is connected."""

    @abstractmethod
    def describe(self) -> str:
        """Name the place for people, without secrets, with how uploads are checked where that varies."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the root folder if it is missing and prove that it can be written."""

    @abstractmethod
    def sizes(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, int]:
        """The sizes in bytes of those keys that exist now; files only. Really asks."""

    @abstractmethod
    def list(self, prefix: str, *, progress: Progress = SILENT) -> Iterator[Item]:
        """Every file beneath the folder `prefix` ("" for all), in no order; a missing folder lists nothing.

        Names that are no valid keys, and temporary files, are left out.
        """

    @abstractmethod
    def read_many(
        self, keys: Iterable[str], *, progress: Progress = SILENT
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield every key with its content, in the order asked.

        Drain or close each content before taking the next. A missing key raises NotFound when its content is
        iterated; the following keys still come.
        """

    @abstractmethod
    def read(self, key: str, *, offset: int = 0, progress: Progress = SILENT) -> Iterator[bytes]:
        """The content from `offset` on; raises NotFound when iterated."""

    @abstractmethod
    def write_many(self, items: Iterable[Incoming], progress: Progress, done: Done, failed: Failed) -> None:
        """Store all items, each all or nothing: temporary name, check, then the rename.

        `done(key, bytes)` follows once a key is in its final place. A failure of one item goes to `failed` and
        the rest goes on; ConnectionLost, LoginFailed and Cancelled end the call. Temporary files of unfinished
        items are removed as far as the connection allows. `progress.advance` counts bytes as they are sent;
        counting files is left to the caller's `done`.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the file; a missing one is fine. Never follows a link or removes a folder."""

    def delete_many(self, keys: Iterable[str], *, progress: Progress = SILENT) -> None:
        """`delete` for many, in about this order. Reports files; raises the first refusal."""
        for key in keys:
            self.delete(key)
            progress.advance(files=1)

    @abstractmethod
    def modified(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, float]:
        """When those of `keys` that exist were last written: seconds since 1970 by the clock of the place."""

    def clock(self) -> float:
        """What time it is by the clock that `modified` goes by; writes a small file to see that."""
        key = f"files/md5/{temp_name()}"
        self.write(Incoming(key, iter((b"",)), 0, reopen=lambda: iter((b"",))))
        try:
            return self.modified([key])[key]
        finally:
            self.delete(key)

    @abstractmethod
    def move(self, key: str, newkey: str) -> None:
        """Rename, replacing what is at `newkey`; raises NotFound."""

    @abstractmethod
    def free_space(self) -> int | None:
        """Bytes that can still be written, or None where the store cannot say."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and threads. The store connects again if it is used again."""

    def exists(self, key: str) -> bool:
        """Whether there is a file under `key` now."""
        return key in self.sizes([key])

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer at the end of the file. Raises NotFound."""
        parts, missing = [], length
        chunks = self.read(key, offset=offset)
        for chunk in chunks:
            parts.append(chunk[:missing])
            missing -= len(parts[-1])
            if missing <= 0:
                break
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        return b"".join(parts)

    def write(self, incoming: Incoming, *, progress: Progress = SILENT) -> int:
        """Store one item and return its size; raises what went wrong with it."""
        sizes: list[int] = []
        errors: list[Exception] = []
        self.write_many(
            [incoming], progress, lambda _, size: sizes.append(size), lambda _, error: errors.append(error)
        )
        if errors:
            raise errors[0]
        return sizes[0]

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def checked(key: str) -> str:
    """`key` if it may name something in a store, else UnsafePath."""
    return safe_relpath(key)


def missing(key: str, where: str) -> NotFound:
    """The error for a key that is not there."""
    return NotFound(f"{key} is not in {where}.", paths=(key,))


# -- addresses and logins ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """Who logs in where. `str()` is the form secrets are bound to: user@host:port, host in lower case."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        host = self.host.lower()
        return f"{self.user}@[{host}]:{self.port}" if ":" in host else f"{self.user}@{host}:{self.port}"


class Trust(enum.StrEnum):
    """The answer to an unknown host key."""

    CANCEL = "cancel"
    ONCE = "once"
    REMEMBER = "remember"


class LoginProvider(Protocol):
    """Who knows or asks for secrets. Called from the thread that uses the store; may block on a person."""

    def password(self, address: Address, attempt: int, prompt: str) -> Secret | None:
        """The password for `address`. `attempt` counts from 1; later ones mean the last was refused.

        `prompt` is the server's own text, or "". None means the person cancelled.
        """

    def passphrase(self, keyfile: str, attempt: int, key: str = "") -> Secret | None:
        """What unlocks a key file; None leaves that key out. `key` is its fingerprint, SHA256:…, if known."""

    def unlocked(self, key: str) -> None:
        """The passphrase given last for the key with this fingerprint was right: it may be kept."""

    def answers(
        self, address: Address, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        """Answers to the server's questions, one for each (text, whether the answer may be seen).

        All texts are the server's own, made harmless. None means the person cancelled. Nothing of it is kept.
        """

    def say(self, text: str) -> None:
        """Tell the person something while the login waits, such as to touch a security key; "" is past it."""

    def accepted(self, address: Address) -> None:
        """The server took the password given last: it may be kept."""

    def rejected(self, address: Address) -> None:
        """The server refused the password given last: it must not be kept."""

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        """Decide about an unknown host key: a Trust or its value."""


# -- remotes -------------------------------------------------------------------------------------------

_UNSAFE_NAME = re.compile(r"^-|[\x00-\x20\x7f/\\]")


@dataclass(frozen=True)
class RemoteSpec:
    """What it takes to open a store: `kind` is "local", "ssh" or another scheme.

    `path` is a folder (absolute for local). `user` and `port` may be left to ~/.ssh/config. `options` come from
    the user's own configuration, never from a repository's: keyfile, shared ("group").
    """

    kind: str
    path: str = ""
    host: str = ""
    user: str = ""
    port: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str] | None = None) -> RemoteSpec:
        """From a URL such as ssh://user@host:2222/srv/data, or an absolute local path. Raises UsageError.

        `user` and `port` in `options` win over the URL, as they do in DVC. A password in the URL is refused.
        """
        options = dict(options or {})
        scheme, marker, _ = url.partition("://")
        if not marker:
            return cls("local", path=url, options=options)
        if scheme.lower() not in ("ssh", "sftp"):
            return cls(scheme.lower(), path=url.split("@")[-1], options=options)
        try:
            parts = urlsplit(url)
            port = int(options.pop("port", 0) or parts.port or 0) or None
        except ValueError as error:
            raise UsageError(f"The address {visible(url)} is not valid: {error}.") from None
        if parts.password:
            raise UsageError(
                "A password does not belong in the address of a remote.",
                hint="Remove it from the URL and run `modelkeep login`.",
            )
        user = options.pop("user", "") or unquote(parts.username or "")
        return cls("ssh", unquote(parts.path), _host(parts.hostname or "", user), user, port, options)


def _host(host: str, user: str) -> str:
    for name, what in ((host, "host"), (user, "user")):
        if _UNSAFE_NAME.search(name):
            raise UsageError(f"{visible(name)} cannot be the name of a {what}.")
    if not host:
        raise UsageError("The address of the remote names no host.")
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise UsageError(f"{visible(host)} is not a valid host name.") from None
