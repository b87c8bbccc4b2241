"""Bad input in the real window with the real engine: a banner that explains, and nothing changed."""

import json
import struct
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QEventLoop, QSettings, QTimer
from safetensors.torch import save_file

from gpt_studio.core.findings import findings
from gpt_studio.core.runs import RunFolder, read_metrics
from gpt_studio.engine import checkpoint
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.window import Window
from gpt_studio.gui.worker import Worker

PATIENCE = 60_000  # ms
TEXT = "The owl counts the stars. One, two, three.\n"


@pytest.fixture(scope="module")
def window(qapp, tmp_path_factory):
    """One window with a trained, saved model; each test must leave it as it was."""
    folder = tmp_path_factory.mktemp("window")
    corpus = folder / "owl.txt"
    corpus.write_text(TEXT * 200)
    window = Window(QSettings(str(folder / "s.ini"), QSettings.Format.IniFormat), Worker())
    window.show()
    window.start()
    store = window.store
    store.edit("data", {"corpora": (str(corpus),)})
    store.edit("model", {"num_layers": 1, "heads": 1, "embed_size": 16, "max_length": 16})
    store.edit("train", {"steps": 5, "batch_size": 2, "evaluate_every": 5, "sample_every": 0})
    wait(window, lambda: store.state.awake and store.state.report is not None)
    store.press_primary()
    wait(window, lambda: store.state.step == 5 and not store.state.running)
    store.save(str(folder / "owl.safetensors"))
    wait(window, lambda: store.state.saved_step == 5 and not store.state.running)
    window.folder = folder
    yield window
    assert window.worker.close()
    window.close()
    window.deleteLater()


def wait(window, condition):
    """Let the window work until a condition holds."""
    loop = QEventLoop()
    tick = QTimer(interval=10)
    tick.timeout.connect(lambda: loop.quit() if condition() else None)
    tick.start()
    QTimer.singleShot(PATIENCE, loop, loop.quit)
    loop.exec()
    assert condition(), window.status.text()


def told(window):
    """Wait for the banner, read it, put it away."""
    wait(window, lambda: not window.banner.isHidden() and not window.store.state.running)
    text = window.banner.text()
    window.banner.dismiss()
    return text


def header(path, metadata):
    """A safetensors file with this metadata and no tensors."""
    plain = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(struct.pack("<Q", len(plain)) + plain)


def a_folder(path, good):
    path.mkdir()


def truncated(path, good):
    path.write_bytes(good[: len(good) // 2])


def cut_in_the_header(path, good):
    path.write_bytes(good[:40])


def an_empty_file(path, good):
    path.touch()


def noise(path, good):
    path.write_bytes(bytes(range(256)) * 50)


def a_text(path, good):
    path.write_text("Dear diary")


def of_another_program(path, good):
    save_file({"transformer.wte.weight": torch.zeros(4, 4)}, path)


def of_the_future(path, good):
    header(path, {"format": "gpt-studio/99"})


def without_tensors(path, good):
    size = struct.unpack("<Q", good[:8])[0]
    header(path, json.loads(good[8 : 8 + size])["__metadata__"])


def missing(path, good):
    pass


FILES = (
    a_folder,
    truncated,
    cut_in_the_header,
    an_empty_file,
    noise,
    a_text,
    of_another_program,
    of_the_future,
    without_tensors,
    missing,
)


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_a_wrong_checkpoint(window, tmp_path, make):
    path = tmp_path / "wrong.safetensors"
    make(path, (window.folder / "owl.safetensors").read_bytes())
    before = window.store.state
    window.store.open(str(path))
    text = told(window)
    assert len(text.splitlines()) >= 2, "what happened, and what was kept or to try"
    assert "Error" not in text
    assert "went wrong" not in text
    assert window.store.state == before


CORPORA = {
    "not found": lambda path: None,
    "no text files": lambda path: path.mkdir(),
    "empty": lambda path: path.touch(),
    "not a text file": lambda path: path.write_bytes(b"\x7fELF\0\0\0\0"),
}


@pytest.mark.parametrize(("says", "make"), CORPORA.items())
def test_a_wrong_corpus(window, tmp_path, says, make):
    path = tmp_path / "corpus.txt"
    make(path)
    before = window.store.state
    window.store.edit("data", {"corpora": (*before.config.data.corpora, str(path))})
    wait(window, lambda: not window.banner.isHidden())
    leave_out = next(b for b in window.banner.findChildren(Button) if b.text() == "Leave out corpus.txt")
    assert says in window.banner.text()
    leave_out.click()
    wait(window, lambda: window.store.state.report is not None and not window.store.state.running)
    assert window.store.state.model == before.model
    assert window.store.state.config == before.config


def test_an_old_encoding_is_read_and_said(window, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_bytes("Die Füchse wohnen im Wäldchen, die Eulen im alten Baum. ".encode("latin-1") * 400)
    window.store.edit("data", {"corpora": (str(path),)})
    wait(window, lambda: window.store.state.report is not None and not window.store.state.running)
    state = window.store.state
    assert "Füchse" in "".join(token.text for token in state.report.previews[0].tokens)
    assert "encoding" in [finding.name for finding in findings(state.report, state.config)]
    window.store.undo()
    wait(window, lambda: window.store.state.report is not None and not window.store.state.running)


def test_a_corpus_shorter_than_a_context(window, tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("Too short.")
    before = window.store.state
    window.store.edit("data", {"corpora": (str(path),)})
    wait(window, lambda: window.store.state.report is not None and not window.store.state.running)
    window.store.press_primary()
    text = told(window)
    assert "shorter than one context" in text
    assert "context 8" in text
    assert window.store.state.model == before.model
    window.store.undo()
    wait(window, lambda: window.store.state.config == before.config and not window.store.state.running)


@pytest.mark.parametrize("place", ["no/such/folder/a.safetensors", "."])
def test_a_place_that_cannot_be_written(window, tmp_path, place):
    before = window.store.state
    window.store.save(str(tmp_path / place))
    assert "not saved" in told(window)
    assert window.store.state == before
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_saving(window):
    resource = pytest.importorskip("resource")  # a limit on a file's size is how a full disk is pretended
    path = window.folder / "owl.safetensors"
    good, before = path.read_bytes(), window.store.state
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, hard))
    try:
        window.store.save(str(path))
        assert "not saved" in told(window)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == good
    assert sorted(file.name for file in window.folder.glob("owl*")) == ["owl.safetensors", "owl.txt"]
    assert window.store.state == before


def test_a_run_s_folder_that_goes_while_training_comes_back(window, tmp_path):
    """The last test here: it trains on."""
    store = window.store
    store.edit("train", {"steps": 1_000_000, "evaluate_every": 1_000_000})
    store.press_primary()
    wait(window, lambda: store.state.training and store.state.step > 10)
    folder = RunFolder(Path(store.state.folder))
    folder.path.rename(tmp_path / "elsewhere")
    wait(window, lambda: not window.banner.isHidden())
    assert "cannot be written" in window.banner.text()
    assert store.state.not_kept
    step = store.state.step
    wait(window, lambda: store.state.step > step)
    wait(window, lambda: not store.state.not_kept)
    assert window.banner.isHidden()
    store.stop_training()
    wait(window, lambda: not store.state.running)
    assert checkpoint.load(folder.last).step == store.state.step
    assert list(read_metrics(folder.metrics).steps) == list(range(1, store.state.step + 1))
