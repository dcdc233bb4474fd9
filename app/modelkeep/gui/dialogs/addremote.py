"""Adds a remote or changes its address: from what people paste, or field by field; then tests it at once."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QFormLayout, QLineEdit, QRadioButton, QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Remote, Secret
from modelkeep.core.workflows import setup
from modelkeep.gui import jobs, theme
from modelkeep.gui.dialogs.folder import FolderEdit
from modelkeep.gui.dialogs.frame import allow, labelled
from modelkeep.gui.dialogs.remote_address import NAME, Address, NotUnderstood, checked, understand
from modelkeep.gui.dialogs.task import Task
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.widgets import PlainLabel, column, framed, row
from modelkeep.gui.wording import line, translate


class AddRemoteDialog(WorkingDialog):
    """`changed` carries the Changes of what was written. The dialog stays open until the test succeeds or the
    user closes it; a password that was pasted goes to the keyring, never into a file."""

    changed = Signal(object)

    def __init__(
        self,
        project: Project,
        running: jobs.Jobs,
        *,
        edit: Remote | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            translate("AddRemote", "Edit remote") if edit else translate("AddRemote", "Add remote"),
            icon="remote",
            heading=translate("AddRemote", "Where is the data stored?"),
            text=translate(
                "AddRemote", "A folder on a server reached by SSH, or a shared folder that is mounted here."
            ),
            parent=parent,
            width=600,
        )
        self._project, self._jobs, self._edit = project, running, edit
        self._secret: Secret | None = None
        self._written = ""
        self._changes: Changes | None = None
        self._filling = False
        self._others = {
            remote.name for remote in project.remotes() if edit is None or remote.name != edit.name
        }
        self._build()
        if edit is not None:
            self._load(edit)
        self._check()
        self.paste.setFocus()

    # -- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.paste = QLineEdit()
        self.paste.setPlaceholderText(
            translate("AddRemote", "user@server:/folder, or a “dvc remote add” line")
        )
        self.understood = PlainLabel("", wrap=True, size="small")
        self._fields = self.form()
        labelled(self._fields, translate("AddRemote", "&Paste an address"), self.paste)
        self._fields.addRow("", self.understood)
        self._fields.setRowVisible(self.understood, False)
        self.name = QLineEdit()
        self.name.setMaxLength(60)
        labelled(self._fields, translate("AddRemote", "&Name"), self.name)
        self.ssh = QRadioButton(translate("AddRemote", "&Server by SSH"))
        self.local = QRadioButton(translate("AddRemote", "Shared &folder"))
        group = QButtonGroup(self)
        group.addButton(self.ssh)
        group.addButton(self.local)
        self._fields.addRow(
            PlainLabel(translate("AddRemote", "Kind")),
            row(self.ssh, self.local, None, spacing=3 * theme.GRID),
        )
        self._build_places()
        self.default = QCheckBox(translate("AddRemote", "&Default: used when no other remote is named"))
        self.default.setChecked(not self._others)
        self._fields.addRow("", self.default)
        self._build_preview()
        self.proceed = self.primary(
            translate("AddRemote", "Save and test") if self._edit else translate("AddRemote", "Add and test")
        )
        self.ssh.setChecked(True)
        self._connect()

    def _build_places(self) -> None:
        self.host, self.user, self.port, self.path = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.port.setPlaceholderText("22")
        self.port.setMaximumWidth(12 * theme.GRID)
        self.path.setPlaceholderText("/srv/data/project")
        self.folder = FolderEdit(translate("AddRemote", "Shared folder"), "/mnt/share/project")
        port = PlainLabel(translate("AddRemote", "P&ort"))
        port.setBuddy(self.port)
        self.port.setAccessibleName(translate("AddRemote", "Port"))
        ends = QWidget()
        ends.setLayout(row(port, self.port))
        labelled(self._fields, translate("AddRemote", "Ser&ver"), self.host, beside=ends)
        labelled(self._fields, translate("AddRemote", "&User"), self.user)
        labelled(self._fields, translate("AddRemote", "Folde&r there"), self.path)
        labelled(self._fields, translate("AddRemote", "Fo&lder"), self.folder)
        self._ssh_rows = [self._row_of(one) for one in (self.host, self.user, self.path)]
        self._folder_row = self._row_of(self.folder)

    def _row_of(self, field: QWidget) -> int:
        for place in range(self._fields.rowCount()):
            item = self._fields.itemAt(place, QFormLayout.ItemRole.LabelRole)
            name = item.widget() if item else None
            if isinstance(name, PlainLabel) and name.buddy() is field:
                return place
        raise LookupError("the field is in no row")

    def _build_preview(self) -> None:
        self.preview = PlainLabel("", wrap=True).selectable()
        self.preview.setFont(theme.mono())
        caption = PlainLabel(
            translate("AddRemote", "Written to .dvc/config, which Git shares"), look="muted", size="small"
        )
        self._box = framed(column(caption, self.preview, spacing=theme.HALF), "banner", (12, 8, 12, 8))
        self.body.addWidget(self._box)

    def _connect(self) -> None:
        self.paste.textChanged.connect(self._pasted)
        self.paste.editingFinished.connect(self._hide_secret)
        for one in (self.name, self.host, self.user, self.port, self.path):
            one.textChanged.connect(self._check)
        self.folder.changed.connect(self._check)
        self.default.toggled.connect(self._check)
        self.ssh.toggled.connect(self._check)

    def _load(self, remote: Remote) -> None:
        self.name.setText(remote.name)
        self.name.setReadOnly(True)
        self.default.setChecked(remote.is_default)
        self.default.setEnabled(not remote.is_default)
        self.paste.setText(remote.url)
        if remote.kind == "local":
            self.local.setChecked(True)
            self.folder.set_folder(remote.url)

    # -- understanding ---------------------------------------------------------------------------------

    def _pasted(self, text: str) -> None:
        self._fields.setRowVisible(self.understood, bool(text.strip()))
        QTimer.singleShot(0, self, self.refit)
        if not text.strip():
            self._secret = None
            return
        try:
            found = understand(text)
        except NotUnderstood as problem:
            self.understood.set_look("bad")
            self.understood.setText(str(problem))
            return
        if found.secret is not None:
            self._secret = found.secret
        self._fill(found)
        self.understood.set_look("good")
        said = translate("AddRemote", "✓ Understood: {url}").format(url=found.url)
        if self._secret is not None:
            said += "\n" + translate("AddRemote", "The password in it goes to the keyring, not into a file.")
        self.understood.setText(said)

    def _hide_secret(self) -> None:
        """A password is not left standing on the screen."""
        if self._secret is not None and not self._problem():
            self.paste.setText(self.address().url)

    def _fill(self, found: Address) -> None:
        self._filling = True
        (self.local if found.kind == "local" else self.ssh).setChecked(True)
        if found.kind == "local":
            self.folder.set_folder(found.path)
        else:
            self.host.setText(found.host)
            self.user.setText(found.user)
            self.port.setText(str(found.port or ""))
            self.path.setText(found.path)
        if self._edit is None and (found.name or not self.name.text()):
            self.name.setText(found.name or self._free_name())
        if found.default:
            self.default.setChecked(True)
        self._filling = False
        self._check()

    def _free_name(self) -> str:
        name, count = "storage", 1
        while name in self._others:
            count += 1
            name = f"storage{count}"
        return name

    def address(self) -> Address:
        """What the fields say; raises NotUnderstood naming what is wrong."""
        if self.local.isChecked():
            return checked(Address("local", self.folder.folder() or self.folder.edit.text().strip()))
        port = self.port.text().strip()
        if port and not (port.isascii() and port.isdecimal()):
            raise NotUnderstood(translate("AddRemote", "A port is a number from 1 to 65535."))
        user, host, path = (one.text().strip() for one in (self.user, self.host, self.path))
        return checked(Address("ssh", path, host=host, user=user, port=int(port) if port else None))

    def _check(self) -> None:
        if self._filling:
            return
        for place in self._ssh_rows:
            self._fields.setRowVisible(place, self.ssh.isChecked())
        self._fields.setRowVisible(self._folder_row, self.local.isChecked())
        problem = self._problem()
        allow(self.proceed, problem)
        self._box.setVisible(not problem)
        if not problem:
            self.preview.setText(self._config_text())

    def _problem(self) -> str:
        name = self.name.text().strip().lower()
        if not NAME.fullmatch(name):
            return translate("AddRemote", "The remote needs a name of letters, digits, - and _")
        if name in self._others:
            return translate("AddRemote", "There is a remote called {name} already").format(name=name)
        try:
            self.address()
        except NotUnderstood as problem:
            return str(problem)
        return ""

    def _config_text(self) -> str:
        name = self.name.text().strip().lower()
        lines = [f"['remote \"{name}\"']", f"    url = {self.address().url}"]
        if self._edit is None:
            lines.append("    verify = true")
        if self.default.isChecked() and (self._edit is None or not self._edit.is_default):
            lines = ["[core]", f"    remote = {name}", *lines]
        return "\n".join(lines)

    @property
    def task(self) -> Task | None:
        """The work is done already; this only tells what it changed, for Activity and the panels."""
        changes = self._changes
        if changes is None:
            return None
        return Task(
            translate("AddRemote", "Save the remote {name}").format(name=self._written), lambda _: changes
        )

    # -- doing -----------------------------------------------------------------------------------------

    def accept(self) -> None:
        if self._problem() or self.is_working:
            return
        name = self.name.text().strip().lower()
        write = self._writing(name, self.address().url, self.default.isChecked())
        self.run(translate("AddRemote", "Save the remote {name}").format(name=line(name)), write, self._saved)

    def reject(self) -> None:
        if self._written and not self.is_working:
            self.done(int(AddRemoteDialog.DialogCode.Accepted))
            return
        super().reject()

    def _writing(self, name: str, url: str, default: bool) -> jobs.Work:
        project, edit, again = self._project, self._edit, name == self._written

        def write(progress: Progress) -> Changes:
            if edit is None:
                return setup.add_remote(project, name, url, default=default, force=again)
            changes = setup.modify_remote(project, name, "url", url)
            if default and not edit.is_default:
                setup.set_default_remote(project, name)
            return changes

        return write

    def _saved(self, changes: Changes) -> None:
        project, secret = self._project, self._secret
        name = self._written = self.name.text().strip().lower()
        self.changed.emit(changes)

        def work(progress: Progress) -> str:
            if secret is not None:
                return setup.login(project, name, secret, progress).summary
            return setup.test_remote(project, name, progress)

        self._changes = changes
        title = translate("AddRemote", "Test the connection to {name}").format(name=name)
        self.run(title, work, self._tested, lane=jobs.remote_lane(name))

    def _tested(self, said: str) -> None:
        self._secret = None
        self.inside.setEnabled(False)
        self.proceed.hide()
        self.cancel.setText(translate("AddRemote", "Done"))
        self.cancel.setDefault(True)
        self.cancel.setFocus()
        self.notice.say("done", translate("AddRemote", "It works: {what}").format(what=said))

    def _fail(self, error: Exception) -> None:
        super()._fail(error)
        if self._written:
            self.cancel.setText(translate("AddRemote", "Close"))
            self.proceed.setText(translate("AddRemote", "Save and test again"))
            self.explain(
                translate(
                    "AddRemote",
                    "The remote is saved, but the test failed. Mend it here, or close and do it later.",
                )
            )
