"""Asks the server itself for the MD5 of what was uploaded, where the account may run commands.

One fixed command for a whole batch. The only variable parts are quoted paths that this program made.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from modelkeep.core.progress import Progress
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.sftp_small import Sent
from modelkeep.core.stores.ssh_connect import Command, Connection
from modelkeep.core.stores.ssh_shell import LONGEST, Shell, sync_all

_LINE = re.compile(rb"([0-9a-f]{32}) [ *]([A-Za-z0-9_./-]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_AT_ONCE = 512  # folders whose names fit into one command
_HASHED = (0, 1)  # how md5sum ends: 1 says that it could not read some of the files


class Server:
    """Has one account's server look at what was uploaded to it beneath `root`."""

    def __init__(self, root: str, shell: Shell, limits: Limits) -> None:
        self._place = f"cd -- {shlex.quote(root or '.')}"
        self._every = limits.silence / 3
        self._shell = shell
        #: Folders with names that are not durable yet, perhaps given over a connection that broke since.
        self.unsynced: set[str] = set()

    def check(self, connection: Connection, sent: list[Sent], progress: Progress) -> Check:
        """Let the server begin to hash these files; the Check collects the result."""
        self.unsynced |= _folders(one.key for one in sent)
        names = [one.temp for one in sent if _is_checked(one)]
        if not names or not self._shell.can("md5sum"):
            return Check(sent, None, self._every, connection)
        # The content becomes durable before it is renamed, at the price of one sync for all files.
        sync = sync_all(_folders(names))
        command = f"{self._place} && {{ {sync}; }} || exit 9; md5sum -- {shlex.join(names)}"
        started = connection.start(command, progress) if len(command) < LONGEST else None
        if started is None:  # nothing may count as sent that this server has not hashed
            raise connection.lost(OSError("The server refused to hash what it has received."))
        return Check(sent, started, self._every, connection)

    def sync(self, connection: Connection, progress: Progress) -> None:
        """Make the new names durable too."""
        while self.unsynced and self._shell.can("md5sum"):
            some = sorted(self.unsynced)[:_AT_ONCE]
            said = self._shell.run(connection, sync_all(some), progress)
            if said is None or not said.is_well:
                raise connection.lost(OSError("The server did not make the new names durable."))
            self.unsynced.difference_update(some)
        self.unsynced.clear()


@dataclass(frozen=True)
class Check:
    """One batch under examination by the server, or one that it cannot examine (`command` is None)."""

    sent: list[Sent]
    command: Command | None
    every: float
    connection: Connection = field(repr=False)

    def result(self, progress: Progress, still_there: Callable[[], None]) -> tuple[list[Sent], list[Sent]]:
        """(good, bad): bad are those the server has other bytes of, or could not read.

        Raises ConnectionLost where it did not come to an end: then nothing is known of any of them.
        """
        if self.command is None:
            return self.sent, []
        code, output = self.command.wait(progress, still_there, self.every)
        if code not in _HASHED:
            raise self.connection.lost(OSError("The server did not finish hashing what it has received."))
        matches = (_LINE.fullmatch(line) for line in output.splitlines())
        found = {match[2].decode(): match[1].decode() for match in matches if match}
        good: list[Sent] = []
        bad: list[Sent] = []
        for one in self.sent:
            is_good = not _is_checked(one) or found.get(one.temp) == one.md5
            (good if is_good else bad).append(one)
        return good, bad


def _is_checked(one: Sent) -> bool:
    return one.md5 is not None and _PLAIN.fullmatch(one.temp) is not None


def _folders(names: Iterable[str]) -> set[str]:
    """The folders these lie in, as far as a command can name them plainly."""
    found = {name.rpartition("/")[0] for name in names}
    return {folder for folder in found if _PLAIN.fullmatch(folder) and not folder.startswith("-")}
