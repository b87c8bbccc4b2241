"""GPT Studio: build, train, understand and talk to a GPT on your own machine."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["GPT", "GPTConfig"]

if TYPE_CHECKING:
    from gpt_studio.core.config import GPTConfig
    from gpt_studio.engine.model import GPT


def __getattr__(name: str) -> Any:
    """Import lazily: `import gpt_studio` must not cost what torch costs."""
    if name == "GPT":
        from gpt_studio.engine.model import GPT

        return GPT
    if name == "GPTConfig":
        from gpt_studio.core.config import GPTConfig

        return GPTConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
