"""Byte-level BPEs of Hugging Face's `tokenizer.json` as tokens by rank, where both give the same ids.

Hugging Face merges the pairs a file lists, in their order. tiktoken merges any two neighbors whose bytes are
a token, the lowest rank first. They agree if each token can only come about from one pair, which is listed;
`_is_alone` proves it pair by pair, and whatever cannot be proved is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from gpt_studio.core.errors import StudioError
from gpt_studio.engine import patterns
from gpt_studio.engine.bpe import ALL_BYTES, FileBPE

Json = Mapping[str, Any]
Pair = tuple[bytes, bytes]

ENDS = (  # how those who make tokenizers call the end of text
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eos|>",
    "<eos>",
    "</s>",
    "<｜end▁of▁sentence｜>",
)
BYTE = -1  # the rank of a byte: it is there before any merge
LONGEST_UNMERGED = 256  # bytes of a token that no merge makes
UNORDERED = "the order of its merges is not that of its tokens"
ANYTHING = r"[\s\S]+"


def from_tokenizer_json(data: Json) -> FileBPE:
    """The tokenizer of a parsed tokenizer.json, with its ids.

    Its special tokens are never made from text. Unicode stays as it is, even where the file asks for NFC:
    texts come back exactly. Bytes without a token get ids after its own.

    Raises:
        StudioError: it is no byte-level BPE, or does something that ranks cannot express.
        ValueError, TypeError, KeyError, AttributeError: it is no tokenizer.json.
    """
    model = data["model"]
    _check_kind(data, model)
    pattern = _pattern(_steps(data))
    added = {str(token["content"]): token for token in data.get("added_tokens") or ()}
    ids = {text: int(id) for text, id in model["vocab"].items()}
    numbers = {**ids, **{text: int(token["id"]) for text, token in added.items()}}
    end = next((numbers[name] for name in ENDS if name in numbers), None)
    vocabulary = {_bytes(text): id for text, id in ids.items() if text not in added and id != end}
    words = {
        text: numbers[text]
        for text, token in added.items()
        if not token.get("special", True) and numbers[text] != end
    }
    if any(added[text].get(rule) for text in words for rule in ("lstrip", "rstrip", "single_word")):
        raise _inexpressible("some of its tokens are found at certain places only")
    free = max(numbers.values(), default=-1) + 1
    for byte in sorted(ALL_BYTES - vocabulary.keys()):
        vocabulary[byte] = free
        free += 1
    tokens = _by_rank(vocabulary, _merges(model["merges"]), whole=bool(model.get("ignore_merges")))
    return FileBPE(
        tokens,
        pattern,
        ids=[vocabulary[token] for token in tokens],
        end=free if end is None else end,
        words=words,
        vocab_size=free,
    )


# ---------------------------------------------------------------- what kind it is


def _check_kind(data: Json, model: Json) -> None:
    kind = model.get("type", "BPE" if "merges" in model else None)
    if kind != "BPE":
        raise _inexpressible(f"it is of the kind {kind}")
    if model.get("byte_fallback") or _steps(data)[-1].get("type") != "ByteLevel":
        raise _inexpressible("it does not work on bytes")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix") or model.get("dropout"):
        raise _inexpressible("it marks parts of words, or drops merges")
    if (data.get("normalizer") or {}).get("type") not in (None, "NFC"):
        raise _inexpressible("it changes texts before it reads them")


def _steps(data: Json) -> Sequence[Json]:
    """What is done before merging."""
    step = data.get("pre_tokenizer") or {}
    return step["pretokenizers"] if step.get("type") == "Sequence" else [step]


def _pattern(steps: Sequence[Json]) -> str:
    """The pattern that cuts texts as these steps do."""
    level = steps[-1]
    if level.get("add_prefix_space"):
        raise _inexpressible("it puts a space before each text")
    cuts = bool(level.get("use_regex", True))
    match steps[:-1]:
        case []:
            return patterns.GPT2 if cuts else ANYTHING
        case [{"type": "Digits", "individual_digits": True}] if cuts:
            return patterns.GPT2_DIGITS
        case [{"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated"} as split]:
            if not cuts and not split.get("invert"):
                return pattern
    raise _inexpressible("it cuts texts in more than one way")


def _alphabet() -> dict[str, int]:
    """The sign each byte has in such files: itself if it can be printed, else one from 256 on."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {chr(256 + n): byte for n, byte in enumerate(others)}


ALPHABET = _alphabet()


def _bytes(text: str) -> bytes:
    try:
        return bytes(ALPHABET[sign] for sign in text)
    except KeyError as error:
        raise _inexpressible("it does not work on bytes") from error


def _merges(listed: Sequence[Any]) -> list[Pair]:
    pairs = []
    for merge in listed:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        pairs.append((_bytes(left), _bytes(right)))
    return pairs


# ---------------------------------------------------------------- merges to ranks


def _by_rank(vocabulary: Mapping[bytes, int], merges: Sequence[Pair], *, whole: bool) -> list[bytes]:
    """The tokens in the order they are merged, bytes first.

    Args:
        whole: a piece of text that is a token is that token, whether merges make it or not.
    """
    listed: dict[bytes, list[int]] = {}
    for number, (left, right) in enumerate(merges):
        if not vocabulary.keys() >= {left, right, left + right}:
            raise _inexpressible("its merges make tokens that it does not have")
        listed.setdefault(left + right, []).append(number)
    ranks = {**dict.fromkeys(ALL_BYTES, BYTE), **{token: rank for rank, token in enumerate(listed)}}
    made: dict[bytes, Pair] = {}
    chosen = []
    for token, numbers in listed.items():
        if any(ranks.get(side, BYTE) > ranks[token] for number in numbers for side in merges[number]):
            raise _inexpressible(UNORDERED)
        alone = next((number for number in numbers if _is_alone(merges[number], ranks, made)), None)
        if alone is not None:
            made[token] = merges[alone]
            chosen.append(alone)
        elif not whole:
            del ranks[token]  # no text leads to it
    if any(later < earlier for earlier, later in pairwise(chosen)):
        raise _inexpressible(UNORDERED)
    tokens = [*sorted(ALL_BYTES, key=vocabulary.__getitem__), *(token for token in listed if token in ranks)]
    if whole:
        tokens += vocabulary.keys() - set(tokens)
        _check_unmerged([token for token in tokens if len(token) > 1 and token not in made], ranks)
    return tokens


def _is_alone(pair: Pair, ranks: Mapping[bytes, int], made: Mapping[bytes, Pair]) -> bool:
    """Whether nothing is merged across the middle of a token before this pair makes it.

    The merges that made both sides are undone, the last one first. `until` is when the two neighbors of the
    middle were last seen: had they been a token of a lower rank, they would have been merged by then. Of
    equal ranks the left one goes first.
    """
    left, right = pair
    if not all(len(side) == 1 or side in made for side in pair):
        return False
    while len(left) > 1 or len(right) > 1:
        if ranks[right] >= ranks[left]:
            until, right = ranks[right], made[right][0]
            if ranks.get(left + right, until + 1) <= until:
                return False
        else:
            until, left = ranks[left], made[left][1]
            if ranks.get(left + right, until) < until:
                return False
    return True


def _check_unmerged(tokens: Sequence[bytes], ranks: Mapping[bytes, int]) -> None:
    """Make sure that tokens which only stand for a whole piece of text are not merged inside of one."""
    for token in tokens:
        if len(token) > LONGEST_UNMERGED or _parts(token, ranks) == 2:
            raise _inexpressible("some of its tokens are found at certain places only")


def _parts(token: bytes, ranks: Mapping[bytes, int]) -> int:
    """How many tokens remain of a token's bytes when all is merged that can be, short of the token itself."""
    parts = [bytes((byte,)) for byte in token]
    while len(parts) > 2:
        never = len(ranks)
        rank, at = min((ranks.get(a + b, never), at) for at, (a, b) in enumerate(pairwise(parts)))
        if rank == never:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return len(parts)


def _inexpressible(why: str) -> StudioError:
    return StudioError(
        f"This tokenizer cannot be used: {why}.",
        kept="Nothing was changed.",
        tries="Choose a .tiktoken file, or a byte-level BPE of Hugging Face.",
    )
