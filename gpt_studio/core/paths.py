"""Where resources, logs, cached things and runs live, in a checkout or installed."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def resources() -> Path:
    """Icons, presets and tokenizers: inside the installed package, or beside it in a checkout."""
    installed = PACKAGE / "resources"
    return installed if installed.is_dir() else PACKAGE.parent / "resources"


def logs() -> Path:
    """The folder of the log file, made if need be."""
    return _folder("log")


def cache() -> Path:
    """The folder of what can be made again, such as tokens, made if need be."""
    return _folder("cache")


def data() -> Path:
    """The folder of what belongs to the person, such as runs, made if need be."""
    return _folder("data")


def _folder(kind: str) -> Path:
    """Where each platform keeps such things, or below GPT_STUDIO_HOME, if that is set."""
    home = os.environ.get("GPT_STUDIO_HOME")
    folder = Path(home) / kind if home else _platform_folder(kind)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _platform_folder(kind: str) -> Path:
    # The one import in core that is not the standard library: each platform has its own rule.
    import platformdirs

    folders = platformdirs.PlatformDirs("gpt-studio", appauthor=False)
    return Path(getattr(folders, f"user_{kind}_dir"))
