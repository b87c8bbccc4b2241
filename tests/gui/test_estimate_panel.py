"""The estimate as people read it: every number true, the verdict in words, the bar never needed."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.estimate import estimate
from gpt_studio.core.events import Built, Device
from gpt_studio.core.presets import presets
from gpt_studio.gui.costs import next_step_cost, repaired
from gpt_studio.gui.estimate_panel import EstimatePanel
from gpt_studio.gui.estimate_widgets import amount
from gpt_studio.gui.memory_bar import GAP, GRAY, LEAST, MemoryBar, part_widths
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import DARK, LIGHT, look

GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * units.GB, bf16=True)
CPU = Device("cpu", "2 cores", 8 * units.GB)
BY_NAME = {preset.name: preset for preset in presets()}


def state_of(preset="gpt2-124m", model=None, train=None, device=GPU, **facts) -> State:
    config = BY_NAME[preset].apply(RunConfig())
    config = config.changed("model", model or {}).changed("train", train or {})
    return State(config=config, devices=(device,), device_name=device.name, **facts)


@pytest.fixture
def panel(qtbot):
    panel = EstimatePanel()
    qtbot.addWidget(panel)
    panel.resize(312, 250)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


def bytes_of(text: str) -> float:
    value, unit = re.fullmatch(r"([\d.]+)\u202f(\w+)", text).groups()
    return float(value) * {"B": 1, "kB": units.KB, "MB": units.MB, "GB": units.GB}[unit]


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("preset", BY_NAME)
def test_what_is_shown_is_what_was_calculated(panel, preset):
    state = state_of(preset)
    panel.show_state(state)
    found = estimate(state.config, GPU)
    assert panel.count.text() == units.parameters(found.parameters)
    assert panel.count.toolTip() == f"{units.number(found.parameters)} parameters"
    need = units.memory_of(found.training.total, GPU.capacity)
    assert panel.memory.value() == f"{need} at batch {state.config.train.batch_size}"
    assert panel.compute.value() == f"{units.flops(found.flops_per_token)}/token"
    assert panel.generation.value() == units.memory(found.generation)
    shown = [part for part in found.training if part.size or part.name not in GRAY]
    for item, part in zip(panel.legend.items, shown, strict=True):
        assert bytes_of(item.amount()) == pytest.approx(part.size, rel=0.06, abs=0.006 * units.GB)
        assert item.toolTip().startswith(f"{units.number(part.size)} bytes. ")


def test_it_follows_every_edit(panel):
    seen = set()
    for layers in (1, 2, 3):
        for batch in (1, 2):
            panel.show_state(state_of(model={"num_layers": layers}, train={"batch_size": batch}))
            seen.add((panel.count.text(), panel.memory.value(), panel.legend.items[3].amount()))
    assert len({count for count, _, _ in seen}) == 3
    assert len(seen) == 6


def test_parts_have_one_unit_but_never_read_as_nothing():
    assert amount(3 * units.MB, 400 * units.MB) == "3.0\u202fMB"
    assert amount(300 * units.MB, 4 * units.GB) == "0.29\u202fGB"
    assert amount(2 * units.MB, 4 * units.GB) == "2.0\u202fMB"
    assert amount(0, 4 * units.GB) == "0\u202fGB"


@pytest.mark.parametrize(("capacity", "word", "by"), [(24, "Fits", "to spare"), (4, "Does not fit", "short")])
def test_the_verdict_is_a_word_and_a_margin(panel, capacity, word, by):
    device = replace(GPU, capacity=capacity * units.GB)
    state = state_of(device=device)
    panel.show_state(state)
    assert (panel.verdict.text(), panel.verdict.isVisible()) == (word, True)
    margin = abs(device.capacity - estimate(state.config, GPU).training.total)
    assert panel.verdict.toolTip() == f"{units.memory(margin)} {by}"
    assert word in panel.bar.accessibleDescription()


def test_no_verdict_while_the_device_is_unknown(panel):
    panel.show_state(State())
    assert not panel.verdict.isVisible()
    assert panel.bar.segments() == []
    assert " of " not in panel.memory.value()
    assert bytes_of(panel.memory.value().split(" at ")[0]) > 0


def test_the_device_decides_about_the_overhead(panel):
    panel.show_state(state_of(device=CPU))
    overhead = estimate(state_of().config, CPU).training.overhead
    assert panel.legend.items[-1].amount() == amount(overhead, 2 * units.GB)


# ---------------------------------------------------------------- measured


def test_time_is_predicted_once_a_step_was_measured(panel):
    panel.show_state(state_of())
    assert panel.time.value() == units.UNKNOWN
    panel.show_state(state_of(seconds_per_step=0.24, train={"steps": 1000}))
    assert panel.time.value() == "about 4\u202fmin"
    assert "1\u202f000 steps" in panel.time.accessibleName()


def test_the_peak_has_a_row_and_a_tick(panel):
    panel.show_state(state_of())
    assert not panel.peak.isVisible()
    quiet = panel.bar.grab().toImage()
    panel.show_state(state_of(peak=20 * units.GB))
    assert (panel.peak.isVisible(), panel.peak.amount()) == (True, "20.0\u202fGB")
    assert panel.bar.grab().toImage() != quiet
    assert "Measured peak 20.0\u202fGB" in panel.bar.accessibleDescription()


def test_what_was_measured_with_other_settings_is_not_shown(panel):
    trained = state_of("tiny", seconds_per_step=0.1, peak=units.GB)
    trained = replace(trained, model=Built(trained.config, 800_000, GPU.name, 10))
    panel.show_state(trained)
    assert panel.time.value() != units.UNKNOWN
    longer = replace(trained, config=trained.config.changed("train", {"steps": 7}))
    panel.show_state(longer)
    assert panel.time.value() == "about 1\u202fs"
    larger = replace(trained, config=BY_NAME["gpt2-1558m"].apply(trained.config))
    panel.show_state(larger)
    assert panel.time.value() == units.UNKNOWN
    assert not panel.peak.isVisible()


# ---------------------------------------------------------------- problems


def test_a_problem_is_calculated_around_and_said(panel):
    panel.show_state(state_of(model={"embed_size": 100}))
    assert panel.warning.text() == "Calculated for embedding size 96 until you fix it"
    assert panel.count.text() == units.parameters(
        estimate(state_of(model={"embed_size": 96}).config).parameters
    )
    panel.show_state(state_of(model={"embed_size": 96}))
    assert not panel.warning.isVisible()


def test_all_problems_that_matter_are_said(panel):
    panel.show_state(
        state_of(model={"num_layers": 999, "embed_size": 100}, train={"batch_size": 0, "warmup": -1})
    )
    assert (
        panel.warning.text()
        == "Calculated for layers 96, embedding size 96 and batch size 1 until you fix them"
    )


def test_two_problems_are_both_said(panel):
    panel.show_state(state_of(model={"num_layers": 999}, train={"batch_size": 0, "learning_rate": 9.0}))
    assert panel.warning.text() == "Calculated for layers 96 and batch size 1 until you fix them"
    assert panel.memory.value().endswith("at batch 1")


def test_a_precision_the_device_lacks_is_calculated_around(panel):
    panel.show_state(state_of(train={"precision": "bf16"}, device=CPU))
    assert panel.warning.text() == "Calculated for precision fp32 until you fix it"


WILD = st.one_of(st.integers(-(10**30), 10**30), st.integers(0, 300))


@given(model=st.dictionaries(st.sampled_from(["num_layers", "heads", "embed_size", "max_length"]), WILD),
       train=st.dictionaries(st.sampled_from(["steps", "batch_size", "accumulation"]), WILD))  # fmt: skip
def test_whatever_is_typed_can_be_calculated(model, train):
    state = state_of("tiny", model, train)
    mended = repaired(state.config, state.problems)
    assert mended.problems() == {}
    assert estimate(mended).training.total > 0


# ---------------------------------------------------------------- the bar


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6), st.floats(20, 400))
def test_parts_can_all_be_seen_and_keep_their_order_of_size(sizes, room):
    sizes = [size + 1 for size in sizes]
    widths = part_widths(sizes, room, LEAST)
    assert min(widths) >= LEAST
    assert sum(widths) == pytest.approx(max(room, LEAST * len(sizes)), rel=1e-6) or min(widths) == LEAST
    for a, b in pairwise(sizes):
        width_a, width_b = widths[sizes.index(a)], widths[sizes.index(b)]
        assert (a <= b) == (width_a <= width_b) or abs(width_a - width_b) < 1e-6


@pytest.mark.parametrize("preset", BY_NAME)
@pytest.mark.parametrize("capacity", [1, 8, 24, 4000])
def test_the_bar_stays_in_its_width_and_marks_the_limit(qtbot, preset, capacity):
    bar = MemoryBar()
    qtbot.addWidget(bar)
    bar.resize(280, 16)
    parts = tuple(estimate(state_of(preset).config, GPU).training)
    bar.show_memory(parts, capacity * units.GB, 0)
    segments = bar.segments()
    assert [part for part, _, _ in segments] == [part for part in parts if part.size]
    assert all(width >= LEAST for _, _, width in segments)
    for (_, left, width), (_, following, _) in pairwise(segments):
        assert following == pytest.approx(left + width + GAP)
    assert segments[-1][1] + segments[-1][2] <= bar.width() + 0.01
    need = sum(part.size for part in parts)
    if need > capacity * units.GB:
        assert bar.limit() == pytest.approx(bar.width() * capacity * units.GB / need)
    else:
        assert bar.limit() is None


# ---------------------------------------------------------------- room and looks


def test_compact_keeps_count_verdict_bar_and_time(panel, qtbot):
    panel.show_state(state_of(seconds_per_step=0.5, peak=units.GB, train={"batch_size": 16}))
    full = panel.sizeHint().height()
    panel.set_compact(True)
    shown = [panel.count, panel.verdict, panel.bar, panel.time]
    hidden = [panel.legend, panel.peak, panel.generation, panel.compute]
    assert [widget.isVisible() for widget in shown + hidden] == [True] * 4 + [False] * 4
    qtbot.waitUntil(lambda: panel.sizeHint().height() < full - 90)
    assert "at batch" not in panel.memory.value()
    panel.set_compact(False)
    assert all(widget.isVisible() for widget in shown + hidden)
    qtbot.waitUntil(lambda: panel.sizeHint().height() == full)


def test_a_narrow_panel_has_room_for_every_word(panel, qtbot):
    panel.show_state(state_of("gpt2-355m", seconds_per_step=3.0))
    panel.resize(268, 400)
    qtbot.waitUntil(lambda: panel.legend.items[0].width() > 200)
    assert panel.minimumSizeHint().width() <= 268
    assert "at batch" not in panel.memory.value()
    panel.resize(312, 400)
    qtbot.waitUntil(lambda: panel.legend.items[0].width() < 150)
    assert panel.memory.value().endswith("at batch 4")


def test_it_follows_theme_and_size(panel):
    panel.show_state(state_of(peak=units.GB))
    dark = panel.grab().toImage()
    look.apply(LIGHT)
    light = panel.grab().toImage()
    assert dark.pixelColor(3, 20).name() == DARK.panel.lower()
    assert light.pixelColor(3, 20).name() == LIGHT.panel.lower()
    look.apply(LIGHT, 1.5)
    assert panel.bar.height() == look.px(16)
    assert panel.time.height() == look.px(19)


def test_an_equal_state_changes_nothing(panel, monkeypatch):
    panel.show_state(state_of())
    monkeypatch.setattr(panel, "_show_numbers", lambda: pytest.fail("drawn again"))
    panel.show_state(replace(state_of(), running=frozenset({"chat"})))


# ---------------------------------------------------------------- the price of one step further


@pytest.mark.parametrize(
    ("section", "name", "start"),
    [
        ("model", "num_layers", "Layers 16: +28.4\u202fM parameters, +"),
        ("model", "forward_expansion", "Feed-forward × 5: +14.2\u202fM parameters, +"),
        ("model", "gradient_checkpointing", "Gradient checkpointing on: −"),
        ("model", "tie_embeddings", "Tied embeddings off: +38.6\u202fM parameters"),
        ("train", "batch_size", "Batch size 16: +"),
        ("train", "precision", "Precision bf16: −"),
    ],
)
def test_the_next_step_is_priced(section, name, start):
    config = state_of().config
    assert next_step_cost(config, section, name, GPU).startswith(start)


@pytest.mark.parametrize("name", ["learning_rate", "warmup", "seed", "sample_prompt", "schedule"])
def test_what_costs_nothing_is_not_priced(name):
    assert next_step_cost(state_of().config, "train", name, CPU) == ""


def test_the_price_of_heads_skips_what_does_not_divide():
    one_wide = state_of(model={"heads": 16, "embed_size": 64, "dropout": 0.1}).config
    assert "Heads 20" not in next_step_cost(one_wide, "model", "heads", CPU)
    assert next_step_cost(one_wide, "model", "heads", CPU).startswith("Heads 32: +")


def test_the_bar_says_which_part_is_pointed_at(panel):
    panel.show_state(state_of())
    part, left, width = panel.bar.segments()[3]
    assert panel.bar.text_at(left + width / 2) == (
        f"{part.label}: {units.memory(part.size)}, {units.number(part.size)} bytes"
    )
    assert panel.bar.text_at(panel.bar.width() - 1) == ""
