"""The patterns that cut text into pieces before bytes are merged, and which of a stranger's may be used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpt_studio.core.errors import StudioError

# GPT-2's: contractions, words, numbers, other signs (each with a space before), spaces: merges stay inside.
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

# GPT-2's, with three changes that suit small models. A digit is always the same single token, with no space:
# arithmetic is learned by digits, and there are no thousands of rare numbers to learn apart. Marks belong to
# the letters before them, so words of Hindi or Arabic stay whole. Contractions may be capitals.
OWN = r"'(?i:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]++|\p{N}| ?[^\s\p{L}\p{M}\p{N}]++|\s++$|\s+(?!\S)|\s"

# GPT-2's inside what remains when every digit has been cut out, as some of Hugging Face do it.
GPT2_DIGITS = r"\p{N}|'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?![^\s\p{N}])|\s"

KNOWN = (GPT2, OWN, GPT2_DIGITS)  # checkpoints name them: none is ever changed, only added
LONGEST = 4096  # characters
LAST_SPACE = r"\s+(?!\S)"  # as every GPT has it: spaces, without the one that belongs to the next word

# An escaped sign, a class (with none inside), or any character.
PART = re.compile(r"\\[pP]\{[^{}]*\}|\\x\{[^{}]*\}|\\.|\[(?:\\.|[^\[\]\\])*\]|.", re.DOTALL)
ESCAPES = frozenset("pPsSdDwWrntfvxu")
REPEAT = r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})"


def usable(pattern: str) -> str:
    """The pattern, made so that every text is cut and nothing of it left out.

    What no pattern of GPT-2's family needs is refused: looking around, going back and possessive repeats can
    take for ever, and lines' ends and word boundaries mean something else to each library. The rest is
    matched in a time that grows with the text alone.

    Raises:
        StudioError: the pattern cannot be used.
    """
    if pattern in KNOWN:
        return pattern
    if len(pattern) > LONGEST:
        raise _unusable("it is too long")
    for alternative in _alternatives(pattern):
        if "".join(alternative) != LAST_SPACE:
            _check(alternative)
    # What it does not match is a piece too, as the tokenizers library has it; tiktoken would drop it.
    return rf"{pattern}|(?:(?!{pattern})[\s\S])+"


def _alternatives(pattern: str) -> Iterator[list[str]]:
    """The parts of each alternative that is not inside a group."""
    found: list[str] = []
    depth = 0
    for part in PART.findall(pattern):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if depth < 0:
            raise _unusable("its groups do not match")
        if part == "|" and not depth:
            yield found
            found = []
        else:
            found.append(part)
    yield found


def _check(parts: list[str]) -> None:
    for part in parts:
        if part in ("^", "$", "[", "\\"):
            raise _unusable(f"it has a bare “{part}”")
        if part[0] == "\\" and part[1].isalnum() and part[1] not in ESCAPES:
            raise _unusable(f"it has “{part}”")
    shape = "".join(part if len(part) == 1 else "x" for part in parts)
    if re.search(r"\(\?(?!:|i:)", shape):
        raise _unusable("it looks around")
    if re.search(rf"{REPEAT}\+", shape):
        raise _unusable("it has a possessive repeat")


def _unusable(why: str) -> StudioError:
    return StudioError(
        f"The pattern of this tokenizer cannot be used: {why}.", tries="Choose another tokenizer."
    )
