"""Files of ranks go out and come back; Hugging Face's give the ids of their own rules, or are refused."""

import base64
import json
import os
import random
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import regex  # tiktoken needs it, too
from hypothesis import assume, event, given
from hypothesis import strategies as st

from gpt_studio.core.errors import StudioError
from gpt_studio.engine import patterns, tokenizer_files
from gpt_studio.engine.bpe import BPE, FileBPE, OwnBPE
from gpt_studio.engine.bpe_learning import learn_bpe
from gpt_studio.engine.characters import Characters
from gpt_studio.engine.huggingface import ALPHABET, from_tokenizer_json
from gpt_studio.engine.tokenizers import read_tokenizer_file, tokenizer, write_tiktoken

SIGNS = {byte: sign for sign, byte in ALPHABET.items()}
TEXT = "The owl's 1st oak;  it's 2026!\n\n\tÜn 漢字 😀 हिन्दी <|endoftext|> a\u00a0b"
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WHOLE = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
CUT = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


def split(pattern: str, **changes: object) -> dict[str, object]:
    step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [{**step, **changes}, WHOLE]}


def signs(data: bytes) -> str:
    return "".join(SIGNS[byte] for byte in data)


def tokenizer_json(merges: list[tuple[str, str]], **changes: Any) -> dict[str, Any]:
    """A tokenizer.json whose tokens are all bytes and what the merges make."""
    vocabulary: dict[str, int] = {}
    for token in [*map(signs, map(bytes, zip(range(256)))), *(left + right for left, right in merges)]:
        vocabulary.setdefault(token, len(vocabulary))
    model = {"type": "BPE", "vocab": vocabulary, "merges": [f"{left} {right}" for left, right in merges]}
    return {"model": model | changes.pop("model", {}), "pre_tokenizer": CUT, **changes}


@cache
def own() -> OwnBPE:
    work = learn_bpe(lambda: iter([TEXT * 20, "the owl and the oak " * 20]), 2000, 300)
    try:
        while True:
            next(work)
    except StopIteration as end:
        found: OwnBPE = end.value
        return found


# ---------------------------------------------------------------- tables of ranks


@pytest.mark.parametrize("name", ["own", "gpt2", "file"])
def test_what_was_exported_comes_back(name: str, tmp_path: Path) -> None:
    file = FileBPE(own().tokens, GPT4, ids=range(3, 303), end=1, words={"  ": 500}, vocab_size=600)
    kind = {"own": own(), "gpt2": tokenizer("gpt2"), "file": file}[name]
    assert isinstance(kind, BPE)
    path = tmp_path / "mine.tiktoken"
    assert write_tiktoken(kind, path) == path.stat().st_size
    found = read_tokenizer_file(path)
    assert found.encode(TEXT) == kind.encode(TEXT)
    assert (found.end, found.vocab_size, found.pattern) == (kind.end, kind.vocab_size, kind.pattern)
    ids = range(kind.vocab_size)
    assert found.decode_bytes(ids) == kind.decode_bytes(ids)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.tiktoken", "mine.tiktoken.json"]


def test_ranks_alone_are_cut_as_gpt2_does(tmp_path: Path) -> None:
    path = tmp_path / "gpt2.tiktoken"
    write_tiktoken(tokenizer("gpt2"), path)
    (tmp_path / "gpt2.tiktoken.json").unlink()
    found = read_tokenizer_file(path)
    assert found.encode(TEXT) == tokenizer("gpt2").encode(TEXT)
    assert (found.end, found.vocab_size) == (50256, 50257)


def test_a_table_is_read_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "mine.tiktoken"
    write_tiktoken(own(), path)
    first = read_tokenizer_file(path)
    assert read_tokenizer_file(path) is first
    write_tiktoken(tokenizer("gpt2"), path)
    assert read_tokenizer_file(path).vocab_size == 50257


@pytest.mark.parametrize("name", ["bytes", "characters"])
def test_a_tokenizer_without_ranks_is_not_exported(name: str, tmp_path: Path) -> None:
    kind = Characters("abc") if name == "characters" else tokenizer("bytes")
    with pytest.raises(StudioError, match=f"“{kind.label}” has no ranks"):
        write_tiktoken(kind, tmp_path / "mine.tiktoken")
    assert not list(tmp_path.iterdir())


def test_ids_that_are_no_ranks_are_not_exported(tmp_path: Path) -> None:
    kind = FileBPE(own().tokens, GPT4, ids=range(299, -1, -1))
    with pytest.raises(StudioError, match="not in the order"):
        write_tiktoken(kind, tmp_path / "mine.tiktoken")


def test_a_failed_export_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.tiktoken"
    write_tiktoken(own(), path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for place, step in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(place, step, full)
            with pytest.raises(StudioError, match="not exported: No space left"):
                write_tiktoken(tokenizer("gpt2"), path)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    with pytest.raises(StudioError, match="not exported"):
        write_tiktoken(own(), tmp_path / "nowhere" / "mine.tiktoken")


ALL = b"".join(b"%s %d\n" % (base64.b64encode(bytes((byte,))), byte) for byte in range(256))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "damaged"),
        (b"The owl lives in the oak.\n", "damaged"),
        (b"\x00\xff\xfe", "damaged"),
        (b"IQ== 0 1\n", "damaged"),
        (b"IQ== 0\n", "every byte"),
        (ALL + b"IQ== 256\n", None),  # the last one counts, and a rank is free
        (ALL + b"ISE= 255\n", "do not fit"),
        (ALL + b"ISE= -1\n", "do not fit"),
        (ALL + b"ISE= 99999999999\n", "too many"),
        (ALL + b" 256\n", "damaged"),
        (b"{", "damaged"),
        (b"{}", "damaged"),
        (b'{"model": []}', "damaged"),
        (b'{"a":' * 100_000, "damaged"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, why: str | None, tmp_path: Path) -> None:
    path = tmp_path / "some.tiktoken"
    path.write_bytes(data)
    if why is None:
        assert read_tokenizer_file(path).vocab_size == 258
        return
    with pytest.raises(StudioError, match=why):
        read_tokenizer_file(path)


@pytest.mark.parametrize("beside", [b"[]", b"{}x", b'{"pattern": "("}', b'{"special_tokens": []}'])
def test_a_damaged_file_beside_a_table_is_refused(beside: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.tiktoken"
    path.write_bytes(ALL)
    (tmp_path / "some.tiktoken.json").write_bytes(beside)
    with pytest.raises(StudioError):
        read_tokenizer_file(path)


def test_a_file_that_is_not_there_or_too_large_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudioError, match=r"“no\.json” cannot be read"):
        read_tokenizer_file(tmp_path / "no.json")
    with pytest.raises(StudioError, match="no file"):
        read_tokenizer_file(tmp_path)
    monkeypatch.setattr(tokenizer_files, "LARGEST", 100)
    (tmp_path / "large.tiktoken").write_bytes(ALL)
    with pytest.raises(StudioError, match="too large"):
        read_tokenizer_file(tmp_path / "large.tiktoken")


# ---------------------------------------------------------------- Hugging Face


def merged(text: bytes, merges: list[tuple[str, str]], vocabulary: dict[str, int], whole: bool) -> list[int]:
    """The ids of one piece by Hugging Face's rule: the listed pair that comes first, from the left."""
    parts = [signs(bytes((byte,))) for byte in text]
    if whole and "".join(parts) in vocabulary:
        return [vocabulary["".join(parts)]]
    while found := [(merges.index(pair), at) for at, pair in enumerate(pairwise(parts)) if pair in merges]:
        at = min(found)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [vocabulary[part] for part in parts]


@given(st.data())
def test_any_merges_give_the_listed_ids_or_are_refused(data: st.DataObject) -> None:
    tokens = ["a", "b", "c"]
    merges: list[tuple[str, str]] = []
    for _ in range(data.draw(st.integers(1, 8))):
        pair = (data.draw(st.sampled_from(tokens)), data.draw(st.sampled_from(tokens)))
        if pair not in merges:
            merges.append(pair)
            tokens += [pair[0] + pair[1]] * (pair[0] + pair[1] not in tokens)
    if data.draw(st.booleans()):  # every pair that gives a token, as Llama 3 lists them
        cuts = ((token[:at], token[at:]) for token in tokens for at in range(1, len(token)))
        merges = [pair for pair in cuts if pair[0] in tokens and pair[1] in tokens]
    if data.draw(st.integers(0, 3)) == 0:
        merges = data.draw(st.permutations(merges))
    whole = data.draw(st.booleans())
    content = tokenizer_json(merges, model={"ignore_merges": whole})
    vocabulary = content["model"]["vocab"]
    if data.draw(st.booleans()):
        vocabulary.setdefault(data.draw(st.text("abc", min_size=2, max_size=5)), len(vocabulary))
    try:
        kind = from_tokenizer_json(content)
    except StudioError:
        event("refused")
        assume(False)
    texts = [*tokens, *data.draw(st.lists(st.text("abc", max_size=24), min_size=20, max_size=20))]
    for text in texts:
        assert kind.encode(text) == merged(text.encode(), merges, vocabulary, whole)


@pytest.mark.parametrize(
    ("merges", "text", "ids"),
    [
        ("bc ab ab+c", "abc", ["a", "bc"]),  # something is merged across the middle, from the left side
        ("ab bc a+bc", "abc", ["ab", "c"]),  # and from the right side
        ("aa ba ba+aa", "baaa", ["b", "aa", "a"]),  # and at the same rank, where the left one goes first
    ],
)
def test_a_token_no_merge_leads_to_is_not_made(merges: str, text: str, ids: list[str]) -> None:
    content = tokenizer_json(listed(merges))
    vocabulary = content["model"]["vocab"]
    assert merged(text.encode(), listed(merges), vocabulary, False) == [vocabulary[token] for token in ids]
    assert from_tokenizer_json(content).encode(text) == [vocabulary[token] for token in ids]


@pytest.mark.parametrize(
    "merges",
    [
        "bc ab ab+c bc+d a+bc",  # the pair that makes "abc" comes after "bcd"
        "ab+c ab",  # a merge of what is made later
    ],
)
def test_merges_whose_order_ranks_cannot_have_are_refused(merges: str) -> None:
    with pytest.raises(StudioError, match="order of its merges"):
        from_tokenizer_json(tokenizer_json(listed(merges)))


def listed(merges: str) -> list[tuple[str, str]]:
    """ "ab ab+c": a with b, then ab with c."""
    pairs = [tuple(merge.split("+")) if "+" in merge else (merge[0], merge[1]) for merge in merges.split()]
    return [(left, right) for left, right in pairs]


def test_a_byte_pair_encoding_as_it_is_learned_is_never_refused() -> None:
    """Merges of the most frequent pairs of a text, which are what such files hold."""
    dice = random.Random(7)
    for _ in range(20):
        words = ["".join(dice.choices("abcd", [8, 4, 2, 1], k=dice.randrange(1, 9))) for _ in range(60)]
        merges = learned_merges(words, 40)
        kind = from_tokenizer_json(tokenizer_json(merges))
        vocabulary = tokenizer_json(merges)["model"]["vocab"]
        assert len(kind.tokens) == len(vocabulary)
        for word in words:
            assert kind.encode(word) == merged(word.encode(), merges, vocabulary, False)


def learned_merges(words: list[str], count: int) -> list[tuple[str, str]]:
    parts = [list(word) for word in words]
    merges: list[tuple[str, str]] = []
    for _ in range(count):
        pairs = [pair for word in parts for pair in pairwise(word)]
        if not pairs:
            break
        best = max(sorted(set(pairs)), key=pairs.count)
        merges.append(best)
        for word in parts:
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == best:
                    word[at : at + 2] = ["".join(best)]
                at += 1
    return merges


@pytest.mark.parametrize("pairs", [True, False])
def test_merges_may_be_written_as_pairs_or_texts(pairs: bool) -> None:
    content = tokenizer_json([("o", "w"), ("ow", "l"), ("Ġ", "owl")])
    if pairs:
        content["model"]["merges"] = [["o", "w"], ["ow", "l"], ["Ġ", "owl"]]
    assert from_tokenizer_json(content).encode("owl owl") == [257, 258]


def test_special_tokens_are_not_text_and_the_end_is_known() -> None:
    content = tokenizer_json([("o", "w")])
    content["added_tokens"] = [
        {"id": 300, "content": "<|im_start|>", "special": True},
        {"id": 301, "content": "<|endoftext|>", "special": True},
        {"id": 302, "content": "   ", "special": False},
        {"id": 303, "content": "  ", "special": False},
    ]
    kind = from_tokenizer_json(content)
    assert (kind.end, kind.vocab_size) == (301, 304)
    assert kind.encode("ow    ow") == [256, 302, 32, 256]  # the longest first
    for text in ("<|im_start|>", "<|endoftext|>"):
        assert kind.decode(kind.encode(text)) == text
        assert not {300, 301} & set(kind.encode(text))
    assert kind.raw(300) == kind.raw(301) == b""


def test_a_file_without_an_end_of_text_gets_one_and_missing_bytes_too() -> None:
    content = tokenizer_json([("o", "w")])
    del content["model"]["vocab"][signs(b"\xff")]
    kind = from_tokenizer_json(content)
    assert (kind.encode_bytes(b"\xff"), kind.end, kind.vocab_size) == ([257], 258, 259)


@pytest.mark.parametrize(
    ("step", "text", "pieces"),
    [
        (CUT, "it's  12 owls", ["it", "'s", " ", " 12", " owls"]),
        (WHOLE, "it's  12 owls", ["it's  12 owls"]),
        (split(GPT4), "it'S  1234 owls.\n\n a", ["it", "'S", " ", " ", "123", "4", " owls", ".\n\n", " a"]),
        (split(r"\p{L}+|\d"), "owl -- 12", ["owl", " -- ", "1", "2"]),  # what it leaves out is a piece
        (
            {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, CUT]},
            "a  12  b's",
            ["a", "  ", "1", "2", " ", " b", "'s"],
        ),
    ],
)
def test_texts_are_cut_as_the_file_says(step: dict[str, Any], text: str, pieces: list[str]) -> None:
    kind = from_tokenizer_json(tokenizer_json([("o", "w")], pre_tokenizer=step, normalizer={"type": "NFC"}))
    assert regex.findall(patterns.usable(kind.pattern), text) == pieces


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": {"type": "WordPiece"}}, "of the kind WordPiece"),
        ({"model": {"type": "Unigram"}}, "of the kind Unigram"),
        ({"model": {"byte_fallback": True}}, "not work on bytes"),
        ({"model": {"end_of_word_suffix": "</w>"}}, "marks parts of words"),
        ({"model": {"dropout": 0.1}}, "drops merges"),
        ({"model": {"merges": ["x yz"]}}, "tokens that it does not have"),
        ({"pre_tokenizer": None}, "not work on bytes"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, "not work on bytes"),
        ({"pre_tokenizer": {**CUT, "add_prefix_space": True}}, "space before each text"),
        ({"pre_tokenizer": split("a", behavior="Removed")}, "more than one way"),
        ({"pre_tokenizer": split("a", invert=True)}, "more than one way"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [CUT, CUT]}}, "more than one way"),
        ({"pre_tokenizer": split(r"(?:a+)+(?!b)")}, "looks around"),
        ({"normalizer": {"type": "Lowercase"}}, "changes texts"),
        ({"added_tokens": [{"id": 9, "content": "x", "special": False, "lstrip": True}]}, "certain places"),
        ({"added_tokens": [{"id": 65, "content": "<x>", "special": False}]}, "do not fit"),
    ],
)
def test_other_tokenizers_are_refused_in_words(change: dict[str, Any], why: str) -> None:
    with pytest.raises(StudioError, match=why):
        from_tokenizer_json(tokenizer_json([("o", "w")], **change))


def test_a_sentencepiece_vocabulary_is_refused() -> None:
    content = tokenizer_json([("o", "w")])
    content["model"]["vocab"]["▁the"] = 999
    with pytest.raises(StudioError, match="not work on bytes"):
        from_tokenizer_json(content)


def test_the_library_gives_the_same_ids() -> None:
    library = pytest.importorskip("tokenizers")
    step = library.pre_tokenizers.Sequence([
        library.pre_tokenizers.Split(library.Regex(GPT4), "isolated"),
        library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    theirs = library.Tokenizer(library.models.BPE())
    theirs.pre_tokenizer = step
    trainer = library.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator([TEXT.replace("<|endoftext|>", "") * 9], trainer)
    ours = from_tokenizer_json(json.loads(theirs.to_str()))
    text = TEXT.replace("<|endoftext|>", "the owl")
    assert ours.encode(text) == theirs.encode(text).ids
    assert ours.end == theirs.token_to_id("<|endoftext|>")


# ---------------------------------------------------------------- patterns


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+(?!b)", r"(?=a)", r"(?<=a)b", r"(a)\1", r"a++", r"(?>a+)b", r"^a", r"a$", r"\ba",
        r"(?:a|\s+(?!\S))+", r"a{1,3}+", r"[a[b]]", "\\", r"a)(", r"\Ga",
    ],
)  # fmt: skip
def test_patterns_that_may_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(StudioError, match="cannot be used"):
        patterns.usable(pattern)


@pytest.mark.parametrize("pattern", [GPT4, r"\++", r"[+]+", r"a+?", r"\p{Lu}?[\p{L}\p{M}]+|.", r"[^\]\\]+"])
def test_patterns_of_the_family_are_used(pattern: str) -> None:
    assert patterns.usable(pattern).startswith(pattern)
    kind = FileBPE(own().tokens, pattern)
    assert kind.decode(kind.encode(TEXT)) == TEXT
