"""What a folder is before it is opened, and who commits in it: for setting up a project step by step.

Looks and, where asked, writes the identity into the repository's own Git settings. Opens no project.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from modelkeep.core.engine.history import History
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.errors import NotAProject, UsageError
from modelkeep.core.nouns import dataclass
from modelkeep.core.project import find_root

_PERSON = re.compile(r"(.*?) ?<(.*?)> \d+ [+-]\d+")


@dataclass(frozen=True, slots=True)
class Folder:
    """`kind` is "project" (open it), "git" (a repository without data tracking), "inside_git" (below the top of
    one), "empty", "missing" or "folder" (something is in it). `root` is the project's or the repository's top,
    else the folder itself."""

    kind: str
    root: Path


def look_at(folder: Path | str) -> Folder:
    """What `folder` is now. Raises UsageError where it is a file."""
    path = Path(folder).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file.", hint="Choose a folder.")
    if path.exists():
        with suppress(NotAProject):
            return Folder("project", find_root(path))
    for parent in (path, *path.parents):
        if (parent / ".git").exists():
            return Folder("git" if parent == path else "inside_git", parent)
    if not path.exists():
        return Folder("missing", path)
    return Folder("folder" if any(path.iterdir()) else "empty", path)


def identity(folder: Path | str) -> tuple[str, str] | None:
    """(name, e-mail) of who commits in the repository at `folder`, or would if it became one; None where Git
    does not know."""
    path = Path(folder).expanduser().absolute()
    try:
        return History.open(path).identity()
    except NotAProject:
        there = next(one for one in (path, *path.parents) if one.is_dir())
        done = GitProgram(there).call("var", "GIT_AUTHOR_IDENT", what="read who you are", ok=(0, 128))
    found = _PERSON.match(done.out.decode("utf-8", "replace"))
    return (found[1], found[2]) if found and done.status == 0 else None


def set_identity(folder: Path | str, name: str, email: str) -> None:
    """Let `name` and `email` be who commits in this repository, and in no other. Raises UsageError."""
    name, email = name.strip(), email.strip()
    if not name or any(ord(char) < 32 or char in "<>" for char in name):
        raise UsageError("Your name is missing, or has < or > in it.", hint="It is shown with each version.")
    if "@" not in email.strip("@") or any(char.isspace() or ord(char) < 32 or char in "<>" for char in email):
        raise UsageError(f"{email!r} is no e-mail address.", hint="It looks like name@example.org.")
    History.open(Path(folder)).set_identity(name, email)
