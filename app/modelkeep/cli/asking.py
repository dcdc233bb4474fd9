"""Asks a person on the terminal: a line of text, one of several, yes or no. Ctrl+C and the end of input cancel."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from modelkeep.core.progress import Cancelled


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str, default: str = "") -> str:
    """A line of text; `default` is what Enter alone means. Raises Cancelled."""
    shown = f" [{default}]" if default else ""
    return _line(f"{question}{shown}: ").strip() or default


def ask_yes(question: str, default: bool = True) -> bool:
    """Yes or no; Enter alone means `default`. Raises Cancelled."""
    answer = ask(f"{question} ({'Y/n' if default else 'y/N'})").lower()
    return default if not answer else answer in ("y", "yes")


def ask_one(question: str, choices: Sequence[tuple[str, str, str]], default: str = "") -> str:
    """One of (key, title, sentence), by its number or its key; returns the key. Raises Cancelled."""
    print(question)
    width = max(len(title) for _, title, _ in choices)
    for number, (_, title, sentence) in enumerate(choices, 1):
        print(f"  {number:{len(str(len(choices)))}}  {title:{width}}  {sentence}".rstrip())
    keys = [key for key, _, _ in choices]
    preset = str(keys.index(default) + 1) if default in keys else ""
    while True:
        answer = ask("Number", preset)
        if answer in keys:
            return answer
        if answer.isascii() and answer.isdigit() and 0 < int(answer) <= len(keys):
            return keys[int(answer) - 1]
        print(f"Type a number from 1 to {len(keys)}.")


def _line(question: str) -> str:
    # While a command works, Ctrl+C only asks it to stop; a person who waits at a question wants out at once.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print(question, end="", flush=True)
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        print()
        raise Cancelled from None
    finally:
        signal.signal(signal.SIGINT, previous)
    if not line:
        print()
        raise Cancelled
    return line
