"""Read one file as documents, a piece at a time: plain text, JSON lines, tables."""

from __future__ import annotations

import codecs
import csv
import json
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from gpt_studio.core.chat import Message, Role, Template
from gpt_studio.core.errors import StudioError
from gpt_studio.core.units import number
from gpt_studio.engine.tokenizer import writable

BLOCK = 2**20  # bytes read at a time
PIECE = 2**15  # characters a long document is cut into
LONGEST = 2**24  # characters of a line or a field; a longer one is damage
SAMPLE = 100  # rows looked at to find the column of text
COLUMNS = ("text", "content", "body", "document", "article", "story", "message", "sentence")  # best first
UNCHANGED = "The model and the files are as they were."

WORD_END = re.compile(r"\S(?=[ \n])")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OLDER = "gpt-studio-windows-1252"
_ROLES: dict[str, Role] = {"user": "user", "human": "user", "assistant": "model", "model": "model"}

csv.field_size_limit(LONGEST)


class Document(NamedTuple):
    """A text that stands for itself, or a piece of a long one."""

    text: str
    label: str  # of its file
    ends: bool = True  # it is the last piece
    misencoded: bool = False  # the file has bytes that are no UTF-8


class Source:
    """One file: its text block by block, and how much of it has been read."""

    def __init__(self, path: Path, label: str, template: Template, add: Callable[[int], None]) -> None:
        self.path = path
        self.label = label
        self.template = template
        self.add = add  # told how many bytes were read
        self.misencoded = False

    def document(self, text: str, ends: bool = True) -> Document:
        return Document(text, self.label, ends, self.misencoded)

    def blocks(self) -> Iterator[str]:
        """The text with no byte order mark and with Unix line ends; nothing else is changed.

        Raises:
            StudioError: the file is not text: it begins with zero bytes in it.
        """
        with self.path.open("rb") as file:
            block = file.read(BLOCK)
            utf16 = block.startswith(_UTF16)
            if b"\0" in block and not utf16:
                raise unusable(
                    f"“{self.label}” is not a text file: it holds zero bytes.", "Choose a text file."
                )
            decoder = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8")()
            self.add(len(block))
            block = block.removeprefix(codecs.BOM_UTF8)
            held = ""  # half of a line end, perhaps
            while True:
                text = held + self._decoded(decoder, block)
                held = "\r" if text.endswith("\r") and block else ""
                yield text.removesuffix(held).replace("\r\n", "\n")
                if not block:
                    return
                block = file.read(BLOCK)
                self.add(len(block))

    def _decoded(self, decoder: codecs.IncrementalDecoder, block: bytes) -> str:
        """Decode a block; no block ends the text. From the first odd byte on, such bytes are Windows-1252."""
        try:
            return decoder.decode(block, not block)
        except UnicodeDecodeError:
            self.misencoded = True
            decoder.errors = _OLDER
            return decoder.decode(block, not block)

    def lines(self) -> Iterator[str]:
        """The text line by line, each with its end."""
        rest = ""
        for block in self.blocks():
            *lines, rest = (rest + block).split("\n")
            for line in lines:
                yield line + "\n"
            if len(rest) > LONGEST:
                raise unusable(
                    f"“{self.label}” has a line of more than {number(LONGEST)} characters.",
                    "Save it with one text on each line.",
                )
        if rest:
            yield rest


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that do not fit as what older programs wrote, one by one."""
    assert isinstance(error, UnicodeDecodeError)
    odd = error.object[error.start : error.end]
    return "".join(_OLD_LETTERS[byte] for byte in odd), error.end


_OLD_LETTERS = [bytes((n,)).decode("cp1252", "ignore") or chr(n) for n in range(256)]
codecs.register_error(_OLDER, _windows_1252)


def read(path: Path, label: str, template: Template, add: Callable[[int], None]) -> Iterator[Document]:
    """The documents of a file, whose name's ending tells its kind; blank ones are left out.

    Raises:
        StudioError: it is missing, may not be read, is no text, or has no texts where its kind has them.
    """
    with explained(label):
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device may never end
            raise unusable(f"“{label}” is neither a file nor a folder.", "Choose a text file or a folder.")
        source = Source(path, label, template, add)
        yield from READERS.get(path.suffix.lower(), _text)(source)


def _text(source: Source) -> Iterator[Document]:
    """All of a file is one document."""
    held: list[str] = []  # what the text begins with while it is blank, then its last piece
    blank = True
    for piece in pieces(source.blocks()):
        if not blank:
            yield from (source.document(one, ends=False) for one in held)
            held = []
        held.append(piece)
        blank = blank and (not piece or piece.isspace())
    if not blank:
        *first, last = held
        yield from (source.document(one, ends=False) for one in first)
        yield source.document(last)


def _shown(source: Source, text: str) -> Iterator[Document]:
    """A text with something in it."""
    if text and not text.isspace():
        yield source.document(text)


def _record(source: Source, text: str) -> Iterator[Document]:
    """One text of many, which may be a long one."""
    text = writable(text).replace("\r\n", "\n")
    if len(text) <= PIECE:
        yield from _shown(source, text)
    elif not text.isspace():
        *first, last = pieces((text,))
        for piece in first:
            yield source.document(piece, ends=False)
        yield source.document(last)


def _json_lines(source: Source) -> Iterator[Document]:
    """Each line is an object with a `text`, or with the `messages` of a conversation."""
    for place, line in enumerate(source.lines(), 1):
        if line.isspace():
            continue
        where = f"Line {number(place)} of “{source.label}”"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise unusable(f"{where} is not JSON.", "Mend this line, or leave the file out.") from error
        text = _of_object(value, source.template) if isinstance(value, dict) else None
        if text is None:
            raise unusable(
                f"{where} has neither a “text” nor “messages”.",
                "Give every line one of them, or save the file as .txt to learn it as it is.",
            )
        yield from _record(source, text)


def _of_object(value: Mapping[str, Any], template: Template) -> str | None:
    text = value.get("text")
    return text if isinstance(text, str) else conversation(value.get("messages"), template)


def conversation(messages: object, template: Template) -> str | None:
    """Messages with roles as the text a model learns from; None if that is not what they are.

    What a system message says stands before the conversation, on a line of its own. No messages, no text.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return None
    said, before = [], ""
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            return None
        role, text = message.get("role"), message["content"]
        if role == "system":
            before += text.strip() + "\n"
        elif role in _ROLES:
            said.append(Message(_ROLES[role], text))
        else:
            return None
    return before + template.text(said)


def _table(source: Source) -> Iterator[Document]:
    """Each row has a text in one column."""
    lines = source.lines()
    first = next(lines, "")
    counts = Counter(first)
    delimiter = max(",;\t", key=counts.__getitem__)
    rows = csv.reader(chain((first,), lines), delimiter=delimiter)
    try:
        header = next(rows, [])
        sample = [row for row, _ in zip(rows, range(SAMPLE), strict=False)]
        column = text_column(header, sample)
        for row in chain(sample, rows):
            if len(row) > column:
                yield from _record(source, row[column])
    except csv.Error as error:
        raise unusable(
            f"“{source.label}” is not a table: {error}.", "Save it as UTF-8 CSV with quoted texts."
        ) from error


def text_column(header: Sequence[str], sample: Sequence[Sequence[object]]) -> int:
    """The column with a name for texts, else the one with the most text in some rows."""
    names = [name.strip().lower() for name in header]
    for name in COLUMNS:
        if name in names:
            return names.index(name)
    sizes = Counter[int]()
    for row in sample:
        sizes.update({index: len(value) for index, value in enumerate(row) if isinstance(value, str)})
    return max(sizes, key=sizes.__getitem__, default=0)


def _parquet(source: Source) -> Iterator[Document]:
    """Each row has a text in one column, or the messages of a conversation."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise unusable(
            f"“{source.label}” is a Parquet file, and PyArrow is not installed.",
            "Install it with: pip install gpt-studio[parquet]",
        ) from error
    try:
        with pyarrow.parquet.ParquetFile(source.path) as file:
            yield from _parquet_rows(source, file)
    except pyarrow.ArrowException as error:
        raise unusable(f"“{source.label}” is not a Parquet file, or is damaged.", "Get it again.") from error


def _parquet_rows(source: Source, file: Any) -> Iterator[Document]:
    import pyarrow.types

    schema = file.schema_arrow
    strings = [
        field.name
        for field in schema
        if pyarrow.types.is_string(field.type) or pyarrow.types.is_large_string(field.type)
    ]
    if "messages" in schema.names and not {name.lower() for name in strings} & set(COLUMNS):
        column = "messages"
    elif strings:
        sample = next(file.iter_batches(SAMPLE, columns=strings), None)
        rows = [tuple(row.values()) for row in sample.to_pylist()] if sample else []
        column = strings[text_column(strings, rows)]
    else:
        raise unusable(f"“{source.label}” has no column of text.", "Choose one that has.")
    size, rows_in_all = source.path.stat().st_size, max(1, file.metadata.num_rows)
    done = 0
    for batch in file.iter_batches(SAMPLE, columns=[column]):
        before, done = done, done + len(batch)
        source.add(size * done // rows_in_all - size * before // rows_in_all)
        for value in batch.column(0).to_pylist():
            text = conversation(value, source.template) if column == "messages" else value
            if text:
                yield from _record(source, text)


READERS: dict[str, Callable[[Source], Iterator[Document]]] = {
    ".jsonl": _json_lines,
    ".csv": _table,
    ".parquet": _parquet,
}


# ---------------------------------------------------------------- pieces


def pieces(blocks: Iterable[str], size: int = PIECE) -> Iterator[str]:
    """Cut a long text before a space that ends a word: no token of GPT-2 reaches over such a place.

    A text without one is cut anywhere: a token or two differ, nothing is lost.
    """
    rest = ""
    for block in blocks:
        rest += block
        start = 0
        while len(rest) - start > 2 * size:  # far enough to see where the word ends, wherever blocks end
            end = _cut(rest, start, size)
            yield rest[start:end]
            start = end
        rest = rest[start:]
    while len(rest) > size:
        end = _cut(rest, 0, size)
        yield rest[:end]
        rest = rest[end:]
    yield rest


def _cut(text: str, start: int, size: int) -> int:
    safe = WORD_END.search(text, start + size - 1, start + 2 * size)
    return safe.end() if safe else start + size


# ---------------------------------------------------------------- what went wrong


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Say in words why a file or folder cannot be read."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise unusable(f"“{label}” was not found.", "Put it back, or leave it out.") from error
    except PermissionError as error:
        raise unusable(
            f"There is no permission to read “{label}”.", "Allow reading it, or leave it out."
        ) from error
    except OSError as error:
        raise unusable(
            f"“{label}” cannot be read: {error.strerror or error}.", "Try again, or leave it out."
        ) from error


def unusable(what: str, tries: str) -> StudioError:
    return StudioError(what, kept=UNCHANGED, tries=tries)
