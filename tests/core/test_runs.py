"""A run's folder: lines written and read, whatever was torn; what a run file may say."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core import run_file, runs
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.metrics import METRICS, RESOURCES, Exam, Mark, Sample
from gpt_studio.core.presets import first_config
from gpt_studio.core.run_events import (
    Evaluated,
    Examined,
    Marked,
    MemoryMeasured,
    PlanChanged,
    Resources,
    Sampled,
    Step,
)
from gpt_studio.core.run_file import check_usable, preset_config, read_run_file
from gpt_studio.core.run_writer import RunWriter, events_of
from gpt_studio.core.runs import RunFolder, name_again, new_folder, read_about, read_metrics, read_samples


def step(number, **values):
    return Step(number, {metric.name: float(number) for metric in METRICS} | values)


EVENTS = [
    step(1),
    step(2),
    Evaluated(2, 1.5),
    Examined(Exam(2, {"facts": 0.8, "letters": 0.25})),
    Sampled(Sample(2, "The ", "fox · “sleeps”\n\u2028and \udcff")),
    step(3),
]


def write(folder, events, bytes_per_token=2.0):
    with RunWriter(RunFolder(folder), RunConfig(), bytes_per_token) as writer:
        for event in events:
            writer.record(event)
    return RunFolder(folder)


# ---------------------------------------------------------------- lines


def test_what_is_written_is_read(tmp_path):
    folder = write(tmp_path, EVENTS)
    history = read_metrics(folder.metrics)
    assert list(history.steps) == [1, 2, 3]
    assert history.row(-1) == {metric.name: 3.0 for metric in METRICS}
    assert (list(history.validation_steps), list(history.validation_losses)) == ([2], [1.5])
    assert history.exams == [Exam(2, {"facts": 0.8, "letters": 0.25})]
    assert [sample.step for sample in read_samples(folder.samples)] == [2]
    assert read_samples(folder.samples)[0].text.startswith("fox · “sleeps”\n\u2028and ")


def test_bits_per_byte_stand_beside_the_validation_loss(tmp_path):
    lines = [json.loads(line) for line in write(tmp_path, EVENTS).metrics.read_text().splitlines()]
    assert [sorted(line) for line in lines[2:4]] == [
        ["bits_per_byte", "step", "validation_loss"],
        ["exam", "step"],
    ]
    assert lines[2]["bits_per_byte"] == pytest.approx(1.5 / math.log(2) / 2)


def test_every_line_is_on_disk_as_soon_as_it_is_known(tmp_path):
    with RunWriter(RunFolder(tmp_path), RunConfig()) as writer:
        writer.record(step(1))
        assert list(read_metrics(RunFolder(tmp_path).metrics).steps) == [1]


def test_other_facts_belong_into_no_file(tmp_path):
    folder = write(tmp_path, [MemoryMeasured(1)])
    assert folder.metrics.read_text() == folder.samples.read_text() == ""


def test_what_is_not_finite_is_still_json(tmp_path):
    def refuse(name):
        raise AssertionError(name)

    folder = write(tmp_path, [step(1, gradient_norm=math.inf), Evaluated(1, math.nan)])
    for line in folder.metrics.read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    history = read_metrics(folder.metrics)
    assert math.isnan(history.row(0)["gradient_norm"])
    assert math.isnan(history.validation_losses[0])


@given(cut=st.integers(min_value=1, max_value=200))
def test_a_torn_last_line_is_left_out(tmp_path_factory, cut):
    folder = write(tmp_path_factory.mktemp("run"), [step(1), step(2)])
    whole = folder.metrics.read_bytes()
    folder.metrics.write_bytes(whole[:-cut])
    kept = whole[: len(whole) - cut + 1].count(b"\n")  # a line that lacks its end alone is whole
    assert len(read_metrics(folder.metrics)) == kept


def test_who_goes_on_after_a_torn_line_loses_none_of_its_own(tmp_path):
    folder = write(tmp_path, [step(1), step(2)])
    folder.metrics.write_bytes(folder.metrics.read_bytes()[:-9] + "é".encode()[:1])
    write(tmp_path, [step(2), step(3)])
    assert list(read_metrics(folder.metrics).steps) == [1, 2, 3]


def test_steps_trained_again_replace_what_came_after(tmp_path):
    folder = write(tmp_path, [*EVENTS, Evaluated(3, 1.4), Examined(Exam(3, {"facts": 1.0}))])
    write(tmp_path, [step(2, loss=7.0), Sampled(Sample(2, "The ", "again"))])
    history = read_metrics(folder.metrics)
    assert list(history.steps) == [1, 2]
    assert all(len(column) == 2 for column in history.columns.values())
    assert history.row(1)["loss"] == 7.0
    assert (len(history.validation_steps), len(history.validation_losses), history.exams) == (0, 0, [])
    assert [sample.text for sample in read_samples(folder.samples)] == ["again"]


def test_marks_and_resources_are_read_and_go_with_what_came_after(tmp_path):
    known = {metric.name: 5.0 for metric in RESOURCES}
    events = [
        Marked(Mark(0, "fork", "From “fox”")),
        step(1),
        Resources(1, known),
        step(2),
        Resources(2, {"process_memory": math.nan, "temperature": 3.0}),
        PlanChanged(RunConfig(), Mark(2, "plan", "Learning rate 1e-3 → 5e-4")),
        step(3),
    ]
    folder = write(tmp_path, events)
    history = read_metrics(folder.metrics)
    assert [(mark.step, mark.kind) for mark in history.marks] == [(0, "fork"), (2, "plan")]
    assert history.marks[1].text == "Learning rate 1e-3 → 5e-4"
    assert list(history.resource_steps) == [1, 2]
    assert [column[0] for column in history.resources.values()] == [5.0] * len(RESOURCES)
    assert history.resources["temperature"][1] == 3.0
    assert math.isnan(history.resources["process_memory"][1])
    write(tmp_path, [step(2)])
    history = read_metrics(folder.metrics)
    assert [mark.step for mark in history.marks] == [0]
    assert list(history.resource_steps) == [1]
    assert all(len(column) == 1 for column in history.resources.values())


def test_a_mark_says_from_where_a_run_goes_on(tmp_path):
    events = [
        *EVENTS,
        Evaluated(3, 1.0),
        Marked(Mark(3, "plan", "Slower")),
        Marked(Mark(2, "resumed", "Resumed")),
    ]
    history = read_metrics(write(tmp_path, events).metrics)
    assert list(history.steps) == [1, 2]
    assert (list(history.validation_steps), [exam.step for exam in history.exams]) == ([2], [2])
    assert history.marks == [Mark(2, "resumed", "Resumed")]


def test_what_was_looked_at_twice_counts_once(tmp_path):
    """Who was killed between validation and samples looks again."""
    again = [Evaluated(2, 1.25), Examined(Exam(2, {"facts": 0.9})), *EVENTS[4:5]]
    folder = write(tmp_path, [*EVENTS[:5], *again])
    history = read_metrics(folder.metrics)
    assert list(history.validation_losses) == [1.25]
    assert history.exams == [Exam(2, {"facts": 0.9})]
    assert len(read_samples(folder.samples)) == 1


def test_samples_of_several_prompts_and_their_tokens(tmp_path):
    samples = [
        Sample(2, "a", "xy", (("x", 0.5), ("y", 1 / 3))),
        Sample(2, "b", "z"),
        Sample(4, "a", "x"),
        Sample(4, "b", "y"),
    ]
    folder = write(tmp_path, map(Sampled, samples))
    assert read_samples(folder.samples) == samples
    write(tmp_path, [Sampled(Sample(4, "a", "again"))])
    assert [sample.text for sample in read_samples(folder.samples)] == ["xy", "z", "again", "y"]
    write(tmp_path, [Sampled(Sample(3, "a", "between"))])
    assert [sample.text for sample in read_samples(folder.samples)] == ["xy", "z", "between"]


@pytest.mark.parametrize("tokens", ["x", [1], [["x"]], [["x", "much"]], {"x": 1}])
def test_tokens_of_another_make_are_no_obstacle(tmp_path, tokens):
    line = {"step": 1, "prompt": "a", "text": "b", "tokens": tokens}
    (tmp_path / "samples.jsonl").write_text(json.dumps(line) + "\n")
    (sample,) = read_samples(tmp_path / "samples.jsonl")
    assert sample.text == "b"


def test_what_made_a_history_makes_it_again(tmp_path):
    events = [
        *EVENTS,
        Resources(3, {metric.name: 1.0 for metric in RESOURCES}),
        Marked(Mark(3, "plan", "Slower")),
    ]
    history = read_metrics(write(tmp_path / "one", events).metrics)
    again = read_metrics(write(tmp_path / "two", events_of(history)).metrics)
    assert vars(again) == vars(history)
    assert [event.step for event in events_of(history, 3) if isinstance(event, Step)] == [3]


def test_a_writer_with_a_history_adds_what_the_files_lack(tmp_path):
    history = read_metrics(write(tmp_path / "one", EVENTS).metrics)
    history.samples = [Sample(2, "The ", "fox")]
    folder = RunFolder(tmp_path / "fork")
    for _ in range(2):  # once is enough
        with RunWriter(folder, RunConfig(), 2.0, lambda: history):
            pass
        assert folder.metrics.read_text() == RunFolder(tmp_path / "one").metrics.read_text()
        assert read_samples(folder.samples) == history.samples


def test_a_run_that_has_written_nothing_has_no_curves(tmp_path):
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 0
    assert read_samples(tmp_path / "samples.jsonl") == []


# ---------------------------------------------------------------- folders


def test_run_json_is_a_run_file_and_says_how_the_run_was_made(tmp_path):
    config = first_config().changed("train", {"steps": 77})
    with RunWriter(RunFolder(tmp_path), config) as writer:
        writer.describe(config, parameters=5)
        writer.describe(memory={"measured": 9})
    assert read_run_file(RunFolder(tmp_path).run) == config
    about = read_about(RunFolder(tmp_path))
    assert (about["parameters"], about["memory"]) == (5, {"measured": 9})
    assert {"gpt-studio", "python"} <= about["versions"].keys()
    assert not list(tmp_path.glob("*.partial"))


def test_who_goes_on_keeps_what_is_known_about_the_run(tmp_path):
    with RunWriter(RunFolder(tmp_path), RunConfig()) as writer:
        writer.describe(begun="first")
    with RunWriter(RunFolder(tmp_path), RunConfig()) as writer:
        assert writer.about["begun"] == "first"


def test_a_new_folder_is_never_one_there_is(tmp_path):
    first = new_folder(tmp_path, "tiny", ("world", "/some/Where/My text.txt"))
    assert first.path.name.endswith("-tiny-world-my-text")
    assert new_folder(tmp_path, "tiny", ("world", "My text.txt")).path.name == f"{first.path.name}-2"


def test_of_many_who_begin_at_once_each_has_a_folder_of_its_own(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(lambda _: new_folder(tmp_path / "runs", "tiny", ("world",)).path, range(40)))
    assert len(set(runs)) == 40
    assert all(run.is_dir() for run in runs)


def test_new_folders_where_there_can_be_none_are_explained(tmp_path):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StudioError, match="cannot be written"):
        new_folder(tmp_path / "runs", "tiny", ("world",))


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudioError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run").make()


def test_checkpoints_are_named_by_what_they_are(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.checkpoints() == ()
    folder.make()
    names = ("last", "best", "step-001000", "step-000020", "step-1000000", "step-x", "other")
    for name in names:
        (folder.last.parent / f"{name}.safetensors").touch()
    found = ["last", "best", "step-1000000", "step-001000", "step-000020"]
    assert [path.stem for path in folder.checkpoints()] == found
    assert folder.numbered(20).name == "step-000020.safetensors"


@pytest.mark.parametrize("links", [True, False])
def test_the_best_checkpoint_stays_when_the_last_is_replaced(tmp_path, monkeypatch, links):
    def no_links(*_):
        raise OSError

    if not links:
        monkeypatch.setattr(runs.os, "link", no_links)
    folder = RunFolder(tmp_path)
    folder.make()
    for text in ("one", "two"):
        beside = folder.last.with_suffix(".new")
        beside.write_text(text)
        beside.replace(folder.last)
        if text == "one":
            name_again(folder.last, folder.best)
    assert (folder.best.read_text(), folder.last.read_text()) == ("one", "two")
    name_again(folder.last, folder.best)
    assert folder.best.read_text() == "two"


# ---------------------------------------------------------------- run files


def saved(folder, data):
    path = folder / "run.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def test_a_run_file_changes_what_it_names_alone(tmp_path):
    path = saved(tmp_path, {"train": {"steps": 5}, "model": {"num_layers": 2}})
    expected = first_config().changed("train", {"steps": 5}).changed("model", {"num_layers": 2})
    assert read_run_file(path) == expected


def test_a_run_file_may_begin_with_a_preset(tmp_path):
    path = saved(tmp_path, {"preset": "gpt2-124m", "train": {"steps": 5}})
    assert read_run_file(path) == preset_config("gpt2-124m").changed("train", {"steps": 5})


def test_the_vocabulary_follows_the_tokenizer_unless_it_is_named(tmp_path):
    tokenizer = {"data": {"tokenizer": "bytes"}}
    assert read_run_file(saved(tmp_path, tokenizer)).model.vocab_size == 257
    assert read_run_file(saved(tmp_path, {"model": {"vocab_size": 99}, **tokenizer})).model.vocab_size == 99


def test_paths_are_relative_to_the_run_file(tmp_path):
    data = {"corpora": ["world", "texts/a.txt", str(tmp_path / "b.txt")], "tokenizer_file": "../t.tiktoken"}
    config = read_run_file(saved(tmp_path, {"data": data})).data
    assert config.corpora == ("world", str(tmp_path / "texts" / "a.txt"), str(tmp_path / "b.txt"))
    assert config.tokenizer_file == str(tmp_path.parent / "t.tiktoken")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "not a JSON file"),
        ("[1]", "no settings"),
        ("[" * 100_000, "not a JSON file"),
        ({"trian": {}}, "Did you mean “train”"),
        ({"train": {"step": 5}}, "Did you mean “train.steps”"),
        ({"train": {"qqqq": 5}}, "There are: steps, "),
        ({"train": 5}, "group of settings"),
        ({"train": {"steps": "many"}}, "train.steps: Steps must be a whole number"),
        ({"train": {"steps": 0}}, "train.steps: Steps must be between"),
        ({"train": {"learning_rate": math.nan}}, "Learning rate must be between"),
        ({"data": {"corpora": "world"}}, "data.corpora: Corpora has a value of the wrong kind"),
        ({"data": {"user_prefix": 5}}, "wrong kind"),
        ({"data": {"tokenizer": ["bytes"]}}, "Tokenizer must be one of"),
        ({"preset": "huge"}, "Use one of: tiny, "),
        ({"preset": ["tiny"]}, "no preset"),
        ({"version": 999}, "newer GPT Studio"),
        ({"version": "1"}, "newer GPT Studio"),
    ],
)
def test_a_bad_run_file_is_explained(tmp_path, data, words):
    with pytest.raises(StudioError) as caught:
        read_run_file(saved(tmp_path, data))
    assert words in str(caught.value)


def test_a_missing_run_file_and_bytes_that_are_no_text_are_explained(tmp_path):
    with pytest.raises(StudioError, match="cannot be read"):
        read_run_file(tmp_path / "none.json")
    with pytest.raises(StudioError, match="cannot be read"):
        read_run_file(tmp_path)
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudioError, match="not a JSON file"):
        read_run_file(tmp_path / "run.json")


def test_a_config_that_cannot_be_used_is_refused_with_what_would_mend_it():
    with pytest.raises(StudioError) as caught:
        check_usable(first_config().changed("model", {"embed_size": 65, "heads": 4}))
    assert caught.value.what.startswith("model.embed_size: Embedding size 65")
    assert caught.value.tries == "Use 64, or use 68."
    run_file.check_usable(first_config())
