"""Round trips, published ids, no accidental special tokens, and a file that cannot be trusted."""

import shutil
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import TOKENIZERS, VOCAB_SIZES
from gpt_studio.core.errors import StudioError
from gpt_studio.core.paths import resources
from gpt_studio.engine import tokenizers
from gpt_studio.engine.tokenizers import GPT2, KINDS, tokenizer, tokenizer_from_dict

NAMES = [kind.name for kind in KINDS]
each = pytest.mark.parametrize("name", NAMES)
any_character = st.characters(codec="utf-8")
any_code_point = st.characters()  # lone surrogates too


def test_the_form_and_the_engine_know_the_same_tokenizers() -> None:
    assert {choice.value: choice.label for choice in TOKENIZERS} == {n: tokenizer(n).label for n in NAMES}
    assert {n: tokenizer(n).vocab_size for n in NAMES} == VOCAB_SIZES


@each
@given(text=st.text(any_character))
def test_text_comes_back(name: str, text: str) -> None:
    kind = tokenizer(name)
    ids = kind.encode(text)
    assert kind.decode(ids) == text
    assert all(0 <= id < kind.vocab_size and id != kind.end for id in ids)


@each
@given(text=st.text(any_code_point))
def test_half_characters_become_replacement_marks(name: str, text: str) -> None:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert tokenizer(name).decode(tokenizer(name).encode(text)) == whole


@given(data=st.binary())
def test_any_bytes_are_tokens(data: bytes) -> None:
    assert tokenizer("bytes").decode_bytes(list(data)) == data
    assert tokenizer("bytes").decode(list(data)) == data.decode("utf-8", "replace")


@each
@given(texts=st.lists(st.text(any_character), max_size=8))
def test_a_batch_is_its_texts(name: str, texts: list[str]) -> None:
    kind = tokenizer(name)
    batch = kind.encode_batch(texts)
    assert [ids.tolist() for ids in batch] == [kind.encode(text) for text in texts]
    assert all(ids.dtype == kind.dtype == np.uint16 for ids in batch)


@each
def test_end_of_text_is_never_made_from_text(name: str) -> None:
    kind = tokenizer(name)
    for text in ("<|endoftext|>", "a<|endoftext|>b", "<|endoftext|>" * 3):
        assert kind.end not in kind.encode(text)
        assert kind.decode(kind.encode(text)) == text
    assert kind.end == kind.vocab_size - 1
    assert kind.raw(kind.end) == b""
    assert kind.decode([kind.end]) == ""


@each
def test_every_id_has_its_own_bytes(name: str) -> None:
    kind = tokenizer(name)
    pieces = [kind.raw(id) for id in range(kind.vocab_size)]
    assert len(set(pieces)) == kind.vocab_size


def test_gpt2_gives_the_published_ids() -> None:
    gpt2 = tokenizer("gpt2")
    assert gpt2.encode("Hello, I'm a language model,") == [15496, 11, 314, 1101, 257, 3303, 2746, 11]
    assert gpt2.encode("  two\n\n spaces \t1234567") == [220, 734, 628, 9029, 220, 197, 10163, 2231, 3134]
    assert gpt2.encode("In 2019") == [818, 13130]


def test_an_incomplete_character_is_a_replacement_mark() -> None:
    kind = tokenizer("bytes")
    assert kind.decode(kind.encode("é")[:1]) == "\ufffd"


@each
def test_a_checkpoint_opens_the_same_tokenizer(name: str) -> None:
    assert tokenizer_from_dict(tokenizer(name).to_dict()) is tokenizer(name)


@pytest.mark.parametrize("data", [{}, {"name": "klingon"}, {"name": ["bytes"]}])
def test_an_unknown_tokenizer_is_explained(data: dict[str, object]) -> None:
    with pytest.raises(StudioError, match="no tokenizer"):
        tokenizer_from_dict(data)


def test_gpt2_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    assert GPT2().encode("The") == [464]


def test_a_tampered_table_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tokenizers" / "gpt2.tiktoken"
    file.parent.mkdir()
    shutil.copy(resources() / "tokenizers" / "gpt2.tiktoken", file)
    monkeypatch.setattr(tokenizers, "resources", lambda: tmp_path)
    GPT2()
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    with pytest.raises(StudioError, match=r"gpt2\.tiktoken is damaged"):
        GPT2()


def test_a_missing_table_is_explained(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizers, "resources", lambda: tmp_path)
    with pytest.raises(StudioError, match=r"gpt2\.tiktoken is missing"):
        GPT2()
