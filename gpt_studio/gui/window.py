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

from gpt_studio.core import paths
from gpt_studio.core.events import Opened
from gpt_studio.core.run_index import RunSummary
from gpt_studio.gui import menus
from gpt_studio.gui.alerts import Banner
from gpt_studio.gui.chat_panel import ChatPanel
from gpt_studio.gui.choices import TabRow
from gpt_studio.gui.closing import Closing
from gpt_studio.gui.columns import WIDE, Columns
from gpt_studio.gui.data_page import DataPage
from gpt_studio.gui.files import Files, checkpoint_in, remembered_list, remembered_number
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.notes import Notes
from gpt_studio.gui.numbers import Numbers
from gpt_studio.gui.panes import enter_next
from gpt_studio.gui.recovery import Recovery
from gpt_studio.gui.remedies import Remedies
from gpt_studio.gui.run_folders import RunFolders
from gpt_studio.gui.run_queue import RunQueue
from gpt_studio.gui.run_watch import RunWatch
from gpt_studio.gui.runs_page import RunsPage
from gpt_studio.gui.settings_panel import SettingsPanel
from gpt_studio.gui.state import State
from gpt_studio.gui.status_bar import StatusBar
from gpt_studio.gui.store import Store
from gpt_studio.gui.texts import Texts
from gpt_studio.gui.theme import DARK, LIGHT, THEMES, follow, look
from gpt_studio.gui.top_bar import TopBar
from gpt_studio.gui.training_page import TrainingPage
from gpt_studio.gui.widgets import Menu, Surface
from gpt_studio.gui.wiring import wire
from gpt_studio.gui.worker import Worker

log = logging.getLogger(__name__)
PAGES = {"data": "Data", "training": "Training", "runs": "Runs"}


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
        self.closing = Closing(self.store, self.files, worker, self)
        self.folders = RunFolders(self.store, self)
        self.remedies = Remedies(self.store, self.press_primary, self)
        self.queue = RunQueue(self.store, settings, self)
        self._was_painted = False
        self._was_awake = False
        self._noted_problem = ""  # the setting the status bar points at
        self._build()
        self.numbers = Numbers(self.store, self.settings_panel.estimate, self)
        self.watch = RunWatch(paths.data() / "runs", self)
        self.recovery = Recovery(self.store, self.banner, settings, self)
        self.notes = Notes(self.store, self.banner, self.status, self.training_page, self.chat)
        wire(self)
        QShortcut(Qt.Key.Key_Escape, self, self._escape)
        follow(self._fit)
        self._restore()
        self.store.changed.emit(self.store.state)

    # ------------------------------------------------------------ parts

    def _build(self) -> None:
        self.setWindowTitle("GPT Studio")
        self.setMinimumSize(960, 600)
        self.setAcceptDrops(True)
        self.recent = Menu(self)
        self.recent.setTitle("Open recent")
        self.top = TopBar(menus.main_menu(self), self.recent)
        self.settings_panel = SettingsPanel()
        self.tabs = TabRow(PAGES, "Pages")
        self.banner = Banner()
        self.data_page = DataPage()
        self.training_page = TrainingPage()
        self.runs_page = RunsPage()
        self.chat = ChatPanel()
        self.status = StatusBar()
        self.pages = QStackedWidget()
        for page in self.all_pages():
            self.pages.addWidget(page)
        self.columns = Columns(self.settings_panel, self._center(), self.chat)
        whole = QWidget()
        whole.setMinimumSize(1, 1)  # the wide layout must not keep the window from becoming narrow
        column = Column(spacing=0, parent=whole)
        for widget in (self.top, self.columns, self.status):
            column.addWidget(widget, int(widget is self.columns))
        self.setCentralWidget(whole)

    def all_pages(self) -> tuple[DataPage, TrainingPage, RunsPage]:
        """In the order of their tabs."""
        return self.data_page, self.training_page, self.runs_page

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

    # ------------------------------------------------------------ wishes

    def start(self, checkpoint: str = "") -> None:
        """Wake the engine, read the corpora, and open a checkpoint if one was named, else the demo model."""
        self.worker.start()
        self.watch.start()
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

    def start_queue(self) -> None:
        """Train what waits; a new model in place of an unsaved one is asked about first."""
        if not self.store.state.queue or self.store.state.training:
            return
        self.banner.dismiss()
        self.show_page("training")
        self.files.guard(self.store.start_queue, "Training starts a new model in its place.")

    def use_best(self) -> None:
        """Open the best weights of a run that stopped early."""
        early = self.store.state.early
        if early:
            self.files.open_path(early.checkpoint)

    def focus_problem(self, name: str) -> None:
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
            self.banner.decline()
        else:
            self.training_page.show_all()

    # ------------------------------------------------------------ facts

    def show_state(self, state: State) -> None:
        if state.awake and not self._was_awake:
            self._was_awake = True
            log.info("The engine is awake on %s", state.device_name)
        if self._noted_problem and self._noted_problem not in state.problems:
            self._noted_problem = ""
            self.status.note("")
        self.setWindowTitle(f"{state.name}{' •' if state.unsaved else ''} — GPT Studio")
        self._show_tonal()

    def _show_tonal(self) -> None:
        state = self.store.state
        hero = self.tabs.value() == "training" and state.run is None and not state.training
        self.top.set_tonal(hero or self.banner.has_primary)

    def show_opened(self, opened: Opened) -> None:
        self.show_page("training")
        # A stranger's file may name any path: those are read when a person presses Train, not before.
        if self.texts.trusts(opened.config.data):
            self.store.prepare()

    def name_run(self, runs: tuple[RunSummary, ...]) -> None:
        """Call the run at hand what its folder says it is called."""
        for run in runs:
            if str(run.folder) == self.store.state.folder:
                self.store.name_run(run.name)

    def show_banner_row(self) -> None:
        self._banner_row.setHidden(self.banner.isHidden())
        self._show_tonal()

    def fill_recent(self) -> None:
        menus.fill_recent(self.recent, self.files.recent(), self.files.open_path)

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
        self.fill_recent()
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
        if not self.closing.may_close():
            event.ignore()
            return
        self.end()
        event.accept()

    def end(self) -> None:
        """End at once, without a question; a run in training is saved."""
        self._remember()
        self.hide()
        self.watch.close()
        self.closing.end()
