"""What an operation was doing, written down so that the next start can finish it or take it back (R5).

One small JSON file per kind of operation in `.dvc/tmp/modelkeep/`, replaced durably at each step. It never
holds a secret. Knows nothing of what the steps mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelkeep.core.durable import write_file
from modelkeep.core.errors import InvalidFile, UnsafePath
from modelkeep.core.paths import Tree

FOLDER = ".dvc/tmp/modelkeep"


class Journal:
    """The record of one running operation named `name` in the project at `root`."""

    def __init__(self, root: Path, name: str) -> None:
        self._tree = Tree(root, system=True)
        self._relpath = f"{FOLDER}/{name}.json"

    def read(self) -> dict[str, Any] | None:
        """What was written last, or None. Raises InvalidFile if it cannot be understood."""
        try:
            data = json.loads(self._tree.read(self._relpath))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError, UnsafePath) as error:
            raise InvalidFile(
                self._relpath, f"it cannot be read ({error})", hint="Move the file away to start anew."
            ) from error
        if not isinstance(data, dict):
            raise InvalidFile(self._relpath, "it is not a record", hint="Move the file away to start anew.")
        return data

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record durably; the step it names may begin once this has returned."""
        write_file(self._tree, self._relpath, json.dumps(record, ensure_ascii=False, indent=1).encode())

    def clear(self) -> None:
        """The operation is over, one way or the other."""
        self._tree.unlink(self._relpath)
