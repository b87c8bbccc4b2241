"""The command `gpt-studio`: opens the window."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from gpt_studio import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and open the window; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="gpt-studio", description="Build, train, understand and talk to a GPT on your own machine."
    )
    parser.add_argument("checkpoint", nargs="?", default="", help="a checkpoint to open (.safetensors)")
    parser.add_argument("--version", action="version", version=f"GPT Studio {__version__}")
    chosen = parser.parse_args(arguments)
    # Only now: `gpt-studio --version` needs no window.
    from gpt_studio.gui.app import main as open_window

    return open_window(chosen.checkpoint)
