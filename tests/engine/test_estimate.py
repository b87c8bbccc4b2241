"""The estimate against reality: real models, real allocations, and large models on fake tensors."""

import itertools
import json
import random
import weakref

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.nn.utils import get_total_norm
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import MB, SHORT, training_memory
from gpt_studio.core.presets import presets
from gpt_studio.core.shapes import parameter_shapes, parameters
from gpt_studio.engine.model import GPT, loss
from gpt_studio.engine.optimizers import make_optimizer

WORKSPACE = 0.7 * MB  # what a bf16 matrix product of these sizes takes for itself, at most


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


class Training:
    """A model in training, as the trainer does it."""

    def __init__(self, config):
        self.config = config
        self.model = GPT(config.model).train()
        self.optimizer = make_optimizer(self.model, config.train)
        self.ids = torch.zeros(config.train.batch_size, config.model.max_length, dtype=torch.long)
        self.targets = self.ids.clone()
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()  # makes its state
        self.optimizer.zero_grad()

    def step(self):
        for _ in range(self.config.train.accumulation):
            self.backward()
        get_total_norm([p.grad for p in self.model.parameters()])
        self.optimizer.step()
        self.optimizer.zero_grad()

    def backward(self):
        low = self.config.train.precision == "bf16"
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            value = loss(self.model(self.ids), self.targets)
        (value / self.config.train.accumulation).backward()

    def held(self):
        """Bytes of all tensors between two steps."""
        states = [state.values() for state in self.optimizer.state.values()]
        tensors = [*self.model.parameters(), *itertools.chain(*states), self.ids, self.targets]
        return sum(tensor.nbytes for tensor in tensors)


def real_peak(config, folder):
    """The most bytes a real step holds, as torch's own profiler saw them come and go."""
    training = Training(config)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        training.step()
    trace = folder / "trace.json"
    profiled.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e["name"] == "[memory]")
    return training.held() + max(itertools.accumulate(size for _, size in changes))


class LiveTensors(TorchDispatchMode):
    """Follows the birth and death of every tensor's storage, fake ones too."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, torch.Tensor):
                self.follow(tensor.untyped_storage())
        # While a mode looks on, gradients are summed into a new tensor; otherwise in place.
        if operation is not torch.ops.aten.add.Tensor:
            self.peak = max(self.peak, self.now)
        return made

    def follow(self, storage):
        key, size = id(storage), storage.nbytes()
        if key not in self.known:
            self.known[key] = weakref.ref(storage, lambda _: self.forget(key, size))
            self.now += size

    def forget(self, key, size):
        del self.known[key]
        self.now -= size


def simulated_peak(config):
    """The most bytes a step holds, on tensors without data."""
    with FakeTensorMode(), LiveTensors() as live:
        training = Training(config)
        live.peak = 0
        training.step()
    return live.peak


SWITCHES = list(itertools.product(["fp32", "bf16"], [False, True], [0.0, 0.1], [True, False]))
SIZES = [  # many tokens and few weights, the reverse, and between
    ({"num_layers": 3, "heads": 2, "embed_size": 64, "max_length": 128, "vocab_size": 1000}, 8, 1),
    ({"num_layers": 2, "heads": 4, "embed_size": 256, "max_length": 32, "vocab_size": 257}, 2, 1),
    ({"num_layers": 6, "heads": 3, "embed_size": 192, "max_length": 64, "vocab_size": 257}, 4, 2),
    ({"num_layers": 2, "heads": 8, "embed_size": 64, "max_length": SHORT, "vocab_size": 65}, 2, 1),
    ({"num_layers": 2, "heads": 8, "embed_size": 64, "max_length": SHORT + 1, "vocab_size": 65}, 2, 1),
]


def run_of(size, switches, optimizer="adamw"):
    precision, checkpointed, dropout, tied = switches
    shape, batch, accumulation = size
    model = GPTConfig(**shape, gradient_checkpointing=checkpointed, dropout=dropout, tie_embeddings=tied)
    plan = TrainConfig(batch_size=batch, accumulation=accumulation, precision=precision, optimizer=optimizer)
    return RunConfig(model=model, train=plan)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_training_memory_is_what_a_real_step_takes(switches, optimizer, tmp_path):
    for size in SIZES:
        config = run_of(size, switches, optimizer)
        real, promised = real_peak(config, tmp_path), training_memory(config).tensors
        below = real - promised - (WORKSPACE if config.train.precision == "bf16" else 0)
        assert below <= 0.003 * real
        assert promised - real <= 0.003 * real


LARGE = {"gpt2-124m": [1, 5, 8, 14], "gpt2-355m": [0], "gpt2-1558m": [12]}


@pytest.mark.parametrize(("name", "index"), [(name, i) for name, all_ in LARGE.items() for i in all_])
def test_training_memory_of_gpt2_is_what_its_tensors_take(name, index):
    precision, checkpointed, dropout, tied = SWITCHES[index]
    config = next(preset for preset in presets() if preset.name == name).apply(RunConfig())
    config = config.changed(
        "model", {"gradient_checkpointing": checkpointed, "dropout": dropout, "tie_embeddings": tied}
    ).changed("train", {"precision": precision, "batch_size": 4, "accumulation": 1})
    assert training_memory(config).tensors == pytest.approx(simulated_peak(config), rel=1e-3)


def test_checkpointing_really_saves_memory(tmp_path):
    size = ({"num_layers": 8, "heads": 4, "embed_size": 64, "max_length": 128, "vocab_size": 65}, 8, 1)
    plain, checkpointed = (
        real_peak(run_of(size, ("fp32", switch, 0.0, True)), tmp_path) for switch in (False, True)
    )
    assert checkpointed < 0.35 * plain


def test_parts_are_what_they_are_called():
    """The peak of this step is in the loss's way back: nothing has been learned yet."""
    model = GPTConfig(num_layers=2, heads=2, embed_size=32, max_length=64, vocab_size=1000)
    memory = training_memory(RunConfig(model=model, train=TrainConfig(batch_size=4)))
    assert memory.gradients == 0
    assert memory.logits == 3 * 4 * 4 * 64 * 1000
    assert memory.weights == 4 * parameters(model)
