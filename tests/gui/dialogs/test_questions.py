"""Questions from working threads: one dialog for all who ask the same, and the window never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from modelkeep.core.credentials import MemoryVault
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.values import Secret
from modelkeep.gui.dialogs.addresschange import AddressChangedDialog, what_differs
from modelkeep.gui.dialogs.answers import AnswersDialog
from modelkeep.gui.dialogs.hostkey import HostKeyDialog
from modelkeep.gui.dialogs.keptvault import KeptVault
from modelkeep.gui.dialogs.login import PassphraseDialog, PasswordDialog
from modelkeep.gui.dialogs.questions import GuiQuestions
from modelkeep.gui.dialogs.waiting import WaitingDialog
from modelkeep.gui.jobs import Jobs, State

PRINT = "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDQsmK1j+mR2vXn0ZQ"


class Asker(threading.Thread):
    """A worker that asks one question and keeps what it got."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        super().__init__()
        self.ask = ask
        self.answer: Any = "nothing yet"
        self.start()

    def run(self) -> None:
        try:
            self.answer = self.ask()
        except Cancelled:
            self.answer = Cancelled


@pytest.fixture
def questions(qtbot: QtBot) -> Iterator[GuiQuestions]:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    asked = GuiQuestions(window, project_name=lambda: "cats")
    yield asked
    asked.close()


def dialogs(kind: type) -> list[Any]:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]


def the_dialog(qtbot: QtBot, kind: type) -> Any:
    qtbot.waitUntil(lambda: len(dialogs(kind)) == 1, timeout=15_000)
    return dialogs(kind)[0]


def finish(qtbot: QtBot, askers: list[Asker]) -> list[Any]:
    qtbot.waitUntil(lambda: not any(one.is_alive() for one in askers), timeout=15_000)
    return [one.answer for one in askers]


def test_five_connections_to_one_unknown_host_ask_once(qtbot: QtBot, questions: GuiQuestions) -> None:
    askers = [Asker(lambda: questions.trust_host("lab:22", "ssh-ed25519", PRINT)) for _ in range(5)]
    dialog = the_dialog(qtbot, HostKeyDialog)
    qtbot.wait(250)
    assert len(dialogs(HostKeyDialog)) == 1
    qtbot.mouseClick(dialog.remember, Qt.MouseButton.LeftButton)
    assert finish(qtbot, askers) == ["remember"] * 5
    qtbot.wait(50)
    assert not dialogs(HostKeyDialog)


def test_another_key_of_the_same_host_is_another_question(qtbot: QtBot, questions: GuiQuestions) -> None:
    first = Asker(lambda: questions.trust_host("lab:22", "ssh-ed25519", PRINT))
    dialog = the_dialog(qtbot, HostKeyDialog)
    second = Asker(lambda: questions.trust_host("lab:22", "ssh-ed25519", PRINT.replace("u", "v")))
    qtbot.wait(100)
    qtbot.mouseClick(dialog.remember, Qt.MouseButton.LeftButton)
    other = the_dialog(qtbot, HostKeyDialog)
    other.reject()
    assert finish(qtbot, [first, second]) == ["remember", "cancel"]


def test_only_this_time_holds_until_the_program_ends(qtbot: QtBot, questions: GuiQuestions) -> None:
    first = Asker(lambda: questions.trust_host("lab:22", "ssh-ed25519", PRINT))
    qtbot.mouseClick(the_dialog(qtbot, HostKeyDialog).once, Qt.MouseButton.LeftButton)
    assert finish(qtbot, [first]) == ["once"]
    qtbot.wait(1_100)
    assert finish(qtbot, [Asker(lambda: questions.trust_host("lab:22", "ssh-ed25519", PRINT))]) == ["once"]


def test_workers_share_one_password(qtbot: QtBot, questions: GuiQuestions) -> None:
    askers = [Asker(lambda: questions.password("a@lab:22", attempt=1, prompt="Password: ")) for _ in range(3)]
    dialog = the_dialog(qtbot, PasswordDialog)
    qtbot.keyClicks(dialog.field.edit, "hunter2")
    qtbot.keyClick(dialog.field.edit, Qt.Key.Key_Return)
    answers = finish(qtbot, askers)
    assert [one.reveal() for one in answers] == ["hunter2"] * 3


def test_a_refused_password_is_asked_again(qtbot: QtBot, questions: GuiQuestions) -> None:
    asker = Asker(lambda: questions.password("a@lab:22", attempt=2, prompt=""))
    dialog = the_dialog(qtbot, PasswordDialog)
    assert "did not accept" in dialog.notice.text()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert finish(qtbot, [asker]) == [None]


def test_cancelling_the_job_ends_its_question(qtbot: QtBot, questions: GuiQuestions, jobs: Jobs) -> None:
    jobs.around = questions.asking_for

    def work(progress: Progress) -> object:
        return questions.passphrase("/home/a/.ssh/id", attempt=1)

    job = jobs.start("Push", work)
    the_dialog(qtbot, PassphraseDialog)
    jobs.cancel(job)
    qtbot.waitUntil(lambda: job.state is State.CANCELLED, timeout=15_000)
    qtbot.waitUntil(lambda: not dialogs(PassphraseDialog), timeout=15_000)


def test_a_thread_of_a_pool_goes_with_its_job(qtbot: QtBot, questions: GuiQuestions) -> None:
    progress = Progress()
    with questions.asking_for(progress):
        asker = Asker(lambda: questions.password("a@lab:22", attempt=1, prompt=""))
        the_dialog(qtbot, PasswordDialog)
        progress.cancel()
        assert finish(qtbot, [asker]) == [Cancelled]


def test_the_window_goes_on_while_a_worker_waits(qtbot: QtBot, questions: GuiQuestions) -> None:
    asker = Asker(lambda: questions.password("a@lab:22", attempt=1, prompt=""))
    dialog = the_dialog(qtbot, PasswordDialog)
    began = time.monotonic()
    for _ in range(10):
        QApplication.processEvents()
    assert time.monotonic() - began < 2
    dialog.reject()
    assert finish(qtbot, [asker]) == [None]


def test_closing_the_window_ends_all_questions(qtbot: QtBot, questions: GuiQuestions) -> None:
    askers = [Asker(lambda n=n: questions.password(f"a{n}@lab:22", attempt=1, prompt="")) for n in range(2)]
    the_dialog(qtbot, PasswordDialog)
    questions.close()
    assert finish(qtbot, askers) == [Cancelled, Cancelled]


def test_asking_on_the_gui_thread_is_a_mistake_not_a_deadlock(questions: GuiQuestions) -> None:
    with pytest.raises(RuntimeError):
        questions.password("a@lab:22", attempt=1, prompt="")


def test_a_password_not_to_be_kept_stays_in_memory(qtbot: QtBot, questions: GuiQuestions) -> None:
    asker = Asker(lambda: questions.password("a@lab:22", attempt=1, prompt=""))
    dialog = the_dialog(qtbot, PasswordDialog)
    qtbot.keyClicks(dialog.field.edit, "hunter2")
    dialog._keep.setChecked(False)
    dialog.accept()
    finish(qtbot, [asker])
    inner = MemoryVault()
    vault = KeptVault(inner, questions.keeps)
    vault.put("a@lab:22", Secret("hunter2"))
    kept = vault.get("a@lab:22")
    assert kept is not None and kept.reveal() == "hunter2"
    assert inner.get("a@lab:22") is None
    with vault.for_good():  # what is moved out of a file must not end with the session
        assert vault.get("a@lab:22") is None
        vault.put("a@lab:22", Secret("hunter2"))
    assert inner.get("a@lab:22") is not None


def test_without_a_keyring_the_dialog_says_so(qtbot: QtBot) -> None:
    dialog = PasswordDialog("a@lab:22", no_keyring="none was found", parent=None)
    qtbot.addWidget(dialog)
    assert not dialog.keep


# -- several prompts, sentences, moved storage ---------------------------------------------------------


def ask_codes(questions: GuiQuestions, *prompts: tuple[str, bool]) -> Asker:
    return Asker(
        lambda: questions.answers(
            "a@lab:22", title="Two factors", instructions="1. <b>x</b>", prompts=prompts
        )
    )


def test_prompts_are_shown_word_for_word_and_enter_goes_from_field_to_field(
    qtbot: QtBot, questions: GuiQuestions
) -> None:
    asker = ask_codes(questions, ("Password: ", False), ("Code:", True))
    dialog = the_dialog(qtbot, AnswersDialog)
    with qtbot.waitActive(dialog, timeout=10_000):
        dialog.activateWindow()
    assert dialog.words == "Two factors\n1. <b>x</b>"
    assert [one.echoMode() for one in dialog.edits] == [
        QLineEdit.EchoMode.Password,
        QLineEdit.EchoMode.Normal,
    ]
    qtbot.keyClicks(dialog.edits[0], "hunter2")
    qtbot.keyClick(dialog.edits[0], Qt.Key.Key_Return)
    assert dialog.isVisible() and dialog.edits[1].hasFocus()
    qtbot.keyClicks(dialog.edits[1], "123456")
    qtbot.keyClick(dialog.edits[1], Qt.Key.Key_Return)
    assert [one.reveal() for one in finish(qtbot, [asker])[0]] == ["hunter2", "123456"]


def test_a_code_is_never_given_to_the_next_round(qtbot: QtBot, questions: GuiQuestions) -> None:
    first = ask_codes(questions, ("Code:", True))
    dialog = the_dialog(qtbot, AnswersDialog)
    dialog.edits[0].setText("1")
    dialog.accept()
    finish(qtbot, [first])
    second = ask_codes(questions, ("Code:", True))
    the_dialog(qtbot, AnswersDialog).reject()
    assert finish(qtbot, [second]) == [None]


def test_connections_that_wait_for_the_same_round_share_it(qtbot: QtBot, questions: GuiQuestions) -> None:
    askers = [ask_codes(questions, ("Code:", True)) for _ in range(3)]
    dialog = the_dialog(qtbot, AnswersDialog)
    qtbot.wait(200)
    assert len(dialogs(AnswersDialog)) == 1
    dialog.edits[0].setText("7")
    dialog.accept()
    assert [[one.reveal() for one in answers] for answers in finish(qtbot, askers)] == [["7"]] * 3


def test_a_sentence_stands_as_long_as_it_is_true(qtbot: QtBot, questions: GuiQuestions) -> None:
    ready = threading.Event()

    def touch() -> str:
        questions.say("Touch the security key.")
        ready.wait(10)
        questions.say("")
        return "done"

    asker = Asker(touch)
    dialog = the_dialog(qtbot, WaitingDialog)
    assert dialog.explanation.text() == "Touch the security key."
    assert not dialog.isModal()
    ready.set()
    assert finish(qtbot, [asker]) == ["done"]
    qtbot.waitUntil(lambda: not dialogs(WaitingDialog), timeout=10_000)


def test_a_sentence_goes_with_its_job(qtbot: QtBot, questions: GuiQuestions, jobs: Jobs) -> None:
    jobs.around = questions.asking_for
    going = threading.Event()

    def work(progress: Progress) -> None:
        questions.say("Touch the security key.")
        going.wait(10)

    jobs.start("Push", work)
    the_dialog(qtbot, WaitingDialog)
    going.set()
    qtbot.waitUntil(lambda: not dialogs(WaitingDialog), timeout=10_000)


@pytest.mark.parametrize(("key", "answer"), [(Qt.Key.Key_Return, False), (Qt.Key.Key_Escape, False)])
def test_moved_storage_is_not_accepted_by_a_careless_key(
    qtbot: QtBot, questions: GuiQuestions, key: Qt.Key, answer: bool
) -> None:
    old, new = "ssh://a@lab/srv/data", "ssh://a@evil:2222/srv/data"
    askers = [Asker(lambda: questions.address_changed("lab", old, new)) for _ in range(2)]
    dialog = the_dialog(qtbot, AddressChangedDialog)
    qtbot.keyClick(dialog, key)
    assert finish(qtbot, askers) == [answer, answer]


def test_moved_storage_can_be_accepted(qtbot: QtBot, questions: GuiQuestions) -> None:
    asker = Asker(lambda: questions.address_changed("lab", "/mnt/a", "/mnt/b"))
    the_dialog(qtbot, AddressChangedDialog).proceed.click()
    assert finish(qtbot, [asker]) == [True]


def test_what_differs_is_named() -> None:
    assert what_differs("ssh://a@lab/srv", "ssh://a@evil:2222/srv") == "server, port"
    assert what_differs("ssh://a@lab/srv", "ssh://b@lab:22/other") == "account, folder"
    assert what_differs("/mnt/a", "ssh://a@lab/srv") == ""
