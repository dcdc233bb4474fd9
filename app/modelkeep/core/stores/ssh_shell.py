"""Runs short POSIX sh scripts on a server and finds out what its account can do. Knows no SFTP and no objects.

A script is one line of fixed words; the only variable parts are quoted paths that this program made, and nothing
the server says ever becomes part of one. Each script begins by naming what there is to work with, so that finding
out costs no round trip of its own. An account without a shell, or with a strange one, just has no abilities.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from typing import NamedTuple

from modelkeep.core.progress import Progress
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.ssh_connect import Command, Connection

#: What `Shell.abilities` may hold beside program names: find knows -printf; the account is root's.
PRINTS, ROOT = "printf", "root"
_PROGRAMS = ("find", "grep", "md5sum", "mkdir", "mv", "rm", "stat", "sync", "tar", "tee")
_HEAD, _TAIL = b"=modelkeep=", b"=ended="
LONGEST = 100_000  # bytes of a command; a Linux server takes 128 KiB in one argument
# Where sync takes no -f there is only the one that never fails; what -f says of a disk must not be overheard.
_SYNC = "if sync -f /dev/null 2>/dev/null; then sync -f {}; else sync; fi"
#: Makes durable what is on the file system of the folder the script is in.
SYNC = _SYNC.format(".")
_LOOK = (
    "export LC_ALL=C; printf =modelkeep=; "
    f"for p in {' '.join(_PROGRAMS)}; do command -v $p >/dev/null 2>&1 && printf ' %s' $p; done; "
    f'g=; find /dev/null -printf "" >/dev/null 2>&1 && g=1 && printf " {PRINTS}"; '
    f'[ "$(id -u)" = 0 ] && printf " {ROOT}"; echo; '
)


def sync_all(folders: Iterable[str]) -> str:
    """Like SYNC, and also for the file systems of these folders beneath it: they may be links, or other disks."""
    disks = f"stat -L -c '%d %n' . {shlex.join(sorted(folders))} 2>/dev/null | sort -u -k1,1 | cut -d' ' -f2-"
    return f"d=$({disks}); {_SYNC.format('${d:-.}')}"


class Said(NamedTuple):
    """What a script printed, and whether it reached its end with success."""

    output: bytes
    is_well: bool


class Shell:
    """The commands of one account, at work in the folder `root`. As safe from threads as its Connection."""

    def __init__(self, root: str, limits: Limits) -> None:
        self.place = shlex.quote(root or ".")
        self._every = limits.silence / 3
        #: Programs and facts found on the server; None until a script ran or could not.
        self.abilities: frozenset[str] | None = None

    def can(self, *abilities: str) -> bool:
        """Whether all of these were found; False also as long as nobody looked."""
        return self.abilities is not None and self.abilities.issuperset(abilities)

    @property
    def is_unknown_or_can_run(self) -> bool:
        """Whether it is worth while to start a script."""
        return self.abilities is None or bool(self.abilities)

    def probe(self, connection: Connection, progress: Progress) -> None:
        """Find out what there is, unless that is known.

        A shell that says nothing is asked again, and once more each time: perhaps there was no process free just
        then, and nothing that is sent meanwhile is hashed on the server.
        """
        for _ in range(2 if self.abilities is None else 1):
            if not self.abilities:
                self.run(connection, ":", progress)

    def start(
        self,
        connection: Connection,
        script: str,
        progress: Progress,
        *,
        make: bool = False,
        window: int | None = None,
    ) -> Command | None:
        """Start a script in the folder; None where commands are not allowed or the script is too long.

        With `make` the folder is made if need be; without, the script fails where there is none. `window` is
        how many bytes of its output may be here unread. `$g` is set there where find knows -printf. A script has
        failed that does not reach its end, or whose last command fails.
        """
        made = f"mkdir -p -- {self.place}; " if make else ""
        whole = f"{_LOOK}{made}cd -- {self.place} && {{ {script}; }}; r=$?; echo; echo =ended= $r"
        line = f"exec sh -c {shlex.quote(whole)}"
        if len(line) > LONGEST:
            return None
        command = connection.start(line, progress, window)
        if command is None:
            self.learn(b"")
        return command

    def learn(self, line: bytes | None) -> None:
        """Take what a script printed at its start for what the account can do; None if that could not be found.

        What was found once stays: that a script did not start later may mean that no process was free just then.
        """
        if line is not None and not self.abilities:
            self.abilities = frozenset(line.decode("ascii", "replace").split())

    def finish(
        self, command: Command, progress: Progress, still_there: Callable[[], None], most: int | None = None
    ) -> Said:
        """What a script said, once it ended; raises ConnectionLost. Output beyond `most` bytes breaks it off."""
        exit_code, output = command.wait(progress, still_there, self._every, most)
        _, head, rest = output.partition(_HEAD)
        first, _, rest = rest.partition(b"\n")
        if head or exit_code >= 0:  # else the link broke
            self.learn(first)
        body, tail, code = rest.rpartition(b"\n" + _TAIL)
        return Said(body, bool(tail) and code.strip() == b"0")

    def run(
        self,
        connection: Connection,
        script: str,
        progress: Progress,
        still_there: Callable[[], None] = lambda: None,
        most: int | None = None,
    ) -> Said | None:
        """Start a script and wait for its end; None where it could not be started."""
        command = self.start(connection, script, progress)
        if command is None:
            return None
        command.end_of_input()  # a forced command that is no shell would wait for it
        return self.finish(command, progress, still_there, most)
