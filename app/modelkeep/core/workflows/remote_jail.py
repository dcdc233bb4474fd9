"""An account that sees only a part of its server: the path it was given, as it is seen from inside.

sshd can lock an account into a folder (ChrootDirectory). The administrator then says `/srv/jail/data`, while for
the account itself the same folder is `/data`. Looks only; makes nothing.
"""

from __future__ import annotations

from modelkeep.core.nouns import dataclass
from modelkeep.core.stores.trial import Obstacle, Thing, Trial
from modelkeep.core.workflows.remote_advice import Place
from modelkeep.core.workflows.remote_steps import Found, State


@dataclass(frozen=True, slots=True)
class Inside:
    """Where the folder is for the account: `path` is there, or can be made beneath `above`, which is there."""

    path: str
    above: str

    def found(self, place: Place, error: Obstacle) -> Found:
        """What to say about it."""
        what = "is there" if self.path == self.above else f"can be made ({self.above} is there)"
        return Found(
            State.FAILED,
            f"There is no {place.path} for this account, but {self.path} {what}.",
            f"The account probably sees only its own part of the server. Use the address {place.url(self.path)}",
            detail=error.detail,
            reason="folder_jail",
        )


def seen_from_inside(trial: Trial, path: str) -> Inside | None:
    """The longest tail of `path` that leads to a folder which exists; None where even the top of `path` is there,
    because then nothing hides the rest."""
    parts = path.strip("/").split("/")
    if trial.look(f"/{parts[0]}") is not Thing.NOTHING:
        return None
    for first in range(1, len(parts)):
        tail = parts[first:]
        top = f"/{tail[0]}"
        if trial.look(top) is not Thing.FOLDER:
            continue
        above = top
        for end in range(2, len(tail) + 1):
            deeper = "/" + "/".join(tail[:end])
            if trial.look(deeper) is not Thing.FOLDER:
                break
            above = deeper
        return Inside("/" + "/".join(tail), above)
    return None
