"""The two Qt models: both model testers, lazy children, sorting, filtering, hostile texts."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QTreeView

from modelkeep.gui import models
from modelkeep.gui.models import ROW, Column, RowsModel, TreeModel, failure, loading


@dataclass(frozen=True)
class Node:
    name: str
    size: int = 0
    children: tuple[Node, ...] | None = None


COLUMNS = (
    Column("name", "Name", lambda n: n.name, tip=lambda n: n.name),
    Column("size", "Size", lambda n: str(n.size), sort=lambda n: n.size, right=True),
)
FRUIT = (
    Node("bananas", 2, (Node("green", 9), Node("Yellow", 1))),
    Node("apples", 10, ()),
    Node("cherries", 1),
)


def tree(values: tuple[object, ...] = FRUIT) -> TreeModel:
    model = TreeModel(COLUMNS, lambda n: n.children)
    model.set_roots(values)
    return model


def names(model: object, parent: QModelIndex | None = None) -> list[str]:
    parent = parent or QModelIndex()
    return [model.index(row, 0, parent).data() for row in range(model.rowCount(parent))]


def opened(model: TreeModel) -> None:
    model.fetchMore(model.index(0, 0))


def sorted_down(model: TreeModel) -> None:
    opened(model)
    model.sort(0, Qt.SortOrder.DescendingOrder)


def being_loaded(model: TreeModel) -> None:
    opened(model)
    model.set_children(model.index(0, 0), [loading()])


@pytest.mark.parametrize("python_tester", [False, True])
@pytest.mark.parametrize("change", [opened, sorted_down, being_loaded])
def test_testers_accept_the_tree_before_and_after(qtmodeltester, change, python_tester):
    model = tree()
    qtmodeltester.check(model, force_py=python_tester)
    change(model)


@pytest.mark.parametrize("python_tester", [False, True])
def test_testers_accept_a_filtered_tree(qtmodeltester, python_tester):
    model = tree()
    model.set_filter("yellow")
    qtmodeltester.check(model, force_py=python_tester)
    opened(model)


@pytest.mark.parametrize("python_tester", [False, True])
@pytest.mark.parametrize("rows", [FRUIT, (), (failure("no"),)])
def test_testers_accept_rows(qtmodeltester, rows, python_tester):
    model = RowsModel(COLUMNS, rows)
    qtmodeltester.check(model, force_py=python_tester)
    model.sort(1, Qt.SortOrder.DescendingOrder)
    model.set_filter("a")


def test_children_are_asked_only_when_opened():
    asked = []

    def children(node: Node) -> tuple[Node, ...] | None:
        asked.append(node.name)
        return node.children

    model = TreeModel(COLUMNS, children)
    model.set_roots(FRUIT)
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.hasChildren(model.index(0, 0))
    assert not model.hasChildren(model.index(2, 0))
    model.fetchMore(model.index(0, 0))
    assert names(model, model.index(0, 0)) == ["green", "Yellow"]
    assert "green" not in asked


def test_loading_gives_way_to_content_and_to_failure():
    model = TreeModel(COLUMNS, lambda n: (loading(),) if n.name == "bananas" else None)
    model.set_roots(FRUIT)
    top = model.index(0, 0)
    model.fetchMore(top)
    assert names(model, top) == ["Loading…"]
    model.set_children(top, FRUIT[0].children)
    assert names(model, top) == ["green", "Yellow"]
    model.set_children(top, [failure("The server\nis away")])
    assert names(model, top) == ["The server⏎is away"]
    assert not model.flags(model.index(0, 0, top)) & Qt.ItemFlag.ItemIsSelectable


def test_sorting_keeps_selection_and_opened_rows():
    model = tree()
    model.fetchMore(model.index(0, 0))
    held = QPersistentModelIndex(model.index(0, 0, model.index(0, 0)))
    model.sort(1, Qt.SortOrder.AscendingOrder)
    assert names(model) == ["cherries", "bananas", "apples"]
    assert held.data() == "green"
    assert held.parent().data() == "bananas"
    assert names(model, model.index(1, 0)) == ["Yellow", "green"]
    model.sort(-1)
    assert names(model) == ["bananas", "apples", "cherries"]


def test_filter_keeps_parents_of_what_matches_even_unopened():
    model = tree()
    model.set_filter("yeLL")
    assert names(model) == ["bananas"]
    opened(model)
    assert names(model, model.index(0, 0)) == ["Yellow"]
    model.set_filter("")
    assert len(names(model)) == 3


@pytest.mark.parametrize("hostile", ["<img src='file:///etc/x'>", "a\nb", "rtl\u202egnp.exe", "&amp <b>x"])
def test_hostile_names_are_shown_literally(qtbot, hostile):
    model = RowsModel(COLUMNS, [Node(hostile)])
    shown = model.index(0, 0).data()
    assert "\n" not in shown and "\u202e" not in shown
    tip = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.startswith("<qt>") and "<img" not in tip and "<b>" not in tip


def test_a_hundred_thousand_files_open_sort_and_filter_at_once(qtbot):
    leaves = tuple(Node(f"file-{i:06}.png", i * 7 % 1000) for i in range(100_000))
    model = tree((Node("big", 0, leaves),))
    view = QTreeView()
    qtbot.addWidget(view)
    view.setUniformRowHeights(True)
    view.setModel(model)
    view.show()
    began = time.process_time()
    view.expand(model.index(0, 0))
    model.sort(1, Qt.SortOrder.DescendingOrder)
    view.grab()
    top = model.index(0, 0)
    assert model.index(0, 0, top).data(ROW).size == 999
    assert model.index(1000, 0, top).data().replace(",", "").startswith("99000 more")
    model.set_filter("file-099999")
    opened(model)
    assert names(model, model.index(0, 0)) == ["file-099999.png"]
    assert time.process_time() - began < 2.0


def test_touch_reaches_opened_branches(qtbot):
    model = tree()
    model.fetchMore(model.index(0, 0))
    seen = []
    model.dataChanged.connect(lambda first, last, roles: seen.append(first.parent().data()))
    model.touch()
    assert set(seen) == {None, "bananas"}


def test_placeholder_helpers():
    assert models.loading().text.startswith("Loading")
