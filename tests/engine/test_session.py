"""The whole engine as the window uses it: tiny models, real texts, real files, the real runner."""

import gc
import itertools
import random
import threading
import weakref

import pytest
import torch

from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, SampleConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.estimate import training_memory
from gpt_studio.core.events import (
    BatchRead,
    Built,
    Compared,
    DataReport,
    DeviceUsed,
    Exported,
    Failed,
    Finished,
    Forgotten,
    Generated,
    MemoryChecked,
    Opened,
    Paused,
    Ready,
    Saved,
    Stopped,
    Token,
)
from gpt_studio.core.requests import (
    CheckMemory,
    Compare,
    ExportTokenizer,
    Generate,
    New,
    Open,
    Pause,
    Prepare,
    ReadBatch,
    Resume,
    Save,
    Stop,
    Train,
    UseDevice,
)
from gpt_studio.core.run_events import MemoryMeasured, Step, TextsChanged
from gpt_studio.core.runner import Runner
from gpt_studio.engine import checkpoint, generator, library
from gpt_studio.engine import run as run_module
from gpt_studio.engine import session as session_module
from gpt_studio.engine.knowledge import Knowledge
from gpt_studio.engine.library import Library
from gpt_studio.engine.reading import batch
from gpt_studio.engine.session import Session, open_session
from gpt_studio.engine.tokenizer_files import read_tokenizer_file
from gpt_studio.engine.tokenizers import tokenizer

MODEL = GPTConfig(num_layers=1, heads=2, embed_size=32, max_length=16, vocab_size=257)
ASK = Generate("the ", SampleConfig(max_tokens=12, fixed_seed=True))


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("the cat sat on the mat and the dog sat on the log. " * 100)
    return path


@pytest.fixture
def config(corpus):
    plan = TrainConfig(
        steps=20, batch_size=4, learning_rate=1e-2, warmup=2, evaluate_every=7, sample_every=10
    )
    return RunConfig(model=MODEL, data=DataConfig(corpora=(str(corpus),), tokenizer="bytes"), train=plan)


@pytest.fixture
def session():
    return Session()


def do(session, request):
    """Every event of a request."""
    return [event for event in session.start(request) if event is not None]


def stopped_at(session, request, step):
    """The events up to a step, after which the job is closed."""
    job, found = session.start(request), []
    for event in job:
        found.append(event)
        if isinstance(event, Step) and event.step == step:
            break
    job.close()
    return found


def losses(events):
    return [event.values["loss"] for event in events if isinstance(event, Step)]


def only(kind, events):
    return next(event for event in events if isinstance(event, kind))


def logits(session):
    with torch.inference_mode():
        return session._run.model.eval()(torch.arange(10)[None])


def result(work):
    """What a job comes to."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def failing(session, request, what):
    with pytest.raises(StudioError, match=what) as failure:
        do(session, request)
    return failure.value


# ---------------------------------------------------------------- the main job


def test_it_greets():
    ready = only(Ready, list(open_session().greet()))
    assert ready.device in [device.name for device in ready.devices]


def test_it_learns_a_little_text(session, config):
    events = do(session, Train(config.changed("train", {"steps": 80})))
    built = only(Built, events)
    assert built.parameters == sum(p.numel() for p in session._run.model.parameters())
    assert (built.step, built.device) == (0, "cpu")
    found = losses(events)
    assert found[-1] < found[0] * 2 / 3
    said = "".join(event.text for event in do(session, ASK) if isinstance(event, Token))
    assert said


def test_texts_are_read_once(session, config, monkeypatch):
    report = only(DataReport, do(session, Prepare(config.data)))
    assert report.train_tokens > 0
    monkeypatch.setattr(library, "prepare", None)
    assert losses(do(session, Train(config)))


def test_training_again_is_the_same_run(session, config):
    first = losses(do(session, Train(config)))
    assert losses(do(session, Train(config))) == first
    assert len(session._run.history) == config.train.steps


# ---------------------------------------------------------------- stop, resume, save, open


def test_stop_and_resume_equals_uninterrupted(session, config):
    expected = losses(do(Session(), Train(config)))
    first = losses(stopped_at(session, Train(config), 9))
    do(session, ASK)
    rest = do(session, Train(config, resume=True))
    assert not [event for event in rest if isinstance(event, Built)]
    assert first + losses(rest) == expected
    assert list(session._run.history.steps) == list(range(1, 21))
    assert list(session._run.history.columns["loss"]) == expected


def test_a_checkpoint_tells_of_the_texts_learned_from_last(session, config, corpus, tmp_path):
    stopped_at(session, Train(config), 5)
    corpus.write_text("now an owl looks at a fox. " * 100)
    (report,) = (event for event in do(session, Prepare(config.data)) if isinstance(event, DataReport))
    do(session, Train(config, resume=True))
    do(session, Save(str(tmp_path / "x.safetensors")))
    assert checkpoint.load(tmp_path / "x.safetensors").fingerprint == report.fingerprint


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_train_save_open_resume_equals_uninterrupted(session, config, tmp_path, dropout):
    config = config.changed("model", {"dropout": dropout})
    whole = Session()
    expected = losses(do(whole, Train(config)))
    path = str(tmp_path / "half.safetensors")
    first = losses(stopped_at(session, Train(config), 11))
    saved = only(Saved, do(session, Save(path)))
    assert (saved.path, saved.step) == (path, 11)

    other = Session()
    (opened,) = do(other, Open(path))
    assert (opened.config, opened.step, opened.device) == (config, 11, "cpu")
    assert opened.parameters == session._run.parameters
    assert list(opened.history.columns["loss"]) == first
    assert torch.equal(logits(other), logits(session))
    assert first + losses(do(other, Train(config, resume=True))) == expected
    assert torch.equal(logits(other), logits(whole))
    mine, theirs = other._run.history, whole._run.history
    assert mine.columns["tokens"] == theirs.columns["tokens"]
    assert mine.validation_losses == theirs.validation_losses
    assert mine.samples == theirs.samples


def test_saving_between_two_batches_of_a_step_saves_the_last_whole_step(session, config, tmp_path):
    config = config.changed("train", {"accumulation": 3})
    path = str(tmp_path / "mid.safetensors")
    job = session.start(Train(config))
    while not isinstance(next(job), Step):
        pass
    for _ in range(40):
        if next(job) is None and session._run.step == 5:
            break
    assert session._run.step == 5
    assert any(p.grad is not None for p in session._run.model.parameters())
    saved = only(Saved, do(session, Save(path)))
    rest = [event for event in job if event is not None]
    other = Session()
    do(other, Open(path))
    assert saved.step == 5
    assert losses(do(other, Train(config, resume=True))) == losses(rest)


def test_the_history_handed_over_is_a_copy(session, config, tmp_path):
    path = str(tmp_path / "run.safetensors")
    stopped_at(session, Train(config), 5)
    do(session, Save(path))
    opened = only(Opened, do(session, Open(path)))
    do(session, Train(config, resume=True))
    assert len(opened.history) == 5
    assert len(session._run.history) == 20


def test_opening_works_without_the_texts_and_training_says_so(session, config, corpus, tmp_path):
    path = str(tmp_path / "run.safetensors")
    stopped_at(session, Train(config), 5)
    do(session, Save(path))
    corpus.unlink()
    other = Session()
    do(other, Open(path))
    assert do(other, ASK)
    before = logits(other)
    assert failing(other, Train(config, resume=True), "corpus").tries
    assert torch.equal(logits(other), before)


def test_settings_of_the_plan_may_change_on_the_way(session, config):
    stopped_at(session, Train(config), 5)
    slower = config.changed("train", {"learning_rate": 1e-4, "weight_decay": 0.0, "steps": 8, "warmup": 0})
    job = session.start(Train(slower, resume=True))
    while not isinstance(next(job), Step):
        pass
    optimizer = session._run.optimizer
    assert optimizer.param_groups[0]["weight_decay"] == 0.0
    assert optimizer.param_groups[0]["lr"] < 1e-4
    assert {float(state["step"]) for state in optimizer.state.values()} == {6.0}  # it remembers
    assert session._run.config == slower


# ---------------------------------------------------------------- one model at a time


@pytest.mark.parametrize("wish", [New(), Open("a.safetensors"), UseDevice("cpu")])
def test_training_that_was_wished_for_is_training(session, config, wish):
    stopped_at(session, Train(config), 3)
    job = session.start(Train(config, resume=True))
    failing(session, wish, "being trained")
    job.close()  # never advanced
    assert only(Forgotten, do(session, New()))


@pytest.mark.parametrize("replace", ["train", "open", "new"])
def test_an_answer_ends_with_its_model_and_its_memory_is_given_back(session, config, tmp_path, replace):
    path = str(tmp_path / "run.safetensors")
    stopped_at(session, Train(config), 3)
    do(session, Save(path))
    answer = session.start(ASK)
    next(answer)
    weights = weakref.ref(session._run.model.token_embedding.weight)
    moment = weakref.ref(next(iter(session._run.optimizer.state.values()))["exp_avg"])
    gc.collect()
    gc.disable()
    try:
        wish = {"train": Train(config), "open": Open(path), "new": New()}[replace]
        job = session.start(wish)
        while not isinstance(next(job), Built | Opened | Forgotten):
            pass
        assert (weights(), moment()) == (None, None)
    finally:
        gc.enable()
    assert list(answer) == []


def test_going_on_with_other_texts_is_said(session, config, corpus):
    stopped_at(session, Train(config), 3)
    job = stopped_at(session, Train(config, resume=True), 5)
    assert not [event for event in job if isinstance(event, TextsChanged)]
    corpus.write_text("a hen sat on the log and the owl on the mat. " * 100)
    assert only(TextsChanged, stopped_at(session, Train(config, resume=True), 7)).step == 5
    job = stopped_at(session, Train(config, resume=True), 9)
    assert not [event for event in job if isinstance(event, TextsChanged)]


# ---------------------------------------------------------------- failures change nothing


def test_without_a_model(session, config, tmp_path):
    for request in (ASK, Save(str(tmp_path / "x.safetensors")), Train(config, resume=True)):
        assert failing(session, request, "There is no model yet").tries
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize(
    ("section", "changes", "what"),
    [
        ("model", {"embed_size": 33}, "not divisible"),
        ("train", {"steps": 0}, "Steps must be between"),
        ("model", {"max_length": 8192}, "shorter than one context"),
        ("data", {"corpora": ("/no/such/file.txt",)}, "file.txt"),
        ("data", {"corpora": ()}, "No corpus"),
    ],
)
def test_a_run_that_cannot_start_leaves_the_old_model(session, config, section, changes, what):
    stopped_at(session, Train(config), 3)
    before, run = logits(session), session._run
    failing(session, Train(config.changed(section, changes)), what)
    assert session._run is run
    assert torch.equal(logits(session), before)
    assert losses(do(session, Train(config, resume=True)))[0]


def test_the_vocabulary_is_the_tokenizer_s(session, config):
    built = only(Built, stopped_at(session, Train(config.changed("model", {"vocab_size": 300})), 2))
    assert built.config.model.vocab_size == 257
    assert built.bytes_per_token == pytest.approx(1.0, rel=0.01)  # one byte each, and the ends of texts


def test_the_first_batch_is_what_training_reads_first(session, config):
    shown = only(BatchRead, do(session, ReadBatch(config)))
    plan, context = config.train, config.model.max_length
    assert (shown.batch_size, shown.context) == (plan.batch_size, context)
    dataset = result(session._library.dataset(config.data))
    x, y = batch(dataset.train, context, plan.batch_size, plan.seed, 0)
    for row, inputs, targets in zip(shown.rows, x.tolist(), y.tolist(), strict=False):
        assert [token.id for token in row] == [*inputs, targets[-1]]
        assert "".join(token.text for token in row[:-1]) == dataset.tokenizer.decode(inputs)


def test_tokenizers_are_compared_on_the_chosen_texts(session, config):
    *_, compared = [event for event in do(session, Compare(config.data)) if isinstance(event, Compared)]
    rows = {row.tokenizer: row for row in compared.rows}
    assert compared.data == config.data
    assert rows["bytes"].bytes_per_token == pytest.approx(1.0, rel=0.02)
    assert rows["gpt2"].bytes_per_token > 2 > 1 >= rows["characters"].bytes_per_token * 0.98


def test_a_tokenizer_is_exported_and_opens_again(session, config, tmp_path):
    path = tmp_path / "mine.tiktoken"
    data = config.data.changed(tokenizer="gpt2")
    exported = only(Exported, do(session, ExportTokenizer(data, str(path))))
    assert exported.size == path.stat().st_size
    assert read_tokenizer_file(path).encode("all there") == tokenizer("gpt2").encode("all there")


def test_memory_is_checked_exactly(session, config):
    checked = only(MemoryChecked, do(session, CheckMemory(config)))
    assert checked.config == config
    assert checked.peak == pytest.approx(training_memory(config).tensors, rel=0.01)


@pytest.mark.parametrize("steps", [1, 3])
def test_what_a_run_takes_is_remembered_if_it_made_more_than_a_step(session, config, steps, monkeypatch):
    known = []
    monkeypatch.setattr(Knowledge, "left_over", lambda *_: 1000)
    monkeypatch.setattr(Knowledge, "remember_run", lambda self, *run: known.append(run))
    wished = config.changed("train", {"steps": 5})
    events = stopped_at(session, Train(wished), steps)
    peaks = [event.peak for event in events if isinstance(event, MemoryMeasured)]
    assert [peak + 1000 for _, _, peak in known] == (peaks[-1:] if steps > 1 else [])


def test_problems_come_with_the_clicks_that_mend_them(session, config):
    error = failing(session, Train(config.changed("model", {"embed_size": 33})), "33")
    assert ("model", {"embed_size": 32}) in [(remedy.section, remedy.changes) for remedy in error.remedies]


def test_a_model_too_large_for_memory(session, config):
    stopped_at(session, Train(config), 3)
    run = session._run
    huge = config.changed("model", {"embed_size": 16384, "num_layers": 96, "forward_expansion": 16})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "GPT", lambda config: torch.empty(2**55))
        failing(session, Train(huge), "not enough memory")
    assert session._run is run


@pytest.fixture
def no_room_for_moments(monkeypatch):
    """The optimizer's memory runs out on its way to a device."""
    real, calls = torch.zeros, itertools.count()

    def full(*arguments, **options):
        if next(calls) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments, **options)

    monkeypatch.setattr(torch, "zeros", full)


@pytest.mark.usefixtures("no_room_for_moments")
def test_no_room_for_the_optimizer_is_seen_before_training(session, config):
    failing(session, Train(config), "not enough memory for this model")
    assert session._run is None


def broken_optimizer(error):
    def make(*arguments):
        raise error

    return make


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), ValueError("ours")])
def test_a_renewal_that_fails_changes_nothing(session, config, monkeypatch, error):
    expected = losses(do(Session(), Train(config)))
    first = losses(stopped_at(session, Train(config), 5))
    places = []
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "make_optimizer", broken_optimizer(error))
        patch.setattr(session._run.model, "to", places.append)
        longer = config.changed("train", {"steps": 50})
        for wish in (Train(longer, resume=True), UseDevice("cpu")):
            with pytest.raises((StudioError, ValueError)):
                do(session, wish)
    assert places == ["cpu", "cpu"]  # there, and back
    assert session._run.config == config
    assert first + losses(do(session, Train(config, resume=True))) == expected


@pytest.mark.parametrize(
    ("name", "ask", "what"),
    [
        ("prepare", lambda config: Prepare(config.data), "for these texts"),
        ("prepare", Train, "for these texts"),
        ("GPT", Train, "for this model"),
        ("make_optimizer", lambda config: Train(config, resume=True), "for this model"),
        ("generate", lambda config: ASK, "to write an answer"),
        ("moments", lambda config: Save("a.safetensors"), "to copy the model"),
    ],
)
def test_every_lack_of_memory_is_said_in_words(session, config, monkeypatch, name, ask, what):
    stopped_at(session, Train(config), 3)
    before = logits(session)
    if name == "prepare":
        session._library = Library()

    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")
        yield

    def full(*arguments, **options):
        return fail() if name in ("prepare", "generate") else next(fail())

    with monkeypatch.context() as patch:
        patch.setattr({"prepare": library, "generate": session_module}.get(name, run_module), name, full)
        error = failing(session, ask(config), f"not enough memory {what}")
    assert error.kept
    assert error.tries
    assert torch.equal(logits(session), before)


def test_resuming_another_shape_is_refused(session, config):
    stopped_at(session, Train(config), 3)
    failing(session, Train(config.changed("model", {"num_layers": 2}), resume=True), "other settings")
    do(session, Train(config, resume=True))
    failing(session, Train(config, resume=True), "All 20 steps are done")


def test_a_file_that_cannot_be_opened_changes_nothing(session, config, tmp_path):
    stopped_at(session, Train(config), 3)
    run = session._run
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nonsense")
    failing(session, Open(str(bad)), "not a GPT Studio checkpoint")
    assert session._run is run


def test_the_model_is_not_taken_away_while_it_is_trained(session, config, tmp_path):
    path = str(tmp_path / "run.safetensors")
    job = session.start(Train(config))
    while not isinstance(next(job), Step):
        pass
    do(session, Save(path))
    for request in (Open(path), New(), UseDevice("cpu")):
        failing(session, request, "being trained")
    assert only(Generated, do(session, ASK))
    job.close()
    assert only(Forgotten, do(session, New()))
    failing(session, ASK, "no model")


def test_talking_while_training_leaves_no_copy_of_the_weights(session, config):
    training = session.start(Train(config))
    for event in training:
        if isinstance(event, Step) and event.step == 2:
            list(session.start(ASK))
            assert not generator._KEPT
    list(session.start(ASK))
    assert len(generator._KEPT) == 1  # from now on they stay as they are


def test_a_failed_training_lets_files_be_opened_again(session, config, tmp_path):
    failing(session, Train(config.changed("data", {"corpora": ()})), "No corpus")
    assert only(Forgotten, do(session, New()))


def test_devices(session, config):
    stopped_at(session, Train(config), 3)
    before = logits(session)
    assert do(session, UseDevice("cpu")) == [DeviceUsed("cpu")]
    assert torch.equal(logits(session), before)
    failing(session, UseDevice("cuda:7"), "no device")
    assert losses(do(session, Train(config, resume=True)))


def test_an_unknown_request_is_our_error(session):
    with pytest.raises(TypeError):
        session.start(object())


# ---------------------------------------------------------------- through the real runner


class Engine:
    """The session on a thread, as the window has it."""

    def __init__(self):
        self.events = []
        self.grown = threading.Condition()
        self.runner = Runner(open_session, self.post)
        self.thread = threading.Thread(target=self.runner.run)
        self.thread.start()

    def post(self, events):
        with self.grown:
            self.events += events
            self.grown.notify_all()

    def wait(self, arrived):
        """Wait until some event fulfills a condition."""
        with self.grown:
            assert self.grown.wait_for(lambda: any(map(arrived, self.events)), timeout=60), self.events[-3:]

    def wait_for(self, *events):
        for event in events:
            self.wait(lambda other, event=event: other == event)


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.runner.close()
    engine.thread.join(60)
    assert not engine.thread.is_alive()


def same_as_undisturbed(engine, config, least):
    """Stop training; check its losses against a run of its own that nothing disturbed."""
    engine.wait(lambda event: isinstance(event, Step) and event.step >= least)
    stops = engine.events.count(Stopped("train"))
    engine.runner.submit(Stop("train"))
    engine.wait(lambda event: engine.events.count(Stopped("train")) > stops)  # two at once share torch's dice
    found = losses(engine.events)[:least]
    assert found == losses(stopped_at(Session(), Train(config), least))
    assert not [event for event in engine.events if isinstance(event, Failed)]


def test_chatting_saving_and_pausing_do_not_change_a_run(engine, config, tmp_path):
    config = config.changed("train", {"steps": 10_000, "accumulation": 2}).changed("model", {"dropout": 0.2})
    dice = random.Random(4)
    engine.runner.submit(Train(config))
    engine.wait(lambda event: isinstance(event, Built))
    for turn in range(1, 6):
        settings = SampleConfig(max_tokens=dice.randint(1, 60))
        engine.runner.submit(Generate("the ", settings, turn=turn))
        engine.runner.submit(Save(str(tmp_path / f"{turn}.safetensors")))
        if turn % 2 == 0:
            engine.runner.submit(Pause("train"))
            engine.runner.submit(Resume("train"))
        engine.wait(lambda event, turn=turn: isinstance(event, Generated) and event.turn == turn)
    assert len([event for event in engine.events if isinstance(event, Saved)]) == 5
    same_as_undisturbed(engine, config, least=40)


def test_a_paused_model_talks_saves_stops_and_goes_on(engine, config, tmp_path):
    config = config.changed("train", {"steps": 10_000})
    engine.runner.submit(Train(config))
    engine.wait(lambda event: isinstance(event, Step))
    engine.runner.submit(Pause("train"))
    engine.wait_for(Paused("train"))
    engine.runner.submit(ASK)
    engine.runner.submit(Save(str(tmp_path / "paused.safetensors")))
    engine.wait_for(Finished("chat"), Finished("file"))
    engine.runner.submit(Stop("train"))
    engine.wait_for(Stopped("train"))
    paused_at = only(Saved, engine.events).step
    assert paused_at == max(event.step for event in engine.events if isinstance(event, Step))
    engine.runner.submit(Train(config, resume=True))
    same_as_undisturbed(engine, config, least=paused_at + 20)
