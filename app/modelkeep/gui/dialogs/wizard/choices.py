"""What was chosen in the wizard so far, and the draft it comes to. Knows no widget; reads no disk."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from modelkeep.core.errors import UsageError
from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.project import Project
from modelkeep.core.values import Remote
from modelkeep.core.workflows import storage
from modelkeep.core.workflows.remote_test import Step
from modelkeep.core.workflows.storage import Draft
from modelkeep.gui.advice import in_window
from modelkeep.gui.wording import translate

SSH, FOLDER = "ssh", "local"


@dataclass(frozen=True)
class Fields:
    """The address of a server, field by field, as the user sees it."""

    host: str = ""
    user: str = ""
    port: str = ""
    path: str = ""

    @classmethod
    def of(cls, url: str) -> Fields:
        """From an `ssh://` address that was understood."""
        parts = urlsplit(url)
        userinfo, _, place = parts.netloc.rpartition("@")
        host, colon, port = place.rpartition(":")
        if not colon or port.endswith("]"):
            host, port = place, ""
        return cls(host, userinfo.partition(":")[0], port, parts.path)

    @property
    def url(self) -> str:
        """What the DVC config says, "" while the server is not named."""
        if not self.host.strip():
            return ""
        host = self.host.strip()
        if host.count(":") > 1 and not host.startswith("["):
            host = f"[{host}]"
        user = f"{self.user.strip()}@" if self.user.strip() else ""
        port = f":{self.port.strip()}" if self.port.strip() else ""
        path = self.path.strip()
        return f"ssh://{user}{host}{port}{path if path.startswith('/') or not path else '/' + path}"


class Choices:
    """Everything the pages know together. A page changes `draft` by `choose`, and `tested` is then out of date."""

    def __init__(self, edit: Remote | None = None) -> None:
        """`edit` is a remote that is to be changed; None sets up another one."""
        self.edit = edit
        self.kind = SSH
        self.draft: Draft | None = None
        self.tested: Draft | None = None  # the draft that a test found good
        self.login, self.keyfile = "auto", ""

    def begin_with(self, draft: Draft) -> None:
        """Start from a remote as it is, to edit it."""
        self.kind, self.login, self.keyfile = draft.kind, draft.login, draft.keyfile
        self.draft = draft

    def passed(self, steps: Sequence[Step]) -> None:
        """The test went well: what it found about the login is known now."""
        if self.draft is not None:
            self.tested = self.draft = storage.as_tested(self.draft, steps)
            self.login = self.draft.login

    def choose(self, draft: Draft | None) -> None:
        """What the address page comes to; the login is kept."""
        if draft is not None and draft.kind == SSH:
            draft = replace(draft, login=self.login, keyfile=self.keyfile)
        self.draft = draft

    def choose_login(self, login: str, keyfile: str = "") -> None:
        """How to log in."""
        self.login, self.keyfile = login, keyfile
        self.choose(self.draft)

    @property
    def needs_login(self) -> bool:
        """Whether the login is asked: a folder has none."""
        return self.kind == SSH

    @property
    def is_tested(self) -> bool:
        """Whether what is chosen now was found to work."""
        return self.draft is not None and self.draft == self.tested


def understood(text: str) -> tuple[Draft | None, str]:
    """What a pasted text comes to, or why it names no place, with the fix."""
    try:
        return storage.understand(text), ""
    except UsageError as error:
        return None, "\n".join(part for part in (error.title, in_window(error.hint)) if part)


def name_problem(name: str, project: Project | None, edit: Remote | None) -> str:
    """Why a remote cannot be called so, "" if it can."""
    name = name.strip().lower()
    if not name:
        return translate("Setup", "The storage needs a name, such as storage or lab.")
    if (
        not all(char.isascii() and (char.isalnum() or char in "._-") for char in name)
        or not name[0].isalnum()
    ):
        return translate("Setup", "A name has letters, digits, - and _ only.")
    taken = {one.name for one in project.remotes()} if project is not None else set()
    if name in taken - ({edit.name} if edit is not None else set()):
        return translate("Setup", "There is a remote called {name} already.").format(name=name)
    return ""
