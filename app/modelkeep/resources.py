"""Where the files that ship with the program are: icons, styles, translations. Knows nothing of Qt or their content.

A wheel carries them beside the code; a checkout and an editable install keep them in `resources/` at the
root of the project, so that one place serves all three.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The file or folder `name` ("icons/add.svg") among the resources.

    Raises FileNotFoundError when there is none, because that is a broken installation and never the user's
    doing. Safe from any thread.
    """
    path = _folder() / name
    if not path.exists():
        raise FileNotFoundError(f"The program's own file {name} is missing; install Modelkeep again.")
    return path


@cache
def _folder() -> Path:
    installed = _PACKAGE / "resources"
    return installed if installed.is_dir() else _PACKAGE.parent.parent / "resources"
