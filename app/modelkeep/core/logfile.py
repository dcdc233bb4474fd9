"""The program's own log: one small file in the state folder, for a person who reports a problem.

Warnings and errors only, redacted by value, readable by its owner alone, at most two files of 1 MiB. Knows
nothing of what is logged. Where the file cannot be written there is no log, and nothing else changes.
"""

from __future__ import annotations

import os
from pathlib import Path

from modelkeep.core.redaction import RedactionFilter
from modelkeep.core.settings import state_folder

_LIMIT = 1 << 20


def log_path() -> Path:
    """Where the log is kept."""
    return state_folder() / "modelkeep.log"


def start_log() -> None:
    """Send what Modelkeep logs to its file, for the rest of this process. Call once, from the entry point."""
    import logging

    handler: logging.Handler
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        if log_path().exists() and log_path().stat().st_size > _LIMIT:
            os.replace(log_path(), log_path().with_suffix(".log.1"))
        os.close(os.open(log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = logging.FileHandler(log_path(), encoding="utf-8", delay=True)
    except OSError:
        handler = logging.NullHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactionFilter())
    logging.getLogger().addHandler(handler)
