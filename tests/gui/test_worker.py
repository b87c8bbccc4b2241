"""The worker's thread: requests go in, batches come out on the window's thread, closing always ends it."""

import threading

import pytest

from gpt_studio.core.config import SampleConfig
from gpt_studio.core.events import Failed, Finished, Progress, Ready, Started, Stopped
from gpt_studio.core.requests import Generate, Stop
from gpt_studio.gui.worker import Worker


class FakeSession:
    def greet(self):
        yield Ready((), "cpu")

    def start(self, request):
        if request.prompt == "crash":
            raise RuntimeError("broken")
        yield Progress("chat", request.prompt)
        while request.prompt == "forever":
            yield None


@pytest.fixture
def heard():
    return []


@pytest.fixture
def worker(qtbot, heard):
    worker = Worker(make_session=FakeSession)
    worker.happened.connect(lambda events: heard.extend((event, threading.get_ident()) for event in events))
    worker.start()
    yield worker
    assert worker.close()


def ask(prompt):
    return Generate(prompt, SampleConfig())


def events(heard):
    return [event for event, _ in heard]


def test_events_arrive_on_the_windows_thread(qtbot, worker, heard):
    worker.submit(ask("hi"))
    qtbot.waitUntil(lambda: Finished("chat") in events(heard))
    assert events(heard) == [Ready((), "cpu"), Started("chat"), Progress("chat", "hi"), Finished("chat")]
    assert {thread for _, thread in heard} == {threading.get_ident()}


def test_a_crash_becomes_text_and_work_goes_on(qtbot, worker, heard):
    worker.submit(ask("crash"))
    qtbot.waitUntil(lambda: any(isinstance(event, Failed) for event in events(heard)))
    failure = next(event for event in events(heard) if isinstance(event, Failed))
    assert failure.what == "RuntimeError: broken"
    assert "Traceback" in failure.detail
    worker.submit(ask("hi"))
    qtbot.waitUntil(lambda: Finished("chat") in events(heard))


def test_stop_ends_an_endless_job(qtbot, worker, heard):
    worker.submit(ask("forever"))
    worker.submit(Stop("chat"))
    qtbot.waitUntil(lambda: Stopped("chat") in events(heard))


def test_closing_ends_an_endless_job(qtbot, worker, heard):
    worker.submit(ask("forever"))
    qtbot.waitUntil(lambda: Progress("chat", "forever") in events(heard))
    assert worker.close()
    assert worker.isFinished()


def test_an_engine_that_does_not_load_is_reported(qtbot, heard):
    def broken():
        raise ImportError("no torch")

    worker = Worker(make_session=broken)
    worker.happened.connect(lambda batch: heard.extend(batch))
    worker.start()
    qtbot.waitUntil(lambda: bool(heard))
    assert heard[0].kind == "session"
    assert worker.close()
