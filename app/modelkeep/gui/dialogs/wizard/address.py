"""The page that asks where the storage is: paste anything, or field by field; understood while it is typed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QCompleter, QFormLayout, QLineEdit, QMenu, QToolButton, QWidget

from modelkeep.core.nouns import replace
from modelkeep.core.progress import Progress
from modelkeep.core.values import Secret
from modelkeep.core.workflows import storage
from modelkeep.core.workflows.storage import Draft
from modelkeep.gui import theme
from modelkeep.gui.dialogs.folder import FolderEdit
from modelkeep.gui.dialogs.frame import labelled
from modelkeep.gui.dialogs.wizard.choices import FOLDER, SSH, Choices, Fields, name_problem, understood
from modelkeep.gui.dialogs.wizard.page import Page
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import PlainLabel, row
from modelkeep.gui.wording import menu_text, translate


class AddressPage(Page):
    """Gives `choices.draft`. A password that was pasted is taken off the screen at once."""

    def __init__(self, choices: Choices, session: Session) -> None:
        super().__init__()
        self.title = translate("Setup", "Address")
        self._choices, self._session = choices, session
        self._pasted: Draft | None = None
        self._filling = False
        self._build()
        self._connect()
        self._read_hosts()
        if choices.edit is not None:
            self._load()

    # -- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.paste = QLineEdit()
        self.paste.setMinimumHeight(4 * theme.GRID)
        self.paste.setAccessibleName(translate("Setup", "Paste an address"))
        self._caption = PlainLabel(translate("Setup", "&Paste an address"), bold=True)
        self._caption.setBuddy(self.paste)
        self.verdict = PlainLabel("", wrap=True)
        self.body.addWidget(self._caption)
        self.body.addWidget(self.paste)
        self.body.addWidget(self.verdict)
        self.body.addSpacing(theme.GRID)
        self.fields = self.form()
        self.host, self.user, self.port, self.path = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.host.setPlaceholderText(translate("Setup", "lab.example.org"))
        self.user.setPlaceholderText(translate("Setup", "as ~/.ssh/config says, else your own"))
        self.port.setPlaceholderText("22")
        self.port.setFixedWidth(10 * theme.GRID)
        self.path.setPlaceholderText("/srv/data/project")
        self.hosts = self._hosts_button()
        port = PlainLabel(translate("Setup", "P&ort"))
        port.setBuddy(self.port)
        self.port.setAccessibleName(translate("Setup", "Port"))
        beside = QWidget()
        beside.setLayout(row(self.hosts, port, self.port))
        self._of_ssh = [
            labelled(self.fields, translate("Setup", "&Server"), self.host, beside=beside),
            labelled(self.fields, translate("Setup", "&User"), self.user),
            labelled(self.fields, translate("Setup", "&Folder there"), self.path),
        ]
        self.folder = FolderEdit(translate("Setup", "Shared folder"), "/mnt/share/project")
        self._of_folder = labelled(self.fields, translate("Setup", "&Folder"), self.folder)
        self.name = QLineEdit()
        self.name.setMaxLength(60)
        labelled(self.fields, translate("Setup", "N&ame"), self.name)
        self.default = QCheckBox(translate("Setup", "&Default: used when no other remote is named"))
        self.fields.addRow("", self.default)
        self.wrong = PlainLabel("", look="muted", wrap=True)
        self.body.addWidget(self.wrong)
        self.body.addStretch(1)

    def _hosts_button(self) -> QToolButton:
        result = QToolButton()
        result.setText(translate("Setup", "Known hosts  ▾"))
        result.setToolTip(translate("Setup", "The hosts of your ~/.ssh/config"))
        result.setAccessibleName(result.toolTip())
        result.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        result.setProperty("look", "search")
        result.setVisible(False)
        return result

    def _connect(self) -> None:
        self.paste.textChanged.connect(self._paste_changed)
        for one in (self.host, self.user, self.port, self.path, self.name):
            one.textEdited.connect(self._edited)
        self.folder.changed.connect(self._edited)
        self.default.toggled.connect(self._edited)

    def _read_hosts(self) -> None:
        def work(progress: Progress) -> tuple[str, ...]:
            return storage.known_hosts_of_config()

        title = translate("Setup", "Read ~/.ssh/config")
        self._session.jobs.start(title, work, owner=self, slot="hosts", quiet=True, on_done=self.offer_hosts)

    def offer_hosts(self, hosts: Sequence[str]) -> None:
        """Offer these names of `~/.ssh/config`: as a list beside the field, and while one types."""
        menu = QMenu(self.hosts)
        for host in hosts:
            menu.addAction(theme.icon("server"), menu_text(host)).triggered.connect(
                lambda _=False, host=host: self._take_host(host)
            )
        self.hosts.setMenu(menu)
        self.hosts.setVisible(bool(hosts) and self._choices.kind == SSH)
        completer = QCompleter(list(hosts), self.host)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.activated.connect(lambda *_: self._edited())
        self.host.setCompleter(completer)

    def _take_host(self, host: str) -> None:
        self.host.setText(host)
        (self.path if not self.path.text() else self.host).setFocus()
        self._edited()

    def _load(self) -> None:
        edit, project = self._choices.edit, self._session.project
        assert edit is not None and project is not None
        draft = storage.draft_of(project, edit.name)
        self._choices.begin_with(draft)
        self.name.setText(edit.name)
        self.name.setReadOnly(True)
        self.default.setChecked(edit.is_default)
        self.default.setEnabled(not edit.is_default)
        if draft.kind == FOLDER:
            self.folder.set_folder(draft.url)
        else:
            self._fill(Fields.of(draft.url))

    # -- page ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        is_ssh = self._choices.kind == SSH
        self.heading = (
            translate("Setup", "Where is the server?")
            if is_ssh
            else translate("Setup", "Which folder is it?")
        )
        self.text = (
            translate("Setup", "Paste what you have, in any form. Nothing is contacted before the test.")
            if is_ssh
            else translate(
                "Setup", "A folder on a disk or share that is mounted here, and on your colleagues' machines."
            )
        )
        for part in (self._caption, self.paste):
            part.setVisible(is_ssh or bool(self.paste.text()))
        self.paste.setPlaceholderText(
            translate("Setup", "ssh://…, user@server:/folder, or a “dvc remote add” line")
        )
        for label in self._of_ssh:
            self._show_row(label, is_ssh)
        self._show_row(self._of_folder, not is_ssh)
        menu = self.hosts.menu()
        self.hosts.setVisible(is_ssh and menu is not None and bool(menu.actions()))
        project = self._session.project
        if project is not None and self._choices.edit is None and not self.name.text():
            self.name.setText(storage.free_name(project))
            self.default.setChecked(project.config.default_remote is None)
        self._edited()

    def first(self) -> QWidget:
        if self._choices.edit is not None:
            return self.path if self._choices.kind == SSH else self.folder.edit
        return self.paste if self._choices.kind == SSH else self.folder.edit

    def problem(self) -> str:
        return name_problem(self.name.text(), self._session.project, self._choices.edit) or self._said

    # -- understanding ---------------------------------------------------------------------------------

    def _paste_changed(self, text: str) -> None:
        if self._filling:
            return
        self._show_verdict("", "")
        if not text.strip():
            return
        found, why = understood(text)
        if found is None:
            self._show_verdict("bad", why)
            return
        self._pasted = found
        self._choices.kind = found.kind
        if found.login != "auto":
            self._choices.login, self._choices.keyfile = found.login, found.keyfile
        if found.name and self._choices.edit is None:
            self.name.setText(found.name)
        if found.kind == SSH:
            self._fill(Fields.of(found.url))
        else:
            self.folder.set_folder(found.url)
        self._filling = True
        if found.secret is not None:
            self.paste.setText(found.url)  # the password does not stay on the screen
        self._filling = False
        self.enter()
        said = [translate("Setup", "✓ Understood: {url}").format(url=found.url), found.note]
        self._show_verdict("good", "\n".join(part for part in said if part))

    def _show_row(self, label: PlainLabel, shown: bool) -> None:
        places = range(self.fields.rowCount())
        self.fields.setRowVisible(next(place for place in places if self._label(place) is label), shown)

    def _label(self, place: int) -> QWidget | None:
        item = self.fields.itemAt(place, QFormLayout.ItemRole.LabelRole)
        return item.widget() if item is not None else None

    def _fill(self, fields: Fields) -> None:
        self.host.setText(fields.host)
        self.user.setText(fields.user)
        self.port.setText(fields.port)
        self.path.setText(fields.path)

    def _show_verdict(self, look: str, text: str) -> None:
        self.verdict.setText(text)
        self.verdict.set_look(look)
        self.verdict.setVisible(bool(text))

    def _edited(self, *_: object) -> None:
        draft, self._said = self._understand()
        if draft is not None:
            name, default = self.name.text().strip().lower(), self.default.isChecked()
            draft = replace(
                draft, name=name, default=default, level=self._level(), secret=self._secret_for(draft)
            )
        self._choices.choose(draft)
        self.wrong.setText(self._said if self._is_begun() else "")
        self.changed.emit()

    _said = ""

    def _understand(self) -> tuple[Draft | None, str]:
        if self._choices.kind == FOLDER:
            if not self.folder.folder():
                return None, translate("Setup", "Give the full path of the folder, such as /mnt/share/data.")
            return understood(self.folder.folder())
        url = self._typed().url
        if not url:
            return None, translate("Setup", "Name the server, or paste an address.")
        return understood(url)

    def _typed(self) -> Fields:
        return Fields(self.host.text(), self.user.text(), self.port.text(), self.path.text())

    def _secret_for(self, draft: Draft) -> Secret | None:
        """A pasted password goes with the account it was pasted for, and with no other."""
        pasted = self._pasted
        if pasted is None or pasted.secret is None or draft.kind != SSH:
            return None
        mine, theirs = Fields.of(draft.url), Fields.of(pasted.url)
        same = (mine.host, mine.user, mine.port) == (theirs.host, theirs.user, theirs.port)
        return pasted.secret if same else None

    def _level(self) -> str:
        """Where it is written: where it stands, or where a pasted line said."""
        if self._choices.edit is not None:
            return self._choices.edit.level
        return self._pasted.level if self._pasted is not None else "repo"

    def _is_begun(self) -> bool:
        """Whether anything was typed; before that nothing is called wrong."""
        texts = (self.host, self.user, self.path, self.folder.edit)
        return any(one.text().strip() for one in texts)
