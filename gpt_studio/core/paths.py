"""Where resources, logs and recent things live, in a checkout or installed."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def resources() -> Path:
    """Icons, presets and tokenizers: inside the installed package, or beside it in a checkout."""
    installed = PACKAGE / "resources"
    return installed if installed.is_dir() else PACKAGE.parent / "resources"


def logs() -> Path:
    """The folder of the log file, made if need be."""
    # The one import in core that is not the standard library: each platform has its own rule.
    import platformdirs

    folder = Path(platformdirs.user_log_dir("gpt-studio", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
