"""All runs on disk: what one line says about each, whoever writes them and whatever was torn."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_studio.core import watched
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.lock import Lock
from gpt_studio.core.metrics import METRICS
from gpt_studio.core.run_index import REMEMBERED, SPARKS, RunIndex, annotate, rename
from gpt_studio.core.runs import RunFolder, read_metrics


def a_step(number, loss=None, **values):
    loss = 10.0 / number if loss is None else loss
    line = {metric.name: 1.0 for metric in METRICS} | {"step": number, "loss": loss}
    return line | {"tokens": 64.0 * number, "seconds": 0.5 * number} | values


def validated(number, loss):
    return {"step": number, "validation_loss": loss}


def text_of(lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


def make_run(root, name, lines=(), config=None, /, **about):
    folder = RunFolder(root / name)
    folder.make()
    data = {**(config or RunConfig()).to_dict(), "about": about}
    folder.run.write_text(json.dumps(data), encoding="utf-8")
    folder.metrics.write_text(text_of(lines))
    return folder


def append(folder, text):
    with folder.metrics.open("a") as file:
        file.write(text)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def index(root):
    return RunIndex(root)


# ---------------------------------------------------------------- what there is


def test_no_folder_no_runs(index):
    assert index.look() == ()


def test_the_latest_comes_first_and_other_folders_are_no_runs(root, index):
    make_run(root, "b", begun="2026-11-20T10:00:00+00:00")
    make_run(root, "a", begun="2026-11-21T10:00:00+02:00")
    (root / "empty").mkdir()
    (root / "file").write_text("")
    assert [run.folder.name for run in index.look()] == ["a", "b"]


def test_one_line_about_a_run(root, index):
    lines = [a_step(1), a_step(2), validated(2, 4.5), a_step(3), validated(3, 4.7)]
    folder = make_run(
        root,
        "tiny",
        lines,
        status="stopped",
        parameters=812,
        begun="2026-11-20T10:00:00+00:00",
        parent={"run": "elder", "step": 12},
        memory={"measured": 99},
    )
    (run,) = index.look()
    assert (run.folder, run.name, run.status, run.problem) == (folder.path, "tiny", "stopped", "")
    assert (run.step, run.tokens, run.seconds) == (3, 192.0, 1.5)
    assert (run.loss, run.validation) == (pytest.approx(10 / 3), 4.5)
    assert (run.parameters, run.peak, run.parent, run.parent_step) == (812, 99, "elder", 12)
    assert run.config == RunConfig()


def test_what_is_not_known_is_not_made_up(root, index):
    make_run(root, "new", status="failed")
    (run,) = index.look()
    assert (run.step, run.tokens, run.peak, run.sparks) == (0, 0.0, 0, ())
    assert math.isnan(run.loss)
    assert math.isnan(run.validation)
    assert run.parameters == 124_439_808  # from its shape


def test_a_small_curve_has_few_points_however_long_the_run(root, index):
    make_run(root, "long", [a_step(number, 10.0 - number / 1000) for number in range(1, 5001)])
    (run,) = index.look()
    assert len(run.sparks) == SPARKS
    assert all(a > b for a, b in pairwise(run.sparks))
    assert run.sparks[-1] == pytest.approx(5.0, abs=0.1)
    assert run.sparks[0] < 9.9  # the fall from the beginning is left out


def test_checkpoints_stand_in_the_order_people_ask_for_them(root, index):
    folder = make_run(root, "a")
    for name in ("step-000500", "best", "step-1000000", "last", "step-001000", "other"):
        (folder.last.parent / f"{name}.safetensors").touch()
    (run,) = index.look()
    assert [path.stem for path in run.checkpoints] == [
        *("last", "best", "step-1000000", "step-001000", "step-000500")
    ]
    folder.best.unlink()
    assert len(index.look()[0].checkpoints) == 4


# ---------------------------------------------------------------- how it stands with it


@pytest.mark.parametrize("status", ["finished", "stopped", "early", "failed"])
def test_a_run_that_ended_says_how(root, index, status):
    make_run(root, "a", status=status)
    assert index.look()[0].status == status


def test_who_holds_the_lock_is_training_and_else_it_was_interrupted(root, index):
    folder = make_run(root, "a", status="training")
    assert index.look()[0].status == "interrupted"
    with Lock(folder.lock):
        assert index.look()[0].status == "training"
    assert index.look()[0].status == "interrupted"


def test_a_run_of_before_there_was_a_status(root, index):
    config = RunConfig().changed("train", {"steps": 2})
    folder = make_run(root, "a", [a_step(1)], config)
    assert index.look()[0].status == "stopped"
    append(folder, text_of([a_step(2)]))
    assert index.look()[0].status == "finished"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 99}', "\x00" * 9, '{"version": "1"}'])
def test_a_damaged_description_is_told_in_words(root, index, text):
    folder = make_run(root, "a", [a_step(1)])
    folder.run.write_text(text)
    (run,) = index.look()
    assert run.problem
    assert run.config is None
    assert (run.name, run.status) == ("a", "failed")


def test_a_description_that_is_mended_is_read_again(root, index):
    folder = make_run(root, "a", status="finished")
    text = folder.run.read_text()
    folder.run.write_text("{")
    assert index.look()[0].problem
    folder.run.write_text(text)
    assert index.look()[0].problem == ""


# ---------------------------------------------------------------- what a person wrote


def test_a_persons_name_wins(root, index):
    folder = make_run(root, "2026-11-22-tiny-world")
    assert index.look()[0].name == "tiny-world"
    rename(folder.path, "  With\n dropout ")
    annotate(folder.path, "worse,\nas expected\n")
    (run,) = index.look()
    assert (run.name, run.notes) == ("With dropout", "worse,\nas expected")
    rename(folder.path, "")
    assert (index.look()[0].name, index.look()[0].notes) == ("tiny-world", "worse,\nas expected")


def test_damaged_notes_are_written_anew(root, index):
    folder = make_run(root, "a")
    (folder.path / "notes.json").write_text("[1")
    assert index.look()[0].name == "a"
    rename(folder.path, "b")
    assert index.look()[0].name == "b"
    assert not list(folder.path.glob("*.partial"))


def test_what_cannot_be_written_is_said(root):
    with pytest.raises(StudioError, match="cannot be written"):
        rename(root / "nowhere", "b")


# ---------------------------------------------------------------- read on


@pytest.fixture
def parsed(monkeypatch):
    """The lines that were read, in order."""
    seen = []
    original = watched.parse_line
    monkeypatch.setattr(watched, "parse_line", lambda raw: seen.append(raw) or original(raw))
    return seen


def test_nothing_is_read_twice(root, index, parsed):
    folder = make_run(root, "a", [a_step(1), a_step(2)])
    first = index.look()
    assert len(parsed) == 2
    second = index.look()
    assert len(parsed) == 2
    assert all(a is b for a, b in zip(first, second, strict=True))
    append(folder, text_of([a_step(3)]))
    assert index.look()[0].step == 3
    assert len(parsed) == 3


def test_a_torn_line_is_read_when_it_is_whole(root, index):
    folder = make_run(root, "a", [a_step(1)])
    line = text_of([a_step(2)])
    append(folder, line[:20])
    assert (index.look()[0].step, len(index.history(folder.path))) == (1, 1)
    append(folder, line[20:])
    assert (index.look()[0].step, len(index.history(folder.path))) == (2, 2)


def test_a_step_that_goes_back_replaces_what_followed(root, index):
    lines = [a_step(1, 9.0), a_step(2, 8.0), validated(2, 1.0), a_step(3, 7.0)]
    folder = make_run(root, "a", lines)
    assert (index.look()[0].validation, len(index.history(folder.path))) == (1.0, 3)
    append(folder, text_of([a_step(2, 8.5), validated(2, 8.4)]))
    (run,) = index.look()
    assert (run.step, run.loss, run.validation) == (2, 8.5, 8.4)
    assert run.sparks[-1] == 8.5
    assert list(index.history(folder.path).columns["loss"]) == [9.0, 8.5]


def test_what_is_resumed_earlier_forgets_the_rest_at_once(root, index):
    folder = make_run(root, "a", [a_step(1), a_step(2), validated(2, 1.0)])
    assert index.look()[0].validation == 1.0
    append(folder, text_of([{"step": 1, "mark": "resumed", "text": "Resumed"}]))
    run = index.look()[0]
    assert math.isnan(run.validation)
    assert (run.step, run.loss, run.tokens, run.seconds) == (1, 10.0, 64.0, 0.5)


@pytest.mark.parametrize(
    "after",
    [[a_step(1, 5.0)], [a_step(1, 5.0), a_step(2), a_step(3), a_step(4)]],
    ids=["shorter", "as long, but other bytes"],
)
def test_another_file_in_its_place_is_read_anew(root, index, after):
    folder = make_run(root, "a", [a_step(1), a_step(2), a_step(3)])
    assert index.look()[0].step == 3
    assert len(index.history(folder.path)) == 3
    folder.metrics.write_text(text_of(after))
    assert index.look()[0].step == after[-1]["step"]
    assert list(index.history(folder.path).columns["loss"]) == [line["loss"] for line in after]


def test_a_lost_file_leaves_a_run_without_curves(root, index):
    folder = make_run(root, "a", [a_step(1)])
    assert index.look()[0].step == 1
    folder.metrics.unlink()
    assert index.look()[0].step == 0
    assert len(index.history(folder.path)) == 0


def test_a_history_is_its_callers_own(root, index):
    folder = make_run(root, "a", [a_step(1)], data={"bytes_per_token": 3.5})
    before = index.history(folder.path)
    held = memoryview(before.steps)  # as numpy holds it: the array could not grow now
    append(folder, text_of([a_step(2)]))
    assert len(index.history(folder.path)) == 2
    assert len(held) == len(before) == 1
    assert before.bytes_per_token == 3.5


def test_samples_grow_with_the_curves(root, index):
    folder = make_run(root, "a", [a_step(1)])
    folder.samples.write_text('{"step": 1, "prompt": "The", "text": " fox"}\n')
    assert [sample.text for sample in index.history(folder.path).samples] == [" fox"]
    folder.samples.write_text('{"step": 1, "prompt": "The", "text": " hen"}\n{"step": 2, "prompt": "The"}\n')
    assert [sample.text for sample in index.history(folder.path).samples] == [" hen", ""]


def test_forgotten_curves_are_read_again(root, index):
    folders = [make_run(root, f"{number}", [a_step(1)]) for number in range(REMEMBERED + 2)]
    for folder in (*folders, *folders):
        assert len(index.history(folder.path)) == 1


# ---------------------------------------------------------------- whatever is there


LINES = st.one_of(
    st.builds(lambda step, loss: text_of([a_step(step, loss)]), st.integers(1, 30), st.floats(0, 20)),
    st.builds(lambda step, loss: text_of([validated(step, loss)]), st.integers(1, 30), st.floats(0, 20)),
    st.builds(lambda step: text_of([{"step": step, "mark": "resumed", "text": ""}]), st.integers(0, 30)),
    st.sampled_from(
        [
            *('{"step": 3, "loss": null}\n', '{"step": 3, "loss": NaN}\n', '{"step": 1e9, "loss": 1}\n'),
            *(
                '{"step": 99999999999999999999, "loss": 1}\n',
                '{"step": 4, "loss": 1e999}\n',
                "\n",
                "[1, 2]\n",
            ),
            *(
                '{"step": 5, "loss": "1"}\n',
                '{"step": 6, "loss": 1, "tokens": -1',
                '{"step": 7, "exam": [1]}\n',
            ),
            '{"step": 8, "validation_loss": 100' + "0" * 400 + "}\n",
        ]
    ),
    st.text(max_size=20),
)


def same(one, other):
    """Equal, with nan equal to nan."""
    return repr(vars(one)) == repr(vars(other))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=25), cuts=st.lists(st.floats(0, 1), max_size=5))
def test_a_file_read_piece_by_piece_is_the_file_read_at_once(tmp_path_factory, lines, cuts):
    root = tmp_path_factory.mktemp("runs")
    folder = make_run(root, "a", status="finished")
    data = "".join(lines).encode("utf-8", "replace")
    places = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    index = RunIndex(root)
    with folder.metrics.open("ab") as file:
        for start, end in pairwise(places):
            file.write(data[start:end])
            file.flush()
            index.look()
            index.history(folder.path)
    (run,), (fresh,) = index.look(), RunIndex(root).look()
    assert same(run, fresh)
    history = index.history(folder.path)
    assert same(history, RunIndex(root).history(folder.path))
    if data.endswith(b"\n"):
        whole = read_metrics(folder.metrics)
        assert same(replace_bytes(history), whole)
        if b"resumed" not in data:
            assert run.step == (whole.steps[-1] if whole.steps else 0)


def replace_bytes(history):
    history.bytes_per_token = 0.0
    return history


@settings(deadline=None, max_examples=40)
@given(data=st.binary(max_size=60), notes=st.binary(max_size=40), metrics=st.binary(max_size=60))
def test_garbage_is_no_reason_to_fail(tmp_path_factory, data, notes, metrics):
    root = tmp_path_factory.mktemp("runs")
    folder = make_run(root, "a")
    folder.run.write_bytes(data)
    (folder.path / "notes.json").write_bytes(notes)
    folder.metrics.write_bytes(metrics)
    (run,) = RunIndex(root).look()
    assert run.problem
    assert run.name
    RunIndex(root).history(folder.path)


@settings(deadline=None, max_examples=40)
@given(
    about=st.dictionaries(
        st.sampled_from(["begun", "parent", "parameters", "memory", "name", "status", "data"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("measured"), inner),
            max_leaves=4,
        ),
    )
)
def test_whatever_a_description_claims_can_be_shown(tmp_path_factory, about):
    root = tmp_path_factory.mktemp("runs")
    folder = make_run(root, "a", [a_step(1)], **about)
    (run,) = RunIndex(root).look()
    assert run == replace(run)
    assert run.problem == ""
    RunIndex(root).history(folder.path)
