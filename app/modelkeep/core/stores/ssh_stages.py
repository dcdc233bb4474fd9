"""The steps by which a connection to an SSH server comes about, for whoever shows them. Knows nothing else."""

from __future__ import annotations

import enum
from collections.abc import Callable


class Stage(enum.StrEnum):
    """What has been reached; each comes with a fact for people."""

    RESOLVED = "name"  # the addresses of the host, or what leads to it
    CONNECTED = "port"  # where the connection goes
    GREETED = "ssh"  # what the server calls itself
    TRUSTED = "host_key"  # the type of its key and the fingerprint
    LOGGED_IN = "login"  # what opened the door: "agent key …", "key FILE", "password", "questions"


Reached = Callable[[Stage, str], None]


def nothing(stage: Stage, fact: str) -> None:
    """For connections nobody watches."""
