"""Questions from working threads (password, prompts, host key), asked in the window. Knows no store and no keyring.

A worker that asks waits; the window goes on. Workers that want to know the same thing share one dialog, and
only one dialog is open at a time, so five connections to an unknown server ask once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import shiboken6
from PySide6.QtCore import QObject, Qt, QThread, Signal
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.values import Secret
from modelkeep.gui.dialogs.addresschange import AddressChangedDialog
from modelkeep.gui.dialogs.answers import AnswersDialog
from modelkeep.gui.dialogs.hostkey import HostKeyDialog
from modelkeep.gui.dialogs.login import PassphraseDialog, PasswordDialog
from modelkeep.gui.dialogs.waiting import WaitingDialog

Trust = Literal["cancel", "once", "remember"]
Key = tuple[object, ...]

# A worker that comes a moment late to a question just answered gets the same answer: its connection began
# before the user spoke.
_FRESH = 1.0
_KEYS = "the keys"
_LOOK = 0.1


class _Question:
    """One dialog to be shown, and everybody who waits for it. Guarded by the lock of GuiQuestions."""

    def __init__(self, key: Key, make: Callable[[QWidget | None], QDialog], default: object) -> None:
        self.key = key
        self.make = make
        self.answer = default
        self.answered = threading.Event()
        self.when = 0.0
        self.waiting = 0
        self.dialog: QDialog | None = None


class GuiQuestions(QObject):
    """`core.credentials.Questions` by dialogs. Ask from any thread but the one this object lives in.

    Every method blocks only the thread that asks. It raises Cancelled when the job of that thread, named
    with `asking_for`, is cancelled, and when the window closes.
    """

    _arrived = Signal()
    _withdrawn = Signal(object)
    _said = Signal(object, str)  # a thread's number is larger than an int of Qt

    def __init__(
        self,
        window: QWidget | None = None,
        *,
        project_name: Callable[[], str] = lambda: "",
        keyring: Callable[[], str] = lambda: "",
    ) -> None:
        """`keyring` says why there is no keyring, or "" when passwords can be kept in one. It is called on worker threads."""
        super().__init__()
        self._window = window
        self._project_name = project_name
        self._keyring = keyring
        self._lock = threading.Lock()
        self._queue: list[_Question] = []
        self._recent: dict[Key, _Question] = {}
        self._trusted: set[Key] = set()
        self._jobs: dict[int, Progress] = {}
        self._session_only: set[str] = set()
        self._saying: dict[int, str] = {}
        self._waiting: WaitingDialog | None = None
        self._closed = False
        self._said.connect(self._speak, Qt.ConnectionType.QueuedConnection)
        self._arrived.connect(self._show_next, Qt.ConnectionType.QueuedConnection)
        self._withdrawn.connect(self._withdraw, Qt.ConnectionType.QueuedConnection)

    @contextmanager
    def asking_for(self, progress: Progress) -> Iterator[None]:
        """Name the job this thread works for, so that cancelling it also ends its questions."""
        thread = threading.get_ident()
        self._jobs[thread] = progress
        try:
            yield
        finally:
            self._jobs.pop(thread, None)
            self._said.emit(thread, "")

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        """The password for user@host:port, None if the user gives none. `prompt` is the server's own text."""

        no_keyring = self._keyring()  # here, on the worker's thread: a keyring may keep one waiting

        def make(parent: QWidget | None) -> QDialog:
            return PasswordDialog(address, attempt, prompt, no_keyring=no_keyring, parent=parent)

        answer = self._ask(("password", address, attempt), make, None)
        return answer if isinstance(answer, Secret) else None

    def keeps(self, address: str) -> bool:
        """Whether the user wants the password for this address in the keyring, or the passphrase of the key with
        this fingerprint: of keys the last answer holds for all."""
        return (_KEYS if address.startswith("SHA256:") else address) not in self._session_only

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        """The passphrase that opens a private key file, None if the user gives none."""

        no_keyring = self._keyring()

        def make(parent: QWidget | None) -> QDialog:
            return PassphraseDialog(keyfile, attempt, no_keyring=no_keyring, parent=parent)

        answer = self._ask(("passphrase", keyfile, attempt), make, None)
        return answer if isinstance(answer, Secret) else None

    def answers(
        self, address: str, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        """What the person answers to one round of the server's prompts, None if cancelled. The bool of a prompt
        says whether the answer may be seen. Never answered from an earlier round: a code holds once."""
        asked = tuple(prompts)

        def make(parent: QWidget | None) -> QDialog:
            return AnswersDialog(address, title, instructions, asked, parent)

        answer = self._ask(("answers", address, title, instructions, asked), make, None, afresh=True)
        return answer if isinstance(answer, list) else None

    def say(self, text: str) -> None:
        """Show a sentence while something outside has to be done; "" takes it away, and so does the job's end."""
        self._said.emit(threading.get_ident(), text)

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        """Whether the new address of a remote is to be used."""

        def make(parent: QWidget | None) -> QDialog:
            return AddressChangedDialog(remote, old, new, parent)

        return self._ask(("address", remote, old, new), make, False) is True

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> Trust:
        """Whether this key is the host's. "once" holds until the program ends."""
        key = ("host", host, key_type, fingerprint)
        if key in self._trusted:
            return "once"

        def make(parent: QWidget | None) -> QDialog:
            return HostKeyDialog(host, key_type, fingerprint, project=self._project_name(), parent=parent)

        answer = self._ask(key, make, "cancel")
        if answer == "once":
            self._trusted.add(key)
            return "once"
        return "remember" if answer == "remember" else "cancel"

    def close(self) -> None:
        """End every open question as if cancelled, and refuse new ones. GUI thread only."""
        self._closed = True
        self._hush()
        with self._lock:
            questions = tuple(self._queue)
        for question in questions:
            self._finish(question, question.answer)

    # -- the side of the workers -----------------------------------------------------------------------

    def _ask(
        self,
        key: Key,
        make: Callable[[QWidget | None], QDialog],
        default: object,
        *,
        afresh: bool = False,
    ) -> object:
        if QThread.currentThread() is self.thread():
            raise RuntimeError("A question was asked on the GUI thread, which would wait for itself.")
        question = self._join(key, make, default, afresh)
        self._arrived.emit()
        while not question.answered.wait(_LOOK):
            if self._is_cancelled():
                self._leave(question)
                raise Cancelled
        if self._closed:
            raise Cancelled
        return question.answer

    def _join(
        self, key: Key, make: Callable[[QWidget | None], QDialog], default: object, afresh: bool
    ) -> _Question:
        with self._lock:
            recent = None if afresh else self._recent.get(key)
            if recent is not None and time.monotonic() - recent.when < _FRESH:
                return recent
            question = next((q for q in self._queue if q.key == key), None)
            if question is None:
                question = _Question(key, make, default)
                self._queue.append(question)
            question.waiting += 1
            return question

    def _leave(self, question: _Question) -> None:
        with self._lock:
            question.waiting -= 1
            unwanted = question.waiting <= 0
        if unwanted:
            self._withdrawn.emit(question)

    def _is_cancelled(self) -> bool:
        """Whether this thread's job is cancelled. A thread of a pool, which named no job, goes with all jobs."""
        if self._closed:
            return True
        mine = self._jobs.get(threading.get_ident())
        if mine is not None:
            return mine.is_cancelled
        others = tuple(self._jobs.values())
        return bool(others) and all(progress.is_cancelled for progress in others)

    # -- the side of the window ------------------------------------------------------------------------

    def _show_next(self) -> None:
        with self._lock:
            question = self._queue[0] if self._queue else None
        if question is None or question.dialog is not None:
            return
        self._hush()
        parent = QApplication.activeModalWidget() or self._window
        dialog = question.dialog = question.make(parent)
        dialog.finished.connect(lambda code: self._take(question, dialog, code))
        dialog.destroyed.connect(lambda: self._lost(question))
        dialog.open()

    def _take(self, question: _Question, dialog: QDialog, code: int) -> None:
        if isinstance(dialog, PasswordDialog | PassphraseDialog):
            name = dialog.address if isinstance(dialog, PasswordDialog) else _KEYS
            if dialog.keep:
                self._session_only.discard(name)
            else:
                self._session_only.add(name)
        self._finish(question, _answer_of(dialog, code, question.answer))

    def _withdraw(self, question: _Question) -> None:
        with self._lock:
            wanted = question.waiting > 0
        if not wanted:
            self._finish(question, question.answer)

    def _finish(self, question: _Question, answer: object) -> None:
        if question.answered.is_set():
            return
        with self._lock:
            if question in self._queue:
                self._queue.remove(question)
            question.answer = answer
            question.when = time.monotonic()
            self._recent = {question.key: question} | {
                key: old for key, old in self._recent.items() if question.when - old.when < _FRESH
            }
        question.answered.set()
        self._put_away(question)
        self._arrived.emit()

    def _lost(self, question: _Question) -> None:
        question.dialog = None
        self._finish(question, question.answer)

    def _speak(self, thread: int, text: str) -> None:
        if not text:
            self._saying.pop(thread, None)
            if not self._saying:
                self._hush()
        elif not self._closed and text not in self._saying.values():
            self._saying[thread] = text
            self._hush()
            self._waiting = WaitingDialog(text, QApplication.activeModalWidget() or self._window)
            self._waiting.show()
        else:
            self._saying[thread] = text

    def _hush(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and shiboken6.isValid(waiting):
            waiting.close()
            waiting.deleteLater()

    def _put_away(self, question: _Question) -> None:
        dialog, question.dialog = question.dialog, None
        if dialog is not None:
            dialog.close()
            dialog.deleteLater()


def _answer_of(dialog: QDialog, code: int, default: object) -> object:
    if code != QDialog.DialogCode.Accepted:
        return default
    if isinstance(dialog, HostKeyDialog):
        return dialog.trust
    if isinstance(dialog, PasswordDialog | PassphraseDialog):
        return dialog.secret()
    if isinstance(dialog, AnswersDialog):
        return dialog.answers()
    if isinstance(dialog, AddressChangedDialog):
        return True
    return default
