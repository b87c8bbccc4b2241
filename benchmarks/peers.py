"""The engine and its peers, each as its own users run it: same shapes, same tokens, same optimizer.

transformers trains `GPT2LMHeadModel` with its default attention and its own loss, litgpt its `GPT` with its
own chunked loss, as its `pretrain` does. All clip gradients at 1 and use fused AdamW; all tie their tables.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gpt_studio.core.config import GPTConfig, RunConfig
from gpt_studio.core.step_memory import attends_plainly
from gpt_studio.engine.device import fast_products
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.step import TrainingStep

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

OURS = "GPT Studio"
PEERS = ("transformers", "litgpt")
RATE = 3e-4
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def installed() -> tuple[str, ...]:
    """The peers there are."""
    return tuple(name for name in PEERS if importlib.util.find_spec(name))


class Trainer(Protocol):
    """Something that learns from batches."""

    model: nn.Module

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """One step on token ids and the ids to come, each (B, T) on the device: the loss, a scalar."""


def make_trainer(name: str, config: RunConfig, device: str = "cpu", compiled: bool = False) -> Trainer:
    """Ours or a peer's, with random weights."""
    kinds: dict[str, Callable[..., Trainer]] = {
        OURS: Ours,
        "transformers": Transformers,
        "litgpt": Litgpt,
    }
    return kinds[name](config, device, compiled)


class Ours:
    """The engine's own training step, as the trainer runs it."""

    def __init__(self, config: RunConfig, device: str, compiled: bool) -> None:
        with torch.device(device):
            self.model = GPT(config.model).train()
        plan = config.train.changed(learning_rate=RATE)
        self.tensors = TrainingStep(self.model, make_optimizer(self.model, plan), plan, compiled)

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        self.tensors.begin()
        value = self.tensors.forward(x, y)
        self.tensors.backward(value)
        self.tensors.update(RATE, float(self.tensors.norm()))
        return value.detach()


class _Peer:
    """A loop as people write it around a model of a library."""

    def __init__(self, model: nn.Module, config: RunConfig, device: str, compiled: bool) -> None:
        self.model = model.train()
        self.run: Any = torch.compile(model) if compiled else model
        self.kind = torch.device(device).type
        self.low = config.train.precision == "bf16"
        self.clip = config.train.gradient_clip
        decay = config.train.weight_decay
        parameters = list(model.parameters())
        groups = [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), fused=True)

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.low):
            value = self.loss(x, y)
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return value.detach()

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError


class Transformers(_Peer):
    def __init__(self, config: RunConfig, device: str, compiled: bool) -> None:
        super().__init__(transformers_model(config.model, device), config, device, compiled)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        value: Tensor = self.run(input_ids=x, labels=x, shift_labels=y, use_cache=False).loss
        return value


class Litgpt(_Peer):
    def __init__(self, config: RunConfig, device: str, compiled: bool) -> None:
        from litgpt.utils import chunked_cross_entropy

        self.cross_entropy: Callable[[Tensor, Tensor], Tensor] = chunked_cross_entropy
        super().__init__(litgpt_model(config.model, device), config, device, compiled)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return self.cross_entropy(self.run(x), y)


# ---------------------------------------------------------------- models of the peers


def transformers_model(config: GPTConfig, device: str = "cpu") -> Any:
    """GPT-2 of this shape, float32, random."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device(device):
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=config.vocab_size,
                n_positions=config.max_length,
                n_embd=config.embed_size,
                n_layer=config.num_layers,
                n_head=config.heads,
                n_inner=config.forward_expansion * config.embed_size,
                resid_pdrop=config.dropout,
                embd_pdrop=config.dropout,
                attn_pdrop=0.0,
                bos_token_id=0,
                eos_token_id=0,
            )
        )


def litgpt_model(config: GPTConfig, device: str = "cpu") -> Any:
    """A GPT of this shape as litgpt builds it: rotary positions, large vocabularies padded."""
    import litgpt

    small = config.vocab_size < 1024  # padding to 512 would be most of such a table
    with torch.device(device):
        model = litgpt.GPT(
            litgpt.Config(
                block_size=config.max_length,
                n_layer=config.num_layers,
                n_embd=config.embed_size,
                n_head=config.heads,
                vocab_size=config.vocab_size,
                padded_vocab_size=config.vocab_size if small else None,
                intermediate_size=config.forward_expansion * config.embed_size,
                parallel_residual=False,
                attn_bias=config.bias,
                bias=config.bias,
                gelu_approximate="tanh",
            )
        )
        model.apply(model._init_weights)
    model.transformer.wte.weight = model.lm_head.weight
    return model


@torch.no_grad()
def copy_weights(source: GPT, target: Any) -> None:
    """Give a transformers GPT-2 the weights of ours: its matrices are the other way round."""
    names = {
        "token_embedding": "wte",
        "position_embedding": "wpe",
        "norm": "ln_f",
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.projection": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "feed_forward.expansion": "mlp.c_fc",
        "feed_forward.projection": "mlp.c_proj",
    }
    theirs = dict(target.transformer.named_parameters())
    for name, value in source.named_parameters():
        layer, part = "", name
        if name.startswith("blocks."):
            _, number, part = name.split(".", 2)
            layer = f"h.{number}."
        part, kind = part.rsplit(".", 1)
        turned = kind == "weight" and names[part].split(".")[0] in ("attn", "mlp")
        theirs[f"{layer}{names[part]}.{kind}"].copy_(value.T if turned else value)


# ---------------------------------------------------------------- writing

Writer = Callable[[Tensor, int], Tensor]  # ids of a prompt (P,) and how many to write -> those (N,)


def peer_writer(name: str, config: GPTConfig, precision: str, device: str = "cpu") -> Writer:
    """How a peer's users let it write the likeliest tokens, with its cache."""
    makers = {"transformers": _transformers_writer, "litgpt": _litgpt_writer}
    return makers[name](config, DTYPES[precision], device)


def _transformers_writer(config: GPTConfig, dtype: torch.dtype, device: str) -> Writer:
    model = transformers_model(config, device).to(dtype).eval()

    def write(prompt: Tensor, count: int) -> Tensor:
        ids: Tensor = model.generate(
            prompt[None],
            attention_mask=torch.ones_like(prompt[None]),
            do_sample=False,
            use_cache=True,
            max_new_tokens=count,
            min_new_tokens=count,
            pad_token_id=0,
        )
        return ids[0, len(prompt) :]

    return write


def _litgpt_writer(config: GPTConfig, dtype: torch.dtype, device: str) -> Writer:
    from litgpt.generate.base import generate

    model = litgpt_model(config, device).to(dtype).eval()
    kept = 0

    def write(prompt: Tensor, count: int) -> Tensor:
        nonlocal kept
        if kept != len(prompt) + count:  # the cache is as long as its user says
            kept = len(prompt) + count
            with torch.device(device):
                model.max_seq_length = kept
                model.set_kv_cache(batch_size=1, device=torch.device(device), dtype=dtype)
        ids: Tensor = generate(model, prompt, kept, temperature=0.0, include_prompt=False)
        return ids

    return write


def our_writer(config: GPTConfig, precision: str, device: str = "cpu") -> Writer:
    """The engine's decoder, which packs the weights once, as a chat does.

    Raises:
        ValueError: the device has not got this precision.
    """
    from gpt_studio.engine.decoder import Decoder

    with torch.device(device):
        model = GPT(config).eval()
    decoder = Decoder(model, precision)
    if decoder.precision != precision:
        raise ValueError(f"Here the engine writes with {decoder.precision} weights.")

    def write(prompt: Tensor, count: int) -> Tensor:
        decoder.length = 0
        written, ids = [], prompt.tolist()
        for _ in range(count):
            ids = [int(decoder.read(ids).argmax())]
            written += ids
        return torch.tensor(written)

    return write


def chosen(config: RunConfig) -> str:
    """What the engine takes for this shape on a CPU: kernel of attention, library of float32 products."""
    plain = attends_plainly(config.train.attention, "cpu", config.model.max_length)
    with fast_products():
        exact = torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    library = ", oneDNN" if exact else ", torch's own"
    return f"{'plain' if plain else 'fused'} attention" + (
        library if config.train.precision == "fp32" else ""
    )
