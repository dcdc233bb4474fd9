"""Sends batches of objects to one account by the best way it allows. Knows no keys and no layout.

While one part is sent, the server still makes the one before durable and hashes it; what is final is reported
only then. Objects that are not large go together in a parcel (`ssh_tar`), large ones each as a stream
(`ssh_stream`), the rest by SFTP (`sftp_put`). What did not come to its place is sent again by SFTP, which finds
out what is wrong with it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores import ssh_stream, ssh_tar
from modelkeep.core.stores.base import Done, Failed, Incoming
from modelkeep.core.stores.sftp import Session
from modelkeep.core.stores.sftp_put import Uploads
from modelkeep.core.stores.ssh_check import Check, Server
from modelkeep.core.stores.ssh_connect import Command, Connection
from modelkeep.core.stores.ssh_shell import Shell
from modelkeep.core.stores.ssh_stream import Stream
from modelkeep.core.stores.ssh_tar import Parcel, divide

Finish = Callable[[], None]
_AT_ONCE = 512  # objects whose names fit into one command
_AHEAD = 1  # commands that may still be at work when another is started: servers allow few at once


class Sending:
    """One `write_many` at work."""

    def __init__(
        self,
        connection: Connection,
        shell: Shell,
        server: Server,
        session: Session,
        uploads: Uploads,
        progress: Progress,
        done: Done,
        failed: Failed,
    ) -> None:
        self._connection = connection
        self._shell = shell
        self._server = server
        self._session = session
        self._uploads = uploads
        self._progress = progress
        self._done = done
        self._failed = failed
        self._under_way: dict[str, Command] = {}  # by the temporary name of what they bring
        self._finishes: deque[Finish] = deque()  # of what was sent; for each, a command may be at work

    def run(self, batches: Iterable[list[Incoming]], where: str) -> None:
        """Send all batches; `where` names the server in messages."""
        for batch in batches:
            parcel, rest = divide(batch) if self._shell.can(*ssh_tar.NEEDS) else (None, batch)
            if parcel is not None:
                self._send_parcel(parcel, where)
            if self._shell.can(*ssh_stream.NEEDS):
                for item in filter(ssh_stream.fits, rest):
                    self._send_stream(item, where)
                rest = [item for item in rest if not ssh_stream.fits(item)]
            self._send_each(rest, where)
        self._finish_all_but(0)
        if self._server.unsynced:
            self._server.sync(self._connection, self._progress)

    def _finish_all_but(self, most: int) -> None:
        while len(self._finishes) > most:
            self._finishes.popleft()()

    def unfinished(self) -> list[str]:
        """Temporary names, also of folders, that may still exist."""
        return list(self._under_way)

    def stop(self, patience: float) -> None:
        """Let go of everything unfinished, and give the server a moment to remove it. Raises nothing."""
        deadline = time.monotonic() + patience
        self._connection.wire.hurry()  # a frozen link would not take what is sent here
        for command in self._under_way.values():
            command.end_of_input()
        self._uploads.discard_all()
        self._session.settle(max(0.1, deadline - time.monotonic()))
        for command in self._under_way.values():
            command.abandon(deadline)

    def _still_there(self) -> None:
        self._session.ask(wire.REALPATH, wire.string(b"."))

    def _feed(self, command: Command, send: Callable[[], None]) -> None:
        """Let `send` feed a command, which may end before it has taken all: its own end says whether it is well."""
        try:
            send()
        except (OSError, EOFError) as error:
            if not self._connection.is_alive:
                raise self._connection.lost(error) from error
            command.end_of_input()  # so that a script that waits for more gives up

    # -- together --------------------------------------------------------------------------------------

    def _send_parcel(self, parcel: Parcel, where: str) -> None:
        self._finish_all_but(_AHEAD)
        command = self._shell.start(self._connection, parcel.script(), self._progress, make=True)
        if command is None:
            self._send_each(parcel.unfinished(), where)
            return
        self._under_way[parcel.temp] = command
        self._feed(command, lambda: parcel.send(command, self._shell, self._progress, self._failed))
        self._finishes.append(partial(self._finish_parcel, parcel, command, where))

    def _finish_parcel(self, parcel: Parcel, command: Command, where: str) -> None:
        is_well = self._shell.finish(command, self._progress, self._still_there).is_well
        del self._under_way[parcel.temp]
        if is_well:
            parcel.arrived(self._done)
        self._send_each(parcel.left if is_well else parcel.unfinished(), where)

    # -- one large one ---------------------------------------------------------------------------------

    def _send_stream(self, item: Incoming, where: str) -> None:
        self._finish_all_but(_AHEAD)
        stream = Stream(item, self._uploads.place(item))
        command = self._shell.start(self._connection, stream.script(), self._progress)
        if command is None:
            self._send_each([item], where)
            return
        self._under_way[stream.temp] = command
        is_wrong = False
        try:
            self._feed(command, lambda: stream.send(command, self._progress))
        except ssh_stream.BadContent as error:
            is_wrong = True
            command.end_of_input()
            self._failed(item.key, error.cause)
        self._finishes.append(partial(self._finish_stream, stream, command, where, is_wrong=is_wrong))

    def _finish_stream(self, stream: Stream, command: Command, where: str, *, is_wrong: bool) -> None:
        said = self._shell.finish(command, self._progress, self._still_there)
        del self._under_way[stream.temp]
        sent = stream.sent()
        if is_wrong:
            self._uploads.discard(sent)
        elif not said.is_well and stream.item.reopen is not None:  # by SFTP it turns out what is wrong
            self._uploads.discard(sent)
            self._send_each([replace(stream.item, chunks=stream.item.reopen())], where)
        elif (found := ssh_stream.hashed(said.output)) is None:
            self._uploads.leave([sent], where)
        elif found != sent.md5:
            self._uploads.reject([sent], where)
        else:
            self._server.unsynced.add(sent.folder)
            self._uploads.finish([sent])

    # -- one by one ------------------------------------------------------------------------------------

    def _send_each(self, items: list[Incoming], where: str) -> None:
        """Send in parts that the server can hash by one command each; the last is left to be finished."""
        for part in _parts(items) if self._shell.can("md5sum") else filter(None, [items]):
            sent = self._uploads.send(part)
            self._finish_all_but(_AHEAD)
            check = self._server.check(self._connection, sent, self._progress)
            self._finishes.append(partial(self._finish_check, check, where))

    def _finish_check(self, check: Check, where: str) -> None:
        found = check.result(self._progress, self._still_there)
        self._uploads.reject(found.bad, where)
        self._uploads.leave(found.unknown, where)
        self._uploads.finish(found.good)


def _parts(items: list[Incoming]) -> Iterator[list[Incoming]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
