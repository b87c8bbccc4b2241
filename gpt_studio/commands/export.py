"""`gpt-studio export`: a model to hand on, without what only its training needs, or its tokenizer."""

from __future__ import annotations

import argparse
from pathlib import Path

from gpt_studio.commands import options
from gpt_studio.commands.models import load
from gpt_studio.commands.output import StatusLine, say
from gpt_studio.core import units
from gpt_studio.core.errors import StudioError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_checkpoint(parser)
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="x.safetensors: the model. x.tiktoken: its tokenizer"
    )
    parser.add_argument("--weights-only", action="store_true", help="leave out the curves and samples too")


def run(chosen: argparse.Namespace) -> int:
    suffix = chosen.path.suffix.lower()
    if suffix not in (".safetensors", ".tiktoken"):
        raise StudioError(
            f"GPT Studio does not write “{chosen.path.name}”.",
            tries="End the name in .safetensors or .tiktoken.",
        )
    if chosen.path.exists() and chosen.path.samefile(chosen.checkpoint):
        raise StudioError(
            "The checkpoint would replace itself.", kept="It is as it was.", tries="Choose another name."
        )
    found = load(chosen.checkpoint, "cpu", StatusLine())
    if suffix == ".tiktoken":
        from gpt_studio.engine.tokenizers import write_tiktoken

        size = write_tiktoken(found.tokenizer, chosen.path)
    else:
        from gpt_studio.engine import checkpoint

        if chosen.weights_only:
            found = found.weights_only()
        size = checkpoint.save(chosen.path, found)
    say(f"Wrote {chosen.path} · {units.memory(size)}")
    return 0
