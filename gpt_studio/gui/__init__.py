"""What shows and asks: Qt, and never torch."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path


def load_torch_library_before_qt() -> None:
    """On Windows, load torch's c10.dll ahead of Qt's libraries.

    Recent torch is reported to fail loading c10.dll once Qt is in the process. This finds the library
    without importing torch, so the window still opens first. Without torch there is nothing to load.
    """
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return
    folder = Path(spec.origin).parent / "lib"
    if (folder / "c10.dll").is_file():
        os.add_dll_directory(str(folder))  # type: ignore[attr-defined,unused-ignore]
        ctypes.CDLL(str(folder / "c10.dll"))


if sys.platform == "win32":
    load_torch_library_before_qt()
