"""A trial on a server: one connection for everything, from the name's lookup to the last removal.

Everything is asked by SFTP; commands are only looked for. Knows no sentences for people, no Git and no DVC.
"""

from __future__ import annotations

import hashlib
import posixpath
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

from modelkeep.core.errors import ConnectionLost, ModelkeepError, StoreFailed
from modelkeep.core.leftovers import temp_name
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.base import LoginProvider, RemoteSpec
from modelkeep.core.stores.limits import DEFAULT, Limits
from modelkeep.core.stores.sftp import BLOCK, Session
from modelkeep.core.stores.sftp_wire import Reply
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.stores.ssh_connect import Connection
from modelkeep.core.stores.ssh_keys import Keys
from modelkeep.core.stores.ssh_shell import Shell
from modelkeep.core.stores.trial import Obstacle, Pace, Space, Thing, Trial
from modelkeep.core.stores.trial_speed import Line

#: Values of the spec's option `keys`, where one way to log in was chosen and nothing else shall be tried.
NO_KEYS, ONLY_KEYS = "none", "only"
_RMDIR = 15
_READ_ONLY = 0x1
_MOMENT = 0.8  # seconds a cancel waits for the end of what is short


class _Gentle:
    """A Progress whose cancel gives what waits a moment before the connection is torn down: it is needed to
    remove what was made."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._progress, name)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        timer = threading.Timer(_MOMENT, interrupt)
        timer.daemon = True
        try:
            with self._progress.interrupting(timer.start):
                yield
        finally:
            timer.cancel()


def _gently(progress: Progress) -> Progress:
    return cast(Progress, _Gentle(progress))


def _nothing(_reply: Reply) -> None:
    """For answers that change nothing."""


class ServerTrial(Trial):
    """A trial in a folder of a server. `connect` first, then `enter`; everything else needs both."""

    on_server = True

    def __init__(
        self, spec: RemoteSpec, login: LoginProvider, progress: Progress = SILENT, limits: Limits = DEFAULT
    ) -> None:
        super().__init__(posixpath.normpath(spec.path or "."))
        self._spec = spec
        self._login = login
        self._progress = progress
        self._limits = limits
        self._connection: Connection | None = None
        self._open: Session | None = None
        self._handles: list[bytes] = []
        #: The permissions that new files get there, where the server tells.
        self.mode: int | None = None

    # -- getting there ---------------------------------------------------------------------------------

    def connect(self, reached: Callable[[str, str], None]) -> None:
        """Connect and log in; `reached(stage, fact)` is called on the way. Raises what the connection does."""
        options = self._spec.options
        keys = Keys(
            options.get("keyfile", ""),
            options.get("allow_agent") != "false",
            without=options.get("keys") == NO_KEYS,
            alone=options.get("keys") == ONLY_KEYS,
        )
        route = resolve(self._spec.host, self._spec.user, self._spec.port)
        self._connection = Connection(route, keys, self._login, self._limits, self._progress, reached=reached)

    def enter(self) -> None:
        """Start the file transfer. Raises StoreFailed where there is none, Obstacle("garbled") where the
        server speaks something else first."""
        pipe = self._link.open_sftp(self._progress)
        pipe.watch(self._progress)
        try:
            self._open = Session(pipe)
        except ConnectionLost as error:
            if not self._link.is_alive:
                raise
            if error.reason == "garbled":
                raise Obstacle("garbled", self.root, error.title) from error
            raise StoreFailed(
                "The server ends the file transfer as soon as it begins.",
                hint="Ask its administrator to enable SFTP for this account.",
                reason="no_sftp",
            ) from error

    @property
    def _link(self) -> Connection:
        assert self._connection is not None
        return self._connection

    @property
    def _session(self) -> Session:
        assert self._open is not None
        return self._open

    # -- looking and making ----------------------------------------------------------------------------

    def look(self, path: str) -> Thing:
        reply = self._session.ask(wire.STAT, wire.string(_raw(path)))
        if reply.kind == wire.ATTRS:
            return Thing.FOLDER if reply.attrs().is_dir else Thing.OTHER
        return Thing.HIDDEN if reply.status == wire.DENIED else Thing.NOTHING

    def can_list(self) -> bool:
        reply = self._session.ask(wire.OPENDIR, wire.string(_raw(self.root)))
        if reply.kind == wire.HANDLE:
            self._session.ask(wire.CLOSE, wire.string(reply.handle()))
        return reply.status != wire.DENIED

    def start_folder(self) -> str:
        """The folder this account begins in, as the server says; for people's eyes only."""
        reply = self._session.ask(wire.REALPATH, wire.string(b"."))
        if reply.kind != wire.NAME:
            return ""
        return next((name.decode("utf-8", "replace") for name, _ in reply.names()), "")

    def make(self, path: str) -> None:
        self._made.append(path)  # before the answer: a cancel may come first
        reply = self._session.ask(wire.MKDIR, wire.string(_raw(path)) + wire.uint32(0))
        if reply.status != wire.OK:
            self._made.remove(path)
            raise self._obstacle(reply, path)

    def write(self, data: bytes) -> str:
        name = temp_name()
        handle = self._create(name)
        body = wire.string(handle) + wire.uint64(0) + wire.string(data)
        self._expect(self._session.ask(wire.WRITE, body))
        self._close_file(handle)
        reply = self._session.ask(wire.LSTAT, self._at(name))
        if reply.kind != wire.ATTRS or reply.attrs().size not in (None, len(data)):
            raise Obstacle("failed", self.root, "The file is not as long as what was written.")
        self.mode = reply.attrs().mode
        return name

    def _create(self, name: str) -> bytes:
        self._files.append(name)
        flags = wire.READABLE | wire.WRITABLE | wire.CREATE | wire.EXCLUSIVE
        reply = self._session.ask(wire.OPEN, self._at(name) + wire.uint32(flags) + wire.uint32(0))
        if reply.status is not None:
            raise self._obstacle(reply, self.root)
        handle = reply.handle()
        self._handles.append(handle)
        return handle

    def _close_file(self, handle: bytes) -> None:
        self._handles.remove(handle)
        self._expect(self._session.ask(wire.CLOSE, wire.string(handle)))

    def rename(self, old: str, new: str) -> bool:
        session = self._session
        replaces = "posix-rename@openssh.com" in session.extensions
        if not replaces:  # version 3 itself never replaces
            self._expect(session.ask(wire.REMOVE, self._at(new)))
        request = session.rename_request(self._path(old), self._path(new))
        self._expect(session.ask(*request), "no_rename")
        self._files.remove(old)
        if self.look(posixpath.join(self.root, new)) is not Thing.OTHER:
            raise Obstacle("no_rename", self.root, "The new name is not there.")
        return replaces

    # -- facts -----------------------------------------------------------------------------------------

    def space(self) -> Space | None:
        return self._space_of(self.root)

    def _space_of(self, path: str) -> Space | None:
        if "statvfs@openssh.com" not in self._session.extensions:
            return None
        body = wire.string(b"statvfs@openssh.com") + wire.string(_raw(path))
        reply = self._session.ask(wire.EXTENDED, body)
        if reply.status is not None:
            return None
        reader = reply.extended()
        _, size, blocks, _, free, files, _, more_files, _, flags, _ = (reader.uint64() for _ in range(11))
        return Space(free * size, blocks * size, more_files if files else None, bool(flags & _READ_ONLY))

    def clock_ahead(self) -> float | None:
        """How many seconds the server's clock is ahead of this computer's, by the time of a new file."""
        before = time.time()
        name = self.write(b"x")
        after = time.time()
        reply = self._session.ask(wire.LSTAT, self._at(name))
        written = reply.attrs().mtime if reply.kind == wire.ATTRS else None
        if written is None:
            return None
        # The server cuts to whole seconds; whatever fits the time it took is no difference.
        if before - 1 <= written <= after:
            return 0.0
        return written - (before + after) / 2

    def hashes(self, name: str, data: bytes) -> bool | None:
        """Whether the server can hash what it got: True if it came to the same, None if it runs nothing.

        Raises Obstacle("one_session") where that would need another connection.
        """
        shell, gently = Shell(self.root, self._limits), _gently(self._progress)
        try:
            shell.probe(self._link, gently)
        except ConnectionLost as error:
            if not self._link.is_alive:
                raise
            raise Obstacle("one_session", self.root, error.detail) from error
        if not shell.can("md5sum"):
            return None
        said = shell.run(self._link, f"md5sum -- {shlex.quote('./' + name)}", gently)
        if said is None or not said.is_well:
            return None
        return said.output.lstrip(b"\\").startswith(
            hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
        )

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}

        def answered(key: str) -> Callable[[Reply], None]:
            def take(reply: Reply) -> None:
                if reply.kind == wire.ATTRS and (size := reply.attrs().size) is not None:
                    found[key] = size

            return take

        asked = ((wire.STAT, self._at(key), answered(key)) for key in keys)
        self._session.call_all(asked, progress=self._progress)
        return found

    def speeds(self, most: int, seconds: float) -> tuple[Pace, Pace]:
        """Send up to `most` random bytes for up to `seconds`, then get them back; (up, down)."""
        handle = self._create(temp_name())
        line = Line(self._session, handle, self._progress)
        up, refused = line.send(most, seconds)
        if refused is not None:
            raise self._obstacle(refused, self.root)
        down = line.get(up.bytes, seconds)
        self._close_file(handle)
        return up, down

    # -- the end ---------------------------------------------------------------------------------------

    def clean_up(self, patience: float) -> bool:
        if not (self._files or self._made) or self._open is None:
            return True
        left: list[str] = []
        try:
            session = self._session_to_clean()
            if session is self._open:
                for handle in self._handles:
                    session.request(wire.CLOSE, wire.string(handle), _nothing)
            for name in self._files:
                session.request(wire.REMOVE, self._at(name), self._unless_gone(left, name))
            for folder in reversed(self._made):
                session.request(_RMDIR, wire.string(_raw(folder)), self._unless_gone(left, folder))
            session.settle(patience)
            is_clean = session.is_idle and not left
        except ModelkeepError:
            return False
        self._files, self._made, self._handles = [], [], []
        return is_clean

    def _session_to_clean(self) -> Session:
        """The session in use, or a new one where a cancel tore a message apart."""
        if not self._session.broken:
            return self._session
        if not self._link.is_alive:
            raise ConnectionLost("The connection broke.")
        return Session(self._link.open_sftp(SILENT))

    @staticmethod
    def _unless_gone(left: list[str], name: str) -> Callable[[Reply], None]:
        def answered(reply: Reply) -> None:
            if reply.status not in (wire.OK, wire.NO_SUCH_FILE):
                left.append(name)

        return answered

    def close(self) -> None:
        with suppress(ModelkeepError, OSError, EOFError):
            if self._open is not None:
                self._open.close()
            if self._connection is not None:
                self._connection.close()

    # -- answers ---------------------------------------------------------------------------------------

    def _at(self, key: str) -> bytes:
        return wire.string(self._path(key))

    def _path(self, key: str) -> bytes:
        return _raw(posixpath.join(self.root, key))

    def _expect(self, reply: Reply, otherwise: str = "failed") -> None:
        if reply.status != wire.OK:
            raise self._obstacle(reply, self.root, otherwise)

    def _obstacle(self, reply: Reply, about: str, otherwise: str = "failed") -> StoreFailed:
        """What a refusal means. A server says no more than "Failure" for a full disk, a quota and a read-only
        file system alike, so it is asked about these."""
        if reply.status == wire.NO_SUCH_FILE:
            return Obstacle("missing", about, reply.text)
        if reply.status == wire.DENIED:
            return Obstacle("denied", about, reply.text)
        said = reply.text if reply.status is not None else "an answer that makes no sense"
        space = self._space_of(self.root) or self._space_of(posixpath.dirname(self.root) or "/")
        if space is None:
            return Obstacle(otherwise, about, said)
        if space.is_read_only:
            return Obstacle("read_only", about, said)
        if space.free < BLOCK or space.files == 0:
            return Obstacle("full", about, said)
        return Obstacle("quota" if otherwise == "failed" else otherwise, about, said)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
