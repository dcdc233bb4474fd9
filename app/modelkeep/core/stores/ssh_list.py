"""Asks the server which files there are by one `find`, where the account runs commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from modelkeep.core.stores.sftp_list import Limit
from modelkeep.core.stores.ssh_shell import PRINTS, Shell

#: From this many names on, one listing costs less than asking for each.
MANY = 64
_FOLDERS = 1024
_FEW = 32  # folders that are walked one by one
_LINE = 160  # bytes; more than one line of a listing takes
_SPARE = 4 << 20


def folder_script(keys: Iterable[str]) -> str | None:
    """A script that lists the files in all folders of `keys`; None where that cannot be said in one.

    Links count as what they lead to, because DVC may have linked an object from elsewhere; or they are listed
    as links, to be looked at one by one.
    """
    folders = sorted({key.rpartition("/")[0] for key in keys})
    if len(folders) > _FOLDERS or "" in folders:
        return None
    if len(folders) > _FEW:
        return _parents_script(folders)
    chosen = f'set --; for d in {shlex.join(folders)}; do [ -d "./$d" ] && set -- "$@" "./$d"; done; '
    return chosen + "[ $# = 0 ] || " + _find('-L "$@" -maxdepth 1 -type f', follow="-L")


def _parents_script(folders: Iterable[str]) -> str:
    # One walk from above is much faster than one for each of many folders.
    parents = sorted({folder.rpartition("/")[0] or "." for folder in folders})
    chosen = f'set --; for d in {shlex.join(parents)}; do [ -d "./$d" ] && set -- "$@" "./$d"; done; '
    walk = 'find -H "$@" -mindepth 1 -maxdepth 2'
    printing = f"{walk} -type f -printf '%s %p\\0' -o -type l -printf 'l %p\\0'"
    asking = f"{walk} -type f -exec stat -c '%s %n' {{}} + -o -type l -exec stat -c 'l %n' {{}} +"
    return f"{chosen}[ $# = 0 ] || if [ $g ]; then {printing}; else {asking}; fi 2>/dev/null"


def tree_script(prefix: str) -> str:
    """A script that lists every file beneath the folder `prefix`, following no links."""
    top = shlex.quote(f"./{prefix}" if prefix else ".")
    return f"[ ! -e {top} ] || " + _find(f"{top} -name '*.tmp' -prune -o -type f", follow="")


def _find(what: str, follow: str) -> str:
    # Where find cannot print, a name of several lines looks like several files: odd names nobody asked for.
    printing = f"find {what} -printf '%s %p\\0'"
    asking = f"find {what} -exec stat {follow} -c '%s %n' {{}} +"
    return f"if [ $g ]; then {printing}; else {asking}; fi 2>/dev/null"


def most_output(asked: Sequence[str]) -> int:
    """How long a listing may get, in bytes, before asking for each of `asked` is the better way."""
    return 5 * _LINE * len(asked) + _SPARE


class Listing(NamedTuple):
    """Sizes of files by key, and the links among the keys and folders, which were not followed."""

    sizes: dict[str, int]
    links: set[str]


def parse(output: bytes, shell: Shell) -> Listing:
    """What a script above printed; names that are not UTF-8 keep their odd bytes and match no key.

    Raises StoreFailed for more lines than any remote has files.
    """
    end = "\0" if shell.can(PRINTS) else "\n"
    Limit().check(output.count(end.encode()), len(output))
    found = Listing({}, set())
    sizes, links = found
    for row in output.decode("utf-8", "surrogateescape").split(end):
        size, _, name = row.partition(" ./")
        if size.isdecimal():
            sizes[name.removeprefix("./")] = int(size)
        elif size == "l":
            links.add(name.removeprefix("./"))
    return found
