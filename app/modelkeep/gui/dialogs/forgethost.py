"""Forgets the key of a server, as a deed of its own: shows the lines that go, and keeps a copy of the file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.workflows import hosts
from modelkeep.core.workflows.hosts import KnownAs
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import NameLabel, allow, labelled
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.jobs import READING, Jobs
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import counted, translate


class ForgetHost(WorkingDialog):
    """Accepted means that the lines are gone; the next connection asks about the key as for an unknown host."""

    def __init__(self, running: Jobs, host: KnownAs, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("ForgetHost", "Forget this host"),
            icon="unsafe",
            heading=translate("ForgetHost", "Forget the key of this server?"),
            text=translate(
                "ForgetHost",
                "Do this only if its administrator told you that the key was changed. The next connection then shows the new fingerprint and asks.",
            ),
            parent=parent,
            width=720,
        )
        self._jobs, self._host = running, host
        labelled(self.form(), translate("ForgetHost", "Server"), NameLabel(host.name, bold=True))
        self._caption = PlainLabel(translate("ForgetHost", "&Lines that are removed"))
        self.lines = PathList((), translate("ForgetHost", "Lines that are removed"))
        self.lines.setFont(theme.mono())
        self._caption.setBuddy(self.lines)
        self.body.addWidget(self._caption)
        self.body.addWidget(self.lines, 1)
        self.proceed = self.primary(translate("ForgetHost", "Forget host"), look="danger", default=False)
        allow(self.proceed, translate("ForgetHost", "The files are being read"))
        self.cancel.setFocus()
        self._read()

    def _read(self) -> None:
        host = self._host

        def read(progress: Progress) -> tuple[hosts.KnownLine, ...]:
            return hosts.lines_of(host)

        title = translate("ForgetHost", "Read known_hosts")
        self._jobs.start(
            title, read, owner=self, slot="read", quiet=True, on_done=self._show, on_failed=self._fail_read
        )

    def _show(self, found: tuple[hosts.KnownLine, ...]) -> None:
        home = f"{Path.home()}/"
        self.lines.show_paths(
            [
                f"{one.place.replace(home, '~/', 1)}  {one.type.removeprefix('ssh-')} {one.fingerprint}"
                for one in found
            ]
        )
        if not found:
            self.notice.say(
                "info", translate("ForgetHost", "No line of known_hosts is for this server alone.")
            )
            allow(self.proceed, translate("ForgetHost", "There is nothing to remove"))
            return
        count = counted(
            len(found),
            translate("ForgetHost", "Forget {n} line"),
            translate("ForgetHost", "Forget {n} lines"),
        )
        self.proceed.setText(count)
        allow(self.proceed)
        self.notice.say(
            "info", translate("ForgetHost", "The file as it is now is kept beside it, with the ending .old.")
        )
        self.refit()

    def _fail_read(self, error: Exception) -> None:
        self.notice.say("error", str(error))

    def accept(self) -> None:
        if self.is_working or not self.proceed.isEnabled():
            return
        host = self._host
        self.run(
            translate("ForgetHost", "Forget the host"),
            lambda progress: hosts.forget(host),
            lambda _: super(ForgetHost, self).accept(),
            lane=READING,
        )
