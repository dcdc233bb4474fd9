"""`modelkeep setup`: from a folder to a project with storage, page by page on a terminal, or by flags without one."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelkeep.cli.asking import ask, ask_one, ask_yes, can_ask
from modelkeep.cli.output import print_json
from modelkeep.cli.terminal import TerminalQuestions
from modelkeep.cli.teststeps import is_well, outcome, show_step, steps_json
from modelkeep.core.errors import Refused, UsageError
from modelkeep.core.nouns import replace
from modelkeep.core.paths import visible
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Secret
from modelkeep.core.workflows import folders, setup, storage
from modelkeep.core.workflows.remote_test import Step, ignore, run_test
from modelkeep.core.workflows.storage import Draft, FileChange

Show = Callable[[], int | None]

_LOGINS = (
    ("auto", "As ssh does", "With your keys and the agent; with a password where these do not help."),
    ("key", "A key file", "You name the file; its passphrase is asked if it has one."),
    ("password", "A password", "Asked once and kept in the keyring of this computer."),
    ("questions", "Password and a code", "The server asks for a second factor."),
)
_AFTER_FAILURE = (
    ("again", "Test again", "After something was mended on the server or the network."),
    ("address", "Another address", ""),
    ("login", "Another way to log in", ""),
    ("save", "Save it anyway", "It can be tested later: modelkeep remote test NAME"),
    ("quit", "Leave", "Nothing is written."),
)


def set_up(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Set up a project and its storage; writes the remote only after its test succeeded or at the user's word."""
    asks = can_ask() and not arguments.json and not arguments.yes
    if not asks and not arguments.url:
        raise UsageError(
            "There is no terminal to ask on, so the address has to be given.",
            hint="modelkeep setup FOLDER --url ssh://user@server/folder [--password-stdin] [--fingerprint SHA256:…]",
        )
    secret = Secret(sys.stdin.readline().rstrip("\r\n")) if arguments.password_stdin else None
    work = _Setup(arguments, progress, asks)
    root = work.project_page()
    project = Project.open(root, questions=TerminalQuestions())
    try:
        return work.storage_pages(project, secret)
    finally:
        project.close()


class _Setup:
    """One run through the pages."""

    def __init__(self, arguments: argparse.Namespace, progress: Progress, asks: bool) -> None:
        self._arguments = arguments
        self._progress = progress
        self._asks = asks
        self._created = ""
        self._notes: list[str] = []
        self._chosen_kind = ""

    def _say(self, text: str = "") -> None:
        if not self._arguments.json:
            print(text, flush=True)

    def _heading(self, number: int, title: str) -> None:
        if self._asks:
            self._say(f"\n── {number} of 6 · {title} " + "─" * max(4, 60 - len(title)))

    # -- the project -----------------------------------------------------------------------------------

    def project_page(self) -> Path:
        """The root of the project, which is made or cloned if need be."""
        self._heading(1, "Project")
        folder = Path(self._arguments.directory) / (self._arguments.folder or ".")
        found = folders.look_at(folder)
        root = found.root
        if self._arguments.clone and found.kind not in ("empty", "missing"):
            raise Refused(f"{folder.absolute()} is not empty.", hint="Clone into a new or empty folder.")
        if found.kind == "project":
            self._say(f"Project: {root}")
        elif self._clone_url(found):
            url = self._clone_url(found)
            self._say(f"Cloning into {folder.absolute()} …")
            root = setup.clone(url, folder, questions=TerminalQuestions(), progress=self._progress)
            self._created, found = "cloned", folders.look_at(root)
        if found.kind != "project":
            root = self._start(found)
        if any((folder / ".git").exists() for folder in (root, *root.parents)):  # else nobody has to be named
            self._identify(root)
        return root

    def _clone_url(self, found: folders.Folder) -> str:
        if not self._arguments.clone and self._asks and found.kind in ("empty", "missing"):
            choices = (
                ("new", "New", "Start a project here: a Git repository that tracks data."),
                ("clone", "Clone", "Get a project that colleagues have, from its Git address."),
            )
            if ask_one(f"{found.root} is empty. What shall it become?", choices, "new") == "clone":
                self._arguments.clone = ask("Address of the Git repository")
        return str(self._arguments.clone or "")

    def _start(self, found: folders.Folder) -> Path:
        what = {
            "git": f"{found.root} is a Git repository that does not track data yet.",
            "inside_git": f"This folder lies in the Git repository {found.root}, which does not track data yet.",
            "folder": f"{found.root} has files in it, but is not a project yet.",
        }.get(found.kind, "")
        if what:
            self._say(what)
        if found.kind == "inside_git" and not self._asks:
            raise UsageError(what, hint=f"To track data in all of it: modelkeep setup {found.root}")
        if what and self._asks and not ask_yes(f"Start to track data in {found.root}?"):
            raise Refused("Nothing was done.", hint="Name the folder of your project: modelkeep setup FOLDER")
        root = setup.init(found.root, progress=self._progress)
        self._created = self._created or "new"
        self._say(f"Data can be tracked now in {root}")
        return root

    def _identify(self, root: Path) -> None:
        """Versions carry the name of who made them; Git has to know it."""
        name, email = self._arguments.user_name, self._arguments.user_email
        known = folders.identity(root)
        if known is None and self._asks and not (name and email):
            self._say("Git does not know who you are; each version carries a name and an e-mail address.")
            name, email = name or ask("Your name"), email or ask("Your e-mail address")
        if name or email:
            before = known or ("", "")
            folders.set_identity(root, name or before[0], email or before[1])
        elif known is None:
            self._notes.append("Git does not know who you are yet: set it with --user-name and --user-email.")

    # -- the storage -----------------------------------------------------------------------------------

    def storage_pages(self, project: Project, secret: Secret | None) -> Show:
        """From the kind of storage to the written config; the result prints what was done."""
        if self._arguments.fingerprint:
            storage.expect_fingerprint(project, self._arguments.fingerprint)
        draft = self._login(project, self._address(project))
        while True:
            steps = self._test(project, draft, secret)
            secret, draft = None, replace(draft, secret=None)  # one that was refused is not tried again
            if steps and is_well(steps):
                draft = storage.as_tested(draft, steps)
                break
            then = self._after_failure()
            if then == "stop":
                return self._failed(project, draft, steps)
            if then == "save":
                break
            if then == "address":
                draft = self._address(project)
            if then in ("address", "login"):
                draft = self._login(project, draft)
        files = storage.preview(project, draft)
        entry = storage.keyring_entry(project, draft)
        self._show_files(files, storage.kept_where(project, draft))
        if self._asks and files and not ask_yes("Write this?"):
            raise Refused("Nothing was written.", hint="Start again when you like: modelkeep setup")
        done = storage.save(project, draft)
        self._say(done.summary)
        return self._finished(project, draft, steps, files, entry)

    def _after_failure(self) -> str:
        if not self._asks:
            return "stop"
        then = ask_one("\nWhat now?", _AFTER_FAILURE, "again")
        return "stop" if then == "quit" else then

    def _address(self, project: Project) -> Draft:
        self._heading(2, "Where the data is stored")
        if self._asks and self._arguments.url is None and project.remotes():
            choices = [(one.name, visible(one.name), visible(one.url)) for one in project.remotes()]
            chosen = ask_one("Which storage?", [*choices, ("", "New", "Another place")], choices[0][0])
            if chosen:
                return storage.draft_of(project, chosen)
        self._chosen_kind = ""
        while True:
            try:
                return self._named(project, storage.understand(self._address_text()))
            except UsageError as error:
                if not self._asks:
                    raise
                self._say(f"{visible(error.title)} {visible(error.hint)}")
                self._arguments.url = None

    def _address_text(self) -> str:
        text = self._arguments.url
        self._arguments.url = None  # a second time it is asked for
        if text is None:
            self._chosen_kind = self._chosen_kind or self._kind()
            if self._chosen_kind == "ssh":
                hosts = storage.known_hosts_of_config()
                if hosts:
                    self._say(f"Your ~/.ssh/config knows: {', '.join(map(visible, hosts[:20]))}")
                text = ask("Address, in any form (user@server:/folder, ssh://…, a “dvc remote add” line)")
            else:
                text = ask("Full path of the folder")
        if text.startswith(("./", "../")) or text in (".", ".."):
            text = os.path.abspath(os.path.join(self._arguments.directory, text))
        return str(text)

    def _kind(self) -> str:
        choices = [
            (one.key, one.title + ("" if one.is_supported else " *"), one.sentence) for one in storage.KINDS
        ]
        self._say("Kinds marked * cannot be used by Modelkeep yet, only by dvc itself.")
        supported = {one.key for one in storage.KINDS if one.is_supported}
        while True:
            kind = ask_one("What kind of storage is it?", choices, "ssh")
            if kind in supported:
                return kind
            self._say("Modelkeep cannot use this kind yet. Choose a server by SSH or a shared folder.")

    def _named(self, project: Project, draft: Draft) -> Draft:
        self._say(f"Understood: {visible(draft.url)}")
        if draft.note:
            self._say(draft.note)
        name = self._arguments.name or draft.name or storage.known_as(project, draft)
        if not name:
            name = storage.free_name(project)
            if self._asks:
                name = ask("Name for this storage", name)
        draft = replace(draft, name=name.lower(), default=not self._arguments.no_default)
        wrong = storage.problem(project, draft)
        if wrong:
            self._arguments.name = None
            raise UsageError(wrong)
        known = any(one.name == draft.name for one in project.remotes())
        if known and storage.known_as(project, draft) != draft.name and not self._arguments.yes:
            question = f"There is a remote {draft.name} with another address. Change it?"
            if not (self._asks and ask_yes(question, default=False)):
                raise UsageError(
                    f"There is a remote called {draft.name} with another address.",
                    hint="Give another --name, or add --yes to change its address.",
                )
        return draft

    def _login(self, project: Project, draft: Draft) -> Draft:
        if draft.kind != "ssh":
            return draft
        self._heading(3, "How to log in")
        login, keyfile = self._arguments.login or draft.login, self._arguments.keyfile or draft.keyfile
        if keyfile and not self._arguments.login:
            login = "key"
        if self._arguments.password_stdin and not self._arguments.login:
            login = "password"
        if self._asks and not self._arguments.login:
            login = ask_one(f"How does {visible(draft.spec().host)} let you in?", _LOGINS, login)
            if login == "key" and not keyfile:
                keyfile = self._key_file()
        self._arguments.login = self._arguments.keyfile = None
        if keyfile and not Path(keyfile).expanduser().is_file():
            raise UsageError(f"There is no key file {keyfile}.", hint="Private keys usually are in ~/.ssh.")
        chosen = replace(draft, login=login, keyfile=keyfile if login == "key" else "")
        self._say(storage.plain_dvc(chosen))
        return chosen

    def _key_file(self) -> str:
        while True:
            keyfile = ask("Key file", "~/.ssh/id_ed25519")
            if Path(keyfile).expanduser().is_file():
                return keyfile
            self._say(f"There is no file {visible(keyfile)}.")

    def _test(self, project: Project, draft: Draft, secret: Secret | None) -> tuple[Step, ...]:
        """The steps of the test; none where a question of the server was not answered."""
        self._heading(4, "Test")
        if draft.kind == "ssh":
            storage.offer(project, draft, secret)
        show = ignore if self._arguments.json else show_step
        try:
            steps = run_test(project, draft.name, spec=draft.spec(), show=show, progress=self._progress)
        except Cancelled:
            self._progress.check()
            if not self._asks:
                raise
            self._say("\nThe question was not answered.")
            return ()
        self._say(outcome(steps))
        return steps

    # -- the end ---------------------------------------------------------------------------------------

    def _show_files(self, files: tuple[FileChange, ...], kept: str) -> None:
        self._heading(5, "What is written")
        for one in files:
            shared = ", which Git shares with everybody" if one.path == ".dvc/config" else ", for you alone"
            self._say(f"{one.path}{shared}:")
            for line in difflib.ndiff(one.before.splitlines(), one.after.splitlines()):
                if not line.startswith("?"):
                    self._say(f"  {visible(line)}")
        if not files:
            self._say("Nothing has to be written; all of it is in the config already.")
        if kept:
            self._say(kept)

    def _finished(
        self,
        project: Project,
        draft: Draft,
        steps: tuple[Step, ...],
        files: tuple[FileChange, ...],
        entry: str,
    ) -> Show:
        following = _next_step(project)
        document = {
            **self._document(project, draft, steps),
            "files": [{"path": one.path, "before": one.before, "after": one.after} for one in files],
            "keyring": entry or None,
            "password": storage.kept_where(project, draft) or None,
            "next": following,
            "notes": self._notes,
        }

        def show() -> int:
            if self._arguments.json:
                print_json(document)
                return 0
            self._heading(6, "Done")
            for note in self._notes:
                print(f"Note: {note}")
            print("Next, publish the first version:")
            for line in following:
                print(f"  {line}")
            return 0

        return show

    def _failed(self, project: Project, draft: Draft, steps: tuple[Step, ...]) -> Show:
        document = self._document(project, draft, steps)

        def show() -> int:
            if self._arguments.json:
                print_json(document)
            else:
                print("The remote was not written.")
            return 1

        return show

    def _document(self, project: Project, draft: Draft, steps: tuple[Step, ...]) -> dict[str, Any]:
        return {
            "ok": is_well(steps),
            "project": str(project.root),
            "created": self._created or None,
            "remote": draft.name,
            "url": draft.url,
            "login": draft.login if draft.kind == "ssh" else None,
            "plain_dvc": storage.plain_dvc(draft),
            "steps": steps_json(steps),
        }


def _next_step(project: Project) -> list[str]:
    """The commands that lead to the first published version."""
    place = "" if Path.cwd() == project.root else f" -C {project.root}"
    lines = [] if project.workspace.outputs().outputs else [f"modelkeep{place} add FOLDER_OR_FILE"]
    lines.append(f'modelkeep{place} publish v1.0 -m "First version"')
    if project.history is not None and not project.history.remotes():
        lines.insert(0, "git remote add origin ADDRESS   (where colleagues get the project; it can wait)")
    return lines
