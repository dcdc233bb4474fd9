"""How long network stores wait before they give up, in seconds. Knows nothing else."""

from __future__ import annotations

from modelkeep.core.nouns import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience with a server. `silence` is the longest wait for an answer on an open channel."""

    connect: float = 10.0
    banner: float = 15.0
    auth: float = 30.0
    silence: float = 15.0
    keepalive: int = 15


DEFAULT = Limits()
