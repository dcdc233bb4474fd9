"""The nouns of the tests as one-line builders: trees of files, commits, tags, images, and a referee's dvc.

Everything here is real (real files, the real git and dvc programs) and goes round the code under test: a
builder never imports the engine, so that a broken engine cannot build the very thing it is judged by.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path

Tree = Mapping[str, bytes | str]

#: File names that have broken programs before: spaces, Korean, quotes, comments, numbers, option-like.
AWKWARD_NAMES = (
    "two words.bin",
    "데이터셋 v3.csv",
    'it\'s "quoted".txt',
    "# not a comment",
    "123e4",
    "-rf",
    "a+b=c&d.txt",
    ".hidden",
)


# -- files ---------------------------------------------------------------------------------------------


def write_tree(folder: Path, files: Tree) -> Path:
    """Write `files` (relative POSIX path -> content) beneath `folder`; a path ending in `/` is an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for relpath, content in files.items():
        path = folder / relpath
        if relpath.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read_tree(folder: Path, *, without: tuple[str, ...] = (".git", ".dvc")) -> dict[str, bytes]:
    """The files beneath `folder` as `write_tree` takes them; top-level names in `without` are left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in without
    }


def some_bytes(size: int, seed: int = 0) -> bytes:
    """`size` bytes that do not compress and are the same in every run."""
    return random.Random(seed).randbytes(size)


def md5(data: bytes | str) -> str:
    """The hash that names an object with this content."""
    return hashlib.md5(data.encode() if isinstance(data, str) else data).hexdigest()


def png(width: int = 8, height: int = 8, colour: tuple[int, int, int] = (200, 60, 60)) -> bytes:
    """A valid PNG of one colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def snapshot_of(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, size and hash of everything beneath `folder`, to prove that nothing was touched."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_size,
            md5(path.read_bytes()),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


# -- git -----------------------------------------------------------------------------------------------


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed and return its output; on failure the error shows what it said."""
    done = subprocess.run(
        [os.fspath(part) for part in command],
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def git(folder: Path, *args: str) -> str:
    """Run git in `folder` and return its output without the last newline."""
    return run("git", *args, cwd=folder).rstrip("\n")


def make_repo(folder: Path, *, bare: bool = False) -> Path:
    """An empty Git repository whose first branch is `main`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main", *(["--bare"] if bare else []))
    return folder


def make_commit(folder: Path, files: Tree | None = None, message: str = "A commit") -> str:
    """Write `files`, stage everything that is not ignored, commit, and return the commit id."""
    write_tree(folder, files or {})
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def make_tag(folder: Path, name: str, message: str | None = None, at: str = "HEAD") -> None:
    """An annotated tag if there is a `message`, else a lightweight one."""
    git(folder, "tag", *(["--annotate", "--message", message] if message else []), name, at)


def make_branch(folder: Path, name: str, at: str = "HEAD", *, switch: bool = False) -> None:
    """A branch `name` at a commit; `switch` checks it out."""
    git(folder, "branch", name, at)
    if switch:
        git(folder, "switch", "--quiet", name)


# -- DVC's format, written by hand ---------------------------------------------------------------------

_DVCIGNORE = """\
# Add patterns of files dvc should ignore, which could improve
# the performance. Learn more at
# https://dvc.org/doc/user-guide/dvcignore
"""


def make_project(folder: Path) -> Path:
    """A Git repository with what `dvc init` leaves in it, committed."""
    make_repo(folder)
    files = {".dvc/config": "", ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n", ".dvcignore": _DVCIGNORE}
    make_commit(folder, files, "Initialise DVC")
    return folder


def set_default_remote(project: Path, url: str, name: str = "storage", **options: str) -> None:
    """Write the config of a project with one remote; a local `url` is absolute. Not committed."""
    lines = ["[core]", f"    remote = {name}", f"['remote \"{name}\"']", f"    url = {url}"]
    lines += [f"    {key} = {value}" for key, value in options.items()]
    (project / ".dvc/config").write_text("\n".join(lines) + "\n")


def put_object(root: Path, data: bytes, *, suffix: str = "") -> str:
    """Place an object in a cache or local remote as DVC 3 does, and return its hash."""
    name = md5(data)
    path = root / "files/md5" / name[:2] / (name[2:] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
        path.chmod(0o444)
    return name


def track_file(project: Path, relpath: str, content: bytes | str) -> str:
    """Write a file, its object, its metafile and its .gitignore line as `dvc add` would; return its hash."""
    data = content.encode() if isinstance(content, str) else content
    write_tree(project, {relpath: data})
    name = put_object(project / ".dvc/cache", data)
    path = Path(relpath)
    metafile = f"outs:\n- md5: {name}\n  size: {len(data)}\n  hash: md5\n  path: {path.name}\n"
    (project / f"{relpath}.dvc").write_text(metafile)
    _ignore(project / path.parent, path.name)
    return name


def track_folder(project: Path, relpath: str, files: Tree) -> str:
    """Like `track_file` for a folder; returns the hash of its manifest without `.dir`."""
    write_tree(project / relpath, files)
    datas = {name: text.encode() if isinstance(text, str) else text for name, text in sorted(files.items())}
    cache = project / ".dvc/cache"
    rows = [{"md5": put_object(cache, data), "relpath": name} for name, data in datas.items()]
    manifest = put_object(cache, json.dumps(rows).encode(), suffix=".dir")
    path = Path(relpath)
    size = sum(len(data) for data in datas.values())
    (project / f"{relpath}.dvc").write_text(
        f"outs:\n- md5: {manifest}.dir\n  size: {size}\n  nfiles: {len(datas)}\n  hash: md5\n  path: {path.name}\n"
    )
    _ignore(project / path.parent, path.name)
    return manifest


def _ignore(folder: Path, name: str) -> None:
    file = folder / ".gitignore"
    lines = file.read_text().splitlines() if file.exists() else []
    if f"/{name}" not in lines:
        file.write_text("\n".join([*lines, f"/{name}"]) + "\n")
