"""Any bytes come back, published ids, no accidental special tokens; tokenizers learned, kept and stored."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import TOKENIZERS, DataConfig, expected_vocab_size
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.core.paths import resources
from gpt_studio.engine import bpe, bpe_learning, characters
from gpt_studio.engine.bpe import GPT2, FileBPE
from gpt_studio.engine.bpe_learning import learn_bpe
from gpt_studio.engine.characters import Characters
from gpt_studio.engine.corpora import Work
from gpt_studio.engine.tokenizer import Tokenizer
from gpt_studio.engine.tokenizers import open_tokenizer, tokenizer, tokenizer_from_dict

TEXTS = ("The owl lives in the hollow oak.\n", "Where does the owl live? 12 + 30 = 42\n", "Ünïcode – 漢字 😀")
NAMES = [choice.value for choice in TOKENIZERS]
each = pytest.mark.parametrize("name", NAMES)
any_character = st.characters(codec="utf-8")
any_code_point = st.characters()  # lone surrogates too
# Words the tokenizers know and such that they do not, end of text among them.
mixed = st.lists(
    st.sampled_from(("owl", " the", "42", "  ", "\n", "é", "字", "😀", "<|endoftext|>", "'s"))
).map("".join)


def done(work: Work[Any]) -> Any:
    """What a work comes to."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value


def learned(data: DataConfig, texts: Iterable[str], key: str) -> Tokenizer:
    size = sum(len(text.encode()) for text in texts)
    found: Tokenizer = done(open_tokenizer(data, lambda: iter(texts), size, key))
    return found


@cache
def opened(name: str) -> Tokenizer:
    if name == "file":  # ids in no order, one left free, and a text that is always a token
        tokens = opened("bpe").tokens  # type: ignore[attr-defined]
        ids = [2 * rank + 1 for rank in range(len(tokens))][::-1]
        return FileBPE(tokens, r"\p{L}+|\s+(?!\S)|\d", ids=ids, end=0, words={"  ": 2}, vocab_size=2000)
    return learned(DataConfig(tokenizer=name, bpe_size=300), TEXTS, "opened")


# ---------------------------------------------------------------- all of them


def test_the_form_and_the_engine_know_the_same_tokenizers() -> None:
    assert {choice.value: choice.label for choice in TOKENIZERS} == {n: opened(n).label for n in NAMES}
    for name in ("bytes", "gpt2", "bpe"):
        expected = expected_vocab_size(DataConfig(tokenizer=name, bpe_size=300))
        assert opened(name).vocab_size == expected


@each
@given(text=st.text(any_character) | mixed)
def test_text_comes_back(name: str, text: str) -> None:
    kind = opened(name)
    ids = kind.encode(text)
    assert kind.decode(ids) == text
    assert all(0 <= id < kind.vocab_size and id != kind.end for id in ids)
    assert kind.encode_bytes(text.encode()) == ids


@each
@given(data=st.binary() | st.tuples(mixed, st.binary(max_size=3), mixed).map(
    lambda parts: parts[0].encode() + parts[1] + parts[2].encode()))  # fmt: skip
def test_any_bytes_come_back(name: str, data: bytes) -> None:
    kind = opened(name)
    ids = kind.encode_bytes(data)
    assert kind.decode_bytes(ids) == data
    assert kind.end not in ids
    assert sum(kind.byte_lengths[ids].tolist()) == len(data)
    assert kind.decode(ids) == data.decode("utf-8", "replace")


@each
@given(text=st.text(any_code_point))
def test_half_characters_become_replacement_marks(name: str, text: str) -> None:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert opened(name).decode(opened(name).encode(text)) == whole


@each
@given(texts=st.lists(st.text(any_character) | mixed, max_size=8))
def test_a_batch_is_its_texts(name: str, texts: list[str]) -> None:
    kind = opened(name)
    batch = kind.encode_batch(texts)
    assert [ids.tolist() for ids in batch] == [kind.encode(text) for text in texts]
    assert all(ids.dtype == kind.dtype == np.uint16 for ids in batch)


@each
def test_end_of_text_is_never_made_from_text(name: str) -> None:
    kind = opened(name)
    for text in ("<|endoftext|>", "a<|endoftext|>b", "<|endoftext|>" * 3):
        assert kind.end not in kind.encode(text)
        assert kind.decode(kind.encode(text)) == text
    assert kind.raw(kind.end) == b""
    assert kind.decode([kind.end]) == ""
    assert kind.byte_lengths[kind.end] == 0


@each
def test_byte_lengths_are_those_of_the_tokens(name: str) -> None:
    kind = opened(name)
    assert kind.byte_lengths.shape == (kind.vocab_size,)
    assert kind.byte_lengths.tolist() == [len(kind.raw(id)) for id in range(kind.vocab_size)]


@each
def test_plain_data_opens_the_same_tokenizer(name: str) -> None:
    kind = opened(name)
    again = tokenizer_from_dict(json.loads(json.dumps(kind.to_dict())))
    text = "The owl’s  漢字 é 42 <|endoftext|>"
    assert type(again) is type(kind)
    assert again.key == kind.key
    assert (again.encode(text), again.end, again.vocab_size) == (kind.encode(text), kind.end, kind.vocab_size)


def test_different_tokenizers_have_different_keys() -> None:
    others = [
        learned(DataConfig(tokenizer="bpe", bpe_size=301), TEXTS, "others"),
        Characters("ab"),
        Characters("a"),
    ]
    assert len({kind.key for kind in [*map(opened, NAMES), *others]}) == len(NAMES) + len(others)


# ---------------------------------------------------------------- one by one


def test_gpt2_gives_the_published_ids() -> None:
    gpt2 = tokenizer("gpt2")
    assert gpt2.encode("Hello, I'm a language model,") == [15496, 11, 314, 1101, 257, 3303, 2746, 11]
    assert gpt2.encode("  two\n\n spaces \t1234567") == [220, 734, 628, 9029, 220, 197, 10163, 2231, 3134]
    assert gpt2.encode("In 2019") == [818, 13130]
    assert (gpt2.vocab_size, gpt2.end) == (50257, 50256)


def test_characters_of_ascii_are_those_seen_the_bytes_and_the_end() -> None:
    kind = learned(DataConfig(tokenizer="characters"), ["cab", "\nbad"], "ascii")
    assert kind.vocab_size == 5 + 256 + 1
    assert kind.encode("\nabcd") == [0, 1, 2, 3, 4]
    assert kind.encode("é") == [5 + 0xC3, 5 + 0xA9]
    assert kind.end == 261


def test_too_many_characters_leave_the_rarest_to_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(characters, "MOST", 3)
    kind = done(characters.learn_characters(lambda: iter(["zzyyx字字", None, "wzé"]), 12))
    assert kind.to_dict()["characters"] == "yz字"


@pytest.mark.parametrize("found", ["ba", "aa", "\ud800", "".join(map(chr, range(20_001)))])
def test_characters_that_no_text_gives_are_refused(found: str) -> None:
    with pytest.raises(StudioError):
        Characters(found)


def test_an_incomplete_character_is_a_replacement_mark() -> None:
    kind = tokenizer("bytes")
    assert kind.decode(kind.encode("é")[:1]) == "\ufffd"


def test_spaces_without_end_come_back() -> None:
    """They are more than the pattern's engine can take at a time."""
    text = " " * 1_200_000 + "x"
    assert tokenizer("gpt2").decode(tokenizer("gpt2").encode(text)) == text


def test_gpt2_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    assert GPT2().encode("The") == [464]


def test_a_tampered_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tokenizers" / "gpt2.tiktoken"
    file.parent.mkdir()
    shutil.copy(resources() / "tokenizers" / "gpt2.tiktoken", file)
    monkeypatch.setattr(bpe, "resources", lambda: tmp_path)
    GPT2()
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    with pytest.raises(StudioError, match=r"gpt2\.tiktoken is damaged"):
        GPT2()


def test_a_missing_table_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe, "resources", lambda: tmp_path)
    with pytest.raises(StudioError, match=r"gpt2\.tiktoken is missing"):
        GPT2()


# ---------------------------------------------------------------- learned ones


def test_own_bpe_keeps_digits_apart_and_words_together() -> None:
    kind = learned(DataConfig(tokenizer="bpe", bpe_size=600), ["the owl 42 हिन्दी\n"] * 9, "digits")
    pieces = [kind.decode([id]) for id in kind.encode("the owl 42 हिन्दी")]
    assert pieces == ["the", " owl", " ", "4", "2", " हिन्दी"]


def test_few_texts_give_fewer_tokens_than_asked() -> None:
    assert done(learn_bpe(lambda: iter(["ab"]), 2, 1000)).vocab_size == 256 + 1 + 1
    assert done(learn_bpe(lambda: iter([]), 0, 1000)).vocab_size == 256 + 1


def test_learning_is_deterministic() -> None:
    text = "".join(f"{number} owls and {number * 7} {chr(97 + number % 26)}ats. " for number in range(3000))
    first, second = (done(learn_bpe(lambda: iter([text]), len(text), 900)) for _ in range(2))
    assert first.tokens == second.tokens
    assert len(first.tokens) == len(set(first.tokens))


def test_progress_is_told_and_others_have_their_turn() -> None:
    texts: list[str | None] = ["the owl " * 20_000, None, "the oak " * 20_000]
    events = list(learn_bpe(lambda: iter(texts), 320_000, 300))
    told = [event for event in events if isinstance(event, Progress)]
    assert all(event.kind == "data" and "tokenizer" in event.text for event in told)
    counted = [event.done for event in told if event.total]
    assert counted == sorted(counted)
    assert counted[-1] <= 320_000
    assert None in events


def test_learning_that_is_stopped_leaves_no_process() -> None:
    def texts() -> Iterator[str]:
        while True:
            yield "the owl and the oak " * 1000

    before = set(psutil.Process().children())
    work = learn_bpe(texts, 10**9, 1000)
    for _ in range(50):
        next(work)
    assert set(psutil.Process().children()) - before
    work.close()
    assert set(psutil.Process().children()) == before


def test_a_process_that_does_not_listen_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is while it merges."""
    (tmp_path / "process.py").write_text("import time; time.sleep(1000)")
    monkeypatch.setattr(bpe_learning, "PROCESS", tmp_path / "process.py")
    work = learn_bpe(lambda: iter(["the owl"]), 7, 300)
    for _ in range(5):
        next(work)
    work.close()


def test_much_text_is_learned_from_an_even_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe_learning, "LEARNED_FROM", 30_000)
    texts = ["a" * 10_000, "b" * 280_000, "c" * 10_000]
    meter = bpe_learning.Meter("", 0)
    kept = b"".join(bpe_learning._spread(lambda: iter(texts), 300_000, meter))
    assert 25_000 < len(kept) < 50_000
    assert set(kept) >= set(b"ab")


@pytest.mark.parametrize("fault", ["missing", "failing"])
def test_a_process_that_fails_is_explained(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if fault == "missing":
        monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    else:
        (tmp_path / "process.py").write_text("raise SystemExit('no memory')")
        monkeypatch.setattr(bpe_learning, "PROCESS", tmp_path / "process.py")
    with pytest.raises(StudioError, match="could not be learned"):
        done(learn_bpe(lambda: iter(["the owl " * 100_000] * 20), 16_000_000, 300))
    assert fault == "missing" or "no memory" in caplog.text


@pytest.mark.parametrize("name", ["characters", "bpe"])
def test_what_was_learned_is_found_again(name: str) -> None:
    def no_texts() -> Iterator[str]:
        raise AssertionError("the texts were read again")

    data = DataConfig(tokenizer=name, bpe_size=270)
    first = learned(data, TEXTS, f"kept {name}")
    found = done(open_tokenizer(data, no_texts, 100, f"kept {name}"))
    assert found.key == first.key
    with pytest.raises(AssertionError, match="read again"):
        done(open_tokenizer(data, no_texts, 100, "other texts"))


def test_another_size_is_learned_anew() -> None:
    data = DataConfig(tokenizer="bpe", bpe_size=270)
    assert learned(data, TEXTS, "sizes").vocab_size == 271
    assert learned(data.changed(bpe_size=280), TEXTS, "sizes").vocab_size == 281


def test_the_process_needs_nothing_of_the_program() -> None:
    """It starts at once only if it loads nothing else."""
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-P", "-c", code, str(bpe_learning.PROCESS)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"gpt_studio", "numpy", "torch"} & set(found.stdout.split())


# ---------------------------------------------------------------- a stranger's data


@pytest.mark.parametrize("data", [{}, {"name": "klingon"}, {"name": ["bytes"]}, {"name": "file "}])
def test_an_unknown_tokenizer_is_explained(data: dict[str, object]) -> None:
    with pytest.raises(StudioError, match="no tokenizer"):
        tokenizer_from_dict(data)


nonsense = st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.just({"a": "b"})


@pytest.mark.parametrize("name", ["characters", "bpe", "file"])
@given(field=st.integers(1, 9), value=nonsense, gone=st.booleans())
def test_a_strangers_tokenizer_works_or_is_refused(name: str, field: int, value: object, gone: bool) -> None:
    data = dict(opened(name).to_dict())
    key = list(data)[1 + field % (len(data) - 1)]
    data.pop(key)
    if not gone:
        data[key] = value
    try:
        found = tokenizer_from_dict(data)
    except StudioError:
        return
    assert found.vocab_size <= bpe.MOST
    assert found.decode(found.encode("The owl 字")) == "The owl 字"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"vocab_size": 10**9}, "too many"),
        ({"end": 10**9}, "too many"),
        ({"end": 1}, "do not fit"),
        ({"end": -1}, "do not fit"),
        ({"words": {"\ud800": 4}}, "half a character"),
        ({"words": {"": 4}}, "empty"),
        ({"tokens": "AQBh"}, "do not fit"),
        ({"pattern": r"(a|aa)+(?!b)c|."}, "looks around"),
        ({"pattern": "("}, "fails"),
        ({"pattern": r"a*"}, "fails"),
        ({"pattern": r"(\p{L}{1000}){1000}"}, "fails"),
        ({"pattern": "a" * 5000}, "too long"),
    ],
)
def test_a_strangers_file_tokenizer_is_refused_in_words(change: dict[str, object], why: str) -> None:
    with pytest.raises(StudioError, match=why):
        tokenizer_from_dict({**opened("file").to_dict(), **change})
