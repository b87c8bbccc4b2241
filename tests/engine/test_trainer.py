"""Training learns, repeats exactly, says what happens, and stops before it does harm."""

import math
from contextlib import closing

import numpy as np
import pytest
import torch

from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, SampleConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.metrics import METRICS, RESOURCES, History
from gpt_studio.core.requests import Generate
from gpt_studio.core.run_events import Evaluated, MemoryMeasured, Resources, Sampled, Step
from gpt_studio.core.schedule import learning_rate
from gpt_studio.engine import step as step_module
from gpt_studio.engine import trainer
from gpt_studio.engine.data import Dataset, Tokens
from gpt_studio.engine.generator import generate
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.tokenizers import tokenizer
from gpt_studio.engine.trainer import Stopwatch, Trainer

BYTES = tokenizer("bytes")
IDS = np.frombuffer(b"the cat sat on the mat. " * 60, np.uint8).astype(np.uint16)
DATA = Dataset(BYTES, Tokens.of(IDS), Tokens.of(IDS[:400]), None)
CONFIG = RunConfig(
    model=GPTConfig(num_layers=1, heads=2, embed_size=16, max_length=16, vocab_size=257),
    data=DataConfig(),
    train=TrainConfig(
        steps=12, batch_size=4, learning_rate=1e-2, warmup=2,
        evaluate_every=5, sample_every=6, sample_prompt="t",
    ),
)  # fmt: skip


def changed(**changes):
    model = {name: changes.pop(name) for name in list(changes) if name in GPTConfig.__dataclass_fields__}
    return CONFIG.changed("train", changes).changed("model", model)


def fresh(config):
    torch.manual_seed(config.train.seed)
    model = GPT(config.model)
    return model, make_optimizer(model, config.train)


def run(config=CONFIG, pair=None, data=DATA, start=0, **more):
    """Train to the end, or as many events as there are."""
    return Trainer(*(pair or fresh(config)), data, config, step=start, **more).run()


def steps(events):
    return [event for event in events if isinstance(event, Step)]


def losses(events):
    return [event.values["loss"] for event in steps(events)]


# ---------------------------------------------------------------- what it says and does


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_it_learns(optimizer):
    found = losses(run(changed(steps=80, optimizer=optimizer)))
    assert found[0] == pytest.approx(math.log(257), rel=0.05)
    assert found[-1] < found[0] / 2


def test_every_metric_of_every_step_is_told():
    events = list(run())
    assert [event.step for event in steps(events)] == list(range(1, 13))
    for event in steps(events):
        assert event.values.keys() == {metric.name for metric in METRICS}
        assert event.values["learning_rate"] == learning_rate(CONFIG.train, event.step)
        assert event.values["tokens"] == event.step * 4 * 16
        assert event.values["tokens_per_second"] > 0
    seconds = [event.values["seconds"] for event in steps(events)]
    assert seconds == sorted(seconds)


def test_validation_and_samples_come_when_due_and_at_the_end():
    events = list(run())
    assert [event.step for event in events if isinstance(event, Evaluated)] == [5, 10, 12]
    samples = [event.sample for event in events if isinstance(event, Sampled)]
    assert [(sample.step, sample.prompt) for sample in samples] == [(6, "t"), (12, "t")]
    assert all(sample.text for sample in samples)
    assert any(isinstance(event, MemoryMeasured) for event in events)
    order = [type(event).__name__ for event in events if event is not None]
    assert order.index("Evaluated") > order.index("Step")


def test_no_validation_text_and_no_samples_wished():
    empty = Dataset(BYTES, Tokens.of(IDS), Tokens.of(IDS[:0]), None)
    kinds = {type(event) for event in run(changed(sample_every=0), data=empty)}
    assert kinds.isdisjoint({Evaluated, Sampled})


def test_samples_are_drawn_alike_each_time():
    config = changed(steps=2, sample_every=1, learning_rate=1e-8, max_length=64)
    samples = [event.sample for event in run(config) if isinstance(event, Sampled)]
    assert samples[0].text == samples[1].text


def test_others_have_a_turn_between_two_batches_of_a_step():
    events = list(run(changed(steps=2, accumulation=3, sample_every=0, evaluate_every=100), data=DATA))
    first = events.index(next(event for event in events if isinstance(event, Step)))
    assert events[:first] == [None, None]


def test_tokens_and_seconds_go_on_counting():
    history = History()
    history.add_step(10, {metric.name: 1.0 for metric in METRICS} | {"tokens": 640.0, "seconds": 100.0})
    event = steps(run(start=10, history=history))[0]
    assert event.step == 11
    assert event.values["tokens"] == 704
    assert 100 < event.values["seconds"] < 200


def test_the_stopwatch_counts_only_while_it_runs(monkeypatch):
    now = 0.0
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: now)
    watch = Stopwatch(5.0)
    with watch.running():
        now += 2.0
    now += 100.0
    assert watch.seconds == 7.0


def test_pauses_and_chat_do_not_count(monkeypatch):
    now = 0.0
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: now)
    for event in run(changed(accumulation=2)):
        now += 1000.0
        if isinstance(event, Step):
            assert event.values["seconds"] == 0


# ---------------------------------------------------------------- the plan


def test_accumulation_equals_a_larger_batch():
    whole = changed(steps=4, batch_size=8, gradient_clip=0.5)
    parts = changed(steps=4, batch_size=2, accumulation=4, gradient_clip=0.5)
    assert losses(run(parts)) == pytest.approx(losses(run(whole)), rel=1e-5)


def test_clipping_shortens_long_gradients_only():
    def moved(clip):
        config = changed(steps=1, gradient_clip=clip, warmup=0)
        model, _ = fresh(config)
        pair = (model, torch.optim.SGD(model.parameters(), lr=1.0))
        before = weights(model)
        event = steps(run(config, pair))[0]
        lengths = [(p - q).norm() for p, q in zip(weights(model), before, strict=True)]
        change = torch.stack(lengths).norm()
        return event.values["gradient_norm"], change.item() / event.values["learning_rate"]

    norm, change = moved(0.0)
    assert change == pytest.approx(norm, rel=1e-3)
    assert moved(1000.0)[1] == pytest.approx(norm, rel=1e-3)
    assert moved(0.01) == (pytest.approx(norm), pytest.approx(0.01, rel=1e-3))


def test_bf16_learns_too():
    found = losses(run(changed(steps=60, precision="bf16")))
    assert found[-1] < found[0] / 1.5
    assert losses(run(changed(steps=2)))[0] != found[0]  # it did compute otherwise


# ---------------------------------------------------------------- exact replay

SHAPES = [
    {},
    {"dropout": 0.3},
    {"dropout": 0.3, "accumulation": 2},
    {"dropout": 0.2, "gradient_checkpointing": True},
    {"optimizer": "muon"},
    {"optimizer": "muon", "precision": "bf16", "accumulation": 2},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stop", [1, 5, 11])
def test_stopping_and_going_on_changes_nothing(shape, stop):
    config = changed(**shape)
    whole = fresh(config)
    expected = losses(run(config, whole))

    pair = fresh(config)
    with closing(run(config, pair)) as events:
        first = []
        for event in events:
            if isinstance(event, Step):
                first.append(event.values["loss"])
                if event.step == stop:
                    break
    torch.manual_seed(99)
    assert first + losses(run(config, pair, start=stop)) == expected
    assert all(torch.equal(p, q) for p, q in zip(pair[0].parameters(), whole[0].parameters(), strict=True))


def test_closing_inside_a_step_leaves_the_last_whole_step():
    config = changed(accumulation=4, dropout=0.2)
    expected = losses(run(config))
    pair = fresh(config)
    found = []
    with closing(run(config, pair)) as events:
        while len(found) < 3:
            event = next(events)
            if isinstance(event, Step):
                found.append(event.values["loss"])
        next(events)  # one of the four batches of step 4 is done
    assert all(p.grad is None for p in pair[0].parameters())
    assert found + losses(run(config, pair, start=3)) == expected


def test_writing_in_between_changes_nothing():
    config = changed(dropout=0.3, accumulation=2)
    expected = losses(run(config))
    pair = fresh(config)
    found = []
    writing = iter(())
    for event in run(config, pair):
        if isinstance(event, Step):
            found.append(event.values["loss"])
        if next(writing, None) is None:
            writing = generate(pair[0], BYTES, Generate("the", SampleConfig(max_tokens=9)))
    assert found == expected


def test_another_seed_is_another_run():
    assert losses(run(changed(steps=3))) != losses(run(changed(steps=3, seed=2)))


def test_the_seed_and_the_step_decide_what_dropout_drops():
    alike = Dataset(BYTES, Tokens.of(IDS * 0 + 5), Tokens.of(IDS[:0]), None)  # every batch is the same
    config = changed(steps=2, dropout=0.5, learning_rate=1e-8)
    one, two = (losses(run(c, fresh(config), alike)) for c in (config, config.changed("train", {"seed": 2})))
    assert len({*one, *two}) == 4


# ---------------------------------------------------------------- stopping before harm


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(some, others):
    return all(torch.equal(p, q) for p, q in zip(some, others, strict=True))


def fail_at_step_3(monkeypatch, config, pair, spoiled):
    """Train, replacing the loss after step 2; give the error, once the weights proved unharmed."""
    before = []

    def consume():
        for event in run(config, pair):
            if isinstance(event, Step) and event.step == 2:
                before.extend(weights(pair[0]))
                monkeypatch.setattr(step_module, "loss", spoiled)

    real = step_module.loss
    with pytest.raises(StudioError) as failure:
        consume()
    monkeypatch.setattr(step_module, "loss", real)
    assert same(weights(pair[0]), before)
    assert all(p.grad is None for p in pair[0].parameters())
    assert failure.value.kept
    assert failure.value.tries
    return failure.value


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(monkeypatch, bad):
    pair = fresh(CONFIG)
    error = fail_at_step_3(monkeypatch, CONFIG, pair, lambda logits, targets: logits.sum() * bad)
    assert error.what == "Training stopped at step 3 — the loss became infinite"
    assert error.remedies[0].changes == {"learning_rate": 5e-3}
    assert steps(run(CONFIG, pair, start=2))[0].step == 3


def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(monkeypatch):
    def steep(logits, targets):
        return (logits * 0).sum().sqrt()  # 0, with an infinite slope

    error = fail_at_step_3(monkeypatch, CONFIG, fresh(CONFIG), steep)
    assert error.what == "Training stopped at step 3 — a gradient became infinite"


@pytest.mark.parametrize(
    ("batch_size", "remedies"),
    [(1, []), (4, [{"batch_size": 2, "accumulation": 4}]), (15, [{"batch_size": 5, "accumulation": 6}])],
)
def test_running_out_of_memory_in_an_update_is_explained(monkeypatch, batch_size, remedies):
    config = changed(batch_size=batch_size, accumulation=2, sample_every=0)
    monkeypatch.setattr(step_module.TrainingStep, "update", lambda *arguments: torch.empty(2**55))
    with pytest.raises(StudioError) as failure:
        list(run(config))
    error = failure.value
    assert error.what == "Training stopped at step 1 — this machine ran out of memory"
    assert error.kept.startswith("The weights of step 0 ")
    assert [remedy.changes for remedy in error.remedies] == remedies


@pytest.mark.parametrize("batch_size", [1, 4, 15])
def test_memory_that_never_suffices_is_explained_and_does_no_harm(monkeypatch, batch_size):
    config = changed(batch_size=batch_size, accumulation=2)
    error = fail_at_step_3(monkeypatch, config, fresh(config), lambda *arguments: torch.empty(2**55))
    assert error.what == "Training stopped at step 3 — this machine ran out of memory"
    assert error.kept.startswith("The weights of step 2 ")
    assert not error.remedies


@pytest.mark.parametrize("work", ["_validation_loss", "_sample"])
def test_running_out_of_memory_after_a_step_names_that_step(monkeypatch, work):
    monkeypatch.setattr(Trainer, work, lambda *arguments: torch.empty(2**55))
    with pytest.raises(StudioError) as failure:
        list(run())
    step = {"_validation_loss": 5, "_sample": 6}[work]
    assert failure.value.what.startswith(f"Training stopped at step {step} —")
    assert failure.value.kept.startswith(f"The weights of step {step} ")


def test_memory_is_read_now_and_then(monkeypatch):
    now, reads = 0.0, []

    class Memory(trainer.PeakMemory):
        def read(self):
            reads.append(now)
            return 1000

    monkeypatch.setattr(trainer, "PeakMemory", Memory)
    monkeypatch.setattr(trainer.time, "monotonic", lambda: now)
    peaks, resources = [], []
    for event in run(changed(steps=40)):
        peaks += [event] if isinstance(event, MemoryMeasured) else []
        resources += [event] if isinstance(event, Resources) else []
        now += 0.25 if isinstance(event, Step) else 0.0
    assert reads == [0.25, 2.25, 4.25, 6.25, 8.25]  # not at each of the 40 steps
    assert peaks == [MemoryMeasured(1000)]
    assert [event.step for event in resources] == [1, 9, 17, 25, 33]
    for event in resources:
        assert {"process_memory", "utilization"} <= event.values.keys() <= {m.name for m in RESOURCES}


def test_other_errors_are_ours_and_pass(monkeypatch):
    def bug(*arguments):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(step_module, "loss", bug)
    with pytest.raises(RuntimeError, match="multiplied"):
        list(run())
