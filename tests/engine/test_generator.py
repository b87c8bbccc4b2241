"""Text streams as characters complete, never shows the stop text, and always comes from one whole model."""

import gc
import itertools
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import GPTConfig, SampleConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Generated, Token
from gpt_studio.core.requests import Generate
from gpt_studio.engine import generator
from gpt_studio.engine.decoder import Decoder
from gpt_studio.engine.generator import Speech, _read, generate
from gpt_studio.engine.model import GPT
from gpt_studio.engine.tokenizers import tokenizer

BYTES = tokenizer("bytes")
CONFIG = GPTConfig(num_layers=2, heads=2, embed_size=16, max_length=16, vocab_size=257, dropout=0.5)
GREEDY = SampleConfig(temperature=0.0, max_tokens=12)
SEEDED = SampleConfig(temperature=1.0, top_k=0, top_p=1.0, max_tokens=40, fixed_seed=True)


@pytest.fixture
def model():
    torch.manual_seed(5)
    model = GPT(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8)  # so that it has opinions
    return model


class Scripted(torch.nn.Module):
    """Says a given sequence of bytes (then ends), whatever it reads."""

    def __init__(self, script, context=512):
        super().__init__()
        self.config = CONFIG.changed(max_length=context)
        self.token_embedding = torch.nn.Embedding(257, 16)
        self.script = script
        self.told = -1

    def forward(self, ids, cache=None, last_only=False):
        cache.length += ids.size(1)
        self.told += 1
        logits = torch.full((1, 1, 257), -5.0)
        logits[0, 0, self.script[self.told] if self.told < len(self.script) else 256] = 5.0
        return logits


def say(script, stop="", most=500, tokens=BYTES):
    """What a scripted model's tokens show, and why it ended."""
    request = Generate("x", GREEDY.changed(max_tokens=most), stop)
    *said, end = generate(Scripted(script), tokens, request)
    return [token.text for token in said], end.reason


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    ("prompt", "stop", "read"),
    [
        ("Q: a\nA:", "\nQ:", "Q: a\nA:"),
        ("Q: a\nA: b\nQ: cc\nA:", "\nQ:", "Q: cc\nA:"),  # 19 bytes, of which 12 may be
        ("Q: a\nA: b\nQ: a question too long\nA:", "\nQ:", "Q: a question too long\nA:"),
        ("Q: a##A: b##Q: c##A:", "##Q:", "##Q: c##A:"),
        ("a text to be gone on with", "", "a text to be gone on with"),
    ],
)
def test_of_a_dialogue_the_latest_turns_are_read(prompt, stop, read):
    assert _read(Generate(prompt, GREEDY, stop), BYTES, 16) == [BYTES.end, *BYTES.encode(read)]


# ---------------------------------------------------------------- what is shown


@pytest.mark.parametrize("text", ["plain", "Größe – naïve café", "日本語 und 😀👩‍👩‍👧", ""])
def test_characters_appear_whole(text):
    shown, reason = say(list(text.encode()))
    assert "".join(shown) == text
    assert "\ufffd" not in "".join(shown)
    assert reason == "end of text"
    assert len(shown) == len(text.encode()) + 1  # every token has its event, the end too


def test_a_token_inside_a_character_shows_nothing_yet():
    assert say(list("é!".encode()))[0] == ["", "é", "!", ""]


def test_a_character_cut_off_at_the_end_is_marked():
    assert say(list("aé".encode()), most=2) == (["a", "\ufffd"], "length")


def test_bytes_that_are_no_text_are_marked():
    assert "".join(say([0xFF, ord("a")])[0]) == "\ufffda"


@given(st.text(alphabet="ab\né", max_size=30), st.text(alphabet="ab\né", min_size=1, max_size=4))
def test_the_stop_text_never_shows(text, stop):
    shown, reason = say(list(text.encode()), stop)
    whole = text.split(stop)[0]
    begun = max((n for n in range(len(stop)) if whole.endswith(stop[:n])), default=0)
    if stop not in text and not whole[len(whole) - begun :].strip():
        whole = whole[: len(whole) - begun]  # a blank beginning of the stop text ends the answer as well
    assert "".join(shown) == whole
    assert reason == ("stop" if stop in text else "end of text")
    so_far = ""
    for piece in shown:
        so_far += piece
        assert stop not in so_far
        assert text.startswith(so_far)


@given(st.text(alphabet="ab", max_size=20), st.text(alphabet="ab", min_size=1, max_size=4))
def test_only_what_may_begin_the_stop_text_waits(text, stop):
    speech = Speech(stop)
    shown = ""
    for count, character in enumerate(text, 1):
        shown += speech.add(character.encode())
        if speech.stopped:
            break
        waiting = text[len(shown) : count]
        assert stop.startswith(waiting)


def test_an_answer_that_ends_with_its_line_shows_no_empty_one():
    assert "".join(say(list(b"In the wood.\n"), stop="\nQ:")[0]) == "In the wood."
    assert "".join(say(list(b"In the wood.\n"))[0]) == "In the wood.\n"


def test_what_waits_is_shown_at_the_end():
    assert say(list(b"so\nUse"), stop="\nUser:", most=6) == (["s", "o", "", "", "", "\nUse"], "length")
    assert "".join(say(list(b"so\nUse"), stop="\nUser:")[0]) == "so\nUse"


# ---------------------------------------------------------------- what is drawn


def without_cache(model, prompt, count):
    """Greedy writing the slow way, sliding as the generator says it does."""
    model.eval()
    context, read, written = model.config.max_length, [BYTES.end, *BYTES.encode(prompt)], []
    for _ in range(count):
        if len(read) > context:
            read = read[-(context // 2) :]
        with torch.inference_mode():
            written.append(int(model(torch.tensor([read]))[0, -1].argmax()))
        read.append(written[-1])
        if written[-1] == BYTES.end:
            break
    return written


@pytest.mark.parametrize("version", [None, 1], ids=["plain", "packed"])
@pytest.mark.parametrize("prompt", ["a", "", "exactly sixteen.", "a prompt longer than the context is"])
def test_the_cache_and_the_sliding_window_change_nothing(model, prompt, version):
    *said, end = generate(model, BYTES, Generate(prompt, GREEDY.changed(max_tokens=40)), lambda: version)
    assert [token.id for token in said] == without_cache(model, prompt, 40)
    assert end.tokens == len(said)


def test_probability_rank_and_alternatives_are_the_model_s_own(model):
    request = Generate("hi", SEEDED.changed(temperature=1.7, top_k=200, repetition=1.3, max_tokens=8), turn=7)
    *said, end = generate(model, BYTES, request)
    ids = [BYTES.end, *BYTES.encode("hi")]
    for token in said:
        with torch.inference_mode():
            chances = model(torch.tensor([ids]))[0, -1].softmax(0)
        assert token.p == pytest.approx(float(chances[token.id]), rel=1e-4)
        assert token.rank == 1 + int((chances > chances[token.id]).sum())
        assert [p for _, p in token.alternatives] == pytest.approx(chances.topk(5).values.tolist(), rel=1e-4)
        assert token.turn == 7
        ids.append(token.id)
    assert (end.turn, end.tokens, end.reason) == (7, 8, "length")


def test_a_fixed_seed_repeats_and_a_free_one_does_not(model):
    def ids(settings):
        return [
            token.id for token in generate(model, BYTES, Generate("a", settings)) if isinstance(token, Token)
        ]

    assert ids(SEEDED) == ids(SEEDED)
    assert ids(SEEDED) != ids(SEEDED.changed(seed=8))
    free = SEEDED.changed(fixed_seed=False)
    assert ids(free) != ids(free)


def test_alternatives_name_the_end_of_text():
    token = next(generate(Scripted([]), BYTES, Generate("x", GREEDY)))
    assert token.alternatives[0][0] == "<|endoftext|>"
    assert token.id == BYTES.end


# ---------------------------------------------------------------- beside training


def test_writing_leaves_the_global_random_state_alone(model):
    before = torch.get_rng_state()
    list(generate(model, BYTES, Generate("a", SampleConfig(max_tokens=5))))
    assert torch.equal(before, torch.get_rng_state())


def test_nothing_is_held_between_tokens(model):
    """Another job may train between two tokens: modes are set at each token, and left after it."""
    plain = [event.id for event in generate(model, BYTES, Generate("a", SEEDED)) if isinstance(event, Token)]
    ids = []
    for event in generate(model, BYTES, Generate("a", SEEDED)):
        assert not torch.is_inference_mode_enabled()
        model.train()
        model(torch.tensor([[1, 2]])).sum().backward()
        if isinstance(event, Token):
            ids.append(event.id)
    assert ids == plain


@pytest.fixture
def packings(monkeypatch):
    """The precisions of the decoders made from now on."""
    generator.release()
    made = []

    class Counted(Decoder):
        def __init__(self, model, precision):
            made.append(precision)
            super().__init__(model, precision)

    monkeypatch.setattr(generator, "Decoder", Counted)
    yield made
    generator.release()


def test_weights_are_packed_once_while_they_stay_the_same(model, packings):
    request = Generate("a", SEEDED)
    first, second = (list(generate(model, BYTES, request, lambda: 1)) for _ in range(2))
    assert [token.id for token in first[:-1]] == [token.id for token in second[:-1]]
    assert packings == ["fp32"]
    list(generate(model, BYTES, request, lambda: 2))
    list(generate(model, BYTES, Generate("a", SEEDED.changed(precision="bf16")), lambda: 2))
    assert packings == ["fp32", "fp32", "bf16"]


def test_weights_that_change_are_not_packed_for_every_token(model, packings):
    versions = itertools.count()
    list(generate(model, BYTES, Generate("a", SEEDED), lambda: next(versions)))
    list(generate(model, BYTES, Generate("a", SEEDED)))  # without a version: never
    assert packings == ["fp32"]


def test_weights_being_trained_are_not_packed(model, packings):
    """The copy would be of no use after the next step, and stay until somebody writes again."""
    said = list(generate(model, BYTES, Generate("a", SEEDED), lambda: 1, packs=False))
    assert packings == []
    assert [token.id for token in said[:-1]] == [
        token.id for token in list(generate(model, BYTES, Generate("a", SEEDED)))[:-1]
    ]


def test_two_texts_at_once_do_not_mix(model):
    def writing(prompt):
        return generate(model, BYTES, Generate(prompt, SEEDED), lambda: 1)

    alone = [[token.id for token in list(writing(prompt))[:-1]] for prompt in ("ab", "cd")]
    both = list(zip(writing("ab"), writing("cd"), strict=True))[:-1]
    assert [[token.id for token in one] for one in zip(*both, strict=True)] == alone


def test_the_packed_copy_goes_with_its_model():
    model = GPT(CONFIG)
    list(generate(model, BYTES, Generate("a", GREEDY), lambda: 1))
    decoder = weakref.ref(generator._KEPT[model][2])
    del model
    gc.collect()
    assert decoder() is None


def test_without_memory_for_a_copy_the_weights_are_read_as_they_are(model, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    plain = [token.id for token in list(generate(model, BYTES, Generate("a", GREEDY)))[:-1]]
    monkeypatch.setattr(generator, "Decoder", no_memory)
    said = list(generate(model, BYTES, Generate("a", GREEDY), lambda: "other"))[:-1]
    assert [token.id for token in said] == plain


def test_new_weights_are_read_with_from_the_next_token_on(model):
    version = 0
    writing = generate(model, BYTES, Generate("ab", GREEDY), lambda: version)
    ids = [BYTES.end, *BYTES.encode("ab"), next(writing).id]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-0.7)
    version = 1
    assert [token.id for token in writing if isinstance(token, Token)][:3] == greedy(model, ids, 3)


def greedy(model, ids, count):
    ids = list(ids)
    for _ in range(count):
        with torch.inference_mode():
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[-count:]


def test_spoiled_weights_are_explained(model):
    with torch.no_grad():
        model.norm.weight.fill_(torch.nan)
    with pytest.raises(StudioError, match="spoiled"):
        list(generate(model, BYTES, Generate("a", GREEDY)))


def test_seconds_and_tokens_are_told(model):
    end = list(generate(model, BYTES, Generate("a", GREEDY)))[-1]
    assert isinstance(end, Generated)
    assert end.seconds > 0
