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
    (r"modelkeep login --(migrate|check-old)", "Move to keyring…"),
    (r"modelkeep login\b( (?!tells)[\w.-]*\w)?", "Log in to remote…"),
    (r"modelkeep remote forget-host \S+|ssh-keygen -R '[^']*'", "Forget this host…"),
    (r"modelkeep fetch( [^,;.]+)?", "Fetch"),
    (r"modelkeep pull\b", "Pull"),
    (r"modelkeep checkout\b", "Finish it"),
    (r"modelkeep add( PATH)?\b", "Add data…"),
    (r"modelkeep init\b", "New project…"),
)
# What the window asks by itself, where the command line needs a flag.
_ASKED = (
    (
        r"modelkeep (?:setup|remote trust \S+) --fingerprint \S+",
        "run the test again, and trust the key when you are asked.",
    ),
    (r"modelkeep setup --password-stdin", "run the test again"),
    (r"modelkeep remote trust \S+ --address '[^']*'", "say so when you are asked"),
)
_FORCE = re.compile(r"[^.:;]*, or use --force: .*", re.DOTALL)


def in_window(hint: str) -> str:
    """`hint` with the names that commands have in the window."""
    if _FORCE.fullmatch(hint):
        return translate("Advice", "Record the changes first, or let them be saved and replaced.")
    for pattern, deed in _ASKED:
        hint = re.sub(pattern, translate("Advice", deed), hint)
    for pattern, name in _COMMANDS:
        hint = re.sub(pattern, f"“{translate('Actions', name)}”", hint)
    return hint
