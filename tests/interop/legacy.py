"""A project as DVC 2 left it (fixtures/dvc-2.58.2, made by it), set up anywhere, with a remote it had pushed to."""

from __future__ import annotations

import shutil
from pathlib import Path

import builders
from interop.fixtures.make_legacy import DATA, HERE, LARGE, RAW

#: The names under which DVC 2 stored the large files.
LARGE_NAMES = {"mix.txt": "13af435f371fd01678b1d10577061015", "strad.txt": "deb8178cc400550795d42d701b97846d"}
BUILT = ("work/built/copy.txt", "work/model.pkl")
#: What a pull gives where two files differ in line ends only: one object, stored by whichever came first.
PULLED = {**DATA, "lf.txt": DATA["crlf.txt"], "old/crlf.txt": DATA["old/lf.txt"]}


def make(folder: Path, remote: Path, *, data: bool = True, cache: bool = True, large: bool = False) -> Path:
    """The project in `folder`, all committed; its remote is filled once."""
    builders.make_project(folder)
    builders.set_default_remote(folder, str(remote))
    shutil.copytree(HERE / "workspace", folder, dirs_exist_ok=True)
    if not large:
        for name in LARGE:
            (folder / f"{name}.dvc").unlink()
    if data:
        builders.write_tree(folder, {**DATA, **dict.fromkeys(BUILT, RAW), **(LARGE if large else {})})
        (folder / "run.sh").chmod(0o744)
    builders.write_tree(folder, {"work/m.json": RAW})
    if not any(remote.iterdir()):
        _fill(remote, large)
    if cache:
        _fill(folder / ".dvc/cache", large)
    builders.make_commit(folder, {}, "What DVC 2 left")
    return folder


def _fill(root: Path, large: bool) -> None:
    shutil.copytree(HERE / "remote", root, dirs_exist_ok=True)
    for name, content in LARGE.items() if large else ():
        builders.write_tree(root, {f"{LARGE_NAMES[name][:2]}/{LARGE_NAMES[name][2:]}": content})
    for path in root.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
