"""Says the advice of an error in the words of the window: the engine's hints name commands. Pure text."""

from __future__ import annotations

import re

from modelkeep.gui.wording import translate

# What a hint calls on the command line, and the command of the window that does it.
_COMMANDS = (
    (r"modelkeep open --trust", "Trust this project…"),
    (r"modelkeep remote add -d NAME URL", "Set up storage…"),
    (r"modelkeep setup\b", "Set up storage…"),
    (r"modelkeep publish --resume", "Resume"),
    (r"modelkeep publish --undo", "Undo"),
    (r"modelkeep login --migrate", "Move to keyring…"),
    (r"modelkeep login( NAME)?\b", "Log in to remote…"),
    (r"modelkeep fetch( [^,;.]+)?", "Fetch"),
    (r"modelkeep pull\b", "Pull"),
    (r"modelkeep checkout\b", "Finish it"),
    (r"modelkeep add( PATH)?\b", "Add data…"),
    (r"modelkeep init\b", "New project…"),
)
_FORCE = re.compile(r"[^.:;]*, or use --force: .*", re.DOTALL)


def in_window(hint: str) -> str:
    """`hint` with the names that commands have in the window."""
    if _FORCE.fullmatch(hint):
        return translate("Advice", "Record the changes first, or let them be saved and replaced.")
    for pattern, name in _COMMANDS:
        hint = re.sub(pattern, f"“{translate('Actions', name)}”", hint)
    return hint
