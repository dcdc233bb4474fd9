"""The DVC config files of a project on disk: where the four levels lie, reading them, and safe edits.

The texts themselves are the business of `formats.config`. Knows nothing of remotes' contents or of Git.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from modelkeep.core.durable import Batch, write_file
from modelkeep.core.errors import InvalidFile, StoreFailed, UnsafePath
from modelkeep.core.formats.config import Config, Sections, edit_config, parse_config
from modelkeep.core.leftovers import sweep_once
from modelkeep.core.paths import Tree, read_small

#: These may hold a password: nobody else on the machine needs to read them.
_MODES = {"local": 0o600, "global": 0o600}


def level_folders(root: Path) -> dict[str, Path]:
    """The folder that holds the config file of each level, for the project at `root` (dvc-format §6.1)."""
    return {
        "system": _system_folder(),
        "global": _global_folder(),
        "repo": root / ".dvc",
        "local": root / ".dvc",
    }


def file_name(level: str) -> str:
    """The name of a level's file in its folder."""
    return "config.local" if level == "local" else "config"


def config_path(root: Path, level: str) -> Path:
    """Where the config file of a level lies; it need not exist. A link to the user's own file is followed."""
    path = level_folders(root)[level] / file_name(level)
    return Path(os.path.realpath(path)) if level in ("system", "global") else path


def _system_folder() -> Path:
    if chosen := os.environ.get("DVC_SYSTEM_CONFIG_DIR"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path("/Library/Application Support/dvc")
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", "C:/ProgramData")) / "iterative" / "dvc"
    return Path(os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")[0]) / "dvc"


def _global_folder() -> Path:
    if chosen := os.environ.get("DVC_GLOBAL_CONFIG_DIR"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "dvc"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "iterative" / "dvc"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dvc"


def read_levels(root: Path) -> dict[str, Sections]:
    """The parsed text of every level that exists. Raises InvalidFile naming the file and entry."""
    found = {}
    for level in level_folders(root):
        path = config_path(root, level)
        shown = f".dvc/{path.name}" if level in ("repo", "local") else str(path)
        try:
            text = read_small(path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except UnsafePath as error:
            raise InvalidFile(shown, "is not a regular file", hint=error.hint) from error
        found[level] = parse_config(text, shown)
    return found


def load_config(root: Path, *, local_is_private: bool = True, repo_text: bytes | None = None) -> Config:
    """What the four levels say together; `repo_text` stands for `.dvc/config` as it was at another version.

    A `config.local` that Git carries is not the user's own: without `local_is_private` it may set no more
    than `.dvc/config`.
    """
    levels = read_levels(root)
    if repo_text is not None:
        levels["repo"] = parse_config(repo_text, ".dvc/config")
    if not local_is_private:
        repo = levels.setdefault("repo", {})
        for section, body in levels.pop("local", {}).items():
            repo[section] = {**repo.get(section, {}), **body}
    return Config.merge(levels)


def change_config(root: Path, level: str, changes: Mapping[tuple[str, str], str | None]) -> None:
    """Set (or with None remove) keys of one level's file, durably; creates the file where needed."""
    path = config_path(root, level)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(f"{path.parent} could not be created: {error.strerror}.") from error
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = b""
    _write(path, level, edit_config(text, str(path), changes))


def _write(path: Path, level: str, text: bytes) -> None:
    tree = Tree(path.parent, system=True)
    if level != "local":
        write_file(tree, path.name, text, mode=_MODES.get(level))
        return
    # What a kill leaves behind may hold a secret: Git ignores it there, but not beside the file.
    sweep_once(os.fspath(path.parent / "tmp"))
    with Batch(tree, mode=_MODES[level]) as batch:
        batch.stage(path.name, [text], "tmp")
