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
from gpt_studio.core.run_index import rename
from gpt_studio.core.settings import Value
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

    def ask(self, question: str) -> None:
        """Put a question to the model and wait for all of its answer."""
        turns = self.window.chat.conversation.turns
        before = len(turns)
        self.window.chat.send(question)
        self.wait(lambda: len(turns) > before and not self.store.state.generating)
        self.rest(0.3)

    def train_to(self, step: int) -> None:
        self.wait(lambda: self.store.state.step >= step)


def first_launch(photo: Photographer) -> None:
    photo.wait(lambda: photo.store.state.report is not None and photo.store.state.demo)
    photo.wait(lambda: photo.store.state.seconds_to_train is not None)
    photo.take("first-launch-dark")


def training(photo: Photographer) -> None:
    window, store = photo.window, photo.store
    window.files.train()
    photo.train_to(3000)
    store.save(str(photo.folder / "small-world.safetensors"))
    for question in ("Good morning, my name is Ada.", "What is my name?", "What is 7 plus 5?"):
        photo.ask(question)
    store.edit("sample", {"temperature": 1.0})
    window.chat.send("Tell me a story about the owl.")
    photo.wait(lambda: store.state.generating)
    photo.rest(1.0)
    loss = window.training_page.loss
    loss.show_cursor(1820)
    photo.take("training-dark")
    look.apply(LIGHT)
    photo.take("training-light")
    look.apply(DARK)
    window.resize(1100, 700)
    photo.rest(0.5)
    loss.show_cursor(1820)
    photo.take("training-dark-1100x700")
    window.resize(1440, 900)
    loss.hide_cursor()
    store.stop_generating()


def failure(photo: Photographer) -> None:
    """A plan that no model survives, and the banner that follows."""
    window, store = photo.window, photo.store
    store.stop_training()
    photo.wait(lambda: not store.state.running)
    store.edit(
        "train", {"optimizer": "adamw", "learning_rate": 1.0, "weight_decay": 5.0, "schedule": "constant"}
    )
    window.files.train()
    photo.wait(lambda: not window.banner.isHidden())
    photo.take("error-dark")
    window.banner.dismiss()


def data(photo: Photographer) -> None:
    window, store = photo.window, photo.store
    store.apply_preset(presets()[2])
    texts = ("world", "python-reference", "python-library")
    store.edit("data", {"corpora": texts, "weights": (50.0, 30.0, 20.0), "tokenizer": "bpe"})
    store.edit("model", {"embed_size": 100})
    window.show_page("data")
    photo.wait(lambda: store.state.report is not None)
    photo.rest(0.5)
    tokens = window.data_page.preview.tokens
    tokens.hovered.emit(20)  # as when a mouse points at it
    photo.take("data-dark")
    tokens.hovered.emit(-1)
    store.edit("data", {"corpora": ("world",), "weights": ()})
    store.reset()
    window.show_page("training")
    photo.wait(lambda: store.state.report is not None)


def runs(photo: Photographer) -> None:
    """Short runs that differ in one setting each, side by side."""
    window, store = photo.window, photo.store
    store.reset()
    photo.wait(lambda: store.state.report is not None)
    plans: dict[str, tuple[str, dict[str, Value]]] = {
        "muon": ("train", {"steps": 300, "evaluate_every": 30, "sample_every": 0}),
        "adamw": ("train", {"optimizer": "adamw"}),
        "adamw-dropout": ("model", {"dropout": 0.1}),
        "adamw-flat": ("train", {"schedule": "constant"}),
    }
    for name, (section, changes) in plans.items():
        store.edit(section, changes)
        window.files.train()
        photo.wait(lambda: store.state.training and store.state.run is not None)
        photo.wait(lambda: not store.state.training)
        rename(Path(store.state.folder), name)
    window.show_page("runs")
    photo.rest(3.0)
    photo.take("runs-dark")
    window.show_page("training")


SCENES = {
    "first-launch": first_launch, "data": data, "training": training, "failure": failure, "runs": runs,
}  # fmt: skip


def main() -> int:
    app = QApplication(sys.argv)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker()
        window = Window(QSettings(f"{folder}/settings.ini", QSettings.Format.IniFormat), worker)
        window.painted.connect(window.start)
        window.show()
        app.processEvents()
        window.resize(1440, 900)  # the pretended screen is smaller, and the columns follow the window
        photo = Photographer(window, Path(folder))
        try:
            for name, scene in SCENES.items():
                if name in (sys.argv[1:] or SCENES):
                    scene(photo)
        finally:
            window.close()
        app.processEvents()
    return 0


if __name__ == "__main__":
    sys.exit(main())
