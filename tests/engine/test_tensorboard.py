"""TensorBoard's own reader finds a run's curves and samples; a run goes on without it."""

import errno
import sys

import pytest

from gpt_studio.core.metrics import METRICS, Exam, Mark, Sample
from gpt_studio.core.run_events import Evaluated, Examined, Marked, Resources, Sampled, Step
from gpt_studio.core.runs import read_metrics
from gpt_studio.engine import tensorboard
from tests.engine.test_keeper import Run


def losses(run, last, loss=2.0):
    while run.step < last:
        run.learn()
        run.hear(Evaluated(run.step, loss))


@pytest.fixture
def reader():
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(run):
        found = accumulator.EventAccumulator(str(run.folder.path / "tensorboard"))
        found.Reload()
        return found

    return read


def test_what_was_written_is_read(tmp_path, reader):
    run = Run(tmp_path / "run", tensorboard=True)
    losses(run, 3)
    run.hear(Examined(Exam(3, {"facts": 0.5})))
    run.hear(Resources(3, {"process_memory": 5.0}))
    run.hear(Sampled(Sample(3, "The ", "fox\nsleeps \udcff")))
    run.hear(Marked(Mark(3, "plan", "Slower")))
    run.close()
    found = reader(run)
    assert [(point.step, point.value) for point in found.Scalars("loss/train")] == [
        (step, pytest.approx(step / 3)) for step in (1, 2, 3)
    ]
    scalars = set(found.Tags()["scalars"])
    assert {metric.name for metric in METRICS} - {"loss"} <= scalars
    assert {"loss/validation", "bits_per_byte", "exams/facts", "machine/process_memory"} <= scalars
    (text,) = found.Tensors("samples/The ")
    assert text.tensor_proto.string_val[0] == b"    The fox\n    sleeps ?\n"
    assert found.Tensors("events")[0].tensor_proto.string_val[0] == b"    Slower\n"


def test_steps_trained_again_replace_what_came_after(tmp_path, reader):
    run = Run(tmp_path / "run", tensorboard=True)
    losses(run, 6, 1.0)
    run.close()
    run.history.steps = run.history.steps[:3]
    again = Run(tmp_path / "run", None, 3, tensorboard=True)
    losses(again, 5, 2.0)
    again.close()
    found = reader(again)
    assert [(point.step, point.value) for point in found.Scalars("loss/validation")] == [
        (1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0)
    ]  # fmt: skip


def test_without_the_package_training_goes_on_and_says_so_once(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    run = Run(tmp_path / "run", tensorboard=True)
    losses(run, 5)
    run.close()
    marks = [event.mark for event in run.told if isinstance(event, Marked)]
    assert marks == [Mark(1, "tensorboard", tensorboard.NOT_INSTALLED)]
    assert read_metrics(run.folder.metrics).marks == marks
    assert not (run.folder.path / "tensorboard").exists()


def test_a_disk_that_is_full_ends_its_files_alone(tmp_path, reader, monkeypatch):
    run = Run(tmp_path / "run", tensorboard=True)
    losses(run, 2)

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensorboard, "FLUSH", 0.0)
    file = run.keeper._board._file
    monkeypatch.setattr(run.keeper._board, "_file", type("Full", (), {"flush": fail, "close": fail}))
    losses(run, 4)
    run.close()
    file.close()
    (mark,) = [event.mark for event in run.told if isinstance(event, Marked)]
    assert mark.text == "TensorBoard's files end here: No space left on device"
    assert len(read_metrics(run.folder.metrics)) == 4


def test_unless_wished_there_is_none(tmp_path):
    run = Run(tmp_path / "run")
    assert isinstance(run, Run)
    run.learn(Step(2, {metric.name: 0.0 for metric in METRICS}))
    run.close()
    assert not (run.folder.path / "tensorboard").exists()
