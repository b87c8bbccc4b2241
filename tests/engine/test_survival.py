"""A run survives: memory that runs out, a compiler that fails, plans that change; and it stops in time."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_studio.core import world
from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Failed, Finished, Progress
from gpt_studio.core.metrics import History, Mark
from gpt_studio.core.requests import Train
from gpt_studio.core.run_events import (
    Evaluated,
    Examined,
    Marked,
    PlanChanged,
    Sampled,
    Step,
    StoppedEarly,
)
from gpt_studio.core.runner import Runner
from gpt_studio.core.schedule import learning_rate
from gpt_studio.engine import step as step_module
from gpt_studio.engine.data import Dataset, Tokens
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer, moments
from gpt_studio.engine.step import FIRST_SCALE, TrainingStep, why_plain
from gpt_studio.engine.tokenizers import tokenizer
from gpt_studio.engine.trainer import Trainer

BYTES = tokenizer("bytes")
IDS = np.frombuffer(b"the cat sat on the mat. " * 60, np.uint8).astype(np.uint16)
DATA = Dataset(BYTES, Tokens.of(IDS), Tokens.of(IDS[:400]), None)
CONFIG = RunConfig(
    model=GPTConfig(num_layers=1, heads=2, embed_size=16, max_length=16, vocab_size=257),
    data=DataConfig(),
    train=TrainConfig(
        steps=12, batch_size=12, learning_rate=1e-2, warmup=2, evaluate_every=4, sample_every=0,
    ),
)  # fmt: skip


class Run:
    """A run and all it told, its history kept as a session keeps it."""

    def __init__(self, config=CONFIG, step=0, history=None, data=DATA, **more):
        torch.manual_seed(config.train.seed)
        self.model = GPT(config.model)
        self.optimizer = make_optimizer(self.model, config.train)
        self.data, self.more = data, more
        self.history = history or History()
        self.events = []
        self.begin(config, step)

    def begin(self, config, step=None, **more):
        """Start, or go on with the weights there are."""
        step = self.history.steps[-1] if step is None else step
        self.trainer = Trainer(
            self.model, self.optimizer, self.data, config, self.history, step, **self.more, **more
        )
        self.going = self.trainer.run()

    def go(self, until=math.inf):
        """Go on to a step, or to the end."""
        for event in self.going:
            self.hear(event)
            if isinstance(event, Step) and event.step == until:
                break
        return self

    def hear(self, event):
        if event is not None:
            self.events.append(event)
        match event:
            case Step(step, values):
                self.history.add_step(step, values)
            case Evaluated(step, loss):
                self.history.add_validation(step, loss)
            case Examined(exam):
                self.history.exams.append(exam)
            case Sampled(sample):
                self.history.samples.append(sample)

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def losses(self):
        return list(self.history.columns["loss"])

    @property
    def validation(self):
        return list(self.history.validation_losses)

    @property
    def marks(self):
        return [event.mark for event in self.events if isinstance(event, Marked | PlanChanged)]

    def state(self):
        """Copies of all that training changes."""
        known = {**dict(self.model.named_parameters()), **moments(self.model, self.optimizer)}
        return {name: value.detach().clone() for name, value in known.items()}


def changed(**plan):
    return CONFIG.changed("train", plan)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def undisturbed():
    torch.set_num_threads(1)
    return Run().go()


# ---------------------------------------------------------------- memory runs out

PLACES = ("forward", "backward", "norm")


class Shortage:
    """Lets calls of a training step's methods run out of memory: those with these numbers, by method."""

    def __init__(self, patch, failing):
        self.failing, self.counts = failing, dict.fromkeys(failing, 0)
        for name in failing:
            patch.setattr(TrainingStep, name, self.wrapped(name, getattr(TrainingStep, name)))

    def wrapped(self, name, method):
        def short_of_memory(step, *arguments):
            self.counts[name] += 1
            if self.counts[name] in self.failing[name]:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return method(step, *arguments)

        return short_of_memory


@pytest.mark.parametrize("seed", range(12))
def test_running_out_of_memory_anywhere_changes_no_loss(monkeypatch, undisturbed, seed):
    """At random steps, on the way there, back, at the second part of a batch, while validating."""
    dice = random.Random(seed)
    failing = {name: set(dice.sample(range(1, 13), dice.randint(0, 1))) for name in PLACES}
    failing[dice.choice(PLACES)].add(dice.randint(1, 12))
    Shortage(monkeypatch, failing)
    run = Run().go()
    assert run.losses == pytest.approx(undisturbed.losses, rel=2e-5)
    assert run.validation == pytest.approx(undisturbed.validation, rel=2e-5)
    assert run.history.steps == undisturbed.history.steps
    norms = run.history.columns["gradient_norm"]
    assert norms == pytest.approx(undisturbed.history.columns["gradient_norm"], rel=1e-4)
    changes = run.told(PlanChanged)
    assert changes
    assert all(event.config.train.effective_batch == 12 for event in changes)
    assert run.trainer.config == changes[-1].config
    assert run.history.columns["tokens"] == undisturbed.history.columns["tokens"]


def test_the_second_part_of_a_batch_may_run_out_too(monkeypatch, undisturbed):
    """Nothing of the first part's gradients stays."""
    Shortage(monkeypatch, {"backward": {3, 5}})
    run = Run().go()
    sizes = [
        (event.config.train.batch_size, event.config.train.accumulation) for event in run.told(PlanChanged)
    ]
    assert sizes == [(6, 2), (3, 4)]
    assert run.losses == pytest.approx(undisturbed.losses, rel=2e-5)


def test_validating_may_run_out_and_looks_at_the_same_texts(monkeypatch, undisturbed):
    real, calls = Trainer._validation_loss, []

    def short_of_memory(trainer, pair):
        calls.append(len(pair[0]))
        if len(pair[0]) > 6:
            raise MemoryError
        return real(trainer, pair)

    monkeypatch.setattr(Trainer, "_validation_loss", short_of_memory)
    run = Run().go()
    assert calls[:2] == [12, 6]
    assert run.validation == pytest.approx(undisturbed.validation, rel=1e-5)
    assert run.losses == pytest.approx(undisturbed.losses, rel=2e-5)
    assert [mark.step for mark in run.marks] == [4]


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_validation_is_of_the_same_texts_whatever_the_batch(batch_size):
    """With an odd one at the end, or more than there is: runs can be compared."""
    as_made = {"steps": 1, "learning_rate": 1e-8}
    run = Run(changed(batch_size=batch_size, **as_made)).go()
    assert run.validation == pytest.approx(Run(changed(**as_made)).go().validation, rel=1e-6)


def test_a_smaller_batch_is_told_before_the_step_is_repeated(monkeypatch):
    Shortage(monkeypatch, {"forward": {3}})
    run = Run(changed(sample_every=0, evaluate_every=100)).go()
    mark = Mark(2, "memory", "Batch 6 × 2 from here: memory ran out")
    assert run.marks == [mark]
    place = run.events.index(next(event for event in run.events if isinstance(event, PlanChanged)))
    assert isinstance(run.events[place + 1], Step)
    assert run.events[place + 1].step == 3


def test_what_the_attempt_held_is_given_back(monkeypatch):
    """No gradients are kept while others have a turn."""
    Shortage(monkeypatch, {"backward": {2}})
    run = Run(changed(batch_size=6, accumulation=2))
    assert next(run.going) is None  # between the two parts of the first step
    assert any(p.grad is not None for p in run.model.parameters())
    assert isinstance(next(run.going), PlanChanged)
    assert all(p.grad is None for p in run.model.parameters())
    run.going.close()


@pytest.mark.parametrize("step", [1, 7])
def test_at_a_batch_of_one_it_stops_and_says_so(monkeypatch, step):
    Shortage(monkeypatch, {"backward": set(range(step, 1000))})
    run = Run(changed(batch_size=1))
    with pytest.raises(StudioError, match="ran out of memory"):
        run.go()
    assert run.history.steps[-1:].tolist() == ([step - 1] if step > 1 else [])


def test_an_update_that_runs_out_is_not_repeated(monkeypatch):
    Shortage(monkeypatch, {"update": {3}})
    run = Run()
    with pytest.raises(StudioError, match="stopped at step 3"):
        run.go()
    assert not run.told(PlanChanged)


# ---------------------------------------------------------------- plans that change


@settings(max_examples=8)
@given(st.integers(1, 11), st.booleans())
def test_another_plan_holds_from_the_next_step_on(stop, inside):
    """Paused after a step, or inside the next one: it is as if the run went on by that plan anew."""
    config = changed(accumulation=2, batch_size=4)
    plan = config.train.changed(
        learning_rate=3e-3, steps=14, weight_decay=0.4, gradient_clip=0.1, schedule="linear"
    )
    run = Run(config).go(stop)
    if inside:
        while (event := next(run.going)) is not None:
            run.hear(event)
    mark = run.trainer.replan(plan)
    assert (mark.step, mark.kind) == (stop, "plan")
    assert mark.text.startswith("Steps 12 → 14 · Learning rate 0.01 → 3e−3")
    assert run.trainer.config.train == plan
    run.go()

    other = Run(config).go(stop)
    other.going.close()
    other.optimizer = make_optimizer(other.model, plan, moments(other.model, other.optimizer))
    other.begin(config.changed("train", plan.to_dict()))
    other.go()
    assert run.losses == other.losses
    assert same(run.state(), other.state())
    rates = list(run.history.columns["learning_rate"])
    assert rates[stop:] == [learning_rate(plan, step) for step in range(stop + 1, 15)]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_weight_decay_follows_on_matrices_alone(optimizer):
    run = Run(changed(optimizer=optimizer, weight_decay=0.0)).go(1)
    run.trainer.replan(run.trainer.config.train.changed(weight_decay=0.3))
    for group in run.optimizer.param_groups:
        matrices = any(p.dim() >= 2 for p in group["params"])
        assert group["weight_decay"] == (0.3 if matrices else 0.0)
    run.going.close()


def test_what_holds_for_a_whole_run_cannot_change():
    run = Run().go(3)
    before = run.trainer.config
    for changes in ({"batch_size": 6}, {"seed": 2}, {"steps": 2}, {"learning_rate": 2.0}):
        with pytest.raises(StudioError):
            run.trainer.replan(before.train.changed(**changes))
        assert run.trainer.config == before


@pytest.mark.parametrize("inside", [False, True])
def test_a_run_can_end_where_it_is(inside):
    """With a last look at how good it became, and without the step under way."""
    run = Run(changed(accumulation=2, evaluate_every=100)).go(5)
    while inside and (event := next(run.going)) is not None:
        run.hear(event)
    run.trainer.replan(run.trainer.config.train.changed(steps=5))
    run.go()
    assert list(run.history.steps) == [1, 2, 3, 4, 5]
    assert list(run.history.validation_steps) == [5]
    assert not run.told(StoppedEarly)


def test_more_steps_in_the_middle_of_wsd_change_nothing_before():
    config = changed(schedule="wsd", steps=12)
    run = Run(config).go(6)
    run.trainer.replan(config.train.changed(steps=30))
    whole = Run(changed(schedule="wsd", steps=30))
    assert run.go().losses == whole.go().losses


# ---------------------------------------------------------------- stopping early


def scripted(monkeypatch, losses):
    """What validation finds, by step."""
    monkeypatch.setattr(Trainer, "_validation_loss", lambda self, _: losses[self._done])


FOUND = {2: 5.0, 4: 3.0, 6: 4.0, 8: 3.0, 10: 3.5, 12: 2.0, 14: 2.0, 16: 2.0, 18: 2.0, 20: 1.0}
PATIENT = changed(steps=20, evaluate_every=2, sample_every=50, patience=3, batch_size=2, sample_prompt="a")


def test_it_stops_when_nothing_better_was_found_for_too_long(monkeypatch):
    scripted(monkeypatch, FOUND)
    run = Run(PATIENT).go()
    assert list(run.history.steps) == list(range(1, 11))
    assert run.told(StoppedEarly) == [StoppedEarly(10, 4, 3.0)]
    assert run.marks == [Mark(10, "early", "Stopped early · best at 4")]
    assert [event.sample.step for event in run.told(Sampled)] == [10]  # a last one


@pytest.mark.parametrize(("patience", "last"), [(0, 20), (1, 6), (2, 8), (3, 10), (4, 20)])
def test_patience_counts_looks_without_a_better_loss(monkeypatch, patience, last):
    scripted(monkeypatch, FOUND)
    run = Run(PATIENT.changed("train", {"patience": patience})).go()
    assert run.history.steps[-1] == last
    assert bool(run.told(StoppedEarly)) == (last < 20)


@pytest.mark.parametrize("stop", range(1, 10))
def test_a_resumed_run_counts_on(monkeypatch, stop):
    scripted(monkeypatch, FOUND)
    run = Run(PATIENT).go(stop)
    run.going.close()
    run.begin(PATIENT)
    run.go()
    assert list(run.history.steps) == list(range(1, 11))
    assert list(run.history.validation_steps) == [2, 4, 6, 8, 10]
    assert run.told(StoppedEarly) == [StoppedEarly(10, 4, 3.0)]


def test_who_goes_on_after_stopping_early_has_another_look(monkeypatch):
    scripted(monkeypatch, FOUND)
    run = Run(PATIENT).go()
    run.begin(PATIENT)
    run.go()
    assert run.history.steps[-1] == 18  # the look at step 12 found a better loss, the next three none


def test_patience_begins_anew_with_other_texts(monkeypatch):
    scripted(monkeypatch, {2: 1.0, 4: 2.0, 6: 5.0, 8: 4.0, 10: 3.0, 12: 3.5, 14: 3.5, 16: 3.5})
    run = Run(PATIENT).go(5)
    run.going.close()
    run.history.marks.append(Mark(5, "texts", "Other texts from here"))
    run.begin(PATIENT)
    run.go()
    assert run.told(StoppedEarly) == [StoppedEarly(16, 10, 3.0)]


def test_the_last_step_is_no_early_one(monkeypatch):
    scripted(monkeypatch, FOUND)
    assert not Run(PATIENT.changed("train", {"steps": 10})).go().told(StoppedEarly)


def test_an_exam_belongs_to_the_last_look(monkeypatch):
    scripted(monkeypatch, FOUND)
    run = Run(PATIENT.changed("data", {"corpora": (world.NAME,)})).go()
    assert [event.exam.step for event in run.told(Examined)] == [2, 4, 6, 8, 10]


def test_an_exam_is_not_taken_twice_where_nothing_is_held_out():
    empty = Dataset(BYTES, Tokens.of(IDS), Tokens.of(IDS[:0]), None)
    config = PATIENT.changed("data", {"corpora": (world.NAME,)}).changed("train", {"steps": 4})
    run = Run(config, data=empty).go()
    run.begin(config.changed("train", {"steps": 6}))
    run.go()
    assert [event.exam.step for event in run.told(Examined)] == [2, 4, 6]


def test_a_look_that_was_missed_is_made_up_for():
    """Where a process was killed between a step and the look due after it."""
    whole = Run(changed(sample_every=6)).go()
    run = Run(changed(sample_every=6)).go(4)
    run.going.close()
    assert not run.history.validation_steps
    run.begin(changed(sample_every=6))
    run.go()
    assert run.validation == whole.validation
    assert run.history.validation_steps == whole.history.validation_steps
    assert run.history.samples == whole.history.samples


# ---------------------------------------------------------------- compiled, where that is possible


def unable(error):
    """A torch.compile that fails when it is called."""

    def compile(*arguments, **more):
        raise error

    return compile


def unable_later(error, good=0):
    """A torch.compile whose kernels fail at their first call, or after some good ones."""

    def compile(function, **more):
        calls = []

        def compiled(*arguments):
            calls.append(1)
            if len(calls) > good:
                torch.rand(3)  # a compiler may use random numbers
                raise error
            return function(*arguments)

        return compiled

    return compile


NO_COMPILER = RuntimeError("InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config")


@pytest.mark.parametrize("way", [unable, unable_later, lambda error: unable_later(error, good=1)])
def test_what_cannot_be_compiled_runs_plainly_bit_for_bit(monkeypatch, way):
    dropping = CONFIG.changed("model", {"dropout": 0.2}).changed(
        "train", {"batch_size": 4, "accumulation": 3}
    )
    expected = Run(dropping).go()
    monkeypatch.setattr(torch, "compile", way(NO_COMPILER))
    run = Run(dropping.changed("train", {"compile": True})).go()
    assert run.losses == expected.losses
    assert run.validation == expected.validation
    assert same(run.state(), expected.state())
    assert run.marks == [Mark(0, "plain", "Not compiled: no C++ compiler here")]
    assert run.events[0] == Progress("train", "Compiling the model")


def test_compiling_is_told_and_timed(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **more: lambda *arguments: function(*arguments))
    run = Run(changed(compile=True)).go()
    first = [type(event) for event in run.events][:3]
    assert first == [Progress, Step, Marked]
    assert (run.marks[0].step, run.marks[0].kind) == (1, "compiled")
    assert run.marks[0].text.startswith("Compiled · ")
    assert run.losses == Run().go().losses
    assert len(run.marks) == 1


def test_compiling_is_seen_before_it_begins(monkeypatch):
    """Those who wait are told at once, and not when the long work is done."""
    order = []

    class Session:
        def greet(self):
            return iter(())

        def start(self, request):
            return Run(changed(compile=True, steps=1)).going

    def compile(function, **more):
        order.append("compiling")
        return lambda *arguments: function(*arguments)

    def post(batch):
        order.extend(batch)
        if isinstance(batch[-1], Finished | Failed):
            runner.close()

    monkeypatch.setattr(torch, "compile", compile)
    runner = Runner(Session, post)
    runner.submit(Train(CONFIG))
    runner.run()
    assert order.index(Progress("train", "Compiling the model")) < order.index("compiling")


def test_a_smaller_batch_is_compiled_anew(monkeypatch, undisturbed):
    monkeypatch.setattr(torch, "compile", lambda function, **more: lambda *arguments: function(*arguments))
    Shortage(monkeypatch, {"backward": {3}})
    run = Run(changed(compile=True)).go()
    assert [mark.kind for mark in run.marks] == ["compiled", "memory", "compiled"]
    assert run.told(Progress) == [Progress("train", "Compiling the model")] * 2
    assert run.losses == pytest.approx(undisturbed.losses, rel=2e-5)


def test_errors_of_ours_pass_compiled_or_not(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **more: lambda *arguments: function(*arguments))

    def bug(*arguments):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(step_module, "loss", bug)
    with pytest.raises(RuntimeError, match="multiplied"):
        Run(changed(compile=True)).go()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NO_COMPILER, "Not compiled: no C++ compiler here"),
        (RuntimeError("Compiler: cl is not found."), "Not compiled: no C++ compiler here"),
        (
            RuntimeError("Dynamo is not supported on Python 3.99+"),
            "Not compiled: not supported on this machine",
        ),
        (RuntimeError("TritonMissing: Cannot find a working triton"), "Not compiled: no working Triton here"),
        (
            RuntimeError("fatal error: Python.h: No such file"),
            "Not compiled: Python's header files are missing",
        ),
        (AssertionError(), "Not compiled: torch.compile failed here"),
    ],
)
def test_why_it_is_not_compiled(error, words):
    assert why_plain(error) == words


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of torch's compiler
def test_really_compiled_runs_learn_the_same(undisturbed):
    run = Run(changed(compile=True)).go()
    assert [mark.kind for mark in run.marks] == ["compiled"]
    assert run.losses == pytest.approx(undisturbed.losses, rel=1e-4)


# ---------------------------------------------------------------- what is not finite


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
@pytest.mark.parametrize("part", ["loss", "gradient"])
def test_what_is_not_finite_touches_nothing(monkeypatch, precision, optimizer, bad, part):
    """Bit for bit: weights, moments, and the scale of the loss."""
    run = Run(changed(optimizer=optimizer, precision=precision, accumulation=2, batch_size=2)).go(3)
    before, scale = run.state(), run.trainer.scale
    if part == "loss":
        monkeypatch.setattr(step_module, "loss", lambda logits, targets: logits.sum() * bad)
    else:
        monkeypatch.setattr(step_module, "loss", lambda logits, targets: (logits * 0).sum().sqrt())
    with pytest.raises(
        StudioError, match=f"stopped at step 4 — {'the loss' if part == 'loss' else 'a gradient'}"
    ):
        run.go()
    assert same(run.state(), before)
    assert run.trainer.scale == scale


def test_the_last_good_checkpoint_is_offered_first(monkeypatch):
    run = Run(last_good=lambda: ("runs/one/step-002.safetensors", 2)).go(3)
    monkeypatch.setattr(step_module, "loss", lambda logits, targets: logits.sum() * math.nan)
    with pytest.raises(StudioError) as failure:
        run.go()
    back, again = failure.value.remedies
    assert back.label == "Go back to step 2 with half the rate"
    assert (back.checkpoint, dict(back.changes)) == ("runs/one/step-002.safetensors", {"learning_rate": 5e-3})
    assert back.train
    assert not again.checkpoint


@pytest.mark.parametrize("good", [None, ("a.safetensors", 2)])
def test_weights_that_are_spoiled_are_told_apart(good):
    run = Run(last_good=lambda: good).go(3)
    with torch.no_grad():
        run.model.norm.weight[3] = math.nan
    with pytest.raises(StudioError, match="stopped at step 4 — the weights are not finite") as failure:
        run.go()
    assert [remedy.checkpoint for remedy in failure.value.remedies] == (["a.safetensors"] if good else [])


# ---------------------------------------------------------------- others who read the weights


def test_others_are_told_before_weights_change():
    """Each time, with the weights still as they were; never in between."""
    seen = []
    run = Run(release=lambda: seen.append(run.state()))
    states = [run.state()]
    for event in run.going:
        run.hear(event)
        if isinstance(event, Step):
            states.append(run.state())
    assert len(seen) == 12
    assert all(same(one, other) for one, other in zip(seen, states, strict=False))
    assert not same(seen[0], seen[1])


def test_the_scale_is_kept_for_an_exact_replay(monkeypatch):
    """In fp16: a run that goes on with the scale it had repeats the one that never stopped."""
    monkeypatch.setattr(step_module, "FIRST_SCALE", 2.0**40)  # too large: it is lowered at the first step
    config = changed(precision="fp16", batch_size=4)
    whole = Run(config).go()
    assert 1 <= whole.trainer.scale < 2.0**40
    run = Run(config).go(5)
    run.going.close()
    run.begin(config, scale=run.trainer.scale)
    run.go()
    assert run.losses == whole.losses
    assert same(run.state(), whole.state())
    assert run.trainer.scale == whole.trainer.scale


def test_only_fp16_has_a_scale():
    assert Run().trainer.scale == 1.0
    assert Run(scale=64.0).trainer.scale == 1.0
    assert Run(changed(precision="fp16")).trainer.scale == FIRST_SCALE
    assert Run(changed(precision="fp16"), scale=64.0).trainer.scale == 64.0
