"""The command `gpt-studio`: opens the window, or does what a subcommand says with no screen."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from gpt_studio import __version__
from gpt_studio.commands import COMMANDS, UsageError
from gpt_studio.core.errors import StudioError

INTERRUPTED = 130  # as shells count what Ctrl+C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do it; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in COMMANDS:
        return _run(given[0], given[1:])
    parser = _window_parser()
    chosen = parser.parse_args(given)
    if chosen.checkpoint and not _may_be_file(chosen.checkpoint):
        parser.error(f"“{chosen.checkpoint}” is neither a command nor a file")
    # Only now: `gpt-studio --version` needs no window.
    from gpt_studio.gui.app import main as open_window

    return open_window(chosen.checkpoint)


def _may_be_file(name: str) -> bool:
    """A name with an ending is one, there or not: the window says what is wrong with it."""
    return bool(Path(name).suffix) or Path(name).exists()


def _window_parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<10} {about}" for name, about in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="gpt-studio",
        usage="gpt-studio [CHECKPOINT]\n       gpt-studio COMMAND …",
        description="Build, train, understand and talk to a GPT on your own machine.",
        epilog=f"commands, with no window:\n{commands}\n\n`gpt-studio COMMAND --help` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        default="",
        metavar="CHECKPOINT",
        help="open the window, with this .safetensors file",
    )
    parser.add_argument("--version", action="version", version=f"GPT Studio {__version__}")
    return parser


def _run(name: str, arguments: Sequence[str]) -> int:
    """Do one subcommand; failures become words on stderr."""
    from gpt_studio.commands.output import explain, forgive

    command = import_module(f"gpt_studio.commands.{name}")
    about = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=f"gpt-studio {name}", description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
    )
    command.add_arguments(parser)
    chosen = parser.parse_args(arguments)
    forgive()
    try:
        code: int = command.run(chosen)
        return code
    except UsageError as error:
        parser.error(str(error))
    except StudioError as error:
        explain(error)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
