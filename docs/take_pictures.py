"""Take the pictures of the README: the real window, offscreen, with the real engine at work.

    python docs/take_pictures.py

It takes a few minutes on two cores. Names of scenes take only those (a failure needs the training before).
All that is shown was computed while the pictures were taken.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QEventLoop, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from gpt_studio.core.presets import presets
from gpt_studio.gui.theme import DARK, LIGHT, look
from gpt_studio.gui.window import Window
from gpt_studio.gui.worker import Worker

FOLDER = Path(__file__).parent / "pictures"


class Photographer:
    """Works the window like a person and takes its picture."""

    def __init__(self, window: Window, folder: Path) -> None:
        self.window = window
        self.folder = folder  # for a checkpoint, gone afterwards
        self.store = window.store

    def wait(self, condition: Callable[[], bool], seconds: float = 600) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(self.window.status.text())
            self.rest(0.02)

    def rest(self, seconds: float) -> None:
        """Let events be handled. An event loop of its own lets the engine's thread run; `qWait` does not."""
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def take(self, name: str) -> None:
        self.rest(0.4)  # let read-outs and charts catch up
        self.window.grab().save(str(FOLDER / f"{name}.png"))
        print(name, self.window.size().toTuple(), self.window.status.text())

    def say(self, text: str) -> None:
        self.window.chat.send(text)

    def train_to(self, step: int) -> None:
        self.wait(lambda: self.store.state.step >= step)


def first_launch(photo: Photographer) -> None:
    photo.wait(lambda: photo.store.state.report is not None)
    photo.take("first-launch-dark")


def training(photo: Photographer) -> None:
    window, store = photo.window, photo.store
    window.files.train()
    photo.train_to(1000)
    store.save(str(photo.folder / "python-tiny.safetensors"))
    store.edit("sample", {"max_tokens": 160, "temperature": 0.9})
    photo.say("The value of an attribute ")
    photo.wait(lambda: not store.state.generating)
    photo.train_to(1100)
    store.edit("sample", {"max_tokens": 10_000})
    photo.say("If the function ")
    photo.wait(lambda: store.state.generating)
    photo.rest(2.5)
    loss = window.training_page.loss
    loss.show_cursor(820)
    photo.take("training-dark")
    look.apply(LIGHT)
    photo.take("training-light")
    look.apply(DARK)
    window.resize(1100, 700)
    photo.rest(0.5)
    loss.show_cursor(820)
    photo.take("training-dark-1100x700")
    window.resize(1440, 900)
    loss.hide_cursor()
    store.stop_generating()


def failure(photo: Photographer) -> None:
    """A plan that no model survives, and the banner that follows."""
    window, store = photo.window, photo.store
    store.stop_training()
    photo.wait(lambda: not store.state.running)
    store.edit("train", {"learning_rate": 1.0, "weight_decay": 5.0, "schedule": "constant"})
    window.files.train()
    photo.wait(lambda: not window.banner.isHidden())
    photo.take("error-dark")
    window.banner.dismiss()


def data(photo: Photographer) -> None:
    window, store = photo.window, photo.store
    store.apply_preset(presets()[2])
    store.edit("data", {"corpora": ("python-reference", "python-library")})
    store.edit("model", {"embed_size": 100})
    window.show_page("data")
    photo.wait(lambda: store.state.report is not None)
    photo.rest(0.5)
    tokens = window.data_page.preview.tokens
    tokens.hovered.emit(20)  # as when a mouse points at it
    photo.take("data-dark")
    tokens.hovered.emit(-1)
    store.edit("data", {"corpora": ("python-reference",)})
    store.reset()
    window.show_page("training")
    photo.wait(lambda: store.state.report is not None)


SCENES = {"first-launch": first_launch, "data": data, "training": training, "failure": failure}


def main() -> int:
    app = QApplication(sys.argv)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker()
        window = Window(QSettings(f"{folder}/settings.ini", QSettings.Format.IniFormat), worker)
        window.painted.connect(window.start)
        window.show()
        photo = Photographer(window, Path(folder))
        try:
            for name, scene in SCENES.items():
                if name in (sys.argv[1:] or SCENES):
                    scene(photo)
        finally:
            worker.close()
        app.processEvents()
    return 0


if __name__ == "__main__":
    sys.exit(main())
