"""Projects opened as the program opens them, and one line for what a person does with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelkeep.core.credentials import MemoryVault
from modelkeep.core.project import Project
from people import Person


@contextmanager
def opened(folder: Path, *, trusted: bool = False) -> Iterator[Project]:
    """The project in `folder`, with an empty vault; its connections end with the block.

    Its owner takes every address that a remote gets, as dvc does without a word.
    """
    project = Project.open(folder, vault=MemoryVault(), questions=Person())
    if trusted:
        project.settings.set_trusted(project.root, True)
    try:
        yield project
    finally:
        project.close()
