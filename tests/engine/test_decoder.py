"""The decoder says what the model says, at each precision, and int8 keeps the demo model's answers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_studio.core.config import GPTConfig, SampleConfig
from gpt_studio.core.events import Token
from gpt_studio.core.paths import resources
from gpt_studio.core.requests import Generate
from gpt_studio.core.world import exam
from gpt_studio.engine import checkpoint, decoder, linears
from gpt_studio.engine.decoder import Decoder, looked_at
from gpt_studio.engine.generator import generate
from gpt_studio.engine.linears import Int8, Packed, Plain
from gpt_studio.engine.model import GPT

CONFIG = GPTConfig(num_layers=2, heads=2, embed_size=32, max_length=16, vocab_size=57, dropout=0.5)


def made(config=CONFIG, strength=4):
    torch.manual_seed(1)
    model = GPT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(strength)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    return model


def ids_for(config):
    return torch.randint(config.vocab_size, (config.max_length,), generator=torch.Generator().manual_seed(2))


def plain_logits(model, ids):
    with torch.inference_mode():
        return model(ids[None])[0]


def written(decoder, ids, at_once):
    """The logits after the first `at_once` tokens and after each later one, up to a full context."""
    decoder.begin("text")
    ids = ids.tolist()
    return torch.stack([decoder.read(ids[:at_once]), *(decoder.read([id]) for id in ids[at_once:])])


@settings(max_examples=25, deadline=None)
@given(
    heads=st.integers(1, 4),
    width=st.integers(1, 9),
    layers=st.integers(1, 3),
    expansion=st.integers(1, 5),
    context=st.integers(2, 20),
    vocabulary=st.integers(2, 70),
    bias=st.booleans(),
    tied=st.booleans(),
    data=st.data(),
)
def test_it_says_what_the_model_says(heads, width, layers, expansion, context, vocabulary, bias, tied, data):
    config = GPTConfig(
        heads=heads, embed_size=heads * width, num_layers=layers, forward_expansion=expansion,
        max_length=context, vocab_size=vocabulary, bias=bias, tie_embeddings=tied,
    )  # fmt: skip
    at_once = data.draw(st.integers(1, context))
    model, ids = made(config, 1), ids_for(config)
    found = written(Decoder(model), ids, at_once)
    torch.testing.assert_close(found, plain_logits(model, ids)[at_once - 1 :], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-5), ("bf16", 0.03), ("int8", 0.06)])
@pytest.mark.parametrize("tied", [True, False])
def test_fewer_bits_stay_close(precision, error, tied, monkeypatch):
    monkeypatch.setattr(decoder, "LEAST_INT8", 0)
    config = CONFIG.changed(tie_embeddings=tied)
    model, ids = made(config), ids_for(config)
    right = plain_logits(model, ids)[4:]
    found = written(Decoder(model, precision), ids, 5)
    assert float((found - right).norm() / right.norm()) < error


def test_a_text_is_begun_anew():
    model, ids = made(), ids_for(CONFIG)
    decoder = Decoder(model)
    assert torch.equal(written(decoder, ids, 3), written(decoder, ids, 3))


def test_more_than_the_context_is_refused():
    decoder = Decoder(made())
    decoder.read([1] * 16)
    with pytest.raises(ValueError, match="context of 16"):
        decoder.read([1])


def test_the_model_is_left_as_it_was():
    model = made()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for precision in ("fp32", "bf16", "int8"):
        written(Decoder(model, precision), ids_for(CONFIG), 4)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


# ---------------------------------------------------------------- what a device cannot do


def test_without_onednn_the_plain_product_does_the_work(monkeypatch):
    monkeypatch.setattr(decoder, "packed_works", lambda *_: False)
    model, ids = made(), ids_for(CONFIG)
    plain = Decoder(model)
    assert isinstance(plain._head, Plain)
    torch.testing.assert_close(written(plain, ids, 3), plain_logits(model, ids)[2:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("int8", "packs", "got"), [(False, True, "bf16"), (False, False, "fp32")])
def test_the_nearest_precision_is_taken_and_told(monkeypatch, caplog, int8, packs, got):
    monkeypatch.setattr(decoder, "int8_works", lambda *_: int8)
    monkeypatch.setattr(decoder, "packed_works", lambda *_: packs)
    assert Decoder(made(), "int8").precision == got
    assert f"writing with {got}" in caplog.text


def test_small_matrices_are_not_rounded_to_8_bits():
    config = CONFIG.changed(embed_size=128, heads=4, vocab_size=2048)
    found = Decoder(made(config), "int8")
    assert isinstance(found._head, Int8)
    assert not isinstance(found._layers[0].widen, Int8)


def test_a_width_that_fills_no_vector_is_not_read_in_int8():
    assert not linears.int8_works("cpu", 7)


@pytest.mark.parametrize("kind", [Packed, Int8])
def test_wrong_products_are_found_out(monkeypatch, kind):
    monkeypatch.setattr(kind, "gelu", lambda self, x: self(x))  # forgets to bend
    assert not linears._agrees(kind, torch.bfloat16, "cpu", 64)


def test_missing_products_are_found_out(monkeypatch):
    monkeypatch.setattr(linears, "ONEDNN", object())
    assert not linears._agrees(Packed, torch.float32, "cpu", 64)


# ---------------------------------------------------------------- as a GPU records it


@pytest.mark.parametrize("positions", [10, 16])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_the_recorded_step_says_the_same_wherever_it_is(precision, positions, monkeypatch):
    monkeypatch.setattr(decoder, "LEAST_INT8", 0)
    model, ids = made(), ids_for(CONFIG)
    sliced, static = Decoder(model, precision), Decoder(model, precision)
    right = written(sliced, ids, 4)[1 : positions - 3]
    static.read(ids[:4].tolist())
    with torch.inference_mode():
        found = [
            static._step(ids[n : n + 1], torch.tensor([n]), positions).float() for n in range(4, positions)
        ]
    torch.testing.assert_close(
        torch.stack(found), right, atol=0.15 if precision != "fp32" else 1e-4, rtol=1e-2
    )


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_recording_sees_the_whole_text_and_not_much_more(length, context):
    length = min(length, context)
    positions = looked_at(length, context)
    assert length <= positions <= min(context, max(128, 2 * length))


# ---------------------------------------------------------------- the demo model


def answers(demo, prompts, precision):
    """What the demo model answers, always taking its likeliest token."""
    config = SampleConfig(temperature=0.0, max_tokens=24, precision=precision)
    stop = demo.config.data.template.stop
    return [
        "".join(
            event.text
            for event in generate(
                demo.model, demo.tokenizer, Generate(prompt, config, stop), lambda: precision
            )
            if isinstance(event, Token)
        )
        for prompt in prompts
    ]


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_fewer_bits_keep_the_answers_of_the_demo(precision):
    demo = checkpoint.load(resources() / "demo" / "small-world.safetensors")
    template = demo.config.data.template
    prompts = [template.prompt(question.messages) for question in exam(10)]
    exact, found = (answers(demo, prompts, kind) for kind in ("fp32", precision))
    assert found == exact
