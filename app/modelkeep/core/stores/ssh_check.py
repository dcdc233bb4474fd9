"""Asks the server itself for the MD5 of what was uploaded, where the account may run commands.

One fixed command for a whole batch. The only variable parts are quoted paths that this program made.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.sftp_small import Sent
from modelkeep.core.stores.ssh_connect import Command, Connection
from modelkeep.core.stores.ssh_shell import LONGEST, SYNC, Shell

_LINE = re.compile(rb"([0-9a-f]{32}) [ *]([A-Za-z0-9_./-]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


class Server:
    """Has one account's server look at what was uploaded to it beneath `root`."""

    def __init__(self, root: str, shell: Shell, limits: Limits) -> None:
        self._place = f"cd -- {shlex.quote(root or '.')}"
        self._every = limits.silence / 3
        self._shell = shell
        #: Names were given that are not durable yet, perhaps over a connection that broke since.
        self.must_sync = False

    def check(self, connection: Connection, sent: list[Sent], progress: Progress) -> Check:
        """Let the server begin to hash these files; the Check collects the result."""
        names = [one.temp for one in sent if _is_checked(one)]
        if not names or not self._shell.can("md5sum"):
            return Check(sent, None, self._every)
        # `sync -f` makes the content durable before it is renamed, at the price of one sync for all files.
        command = f"{self._place} && {{ {SYNC}; md5sum -- {shlex.join(names)}; }}"
        started = connection.start(command, progress) if len(command) < LONGEST else None
        if started is None:  # nothing may count as sent that this server has not hashed
            raise connection.lost(OSError("The server refused to hash what it has received."))
        return Check(sent, started, self._every)

    def sync(self, connection: Connection, progress: Progress) -> None:
        """Make the new names durable too."""
        if self._shell.can("md5sum"):
            said = self._shell.run(connection, SYNC, progress)
            if said is None or not said.is_well:
                raise connection.lost(OSError("The server did not make the new names durable."))
        self.must_sync = False


@dataclass(frozen=True)
class Check:
    """One batch under examination by the server, or one that it cannot examine (`command` is None)."""

    sent: list[Sent]
    command: Command | None
    every: float

    def result(self, progress: Progress, still_there: Callable[[], None]) -> tuple[list[Sent], list[Sent]]:
        """(good, bad): bad are those the server has other bytes of, or could not read."""
        if self.command is None:
            return self.sent, []
        _, output = self.command.wait(progress, still_there, self.every)
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
