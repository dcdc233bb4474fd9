"""Questions on a real terminal: what is shown, what is hidden, and that Ctrl+C is an answer."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import modelkeep

_SCRIPT = """
import signal, sys
from modelkeep.cli.terminal import TerminalQuestions
from modelkeep.core.progress import Cancelled
signal.signal(signal.SIGINT, lambda *_: None)  # as while a command works
ask = TerminalQuestions()
{lines}
"""
_ALL = """
print(ask.password("ann@lab:22", attempt=2, prompt="Your \\x1b[2Jpassword:").reveal())
print(ask.passphrase("/home/ann/key", attempt=2).reveal())
ask.say("Touch it.\\nNow.")
ask.say("")
prompts = [("Your cat: ", True), ("Code\\x07: ", False)]
given = ask.answers("ann@lab:22", title="Lab", instructions="Two\\nquestions.", prompts=prompts)
print([one.reveal() for one in given])
print(ask.trust_host("lab", "ssh-ed25519", "SHA256:abc"))
print(ask.answers("ann@lab:22", title="", instructions="", prompts=prompts))
"""
_BREAK = """
for call in (
    lambda: ask.password("ann@lab:22", attempt=1, prompt=""),
    lambda: ask.trust_host("lab", "ssh-ed25519", "SHA256:abc"),
):
    try:
        call()
    except Cancelled:
        print("left")
"""


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self.text = ""

    def wait_for(self, text: str, times: int = 1) -> None:
        """Read until `text` is on the screen so many times."""
        deadline = time.monotonic() + 30
        while self.text.count(text) < times and time.monotonic() < deadline:
            with suppress(OSError):
                if select.select([self._terminal], [], [], 0.2)[0]:
                    self.text += os.read(self._terminal, 4096).decode()
        assert self.text.count(text) >= times, self.text

    def type(self, text: str) -> None:
        os.write(self._terminal, f"{text}\n".encode())


@contextmanager
def screen(lines: str) -> Iterator[Screen]:
    """Run `lines` of Python on a terminal."""
    ours, theirs = pty.openpty()
    source = str(Path(modelkeep.__path__[0]).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT.format(lines=lines)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": source, "TERM": "dumb"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Screen(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_what_is_typed_is_hidden_and_what_a_server_says_is_harmless() -> None:
    with screen(_ALL) as shown:
        shown.wait_for("ann@lab:22 asks: Your ⟨U+001B⟩[2Jpassword: ")
        shown.type("s3cret")
        shown.wait_for("Passphrase for /home/ann/key: ")
        assert "did not accept that password" in shown.text and shown.text.count("s3cret") == 1, (
            "printed only"
        )
        shown.type("phrase")
        shown.wait_for("  Your cat: ")
        assert "That passphrase does not open the key." in shown.text
        assert "Touch it.\r\nNow.\r\n" in shown.text and "  Two\r\n  questions.\r\n" in shown.text
        shown.type("Tom")
        shown.wait_for("  Code⟨U+0007⟩: ")
        shown.type("123456")
        shown.wait_for("['Tom', '123456']")
        shown.wait_for("press Enter to cancel: ")
        shown.type("once")
        shown.wait_for("once\r\nonce\r\n")
        shown.wait_for("  Your cat: ", 2)
        shown.type("")
        shown.wait_for("  Code⟨U+0007⟩: ", 2)
        shown.type("")
        shown.wait_for("None")
        assert "\x1b" not in shown.text and "\x07" not in shown.text


def test_ctrl_c_at_a_question_gives_up_at_once() -> None:
    with screen(_BREAK) as shown:
        for count, question in enumerate(("Password for ann@lab:22: ", "press Enter to cancel: "), 1):
            shown.wait_for(question)
            time.sleep(0.1)
            shown.process.send_signal(signal.SIGINT)
            shown.wait_for("left", count)
        assert shown.process.wait(20) == 0
