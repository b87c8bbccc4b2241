"""The Data page: wishes it states, facts it shows, files dropped on it."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from gpt_studio.core.events import Compared, Comparison, Corpus
from gpt_studio.core.units import SPACE
from gpt_studio.gui.data_page import DataPage
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import LIGHT, look

from .made_texts import LIBRARY, REFERENCE, WORLD, batch_of, config_of, told

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def notes(tmp_path: Path) -> str:
    folder = tmp_path / "Field notes"
    folder.mkdir()
    (folder / "one.txt").write_text("Once upon a time")
    return str(folder)


@pytest.fixture
def read(idle: State, notes: str) -> State:
    """Two corpora were read."""
    corpora = (
        Corpus(REFERENCE, "Reference", 455_000, 79, 600_000, 0.75),
        Corpus(notes, "Notes", 76_000, 12, 200_000, 0.25),
    )
    config = config_of(REFERENCE, notes)
    return replace(idle, config=config, report=told(*corpora, data=config.data))


@pytest.fixture
def page(qtbot) -> DataPage:
    page = DataPage()
    qtbot.addWidget(page)
    page.resize(777, 800)
    page.show()
    return page


@pytest.fixture
def edits(page: DataPage) -> list[dict[str, object]]:
    heard: list[dict[str, object]] = []
    page.edited.connect(heard.append)
    return heard


def edited(state: State, **changes: object) -> State:
    """The state once data settings have changed and nothing has been read yet."""
    return replace(state, config=state.config.changed("data", changes), report=None)


def shown_title(page: DataPage) -> str:
    return page.preview._caption.text()


# ---------------------------------------------------------------- choosing texts


def test_the_checkbox_chooses_a_text_or_not(page, edits, read, notes):
    page.show_state(read)
    QTest.mouseClick(page.corpora.row(LIBRARY).box, LEFT)
    QTest.mouseClick(page.corpora.row(notes).box, LEFT)
    assert edits == [
        {"corpora": (REFERENCE, notes, LIBRARY), "weights": ()},
        {"corpora": (REFERENCE,), "weights": ()},
    ]


def test_a_click_on_a_row_shows_that_text_and_chooses_nothing(page, edits, read, notes):
    page.show_state(read)
    assert page.corpora.row(REFERENCE).is_selected()
    assert shown_title(page) == "Reference · first 12 tokens"
    QTest.mouseClick(page.corpora.row(notes), LEFT, pos=QPoint(150, 40))
    assert page.corpora.row(notes).is_selected()
    assert not page.corpora.row(REFERENCE).is_selected()
    assert shown_title(page) == "Notes · first 12 tokens"
    QTest.mouseClick(page.corpora.row(LIBRARY), LEFT, pos=QPoint(150, 40))
    assert page.preview.pages.currentWidget() is page.preview.left_out
    QTest.mouseClick(page.corpora.row(REFERENCE), Qt.MouseButton.RightButton)
    assert page.corpora.row(LIBRARY).is_selected()
    assert edits == []


def test_a_text_that_is_chosen_is_shown_and_one_taken_out_makes_way(page, read, notes):
    page.show_state(read)
    QTest.mouseClick(page.corpora.row(LIBRARY).box, LEFT)
    page.show_state(edited(read, corpora=(REFERENCE, notes, LIBRARY)))
    assert page.corpora.selection() == LIBRARY
    page.show_state(edited(read, corpora=(REFERENCE, notes)))
    assert page.corpora.selection() == REFERENCE
    page.show_state(edited(read, corpora=()))
    assert page.corpora.selection() == ""


def test_arrow_keys_walk_through_the_list(page, read):
    page.show_state(read)
    page.activateWindow()
    page.corpora.row(REFERENCE).box.setFocus()
    QTest.keyClick(page.corpora.row(REFERENCE).box, Qt.Key.Key_Down)
    assert page.corpora.selection() == LIBRARY
    assert page.corpora.row(LIBRARY).box.hasFocus()
    for _ in range(5):
        QTest.keyClick(page.focusWidget(), Qt.Key.Key_Up)
    assert page.corpora.selection() == WORLD
    page.show_state(replace(read, running=frozenset(["train"])))
    page.corpora.row(WORLD).setFocus()
    QTest.keyClick(page.corpora.row(WORLD), Qt.Key.Key_Down)
    assert page.corpora.selection() == REFERENCE  # to look is not to change


def test_the_space_key_chooses_and_delete_takes_an_added_path_off(page, edits, read, notes):
    page.show_state(read)
    QTest.keyClick(page.corpora.row(REFERENCE).box, Qt.Key.Key_Delete)  # built in: stays
    QTest.keyClick(page.corpora.row(REFERENCE).box, Qt.Key.Key_Space)
    QTest.keyClick(page.corpora.row(notes).box, Qt.Key.Key_Delete)
    assert [edit["corpora"] for edit in edits] == [(notes,), (REFERENCE,)]
    assert page.known_paths() == []


def test_rows_show_size_texts_and_the_share_of_what_is_read(page, read, notes):
    page.show_state(read)
    reference, folder, library = (page.corpora.row(name) for name in (REFERENCE, notes, LIBRARY))
    assert [row.box.isChecked() for row in (reference, folder, library)] == [True, True, False]
    assert reference.caption.text() == f"444{SPACE}kB · included"
    assert folder.caption.text() == f"74{SPACE}kB · 12 texts"
    assert (reference.share.text(), folder.share.text(), library.share.text()) == (
        f"75{SPACE}%",
        f"25{SPACE}%",
        "",
    )
    assert folder.toolTip() == notes


def test_paths_once_added_stay_in_the_list_with_what_is_known(page, edits, read, notes, tmp_path):
    (tmp_path / "letter.txt").write_text("x" * 3000)
    page.set_known_paths([str(tmp_path / "letter.txt"), str(tmp_path / "gone.txt")])
    page.show_state(read)
    page.show_state(edited(read, corpora=(REFERENCE,)))
    assert page.known_paths() == [str(tmp_path / "letter.txt"), str(tmp_path / "gone.txt"), notes]
    assert page.corpora.row(notes).caption.text() == f"74{SPACE}kB · 12 texts"
    assert not page.corpora.row(notes).box.isChecked()
    assert page.corpora.row(str(tmp_path / "letter.txt")).caption.text() == f"3{SPACE}kB"
    assert page.corpora.row(str(tmp_path / "gone.txt")).caption.text() == "Not found"
    QTest.mouseClick(page.corpora.row(str(tmp_path / "gone.txt")), LEFT)
    page.corpora.row(str(tmp_path / "gone.txt")).remove.click()
    assert len(page.known_paths()) == 2
    assert page.corpora.selection() == REFERENCE
    assert edits == []


# ---------------------------------------------------------------- shares


def test_the_share_of_the_row_shown_can_be_typed(page, edits, read, notes):
    page.show_state(read)
    field = page.corpora.row(REFERENCE).field
    assert field.isVisible()
    assert not page.corpora.row(notes).share.isHidden()
    assert page.corpora.row(notes).field.isHidden()
    assert field.value() == 75
    field.selectAll()
    QTest.keyClicks(field, "40")
    assert edits == []
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert len(edits) == 1
    assert edits[0]["corpora"] == (REFERENCE, notes)
    assert edits[0]["weights"] == pytest.approx((0.4, 0.6))


def test_shares_as_set_are_shown_at_once_and_go_back_to_sizes_with_one_click(page, edits, read, notes):
    page.show_state(read)
    assert not page.corpora.by_size.isVisible()
    page.show_state(edited(read, weights=(1.0, 4.0)))
    assert page.corpora.row(REFERENCE).field.value() == 20
    assert page.corpora.row(notes).share.text() == f"80{SPACE}%"
    page.corpora.by_size.click()
    assert edits == [{"corpora": (REFERENCE, notes), "weights": ()}]


def test_choosing_and_leaving_out_texts_keeps_shares_in_proportion(page, edits, read, notes):
    page.show_state(edited(read, weights=(0.2, 0.8)))
    QTest.mouseClick(page.corpora.row(LIBRARY).box, LEFT)
    assert edits[0]["corpora"] == (REFERENCE, notes, LIBRARY)
    assert edits[0]["weights"] == pytest.approx((0.4 / 3, 1.6 / 3, 1 / 3))
    QTest.mouseClick(page.corpora.row(notes).box, LEFT)
    assert edits[1] == {"corpora": (REFERENCE,), "weights": ()}


def test_a_share_out_of_reach_is_held_in_range(page, edits, read):
    page.show_state(read)
    field = page.corpora.row(REFERENCE).field
    field.selectAll()
    QTest.keyClicks(field, "250")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert edits[0]["weights"] == pytest.approx((0.999, 0.001))


def test_a_single_text_and_one_not_read_yet_have_no_share_to_set(page, read, notes):
    page.show_state(replace(read, report=None))
    assert page.corpora.row(REFERENCE).field.isHidden()
    only = told(Corpus(notes, "Notes", 76_000, 12, 200_000, 1.0), data=config_of(notes).data)
    page.show_state(replace(read, config=config_of(notes), report=only))
    assert page.corpora.row(notes).share.text() == f"100{SPACE}%"
    assert page.corpora.row(notes).field.isHidden()


# ---------------------------------------------------------------- adding


def test_the_plus_button_offers_files_and_folders(page, qtbot):
    menu = page.corpora.add_menu
    assert [action.text() for action in menu.actions()] == ["Add files…", "Add folder…"]
    with qtbot.waitSignals([page.files_wanted, page.folder_wanted]):
        for action in menu.actions():
            action.trigger()


def drop(page: QWidget, *paths: str) -> tuple[bool, bool]:
    """Drag files over a page and drop them; whether each was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    copy, button, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(QPoint(20, 20), copy, data, button, none)
    entered.ignore()
    page.dragEnterEvent(entered)
    dropped = QDropEvent(QPointF(20, 20), copy, data, button, none)
    dropped.ignore()
    page.dropEvent(dropped)
    return entered.isAccepted(), dropped.isAccepted()


def test_dropped_files_and_folders_are_added_once(page, edits, read, notes):
    page.show_state(read)
    assert drop(page, "/texts/letter.txt", notes, "/texts/more") == (True, True)
    assert edits == [{"corpora": (REFERENCE, notes, "/texts/letter.txt", "/texts/more"), "weights": ()}]
    assert page.corpora.selection() == "/texts/letter.txt"
    assert drop(page, notes) == (True, True)
    assert len(edits) == 1


def test_checkpoints_and_drops_while_training_are_left_alone(page, edits, read):
    page.show_state(read)
    assert drop(page, "/runs/last.safetensors") == (False, False)
    page.show_state(replace(read, running=frozenset(["train"])))
    assert drop(page, "/texts/letter.txt") == (False, False)
    assert edits == []


# ---------------------------------------------------------------- locked while training


def test_everything_is_locked_with_a_reason_while_training(page, edits, read):
    read = edited(read, tokenizer="bpe", corpora=(WORLD, LIBRARY), weights=(0.5, 0.5))
    page.set_known_paths(["/texts/a"])
    compared = Compared(read.config.data, 10, True, (Comparison("bytes", "Bytes", 257, 90, 10, 1.0),))
    page.show_state(replace(read, running=frozenset(["train"])))
    page.show_comparison(compared)
    assert page.locked.isVisible()
    QTest.mouseClick(page.corpora.row(LIBRARY).box, LEFT)
    page.tokenizer.choice.button("bytes").click()
    page.corpora.by_size.click()
    page.length_card.table.taken.emit("bytes")
    QTest.keyClick(page.corpora.row("/texts/a"), Qt.Key.Key_Delete)
    assert page.known_paths() == ["/texts/a"]
    assert edits == []
    assert page.tokenizer.bpe.field.isReadOnly()
    assert not page.tokenizer.bpe.slider.isEnabled()
    assert all(field.isReadOnly() for field in page.preview.template.fields.values())
    assert page.corpora.row(WORLD).field.isHidden()
    assert not page.corpora.add.isEnabled()
    page.show_state(read)
    assert not page.locked.isVisible()
    QTest.mouseClick(page.corpora.row(LIBRARY).box, LEFT)
    page.length_card.table.taken.emit("bytes")
    assert [set(edit) for edit in edits] == [{"corpora", "weights"}, {"tokenizer"}]


# ---------------------------------------------------------------- the page as a whole


def test_wishes_of_the_cards_are_wishes_of_the_page(page, read, qtbot):
    page.show_state(edited(read, tokenizer="file", tokenizer_file="/a/b.tiktoken"))
    with qtbot.waitSignals([page.tokenizer_file_wanted, page.export_wanted, page.cancel_wanted]):
        page.tokenizer.choose.click()
        page.tokenizer.export_wanted.emit()
        page.tokenizer.cancel_wanted.emit()
    with qtbot.waitSignals([page.compare_wanted, page.read_wanted, page.remedy_chosen]):
        page.length_card.compare_wanted.emit()
        page.preview.read_wanted.emit()
        page.findings.remedy_chosen.emit(None)


def test_the_first_batch_is_asked_for_and_shown(page, read, qtbot):
    page.show_state(read)
    with qtbot.waitSignal(page.batch_wanted):
        page.preview.view.button("batch").click()
    page.show_batch(batch_of(read.config))
    assert len(page.preview.batch.texts) == 2


@pytest.mark.parametrize("field", ["user_prefix", "turn_end", "bpe_size", "tokenizer", "corpora"])
def test_a_problem_takes_the_keyboard_to_its_field(page, read, field):
    page.show_state(edited(read, corpora=(WORLD,), tokenizer="bpe"))
    page.activateWindow()
    page.focus_problem(field)
    expected = {
        "user_prefix": page.preview.template.fields["user_prefix"],
        "turn_end": page.preview.template.fields["turn_end"],
        "bpe_size": page.tokenizer.bpe.field,
        "tokenizer": page.tokenizer.choice.button("bpe"),
        "corpora": page.corpora.row(WORLD).box,
    }
    assert page.focusWidget() is expected[field]


def test_a_narrow_page_puts_the_corpora_above(page, read, qtbot):
    page.set_known_paths(["/texts/a", "/texts/b", "/texts/c"])
    page.show_state(read)
    corpora, tokenizer = page.corpora, page.tokenizer
    assert corpora.geometry().right() < tokenizer.geometry().left()
    page.resize(541, 800)
    qtbot.waitUntil(lambda: corpora.geometry().bottom() < tokenizer.geometry().top())
    assert corpora.geometry().right() == tokenizer.geometry().right()
    rows = [corpora.row(name) for name in (REFERENCE, LIBRARY, *page.known_paths())]
    assert all(row.visibleRegion().boundingRect() == row.rect() for row in rows)
    page.resize(777, 800)
    qtbot.waitUntil(lambda: corpora.geometry().right() < tokenizer.geometry().left())
    assert page.minimumSizeHint().width() <= 360


@pytest.mark.parametrize("width", [520, 777])
def test_nothing_is_wider_than_the_page(page, read, width, qtbot):
    page.show_state(edited(read, corpora=(WORLD,), tokenizer="file", tokenizer_file="/a/b.json"))
    page.resize(width, 800)
    inner = page.preview.parentWidget()
    qtbot.waitUntil(lambda: inner.width() <= width)
    assert inner.minimumSizeHint().width() <= width


def test_theme_and_size_reach_everything(page, read):
    page.show_state(read)
    dark = page.grab().toImage()
    height = page.corpora.row(LIBRARY).height()
    look.apply(LIGHT)
    light = page.grab().toImage()
    for widget in (page.corpora, page.tokenizer, page.preview.tokens):
        place = widget.mapTo(page, QPoint(widget.width() // 2, 2))
        assert dark.pixelColor(place).lightness() < 80 < 200 < light.pixelColor(place).lightness()
    look.apply(LIGHT, 1.5)
    assert page.corpora.row(LIBRARY).height() == height * 1.5


def test_showing_the_same_state_again_changes_nothing(page, read):
    page.show_state(read)
    page.preview.tokens.setFocus()
    QTest.keyClick(page.preview.tokens, Qt.Key.Key_Right)
    page.show_state(replace(read, step=12, seconds_per_step=0.1))
    assert page.preview.tokens.pointed() == 0
