"""The texts there are to learn from: built-in corpora by name, and what counts as a text file."""

from __future__ import annotations

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


def label(name: str) -> str:
    """What people call a corpus: a built-in's label, or the file's or folder's own name."""
    for corpus in BUILT_IN:
        if corpus.name == name:
            return corpus.label
    return Path(name).name or name
