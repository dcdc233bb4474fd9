"""Sends batches of objects to one account by the best way it allows. Knows no keys and no layout.

While one batch is sent, the server still makes the one before durable and hashes it; what is final is reported
only then. Small objects go together in a parcel (`ssh_tar`), the others each by SFTP (`sftp_put`). What a parcel
did not bring to its place is sent again by SFTP, which finds out what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.base import Done, Failed, Incoming
from modelkeep.core.stores.sftp import Session
from modelkeep.core.stores.sftp_put import Uploads
from modelkeep.core.stores.ssh_check import Check, Server
from modelkeep.core.stores.ssh_connect import Command, Connection
from modelkeep.core.stores.ssh_shell import Shell
from modelkeep.core.stores.ssh_tar import NEEDS, Parcel, divide

Finish = Callable[[], None]
_AT_ONCE = 512  # objects whose names fit into one command


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
        self._under_way: dict[str, Command] = {}  # by the temporary folder of their parcel

    def run(self, batches: Iterable[list[Incoming]], where: str) -> None:
        """Send all batches; `where` names the server in messages."""
        before: list[Finish] = []
        for batch in batches:
            after = self._start(batch, where)
            for finish in before:
                finish()
            before = after
        for finish in before:
            finish()
        if self._server.must_sync:
            self._server.sync(self._connection, self._progress)

    def unfinished(self) -> list[str]:
        """Folders of parcels that may still exist."""
        return list(self._under_way)

    def stop(self, patience: float) -> None:
        """Let go of everything unfinished, and give the server a moment to remove it. Raises nothing."""
        for command in self._under_way.values():
            command.abandon(patience)
        self._uploads.discard_all()
        self._session.settle(patience)

    def _start(self, batch: list[Incoming], where: str) -> list[Finish]:
        parcel, rest = divide(batch) if self._shell.can(*NEEDS) else (None, batch)
        finishes = [self._send_parcel(parcel, where)] if parcel is not None else []
        return [*finishes, self._send_each(rest, where)] if rest else finishes

    # -- together --------------------------------------------------------------------------------------

    def _send_parcel(self, parcel: Parcel, where: str) -> Finish:
        command = self._shell.start(self._connection, parcel.script(), self._progress, make=True)
        if command is not None:
            self._under_way[parcel.temp] = command
            try:
                parcel.send(command, self._shell, self._progress, self._failed)
            except (OSError, EOFError) as error:
                if not self._connection.is_alive:
                    raise self._connection.lost(error) from error
                command.end_of_input()  # so that a script that waits for more gives up
        return lambda: self._finish_parcel(parcel, command, where)

    def _finish_parcel(self, parcel: Parcel, command: Command | None, where: str) -> None:
        is_well = False
        if command is not None:
            is_well = self._shell.finish(command, self._progress, self._still_there).is_well
            del self._under_way[parcel.temp]
        if is_well:
            parcel.arrived(self._done)
        left = parcel.left if is_well else parcel.unfinished()
        if left:
            self._send_each(left, where)()

    def _still_there(self) -> None:
        self._session.ask(wire.REALPATH, wire.string(b"."))

    # -- one by one ------------------------------------------------------------------------------------

    def _send_each(self, items: list[Incoming], where: str) -> Finish:
        """Send in parts that the server can hash by one command each; the last is left to be finished."""
        self._server.must_sync = True
        finish: Finish = _nothing
        for part in _parts(items) if self._shell.can("md5sum") else [items]:
            sent = self._uploads.send(part)
            finish()
            check = self._server.check(self._connection, sent, self._progress)
            finish = partial(self._finish_check, check, where)
        return finish

    def _finish_check(self, check: Check, where: str) -> None:
        good, bad = check.result(self._progress, self._still_there)
        self._uploads.reject(bad, where)
        self._uploads.finish(good)


def _parts(items: list[Incoming]) -> Iterator[list[Incoming]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _nothing() -> None:
    return
