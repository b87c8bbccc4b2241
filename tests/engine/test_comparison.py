"""Tokenizers side by side: every one on the same text, counted exactly, row by row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Compared, Progress
from gpt_studio.engine import comparison
from gpt_studio.engine.comparison import SAMPLE, compare
from gpt_studio.engine.tokenizer import Tokenizer
from gpt_studio.engine.tokenizers import tokenizer, write_tiktoken

TEXTS = ("The owl lives in the oak. ", "12 + 30 = 42\n") * 50


class Report:
    def __init__(self, data: DataConfig, size: int) -> None:
        self.data = data
        self.size = size


class Texts:
    """A data set of which only the texts are there."""

    def __init__(self, data: DataConfig, size: int = 0) -> None:
        self.tokenizer: Tokenizer = tokenizer("bytes")
        self.report: Any = Report(data, size)

    def sample_text(self, size: int) -> Iterator[str]:
        assert size == SAMPLE
        yield from TEXTS


def compared(data: DataConfig, size: int = 0) -> list[Compared]:
    events = list(compare(Texts(data.changed(tokenizer="bytes"), size), data))
    assert all(event.kind == "compare" for event in events if isinstance(event, Progress))
    return [event for event in events if isinstance(event, Compared)]


def test_each_row_tells_of_one_more_tokenizer() -> None:
    found = compared(DataConfig(bpe_size=270))
    names = ["characters", "bytes", "bpe", "gpt2"]
    assert [[row.tokenizer for row in event.rows] for event in found] == [names[: n + 1] for n in range(4)]
    assert all(event.data == DataConfig(bpe_size=270) for event in found)


def test_what_is_counted_is_exact() -> None:
    size = len("".join(TEXTS))
    (last,) = compared(DataConfig(bpe_size=270))[-1:]
    rows = {row.tokenizer: row for row in last.rows}
    assert last.size == size
    assert (rows["bytes"].tokens, rows["bytes"].bytes_per_token) == (size, 1.0)
    used = len(set("".join(TEXTS)))
    assert rows["bytes"].vocab_used == rows["characters"].vocab_used == used
    assert rows["characters"].vocab_size == used + 257
    assert rows["bpe"].vocab_size == 271
    ids = [tokenizer("gpt2").encode(text) for text in TEXTS]
    assert rows["gpt2"].tokens == sum(map(len, ids))
    assert rows["gpt2"].vocab_used == len({id for some in ids for id in some})
    assert rows["gpt2"].bytes_per_token == size / rows["gpt2"].tokens


def test_a_tokenizer_file_is_compared_if_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "some.tiktoken"
    write_tiktoken(tokenizer("gpt2"), path)
    rows = compared(DataConfig(tokenizer_file=str(path)))[-1].rows
    assert (rows[-1].tokenizer, rows[-1].vocab_size) == ("file", 50257)
    path.unlink()
    assert compared(DataConfig(tokenizer_file=str(path)))[-1].rows[-1].tokenizer == "gpt2"


@pytest.mark.parametrize(("size", "whole"), [(SAMPLE, True), (SAMPLE + 1, False)])
def test_it_says_whether_all_of_the_text_was_looked_at(size: int, whole: bool) -> None:
    assert {event.whole for event in compared(DataConfig(), size)} == {whole}


def test_the_tokenizer_in_use_is_not_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = comparison.open_tokenizer

    def open_tokenizer(data: DataConfig, *others: Any) -> Any:
        opened.append(data.tokenizer)
        return real(data, *others)

    monkeypatch.setattr(comparison, "open_tokenizer", open_tokenizer)
    compared(DataConfig(tokenizer="bytes"))
    assert "bytes" not in opened
    assert "characters" in opened


def test_a_tokenizer_that_cannot_be_learned_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(StudioError, match="could not be learned"):
        compared(DataConfig(bpe_size=4567))


def test_others_have_their_turn_between_texts() -> None:
    data = DataConfig()
    events = list(compare(Texts(data), data))
    assert events[: len(TEXTS)] == [None] * len(TEXTS)
