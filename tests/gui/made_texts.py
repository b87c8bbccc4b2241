"""Reports on texts that nobody read, for the tests of the Data page."""

from dataclasses import replace

from gpt_studio.core.config import DataConfig, RunConfig
from gpt_studio.core.events import BatchRead, Corpus, DataReport, Preview, PreviewToken, TextFacts

from .conftest import report_of

WORDS = ["Once", "upon", "a", "time", "there", "was", "a", "fox", ".", "Once", "more", ":\n"]
WORLD, REFERENCE, LIBRARY = "world", "python-reference", "python-library"


def tokens_of(words: list[str]) -> tuple[PreviewToken, ...]:
    """Words with a space before each as tokens 100, 101, …"""
    texts = [f" {word}" for word in words]
    return tuple(PreviewToken(text, 100 + k, text.encode(), k + 1, 9120) for k, text in enumerate(texts))


def told(*corpora: Corpus, data: DataConfig, words: list[str] | None = None, **changes) -> DataReport:
    """A report on corpora that begin with the same words."""
    title = "first 12 tokens"
    previews = (Preview(c.name, f"{c.label} · {title}", tokens_of(words or WORDS)) for c in corpora)
    whole = report_of(
        data,
        corpora=corpora,
        vocab_size=50257,
        vocab_used=5176,
        characters=3_620_000,
        size=3_700_000,
        train_tokens=786_600,
        validation_tokens=87_400,
        documents=41,
        token_lengths=(0.1, 0.2, 0.4, 0.3),
        facts=TextFacts(41),
        previews=tuple(previews),
    )
    return replace(whole, **changes)


def config_of(*corpora: str, tokenizer: str = "gpt2", **changes) -> RunConfig:
    """A run that learns from some corpora, with a model that suits them."""
    shape = {"num_layers": 2, "heads": 2, "embed_size": 32, "max_length": 4}
    changes |= {"corpora": corpora, "tokenizer": tokenizer}
    return RunConfig().changed("model", shape).changed("data", changes)


def batch_of(config: RunConfig, rows: int = 2) -> BatchRead:
    """The first texts of a batch, each one token longer than the context."""
    context = config.model.max_length
    texts = tuple(tokens_of(WORDS)[row : row + context + 1] for row in range(rows))
    return BatchRead(config, config.train.batch_size, context, texts)
