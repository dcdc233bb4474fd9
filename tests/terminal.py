"""A person at a terminal, for tests: a program under a pseudo-terminal, what it shows, and what is typed.

with Terminal("setup", folder, cwd=tmp_path) as person:
    person.sees("Number")
    person.types("1")
    assert person.leaves() == 0
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE = 60.0


class Terminal:
    """`modelkeep` with the words given, at a terminal of its own. `text` is everything shown so far."""

    def __init__(self, *words: str | Path, cwd: Path) -> None:
        self._words = [sys.executable, "-m", "modelkeep", *map(str, words)]
        self._cwd = cwd
        self.text = ""
        self._seen = 0

    def __enter__(self) -> Terminal:
        import fcntl
        import pty
        import termios

        self._master, slave = pty.openpty()

        def own_terminal() -> None:  # getpass asks the controlling terminal
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            self._words,
            cwd=self._cwd,
            env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        os.close(slave)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(5)
        os.close(self._master)

    def sees(self, words: str) -> str:
        """Wait until `words` are shown after what was seen last; gives all up to them."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.text[self._seen :]:
            if not self._read() or time.monotonic() > deadline:
                raise AssertionError(
                    f"{words!r} was never shown:\n{self.text[self._seen :]}\n--- all:\n{self.text}"
                )
        at = self.text.index(words, self._seen) + len(words)
        shown, self._seen = self.text[self._seen : at], at
        return shown

    def types(self, words: str) -> None:
        """Type a line."""
        os.write(self._master, f"{words}\n".encode())

    def presses(self, keys: bytes) -> None:
        """Press keys, such as Ctrl+C (b"\\x03")."""
        os.write(self._master, keys)

    def leaves(self) -> int:
        """The exit code, once the program has ended."""
        while self._read():
            pass
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        """Take what is shown, or notice that there is no more."""
        ready, _, _ = select.select([self._master], [], [], PATIENCE)
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
