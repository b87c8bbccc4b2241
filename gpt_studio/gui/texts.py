"""The texts and tokenizer files a person picks, and which paths may be read without being asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QWidget

from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import is_built_in, weights_after
from gpt_studio.gui.dialogs import ask_where_to_save
from gpt_studio.gui.files import remembered_folder, remembered_list
from gpt_studio.gui.store import Store

TEXTS = (
    "Text (*.txt *.md *.rst *.jsonl *.csv *.parquet *.py *.js *.ts *.c *.h *.cpp *.java *.rs *.go *.html)"
    ";;All files (*)"
)
TOKENIZERS = "Tokenizers (*.tiktoken *.json)"
EXPORTED = ".tiktoken"


class Texts:
    """Turns clicks on the Data page into the store's wishes."""

    def __init__(self, store: Store, settings: QSettings, parent: QWidget) -> None:
        self._store = store
        self._settings = settings
        self._window = parent
        self._tokenizers = set(remembered_list(settings, "tokenizers"))
        self._trusted = {*remembered_list(settings, "texts"), *self._tokenizers}

    def edit(self, changes: dict[str, Any]) -> None:
        """Change data settings; what a person chooses may be read from now on."""
        self._trusted |= _paths(self._store.state.config.data.changed(**changes))
        self._store.edit("data", changes)

    def trusts(self, data: DataConfig) -> bool:
        """Whether a person on this computer chose every path that reading these texts would open."""
        return _paths(data) <= self._trusted

    def add_files(self) -> None:
        """Ask for text files and learn from them too."""
        paths, _ = QFileDialog.getOpenFileNames(self._window, "Add text files", self._folder(), TEXTS)
        self.add(paths)

    def add_folder(self) -> None:
        """Ask for a folder of texts and learn from it too."""
        path = QFileDialog.getExistingDirectory(self._window, "Add a folder of text files", self._folder())
        self.add([path] if path else [])

    def add(self, paths: list[str]) -> None:
        data = self._store.state.config.data
        new = [path for path in paths if path not in data.corpora]
        if new:
            corpora = (*data.corpora, *new)
            self.edit({"corpora": corpora, "weights": weights_after(data.corpora, data.weights, corpora)})

    def choose_tokenizer(self) -> None:
        """Ask for a tokenizer file and use it."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Choose a tokenizer", self._folder(), TOKENIZERS)
        if path:
            self._tokenizers.add(path)
            self._settings.setValue("tokenizers", sorted(self._tokenizers))
            self.edit({"tokenizer": "file", "tokenizer_file": path})

    def export_tokenizer(self) -> None:
        """Ask where to write the tokenizer of the texts, and write it there."""
        name = self._store.state.config.data.tokenizer
        proposed = str(Path(self._folder()) / f"{name}{EXPORTED}")
        kind = f"Tokenizers (*{EXPORTED})"
        path = ask_where_to_save(self._window, "Export tokenizer", proposed, kind, EXPORTED)
        if path:
            self._store.export_tokenizer(path)

    def _folder(self) -> str:
        return remembered_folder(self._settings)


def _paths(data: DataConfig) -> set[str]:
    """The files and folders that reading the texts would open."""
    corpora = {name for name in data.corpora if not is_built_in(name)}
    return corpora | ({data.tokenizer_file} if data.tokenizer == "file" else set())
