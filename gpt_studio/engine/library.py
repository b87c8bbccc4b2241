"""Keep the texts read last, and read them once for all who want them at the same time."""

from __future__ import annotations

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.engine.corpora import Fingerprint, Work, fingerprint
from gpt_studio.engine.data import Dataset, may_be_left_out, prepare
from gpt_studio.engine.device import out_of_memory_explained

Wanted = tuple[DataConfig, tuple[Fingerprint, ...]]


class Library:
    """The data set of one config, as its files are on disk."""

    def __init__(self) -> None:
        self._held: tuple[Wanted, Dataset] | None = None
        self._reading: tuple[Wanted, Work[None]] | None = None

    def dataset(self, config: DataConfig) -> Work[Dataset]:
        """The texts of a config, read anew if their files changed.

        Two jobs that want the same take turns at reading it; when one is stopped, the other begins again.

        Raises:
            StudioError: no corpus is chosen, one cannot be used, or memory ran out.
        """
        files = []
        for name in config.corpora:
            with may_be_left_out(name, config):
                files.append((yield from fingerprint(name)))
        if config.tokenizer == "file":
            files.append((yield from fingerprint(config.tokenizer_file)))
        wanted = (config, tuple(files))
        while not (self._held and self._held[0] == wanted):
            if not (self._reading and self._reading[0] == wanted):
                self._reading = (wanted, self._read(wanted))
            yield from self._reading[1]
        return self._held[1]

    def _read(self, wanted: Wanted) -> Work[None]:
        try:
            with out_of_memory_explained(_no_room):
                self._held = (wanted, (yield from prepare(wanted[0])))
        finally:
            if self._reading and self._reading[0] == wanted:
                self._reading = None


def _no_room() -> StudioError:
    return StudioError(
        "There is not enough memory for these texts.",
        kept="Nothing was changed.",
        tries="Choose fewer or smaller corpora, or close other programs.",
    )
