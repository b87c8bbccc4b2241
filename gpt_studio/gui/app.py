"""The application: log file, exception hook, fonts and the window."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import traceback
from logging.handlers import RotatingFileHandler
from types import TracebackType

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QSettings,
    QSocketNotifier,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from gpt_studio import __version__
from gpt_studio.core import paths
from gpt_studio.core.events import Failed
from gpt_studio.gui.theme import mark_pixmap
from gpt_studio.gui.window import Window
from gpt_studio.gui.worker import Worker

log = logging.getLogger("gpt_studio")


class Terminator(QObject):
    """Tells when the system wants the program to end (shutdown, logout, kill), or Ctrl+C in its terminal.

    Python looks for signals only while Python runs: what they write wakes it.
    """

    wanted = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._awake, self._wake = socket.socketpair()
        for end in (self._awake, self._wake):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._awake.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(lambda: self._awake.recv(64))

    def install(self) -> None:
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), lambda *_: self.wanted.emit())


class ErrorCatcher(QObject):
    """Brings every uncaught exception, from any thread, to the window's thread as an event."""

    caught = Signal(object)  # Failed

    def install(self) -> None:
        sys.excepthook = self._catch
        threading.excepthook = lambda thrown: self._catch(
            thrown.exc_type, thrown.exc_value, thrown.exc_traceback
        )

    def _catch(
        self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        detail = "".join(traceback.format_exception(kind, error, trace))
        self.caught.emit(Failed("window", f"{kind.__name__}: {error}", detail=detail))


def start_log() -> None:
    """Write a log file that never grows beyond a few megabytes. A full or locked disk only costs the log."""
    try:
        file = RotatingFileHandler(
            paths.logs() / "gpt-studio.log",
            maxBytes=2**20,
            backupCount=2,
            delay=True,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError:
        return
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.addHandler(file)
    log.setLevel(logging.INFO)
    qInstallMessageHandler(_log_qt)


def _log_qt(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    serious = kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
    log.log(logging.WARNING if serious else logging.INFO, "Qt: %s", text)


def main(checkpoint: str = "") -> int:
    """Show the window, then load the engine; returns the exit code when the window is closed."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("gpt-studio")
    app.setApplicationDisplayName("GPT Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("gpt-studio")
    start_log()
    catcher = ErrorCatcher(app)
    catcher.caught.connect(lambda failure: log.error("%s\n%s", failure.what, failure.detail))
    catcher.install()
    window = Window(QSettings("gpt-studio", "gpt-studio"), Worker())
    app.setWindowIcon(QIcon(mark_pixmap(64)))
    catcher.caught.connect(window.store.failed)
    window.painted.connect(lambda: window.start(checkpoint))
    terminator = Terminator(app)
    terminator.wanted.connect(window.end)
    terminator.wanted.connect(app.quit)
    terminator.install()
    window.show()
    log.info("GPT Studio %s: the window is open", __version__)
    code = app.exec()
    if not window.worker.isFinished():  # in the middle of a long step; files are all written
        logging.shutdown()
        os._exit(code)
    return code
