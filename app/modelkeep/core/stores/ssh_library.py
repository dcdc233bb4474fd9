"""Loads paramiko, and of it only what is used. Knows nothing else; who needs paramiko takes it from here.

paramiko loads `invoke` for a line of ~/.ssh/config that is read elsewhere here. With all it brings along that takes
longer than to log in, so it is left out.
"""

from __future__ import annotations

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

__all__ = ["paramiko"]
