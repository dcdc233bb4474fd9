"""Commands that look a project over: doctor, and what `login` does about old secrets."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from modelkeep.cli.output import changes_json, print_changes, print_json
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.workflows import secrets

Show = Callable[[], int | None]
_SIGNS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Tell what is right, what to mind, and what is wrong; ends with 1 if something is wrong."""
    from modelkeep.core.workflows.doctor import State, examine

    found = examine(project, online=arguments.online, progress=progress)
    is_well = all(one.state is not State.PROBLEM for one in found)

    def show() -> int:
        if arguments.json:
            checks = [
                {
                    "key": one.key,
                    "title": one.title,
                    "state": one.state.value,
                    "text": one.text,
                    "advice": one.advice,
                }
                for one in found
            ]
            print_json({"ok": is_well, "checks": checks})
            return 0 if is_well else 1
        for one in found:
            print(f"{_SIGNS[one.state.value]}  {one.title}: {visible(one.text)}")
            if one.advice:
                print(f"         {visible(one.advice)}")
        return 0 if is_well else 1

    return show


def migrate(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Move secrets out of config files."""
    done = secrets.migrate(project, commit=arguments.commit, progress=progress)
    return lambda: print_json(changes_json(done)) if arguments.json else print_changes(done)


def check_old(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Try each password that the Git history holds once, at its own server."""
    found = [
        (one, _verdict(project, one, progress)) for one in secrets.scan(project, progress=progress).in_history
    ]

    def show() -> int:
        if arguments.json:
            print_json(
                [
                    {
                        "file": one.place,
                        "section": one.section,
                        "key": one.key,
                        "commit": one.commit,
                        "still_works": works,
                        "reason": why or None,
                    }
                    for one, (works, why) in found
                ]
            )
        else:
            for one, (works, why) in found:
                print(f"{visible(one.text)}\n  {visible(why) or _WORDS[works]}")
            if not found:
                print("No version of a config file in Git holds a secret.")
        return 1 if any(works for _, (works, _) in found) else 0

    return show


_WORDS = {
    True: "IT STILL WORKS: change it on the server now.",
    False: "The server no longer takes it.",
    None: "The server did not tell: it asked for no password.",
}


def _verdict(project: Project, one: secrets.Finding, progress: Progress) -> tuple[bool | None, str]:
    try:
        return secrets.still_works(project, one, progress), ""
    except ModelkeepError as error:
        return None, f"It was not tried: {error.title}"
