"""The words of the command line and their help. Imports nothing heavy, so that `--help` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence

from modelkeep import __version__

Sub = argparse.ArgumentParser


def _versions(sub: Sub) -> None:
    sub.add_argument("--tags", action="store_true", help="tags only")
    sub.add_argument("--branches", action="store_true", help="branches only")
    sub.add_argument("--commits", action="store_true", help="also commits that touched tracked data")
    sub.add_argument(
        "--artifacts",
        action="store_true",
        help="artifacts that GTO tags name, with the versions of their stages",
    )
    sub.add_argument("--remote", action="store_true", help="ask the remote which data it has")


def _show(sub: Sub) -> None:
    sub.add_argument(
        "version", nargs="?", default="workspace", help="tag, branch or commit (default: workspace)"
    )
    sub.add_argument("output", nargs="?", help="list the files of this output")
    sub.add_argument("--remote", action="store_true", help="ask the remote which data it has")
    sub.add_argument("--history", metavar="OUTPUT", help="every content one output ever had")


def _add(sub: Sub) -> None:
    sub.add_argument("targets", nargs="+", metavar="PATH", help="file or folder to track")
    sub.add_argument("--file", metavar="DIR/NAME.dvc", help="write the metafile there")
    sub.add_argument("--glob", action="store_true", help="PATHs are patterns")


def _status(sub: Sub) -> None:
    sub.add_argument("-c", "--cloud", action="store_true", help="also ask the remote")


def _targets(sub: Sub) -> None:
    sub.add_argument("targets", nargs="*", metavar="PATH", help="outputs, metafiles or files in an output")


def _transfer(sub: Sub) -> None:
    _targets(sub)
    sub.add_argument("-r", "--remote", metavar="NAME", help="use this remote")
    sub.add_argument(
        "-j", "--jobs", type=int, metavar="N", help="accepted for familiarity; the engine decides"
    )


def _scopes(sub: Sub) -> None:
    _transfer(sub)
    sub.add_argument("--rev", action="append", default=[], metavar="VERSION", help="a version (repeatable)")
    sub.add_argument("-T", "--all-tags", action="store_true", help="all tags")
    sub.add_argument("-a", "--all-branches", action="store_true", help="all branches")
    sub.add_argument(
        "-A",
        "--all-commits",
        action="store_true",
        help="everything that Git has: all commits of all versions",
    )


def _pull(sub: Sub) -> None:
    _transfer(sub)
    sub.add_argument(
        "-f", "--force", action="store_true", help="replace unsaved data (it is saved in the cache)"
    )


def _checkout(sub: Sub) -> None:
    _targets(sub)
    sub.add_argument(
        "--relink", action="store_true", help="make unchanged files the kind of link that cache.type names"
    )
    sub.add_argument(
        "-f", "--force", action="store_true", help="replace unsaved data (it is saved in the cache)"
    )


def _publish(sub: Sub) -> None:
    sub.add_argument("version", nargs="?", help="name of the new version, such as v1.2")
    sub.add_argument("targets", nargs="*", metavar="PATH", help="what to add (default: all changed outputs)")
    sub.add_argument("-m", "--message", default="", help="message of commit and tag")
    sub.add_argument("-r", "--remote", metavar="NAME", help="use this remote")
    sub.add_argument("--git-remote", metavar="NAME", help="push Git there (default: origin)")
    sub.add_argument("-n", "--dry-run", action="store_true", help="show the plan only")
    group = sub.add_mutually_exclusive_group()
    group.add_argument("--resume", action="store_true", help="finish an interrupted publish")
    group.add_argument("--undo", action="store_true", help="take an interrupted publish back")


def _restore(sub: Sub) -> None:
    sub.add_argument("version", nargs="?", help="tag, branch or commit")
    sub.add_argument("outputs", nargs="*", metavar="OUTPUT", help="only these, into the workspace")
    sub.add_argument(
        "-b", "--branch", metavar="NAME", nargs="?", const="", help="into a new branch (default)"
    )
    sub.add_argument("--detach", action="store_true", help="without a branch")
    sub.add_argument("--folder", metavar="DIR", help="into another folder")
    sub.add_argument(
        "-f", "--force", action="store_true", help="replace unsaved data (it is saved in the cache)"
    )
    sub.add_argument("-n", "--dry-run", action="store_true", help="show the plan only")
    sub.add_argument("--replaced", action="store_true", help="list what earlier restores replaced")
    sub.add_argument("--bring-back", metavar="ID", help="put back what a restore replaced")


def _export(sub: Sub) -> None:
    sub.add_argument("version", help="tag, branch or commit")
    sub.add_argument("folder", help="where to write it")
    sub.add_argument("outputs", nargs="*", metavar="OUTPUT", help="only these")
    sub.add_argument("-f", "--force", action="store_true", help="replace files that differ")


def _gc(sub: Sub) -> None:
    sub.add_argument("-w", "--workspace", action="store_true", help="keep only what the workspace uses")
    sub.add_argument("-a", "--all-branches", action="store_true", help="keep all branches")
    sub.add_argument("-T", "--all-tags", action="store_true", help="keep all tags")
    sub.add_argument("-A", "--all-commits", action="store_true", help="keep all commits of branches and tags")
    sub.add_argument("--rev", action="append", default=[], metavar="VERSION", help="keep this (repeatable)")
    sub.add_argument("--no-stash", action="store_true", help="do not keep what only stashes hold")
    sub.add_argument("--no-reflog", action="store_true", help="do not keep what only the reflog knows")
    sub.add_argument("--even-unpushed", action="store_true", help="also what no remote is seen to have")
    sub.add_argument("-c", "--cloud", action="store_true", help="also remove from the remote, for everybody")
    sub.add_argument("-r", "--remote", metavar="NAME", help="this remote (default: the default remote)")
    sub.add_argument("--force", action="store_true", help="with -c: even if Git has more than was fetched")
    sub.add_argument("-n", "--dry-run", action="store_true", help="show the plan only")
    group = sub.add_mutually_exclusive_group()
    group.add_argument("--undo", action="store_true", help="put back what the last one took from the cache")
    group.add_argument("--purge", action="store_true", help="free now what earlier ones put aside")
    sub.add_argument(
        "--keep-days", type=int, metavar="N", help="for how long what is removed can come back, from now on"
    )


def _diff(sub: Sub) -> None:
    sub.add_argument("before", nargs="?", default="HEAD", help="version (default: HEAD)")
    sub.add_argument("after", nargs="?", default="workspace", help="version (default: workspace)")


def _remote(sub: Sub) -> None:
    words = sub.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = words.add_parser("add", help="add a remote")
    add.add_argument("name")
    add.add_argument("url", help="folder or ssh://user@host/path")
    add.add_argument("-d", "--default", action="store_true", help="use it when none is named")
    add.add_argument("-f", "--force", action="store_true", help="replace one of that name")
    modify = words.add_parser("modify", help="change a setting of a remote")
    modify.add_argument("name")
    modify.add_argument("key")
    modify.add_argument("value", nargs="?")
    modify.add_argument("-u", "--unset", action="store_true", help="remove the setting")
    remove = words.add_parser("remove", help="remove a remote; its content stays")
    remove.add_argument("name")
    for one in (add, modify, remove):
        _level(one)
    words.add_parser("list", help="list remotes")
    default = words.add_parser("default", help="show or set the default remote")
    default.add_argument("name", nargs="?")
    default.add_argument("-u", "--unset", action="store_true")
    _level(default)
    test = words.add_parser("test", help="try it out step by step, and say what is wrong")
    test.add_argument("name", nargs="?")
    trust = words.add_parser("trust", help="trust the host key with this fingerprint, or a changed address")
    trust.add_argument("name")
    trusted = trust.add_mutually_exclusive_group(required=True)
    trusted.add_argument("--fingerprint", metavar="SHA256:…", help="the host key with this fingerprint")
    trusted.add_argument(
        "--address",
        nargs="?",
        const="",
        metavar="URL",
        help="the address that the remote has now, or this one",
    )
    forget = words.add_parser("forget-host", help="forget the host key of its server, after that has changed")
    forget.add_argument("name", nargs="?")
    for one in (add, modify, remove, default, test, trust, forget, words.choices["list"]):
        _output_options(one, argparse.SUPPRESS)
    test.set_defaults(quiet=True)  # its steps are its progress


def _level(sub: Sub) -> None:
    group = sub.add_mutually_exclusive_group()
    group.add_argument(
        "--local", dest="level", action="store_const", const="local", help="in .dvc/config.local"
    )
    group.add_argument("--global", dest="level", action="store_const", const="global", help="for this user")


def _login(sub: Sub) -> None:
    sub.add_argument("remote", nargs="?", help="name of the remote (default: the default remote)")
    sub.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    sub.add_argument(
        "--migrate", action="store_true", help="move passwords found in config files to the keyring"
    )
    sub.add_argument("--commit", action="store_true", help="with --migrate: also commit .dvc/config")
    sub.add_argument(
        "--check-old", action="store_true", help="try whether passwords in the Git history still work"
    )
    sub.add_argument("--forget", action="store_true", help="remove the stored password")


def _doctor(sub: Sub) -> None:
    sub.add_argument("--online", action="store_true", help="also ask the remotes")


def _setup(sub: Sub) -> None:
    sub.set_defaults(quiet=True)  # it asks and tells step by step
    sub.add_argument("folder", nargs="?", help="the project, or where to make one (default: here)")
    sub.add_argument("--clone", metavar="URL", help="get the project from this Git address")
    sub.add_argument("--url", help="where the data is stored: ssh://user@server/folder, or a folder")
    sub.add_argument("--name", help="name of the remote (default: storage)")
    sub.add_argument("--no-default", action="store_true", help="do not make it the default remote")
    sub.add_argument("--login", choices=("auto", "key", "password", "questions"), help="how to log in")
    sub.add_argument("--keyfile", metavar="FILE", help="log in with this private key")
    sub.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    sub.add_argument("--fingerprint", metavar="SHA256:…", help="trust the server with exactly this host key")
    sub.add_argument("--user-name", metavar="NAME", help="who makes versions in this project, for Git")
    sub.add_argument("--user-email", metavar="ADDRESS", help="and their e-mail address")


def _init(sub: Sub) -> None:
    sub.add_argument("folder", nargs="?", default=".")
    sub.add_argument("--subdir", action="store_true", help="in a sub-folder of a Git repository")
    sub.add_argument("--no-scm", action="store_true", help="without Git")


def _clone(sub: Sub) -> None:
    sub.add_argument("url")
    sub.add_argument("folder", nargs="?")


def _open(sub: Sub) -> None:
    sub.add_argument("folder", nargs="?")
    sub.add_argument(
        "--trust", action="store_true", help="allow the programs this repository's settings start"
    )
    sub.add_argument("--picture", metavar="FILE.png", help="draw the window to a file and leave")


def _demo(sub: Sub) -> None:
    sub.add_argument("folder", nargs="?", help="where to make it (default: a new temporary folder)")
    sub.add_argument("--no-window", action="store_true", help="only make it")
    sub.add_argument("--picture", metavar="FILE.png", help="draw the window to a file and leave")


_TABLE: dict[str, tuple[str, Callable[[Sub], None]]] = {
    "versions": ("list tags, branches and what they hold", _versions),
    "show": ("what is tracked at a version", _show),
    "status": ("what changed in the workspace", _status),
    "diff": ("what changed in the data between two versions", _diff),
    "add": ("track data, or record its current content", _add),
    "push": ("send data to the remote", _scopes),
    "fetch": ("bring data from the remote into the cache", _scopes),
    "pull": ("fetch, then check out", _pull),
    "checkout": ("make the workspace match its metafiles", _checkout),
    "publish": ("add, push, verify, commit, tag and push Git in one safe action", _publish),
    "restore": ("bring a version or some of its outputs back", _restore),
    "export": ("copy a version's data into another folder", _export),
    "gc": ("free the cache of objects that no kept version needs", _gc),
    "remote": ("manage remotes", _remote),
    "login": ("log in to a remote once", _login),
    "doctor": ("look for secrets, and for what is wrong", _doctor),
    "setup": ("set up a project and its storage, with a live test", _setup),
    "init": ("start tracking data in a folder", _init),
    "clone": ("clone a project", _clone),
    "open": ("open the window", _open),
    "demo": ("make and open a small demonstration project", _demo),
}
COMMANDS = frozenset(_TABLE) | {"-h", "--help", "--version", "-C"}


def _output_options(sub: Sub, default: object = False) -> None:
    sub.add_argument("--json", action="store_true", default=default, help="print one JSON document")
    sub.add_argument("-q", "--quiet", action="store_true", default=default, help="no progress bar")
    sub.add_argument(
        "-y", "--yes", action="store_true", default=default, help="answer what would be asked with yes"
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its options; exits with 2 and a usage line if they make no sense."""
    parser = argparse.ArgumentParser(
        prog="modelkeep",
        description="Versions of datasets and models kept in Git and DVC-format storage.",
        epilog="modelkeep [FOLDER] opens the window.",
    )
    parser.add_argument("--version", action="version", version=f"modelkeep {__version__}")
    parser.add_argument("-C", dest="directory", default=".", metavar="FOLDER", help="work in this folder")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in _needed(argv):
        text, fill = _TABLE[name]
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _output_options(sub)
        fill(sub)
    return parser.parse_args(list(argv))


def _needed(argv: Sequence[str]) -> Iterable[str]:
    """The command that is meant, or all where that must be told: a parser costs as much as a small command."""
    words = iter(argv)
    for word in words:
        if word == "-C":
            next(words, None)
        elif not word.startswith("-"):
            return (word,) if word in _TABLE else _TABLE
    return _TABLE
