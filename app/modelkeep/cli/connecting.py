"""Commands that set up and connect: init, clone, remote, login, open, demo."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from modelkeep.cli.display import has_display
from modelkeep.cli.output import changes_json, print_changes, print_json, print_table
from modelkeep.cli.terminal import TerminalQuestions
from modelkeep.core.errors import UsageError
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Secret
from modelkeep.core.workflows import setup

Show = Callable[[], int | None]


def _shown(done: Changes, arguments: argparse.Namespace) -> Show:
    return lambda: print_json(changes_json(done)) if arguments.json else print_changes(done)


def _in(arguments: argparse.Namespace, folder: str) -> Path:
    return Path(arguments.directory) / folder


def _placed(what: str, path: Path, arguments: argparse.Namespace) -> Show:
    return lambda: print_json({"path": str(path)}) if arguments.json else print(f"{what} {path}")


def init(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Start a project."""
    root = setup.init(
        _in(arguments, arguments.folder), subdir=arguments.subdir, no_scm=arguments.no_scm, progress=progress
    )
    return _placed("Data can be tracked now in", root, arguments)


def clone(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Clone a project; its data comes with `pull`."""
    name = arguments.folder or arguments.url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    root = setup.clone(arguments.url, _in(arguments, name), questions=TerminalQuestions(), progress=progress)
    return _placed("Cloned into", root, arguments)


# -- remotes -------------------------------------------------------------------------------------------


def remote(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """add, modify, remove, list, default, test, trust."""
    return _ACTIONS[arguments.action](project, arguments, progress)


def _add(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    url = arguments.url
    if "://" not in url and not url.startswith("~") and not os.path.isabs(url) and ":" not in url:
        from modelkeep.core.workflows.setup import relative_to_project

        url = relative_to_project(project, Path(arguments.directory), url)
    done = setup.add_remote(
        project,
        arguments.name,
        url,
        default=arguments.default,
        level=arguments.level or "repo",
        force=arguments.force,
    )
    return _shown(done, arguments)


def _modify(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    if (arguments.value is None) != arguments.unset:
        raise UsageError("Give a value, or --unset to remove the setting.")
    done = setup.modify_remote(project, arguments.name, arguments.key, arguments.value, level=arguments.level)
    return _shown(done, arguments)


def _remove(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    return _shown(setup.remove_remote(project, arguments.name, level=arguments.level), arguments)


def _list(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    found = project.remotes()

    def show() -> None:
        if arguments.json:
            print_json(
                [
                    {
                        "name": one.name,
                        "url": one.url,
                        "kind": one.kind,
                        "default": one.is_default,
                        "level": one.level,
                        "secret_in_config": one.has_secret_in_config,
                        "problem": one.problem or None,
                    }
                    for one in found
                ]
            )
            return
        rows = [
            (
                ("* " if one.is_default else "  ") + one.name,
                one.url,
                one.level,
                _remark(one.has_secret_in_config, one.problem),
            )
            for one in found
        ]
        print_table(("  name", "address", "level", ""), rows)
        if not rows:
            print("No remotes yet. Add one: modelkeep remote add -d NAME URL")

    return show


def _remark(has_secret: bool, problem: str) -> str:
    if problem:
        return problem
    return "a password stands in the config: modelkeep login --migrate" if has_secret else ""


def _default(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    if arguments.name is None and not arguments.unset:
        name = project.config.default_remote
        return lambda: (
            print_json({"default": name}) if arguments.json else print(name or "No default remote.")
        )
    return _shown(
        setup.set_default_remote(project, arguments.name, level=arguments.level or "repo"), arguments
    )


def _test(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    from modelkeep.cli.teststeps import is_well, outcome, show_step, steps_json
    from modelkeep.core.workflows.remote_test import ignore, run_test

    steps = run_test(project, arguments.name, show=ignore if arguments.json else show_step, progress=progress)

    def show() -> int:
        if arguments.json:
            print_json({"ok": is_well(steps), "steps": steps_json(steps)})
        else:
            print(outcome(steps))
        return 0 if is_well(steps) else 1

    return show


def _trust(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    if arguments.address is not None:
        from modelkeep.core.workflows.addresses import accept

        return _shown(accept(project, arguments.name, arguments.address), arguments)
    return _shown(setup.trust_host(project, arguments.name, arguments.fingerprint, progress), arguments)


def _forget_host(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    from modelkeep.cli.asking import ask_yes, can_ask
    from modelkeep.core.workflows import hosts

    spec = project.remote_spec(arguments.name)
    if spec.kind != "ssh":
        raise UsageError("This remote is a folder; it has no host key.")
    host = hosts.known_as(spec)
    lines = [f"{line.type} {line.fingerprint} ({line.place})" for line in hosts.lines_of(host)]
    if not lines:
        raise UsageError(
            f"No key of {host.name} is known on this computer.", hint="Nothing has to be forgotten."
        )
    if not arguments.yes and not can_ask():
        raise UsageError(
            f"Forgetting the key of {host.name} has to be confirmed.",
            detail="\n".join(lines),
            hint="Ask its administrator why the key changed; then add --yes.",
        )
    if not arguments.yes:
        print(f"The key of {host.name} on this computer:", *lines, sep="\n  ")
        if not ask_yes("Forget it? Only if its administrator told you that it changed.", default=False):
            raise Cancelled
    return _shown(hosts.forget(host), arguments)


_ACTIONS: dict[str, Callable[[Project, argparse.Namespace, Progress], Show]] = {
    "add": _add,
    "modify": _modify,
    "remove": _remove,
    "list": _list,
    "default": _default,
    "test": _test,
    "trust": _trust,
    "forget-host": _forget_host,
}


# -- logins --------------------------------------------------------------------------------------------


def login(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Log in once, move old passwords to the keyring, or forget a login."""
    if arguments.migrate or arguments.check_old:
        from modelkeep.cli import checking

        old = checking.migrate if arguments.migrate else checking.check_old
        return old(project, arguments, progress)
    if arguments.forget:
        return _shown(setup.forget_login(project, arguments.remote), arguments)
    password = None
    if arguments.password_stdin:
        password = Secret(sys.stdin.readline().rstrip("\r\n"))
    return _shown(setup.login(project, arguments.remote, password, progress), arguments)


# -- the window ----------------------------------------------------------------------------------------


def open_window(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Open the window on a project, or on the list of recent ones."""
    folder = _in(arguments, arguments.folder) if arguments.folder else _project_here(arguments)
    if arguments.trust:
        if folder is None:
            raise UsageError("Name the project to trust.")
        project = Project.open(folder)
        setup.trust_project(project)
        project.close()
    return _window(folder, arguments)


def _project_here(arguments: argparse.Namespace) -> Path | None:
    from modelkeep.core.errors import NotAProject
    from modelkeep.core.project import find_root

    try:
        return find_root(Path(arguments.directory))
    except NotAProject:
        return None


def _window(folder: Path | None, arguments: argparse.Namespace) -> Callable[[], int]:
    if arguments.picture:
        return lambda: int(arguments.window(folder, Path(arguments.picture)))
    if not has_display():
        raise UsageError(
            "There is no display to open a window on.",
            hint="Draw it to a file: modelkeep open FOLDER --picture FILE.png, or use the other commands.",
        )
    return lambda: int(arguments.window(folder, None))


def demo(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Make the demonstration project and open the window on it."""
    from modelkeep.core.workflows.demo import find_demo, make_demo

    folder = (
        _in(arguments, arguments.folder)
        if arguments.folder
        else Path(tempfile.mkdtemp(prefix="modelkeep-demo-"))
    )
    root = find_demo(folder) or make_demo(folder, progress)
    if not arguments.picture and (arguments.no_window or not has_display()):
        return _placed("The demonstration is in", root, arguments)
    return _window(root, arguments)
