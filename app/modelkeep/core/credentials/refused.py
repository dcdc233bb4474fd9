"""Which keyring backend the environment asks for in vain. Knows names only; loads nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from modelkeep.core.credentials.vault import ALLOWED

_LINE = re.compile(r"(?m)^\s*default-keyring\s*=\s*(\S+)")


def refused_backend() -> str:
    """The backend that $PYTHON_KEYRING_BACKEND or keyringrc.cfg names and Modelkeep never uses, "" for none.

    Such a backend may keep passwords in a plain file, or be code of a stranger.
    """
    named = os.environ.get("PYTHON_KEYRING_BACKEND", "") or _configured()
    return "" if named in ALLOWED else named


def _configured() -> str:
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    try:
        text = (folder / "python_keyring/keyringrc.cfg").read_text("utf-8", "replace")
    except OSError:
        return ""
    found = _LINE.search(text)
    return found[1] if found else ""
