"""Old secrets out: find them in config files and in Git's memory, move them, and see whether they still work.

The door to secrets_scan, secrets_move and secrets_try. No value of a secret ever leaves them.
"""

from modelkeep.core.workflows.secrets_move import migrate
from modelkeep.core.workflows.secrets_scan import Finding, Findings, scan
from modelkeep.core.workflows.secrets_try import still_works

__all__ = ["Finding", "Findings", "migrate", "scan", "still_works"]
