"""The main window: the wiring diagram. Panels, pages, who hears whom, what gives way when it is small."""

from __future__ import annotations

import logging

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import QMainWindow, QMenu, QMessageBox, QSplitter, QStackedWidget, QWidget

from gpt_studio import __version__
from gpt_studio.core import units
from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import Failed, Saved
from gpt_studio.core.runner import failure
from gpt_studio.gui.alerts import Banner
from gpt_studio.gui.buttons import ToolButton
from gpt_studio.gui.chat_panel import ChatPanel
from gpt_studio.gui.choices import TabRow
from gpt_studio.gui.data_page import DataPage
from gpt_studio.gui.files import Files, remembered_list
from gpt_studio.gui.layouts import Column
from gpt_studio.gui.menus import Entry, fill_recent, menu
from gpt_studio.gui.settings_panel import SettingsPanel
from gpt_studio.gui.state import State
from gpt_studio.gui.status_bar import StatusBar
from gpt_studio.gui.store import Store
from gpt_studio.gui.theme import DARK, LIGHT, THEMES, follow, look
from gpt_studio.gui.top_bar import TopBar
from gpt_studio.gui.training_page import TrainingPage
from gpt_studio.gui.widgets import Menu, Surface
from gpt_studio.gui.worker import Worker

log = logging.getLogger(__name__)
PAGES = {"data": "Data", "training": "Training"}
ABOUT = "Build, train, understand and talk to a GPT on your own machine.\nNothing leaves this computer."


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
        self._was_painted = False
        self._was_awake = False
        self._hidden_by_hand: dict[str, bool] = {}
        self._closing = False
        self._build()
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
        self.top = TopBar(self._main_menu(), self.recent)
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
        self.rail_left = Rail("hide-left", "Show the settings", "r")
        self.rail_right = Rail("hide-right", "Show the chat", "l")
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        for widget in (self.rail_left, self.settings_panel, self._center(), self.chat, self.rail_right):
            self.splitter.addWidget(widget)
        self.splitter.setStretchFactor(2, 1)
        whole = QWidget()
        whole.setMinimumSize(1, 1)  # the wide layout must not keep the window from becoming narrow
        column = Column(spacing=0, parent=whole)
        for widget in (self.top, self.splitter, self.status):
            column.addWidget(widget, int(widget is self.splitter))
        self.setCentralWidget(whole)
        follow(self._set_side_widths)

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

    def _main_menu(self) -> QMenu:
        store, files = self.store, self.files
        whole = Menu(self)
        parts: dict[str, list[Entry]] = {
            "File": [
                ("New run", "Ctrl+N", files.new),
                ("Open checkpoint…", "Ctrl+O", files.open),
                self.recent,
                ("Save checkpoint…", "Ctrl+S", files.save),
                None,
                ("Quit", "Ctrl+Q", self.close),
            ],
            "Edit": [
                ("Undo a setting", "Ctrl+Z", store.undo),
                ("Redo a setting", "Ctrl+Shift+Z", store.redo),
            ],
            "Run": [
                ("Train, pause or resume", "F5", self._press_primary),
                ("Stop training", "Shift+F5", store.stop_training),
            ],
            "Chat": [
                ("Write a prompt", "Ctrl+L", self._focus_composer),
                ("Regenerate", "Ctrl+R", lambda: self.chat.regenerate()),
                ("New conversation", "Ctrl+Shift+N", lambda: self.chat.new_conversation()),
            ],
            "View": [
                ("Data", "Ctrl+1", lambda: self.show_page("data")),
                ("Training", "Ctrl+2", lambda: self.show_page("training")),
                None,
                ("Settings panel", "Ctrl+B", lambda: self.toggle_side("left")),
                ("Chat panel", "Ctrl+J", lambda: self.toggle_side("right")),
                ("Next pane", "F6", lambda: self._next_pane(1)),
                ("Previous pane", "Shift+F6", lambda: self._next_pane(-1)),
                None,
                ("Switch theme", "Ctrl+Shift+L", self.switch_theme),
                ("Larger", "Ctrl++, Ctrl+=", lambda: self._set_scale(look.scale + 0.1)),
                ("Smaller", "Ctrl+-", lambda: self._set_scale(look.scale - 0.1)),
                ("Normal size", "Ctrl+0", lambda: self._set_scale(1.0)),
            ],
            "Help": [("About GPT Studio", "", self._show_about)],
        }
        for title, entries in parts.items():
            whole.addMenu(menu(title, entries, self))
        return whole

    # ------------------------------------------------------------ who hears whom

    def _connect(self) -> None:
        store, files = self.store, self.files
        self.worker.happened.connect(store.happened)

        for panel in (
            self.top,
            self.settings_panel,
            self.data_page,
            self.training_page,
            self.chat,
            self.status,
        ):
            store.changed.connect(panel.show_state)
        store.changed.connect(self._show_state)

        self.top.new_wanted.connect(files.new)
        self.top.open_wanted.connect(files.open)
        self.top.save_wanted.connect(files.save)
        self.top.primary_pressed.connect(self._press_primary)
        self.top.stop_wanted.connect(store.stop_training)
        self.top.device_wanted.connect(store.use_device)
        self.top.theme_wanted.connect(self.switch_theme)

        self.settings_panel.edited.connect(store.edit)
        self.settings_panel.preset_chosen.connect(store.apply_preset)
        self.settings_panel.reset_wanted.connect(store.reset)
        self.settings_panel.hide_wanted.connect(lambda: self.toggle_side("left"))
        self.settings_panel.tokenizer_wanted.connect(lambda: self.show_page("data"))
        store.problem_focused.connect(self._focus_problem)

        self.data_page.corpora_chosen.connect(lambda corpora: store.edit("data", {"corpora": corpora}))
        self.data_page.tokenizer_chosen.connect(lambda name: store.edit("data", {"tokenizer": name}))
        self.data_page.files_wanted.connect(lambda: self._add_corpora(files.ask_texts()))
        self.data_page.folder_wanted.connect(lambda: self._add_corpora(files.ask_folder()))
        self.data_page.lengths.failed.connect(lambda error: store.failed.emit(failure("export", error)))

        page = self.training_page
        page.train_wanted.connect(self._press_primary)
        page.corpus_wanted.connect(lambda: self.show_page("data"))
        page.size_wanted.connect(lambda: self.settings_panel.focus_problem("model.num_layers"))
        page.steps_wanted.connect(lambda: self.settings_panel.focus_problem("train.steps"))
        page.open_wanted.connect(files.open)
        page.failed.connect(self._show_failure)
        store.built.connect(page.begin)
        store.opened.connect(page.load)
        store.stepped.connect(page.append)
        store.evaluated.connect(page.add_validation)
        store.sampled.connect(page.add_sample)
        store.forgotten.connect(page.clear)

        self.chat.asked.connect(store.ask)
        self.chat.stop_wanted.connect(store.stop_generating)
        self.chat.sample_edited.connect(lambda changes: store.edit("sample", changes))
        self.chat.hide_wanted.connect(lambda: self.toggle_side("right"))
        store.spoke.connect(self.chat.speak)
        store.forgotten.connect(self.chat.new_conversation)

        store.failed.connect(self._show_failure)
        store.saved.connect(self._show_saved)
        store.opened.connect(lambda opened: self._note_opened(opened.path))
        self.banner.remedy_chosen.connect(self._apply)
        self.banner.shown_changed.connect(self._show_banner_row)
        self.files.recent_changed.connect(self._fill_recent)
        self.tabs.changed.connect(self.show_page)
        self.rail_left.pressed.connect(lambda: self.toggle_side("left"))
        self.rail_right.pressed.connect(lambda: self.toggle_side("right"))
        QShortcut(Qt.Key.Key_Escape, self, self._escape)
        follow(self._fit)

    # ------------------------------------------------------------ wishes

    def start(self, checkpoint: str = "") -> None:
        """Wake the engine, read the corpora, and open a checkpoint if one was named."""
        self.worker.start()
        self.store.prepare()
        if checkpoint:
            self.store.open(checkpoint)

    def _press_primary(self) -> None:
        if not self.store.state.awake:
            return
        if self.store.state.primary != "pause" and not self.store.state.problems:
            self.banner.dismiss()
            self.show_page("training")
        self.files.train()

    def _apply(self, remedy: Remedy) -> None:
        self.store.edit(remedy.section, remedy.changes)
        if remedy.train:
            self._press_primary()

    def _add_corpora(self, paths: list[str]) -> None:
        chosen = self.store.state.config.data.corpora
        new = [path for path in paths if path not in chosen]
        if new:
            self.store.edit("data", {"corpora": (*chosen, *new)})

    def _focus_problem(self, name: str) -> None:
        section, _, field = name.partition(".")
        if section == "sample":
            self._set_side("right", shown=True)
            self.chat.focus_problem(field)
        else:
            self._set_side("left", shown=True)
            self.settings_panel.focus_problem(name)
        self.status.note(self.store.state.problems[name].text, "alert-triangle", "warn")

    def _focus_composer(self) -> None:
        self._set_side("right", shown=True)
        self.chat.focus_composer()

    def _escape(self) -> None:
        if self.store.state.generating:
            self.store.stop_generating()
        else:
            self.banner.dismiss()

    # ------------------------------------------------------------ facts

    def _show_state(self, state: State) -> None:
        if state.awake and not self._was_awake:
            self._was_awake = True
            log.info("The engine is awake on %s", state.device_name)
        self.setWindowTitle(f"{state.name}{' •' if state.unsaved else ''} — GPT Studio")
        self._show_tonal()

    def _show_tonal(self) -> None:
        state = self.store.state
        hero = self.tabs.value() == "training" and state.model is None and not state.training
        self.top.set_tonal(hero or self.banner.has_primary)

    def _show_failure(self, failure: Failed) -> None:
        if failure.detail:
            log.error("%s job failed: %s\n%s", failure.kind, failure.what, failure.detail)
        else:
            log.warning("%s: %s %s %s", failure.kind, failure.what, failure.kept, failure.tries)
        if failure.kind == "train" and self.store.state.step:
            step = self.store.state.step
            self.training_page.mark(step, f"Stopped · {units.number(step)}", "bad")
        if failure.kind == "chat":
            self.chat.failed(failure)
        if failure.kind != "chat" or failure.detail:
            self.banner.show_failure(failure)
        if failure.kind == "file" and self._closing:
            self._closing = False

    def _show_saved(self, saved: Saved) -> None:
        text = f"Checkpoint saved at step {units.number(saved.step)} · {units.memory(saved.size)}"
        self.status.note(text, "check", "ok")
        if saved.step:
            self.training_page.mark(saved.step, f"Saved · {units.number(saved.step)}", "ok")

    def _note_opened(self, path: str) -> None:
        self.banner.dismiss()
        self.show_page("training")
        self.status.note(f"Opened {path}", "check", "ok")

    def _show_banner_row(self) -> None:
        self._banner_row.setHidden(self.banner.isHidden())
        self._show_tonal()

    def _fill_recent(self) -> None:
        fill_recent(self.recent, self.files.recent(), self.files.open_path)

    def _show_about(self) -> None:
        QMessageBox.about(self, "About GPT Studio", f"GPT Studio {__version__}\n\n{ABOUT}")

    # ------------------------------------------------------------ look

    def show_page(self, name: str) -> None:
        self.tabs.set_value(name)
        self.pages.setCurrentIndex(list(PAGES).index(name))
        self._show_tonal()

    def switch_theme(self) -> None:
        look.apply(LIGHT if look.theme.dark else DARK, look.scale)

    def _set_scale(self, scale: float) -> None:
        look.apply(look.theme, round(scale, 1))

    def toggle_side(self, side: str) -> None:
        panel = self._sides()[side][0]
        self._hidden_by_hand[side] = not panel.isHidden()
        self._set_side(side, shown=panel.isHidden())

    def _sides(self) -> dict[str, tuple[QWidget, Rail]]:
        return {"left": (self.settings_panel, self.rail_left), "right": (self.chat, self.rail_right)}

    def _set_side(self, side: str, shown: bool) -> None:
        panel, rail = self._sides()[side]
        panel.setVisible(shown)
        rail.setHidden(shown)

    def _set_side_widths(self) -> None:
        self.settings_panel.setMinimumWidth(look.px(264))
        self.settings_panel.setMaximumWidth(look.px(420))
        self.chat.setMinimumWidth(look.px(284))
        self.chat.setMaximumWidth(look.px(560))

    def _fit(self) -> None:
        """What gives way first when the window is small."""
        width, height = self.width() / look.scale, self.height() / look.scale
        self.top.set_compact(width < 1280)
        self.settings_panel.set_compact(height < 780)
        for side, least in (("left", 900), ("right", 1080)):
            hidden = self._hidden_by_hand.get(side, width < least)
            self._set_side(side, shown=not hidden)

    def _size_columns(self) -> None:
        """The widths a window of this size starts with."""
        width = self.width() / look.scale
        left = look.px(312 if width >= 1280 else 268)
        right = look.px(440 if width >= 1900 else 352 if width >= 1280 else 292)
        self.splitter.setSizes([look.px(40), left, self.width() - left - right, right, look.px(40)])

    def _next_pane(self, direction: int) -> None:
        panes = [pane for pane in (self.top, self.settings_panel, self.pages, self.chat) if pane.isVisible()]
        focused = self.focusWidget()
        here = next((i for i, pane in enumerate(panes) if focused and pane.isAncestorOf(focused)), -1)
        for widget in panes[(here + direction) % len(panes)].findChildren(QWidget):
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
                widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
                return

    # ------------------------------------------------------------ remembered

    def _restore(self) -> None:
        settings = self.settings
        look.apply(THEMES.get(str(settings.value("theme")), DARK), float(str(settings.value("scale", 1.0))))
        if not self.restoreGeometry(_bytes(settings, "geometry")):
            self.resize(1440, 900)
        self._size_columns()
        self.splitter.restoreState(_bytes(settings, "splitter"))
        for side in ("left", "right"):
            if settings.contains(f"hidden/{side}"):
                self._hidden_by_hand[side] = bool(settings.value(f"hidden/{side}", False, bool))
        self.data_page.set_known_paths(remembered_list(settings, "texts"))
        page = str(settings.value("page", "training"))
        self.show_page(page if page in PAGES else "training")
        self._fill_recent()
        self._fit()

    def _remember(self) -> None:
        settings = self.settings
        settings.setValue("theme", look.theme.name)
        settings.setValue("scale", look.scale)
        settings.setValue("geometry", self.saveGeometry())
        settings.setValue("splitter", self.splitter.saveState())
        settings.setValue("page", self.tabs.value())
        settings.setValue("texts", self.data_page.known_paths())
        for side, hidden in self._hidden_by_hand.items():
            settings.setValue(f"hidden/{side}", hidden)
        settings.sync()

    # ------------------------------------------------------------ Qt's own

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if (event.oldSize().width() < 1280) != (event.size().width() < 1280):
            self._size_columns()
        self._fit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _checkpoint_in(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _checkpoint_in(event)
        if path and not self.store.state.training:
            self.files.open_path(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._closing and self.store.state.unsaved:
            event.ignore()
            self.files.guard(self._close_now)
            return
        self._remember()
        self.hide()
        self.worker.close(seconds=3)
        event.accept()

    def _close_now(self) -> None:
        self._closing = True
        QTimer.singleShot(0, self.close)  # Qt ignores a close within a close


class Rail(Surface):
    """What is left of a hidden side panel: a narrow strip with the button that brings it back."""

    pressed = Signal()

    def __init__(self, icon: str, name: str, edge: str) -> None:
        super().__init__("panel", edges=edge)
        button = ToolButton(icon, name)
        button.clicked.connect(self.pressed)
        column = Column((6, 8, 6, 8), 0, self)
        column.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedWidth(look.px(40))


def _bytes(settings: QSettings, key: str) -> QByteArray:
    value = settings.value(key)
    return value if isinstance(value, QByteArray) else QByteArray()


def _checkpoint_in(event: QDropEvent) -> str:
    """The path of the one checkpoint being dropped, or ""."""
    urls = event.mimeData().urls()
    path = urls[0].toLocalFile() if len(urls) == 1 else ""
    return path if path.endswith(".safetensors") else ""
