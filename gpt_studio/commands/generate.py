"""`gpt-studio generate`: a model goes on with a text, or answers questions, token by token."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from gpt_studio.commands import options
from gpt_studio.commands.models import load
from gpt_studio.commands.output import StatusLine, note
from gpt_studio.core.chat import Message, request
from gpt_studio.core.config import SampleConfig
from gpt_studio.core.events import Token
from gpt_studio.core.requests import Generate

if TYPE_CHECKING:
    from gpt_studio.engine.checkpoint import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s CHECKPOINT [--prompt TEXT | --chat] [OPTION …] [--sample.SETTING VALUE …]"
    options.add_checkpoint(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--prompt", default="", metavar="TEXT", help="a text to go on with; - reads it from stdin"
    )
    what.add_argument(
        "--chat", action="store_true", help="ask questions, one a line, to the end of the input"
    )
    parser.add_argument("--seed", type=options.seed, metavar="N", help="write the same every time")
    options.add_device(parser)
    options.add_settings(parser, ["sample"])


def run(chosen: argparse.Namespace) -> int:
    found = load(chosen.checkpoint, chosen.device, StatusLine())
    sample = found.config.sample.changed(**options.changes(chosen, "sample"))
    if chosen.seed is not None:
        sample = sample.changed(fixed_seed=True, seed=chosen.seed)
    if chosen.chat:
        _talk(found, sample)
    else:
        prompt = sys.stdin.read().removesuffix("\n") if chosen.prompt == "-" else chosen.prompt
        _stream(_written(found, Generate(prompt, sample)))
    return 0


def _talk(found: Checkpoint, sample: SampleConfig) -> None:
    """Questions and answers in turn. On a terminal each stands after the name it has in the template."""
    template = found.config.data.template
    by_hand = sys.stdin.isatty()
    if by_hand:
        turn = template.text([Message("user", "…"), Message("model", "…")])
        note(f"The model reads each turn as {turn!r}. Ctrl+C stops an answer; an empty line ends.")
    messages: list[Message] = []
    with suppress(EOFError):
        while question := input(template.user if by_hand else "").strip():
            messages.append(Message("user", question))
            if by_hand:
                print(template.model, end="", flush=True)
            prompt, stop = request("chat", messages, template)
            pieces = _written(found, Generate(prompt, sample, stop))
            messages.append(Message("model", _stream(_answer(pieces))))


def _written(found: Checkpoint, request: Generate) -> Iterator[str]:
    """The text of each token, as it comes."""
    from gpt_studio.engine.generator import generate

    for event in generate(found.model, found.tokenizer, request):
        if isinstance(event, Token):
            yield event.text


def _answer(pieces: Iterator[str]) -> Iterator[str]:
    """Without the space the model begins with, which its name is shown with already; until Ctrl+C."""
    begun = False
    with suppress(KeyboardInterrupt):
        for piece in pieces:
            shown = piece if begun else piece.lstrip()
            begun = begun or bool(shown)
            yield shown


def _stream(pieces: Iterator[str]) -> str:
    """Print a text while it is written; return it."""
    said = ""
    for piece in pieces:
        print(piece, end="", flush=True)
        said += piece
    if not said.endswith("\n"):
        print(flush=True)
    return said
