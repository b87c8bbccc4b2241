"""The Data page: wishes it states, facts it shows, files dropped on it."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from gpt_studio.core.config import DataConfig, RunConfig
from gpt_studio.core.events import Corpus, DataReport, PreviewToken, Progress
from gpt_studio.core.units import SPACE
from gpt_studio.gui.data_page import DataPage
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import LIGHT, look
from gpt_studio.gui.token_popover import TokenPopover

WORDS = ["Once", "upon", "a", "time", "there", "was", "a", "fox", ".", "Once", "more", ":\n"]
REFERENCE, LIBRARY = "python-reference", "python-library"


def config_of(*corpora: str, tokenizer: str = "gpt2") -> RunConfig:
    return RunConfig().changed("data", {"corpora": corpora, "tokenizer": tokenizer})


def report_of(*corpora: Corpus, words: list[str] | None = None) -> DataReport:
    texts = [f" {word}" for word in words or WORDS]
    preview = tuple(PreviewToken(text, 100 + k, text.encode(), k + 1, 9120) for k, text in enumerate(texts))
    return DataReport(
        data=DataConfig(corpora=tuple(corpus.name for corpus in corpora), tokenizer="gpt2"),
        corpora=corpora,
        vocab_size=50257,
        vocab_used=5176,
        characters=3_620_000,
        size=3_700_000,
        train_tokens=786_600,
        validation_tokens=87_400,
        documents=41,
        validation_documents=4,
        token_lengths=(0.1, 0.2, 0.4, 0.3),
        preview=preview,
        preview_title="Notes · first 12 tokens",
        seconds=1.0,
    )


@pytest.fixture
def notes(tmp_path: Path) -> str:
    folder = tmp_path / "Field notes"
    folder.mkdir()
    (folder / "one.txt").write_text("Once upon a time")
    return str(folder)


@pytest.fixture
def told(idle: State, notes: str) -> State:
    """Two corpora were read."""
    corpora = (
        Corpus(REFERENCE, "Reference", 455_000, 79, 600_000),
        Corpus(notes, "Notes", 76_000, 12, 200_000),
    )
    return replace(idle, config=config_of(REFERENCE, notes), report=report_of(*corpora))


@pytest.fixture
def page(qtbot) -> DataPage:
    page = DataPage()
    qtbot.addWidget(page)
    page.resize(750, 780)
    page.show()
    return page


@pytest.fixture
def chosen(page: DataPage) -> list[tuple[str, ...]]:
    heard: list[tuple[str, ...]] = []
    page.corpora_chosen.connect(heard.append)
    return heard


# ---------------------------------------------------------------- choosing texts


def test_clicking_anywhere_in_a_row_chooses_the_text_or_not(page, chosen, told, notes):
    page.show_state(told)
    library, folder = page.corpora.row(LIBRARY), page.corpora.row(notes)
    QTest.mouseClick(library, Qt.MouseButton.LeftButton, pos=QPoint(150, 40))
    QTest.mouseClick(folder.box, Qt.MouseButton.LeftButton)
    QTest.mouseClick(library, Qt.MouseButton.RightButton, pos=QPoint(150, 40))
    assert chosen == [(REFERENCE, notes, LIBRARY), (REFERENCE,)]


def test_the_space_key_chooses_and_delete_takes_an_added_path_off(page, chosen, told, notes):
    page.show_state(told)
    QTest.keyClick(page.corpora.row(REFERENCE).box, Qt.Key.Key_Delete)  # built in: stays
    QTest.keyClick(page.corpora.row(REFERENCE).box, Qt.Key.Key_Space)
    QTest.keyClick(page.corpora.row(notes).box, Qt.Key.Key_Delete)
    assert chosen == [(notes,), (REFERENCE,)]
    assert page.known_paths() == []


def test_rows_show_size_files_and_the_share_of_the_tokens(page, told, notes):
    page.show_state(told)
    reference, folder, library = (page.corpora.row(name) for name in (REFERENCE, notes, LIBRARY))
    assert [row.box.isChecked() for row in (reference, folder, library)] == [True, True, False]
    assert reference.caption.text() == f"444{SPACE}kB · included"
    assert folder.caption.text() == f"74{SPACE}kB · 12 files"
    assert (reference.share.text(), folder.share.text(), library.share.text()) == (
        f"75{SPACE}%",
        f"25{SPACE}%",
        "",
    )
    assert folder.toolTip() == notes


def test_paths_once_added_stay_in_the_list_with_what_is_known(page, chosen, told, notes, tmp_path):
    (tmp_path / "letter.txt").write_text("x" * 3000)
    page.set_known_paths([str(tmp_path / "letter.txt"), str(tmp_path / "gone.txt")])
    page.show_state(told)
    page.show_state(replace(told, config=config_of(REFERENCE), report=None))
    assert page.known_paths() == [str(tmp_path / "letter.txt"), str(tmp_path / "gone.txt"), notes]
    assert page.corpora.row(notes).caption.text() == f"74{SPACE}kB · 12 files"
    assert not page.corpora.row(notes).box.isChecked()
    assert page.corpora.row(str(tmp_path / "letter.txt")).caption.text() == f"3{SPACE}kB"
    assert page.corpora.row(str(tmp_path / "gone.txt")).caption.text() == "Not found"
    page.corpora.row(str(tmp_path / "gone.txt")).remove.click()
    assert len(page.known_paths()) == 2
    assert chosen == []


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


def test_dropped_files_and_folders_are_added_once(page, chosen, told, notes):
    page.show_state(told)
    assert drop(page, "/texts/letter.txt", notes, "/texts/more") == (True, True)
    assert chosen == [(REFERENCE, notes, "/texts/letter.txt", "/texts/more")]
    assert drop(page, notes) == (True, True)
    assert len(chosen) == 1


def test_checkpoints_and_drops_while_training_are_left_alone(page, chosen, told):
    page.show_state(told)
    assert drop(page, "/runs/last.safetensors") == (False, False)
    page.show_state(replace(told, running=frozenset(["train"])))
    assert drop(page, "/texts/letter.txt") == (False, False)
    assert chosen == []


def test_everything_is_locked_with_a_reason_while_training(page, chosen, told, notes):
    page.tokenizer_chosen.connect(chosen.append)
    page.show_state(replace(told, running=frozenset(["train"])))
    assert page.locked.isVisible()
    QTest.mouseClick(page.corpora.row(LIBRARY), Qt.MouseButton.LeftButton)
    page.tokenizer.choice.button("bytes").click()
    assert chosen == []
    assert not page.corpora.add.isEnabled()
    assert page.preview.mode.isEnabled()
    page.show_state(told)
    assert not page.locked.isVisible()
    QTest.mouseClick(page.corpora.row(LIBRARY), Qt.MouseButton.LeftButton)
    assert len(chosen) == 1


# ---------------------------------------------------------------- the tokenizer and what it comes to


def test_choosing_a_tokenizer_is_a_wish(page, told, qtbot):
    page.show_state(told)
    with qtbot.waitSignal(page.tokenizer_chosen) as heard:
        page.tokenizer.choice.button("bytes").click()
    assert heard.args == ["bytes"]


def test_figures_come_from_the_report_and_are_unknown_without_one(page, told):
    page.show_state(replace(told, report=None))
    shown = {name: figure.value.text() for name, figure in page.tokenizer.figures.items()}
    assert shown == {"Vocabulary": f"50{SPACE}257"} | dict.fromkeys(list(shown)[1:], "—")
    page.show_state(told)
    shown = {name: (f.value.text(), f.unit.text()) for name, f in page.tokenizer.figures.items()}
    assert shown == {
        "Vocabulary": (f"50{SPACE}257", f"5{SPACE}176 used"),
        "Corpus": ("3.62", "M characters"),
        "Tokens": (f"874{SPACE}k", "41 texts"),
        "Compression": ("4.14", "char/token"),
        "Validation": (f"10{SPACE}%", "held out"),
    }


def test_token_lengths_are_drawn(page, told):
    page.show_state(told)
    assert page.lengths.table()[1] == [["1", "0.1"], ["2", "0.2"], ["3", "0.4"], ["4+", "0.3"]]
    page.show_state(replace(told, report=None))
    assert page.lengths.table()[1] == []


# ---------------------------------------------------------------- the preview


def test_the_preview_shows_colors_ids_or_plain_text(page, told):
    page.show_state(told)
    tokens = page.preview.tokens
    assert tokens.text() == "".join(f" {word}" for word in WORDS)
    assert all(span.background for span in tokens.spans())
    page.preview.mode.button("ids").click()
    assert tokens.text().split() == [str(100 + k) for k in range(len(WORDS))]
    page.preview.mode.button("plain").click()
    assert tokens.text() == "".join(f" {word}" for word in WORDS)
    assert not any(span.background for span in tokens.spans())


def test_parts_of_characters_show_as_bytes_and_whole_in_plain_text(page, told):
    preview = [PreviewToken("\ufffd", byte, bytes([byte]), 1, 1) for byte in "é".encode()]
    page.show_state(replace(told, report=replace(told.report, preview=tuple(preview))))
    assert page.preview.tokens.text() == "C3A9"
    page.preview.mode.button("plain").click()
    assert page.preview.tokens.text() == "é"


def test_hovering_a_token_tells_what_it_is(page, told):
    page.show_state(told)
    tokens = page.preview.tokens
    QTest.mouseMove(tokens, tokens.span_rect(3).center())
    card = page.findChild(TokenPopover)
    assert card.isVisible()
    assert card.title() == ("·time", "id 103")
    assert [row[:2] for row in card.rows()] == [
        ("Bytes", "20 74 69 6D 65"),
        ("In this corpus", f"4 times · rank 9{SPACE}120"),
    ]
    page.hide()
    assert card.isHidden()


def test_search_marks_and_counts_and_goes_round(page, told, qtbot):
    page.show_state(told)
    page.activateWindow()
    QTest.keyClick(page, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    field, hits = page.preview.field, page.preview.hits
    assert field.isVisible()
    before = page.preview.tokens.grab().toImage()
    QTest.keyClicks(field, "O")
    assert hits.text() == "1 of 5"
    assert page.preview.tokens.grab().toImage() != before
    shown = []
    back = Qt.KeyboardModifier.ShiftModifier
    for modifier in (Qt.KeyboardModifier.NoModifier, back, back):
        QTest.keyClick(field, Qt.Key.Key_Return, modifier)
        shown.append(hits.text())
    assert shown == ["2 of 5", "1 of 5", "5 of 5"]
    QTest.keyClicks(field, "z")
    assert hits.text() == "Not found"
    QTest.keyClick(field, Qt.Key.Key_Backspace)
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert not field.isVisible()
    assert page.preview.tokens.grab().toImage() == before


def test_search_scrolls_to_what_it_finds(page, told, qtbot):
    words = [f"word{k}" for k in range(1000)]
    page.show_state(replace(told, report=report_of(*told.report.corpora, words=words)))
    qtbot.waitUntil(lambda: page.preview.area.verticalScrollBar().maximum() > 1000)
    page.preview.open_search()
    page.preview.field.setText("word990")
    tokens = page.preview.tokens
    assert tokens.visibleRegion().boundingRect().contains(tokens.span_rect(990))


def test_without_text_the_preview_offers_to_add_some(page, idle, qtbot):
    page.show_state(replace(idle, config=config_of()))
    preview = page.preview
    assert preview.pages.currentWidget() is preview.empty
    with qtbot.waitSignal(page.files_wanted):
        preview.add.click()


def test_progress_stands_where_the_tokens_will(page, told):
    working = replace(told, report=None, progress={"data": Progress("data", "Reading notes", 34, 100)})
    page.show_state(working)
    preview = page.preview
    assert preview.pages.currentWidget() is preview.progress
    assert preview.progress.label.text() == f"Reading notes · 34{SPACE}%"
    assert preview.progress.bar.value() == 34
    page.show_state(replace(working, progress={"data": Progress("data", "Reading notes")}))
    assert not preview.progress.bar.isVisible()
    page.show_state(told)
    assert preview.pages.currentWidget() is preview.area


# ---------------------------------------------------------------- the page as a whole


def test_a_narrow_page_puts_the_corpora_above(page, told, qtbot):
    page.set_known_paths(["/texts/a", "/texts/b", "/texts/c"])
    page.show_state(told)
    corpora, tokenizer = page.corpora, page.tokenizer
    assert corpora.geometry().right() < tokenizer.geometry().left()
    page.resize(541, 780)
    qtbot.waitUntil(lambda: corpora.geometry().bottom() < tokenizer.geometry().top())
    assert corpora.geometry().right() == tokenizer.geometry().right()
    rows = [corpora.row(name) for name in (REFERENCE, LIBRARY, *page.known_paths())]
    assert all(row.visibleRegion().boundingRect() == row.rect() for row in rows)
    page.resize(750, 780)
    qtbot.waitUntil(lambda: corpora.geometry().right() < tokenizer.geometry().left())
    assert page.minimumSizeHint().width() <= 360


def test_theme_and_size_reach_everything(page, told):
    page.show_state(told)
    dark = page.grab().toImage()
    height = page.corpora.row(LIBRARY).height()
    look.apply(LIGHT)
    light = page.grab().toImage()
    for widget in (page.corpora, page.tokenizer, page.preview.tokens):
        place = widget.mapTo(page, QPoint(widget.width() // 2, 2))
        assert dark.pixelColor(place).lightness() < 80 < 200 < light.pixelColor(place).lightness()
    look.apply(LIGHT, 1.5)
    assert page.corpora.row(LIBRARY).height() == height * 1.5


def test_showing_the_same_state_again_changes_nothing(page, told, monkeypatch):
    page.show_state(told)
    page.preview.tokens.setFocus()
    QTest.keyClick(page.preview.tokens, Qt.Key.Key_Right)
    page.show_state(replace(told, step=12, seconds_per_step=0.1))
    assert page.preview.tokens.pointed() == 0
