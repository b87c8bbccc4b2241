"""The texts there are to learn from: built-in corpora by name, and what counts as a text file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BuiltIn:
    """A corpus that every installation has, with no download."""

    name: str
    label: str
    about: str  # one short phrase under the label


BUILT_IN = (
    BuiltIn("world", "Small world", "dialogues and stories, made here"),
    BuiltIn("python-reference", "Python reference", "English about Python"),
    BuiltIn("python-library", "Python standard library", "Python source code"),
)

_PROSE = ".txt .md .markdown .rst .adoc .org .tex .bib .html .htm .xml .srt .log"
_CODE = (
    ".py .pyi .js .mjs .ts .jsx .tsx .vue .c .h .cc .cpp .hpp .cs .java .kt .swift .go .rs .rb .php .pl .lua"
    " .r .jl .hs .ml .scala .clj .ex .erl .lisp .el .sql .sh .ps1 .bat .css .scss .cmake"
)
_VALUES = ".json .jsonl .csv .tsv .toml .yaml .yml .ini .cfg"

# The files of a folder that are read as text; a file chosen by itself may have any name.
TEXT_SUFFIXES = frozenset(f"{_PROSE} {_CODE} {_VALUES}".split())


def is_built_in(name: str) -> bool:
    """Whether a corpus is one every installation has; anything else is a path."""
    return any(corpus.name == name for corpus in BUILT_IN)


def has_dialogues(corpora: Sequence[str]) -> bool:
    """Whether some of the texts may be conversations, which are written down as a template says."""
    return any(name == "world" or Path(name).suffix.lower() in (".jsonl", ".parquet") for name in corpora)


def label(name: str) -> str:
    """What people call a corpus: a built-in's label, or the file's or folder's own name."""
    for corpus in BUILT_IN:
        if corpus.name == name:
            return corpus.label
    return Path(name).name or name


LEAST_SHARE = 0.001  # of a corpus that is learned from


def shares(weights: Sequence[float]) -> tuple[float, ...]:
    """Weights in proportion, adding up to 1."""
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def with_share(before: Sequence[float], index: int, share: float) -> tuple[float, ...]:
    """Shares of which one is as wished; the others share the rest as they did before.

    With n corpora no share is below LEAST_SHARE, so the one wished for is at most 1 - (n - 1) LEAST_SHARE.
    """
    others = len(before) - 1
    share = min(max(share, LEAST_SHARE), 1 - others * LEAST_SHARE)
    spare = 1 - share - others * LEAST_SHARE
    total = sum(before) - before[index]
    parts = [part / total if total else 1 / others for part in before]
    return tuple(share if at == index else LEAST_SHARE + spare * part for at, part in enumerate(parts))


def weights_after(
    corpora: Sequence[str], weights: Sequence[float], wanted: Sequence[str]
) -> tuple[float, ...]:
    """The weights to go with another choice of corpora: those that stay keep their proportions.

    One that is new gets the mean of them. Empty weights, which mean by size, stay empty; fewer than two
    corpora have none.
    """
    known = dict(zip(corpora, weights, strict=False))
    kept = [known[name] for name in wanted if name in known]
    if not kept or len(wanted) < 2:
        return ()
    return shares([known.get(name, sum(kept) / len(kept)) for name in wanted])
