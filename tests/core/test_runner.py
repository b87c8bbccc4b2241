"""The runner with sessions that only pretend: turns, orders, failures, and nothing lost."""

import gc
import itertools
import threading
import weakref
from dataclasses import dataclass

import pytest

from gpt_studio.core import runner as runner_module
from gpt_studio.core.config import DataConfig, RunConfig, SampleConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.events import DeviceUsed, Event, Failed, Finished, Paused, Resumed, Started, Stopped
from gpt_studio.core.requests import Generate, New, Pause, Prepare, Request, Resume, Save, Stop, Train
from gpt_studio.core.runner import SLICE, Runner

TRAIN = Train(RunConfig())
CHAT = Generate("hi", SampleConfig())
DATA = Prepare(DataConfig())
SAVE, OTHER_SAVE = Save("a"), Save("b")
PIECE = 1 / 64  # seconds of work: four of them fill a slice, with no rounding


@dataclass(frozen=True)
class Did(Event):
    """A piece of pretended work."""

    what: str
    count: int


class Desk:
    """A runner on this thread, with a clock that only work moves and a list of what was posted.

    `jobs` says what each kind of request does: a generator function of the request. `when` hands in
    messages once an event was posted or work was done; the desk closes when there is nothing left to do.
    """

    def __init__(self, **jobs):
        self.jobs = jobs
        self.now = 0.0
        self.batches = []
        self.done = []
        self.plans = []
        self.runner = Runner(lambda: self, self.post, clock=lambda: self.now)

    def greet(self):
        yield DeviceUsed("here")

    def start(self, request):
        return self.jobs[request.kind](request)

    def work(self, what, count, seconds=PIECE):
        """One piece of work that takes some time; give its event."""
        self.now += seconds
        self.done.append((what, count))
        self.react((what, count))
        return Did(what, count)

    def long(self, what, pieces=12, seconds=PIECE):
        """A job of many pieces."""

        def job(request):
            for count in range(1, pieces + 1):
                yield self.work(what, count, seconds)

        return job

    def when(self, fact, *messages):
        self.plans.append((fact, messages))

    def react(self, fact):
        for plan in [plan for plan in self.plans if plan[0] == fact]:
            self.plans.remove(plan)
            for message in plan[1]:
                message() if callable(message) else self.runner.submit(message)

    def post(self, events):
        self.batches.append((self.now, events))
        for event in events:
            self.react(event)

    def run(self, *messages):
        """Hand in messages, work until the runner is closed, and give all events."""
        for message in messages:
            message() if callable(message) else self.runner.submit(message)
        thread = threading.Timer(20, self.runner.close)  # a test that forgot to close still ends
        thread.start()
        self.runner.run()
        assert thread.is_alive(), "the runner was still waiting"
        thread.cancel()
        return self.events

    @property
    def events(self):
        return [event for _, events in self.batches for event in events]

    @property
    def close(self):
        return self.runner.close


def told(events):
    """The runner's own events, without the greeting."""
    return [event for event in events if not isinstance(event, Did | DeviceUsed)]


def order(desk):
    """Whose work was done, in the order of turns."""
    turns = []
    for what, _ in desk.done:
        if not turns or turns[-1] != what:
            turns.append(what)
    return turns


# ---------------------------------------------------------------- jobs and turns


def test_it_greets_before_anything_else():
    desk = Desk()
    desk.run(desk.close)
    assert desk.batches == [(0.0, [DeviceUsed("here")])]


def test_a_job_starts_works_and_finishes():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 3)
    desk.when(Finished("train"), desk.close)
    events = desk.run(TRAIN)
    work = [Did("train", count) for count in (1, 2, 3)]
    assert events[1:] == [Started("train"), *work, Finished("train")]


def test_jobs_take_turns_of_a_slice():
    desk = Desk()
    desk.jobs |= {kind: desk.long(kind) for kind in ("chat", "train")}
    desk.when(Finished("train"), desk.close)
    desk.run(TRAIN, CHAT)
    assert [what for what, _ in desk.done][:16] == (["chat"] * 4 + ["train"] * 4) * 2


def test_files_come_first_then_chat_then_data_then_training():
    desk = Desk()
    desk.jobs |= {kind: desk.long(kind, 6) for kind in ("train", "data", "chat", "file")}
    desk.when(Finished("train"), desk.close)
    desk.run(TRAIN, DATA, CHAT, SAVE)
    assert order(desk) == ["file", "chat", "data", "train"] * 2


def test_a_piece_longer_than_a_slice_ends_the_turn():
    desk = Desk()
    desk.jobs |= {"train": desk.long("train", 3, seconds=1.0), "chat": desk.long("chat", 8)}
    desk.when(Finished("train"), desk.close)
    desk.run(TRAIN, CHAT)
    assert order(desk) == ["chat", "train", "chat", "train"]


def test_none_lets_others_have_a_turn_and_is_not_posted():
    desk = Desk()

    def silent(request):
        for count in range(8):
            desk.work("train", count)
            yield None

    desk.jobs |= {"train": silent, "chat": desk.long("chat", 8)}
    desk.when(Finished("train"), desk.close)
    events = desk.run(TRAIN, CHAT)
    assert order(desk) == ["chat", "train", "chat", "train"]
    assert all(isinstance(event, Event) for event in events)


def test_events_travel_in_batches():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 1000, seconds=PIECE / 16)
    desk.when(Finished("train"), desk.close)
    desk.run(TRAIN)
    batches = [events for _, events in desk.batches if any(isinstance(event, Did) for event in events)]
    assert sum(map(len, batches)) == 1001
    assert len(batches) <= desk.now / SLICE + 2
    times = [now for now, _ in desk.batches]
    assert all(later - earlier < 2 * SLICE for earlier, later in itertools.pairwise(times))


def test_what_became_of_a_wish_is_told_before_long_work_begins():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 1, seconds=30.0)
    desk.when(Finished("train"), desk.close)
    desk.run(TRAIN)
    assert (0.0, [Started("train")]) in desk.batches


def test_batches_are_not_shared_with_the_runner():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 30)
    desk.when(Finished("train"), desk.close)
    desk.run(TRAIN)
    assert len({id(events) for _, events in desk.batches}) == len(desk.batches)


# ---------------------------------------------------------------- orders


def test_pause_rests_and_resume_goes_on():
    desk = Desk()
    desk.jobs |= {"train": desk.long("train", 20), "chat": desk.long("chat", 3)}
    desk.when(("train", 7), Pause("train"))
    desk.when(Paused("train"), CHAT)
    desk.when(Finished("chat"), Resume("train"))
    desk.when(Finished("train"), desk.close)
    events = desk.run(TRAIN)
    assert told(events) == [
        Started("train"), Paused("train"), Started("chat"), Finished("chat"),
        Resumed("train"), Finished("train"),
    ]  # fmt: skip
    assert [count for what, count in desk.done if what == "train"] == list(range(1, 21))
    assert order(desk) == ["train", "chat", "train"]


def test_stop_closes_the_generator():
    closed = []
    desk = Desk()

    def job(request):
        try:
            for count in range(1000):
                yield desk.work("train", count)
        finally:
            closed.append(True)

    desk.jobs["train"] = job
    desk.when(("train", 7), Stop("train"))
    desk.when(Stopped("train"), desk.close)
    events = desk.run(TRAIN)
    assert closed == [True]
    assert told(events) == [Started("train"), Stopped("train")]
    assert len(desk.done) < 20


def test_a_paused_job_can_be_stopped_and_starts_unpaused_again():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 8)
    desk.when(("train", 3), Pause("train"), Stop("train"), TRAIN)
    desk.when(Finished("train"), desk.close)
    events = desk.run(TRAIN)
    assert told(events) == [
        Started("train"), Paused("train"), Stopped("train"), Started("train"), Finished("train"),
    ]  # fmt: skip


def test_orders_without_their_job_do_nothing():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 8)
    desk.when(Finished("train"), Stop("train"), Pause("train"), Resume("train"), desk.close)
    events = desk.run(Pause("train"), Resume("chat"), Stop("file"), TRAIN, Resume("train"))
    assert told(events) == [Started("train"), Finished("train")]


def test_a_second_pause_is_not_told_twice():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 8)
    desk.when(("train", 2), Pause("train"), Pause("train"), Resume("train"), Resume("train"))
    desk.when(Finished("train"), desk.close)
    events = desk.run(TRAIN)
    assert told(events)[1:-1] == [Paused("train"), Resumed("train")]


def test_a_new_request_replaces_the_running_one():
    desk = Desk()
    desk.jobs["chat"] = lambda request: desk.long(request.prompt, 8)(request)
    desk.when(("first", 3), Generate("second", SampleConfig()))
    desk.when(Finished("chat"), desk.close)
    events = desk.run(Generate("first", SampleConfig()))
    assert told(events) == [Started("chat"), Stopped("chat"), Started("chat"), Finished("chat")]
    assert order(desk) == ["first", "second"]


# ---------------------------------------------------------------- files are not dropped


def save_job(desk, pieces=9):
    return lambda request: desk.long(getattr(request, "path", "new"), pieces)(request)


def test_saving_is_not_dropped_for_the_next_wish():
    desk = Desk()
    desk.jobs["file"] = save_job(desk)
    desk.when(("new", 9), desk.close)
    events = desk.run(SAVE, OTHER_SAVE, New())
    assert told(events) == [Started("file"), Finished("file")] * 3
    assert order(desk) == ["a", "b", "new"]


def test_a_file_s_wish_is_done_before_a_later_wish_begins():
    desk = Desk()
    desk.jobs |= {"file": save_job(desk), "chat": desk.long("chat", 3)}
    begun = []
    desk.jobs["train"] = lambda request: begun.append(len(desk.done)) or desk.long("train", 3)(request)
    desk.when(Finished("train"), desk.close)
    events = desk.run(SAVE, TRAIN)
    assert begun == [9]
    assert told(events) == [Started("file"), Finished("file"), Started("train"), Finished("train")]


def test_closing_finishes_saving_and_stops_the_rest():
    desk = Desk()
    desk.jobs |= {"train": desk.long("train", 1000), "file": save_job(desk)}
    desk.when(("train", 3), SAVE, desk.close)
    events = desk.run(TRAIN)
    assert desk.done[-1] == ("a", 9)
    assert told(events) == [Started("train"), Started("file"), Finished("file"), Stopped("train")]


def test_saving_stops_when_asked():
    desk = Desk()
    desk.jobs["file"] = save_job(desk)
    desk.when(("a", 2), Stop("file"))
    desk.when(Stopped("file"), desk.close)
    assert told(desk.run(SAVE)) == [Started("file"), Stopped("file")]


# ---------------------------------------------------------------- closing


def test_closing_ends_every_job():
    ended = []
    desk = Desk()

    def job(request):
        try:
            while True:
                yield desk.work(request.kind, 0)
        finally:
            ended.append(request.kind)

    desk.jobs |= {"train": job, "chat": job, "data": job}
    desk.when(("train", 0), Pause("data"), desk.close)
    events = desk.run(TRAIN, CHAT, DATA)
    assert sorted(ended) == ["chat", "data", "train"]
    assert {Stopped("train"), Stopped("chat"), Stopped("data")} <= set(told(events))


def test_closing_does_no_more_work():
    desk = Desk()
    desk.jobs["train"] = desk.long("train", 1000, seconds=1.0)
    desk.when(("train", 3), desk.close)
    desk.run(TRAIN)
    assert len(desk.done) == 3


def test_closing_before_the_start():
    desk = Desk()
    desk.jobs["train"] = desk.long("train")
    desk.run(desk.close, TRAIN)
    assert not desk.done


def test_messages_come_from_other_threads():
    desk = Desk()
    desk.jobs["file"] = save_job(desk, 1)
    desk.when(Finished("file"), desk.close)
    submitter = threading.Timer(0.05, desk.runner.submit, [SAVE])
    submitter.start()
    assert told(desk.run()) == [Started("file"), Finished("file")]


# ---------------------------------------------------------------- failures become text


def failing(desk, error):
    def job(request):
        yield desk.work("train", 1)
        raise error

    return job


def fail_with(error):
    desk = Desk()
    desk.jobs["train"] = failing(desk, error)
    desk.jobs["chat"] = desk.long("chat", 3)
    desk.when(Started("train"), CHAT)
    desk.when(Finished("chat"), desk.close)
    events = desk.run(TRAIN)
    assert Finished("chat") in events  # the others go on
    return next(event for event in events if isinstance(event, Failed))


def test_an_error_for_people_keeps_its_words():
    remedy = Remedy("Use 96", "model", {"embed_size": 96})
    failed = fail_with(StudioError("It broke.", kept="All.", tries="Again.", remedies=(remedy,)))
    assert failed == Failed("train", "It broke.", "All.", "Again.", remedies=(remedy,))


def test_our_error_comes_with_its_traceback():
    failed = fail_with(ZeroDivisionError("by zero"))
    assert failed.what == "ZeroDivisionError: by zero"
    assert "in job" in failed.detail


def test_a_failure_keeps_nothing_alive():
    """A kept traceback would keep the tensors of its frames."""

    class Tensor:
        pass

    kept = []
    desk = Desk()

    def job(request):
        tensor = Tensor()
        kept.append(weakref.ref(tensor))
        yield desk.work("train", 1)
        raise RuntimeError("out of memory")

    desk.jobs["train"] = job
    alive = []
    desk.when(("train", 1), gc.disable)
    original = desk.post

    def post(events):
        original(events)
        if any(isinstance(event, Failed) for event in events):
            alive.append(kept[0]())
            desk.close()

    desk.runner._post = post
    try:
        desk.run(TRAIN)
    finally:
        gc.enable()
    assert alive == [None]


def test_a_job_that_fails_while_it_is_stopped():
    desk = Desk()

    def job(request):
        try:
            while True:
                yield desk.work("train", 1)
        finally:
            raise OSError("cannot clean up")

    desk.jobs["train"] = job
    desk.when(("train", 1), Stop("train"))
    desk.jobs["chat"] = desk.long("chat", 2)
    desk.when(Finished("chat"), desk.close)
    events = desk.run(TRAIN, CHAT)
    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.what for event in failed] == ["OSError: cannot clean up"]
    assert Stopped("train") not in events


def test_a_job_that_cannot_be_made():
    desk = Desk()  # knows no kind of request
    desk.jobs["chat"] = desk.long("chat", 2)
    desk.when(Finished("chat"), desk.close)
    events = desk.run(TRAIN, CHAT)
    assert [event.what for event in events if isinstance(event, Failed)] == ["KeyError: 'train'"]
    assert Started("train") in events


@pytest.mark.parametrize("error", [ImportError("no torch"), StudioError("No torch.", tries="Install it.")])
def test_a_session_that_does_not_open_is_told(error):
    posted = []

    def broken():
        raise error

    runner = Runner(broken, posted.extend)
    runner.submit(TRAIN)
    runner.run()
    assert [type(event) for event in posted] == [Failed]
    assert posted[0].kind == "session"


def test_a_greeting_that_fails_is_told():
    class Mute(Desk):
        def greet(self):
            raise OSError("no devices")

    desk = Mute()
    desk.runner.run()
    assert [event.what for event in desk.events] == ["OSError: no devices"]


def test_every_kind_of_request_has_its_place_in_the_order():
    kinds = {request.kind for request in Request.__subclasses__()}
    assert set(runner_module.PRIORITY) == kinds
