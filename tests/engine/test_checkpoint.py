"""A checkpoint comes back bit for bit, outlives every failure to save, and a bad file is only refused."""

import errno
import json
import os
import random
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.metrics import METRICS, RESOURCES, Exam, History, Mark, Sample
from gpt_studio.engine import checkpoint, saving
from gpt_studio.engine.characters import Characters
from gpt_studio.engine.checkpoint import Checkpoint, load, save
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer, moment_shapes, moments
from gpt_studio.engine.tokenizers import tokenizer

MODEL = GPTConfig(num_layers=1, heads=2, embed_size=8, max_length=8, vocab_size=257)


def trained(model_config=MODEL, steps=2, plan=None):
    """A model after some steps, its optimizer, and all of it as a checkpoint."""
    plan = plan or TrainConfig()
    torch.manual_seed(0)
    model = GPT(model_config)
    optimizer = make_optimizer(model, plan)
    for _ in range(steps):
        model(torch.randint(257, (2, 8))).square().mean().backward()
        optimizer.step()
    return model, optimizer, Checkpoint(
        RunConfig(model=model_config, train=plan), steps, tokenizer("bytes"), model, history(),
        moments(model, optimizer), "c0ffee", 1024.0,
    )  # fmt: skip


def history():
    record = History()
    for step in (1, 2):
        record.add_step(step, {metric.name: step / 3 for metric in METRICS})
    record.add_validation(2, 5.25)
    record.add_resources(2, {metric.name: 1 / 7 for metric in RESOURCES})
    record.samples.append(Sample(1, "Größe ", "“ja”\n\ud800"))
    record.samples.append(Sample(2, "Größe ", "“ja”", (("“", 0.25), ("ja”", 1 / 3))))
    record.marks += [Mark(0, "fork", "From “tiny”"), Mark(2, "plan", "Learning rate 1e-3 → 5e-4")]
    record.exams += [Exam(1, {"facts": 0.0, "addition": 1 / 3}), Exam(2, {"facts": 1.0, "addition": 0.5})]
    record.bytes_per_token = 3.7
    return record


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    save(path, trained()[2])
    return path


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": False}, {"bias": False}])
def test_everything_comes_back_bit_for_bit(tmp_path, changes, kind):
    plan = TrainConfig(optimizer=kind)
    model, optimizer, kept = trained(MODEL.changed(**changes), plan=plan)
    path = tmp_path / "größe 1.safetensors"
    assert save(path, kept) == path.stat().st_size
    found = load(path)
    assert (found.config, found.step, found.tokenizer) == (kept.config, 2, tokenizer("bytes"))
    assert vars(found.history) == vars(kept.history)
    assert (found.fingerprint, found.scale) == ("c0ffee", 1024.0)
    ids = torch.randint(257, (1, 8))
    assert torch.equal(found.model(ids), model(ids))
    assert found.moments.keys() == moment_shapes(dict(model.named_parameters()), kind).keys()
    assert all(torch.equal(found.moments[name], value) for name, value in kept.moments.items())

    again = make_optimizer(found.model, plan, found.moments)
    for net, updater in ((model, optimizer), (found.model, again)):
        updater.zero_grad()
        net(ids).square().mean().backward()
        updater.step()
    assert torch.equal(found.model(ids), model(ids))


def test_a_tied_head_is_stored_once(saved):
    assert [name for name in load_file(saved) if "head" in name] == []


def test_a_file_may_hold_weights_alone(tmp_path):
    _, _, kept = trained()
    kept.moments = {}
    save(tmp_path / "weights.safetensors", kept)
    found = load(tmp_path / "weights.safetensors")
    assert not found.moments
    optimizer = make_optimizer(found.model, TrainConfig(), found.moments)
    assert not any(value.any() for value in moments(found.model, optimizer).values())


def test_a_model_to_hand_on_has_weights_alone(saved, tmp_path):
    path = tmp_path / "weights.safetensors"
    save(path, load(saved).weights_only())
    found = load(path)
    assert path.stat().st_size < saved.stat().st_size / 2
    assert (found.step, found.fingerprint, found.moments) == (2, "c0ffee", {})
    assert (len(found.history), found.history.exams, found.history.samples) == (0, [], [])
    assert found.history.bytes_per_token == 3.7
    assert not [name for name in load_file(path) if name.startswith("optimizer.")]


def old_layout(tensors):
    """As files were before a run told of the machine, of marks and of several prompts."""
    for name in ("resource_steps", "samples", *(metric.name for metric in RESOURCES)):
        del tensors[f"history.{name}"]


def test_files_of_the_old_layout_open(saved):
    samples = json.dumps([[2, "The ", "fox"]])
    found = load(rewritten(saved, old_layout, samples=samples, marks=None, scale=None))
    assert found.history.samples == [Sample(2, "The ", "fox")]
    assert (found.history.marks, list(found.history.resource_steps), found.scale) == ([], [], 0.0)
    assert all(len(column) == 0 for column in found.history.resources.values())
    assert (len(found.history), len(found.history.exams)) == (2, 2)


def test_files_of_before_there_were_exams_open(saved):
    found = load(rewritten(saved, exams=None, bytes_per_token=None, fingerprint=None))
    assert (found.history.exams, found.history.bytes_per_token, found.fingerprint) == ([], 0.0, "")
    assert len(found.history) == 2


@pytest.mark.parametrize("samples", [None, "nonsense", "[[1, 2]]"])
def test_samples_of_the_old_layout_that_lie(saved, samples):
    refusal(rewritten(saved, old_layout, samples=samples))


def test_opening_holds_no_file(saved):
    found = load(saved)
    weights = found.model.token_embedding.weight.clone()
    saved.write_bytes(b"\xff" * saved.stat().st_size)
    assert torch.equal(found.model.token_embedding.weight, weights)


# ---------------------------------------------------------------- saving fails


def refused(path, kept=None):
    """Try to save; give the error, after checking that the folder is as it was."""
    before = {file.name: file.read_bytes() for file in path.parent.glob("*") if file.is_file()}
    with pytest.raises(StudioError) as failure:
        save(path, kept or trained()[2])
    assert {file.name: file.read_bytes() for file in path.parent.glob("*") if file.is_file()} == before
    assert failure.value.what.startswith("The checkpoint was not saved — ")
    assert failure.value.kept
    assert failure.value.tries
    return failure.value


def test_too_little_room_is_seen_before_writing(saved, monkeypatch):
    usage = shutil.disk_usage(saved)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10_240))
    assert "10\u202fkB free, " in refused(saved).what
    monkeypatch.setattr(saving, "write_all", None)
    refused(saved)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("place", [0, 1, 7])
def test_any_failure_while_writing_keeps_the_old_file(saved, monkeypatch, code, place):
    writes = iter(range(1000))

    def fill_up(file, data):
        if next(writes) == place:
            real(file, data[: len(data) // 2])
            raise OSError(code, os.strerror(code))
        real(file, data)

    real = saving.write_all
    monkeypatch.setattr(saving, "write_all", fill_up)
    refused(saved)
    assert next(writes) == place + 1


@pytest.mark.parametrize("name", ["fsync", "rename"])
def test_a_failure_after_writing_keeps_the_old_file(saved, monkeypatch, name):
    def fail(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(*((os, "fsync", fail) if name == "fsync" else (Path, "replace", fail)))
    assert refused(saved).what.endswith("Input/output error")


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_disk_that_fills_up_while_writing(saved):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        assert "the disk did not take" in refused(saved).what
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOTEMPTY, "Directory not empty"), os.strerror(errno.ENOTEMPTY)),
        (OSError(errno.ENOSPC, "No space left on device"), "did not take"),
        (PermissionError(errno.EACCES, "Access is denied"), "may not be written to"),
        (OSError("The file is in use."), "The file is in use."),
    ],
)
def test_the_reason_is_read_by_its_number(error, words):
    assert words in saving._not_saved(error, Path("gone") / "model.safetensors", 1000).what


def test_what_a_killed_save_left_is_removed_by_the_next(saved):
    stale = saved.with_name("model.0123abcd.partial")
    others = [
        "model.partial",
        "model.0123abcg.partial",
        "model2.0123abcd.partial",
        "model.x.0123abcd.partial",
    ]
    for name in (stale.name, *others):
        saved.with_name(name).write_bytes(b"half")
    save(saved, trained()[2])
    assert {file.name for file in saved.parent.iterdir()} == {saved.name, *others}


def test_the_room_asked_for_is_the_file_s(saved, monkeypatch):
    _, _, kept = trained()
    kept.history.samples += [Sample(2, "“", '\n"“ja”\\' * 20_000)] * 3
    kept.history.exams += [Exam(step, {"facts": step / 7e4, "comparing": 0.25}) for step in range(3, 3000)]
    kept.tokenizer = Characters("".join(map(chr, range(32, 10_000))))
    asked = []
    monkeypatch.setattr(saving, "_check_room", lambda folder, need: asked.append(need))
    size = save(saved, kept)
    assert asked == [size] == [saved.stat().st_size]


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    assert "is a folder" in refused(tmp_path / "folder.safetensors").what
    with pytest.raises(StudioError, match="there is no folder"):
        save(tmp_path / "missing" / "model.safetensors", trained()[2])
    with pytest.raises(StudioError, match="not saved"):
        save(tmp_path / ("long" * 100 + ".safetensors"), trained()[2])


def test_a_folder_without_permission(saved, monkeypatch):
    def forbid(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(saving, "write_all", forbid)
    assert "may not be written to" in refused(saved).what


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_stays_a_link(saved):
    link = saved.with_name("latest.safetensors")
    link.symlink_to(saved)
    _, _, kept = trained(steps=3)
    save(link, kept)
    assert link.is_symlink()
    assert load(saved).step == 3


# ---------------------------------------------------------------- opening refuses


def refusal(path):
    with pytest.raises(StudioError) as failure:
        load(path)
    assert failure.value.kept == "Nothing was changed."
    assert failure.value.tries
    return failure.value.what


def test_things_that_are_no_checkpoint(tmp_path):
    path = tmp_path / "x.safetensors"
    assert "There is no file" in refusal(path)
    assert "is a folder" in refusal(tmp_path)
    for content in (
        b"",
        b"\x00",
        b"hello world, this is text\n" * 10,
        random.Random(1).randbytes(5000),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 90_000_000) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 8) + b"[[[[[[[[",
    ):
        path.write_bytes(content)
        assert refusal(path) == "This file is not a GPT Studio checkpoint."


def test_a_file_of_another_program(tmp_path):
    path = tmp_path / "gpt2.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"wte.weight": torch.zeros(3, 2)}, path, metadata)
        assert refusal(path) == "This file is not a GPT Studio checkpoint."


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_a_pipe_does_not_wait_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "This file is not a GPT Studio checkpoint."


def rewritten(path, tensors=lambda tensors: None, **metadata):
    """The file with some tensors or metadata replaced."""
    with checkpoint.safe_open(path, "pt") as file:
        before = file.metadata()
        held = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    tensors(held)
    save_file(held, path, {key: value for key, value in {**before, **metadata}.items() if value is not None})
    return path


def config_text(**model):
    return json.dumps(RunConfig(model=MODEL.changed(**model)).to_dict())


@pytest.mark.parametrize(
    "metadata",
    [
        {"config": config_text(num_layers=2)},
        {"config": config_text(embed_size=16)},
        {"config": config_text(tie_embeddings=False)},
        {"config": config_text(bias=False)},
        {"config": json.dumps(RunConfig(model=MODEL, train=TrainConfig(optimizer="muon")).to_dict())},
        {"config": config_text(embed_size=16384, num_layers=96, heads=128, max_length=131072)},
        {"config": config_text(vocab_size=300)},
        {"config": "{}"},
        {"config": "[" * 100_000},
        {"config": None},
        {"tokenizer": '{"name": "klingon"}'},
        {"tokenizer": '{"name": "gpt2"}'},
        {"tokenizer": "3"},
        {"step": "-1"},
        {"step": "many"},
        {"step": "9" * 5000},
        {"marks": "[[1, 2]]"},
        {"marks": "nonsense"},
        {"scale": "large"},
        {"scale": "-1"},
        {"scale": "nan"},
        {"exams": "nonsense"},
        {"exams": "[[1]]"},
        {"exams": "[[1, [2]]]"},
        {"exams": '[[1, {"facts": "all"}]]'},
        {"exams": '[[1, {"facts": 1.5}]]'},
        {"exams": '[[1, {"facts": NaN}]]'},
        {"exams": '[[2, {"facts": 1}], [1, {"facts": 1}]]'},
        {"exams": '[[3, {"facts": 1}]]'},
        {"bytes_per_token": "many"},
        {"bytes_per_token": "-1"},
        {"bytes_per_token": "inf"},
        {"bytes_per_token": "nan"},
    ],
)  # fmt: skip
def test_metadata_that_lies(saved, metadata):
    refusal(rewritten(saved, **metadata))


def test_a_newer_version_says_so(saved):
    assert refusal(rewritten(saved, format="gpt-studio/2")) == "A newer GPT Studio wrote this file."
    newer = json.dumps({**json.loads(config_text()), "version": 99})
    assert (
        refusal(rewritten(saved, format="gpt-studio/1", config=newer))
        == "A newer GPT Studio wrote this file."
    )


def test_a_setting_out_of_range_is_named(saved):
    broken = json.loads(config_text())
    broken["train"]["steps"] = 0
    assert "Steps must be between" in refusal(rewritten(saved, config=json.dumps(broken)))


WEIGHT = "model.token_embedding.weight"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop(WEIGHT),
        lambda t: t.pop("model.norm.bias"),
        lambda t: t.update({WEIGHT: t[WEIGHT].T.contiguous()}),
        lambda t: t.update({WEIGHT: t[WEIGHT].half()}),
        lambda t: t[WEIGHT][3].fill_(torch.nan),
        lambda t: t.update({"model.extra": torch.zeros(1)}),
        lambda t: t.pop("optimizer.norm.bias.exp_avg"),
        lambda t: t.update({"optimizer.norm.bias.step": torch.zeros(2)}),
        lambda t: t.pop("history.loss"),
        lambda t: t.update({"history.loss": torch.zeros(1, dtype=torch.float64)}),
        lambda t: t.update({"history.loss": torch.zeros(2)}),
        lambda t: t.update({"history.steps": torch.zeros(2, 1, dtype=torch.int64)}),
        lambda t: t.update({"history.validation_steps": torch.zeros(9, dtype=torch.int64)}),
        lambda t: t.update({"history.validation_steps": torch.tensor([3])}),
        lambda t: t.update({"history.steps": torch.tensor([2, 1])}),
        lambda t: t.update({"history.steps": torch.tensor([2, 2])}),
        lambda t: t.update({"history.steps": torch.tensor([1, 3])}),
        lambda t: t.update({"history.steps": torch.tensor([0, 1])}),
        lambda t: t.pop("history.process_memory"),
        lambda t: t.update({"history.process_memory": torch.zeros(2, dtype=torch.float64)}),
        lambda t: t.update({"history.samples": torch.zeros(2, dtype=torch.uint8)}),
        lambda t: t["history.tokens"][-1:].fill_(torch.nan),
        lambda t: t["history.seconds"][-1:].fill_(torch.inf),
    ],
)  # fmt: skip
def test_tensors_that_lie(saved, change):
    assert "damaged" in refusal(rewritten(saved, change))


def test_damage_at_random_is_refused_or_harmless(saved, tmp_path):
    """Cut, flip or overwrite anywhere: it opens, or it is refused in words, and nothing else."""
    whole = saved.read_bytes()
    dice = random.Random(7)
    path = tmp_path / "damaged.safetensors"
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    refusals = 0
    for trial in range(400):
        data = bytearray(whole)
        if trial % 4 == 0:
            del data[dice.randrange(len(data)) :]
        for _ in range(dice.randint(1, 4)):
            if data:
                place = dice.randrange(min(len(data), header if trial % 2 else len(data)))
                data[place] = dice.choice([data[place] ^ 1 << dice.randrange(8), dice.randrange(256)])
        path.write_bytes(data)
        try:
            load(path)
        except StudioError:
            refusals += 1
    assert refusals > 200


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_others_may_read_it_as_they_may_any_new_file(tmp_path, saved):
    kept = load(saved)
    before = os.umask(0o022)
    try:
        save(tmp_path / "shared.safetensors", kept)
    finally:
        os.umask(before)
    assert (tmp_path / "shared.safetensors").stat().st_mode & 0o777 == 0o644
