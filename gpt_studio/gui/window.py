"""The main window: the wiring diagram. Panels, pages, who hears whom, what gives way when it is small."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from gpt_studio.core import units
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import Exported, Failed, Opened, Saved
from gpt_studio.core.run_events import TextsChanged
from gpt_studio.core.runner import failure
from gpt_studio.gui.alerts import Banner
from gpt_studio.gui.chat_panel import ChatPanel
from gpt_studio.gui.choices import TabRow
from gpt_studio.gui.columns import WIDE, Columns
from gpt_studio.gui.data_page import DataPage
from gpt_studio.gui.files import Files, checkpoint_in, remembered_list, remembered_number
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.menus import fill_recent, main_menu
from gpt_studio.gui.numbers import Numbers
from gpt_studio.gui.panes import enter_next
from gpt_studio.gui.settings_panel import SettingsPanel
from gpt_studio.gui.state import State
from gpt_studio.gui.status_bar import StatusBar
from gpt_studio.gui.store import Store
from gpt_studio.gui.texts import Texts
from gpt_studio.gui.theme import DARK, LIGHT, THEMES, follow, look
from gpt_studio.gui.top_bar import TopBar
from gpt_studio.gui.training_page import TrainingPage
from gpt_studio.gui.widgets import Menu, Surface
from gpt_studio.gui.worker import Worker

log = logging.getLogger(__name__)
PAGES = {"data": "Data", "training": "Training"}


class Window(QMainWindow):
    """Owns the store, the worker and every panel.

    Signals:
        painted: the first picture is on the screen; now the engine may be loaded.
    """

    painted = Signal()

    def __init__(self, settings: QSettings, worker: Worker) -> None:
        super().__init__()
        self.settings = settings
        self.worker = worker
        self.store = Store(worker.submit, self)
        self.files = Files(self.store, settings, self)
        self.texts = Texts(self.store, settings, self)
        self._was_painted = False
        self._was_awake = False
        self._noted_problem = ""  # the setting the status bar points at
        self._closing = False  # what is not saved has been asked about
        self._waiting_to_close = False  # for a file that is being written
        self._build()
        self.numbers = Numbers(self.store, self.settings_panel.estimate, self)
        self._connect()
        self._restore()
        self.store.changed.emit(self.store.state)

    # ------------------------------------------------------------ parts

    def _build(self) -> None:
        self.setWindowTitle("GPT Studio")
        self.setMinimumSize(960, 600)
        self.setAcceptDrops(True)
        self.recent = Menu(self)
        self.recent.setTitle("Open recent")
        self.top = TopBar(main_menu(self), self.recent)
        self.settings_panel = SettingsPanel()
        self.tabs = TabRow(PAGES, "Pages")
        self.banner = Banner()
        self.data_page = DataPage()
        self.training_page = TrainingPage()
        self.chat = ChatPanel()
        self.status = StatusBar()
        self.pages = QStackedWidget()
        for page in (self.data_page, self.training_page):
            self.pages.addWidget(page)
        self.columns = Columns(self.settings_panel, self._center(), self.chat)
        whole = QWidget()
        whole.setMinimumSize(1, 1)  # the wide layout must not keep the window from becoming narrow
        column = Column(spacing=0, parent=whole)
        for widget in (self.top, self.columns, self.status):
            column.addWidget(widget, int(widget is self.columns))
        self.setCentralWidget(whole)

    def _center(self) -> QWidget:
        center = Surface("canvas")
        center.setMinimumWidth(360)
        column = Column(spacing=0, parent=center)
        column.addWidget(self.tabs)
        self._banner_row = QWidget()
        Column((16, 14, 16, 0), 0, self._banner_row).addWidget(self.banner)
        self._banner_row.hide()
        column.addWidget(self._banner_row)
        column.addWidget(self.pages, 1)
        return center

    # ------------------------------------------------------------ who hears whom

    def _connect(self) -> None:
        store, files, texts = self.store, self.files, self.texts
        self.worker.happened.connect(store.happened)

        pages = (self.data_page, self.training_page)
        for panel in (self.top, self.settings_panel, *pages, self.chat, self.status):
            store.changed.connect(panel.show_state)
        store.changed.connect(self._show_state)

        self.top.new_wanted.connect(files.new)
        self.top.open_wanted.connect(files.open)
        self.top.save_wanted.connect(files.save)
        self.top.primary_pressed.connect(self.press_primary)
        self.top.stop_wanted.connect(store.stop_training)
        self.top.device_wanted.connect(store.use_device)
        self.top.theme_wanted.connect(self.switch_theme)

        self.settings_panel.edited.connect(store.edit)
        self.settings_panel.preset_chosen.connect(store.apply_preset)
        self.settings_panel.reset_wanted.connect(store.reset)
        self.settings_panel.hide_wanted.connect(lambda: self.columns.toggle("left"))
        self.settings_panel.tokenizer_wanted.connect(lambda: self.show_page("data"))
        store.problem_focused.connect(self._focus_problem)

        data = self.data_page
        data.edited.connect(texts.edit)
        data.files_wanted.connect(texts.add_files)
        data.folder_wanted.connect(texts.add_folder)
        data.tokenizer_file_wanted.connect(texts.choose_tokenizer)
        data.export_wanted.connect(texts.export_tokenizer)
        data.read_wanted.connect(store.prepare)
        data.cancel_wanted.connect(store.cancel_data)
        data.compare_wanted.connect(store.compare)
        data.batch_wanted.connect(store.read_batch)
        data.remedy_chosen.connect(self._apply)
        data.lengths.failed.connect(lambda error: store.failed.emit(failure("export", error)))
        store.compared.connect(data.show_comparison)
        store.batch_read.connect(data.show_batch)

        page = self.training_page
        page.train_wanted.connect(self.press_primary)
        page.corpus_wanted.connect(lambda: self.show_page("data"))
        page.size_wanted.connect(lambda: self.settings_panel.focus_problem("model.num_layers"))
        page.steps_wanted.connect(lambda: self.settings_panel.focus_problem("train.steps"))
        page.open_wanted.connect(files.open)
        page.failed.connect(self._show_failure)
        store.built.connect(page.begin)
        store.opened.connect(page.load)
        store.stepped.connect(page.append)
        store.evaluated.connect(page.add_validation)
        store.examined.connect(page.add_exam)
        store.sampled.connect(page.add_sample)
        store.forgotten.connect(page.clear)

        self.chat.asked.connect(store.ask)
        self.chat.stop_wanted.connect(store.stop_generating)
        self.chat.sample_edited.connect(lambda changes: store.edit("sample", changes))
        self.chat.hide_wanted.connect(lambda: self.columns.toggle("right"))
        store.spoke.connect(self.chat.speak)
        store.forgotten.connect(self.chat.new_conversation)

        store.failed.connect(self._show_failure)
        store.saved.connect(self._show_saved)
        store.exported.connect(self._show_exported)
        store.opened.connect(self._show_opened)
        store.texts_changed.connect(self._show_texts_changed)
        self.banner.remedy_chosen.connect(self._apply)
        self.banner.shown_changed.connect(self._show_banner_row)
        self.files.recent_changed.connect(self._fill_recent)
        self.tabs.changed.connect(self.show_page)
        QShortcut(Qt.Key.Key_Escape, self, self._escape)
        follow(self._fit)

    # ------------------------------------------------------------ wishes

    def start(self, checkpoint: str = "") -> None:
        """Wake the engine, read the corpora, and open a checkpoint if one was named, else the demo model."""
        self.worker.start()
        self.store.prepare()
        if checkpoint:
            self.store.open(str(Path(checkpoint).resolve()))
        else:
            self.store.open_demo()

    def press_primary(self) -> None:
        if not self.store.state.awake:
            return
        if self.store.state.primary != "pause" and not self.store.state.problems:
            self.banner.dismiss()
            self.show_page("training")
        self.files.train()

    def _apply(self, remedy: Remedy) -> None:
        self.store.edit(remedy.section, remedy.changes)
        if remedy.train:
            self.press_primary()

    def _focus_problem(self, name: str) -> None:
        section, _, field = name.partition(".")
        if section == "sample":
            self.columns.unfold("right")
            self.chat.focus_problem(field)
        elif section == "data":
            self.show_page("data")
            self.data_page.focus_problem(field)
        else:
            self.columns.unfold("left")
            self.settings_panel.focus_problem(name)
        self.status.note(self.store.state.problems[name].text, "alert-triangle", "warn")
        self._noted_problem = name

    def focus_composer(self) -> None:
        self.columns.unfold("right")
        self.chat.focus_composer()

    def _escape(self) -> None:
        if self.store.state.generating:
            self.store.stop_generating()
        elif not self.banner.isHidden():
            self.banner.dismiss()
        else:
            self.training_page.show_all()

    # ------------------------------------------------------------ facts

    def _show_state(self, state: State) -> None:
        if state.awake and not self._was_awake:
            self._was_awake = True
            log.info("The engine is awake on %s", state.device_name)
        if self._noted_problem and self._noted_problem not in state.problems:
            self._noted_problem = ""
            self.status.note("")
        if self._waiting_to_close and not state.filing:
            QTimer.singleShot(0, self.close)
        self.setWindowTitle(f"{state.name}{' •' if state.unsaved else ''} — GPT Studio")
        self._show_tonal()

    def _show_tonal(self) -> None:
        state = self.store.state
        hero = self.tabs.value() == "training" and state.run is None and not state.training
        self.top.set_tonal(hero or self.banner.has_primary)

    def _show_failure(self, failure: Failed) -> None:
        if failure.detail:
            log.error("%s job failed: %s\n%s", failure.kind, failure.what, failure.detail)
        else:
            log.warning("%s: %s %s %s", failure.kind, failure.what, failure.kept, failure.tries)
        if failure.kind == "train" and self.store.state.stopped_by:
            step = self.store.state.step
            self.training_page.mark(step, f"Stopped · {units.number(step)}", "bad")
        if failure.kind == "chat":
            self.chat.failed(failure)
        if failure.kind != "chat" or failure.detail:
            self.banner.show_failure(failure)
        if failure.kind == "file":
            self._closing = self._waiting_to_close = False

    def _show_saved(self, saved: Saved) -> None:
        text = f"Checkpoint saved at step {units.number(saved.step)} · {units.memory(saved.size)}"
        self.status.note(text, "check", "ok")
        if saved.step:
            self.training_page.mark(saved.step, f"Saved · {units.number(saved.step)}", "ok")

    def _show_exported(self, exported: Exported) -> None:
        text = f"{Path(exported.path).name} written · {units.memory(exported.size)}"
        self.status.note(text, "check", "ok")

    def _show_texts_changed(self, changed: TextsChanged) -> None:
        self.training_page.mark(changed.step, f"Other texts · {units.number(changed.step)}", "warn")
        self.status.note("Goes on with other texts than those learned from so far", "alert-triangle", "warn")

    def _show_opened(self, opened: Opened) -> None:
        self.banner.dismiss()
        self.show_page("training")
        self.status.note(f"Opened {opened.path}", "check", "ok")
        # A stranger's file may name any path: those are read when a person presses Train, not before.
        if self.texts.trusts(opened.config.data):
            self.store.prepare()

    def _show_banner_row(self) -> None:
        self._banner_row.setHidden(self.banner.isHidden())
        self._show_tonal()

    def _fill_recent(self) -> None:
        fill_recent(self.recent, self.files.recent(), self.files.open_path)

    # ------------------------------------------------------------ look

    def show_page(self, name: str) -> None:
        self.tabs.set_value(name)
        self.pages.setCurrentIndex(list(PAGES).index(name))
        self._show_tonal()

    def switch_theme(self) -> None:
        look.apply(LIGHT if look.theme.dark else DARK, look.scale)

    def set_scale(self, scale: float) -> None:
        look.apply(look.theme, round(scale, 1))

    def _fit(self) -> None:
        """What gives way first when the window is small."""
        width, height = self.width() / look.scale, self.height() / look.scale
        self.top.set_compact(width < WIDE)
        self.settings_panel.set_compact(height < 780)
        self.columns.fit(width)

    def next_pane(self, direction: int) -> None:
        panes = (self.top, self.settings_panel, self.pages, self.chat)
        enter_next(panes, self.focusWidget(), direction)

    # ------------------------------------------------------------ remembered

    def _restore(self) -> None:
        settings = self.settings
        look.apply(THEMES.get(str(settings.value("theme")), DARK), remembered_number(settings, "scale", 1.0))
        geometry = settings.value("geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            self.resize(QSize(1440, 900).boundedTo(self.screen().availableSize() - QSize(16, 48)))  # framed
        self.columns.start_widths(self.width() / look.scale)
        self.columns.restore(settings)
        self.data_page.set_known_paths(remembered_list(settings, "texts"))
        self.training_page.set_unit(str(settings.value("unit")))
        self.chat.set_modes({kind: str(settings.value(f"chat/{kind}")) for kind in self.chat.modes()})
        page = str(settings.value("page", "training"))
        self.show_page(page if page in PAGES else "training")
        self._fill_recent()
        self._fit()

    def _remember(self) -> None:
        settings = self.settings
        settings.setValue("theme", look.theme.name)
        settings.setValue("scale", look.scale)
        settings.setValue("geometry", self.saveGeometry())
        settings.setValue("page", self.tabs.value())
        settings.setValue("texts", self.data_page.known_paths())
        settings.setValue("unit", self.training_page.unit())
        for kind, mode in self.chat.modes().items():
            settings.setValue(f"chat/{kind}", mode)
        self.columns.save(settings)
        settings.sync()

    # ------------------------------------------------------------ Qt's own

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        before, now = event.oldSize().width() / look.scale, event.size().width() / look.scale
        if before > 0 and (before < WIDE) != (now < WIDE):
            self.columns.start_widths(self.width() / look.scale)
        self._fit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if checkpoint_in(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = checkpoint_in(event)
        if path:
            self.files.open_path(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._closing and self.store.state.unsaved:
            event.ignore()
            self.files.guard(self._close_now)
            return
        if self.store.state.filing and self.worker.isRunning():
            event.ignore()
            self._waiting_to_close = True
            self.status.note("Closes as soon as the file is written")
            return
        self._remember()
        self.hide()
        self.worker.close(seconds=3)
        event.accept()

    def _close_now(self) -> None:
        self._closing = True
        QTimer.singleShot(0, self.close)  # Qt ignores a close within a close
