"""Uploads one large object as a stream, where the account runs commands. Knows no SFTP and no layout.

The server writes the stream to a temporary file and hashes it at the same time, so that nobody waits for the hash
afterwards; meanwhile it writes out to the disk what has come. What it says at the end (the MD5 of what it wrote,
and how long the file became) is compared here before anything gets a final name. Whatever does not reach its full
length is removed by the server itself, also when nobody is there any more to ask for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.base import Incoming
from modelkeep.core.stores.sftp_small import Sent
from modelkeep.core.stores.ssh_connect import Command

LARGE = 16 << 20  # bytes; for smaller ones the command itself takes too long
NEEDS = ("md5sum", "rm", "stat", "sync", "tee")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
_SAID = re.compile(rb"md5=([0-9a-f]{32})\n?")


class BadContent(Exception):
    """What was to be sent turned out wrong while it was read; `cause` says how."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Stream:
    """An object on its way to the temporary name `temp`, relative to the root."""

    item: Incoming
    temp: str

    def script(self) -> str:
        """What the server does with the stream."""
        temp, size = self.temp, self.item.size
        return (
            # So that the disk is not idle until the end; it stops by itself when the script is gone.
            f"(while sleep 1 && kill -0 $$; do sync -d {temp}; done) >/dev/null 2>&1 & w=$!; "
            f"s=$(tee {temp} | md5sum); kill $w 2>/dev/null; "
            f'if [ "$(stat -c %s {temp})" = {size} ] && sync {temp}; then echo "md5=${{s%% *}}"; '
            f"else rm -f {temp}; false; fi"
        )

    def send(self, command: Command, progress: Progress) -> None:
        """Send everything. Raises BadContent, and OSError or EOFError where the server takes no more."""
        chunks = iter(self.item.chunks)
        while True:
            try:
                chunk = next(chunks, None)
            except Cancelled:
                raise
            except Exception as error:  # whatever one object's content raises must not stop the others
                raise BadContent(error) from error
            if chunk is None:
                break
            command.feed(chunk, progress)
            progress.advance(len(chunk))
        command.end_of_input()

    def sent(self) -> Sent:
        """It, once all has been sent."""
        size, checksum = self.item.size, self.item.checksum
        assert size is not None and checksum is not None
        return Sent(self.item.key, self.temp, size, checksum())


def fits(item: Incoming) -> bool:
    """Whether an object is sent best like this."""
    return (
        item.size is not None
        and item.size > LARGE
        and item.checksum is not None
        and _NAME.fullmatch(item.key) is not None
    )


def hashed(output: bytes) -> str | None:
    """The MD5 of what the server wrote; None if it did not come to its end."""
    said = _SAID.fullmatch(output)
    return said[1].decode() if said else None
