"""The terminal as a place to show progress and to ask. Without a terminal nothing is shown or asked."""

from __future__ import annotations

import getpass
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from modelkeep.core.errors import AddressChanged, LoginNeeded, UnknownHost
from modelkeep.core.paths import visible
from modelkeep.core.progress import Cancelled, Progress, Reading
from modelkeep.core.values import Secret

_SCREEN = threading.Lock()
_EVERY = 0.2  # seconds between two looks at the progress
_FIRST = 0.5  # seconds before anything is drawn: short work stays silent


@contextmanager
def running(progress: Progress, *, quiet: bool) -> Iterator[None]:
    """Draw `progress` as a line on a terminal's standard error while inside."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_draw, args=(progress, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _draw(progress: Progress, stop: threading.Event) -> None:
    started = time.monotonic()
    pace = _Pace()
    drawn = False
    while not stop.wait(_EVERY):
        if time.monotonic() - started < _FIRST or not _SCREEN.acquire(blocking=False):
            continue
        try:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + _line(progress.reading(), pace)[:width].ljust(width))
            sys.stderr.flush()
            drawn = True
        finally:
            _SCREEN.release()
    if drawn:
        sys.stderr.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
        sys.stderr.flush()


class _Pace:
    """Bytes per second of the current phase."""

    def __init__(self) -> None:
        self.phase = ""
        self.started = 0.0

    def of(self, reading: Reading) -> float:
        now = time.monotonic()
        if reading.phase != self.phase:
            self.phase, self.started = reading.phase, now
        elapsed = now - self.started
        return reading.done_bytes / elapsed if elapsed > 0.5 else 0.0


def _line(reading: Reading, pace: _Pace) -> str:
    import humanize

    parts = [reading.phase]
    fraction = reading.fraction
    if fraction is not None:
        filled = int(fraction * 20)
        parts.append(f"[{'█' * filled}{'·' * (20 - filled)}] {fraction:4.0%}")
    if reading.total_bytes:
        parts.append(
            f"{humanize.naturalsize(reading.done_bytes)} of {humanize.naturalsize(reading.total_bytes)}"
        )
    elif reading.done_bytes:
        parts.append(humanize.naturalsize(reading.done_bytes))
    if reading.total_files:
        parts.append(f"{reading.done_files}/{reading.total_files} files")
    speed = pace.of(reading)
    if speed:
        parts.append(f"{humanize.naturalsize(speed)}/s")
        if reading.total_bytes > reading.done_bytes:
            left = (reading.total_bytes - reading.done_bytes) / speed
            parts.append(f"{int(left // 60)}:{int(left % 60):02} left")
    return "  ".join(part for part in parts if part)


@contextmanager
def _asking() -> Iterator[None]:
    """Have the screen for a question. While a command works, Ctrl+C only asks it to stop; a person who waits at a
    question wants out at once. Raises Cancelled."""
    with _SCREEN:
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are not ours there
            return
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        except KeyboardInterrupt:
            print(file=sys.stderr)
            raise Cancelled from None
        finally:
            signal.signal(signal.SIGINT, previous)


def _answer(question: str, is_shown: bool) -> str:
    if not is_shown:
        return getpass.getpass(f"  {question} ")
    print(f"  {question} ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\r\n")


class TerminalQuestions:
    """Asks on the terminal; without one, raises the error that says what is needed instead."""

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        """The password for `address`, or None when the user gives an empty one."""
        if not sys.stdin.isatty():
            raise LoginNeeded(
                address,
                hint="Log in once: modelkeep login REMOTE --password-stdin < FILE (or in a terminal).",
            )
        with _asking():
            if attempt > 1:
                print("\rThe server did not accept that password.", file=sys.stderr)
            # A server may ask in anybody's name, so that the account is always told beside its own words.
            question = f"{address} asks: {visible(prompt.strip())}" if prompt else f"Password for {address}:"
            text = getpass.getpass(f"\r{question} ")
        return Secret(text) if text else None

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        """What unlocks a key file, or None to go on without that key."""
        if not sys.stdin.isatty():
            return None
        with _asking():
            if attempt > 1:
                print("\rThat passphrase does not open the key.", file=sys.stderr)
            text = getpass.getpass(f"\rPassphrase for {visible(keyfile)}: ")
        return Secret(text) if text else None

    def answers(
        self, address: str, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        """What the person types for each question of the server; None when all of it is empty."""
        if not sys.stdin.isatty():
            raise LoginNeeded(
                address,
                detail="\n".join(visible(text) for text, _ in prompts),
                hint="The server asks more than a password: run this in a terminal, or log in with a key.",
            )
        with _asking():
            print(f"\r{address} asks:", file=sys.stderr)
            for line in [title, *instructions.splitlines()]:
                if line.strip():
                    print(f"  {visible(line)}", file=sys.stderr)
            given = [_answer(visible(text.strip()), is_shown) for text, is_shown in prompts]
        return [Secret(text) for text in given] if any(given) or not given else None

    def say(self, text: str) -> None:
        """Print a sentence between the lines of the progress, if anybody reads them."""
        if text and sys.stderr.isatty():
            with _SCREEN:
                print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="", file=sys.stderr)
                for line in text.splitlines():
                    print(visible(line), file=sys.stderr)

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        """Show an unknown host's fingerprint; anything but a plain yes means no."""
        if not sys.stdin.isatty():
            raise UnknownHost(host, key_type, fingerprint)
        with _asking():
            print(
                f"\rThe identity of {visible(host)} is not known yet. It presents the {key_type} key\n"
                f"  {fingerprint}\nCompare it with the one its administrator gives you.",
                file=sys.stderr,
            )
            print(
                "Trust and remember it? Type yes, once, or press Enter to cancel: ", end="", file=sys.stderr
            )
            sys.stderr.flush()
            answer = sys.stdin.readline().strip().lower()
        return {"yes": "remember", "once": "once"}.get(answer, "cancel")

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        """Tell both addresses of a remote; anything but a plain yes means no."""
        if not sys.stdin.isatty():
            raise AddressChanged(remote, old, new)
        with _asking():
            print(
                f"\rThis project now stores its data at {visible(new)}\n  instead of {visible(old)} (remote {visible(remote)}).",
                file=sys.stderr,
            )
            print("Is that right? Type yes, or press Enter to cancel: ", end="", file=sys.stderr)
            sys.stderr.flush()
            return sys.stdin.readline().strip().lower() == "yes"
