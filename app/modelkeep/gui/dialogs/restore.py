"""Bring a version back: where to, what of it, and a preview of what that changes. Others run it as a job."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QRadioButton, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Snapshot, Version, VersionKind
from modelkeep.core.workflows import restore as recipe
from modelkeep.core.workflows import review
from modelkeep.core.workflows.restore import How, RestorePlan
from modelkeep.gui import jobs, signs, theme, wording
from modelkeep.gui.dialogs.checklist import CheckList, Choice
from modelkeep.gui.dialogs.folder import FolderEdit
from modelkeep.gui.dialogs.frame import allow, make_default
from modelkeep.gui.dialogs.planning import PlanningDialog
from modelkeep.gui.dialogs.restoreplan import RestoreView, verb
from modelkeep.gui.dialogs.task import Task
from modelkeep.gui.widgets import PlainLabel, column
from modelkeep.gui.wording import translate


@dataclass(frozen=True)
class _Facts:
    snapshot: Snapshot
    branch: str


class RestoreDialog(PlanningDialog):
    """`task` is the work to start once accepted. `how` and `outputs` are what is chosen at first.

    With `how` FOLDER it is the Export dialog. Reads only in jobs; changes nothing.
    """

    view: RestoreView

    def __init__(
        self,
        project: Project,
        running: jobs.Jobs,
        version: Version,
        *,
        outputs: Sequence[str] = (),
        how: How | None = None,
        parent: QWidget | None = None,
    ) -> None:
        export = how is How.FOLDER
        super().__init__(
            translate("Restore", "Export") if export else translate("Restore", "Restore"),
            icon="export" if export else "restore",
            heading=_heading(version, outputs, export),
            text=translate("Restore", "First a preview; nothing is changed before you press the button."),
            parent=parent,
            width=640,
        )
        self._project, self._version, self._export = project, version, export
        self.watch(running)
        self._wanted = tuple(outputs)
        self._facts: _Facts | None = None
        self.plan: RestorePlan | None = None
        self._build(how or (How.WORKSPACE if outputs else How.BRANCH))
        self._read_facts()

    @property
    def task(self) -> Task:
        """Restore as planned; unsaved files are kept in the cache first if the user said so."""
        plan, project, force = self.plan, self._project, self.view.saves_and_replaces
        assert plan is not None

        def work(progress: Progress) -> Changes:
            return recipe.restore(project, plan, force=force, progress=progress)

        title = (
            translate("Restore", "Export {name}")
            if plan.how is How.FOLDER
            else translate("Restore", "Restore {name}")
        )
        return Task(title.format(name=plan.version.name), work)

    # -- building --------------------------------------------------------------------------------------

    def _build(self, how: How) -> None:
        self._ways = QButtonGroup(self)
        self.ways = {
            How.BRANCH: QRadioButton(translate("Restore", "In a new &branch")),
            How.DETACH: QRadioButton(translate("Restore", "As it was, &without a branch (detached)")),
            How.WORKSPACE: QRadioButton(
                translate("Restore", "Only &data, into the workspace; code stays as it is")
            ),
            How.FOLDER: QRadioButton(translate("Restore", "A copy in another &folder")),
        }
        self.branch = QLineEdit()
        self.branch.setAccessibleName(translate("Restore", "Name of the new branch"))
        self.folder = FolderEdit(
            translate("Restore", "Folder for the copy"), translate("Restore", "An empty folder")
        )
        self.choices = CheckList(translate("Restore", "Data to bring back"))
        places: dict[How, QWidget] = {How.BRANCH: self.branch, How.FOLDER: self.folder}
        block = column(spacing=theme.HALF)
        if self._export:
            name = PlainLabel(translate("Restore", "&Folder for the copy"))
            name.setBuddy(self.folder)
            block.addWidget(name)
        for way, choice in self.ways.items():
            self._ways.addButton(choice)
            choice.toggled.connect(self._edited)
            choice.setVisible(not self._export)
            block.addWidget(choice)
            if way in places:
                inner = column(places[way])
                inner.setContentsMargins(0 if self._export else 3 * theme.GRID, 0, 0, theme.HALF)
                block.addLayout(inner)
        self.body.addLayout(block)
        self.body.addWidget(self.choices)
        self.view = RestoreView()
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(self.view, 1)
        self.proceed = self.primary(translate("Restore", "Restore"))
        self._limit_ways()
        self.ways[how].setChecked(True)
        self.branch.textChanged.connect(self._edited)
        self.folder.changed.connect(self._edited)
        self.choices.changed.connect(self._edited)
        self.view.decided.connect(self._offer)
        self._show_fields()
        (self.folder if self._export else self.ways[how]).setFocus()

    def _limit_ways(self) -> None:
        if self._version.kind is VersionKind.WORKSPACE:
            for way in (How.BRANCH, How.DETACH, How.WORKSPACE):
                self.ways[way].setEnabled(False)
                self.ways[way].setToolTip(translate("Restore", "The workspace is already here"))

    @property
    def how(self) -> How:
        """The way that is chosen now."""
        return next(way for way, choice in self.ways.items() if choice.isChecked())

    def _show_fields(self) -> None:
        how = self.how
        self.branch.setVisible(how is How.BRANCH)
        self.folder.setVisible(how is How.FOLDER)
        self.choices.setVisible(how in (How.WORKSPACE, How.FOLDER) and self.choices.count() > 0)

    # -- reading ---------------------------------------------------------------------------------------

    def _read_facts(self) -> None:
        project, version = self._project, self._version

        def read(progress: Progress) -> _Facts:
            is_workspace = version.kind is VersionKind.WORKSPACE
            branch = "" if is_workspace else recipe.free_branch_name(project, version)
            return _Facts(review.snapshot(project, version, progress), branch)

        self.read(translate("Restore", "Look at the version"), "facts", read, self._know)
        self.wait(translate("Restore", "Looking at the version…"))

    def _know(self, facts: _Facts) -> None:
        self._facts = facts
        paths = [out.path for out in facts.snapshot.outputs if out.cached and out.oid is not None]
        sizes = {out.path: wording.size(out.size) for out in facts.snapshot.outputs}
        inside = [path for path in self._wanted if path not in paths]
        self.choices.show_choices(
            [
                Choice(path, facts=sizes.get(path, ""), marked=not self._wanted or path in self._wanted)
                for path in (*inside, *paths)
            ]
        )
        if not self.branch.text():
            self.branch.setText(facts.branch)
        if not self.folder.edit.text():
            self.folder.set_folder(self._beside())
        self._edited()
        QTimer.singleShot(0, self, self.refit)

    def _beside(self) -> str:
        """A folder for the copy: next to the project, called after both."""
        name = self._version.name.replace("/", "-") or "workspace"
        return str(self._project.root.with_name(f"{self._project.root.name}-{name}"))

    def _edited(self) -> None:
        self._show_fields()
        if self._facts is None:
            return
        self.plan = None
        problem = self._problem()
        self.view.clear()
        if problem:
            self.plan_not()
            export = self.how is How.FOLDER
            self.proceed.setText(
                translate("Restore", "Export") if export else translate("Restore", "Restore")
            )
            allow(self.proceed, problem)
            return
        self.wait(translate("Restore", "Looking at what is here…"))
        self.plan_soon()

    def _problem(self) -> str:
        if self.how is How.BRANCH and not self.branch.text().strip():
            return translate("Restore", "The new branch needs a name")
        if self.how is How.FOLDER and not self.folder.folder():
            return translate("Restore", "Choose a folder first")
        if self.how in (How.WORKSPACE, How.FOLDER) and not self.choices.marked():
            return translate("Restore", "Choose what to bring back")
        return ""

    def make_plan(self) -> None:
        project, version, how = self._project, self._version, self.how
        marked = self.choices.marked() if how in (How.WORKSPACE, How.FOLDER) else ()
        outputs = () if len(marked) == self.choices.count() and not self._wanted else marked
        branch = self.branch.text().strip() if how is How.BRANCH else None
        folder = self.folder.folder() if how is How.FOLDER else None

        def read(progress: Progress) -> RestorePlan:
            return recipe.plan_restore(
                project, version, outputs=outputs, how=how, branch=branch, folder=folder, progress=progress
            )

        self.read(translate("Restore", "Plan the restore"), "plan", read, self._show_plan)

    # -- showing ---------------------------------------------------------------------------------------

    def _show_plan(self, plan: RestorePlan) -> None:
        if self.is_pausing or plan.how is not self.how:
            return
        self.plan = plan
        self.view.show_plan(plan)
        QTimer.singleShot(0, self, self.refit)
        self._offer()

    def _offer(self) -> None:
        """Let the button say what it does, or why it cannot."""
        plan = self.plan
        if plan is None:
            return
        self.proceed.setText(verb(plan))
        reason = self.view.obstacle(plan)
        allow(self.proceed, reason)
        make_default(self.cancel if plan.unsaved else self.proceed)

    def accept(self) -> None:
        if self.plan is not None and self.proceed.isEnabled():
            super().accept()


def _heading(version: Version, outputs: Sequence[str], export: bool) -> str:
    name = signs.version_name(version) if version.kind is VersionKind.WORKSPACE else version.name
    if len(outputs) == 1:
        text = (
            translate("Restore", "Export {path} of {name}")
            if export
            else translate("Restore", "Restore {path} from {name}")
        )
        return text.format(path=outputs[0], name=name)
    text = translate("Restore", "Export {name}") if export else translate("Restore", "Restore {name}")
    return text.format(name=name)
