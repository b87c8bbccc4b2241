"""The estimate against reality: real models, and the exact peaks of real steps."""

import random
import statistics

import pytest
import torch

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import UNKNOWN_CPU, UNKNOWN_GPU, training_memory
from gpt_studio.core.presets import presets
from gpt_studio.core.shapes import parameter_shapes, parameters
from gpt_studio.core.step_memory import SHORT
from gpt_studio.engine.footprint import peak
from gpt_studio.engine.model import GPT


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


# ---------------------------------------------------------------- parameters


def random_model(chosen):
    heads = chosen.choice([1, 2, 3, 4, 7, 12])
    return GPTConfig(
        num_layers=chosen.randint(1, 6),
        heads=heads,
        embed_size=heads * chosen.randint(1, 96),
        forward_expansion=chosen.randint(1, 8),
        max_length=chosen.randint(2, 3000),
        vocab_size=chosen.choice([2, 257, chosen.randint(3, 100_000), 50257]),
        tie_embeddings=chosen.random() < 0.5,
        bias=chosen.random() < 0.5,
    )


def assert_exact(config):
    with torch.device("meta"):
        model = GPT(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert list(parameter_shapes(config).items()) == list(shapes.items())
    assert parameters(config) == sum(p.numel() for p in model.parameters())


def test_parameters_of_random_models_are_exact():
    chosen = random.Random(20)
    for _ in range(220):
        assert_exact(random_model(chosen))


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_parameters_of_the_presets_are_exact(preset):
    assert_exact(preset.apply(RunConfig()).model)


# ---------------------------------------------------------------- memory

WORST, UNUSUAL, MIDDLE = 0.015, 0.005, 0.0005  # relative errors: at most, of 95 %, of half
DEVICES = {"cpu": UNKNOWN_CPU, "cuda": UNKNOWN_GPU}


def random_run(chosen):
    """From tiny to as large as a grid can be in a minute."""
    heads = chosen.choice([2, 4, 6, 12])
    model = GPTConfig(
        num_layers=chosen.choice([2, 3, 4]),
        heads=heads,
        embed_size=heads * chosen.choice([32, 64, 128]),
        forward_expansion=chosen.choice([2, 4]),
        max_length=chosen.choice([64, SHORT, SHORT + 1, 512, 1024]),
        vocab_size=chosen.choice([327, 4096, 50257]),
        dropout=chosen.choice([0.0, 0.1]),
        tie_embeddings=chosen.random() < 0.6,
        bias=chosen.random() < 0.6,
        gradient_checkpointing=chosen.random() < 0.4,
    )
    plan = TrainConfig(
        batch_size=chosen.choice([2, 8, 16]),
        accumulation=chosen.choice([1, 1, 4]),
        precision=chosen.choice(["fp32", "bf16", "fp16"]),
        optimizer=chosen.choice(["adamw", "muon"]),
        chunked_loss=chosen.random() < 0.4,
    )
    return RunConfig(model=model, train=plan)


def errors(count, seed):
    """How far off the arithmetic is, relative to the exact peaks, in order."""
    chosen = random.Random(seed)
    found = []
    for _ in range(count):
        config, device = random_run(chosen), chosen.choice(["cpu", "cuda"])
        exact = peak(config, device)
        found.append(abs(training_memory(config, DEVICES[device]).tensors - exact) / exact)
    return sorted(found)


def assert_close(found):
    assert found[-1] <= WORST
    assert found[int(0.95 * len(found))] <= UNUSUAL
    assert statistics.median(found) <= MIDDLE


def test_the_arithmetic_is_near_the_exact_peak():
    assert_close(errors(24, seed=1))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_arithmetic_is_near_the_exact_peak_everywhere():
    assert_close(errors(144, seed=2))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_the_arithmetic_is_near_the_exact_peak_of_presets(preset, device):
    config = preset.apply(RunConfig())
    exact = peak(config, device)
    assert training_memory(config, DEVICES[device]).tensors == pytest.approx(exact, rel=UNUSUAL)


def test_parts_are_what_they_are_called():
    """The peak of this step is in the loss's way back: nothing has been learned yet."""
    model = GPTConfig(num_layers=2, heads=2, embed_size=32, max_length=64, vocab_size=1000)
    memory = training_memory(RunConfig(model=model, train=TrainConfig(batch_size=4)))
    assert memory.gradients == 0
    assert memory.logits == 3 * 4 * 4 * 64 * 1000
    assert memory.weights == 4 * parameters(model)
