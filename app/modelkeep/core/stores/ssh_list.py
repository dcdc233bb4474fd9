"""Asks the server which files there are by one `find`, where the account runs commands. Knows no SFTP."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from modelkeep.core.stores.ssh_shell import PRINTS, Shell

#: From this many names on, one listing costs less than asking for each.
MANY = 64
_FOLDERS = 1024
_LINE = 160  # bytes; more than one line of a listing takes
_SPARE = 4 << 20


def folder_script(keys: Iterable[str]) -> str | None:
    """A script that lists the files in all folders of `keys`; None where that cannot be said in one.

    Links count as what they lead to, because DVC may have linked an object from elsewhere.
    """
    folders = sorted({key.rpartition("/")[0] for key in keys})
    if len(folders) > _FOLDERS or "" in folders:
        return None
    chosen = f'set --; for d in {shlex.join(folders)}; do [ -d "./$d" ] && set -- "$@" "./$d"; done; '
    return chosen + "[ $# = 0 ] || " + _find('-L "$@" -maxdepth 1 -type f', follow="-L")


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


def parse(output: bytes, shell: Shell) -> dict[str, int]:
    """Sizes by key, of a listing; names that are not UTF-8 keep their odd bytes and match no key."""
    end = "\0" if shell.can(PRINTS) else "\n"
    found: dict[str, int] = {}
    for row in output.decode("utf-8", "surrogateescape").split(end):
        size, _, name = row.partition(" ./")
        if name and size.isdecimal():
            found[name] = int(size)
    return found
