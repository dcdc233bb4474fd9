"""Asks the server itself for the MD5 of what was uploaded, where the account may run commands.

One fixed command for a whole batch. The only variable parts are quoted paths that this program made.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from modelkeep.core.progress import Progress
from modelkeep.core.stores.sftp_small import Sent
from modelkeep.core.stores.ssh_connect import Command, Connection
from modelkeep.core.stores.ssh_shell import Shell, sync_all

_LINE = re.compile(rb"([0-9a-f]{32}) [ *]([A-Za-z0-9_./-]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_AT_ONCE = 512  # folders whose names fit into one command


class Server:
    """Has one account's server look at what was uploaded to it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        #: Folders with names that are not durable yet, perhaps given over a connection that broke since.
        self.unsynced: set[str] = set()

    def check(self, connection: Connection, sent: list[Sent], progress: Progress) -> Check:
        """Let the server begin to hash these files; the Check collects the result."""
        self.unsynced |= _folders(one.key for one in sent)
        names = [one.temp for one in sent if _is_checked(one)]
        if not names or not self._shell.can("md5sum"):
            return Check(sent, None, self._shell, connection)
        # The content becomes durable before it is renamed, at the price of one sync for all files.
        sync = sync_all(_folders(names))
        # md5sum ends with 1 where it could not read some of the files.
        script = f"{{ {sync}; }} && {{ md5sum -- {shlex.join(names)}; [ $? -le 1 ]; }}"
        started = self._shell.start(connection, script, progress)
        if started is None:  # nothing may count as sent that this server has not hashed
            raise connection.lost(OSError("The server refused to hash what it has received."))
        started.end_of_input()
        return Check(sent, started, self._shell, connection)

    def sync(self, connection: Connection, progress: Progress) -> None:
        """Make the new names durable too."""
        while self.unsynced and self._shell.can("md5sum"):
            some = sorted(self.unsynced)[:_AT_ONCE]
            said = self._shell.run(connection, sync_all(some), progress)
            if said is None or not said.is_well:
                raise connection.lost(OSError("The server did not make the new names durable."))
            self.unsynced.difference_update(some)
        self.unsynced.clear()


class Result(NamedTuple):
    """What became of a batch: `bad` are those the server has other bytes of, `unknown` those it did not hash."""

    good: list[Sent]
    bad: list[Sent]
    unknown: list[Sent]


@dataclass(frozen=True)
class Check:
    """One batch under examination by the server, or one that it cannot examine (`command` is None)."""

    sent: list[Sent]
    command: Command | None
    shell: Shell = field(repr=False)
    connection: Connection = field(repr=False)

    def result(self, progress: Progress, still_there: Callable[[], None]) -> Result:
        """What the server found. Raises ConnectionLost where it did not come to an end: then nothing is known."""
        if self.command is None:
            return Result(self.sent, [], [])
        said = self.shell.finish(self.command, progress, still_there)
        if not said.is_well:
            raise self.connection.lost(OSError("The server did not finish hashing what it has received."))
        matches = (_LINE.fullmatch(line) for line in said.output.splitlines())
        found = {match[2].decode(): match[1].decode() for match in matches if match}
        result = Result([], [], [])
        for one in self.sent:
            if not _is_checked(one) or found.get(one.temp) == one.md5:
                result.good.append(one)
            else:
                (result.bad if one.temp in found else result.unknown).append(one)
        return result


def _is_checked(one: Sent) -> bool:
    return one.md5 is not None and _PLAIN.fullmatch(one.temp) is not None


def _folders(names: Iterable[str]) -> set[str]:
    """The folders these lie in, as far as a command can name them plainly."""
    found = {name.rpartition("/")[0] for name in names}
    return {folder for folder in found if _PLAIN.fullmatch(folder) and not folder.startswith("-")}
