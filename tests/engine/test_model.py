"""The model is a GPT: exact sizes, strict causality, GPT-2's start, and a cache that changes nothing."""

import math
import random
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from gpt_studio import GPT, GPTConfig
from gpt_studio.core import step_memory
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import model as model_module
from gpt_studio.engine.model import KVCache, loss

SMALL = GPTConfig(num_layers=3, heads=3, embed_size=24, max_length=32, vocab_size=61)


@pytest.fixture(autouse=True)
def _one_thread_one_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def ids_for(config, batch=2, length=None):
    return torch.randint(config.vocab_size, (batch, length or config.max_length))


# ---------------------------------------------------------------- shape and start


def test_gpt_alone_is_gpt2_small():
    model = GPT()
    assert sum(p.numel() for p in model.parameters()) == 124_439_808
    with torch.inference_mode():
        assert model(torch.zeros(1, 20, dtype=torch.long)).shape == (1, 20, 50257)


def test_names_go_into_files_and_never_change():
    names = list(GPT(SMALL.changed(num_layers=1, tie_embeddings=False)).state_dict())
    assert names == [
        "token_embedding.weight",
        "position_embedding.weight",
        "blocks.0.attention_norm.weight",
        "blocks.0.attention_norm.bias",
        "blocks.0.attention.qkv.weight",
        "blocks.0.attention.qkv.bias",
        "blocks.0.attention.projection.weight",
        "blocks.0.attention.projection.bias",
        "blocks.0.feed_forward_norm.weight",
        "blocks.0.feed_forward_norm.bias",
        "blocks.0.feed_forward.expansion.weight",
        "blocks.0.feed_forward.expansion.bias",
        "blocks.0.feed_forward.projection.weight",
        "blocks.0.feed_forward.projection.bias",
        "norm.weight",
        "norm.bias",
        "head.weight",
    ]


def test_it_starts_as_gpt2_does():
    model = GPT(GPTConfig(num_layers=8, embed_size=192, heads=4, max_length=128, vocab_size=1000))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            expected = 0.02 / math.sqrt(2 * 8) if "projection" in name else 0.02
            assert parameter.std().item() == pytest.approx(expected, rel=0.03), name
            assert abs(parameter.mean().item()) < expected * 0.03, name


def test_a_fresh_model_knows_nothing():
    ids = ids_for(SMALL, batch=8)
    with torch.inference_mode():
        assert loss(GPT(SMALL)(ids), ids.roll(-1, 1)).item() == pytest.approx(math.log(61), rel=0.02)


def test_loss_is_the_mean_surprise_in_float32():
    logits, targets = torch.randn(2, 3, 5, dtype=torch.bfloat16), torch.tensor([[0, 1, 2], [3, 4, 0]])
    surprise = -F.log_softmax(logits.double(), dim=2).gather(2, targets.unsqueeze(2)).mean()
    value = loss(logits, targets)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(surprise.item(), rel=1e-6)


def textbook(model, ids):
    """GPT-2 written out in plain formulas, in double precision: logits (T, V) of one text (T,)."""
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    heads, length = model.config.heads, len(ids)

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def attend(q, k, v):
        scores = q @ k.T / math.sqrt(q.size(1))
        future = torch.ones(length, length).triu(1).bool()
        return scores.masked_fill(future, -math.inf).softmax(1) @ v

    def gelu(x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    x = weights["token_embedding.weight"][ids] + weights["position_embedding.weight"][:length]
    for layer in range(model.config.num_layers):
        block = f"blocks.{layer}"
        q, k, v = linear(norm(x, f"{block}.attention_norm"), f"{block}.attention.qkv").chunk(3, dim=1)
        each = zip(*(t.chunk(heads, dim=1) for t in (q, k, v)), strict=True)
        x = x + linear(torch.cat([attend(*head) for head in each], 1), f"{block}.attention.projection")
        hidden = linear(norm(x, f"{block}.feed_forward_norm"), f"{block}.feed_forward.expansion")
        x = x + linear(gelu(hidden), f"{block}.feed_forward.projection")
    return norm(x, "norm") @ weights["token_embedding.weight"].T


def test_it_computes_what_the_textbook_says():
    model = GPT(SMALL).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)  # so that every part matters
    ids = ids_for(SMALL, batch=1)
    with torch.inference_mode():
        torch.testing.assert_close(model(ids)[0], textbook(model, ids[0]), atol=1e-10, rtol=1e-8)


def test_a_config_with_problems_is_refused():
    with pytest.raises(StudioError, match="Embedding size 100 is not divisible by 12 heads"):
        GPT(GPTConfig(embed_size=100))


def test_a_text_longer_than_the_context_is_refused():
    model = GPT(SMALL)
    with pytest.raises(StudioError, match="33 tokens long, but this model's context holds 32"):
        model(ids_for(SMALL, length=33))


def test_no_bias_means_none():
    model = GPT(SMALL.changed(bias=False))
    assert not [name for name in model.state_dict() if "bias" in name]
    assert model(ids_for(SMALL)).shape == (2, 32, 61)


def test_tied_embeddings_are_one_table():
    model = GPT(SMALL)
    hidden = torch.randn(1, 1, 24)
    before = model.unembed(hidden)
    with torch.no_grad():
        model.token_embedding.weight[7] += 1
    changed = (model.unembed(hidden) != before).nonzero()[:, 2]
    assert changed.tolist() == [7]


def test_the_module_runs_as_a_script():
    done = subprocess.run(
        [sys.executable, "-m", "gpt_studio.engine.model"], capture_output=True, text=True, check=True
    )
    size, memory, shape = done.stdout.splitlines()
    assert size == "Parameters: 124,439,808"
    assert memory.startswith("Estimated training memory (AdamW, fp32, 1 × 1024 tokens): ")
    assert 2.5 < float(memory.split()[-2]) < 4
    assert memory.endswith(" GB")
    assert shape == "Output shape: (1, 20, 50257)"


# ---------------------------------------------------------------- causality


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_token_changes_nothing_before_it(dropout):
    model = GPT(SMALL.changed(dropout=dropout)).eval()
    ids = ids_for(SMALL, batch=1)
    with torch.inference_mode():
        before = model(ids)
        for place in range(SMALL.max_length):
            other = ids.clone()
            other[0, place] = (ids[0, place] + 1) % SMALL.vocab_size
            after = model(other)
            assert torch.equal(after[:, :place], before[:, :place])
            assert not torch.allclose(after[:, place], before[:, place])


def test_a_token_changes_nothing_before_it_while_dropping():
    model = GPT(SMALL.changed(dropout=0.3)).train()
    ids = ids_for(SMALL, batch=1)
    other = ids.clone()
    other[0, 20] = (ids[0, 20] + 1) % SMALL.vocab_size
    logits = []
    for text in (ids, other):
        torch.manual_seed(5)
        logits.append(model(text))
    assert torch.equal(logits[0][:, :20], logits[1][:, :20])
    assert not torch.equal(logits[0][:, 20:], logits[1][:, 20:])


def test_every_token_sees_all_before_it():
    model = GPT(SMALL).eval()
    x = model.embed(ids_for(SMALL, batch=1)).detach().requires_grad_()
    model.unembed(model.blocks[0](x))[0, -1].sum().backward()
    assert (x.grad.abs().sum(2) > 0).all()


# ---------------------------------------------------------------- plain products and the fused kernel


def attended(length, precision):
    """What comes of some queries, keys and values, and what the way back gives each of them."""
    torch.manual_seed(4)
    drawn = torch.randn(4, 2, 3, length, 8).bfloat16().to(precision)  # the same numbers in every precision
    given = [drawn[i].clone().requires_grad_() for i in range(3)]
    y = model_module._attend(*given, past=0)
    y.backward(drawn[3])
    return [y.detach(), *(tensor.grad for tensor in given)]


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("length", [1, 2, 61, 256])
def test_plain_products_attend_as_the_fused_kernel_does(monkeypatch, length, precision, tolerance):
    plain = attended(length, precision)
    monkeypatch.setattr(model_module, "_attend_plainly", None)
    monkeypatch.setattr(step_memory, "SHORT", 0)
    for found, expected in zip(plain, attended(length, precision), strict=True):
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


def test_plain_products_in_bf16_lose_no_more_than_bf16_does(monkeypatch):
    plain = attended(64, torch.bfloat16)
    monkeypatch.setattr(step_memory, "SHORT", 0)
    for found, exact in zip(plain, attended(64, torch.float64), strict=True):
        assert (found.double() - exact).norm() < 0.01 * exact.norm()


def test_long_texts_leave_no_tables_in_memory(monkeypatch):
    monkeypatch.setattr(model_module, "_attend_plainly", None)
    attended(257, torch.float32)


# ---------------------------------------------------------------- checkpointing


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_checkpointing_changes_neither_loss_nor_gradients(dropout, precision):
    results = []
    for checkpointed in (False, True):
        torch.manual_seed(1)
        model = GPT(SMALL.changed(dropout=dropout, gradient_checkpointing=checkpointed)).train()
        ids = ids_for(SMALL)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            value = loss(model(ids), ids.roll(-1, 1))
        value.backward()
        results.append([value.detach(), *(p.grad for p in model.parameters())])
    for plain, checkpointed in zip(*results, strict=True):
        assert torch.equal(plain, checkpointed)


def test_dropout_drops_only_while_training():
    model = GPT(SMALL.changed(dropout=0.5))
    ids = ids_for(SMALL)
    assert not torch.equal(model.train()(ids), model(ids))
    assert torch.equal(model.eval()(ids), model(ids))


# ---------------------------------------------------------------- KV cache


def random_cuts(length, seed):
    """Ways to cut a text into pieces, among them token by token and all at once."""
    chosen = random.Random(seed)
    places = sorted(chosen.sample(range(1, length), chosen.choice([0, 1, 3, length - 1])))
    return [after - before for before, after in pairwise([0, *places, length])]


@pytest.mark.parametrize("seed", range(12))
def test_reading_in_pieces_changes_nothing(seed):
    model = GPT(SMALL).eval()
    ids = ids_for(SMALL)
    cache = KVCache(model, batch=2)
    with torch.inference_mode():
        whole = model(ids)
        pieces = [model(piece, cache) for piece in ids.split(random_cuts(32, seed), dim=1)]
    assert cache.length == 32
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=1e-6, rtol=1e-5)


def test_a_cache_read_again_from_the_start_forgets():
    model = GPT(SMALL).eval()
    cache = KVCache(model)
    ids = ids_for(SMALL, batch=1)
    with torch.inference_mode():
        model(ids, cache)
        with pytest.raises(StudioError, match="33 tokens long"):
            model(ids[:, :1], cache)
        assert cache.length == 32
        cache.length = 0
        torch.testing.assert_close(model(ids[:, 16:], cache), model(ids[:, 16:]), atol=1e-6, rtol=1e-5)
    assert cache.length == 16


def test_the_last_token_alone_is_the_last_of_all():
    model = GPT(SMALL).eval()
    ids = ids_for(SMALL)
    with torch.inference_mode():
        last = model(ids, last_only=True)
        assert last.shape == (2, 1, 61)
        torch.testing.assert_close(last, model(ids)[:, -1:])


def test_a_cache_keeps_no_history_of_gradients():
    model = GPT(SMALL).eval()
    cache = KVCache(model, batch=2)
    model(ids_for(SMALL, length=5), cache)
    assert not cache.entries.requires_grad
