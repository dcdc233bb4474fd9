"""Publish a version: name, message and data are chosen, the plan is shown live. Others run it as a job."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLineEdit, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, OutputStatus, State, Status
from modelkeep.core.workflows import publish as recipe
from modelkeep.core.workflows import review
from modelkeep.gui import jobs, theme, wording
from modelkeep.gui.advice import in_window
from modelkeep.gui.dialogs.checklist import CheckList, Choice
from modelkeep.gui.dialogs.frame import NameLabel, allow, labelled
from modelkeep.gui.dialogs.planning import PlanningDialog
from modelkeep.gui.dialogs.planview import PlanView
from modelkeep.gui.dialogs.task import Task
from modelkeep.gui.dialogs.version_name import next_name
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import translate

_ICONS = {
    "add": "add",
    "push": "push",
    "verify": "done",
    "commit": "commit",
    "tag": "tag",
    "git-push": "branch",
}


@dataclass(frozen=True)
class _Facts:
    """What has to be known before the user can choose."""

    status: Status
    tags: frozenset[str]


class PublishDialog(PlanningDialog):
    """`task` is the work to start once the dialog is accepted. Reads only in jobs; changes nothing."""

    def __init__(self, project: Project, running: jobs.Jobs, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Publish", "Publish version"),
            icon="publish",
            heading=translate("Publish", "Publish a version"),
            text=translate(
                "Publish",
                "The data goes first and is proven to have arrived. Only then are commit and tag pushed, so nobody finds a version without its data.",
            ),
            parent=parent,
            width=640,
        )
        self._project = project
        self.watch(running)
        self._facts: _Facts | None = None
        self.plan: recipe.PublishPlan | None = None
        self._build()
        self._read_facts()

    @property
    def task(self) -> Task:
        """Publish as planned."""
        plan, project = self.plan, self._project
        assert plan is not None

        def work(progress: Progress) -> Changes:
            return recipe.publish(project, plan, progress)

        return Task(translate("Publish", "Publish {version}").format(version=plan.version), work)

    # -- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        form = self.form()
        self.name = QLineEdit()
        self.name.setMaxLength(200)
        self.message = QLineEdit()
        self.message.setPlaceholderText(translate("Publish", "What is new in this version?"))
        self.branch = NameLabel("")
        labelled(form, translate("Publish", "&Version"), self.name)
        labelled(form, translate("Publish", "&Message"), self.message)
        labelled(form, translate("Publish", "Branch"), self.branch)
        self._caption = PlainLabel(translate("Publish", "&Data that changed"))
        self.choices = CheckList(translate("Publish", "Data that changed"))
        self._caption.setBuddy(self.choices)
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(self._caption)
        self.body.addWidget(self.choices)
        self.view = PlanView(translate("Publish", "What will happen"))
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(self.view, 1)
        self.proceed = self.primary(translate("Publish", "Publish"), "publish")
        self._show_choices(())
        self.name.textChanged.connect(self._edited)
        self.message.textChanged.connect(self._edited)
        self.choices.changed.connect(self._edited)
        self.wait(translate("Publish", "Looking at the workspace…"))
        self.name.setFocus()

    def _show_choices(self, changed: tuple[OutputStatus, ...]) -> None:
        self.choices.show_choices([_choice(one) for one in changed])
        self._caption.setVisible(bool(changed))
        self.choices.setVisible(bool(changed))

    # -- reading ---------------------------------------------------------------------------------------

    def _read_facts(self) -> None:
        project = self._project

        def read(progress: Progress) -> _Facts:
            tags = frozenset(version.name for version in review.versions(project, progress).tags)
            return _Facts(review.status(project, progress), tags)

        self.read(translate("Publish", "Look at the workspace"), "facts", read, self._know)

    def _know(self, facts: _Facts) -> None:
        self._facts = facts
        self.branch.setText(facts.status.branch or translate("Publish", "none (detached)"))
        changed = tuple(one for one in facts.status.outputs if one.state in (State.MODIFIED, State.NEW))
        self._show_choices(changed)
        if not self.name.text():
            self.name.setText(next_name(facts.tags))
            if self.name.hasFocus():
                self.name.selectAll()
        self._edited()

    def _edited(self) -> None:
        if self._facts is None:
            return
        self.plan = None
        problem = self._name_problem() or self._choice_problem()
        if problem:
            self.plan_not()
            self.view.clear()
            self.view.add_remark("error", problem)
            allow(self.proceed, problem)
            return
        allow(self.proceed, translate("Publish", "The plan is being made"))
        self.plan_soon()

    def _name_problem(self) -> str:
        assert self._facts is not None
        name = self.name.text().strip()
        if name in self._facts.tags:
            return translate("Publish", "The version {name} exists already. Choose another name.").format(
                name=name
            )
        return recipe.check_name(name)

    def _choice_problem(self) -> str:
        if self._chosen() is None:
            return translate("Publish", "Choose the data that belongs to this version.")
        return ""

    def _chosen(self) -> tuple[str, ...] | None:
        """What to add. () would mean everything changed, so to leave all of it out an unchanged output is
        named; None when there is no such output."""
        assert self._facts is not None
        marked = self.choices.marked()
        if marked or not self.choices.count():
            return marked
        clean = (one.output.path for one in self._facts.status.outputs if one.state is State.CLEAN)
        first = next(clean, None)
        return None if first is None else (first,)

    def make_plan(self) -> None:
        project, name, message = self._project, self.name.text().strip(), self.message.text().strip()
        outputs = self._chosen() or ()

        def read(progress: Progress) -> recipe.PublishPlan:
            return recipe.plan_publish(project, name, message, outputs, progress=progress)

        self.read(translate("Publish", "Plan the version"), "plan", read, self._show_plan)

    # -- showing ---------------------------------------------------------------------------------------

    def _show_plan(self, plan: recipe.PublishPlan) -> None:
        if plan.version != self.name.text().strip() or self.is_pausing:
            return
        self.view.clear(_summary(plan, plan.remote in self._project.listings))
        for obstacle in plan.obstacles:
            kind = "error" if obstacle.blocks else "warning"
            self.view.add_remark(kind, obstacle.text, in_window(obstacle.fix))
        for note in plan.notes:
            self.view.add_remark("info", note)
        for step in plan.steps:
            skipped = step.state == "skipped"
            self.view.add_step(
                "none" if skipped else _ICONS.get(step.name, "info"), step.text, step.detail, dim=skipped
            )
        blocking = next((one for one in plan.obstacles if one.blocks), None)
        self.plan = None if blocking else plan
        allow(self.proceed, blocking.text if blocking else "")
        QTimer.singleShot(0, self, self.refit)

    def accept(self) -> None:
        if self.plan is not None:
            super().accept()


def _choice(one: OutputStatus) -> Choice:
    is_new = one.state is State.NEW
    what = translate("Publish", "+ new") if is_new else translate("Publish", "~ changed")
    return Choice(one.output.path, what, "good" if is_new else "warn", _counts(one), marked=True)


def _counts(one: OutputStatus) -> str:
    parts = ((len(one.added), "+"), (len(one.changed), "~"), (len(one.removed), "−"))
    return "  ".join(f"{sign}{wording.number(count)}" for count, sign in parts if count)


def _summary(plan: recipe.PublishPlan, asked: bool) -> str:
    """How much has to be sent; `asked` says whether it is known what the remote has already."""
    if plan.remote is None:
        return ""
    if not plan.files and not asked:
        return translate("Publish", "What the remote does not have yet is sent.")
    if not plan.files:
        return translate("Publish", "No new data has to be sent.")
    return translate("Publish", "Up to {size} in {files} to send.").format(
        size=wording.size(plan.bytes), files=wording.files(plan.files)
    )
