"""The import rule, proven in fresh interpreters: what each package may pull in, and what it may not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gpt_studio

PACKAGE = Path(gpt_studio.__file__).parent
QT = ("PySide6", "pyqtgraph")
HEAVY = ("torch", "tiktoken", "safetensors", "numpy", *QT)
PANELS = [
    "settings_panel",
    "estimate_panel",
    "data_page",
    "training_page",
    "chat_panel",
    "top_bar",
    "status_bar",
]
WIRING = {"store", "worker", "window", "app", "files"}


def modules_after(code: str) -> set[str]:
    """Top-level modules, and ours by full name, that a fresh interpreter holds after running the code."""
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    return {name.partition(".")[0] for name in names} | {n for n in names if n.startswith("gpt_studio")}


def rooms(package: str) -> list[str]:
    """The modules of one of the three packages."""
    return sorted(file.stem for file in (PACKAGE / package).glob("*.py") if file.stem != "__init__")


def imports_of(package: str) -> str:
    return "\n".join(f"import gpt_studio.{package}.{room}" for room in rooms(package))


def test_core_needs_only_the_standard_library():
    loaded = modules_after(imports_of("core"))
    loaded -= modules_after("")  # what the interpreter itself brings along
    assert {n for n in loaded if not n.startswith("gpt_studio")} <= sys.stdlib_module_names


def test_core_knows_neither_engine_nor_window():
    loaded = modules_after(imports_of("core"))
    assert not [name for name in loaded if name.startswith(("gpt_studio.engine", "gpt_studio.gui"))]


def test_engine_never_loads_qt():
    loaded = modules_after(imports_of("engine"))
    assert "torch" in loaded
    assert not loaded & set(QT)
    assert not [name for name in loaded if name.startswith("gpt_studio.gui")]


def test_window_starts_without_torch():
    loaded = modules_after("import os; os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n" + imports_of("gui"))
    assert "PySide6" in loaded
    assert not loaded & {"torch", "tiktoken", "safetensors"}
    assert not [name for name in loaded if name.startswith("gpt_studio.engine")]


def test_importing_the_package_is_light():
    assert not modules_after("import gpt_studio") & set(HEAVY)


def test_the_model_is_importable_from_the_top():
    loaded = modules_after("from gpt_studio import GPT, GPTConfig")
    assert "torch" in loaded
    assert not loaded & set(QT)


def imported_by(file: Path) -> set[str]:
    """Our own modules a source file names in any import, at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("panel", PANELS)
def test_panels_know_no_wiring(panel):
    named = imported_by(PACKAGE / "gui" / f"{panel}.py")
    assert not named & {f"gpt_studio.gui.{room}" for room in WIRING}


@pytest.mark.parametrize("panel", PANELS)
def test_panels_do_not_know_each_other(panel):
    named = imported_by(PACKAGE / "gui" / f"{panel}.py")
    others = {f"gpt_studio.gui.{other}" for other in PANELS if other != panel}
    # The estimate is pinned inside the settings panel: a part of it, not a neighbor.
    assert not named & (others - {"gpt_studio.gui.estimate_panel"})


def test_only_the_worker_opens_the_door_to_the_engine():
    doors = [
        file.name
        for file in (PACKAGE / "gui").glob("*.py")
        if any(name.startswith("gpt_studio.engine") for name in imported_by(file))
    ]
    assert doors == ["worker.py"]
