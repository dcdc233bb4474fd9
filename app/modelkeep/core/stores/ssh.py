"""A store on a server reached by SSH: shell accounts and SFTP-only accounts. Knows nothing of Git or DVC.

Uploads go to a temporary name beside the final one and are renamed after a check: of the MD5 by the server
itself where the account may run commands, of the size otherwise; `describe` says which.
"""

from __future__ import annotations

import functools
import random
import shlex
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from modelkeep.core.errors import ConnectionLost, StoreFailed, UnsafePath
from modelkeep.core.leftovers import temp_name
from modelkeep.core.paths import safe_relpath
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores import sftp_age, sftp_sweep, ssh_untar
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.base import (
    Done,
    Failed,
    Incoming,
    Item,
    LoginProvider,
    RemoteSpec,
    Store,
    Traits,
    checked,
    missing,
)
from modelkeep.core.stores.limits import DEFAULT, Limits
from modelkeep.core.stores.sftp import Flow, Job, Session, expect_ok
from modelkeep.core.stores.sftp_get import Downloads
from modelkeep.core.stores.sftp_list import Limit, TooMany, list_sizes, read_folder
from modelkeep.core.stores.sftp_put import Uploads, batches, join
from modelkeep.core.stores.sftp_wire import Reply
from modelkeep.core.stores.ssh_auth import Keys
from modelkeep.core.stores.ssh_check import Server
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.stores.ssh_connect import Connection
from modelkeep.core.stores.ssh_list import MANY, Listing, folder_script, most_output, parse, tree_script
from modelkeep.core.stores.ssh_send import Sending
from modelkeep.core.stores.ssh_shell import Shell

BATCH_FILES = 4096
_LONGEST_LISTING = 128 << 20  # bytes; some million files, more are listed folder by folder
_OTHERS = 5  # sshd allows ten sessions in a connection, counting commands
_IDLE = 2  # sessions kept open for the next call
_SETTLE = 1.0  # seconds for cleaning up after a cancel

# SshStore.list hides the built-in name inside the class.
_Names = list[str]
_Sessions = list[Session]
_Items = list[Item]


class SshStore(Store):
    """Objects beneath a folder on a server. Connects on first use and again after the connection was lost.

    Safe from several threads: they share one connection, and each call has an SFTP session of its own. A lost
    connection raises ConnectionLost in all of them; RetryingStore goes on from there.
    """

    def __init__(self, spec: RemoteSpec, login: LoginProvider, *, limits: Limits = DEFAULT) -> None:
        self._spec = spec
        self._root = spec.path
        self._login = login
        self._limits = limits
        self._keys = Keys(spec.options.get("keyfile", ""), spec.options.get("allow_agent", "true") != "false")
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._idle: list[Session] = []
        self._was_connected = False
        self._shell = Shell(self._root, limits)
        self._server = Server(self._shell)
        self._orphans: list[str] = []
        self._stages: list[str] = []

    @property
    def traits(self) -> Traits:
        return Traits(connections=2, runs_commands=self._shell.can("md5sum"))

    @property
    def address(self) -> str:
        """The user@host:port secrets are bound to, after ~/.ssh/config."""
        return str(resolve(self._spec.host, self._spec.user, self._spec.port).address)

    def describe(self) -> str:
        user = f"{self._spec.user}@" if self._spec.user else ""
        port = f":{self._spec.port}" if self._spec.port else ""
        how = ""
        if self._shell.can("md5sum"):
            how = " (uploads are checked by MD5 on the server)"
        elif self._shell.abilities is not None:
            how = " (uploads are checked by size: the account runs no commands)"
        return f"ssh://{user}{self._spec.host}{port}{self._root}{how}"

    # -- connection ------------------------------------------------------------------------------------

    @contextmanager
    def _session(self, progress: Progress = SILENT) -> Iterator[Session]:
        with self._connection_for(progress) as connection:
            session = self._take(connection, progress)
            try:
                session.watch(progress)
                yield session
            finally:
                self._give_back(connection, session)

    @contextmanager
    def _connection_for(self, progress: Progress) -> Iterator[Connection]:
        connection = self._connected(progress)
        try:
            yield connection
        except ConnectionLost:
            self._drop(connection)
            progress.check()
            raise

    def _connected(self, progress: Progress) -> Connection:
        while not self._lock.acquire(timeout=0.2):
            progress.check()
        try:
            if self._connection is not None and not self._connection.is_alive:
                self._drop(self._connection)
            if self._connection is None:
                self._connection = self._connect(progress)
                self._was_connected = True
            return self._connection
        finally:
            self._lock.release()

    def _connect(self, progress: Progress) -> Connection:
        route = resolve(self._spec.host, self._spec.user, self._spec.port)
        try:
            return Connection(route, self._keys, self._login, self._limits, progress)
        except ConnectionLost as error:
            progress.check()
            # Before anything ever worked, trying again is for the person who may have mistyped the address.
            error.retryable = self._was_connected
            raise

    def _take(self, connection: Connection, progress: Progress) -> Session:
        with self._lock:
            if self._connection is connection and self._idle:
                return self._idle.pop()
        pipe = connection.open_sftp(progress)
        pipe.watch(progress)
        return Session(pipe)

    def _give_back(self, connection: Connection, session: Session) -> None:
        with self._lock:
            if session.is_idle and self._connection is connection and len(self._idle) < _IDLE:
                session.watch(SILENT)
                self._idle.append(session)
                return
        if not session.broken:
            session.close()

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
                self._idle.clear()
        connection.close()

    def close(self) -> None:
        with self._lock:
            connection = self._connection
        if connection is not None:
            self._drop(connection)

    # -- asking ----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        with self._session() as session:
            session.make_folder(self._path(""))
            probe = self._path(temp_name())
            flags = wire.WRITABLE | wire.CREATE | wire.EXCLUSIVE
            opened = session.ask(wire.OPEN, wire.string(probe) + wire.uint32(flags) + wire.uint32(0))
            if opened.status is not None:
                raise wire.refusal(opened, self._root or "the home folder")
            expect_ok(session.ask(wire.CLOSE, wire.string(opened.handle())), self._root)
            expect_ok(session.ask(wire.REMOVE, wire.string(probe)), self._root)

    def sizes(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, int]:
        wanted = [checked(key) for key in keys]
        if len(wanted) >= MANY:
            script = folder_script(wanted)
            listed = self._listed(script, progress, most_output(wanted)) if script else None
            if listed is not None:
                if not listed.sizes and not listed.links:
                    self._sizes(wanted[:1], progress)  # says so if it is a folder that may not be entered
                return self._with_links(wanted, listed, progress)
            with suppress(TooMany, StoreFailed), self._session(progress) as session:
                return list_sizes(session, wanted, self._path, progress)
        return self._sizes(wanted, progress) if wanted else {}

    def _with_links(self, wanted: _Names, listed: Listing, progress: Progress) -> dict[str, int]:
        sizes, links = listed
        found = {key: sizes[key] for key in wanted if key in sizes}
        behind = [key for key in wanted if key in links or key.rpartition("/")[0] in links] if links else []
        return found | self._sizes(behind, progress) if behind else found

    def _listed(self, script: str, progress: Progress, most: int | None = None) -> Listing | None:
        """What a script of ssh_list found; None where SFTP has to be asked."""
        if not self._shell.is_unknown_or_can_run:
            return None
        with self._connection_for(progress) as connection:
            still_there = functools.partial(self._answers, progress)
            said = self._shell.run(connection, script, progress, still_there, most)
        return parse(said.output, self._shell) if said is not None and said.is_well else None

    def _answers(self, progress: Progress) -> None:
        """Raise ConnectionLost if the link is dead."""
        with self._session(progress) as session:
            session.ask(wire.REALPATH, wire.string(b"."))

    def _sizes(self, wanted: _Names, progress: Progress) -> dict[str, int]:
        found: dict[str, int] = {}
        refused: list[tuple[str, Reply]] = []

        def answered(key: str, reply: Reply) -> None:
            if reply.kind == wire.ATTRS:
                attrs = reply.attrs()
                if attrs.is_file and attrs.size is not None:
                    found[key] = attrs.size
            elif reply.status != wire.NO_SUCH_FILE:
                refused.append((key, reply))

        with self._session(progress) as session:
            session.call_all(
                (
                    (wire.STAT, wire.string(self._path(key)), functools.partial(answered, key))
                    for key in wanted
                ),
                progress=progress,
            )
        for key, reply in refused:
            if reply.status != wire.FAILURE:  # a parent that is a file: nothing there
                raise wire.refusal(reply, key)
        return found

    def list(self, prefix: str, *, progress: Progress = SILENT) -> Iterator[Item]:
        folders = [checked(prefix)] if prefix else [""]
        listed = self._listed(tree_script(prefix), progress, _LONGEST_LISTING)
        if listed is not None:
            yield from (Item(key, size) for key, size in listed.sizes.items() if _is_key(key))
            return
        limit = Limit()
        with self._session(progress) as session:
            while folders:
                items: list[Item] = []
                deeper: list[str] = []
                jobs = (functools.partial(self._list_one, folder, items, deeper, limit) for folder in folders)
                session.run(jobs, progress=progress)
                yield from items
                folders = deeper

    def _list_one(self, folder: str, items: _Items, deeper: _Names, limit: Limit, flow: Flow) -> Job:
        def found(name: str, attrs: wire.Attrs) -> None:
            key = f"{folder}/{name}" if folder else name
            if attrs.is_link or name.endswith(".tmp") or not _is_key(name):
                return
            if attrs.is_dir:
                deeper.append(key)
            elif attrs.is_file and attrs.size is not None:
                items.append(Item(key, attrs.size))

        return read_folder(flow, self._path(folder), found, limit=limit)

    def free_space(self) -> int | None:
        with self._session() as session:
            folder = self._path("")
            while True:
                free = session.free_space(folder)
                above = folder.rstrip(b"/").rpartition(b"/")[0]
                if free is not None or not above:
                    return free
                folder = above

    # -- reading ---------------------------------------------------------------------------------------

    def read_many(
        self, keys: Iterable[str], *, progress: Progress = SILENT
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        for group in ssh_untar.groups(checked(key) for key in keys):
            if self._shell.is_unknown_or_can_run and all(map(ssh_untar.is_plain, group)):
                yield from self._read_together(group, progress)
            else:
                with self._session(progress) as session:
                    yield from Downloads(session, self._path, progress).read(group)

    def _read_together(self, keys: _Names, progress: Progress) -> Iterator[tuple[str, Iterator[bytes]]]:
        def alone(key: str, offset: int) -> Iterator[bytes]:
            return self.read(key, offset=offset, progress=progress)

        with self._connection_for(progress) as connection:
            yield from ssh_untar.Downloads(connection, self._shell, alone, progress).read(keys)

    def read(self, key: str, *, offset: int = 0, progress: Progress = SILENT) -> Iterator[bytes]:
        checked(key)
        with self._session(progress) as session:
            downloads = Downloads(session, self._path, progress)
            for _, chunks in downloads.read([key], offset=offset):
                yield from chunks

    # -- writing ---------------------------------------------------------------------------------------

    def write_many(self, items: Iterable[Incoming], progress: Progress, done: Done, failed: Failed) -> None:
        with self._session(progress) as session:
            connection = self._connected(progress)
            self._shell.probe(connection, progress)
            commands = self._shell.can("md5sum")
            others: list[Session] = []
            uploads = Uploads(
                session,
                self._root,
                progress,
                done,
                failed,
                by_size=not commands,
                others=functools.partial(self._more, connection, others, progress),
            )
            sending = Sending(connection, self._shell, self._server, session, uploads, progress, done, failed)
            try:
                self._clean_up(connection, session, progress)
                sending.run(batches(items, BATCH_FILES), self.describe())
                self._sweep(session, uploads, progress)
            except ConnectionLost:
                self._orphans += uploads.unfinished()
                self._stages += sending.unfinished()
                raise
            except BaseException:
                sending.stop(_SETTLE)
                raise
            finally:
                for other in others:
                    self._give_back(connection, other)

    def _sweep(self, session: Session, uploads: Uploads, progress: Progress) -> None:
        folders = sorted(uploads.filled)
        some = random.sample(folders, min(len(folders), sftp_sweep.MOST))
        sftp_sweep.sweep(session, some, self._path, time.time(), progress)

    def _more(self, connection: Connection, others: _Sessions, progress: Progress) -> _Sessions:
        """Sessions beside the first, as far as the server allows; opened once and kept in `others`."""
        with suppress(StoreFailed):
            while len(others) < _OTHERS:
                others.append(self._take(connection, progress))
                others[-1].watch(progress)
        return others

    def _clean_up(self, connection: Connection, session: Session, progress: Progress) -> None:
        """Remove what a lost connection left behind under temporary names."""
        orphans, self._orphans = self._orphans, []
        stages, self._stages = self._stages, []
        session.call_all((wire.REMOVE, wire.string(self._path(name)), lambda _: None) for name in orphans)
        if stages:
            self._shell.run(connection, f"rm -rf -- {shlex.join(stages)}", progress)

    def delete(self, key: str) -> None:
        with self._session() as session:
            reply = session.ask(wire.REMOVE, wire.string(self._path(checked(key))))
            if reply.status not in (wire.OK, wire.NO_SUCH_FILE):
                raise wire.refusal(reply, key)

    def delete_many(self, keys: Iterable[str], *, progress: Progress = SILENT) -> None:
        with self._session(progress) as session:
            sftp_age.delete(session, map(checked, keys), self._path, progress)

    def modified(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, float]:
        with self._session(progress) as session:
            return sftp_age.modified(session, map(checked, keys), self._path, progress)

    def move(self, key: str, newkey: str) -> None:
        with self._session() as session:
            old, new = self._path(checked(key)), self._path(checked(newkey))
            if session.stat(old, follow=False) is None:
                raise missing(key, self.describe())
            session.make_folder(new.rpartition(b"/")[0] or b".")
            session.rename(old, new)

    def _path(self, key: str) -> bytes:
        return join(self._root, key)


def _is_key(name: str) -> bool:
    try:
        safe_relpath(name)
    except UnsafePath:
        return False
    return True
