"""Write text with a model, one token at a time."""

from __future__ import annotations

import codecs
import logging
import time
from collections.abc import Callable, Generator
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from gpt_studio.core.chat import END_OF_TEXT
from gpt_studio.core.config import SampleConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event, Generated, Token
from gpt_studio.core.requests import Generate
from gpt_studio.engine.decoder import Decoder
from gpt_studio.engine.device import is_out_of_memory
from gpt_studio.engine.model import GPT, KVCache
from gpt_studio.engine.sampling import draw, probabilities
from gpt_studio.engine.tokenizers import Tokenizer

log = logging.getLogger(__name__)

ALTERNATIVES = 5


def generate(
    model: GPT,
    tokenizer: Tokenizer,
    request: Generate,
    version: Callable[[], object] = lambda: None,
    packs: bool = True,
) -> Generator[Event, None, None]:
    """Continue the prompt; yield each Token, then Generated.

    The prompt begins a text, so the model reads an end of text before it, as it did while learning. Of a
    dialogue it reads the latest turns that leave a quarter of the context to the answer.

    Another job may train or move the model between two tokens: `version` tells the weights apart, and
    when it changes, the text is read again, so that every token comes from one whole model. Weights that
    have a version (not None) are packed for writing, at the precision of the settings, and stay packed for
    the next texts as long as it is the same. Weights that are being trained are to be read as they are:
    `packs` is False. Writing uses its own random numbers, and never changes a run.

    Probability, rank (1 is the likeliest) and alternatives of a token are the model's own, before
    temperature and the other sampling settings: a surprising token is one the model did not expect.
    A token that completes no character, or may begin the stop text, has no text yet.

    Raises:
        StudioError: the weights are spoiled and give no probabilities.
    """
    started = time.perf_counter()
    ids = _read(request, tokenizer, model.config.max_length)
    text = _Text(model, ids, version, request.sample.precision if packs else None)
    speech = Speech(request.stop)
    dice = _dice(request.sample)
    reason = "length"
    for count in range(1, request.sample.max_tokens + 1):
        logits = text.next_logits()
        said_before = [id for id in text.ids if id != tokenizer.end]
        id = draw(probabilities(logits, request.sample, said_before), dice)
        text.ids.append(id)
        ends = id == tokenizer.end
        said = speech.add(tokenizer.raw(id), last=ends or count == request.sample.max_tokens)
        yield _token(request.turn, said, id, logits, tokenizer)
        if ends or speech.stopped:
            reason = "end of text" if ends else "stop"
            break
    yield Generated(request.turn, count, time.perf_counter() - started, reason)


def _read(request: Generate, tokenizer: Tokenizer, context: int) -> list[int]:
    """The ids of the prompt; of a dialogue that is too long, without its first turns."""
    prompt = request.prompt
    while True:
        ids = [tokenizer.end, *tokenizer.encode(prompt)]
        turn = prompt.find(request.stop, 1) if request.stop else -1  # a turn begins
        if turn < 0 or len(ids) <= context - context // 4:
            return ids
        prompt = prompt[turn:].lstrip()


def _dice(config: SampleConfig) -> torch.Generator:
    dice = torch.Generator()
    if config.fixed_seed:
        dice.manual_seed(config.seed)
    else:
        dice.seed()
    return dice


_KEPT: WeakKeyDictionary[GPT, tuple[object, str, Decoder]] = WeakKeyDictionary()  # one at most


def release() -> None:
    """Let the packed copy of the weights go; the next text packs anew."""
    _KEPT.clear()


def _packed(model: GPT, version: object, precision: str | None) -> Decoder | None:
    """The weights packed for writing; None where they may change or there is no memory for a copy."""
    if version is None or precision is None:
        return None
    kept = _KEPT.get(model)
    if kept and kept[:2] == (version, precision):
        return kept[2]
    release()
    try:
        decoder = Decoder(model, precision)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        log.warning("There is no memory to pack the weights: writing with them as they are")
        return None
    _KEPT[model] = (version, precision, decoder)
    return decoder


class _Text:
    """The ids so far and the model's memory of them."""

    def __init__(
        self, model: GPT, ids: list[int], version: Callable[[], object], precision: str | None
    ) -> None:
        self.ids = ids
        self._model = model
        self._version = version
        self._read_with = version()
        self._name = object()  # a decoder that knew the text itself would keep its model alive
        self._cache: KVCache | None = None
        self._decoder = _packed(model, self._read_with, precision)

    def next_logits(self) -> Tensor:
        """What the model expects next: logits (V,), float32 on the CPU."""
        if self._version() != self._read_with:  # it is being trained: packing it for a token does not pay
            self._read_with = self._version()
            self._decoder = self._cache = None
            release()
        context = self._model.config.max_length
        slides = len(self.ids) > context
        if slides:  # the oldest half makes room
            del self.ids[: -max(1, context // 2)]
        logits = self._plain(slides) if self._decoder is None else self._fast(self._decoder, slides)
        if not logits.sum().isfinite():
            raise StudioError(
                "The model gives no probabilities — its weights are spoiled",
                tries="Open a checkpoint, or train a new model.",
            )
        return logits

    def _fast(self, decoder: Decoder, anew: bool) -> Tensor:
        if decoder.text is not self._name or anew:  # another text may have been read in between
            decoder.begin(self._name)
        return decoder.read(self.ids[decoder.length :])

    @torch.inference_mode()
    def _plain(self, anew: bool) -> Tensor:
        if self._cache is None or anew:
            self._cache = KVCache(self._model)
        new = torch.tensor([self.ids[self._cache.length :]], device=self._cache.entries.device)
        self._model.eval()  # a job that trains may have run in between
        logits: Tensor = self._model(new, self._cache, last_only=True)[0, -1].float().cpu()
        return logits


class Speech:
    """Bytes to text, as characters complete; what may be the beginning of the stop text waits."""

    def __init__(self, stop: str = "") -> None:
        self.stopped = False
        self._stop = stop
        self._waiting = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, data: bytes, last: bool = False) -> str:
        """The text to show after some more bytes; the last ones bring out what waits, if it is not blank."""
        text = self._waiting + self._decoder.decode(data, last)
        shown = len(text) - self._may_begin_stop(text)
        if last and text[shown:].strip():
            shown = len(text)
        if self._stop and self._stop in text:
            shown = text.index(self._stop)
            self.stopped = True
        self._waiting = text[shown:]
        return text[:shown]

    def _may_begin_stop(self, text: str) -> int:
        """How many characters at the end of the text the stop text begins with."""
        longest = min(len(text), len(self._stop) - 1)
        return next((n for n in range(longest, 0, -1) if text.endswith(self._stop[:n])), 0)


def _token(turn: int, said: str, id: int, logits: Tensor, tokenizer: Tokenizer) -> Token:
    chances = logits.softmax(0)
    top = chances.topk(min(ALTERNATIVES, chances.numel()))
    alternatives = tuple(
        (END_OF_TEXT if other == tokenizer.end else tokenizer.decode([other]), p)
        for p, other in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    )
    rank = 1 + int((logits > logits[id]).sum())
    return Token(turn, said, id, float(chances[id]), rank, alternatives)
