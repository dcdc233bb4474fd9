"""Loads paramiko, and of it only what is used. Knows nothing else; who needs paramiko takes it from here.

paramiko loads `invoke` for one rare line of ~/.ssh/config (`Match … exec`). With all it brings along that takes
longer than to log in, so it is left out at first and handed in by `allow_match_exec`.
"""

from __future__ import annotations

import importlib
import sys

_TASKS = "invoke"

if _TASKS in sys.modules or "paramiko" in sys.modules:
    import paramiko
else:
    sys.modules[_TASKS] = None  # type: ignore[assignment]  # as documented: its import fails, paramiko copes
    try:
        import paramiko
    finally:
        del sys.modules[_TASKS]

__all__ = ["allow_match_exec", "paramiko"]


def allow_match_exec() -> None:
    """Let paramiko run the programs that `Match … exec` names."""
    paramiko.config.invoke = importlib.import_module(_TASKS)
