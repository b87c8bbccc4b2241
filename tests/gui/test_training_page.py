"""The Training page: the hero of the first launch, a run's figures and curves, its samples."""

from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QTextCursor
from PySide6.QtWidgets import QApplication

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import Built, Opened, Progress
from gpt_studio.core.metrics import Exam, History, Mark, Sample
from gpt_studio.core.presets import presets
from gpt_studio.core.run_events import Evaluated, Examined, Resources, Sampled, Step
from gpt_studio.core.schedule import learning_rate
from gpt_studio.core.units import SPACE, UNKNOWN
from gpt_studio.gui import run_tiles, training_page
from gpt_studio.gui.buttons import Button
from gpt_studio.gui.samples import wrapped
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import LIGHT, color, look, style_font
from gpt_studio.gui.training_page import TrainingPage

from .conftest import GPU, report_of, with_model

GPT2 = next(preset for preset in presets() if preset.name == "gpt2-124m").apply(RunConfig())
BIG = GPT2.changed(
    "train",
    {"steps": 20_000, "batch_size": 16, "accumulation": 8, "learning_rate": 6e-4, "warmup": 500,
     "precision": "bf16", "gradient_clip": 1.0},
)  # fmt: skip
TOKENS = 16 * 8 * 1024  # in one step of BIG
SPEED = 73_100.0


class Clock:
    """Stands in for `datetime`: a morning in November."""

    time = datetime(2026, 11, 22, 10, 42)

    @classmethod
    def now(cls):
        return cls.time


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(Clock, "time", Clock.time)
    monkeypatch.setattr(run_tiles, "datetime", Clock)


@pytest.fixture
def page(qtbot):
    page = TrainingPage()
    qtbot.addWidget(page)
    page.resize(776, 812)
    page.show()
    return page


def step_at(step, config=BIG, loss=3.0, speed=SPEED):
    tokens = config.train.effective_batch * config.model.max_length
    return Step(
        step,
        {
            "loss": loss,
            "learning_rate": learning_rate(config.train, step),
            "gradient_norm": 0.5,
            "tokens_per_second": speed,
            "tokens": float(step * tokens),
            "seconds": step * tokens / speed,
        },
    )


def training(config=BIG, step=0, **changes):
    """A run under way on a GPU."""
    values = {"seconds_per_step": TOKENS / SPEED if step else 0.0, "running": frozenset({"train"}), **changes}
    state = with_model(State(config=config, devices=(GPU,), device_name="cuda:0"), step, **values)
    return replace(state, model=Built(config, 124_439_808, "cuda:0", 0))


def begin(page, config=BIG):
    state = training(config)
    page.show_state(state)
    page.begin(state.model)


def learn(page, count, config=BIG, loss=lambda step: 3.0, speed=SPEED, **changes):
    """Train `count` steps and look at once."""
    begin(page, config)
    page.show_state(training(config, count, **changes))
    page.append([step_at(step, config, loss(step), speed) for step in range(1, count + 1)])
    page._show_figures()


def shown(tile):
    return tile.value(), tile.caption()


# ---------------------------------------------------------------- the hero


@pytest.fixture
def idle(idle):
    """The texts have been read once: the vocabulary is known. The plan is one that is easy to reckon with."""
    plan = {"steps": 2000, "batch_size": 16, "accumulation": 1}
    config = idle.config.changed("model", {"vocab_size": 93, "max_length": 128})
    return replace(idle, config=config.changed("train", plan))


def texts(page):
    hero = page.hero
    return [(fact.value(), fact.detail()) for fact in (hero.corpus, hero.model, hero.plan)]


def test_the_hero_says_what_is_set(page, idle):
    page.show_state(idle)
    assert page.hero.isVisible()
    assert not page.tiles.isVisible()
    assert texts(page) == [
        ("Small world", UNKNOWN),
        (f"Tiny, 0.8{SPACE}M", "4 layers, 4 heads"),
        (f"2{SPACE}000 steps", f"2{SPACE}048 tokens each on 2 CPU cores"),
    ]
    assert page.hero.sentence() == (
        f"Everything is set: a small world, a model of 0.8{SPACE}M parameters, "
        "this computer. "
        "You can watch it learn to spell, then to answer; a chart shows which skills it has learned."
    )


def test_of_other_texts_the_hero_promises_sentences(page, idle):
    page.show_state(replace(idle, config=idle.config.changed("data", {"corpora": ("python-reference",)})))
    assert page.hero.sentence().startswith("Everything is set: Python reference, a model")
    assert page.hero.sentence().endswith("You can watch it learn to spell, then to form sentences.")


def test_the_hero_tells_the_time_once_a_step_was_timed(page, idle):
    known = replace(idle, seconds_per_step=0.147, timed=idle.config)
    page.show_state(known)
    plan = page.hero.plan
    steps = f"2{SPACE}000 steps"
    assert (plan.about(), plan.value()) == ("Time", f"About 5{SPACE}min")
    assert plan.detail() == f"{steps} on 2 CPU cores"
    page.show_state(replace(known, config=idle.config.changed("model", {"num_layers": 9})))
    assert (plan.about(), plan.value()) == ("Plan", steps), "that was another model"


def test_the_hero_stays_beside_the_demo_model(page, idle):
    page.show_state(with_model(idle, 0, demo=True))
    assert page.hero.isVisible()
    page.show_state(with_model(idle, 0, demo=True, running=frozenset({"train"})))
    assert page.tiles.isVisible()
    assert page.loss_card.waiting.text() == "Getting ready"
    assert page.tiles.step.value() == UNKNOWN


def test_the_hero_follows_settings_and_reading(page, idle):
    page.show_state(idle)
    config = idle.config.changed("model", {"num_layers": 1}).changed("train", {"steps": 1})
    page.show_state(replace(idle, config=config, report=report_of(config.data, size=466_000)))
    assert texts(page) == [
        ("Small world", f"455{SPACE}kB, included"),
        (f"Custom, 0.2{SPACE}M", "1 layer, 4 heads"),
        ("1 step", f"2{SPACE}048 tokens each on 2 CPU cores"),
    ]
    two = config.changed("data", {"corpora": ("python-reference", "/somewhere/Field notes")})
    both = report_of(two.data, size=466_000)
    page.show_state(replace(idle, config=two, report=both, devices=(GPU,), device_name="cuda:0"))
    assert texts(page)[0] == ("2 texts", f"455{SPACE}kB")
    assert texts(page)[2][1].endswith("on NVIDIA RTX 4090")


def test_the_hero_says_what_is_in_the_way_and_its_button_stays(page, idle):
    page.show_state(replace(idle, config=idle.config.changed("data", {"corpora": ()})))
    assert page.hero.sentence() == "One thing is missing: a text to learn from."
    wrong = idle.config.changed("model", {"embed_size": 130})
    page.show_state(replace(idle, config=wrong))
    assert page.hero.sentence() == "One setting cannot be used as it is. The button leads to it."
    page.show_state(replace(idle, config=wrong.changed("train", {"steps": 0})))
    assert page.hero.sentence().startswith("2 settings cannot be used")
    page.show_state(replace(idle, config=idle.config.changed("model", {"num_layers": 0})))
    assert page.hero.model.value() == f"Custom, 0.2{SPACE}M", "that of the nearest model there can be"
    assert page.hero.train.isEnabled()


def test_the_hero_waits_for_the_engine(page, idle):
    page.show_state(State())
    assert not page.hero.train.isEnabled()
    page.show_state(idle)
    assert page.hero.train.isEnabled()


def test_every_way_out_of_the_hero(page, idle, qtbot):
    page.show_state(idle)
    hero = page.hero
    opening = next(button for button in hero.findChildren(Button) if button.text() == "Open a checkpoint…")
    for button, wish in (
        (hero.train, page.train_wanted),
        (hero.corpus.link, page.corpus_wanted),
        (hero.model.link, page.size_wanted),
        (hero.plan.link, page.steps_wanted),
        (opening, page.open_wanted),
    ):
        with qtbot.waitSignal(wish):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_hero_gives_way_to_a_run_and_comes_back(page, idle):
    page.show_state(replace(idle, running=frozenset({"train"})))
    assert page.tiles.isVisible()
    page.show_state(with_model(idle, 0))
    assert page.tiles.isVisible()
    page.show_state(idle)
    assert page.hero.isVisible()


def test_the_hero_fits_a_narrow_page(page, idle):
    page.resize(541, 590)
    page.show_state(idle)
    right = page.hero.plan.mapTo(page, page.hero.plan.rect().topRight()).x()
    assert right < 541 - 16


# ---------------------------------------------------------------- the figures


def test_figures_of_a_run_under_way(page):
    learn(page, 12_400)
    page.add_validation(Evaluated(11_500, 3.4))
    page.add_validation(Evaluated(12_000, 3.384))
    page._show_figures()
    tiles = page.tiles
    assert shown(tiles.step) == (f"12{SPACE}400", f"1.63 of 2.62{SPACE}B tokens")
    assert tiles.step.accessibleName() == f"Step: 12{SPACE}400 / 20{SPACE}000"
    assert shown(tiles.loss) == ("3.000", f"level / 1{SPACE}k steps")
    assert shown(tiles.validation) == ("3.384", f"best · step 12{SPACE}000")
    assert shown(tiles.speed) == (f"73.1{SPACE}k", f"steady ±1{SPACE}%")
    assert shown(tiles.compute) == ("62", "bf16, model only")
    assert tiles.compute.accessibleName() == "Compute: 62 TFLOPS"
    assert shown(tiles.left) == (f"3{SPACE}h 47{SPACE}min", "done at 14:29")
    device = replace(page._state.device, rates={"bf16": 165e12, "fp32": 80e12})
    page.show_state(replace(page._state, devices=(device,), seconds_per_step=0.22))
    page._show_figures()
    assert tiles.compute.label() == "MFU"
    assert shown(tiles.compute) == (f"{37.9}{SPACE}%", f"of 165{SPACE}TFLOPS")
    assert "bf16" in tiles.compute.toolTip()
    page.show_state(replace(page._state, seconds_per_step=0.0))  # opened: measured on another machine perhaps
    page._show_figures()
    assert (tiles.compute.label(), shown(tiles.compute)) == ("Compute", ("62", "bf16, model only"))


def test_nothing_is_known_before_the_first_step(page, idle):
    page.show_state(replace(idle, running=frozenset({"train"})))
    tiles = page.tiles
    names = (tiles.step, tiles.loss, tiles.validation, tiles.speed, tiles.compute, tiles.left)
    assert [tile.value() for tile in names] == [UNKNOWN] * 6
    begin(page)
    assert shown(tiles.step) == ("0", f"0.00 of 2.62{SPACE}B tokens")
    assert [tile.value() for tile in names[1:]] == [UNKNOWN] * 5


def test_the_trend_is_what_the_last_steps_really_did(page):
    learn(page, 149, loss=lambda step: 9 - step / 100)
    assert page.tiles.loss.caption() == ""
    page.append([step_at(150, loss=7.5)])
    page._show_figures()
    assert page.tiles.loss.caption() == "−1.00 / 100 steps"
    learn(page, 200, loss=lambda step: 70 - step / 5)
    assert page.tiles.loss.caption() == "−20.0 / 100 steps"
    learn(page, 2000, loss=lambda step: 5 - step / 10_000)
    assert page.tiles.loss.caption() == f"−0.100 / 1{SPACE}k steps"
    learn(page, 2000, loss=lambda step: 2 + step / 10_000)
    assert page.tiles.loss.caption() == f"+0.100 / 1{SPACE}k steps"


def test_the_train_loss_is_where_the_drawn_curve_ends(page):
    learn(page, 300, loss=lambda step: 3 + step % 7)
    page.loss.refresh()
    page.loss.show_cursor(300)
    assert page.tiles.loss.value() == page.loss.read_out.lines[0].value
    page.loss.set_smoothing(0)
    page._show_figures()
    assert page.tiles.loss.value() == "9.000"


def test_a_validation_that_is_not_the_best_names_the_best(page):
    learn(page, 600)
    for step, loss in ((200, 3.5), (400, 3.384), (600, 3.9)):
        page.add_validation(Evaluated(step, loss))
    page._show_figures()
    assert shown(page.tiles.validation) == ("3.900", "best 3.384 at 400")


def with_bytes(page, bytes_per_token=2.0):
    """A run whose bytes per token are known."""
    built = replace(training().model, bytes_per_token=bytes_per_token)
    page.show_state(replace(training(), model=built))
    page.begin(built)
    page.append([step_at(1)])


def test_the_validation_loss_in_bits_per_byte(page):
    with_bytes(page)
    page.add_validation(Evaluated(200, 2.0))
    page._show_figures()
    tile = page.tiles.validation
    assert shown(tile) == ("2.000", "best · 1.44 bits/byte")  # 2 / ln 2 / 2
    page.add_validation(Evaluated(400, 3.0))
    page._show_figures()
    assert shown(tile) == ("3.000", "2.16 bits/byte")
    assert tile.toolTip() == "Lowest at step 200: 2.000 nats per token, 1.44 bits/byte."


def test_the_unit_of_the_loss_can_be_chosen_where_both_are_known(page, qtbot):
    learn(page, 10)
    assert not page.loss_card.unit.isVisible()
    with_bytes(page)
    assert page.loss_card.unit.isVisible()
    qtbot.mouseClick(page.loss_card.unit.button("bits"), Qt.MouseButton.LeftButton)
    assert (page.unit(), page.loss.shown_unit()) == ("bits", "bits")
    begin(page)  # a run of which only nats are known
    assert (page.unit(), page.loss.shown_unit()) == ("bits", "nats")
    page.set_unit("nats")
    assert page.loss_card.unit.value() == "nats"
    page.set_unit("None")
    assert page.unit() == "nats"


def test_an_opened_run_brings_its_bytes_per_token(page):
    event = opened(5)
    event.history.bytes_per_token = 2.0
    page.load(event)
    assert page.loss.has_bits()


def test_the_spread_is_that_of_single_steps(page):
    begin(page)
    page.show_state(training(step=60))
    steps, seconds = [], 0.0
    for step in range(1, 61):
        seconds += 1.0 if step % 2 else 3.0
        event = step_at(step)
        steps.append(replace(event, values={**event.values, "seconds": seconds}))
    page.append(steps[:15])
    page._show_figures()
    assert page.tiles.speed.caption() == "measuring"
    page.append(steps[15:])
    page._show_figures()
    assert page.tiles.speed.caption() == f"varying ±50{SPACE}%"  # speeds 1 and 1/3: mean 2/3, deviation 1/3


def test_a_paused_run_is_not_over(page):
    learn(page, 3150)
    page.show_state(training(step=3150, paused=frozenset({"train"})))
    assert shown(page.tiles.left) == (UNKNOWN, "paused")
    assert page.tiles.speed.caption() == "last measured"


@pytest.mark.parametrize(
    ("how", "caption"),
    [("failed", "stopped 10:42"), ("stopped", "stopped 10:42"), ("finished", "finished 10:42")],
)
def test_a_run_that_ended_says_when(page, monkeypatch, how, caption):
    learn(page, 3150)
    ended = training(step=3150, running=frozenset(), stopped_by=how)
    page.show_state(ended)
    monkeypatch.setattr(Clock, "time", datetime(2026, 11, 22, 11, 0))
    page.show_state(replace(ended, peak=1))
    page._show_figures()
    assert shown(page.tiles.left) == (UNKNOWN, caption)
    assert shown(page.tiles.step) == (f"3{SPACE}150", f"0.41 of 2.62{SPACE}B tokens")
    assert page.tiles.speed.value() == f"73.1{SPACE}k"


def test_an_opened_run_ended_at_no_known_time(page):
    learn(page, 10)
    page.show_state(training(step=10, running=frozenset(), stopped_by="stopped"))
    page.load(opened(5))
    assert shown(page.tiles.left) == (UNKNOWN, "not running")


@pytest.mark.parametrize(
    ("steps", "caption"),
    [(12_400, "done at 14:29"), (40_000, "done Mon 06:37"), (2_000_000, "done on Jan")],
)
def test_the_end_of_a_long_run_has_a_date(page, steps, caption):
    config = BIG.changed("train", {"steps": max(20_000, steps)})
    learn(page, 12_400 if steps == 12_400 else 1, config)
    assert page.tiles.left.caption().startswith(caption)


def test_settings_changed_after_the_run_do_not_rewrite_it(page):
    learn(page, 3150)
    edited = BIG.changed("train", {"steps": 500, "precision": "fp32"}).changed("model", {"num_layers": 1})
    page.show_state(training(edited, 3150, running=frozenset(), stopped_by="stopped"))
    assert page.tiles.step.accessibleName() == f"Step: 3{SPACE}150 / 20{SPACE}000"
    assert shown(page.tiles.compute) == ("62", "bf16, model only")


def test_going_on_with_other_settings_counts_what_was_and_what_is_ahead(page):
    learn(page, 2000)
    longer = BIG.changed("train", {"steps": 4001, "batch_size": 32})
    page.show_state(training(longer, 2001))
    page.append([step_at(2001)])
    page._show_figures()
    total = 2001 * TOKENS + 2000 * 2 * TOKENS
    assert page.tiles.step.accessibleName() == f"Step: 2{SPACE}001 / 4{SPACE}001"
    assert page.tiles.step.caption() == f"262 of {total / 1e6:.0f}{SPACE}M tokens"


def test_read_outs_are_not_renewed_at_every_step(page, monkeypatch):
    learn(page, 10)
    renewed = []
    monkeypatch.setattr(page.tiles, "show_run", lambda *facts: renewed.append(facts))
    for step in range(11, 200):
        page.show_state(training(step=step))
        page.append([step_at(step)])
    assert renewed == []
    assert page._read_out.isActive()
    page._read_out.timeout.emit()
    assert len(renewed) == 1


# ---------------------------------------------------------------- curves


def history_of(count, validations=(), samples=()):
    history = History()
    for step in range(1, count + 1):
        event = step_at(step, loss=5 - step / 1000)
        history.add_step(event.step, event.values)
    for step, loss in validations:
        history.add_validation(step, loss)
    history.samples += samples
    return history


SAMPLES = [Sample(step, "The ", f"text of step {step}") for step in range(100, 600, 100)]


def opened(count, **more):
    return Opened("/somewhere/run.safetensors", BIG, count, history_of(count, **more), 812_345, "cpu")


def everything(page):
    """All that can be seen of a run."""
    tiles = page.tiles
    names = (tiles.step, tiles.loss, tiles.validation, tiles.speed, tiles.compute)
    charts = (page.loss, page.curves.rate, page.curves.norm, page.curves.speed)
    columns = [(column.step.text(), column.passage.text()) for column in page.samples.columns]
    tables = [[[as_number(cell) for cell in row] for row in chart.table()[1]] for chart in charts]
    return [shown(tile) for tile in names], tables, columns


def as_number(cell):
    return round(float(cell), 9) if cell else None


def test_opening_shows_what_watching_showed(page, qtbot):
    validations = [(100, 4.9), (200, 4.8), (300, 4.85)]
    begin(page)
    page.show_state(training(step=500))
    for first in range(1, 501, 50):
        page.append([step_at(step, loss=5 - step / 1000) for step in range(first, first + 50)])
    for step, loss in validations:
        page.add_validation(Evaluated(step, loss))
    for sample in SAMPLES:
        page.add_sample(Sampled(sample))
    rested = training(step=500, running=frozenset(), stopped_by="stopped")
    page.show_state(rested)

    other = TrainingPage()
    qtbot.addWidget(other)
    other.resize(776, 812)
    other.show()
    other.show_state(rested)
    event = opened(500, validations=validations, samples=SAMPLES)
    other.load(event)
    for shown_page in (page, other):
        shown_page._show_figures()
    assert everything(other) == everything(page)
    assert len(everything(page)[1][0]) == 500

    other.append([step_at(501)])
    assert len(event.history) == 500, "an event is a fact and stays as it was"


def test_a_new_model_begins_new_curves(page):
    learn(page, 100)
    page.add_validation(Evaluated(100, 3.0))
    page.add_sample(Sampled(SAMPLES[0]))
    page.mark(100, "Stopped · 100", "bad")
    begin(page)
    assert everything(page)[1] == [[], [], [], []]
    assert everything(page)[2] == [("", "")] * 3
    assert page.loss.marks.events == []
    assert page.history.best_validation is None


def test_forgetting_the_model_forgets_the_curves(page, idle):
    learn(page, 100)
    page.show_state(idle)
    page.clear()
    assert len(page.loss.table()[1]) == 0


def test_marks_are_drawn_in_their_color(page):
    learn(page, 3150)
    page.mark(3000, f"Checkpoint kept · 3{SPACE}000", "ok")
    page.mark(3150, f"Stopped · 3{SPACE}150", "bad")
    look.apply(LIGHT)
    page.loss.refresh()
    for role, step in (("ok", 3000), ("bad", 3150)):
        line = page.loss.marks._lines[role]
        assert line.getData()[0].tolist() == [step, step]
        assert line.opts["pen"].color() == color(role)


def test_the_crosshair_tells_tokens_and_rate(page):
    learn(page, 600)
    page.loss.refresh()
    page.loss.show_cursor(500)
    lines = {line.label: line.value for line in page.loss.read_out.lines}
    assert lines["Tokens seen"] == f"65.5{SPACE}M"
    assert lines["Learning rate"] == "6e−4"


def test_the_plan_is_the_schedule_and_follows_the_settings(page):
    begin(page)
    plan = page.curves.rate._plan
    assert plan.steps[0] == 1
    assert plan.steps[-1] == 20_000
    assert 500 in plan.steps, "the corner of the curve"
    expected = [learning_rate(BIG.train, int(step)) for step in plan.steps]
    assert plan.values.tolist() == expected
    assert page.curves.norm._limit == 1.0
    page.show_state(training(BIG.changed("train", {"steps": 300, "gradient_clip": 0.0})))
    assert page.curves.rate._plan.steps[-1] == 300
    assert page.curves.norm._limit is None
    page.show_state(training(BIG.changed("train", {"steps": 0})))  # half-typed: the last plan stays
    assert page.curves.rate._plan.steps[-1] == 300


def test_smoothing_and_scale_reach_the_chart(page, qtbot):
    learn(page, 100)
    page.loss_card.smoothing.setValue(20)
    assert page.loss.smoothing() == 0.2
    page.loss.set_smoothing(0.75)  # from the chart's menu
    assert page.loss_card.smoothing.value() == 75
    qtbot.mouseClick(page.loss_card.axes.values, Qt.MouseButton.LeftButton)
    assert page.loss.log_values


def test_a_chart_that_cannot_be_exported_is_told(page, qtbot, monkeypatch, tmp_path):
    learn(page, 10)
    nowhere = str(tmp_path / "no" / "such.csv")
    monkeypatch.setattr("gpt_studio.gui.exportable.ask_where_to_save", lambda *_: nowhere)
    for chart in (page.curves.norm, page.skills.chart):
        csv = next(action for action in chart.menu().actions() if action.text() == "Export CSV…")
        with qtbot.waitSignal(page.failed) as heard:
            csv.trigger()
        assert heard.args[0].what.startswith("The chart was not exported")


# ---------------------------------------------------------------- before the first step


def test_one_quiet_line_stands_where_the_curves_will(page, idle):
    busy = replace(idle, running=frozenset({"train"}))
    page.show_state(busy)
    assert (page.loss_card.waiting.text(), page.loss_card.waiting.isVisible()) == ("Getting ready", True)
    assert not page.loss.isVisible()
    assert not page.curves.rate.isVisible()
    assert not page.samples.isVisible()
    page.show_state(replace(busy, progress={"data": Progress("data", "Reading Field notes", 34, 100)}))
    assert page.loss_card.waiting.text() == f"Reading Field notes · 34{SPACE}%"
    page.show_state(replace(busy, progress={"train": Progress("train", "Building the model")}))
    assert page.loss_card.waiting.text() == "Building the model"
    begin(page)
    assert page.loss_card.waiting.text() == "Making the first step"
    page.append([step_at(1)])
    assert not page.loss_card.waiting.isVisible()
    assert all(part.isVisible() for part in (page.loss, page.curves.rate, page.samples))


def test_stopped_before_the_first_step(page):
    begin(page)
    page.show_state(training(running=frozenset(), stopped_by="stopped"))
    assert page.loss_card.waiting.text() == "No steps yet"
    assert page.tiles.left.caption() == "stopped 10:42"


# ---------------------------------------------------------------- samples


def columns(page):
    return [
        (column.step.text(), column.step.role(), column.passage.text()) for column in page.samples.columns
    ]


def test_first_middle_and_latest_sample(page):
    learn(page, 600)
    page.add_sample(Sampled(SAMPLES[0]))
    assert columns(page)[0] == ("Step 100", "accent", "text of step 100")
    assert [text for *_, text in columns(page)[1:]] == ["", ""]
    for sample in SAMPLES[1:]:
        page.add_sample(Sampled(sample))
    assert columns(page) == [
        ("Step 100", "text2", "text of step 100"),
        ("Step 300", "text2", "text of step 300"),
        ("Step 500", "accent", "text of step 500"),
    ]
    assert page.samples._caption.text() == "“The”"


def test_a_sample_is_wished_for_where_there_is_a_model(page, qtbot):
    wishes = []
    page.sample_wanted.connect(lambda: wishes.append(1))
    page.show_state(replace(training(), model=None))
    page.samples._now.click()
    assert wishes == []
    page.show_state(training(step=500))
    page.samples._now.click()
    assert wishes == [1]


def test_all_samples_fill_the_page_and_go_again(page, qtbot):
    learn(page, 600)
    for sample in SAMPLES[:3]:
        page.add_sample(Sampled(sample))
    link = page.samples._link
    assert not link.isVisible()
    page.add_sample(Sampled(SAMPLES[3]))
    assert link.text() == "All 4"
    qtbot.mouseClick(link, Qt.MouseButton.LeftButton)
    assert not page.tiles.isVisible()
    assert page.samples.height() > 700
    page.add_sample(Sampled(SAMPLES[4]))
    look.apply(LIGHT)
    assert page.samples.list.toPlainText() == "\n\n".join(
        f"Step {sample.step}\nThe {sample.text}" for sample in SAMPLES
    )
    page.samples.list.moveCursor(QTextCursor.MoveOperation.End)
    assert page.samples.list.textCursor().charFormat().foreground().color() == color("text")
    qtbot.mouseClick(link, Qt.MouseButton.LeftButton)
    assert link.text() == "All 5"
    assert page.tiles.isVisible()
    assert page.loss.isVisible()


def test_a_new_run_closes_the_list_of_samples(page):
    learn(page, 600)
    for sample in SAMPLES:
        page.add_sample(Sampled(sample))
    page.samples._link.click()
    begin(page)
    page.append([step_at(1)])
    assert page.tiles.isVisible()
    assert page.samples.list.toPlainText() == ""


def test_the_card_says_when_the_first_sample_comes(page):
    learn(page, 1, BIG.changed("train", {"sample_every": 2000}))
    assert page.samples._caption.text() == f"the first at step 2{SPACE}000"
    learn(page, 1, BIG.changed("train", {"sample_every": 0}))
    assert page.samples._caption.text() == "off"


@given(st.text(alphabet="ab ", max_size=60), st.integers(20, 200))
def test_wrapping_loses_nothing_and_fits(qapp, text, width):
    metrics = QFontMetricsF(style_font("small"))
    text = " ".join(text.split())
    lines = wrapped(text, metrics, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(metrics.horizontalAdvance(line) <= width for line in lines)


# ---------------------------------------------------------------- skills

WORLD = BIG.changed("data", {"corpora": ("world",)})
PROSE = BIG.changed("data", {"corpora": ("python-reference",)})


def exam(step, facts, sums):
    return Exam(step, {"addition": sums, "facts": facts})


EXAMS = [exam(100, 0.1, 0.0), exam(200, 0.5, 0.1), exam(300, 0.9, 0.3)]


def examined(page, config=WORLD, exams=EXAMS):
    learn(page, 300, config)
    for one in exams:
        page.add_exam(Examined(one))
    return page.skills


def caption(card):
    return card._caption.text()


def test_the_skills_as_they_are_now(page):
    skills = examined(page)
    assert skills.isVisible()
    assert skills.chart.rows() == [("Facts", f"90{SPACE}%"), ("Addition", f"30{SPACE}%")], "as in the world"
    assert caption(skills) == f"exact match · 60{SPACE}% over all"
    assert skills.chart.accessibleDescription() == (
        f"Skills, step 300: 60{SPACE}% over all, best Facts 90{SPACE}%, weakest Addition 30{SPACE}%"
    )


def test_before_the_first_exam_every_skill_is_named_and_none_is_known(page):
    learn(page, 10, WORLD.changed("train", {"evaluate_every": 250}))
    skills = page.skills
    assert caption(skills) == "the first at step 250"
    assert ("Stories", UNKNOWN) in skills.chart.rows()
    assert skills.chart.finding() == "No exams yet"


def test_pointing_shows_every_skill_at_that_step(page, qtbot):
    skills = examined(page)
    chart = skills.chart
    place = chart._places()[1]
    middle = QPoint(round(place.curve.left() + place.curve.width() * 0.6), round(place.curve.center().y()))
    qtbot.mouseMove(chart, middle)
    assert [value for _, value in chart.rows()] == [f"50{SPACE}%", f"10{SPACE}%"]
    assert caption(skills) == f"step 200 · 30{SPACE}% over all"
    qtbot.mouseMove(page.tiles, QPoint(3, 3))
    QApplication.sendEvent(chart, QEvent(QEvent.Type.Leave))
    assert caption(skills).startswith("exact match")


def test_the_keyboard_reads_every_exam(page, qtbot):
    chart = examined(page).chart
    chart.setFocus()
    qtbot.keyClick(chart, Qt.Key.Key_Left)
    assert chart.shown() is EXAMS[2]
    qtbot.keyClick(chart, Qt.Key.Key_Left)
    assert chart.accessibleDescription() == f"Step 200: Facts 50{SPACE}%, Addition 10{SPACE}%"
    qtbot.keyClick(chart, Qt.Key.Key_Home)
    assert chart.shown() is EXAMS[0]
    qtbot.keyClick(chart, Qt.Key.Key_Left)
    assert chart.shown() is EXAMS[0]
    qtbot.keyClick(chart, Qt.Key.Key_Escape)
    assert chart.cursor_at is None


def test_exams_made_again_replace_what_followed(page):
    chart = examined(page).chart
    page.add_exam(Examined(exam(200, 0.6, 0.2)))
    assert [one.step for one in chart.exams] == [100, 200]
    assert chart.rows()[0][1] == f"60{SPACE}%"


def test_the_exams_as_a_table(page, tmp_path):
    chart = examined(page).chart
    assert chart.table() == (
        ["step", "facts", "addition", "mean"],
        [["100", "0.1", "0.0", "0.05"], ["200", "0.5", "0.1", "0.3"], ["300", "0.9", "0.3", "0.6"]],
    )
    chart.point_at(0)
    chart.export_png(tmp_path / "skills.png")
    assert chart.cursor_at is None
    assert QImage(str(tmp_path / "skills.png")).width() == 2 * chart.width()


def test_without_exams_the_samples_have_the_whole_width(page, qapp):
    learn(page, 300, PROSE)
    qapp.processEvents()
    assert not page.skills.isVisible()
    assert page.samples.width() == page._lower.width()
    page.load(opened(300))
    assert page.skills.isVisible(), "a run in the small world"


def test_opening_shows_the_exams_there_were(page):
    event = opened(300)
    event.history.exams += EXAMS
    event = replace(event, config=PROSE)
    page.show_state(training(PROSE, 300))
    page.load(event)
    assert page.skills.isVisible(), "whatever the texts are now"
    assert page.skills.chart.exams == EXAMS
    page.clear()
    assert page.skills.chart.exams == []


def test_a_curve_ends_where_its_value_says(page):
    """The dot of the exam shown stands at its share of the height, in the first categorical color."""
    chart = examined(page, exams=[exam(100, 0.0, 0.0), exam(200, 1.0, 0.5)]).chart
    image = chart.grab().toImage()
    for place, score in zip(chart._places(), (1.0, 0.5), strict=True):
        for share in (0.25, 0.5, 1.0):
            height = place.curve.bottom() - share * place.curve.height()
            ink = image.pixelColor(round(place.curve.right()), round(height))
            assert (ink.blue() > 180) == (share == score), (share, ink.name())


def test_all_samples_take_the_skills_place_too(page):
    skills = examined(page)
    for sample in SAMPLES:
        page.add_sample(Sampled(sample))
    page.samples._link.click()
    assert not skills.isVisible()
    page.samples._link.click()
    assert skills.isVisible()


def test_in_a_narrow_page_skills_stand_below_the_samples(page, qapp):
    skills = examined(page)
    qapp.processEvents()
    assert skills.geometry().left() > page.samples.geometry().right()
    page.resize(541, 1100)
    qapp.processEvents()
    assert skills.geometry().top() > page.samples.geometry().bottom()
    assert skills.width() == page.samples.width()
    page.resize(776, 812)
    qapp.processEvents()
    assert skills.geometry().top() == page.samples.geometry().top()


# ---------------------------------------------------------------- size


def hidden_tiles(page):
    tiles = page.tiles
    return [not tile.isVisible() for tile in (tiles.speed, tiles.compute)]


def test_what_gives_way_in_a_narrow_page(page):
    learn(page, 600)
    assert hidden_tiles(page) == [False, False]
    assert page.loss_card.smoothing.isVisible()
    page.resize(700, 812)
    assert hidden_tiles(page) == [False, True]
    page.resize(541, 812)
    assert hidden_tiles(page) == [True, True]
    assert not page.loss_card.smoothing.isVisible()
    assert [chart._title.text() for chart in (page.curves.rate, page.curves.norm)] == ["LR", "Grad. norm"]
    page._show_figures()
    assert page.tiles.step.accessibleName() == "Step: 600"
    page.resize(776, 812)
    assert hidden_tiles(page) == [False, False]
    assert page.curves.rate._title.text() == "Learning rate"


@pytest.mark.parametrize(
    ("size", "scale"), [((776, 812), 1.0), ((1164, 1218), 1.5), ((541, 590), 1.0), ((702, 648), 1.0)]
)
def test_the_page_is_filled_and_charts_keep_their_height(page, size, scale, qapp):
    learn(page, 600)
    look.apply(LIGHT, scale)
    page.resize(*size)
    qapp.processEvents()
    low = size[1] < 700
    last = page.curves if low else page._lower
    bottom = last.mapTo(page, last.rect().bottomLeft()).y() + 1
    assert bottom == size[1] - round(14 * scale), "samples lie below the fold only where the page is low"
    assert page.loss.height() >= 220
    assert page.curves.rate.height() >= 96


def test_a_very_low_page_scrolls_instead_of_squeezing(page, qapp):
    learn(page, 600)
    page.resize(541, 300)
    qapp.processEvents()
    assert page.loss.height() >= 190
    board = page._pages.currentWidget()
    assert board.verticalScrollBar().maximum() > 0


def test_the_loss_alone_and_everything_again(page, qtbot):
    learn(page, 600)
    before = page.loss.height()
    qtbot.mouseClick(page.loss_card.expand, Qt.MouseButton.LeftButton)
    assert not any(part.isVisible() for part in (page.tiles, page.curves.rate, page.samples))
    assert page.loss_card.expand.accessibleName() == "Show everything again"
    qtbot.waitUntil(lambda: page.loss.height() > before + 300)
    qtbot.mouseClick(page.loss_card.expand, Qt.MouseButton.LeftButton)
    assert all(part.isVisible() for part in (page.tiles, page.curves.rate, page.samples))


def test_nothing_widens_the_window(page, idle, qapp):
    learn(page, 600)
    page.resize(541, 590)
    qapp.processEvents()
    assert page.minimumSizeHint().width() <= 360
    assert page._column.minimumSize().width() <= 360
    assert page.hero.minimumSizeHint().width() <= 520


def test_charts_describe_what_they_show(page):
    learn(page, 600, loss=lambda step: 9 - step / 100)
    page.loss.refresh()
    assert page.loss.accessibleDescription().startswith("Loss, step 600: train 3.")
    assert "falling" in page.loss.accessibleDescription()
    assert page.loss.accessibleDescription().endswith("to compare: blind guess 10.82")


def test_thousands_of_steps_at_once(page):
    learn(page, 50_000)
    page.loss.refresh()
    assert len(page.history) == 50_000
    drawn, _ = page.loss._raw_curve.getData()
    assert len(drawn) < 2 * page.width()


@pytest.mark.parametrize("size", [(776, 812), (702, 648), (541, 590)])
def test_usual_texts_fit_their_tiles(page, size, qapp):
    learn(page, 12_400, loss=lambda step: 4 - step * 2e-5)
    page.history.bytes_per_token = 4.0
    page.add_validation(Evaluated(12_000, 3.384))
    page.resize(*size)
    page._show_figures()
    qapp.processEvents()
    for tile in (page.tiles.step, page.tiles.loss, page.tiles.validation, page.tiles.left):
        assert tile._caption._shown() == tile.caption()


# ---------------------------------------------------------------- what happened to the run


def readings_of(step, **values):
    return Resources(step, {"process_memory": 2.0 * 2**30, **values})


MARKS = [
    Mark(100, "resumed", "Resumed"),
    Mark(200, "memory", "Batch 8 × 2"),
    Mark(300, "failed", "Stopped"),
    Mark(400, "early", "Stopped early"),
    Mark(500, "something new", "Something new"),
]


def test_marks_are_kept_and_drawn_in_the_color_of_their_kind(page):
    learn(page, 600)
    for mark in MARKS:
        page.add_mark(mark)
    assert page.history.marks == MARKS
    events = page.loss.marks.events
    assert [(event.step, event.text) for event in events] == [(mark.step, mark.text) for mark in MARKS]
    assert [event.role for event in events] == ["text3", "warn", "bad", "ok", "text3"]
    page.mark(600, "Saved · 600", "ok")
    assert page.history.marks == MARKS, "a file written is no event of the run"


def test_an_opened_run_shows_what_happened_to_it(page):
    event = opened(600)
    event.history.marks += MARKS
    page.load(event)
    page.load(event)
    assert [mark.text for mark in page.loss.marks.events] == [mark.text for mark in MARKS]
    page.add_mark(Mark(600, "plan", "Learning rate 5e−4"))
    assert len(event.history.marks) == len(MARKS)


# ---------------------------------------------------------------- the machine


def figures(page):
    return [name for name, chart in page.curves.machine.charts.items() if chart.isVisible()]


def test_the_machine_is_a_click_away_once_it_can_be_read(page, qtbot, qapp):
    learn(page, 600)
    qapp.processEvents()
    loss = page.loss.height()
    assert not page.curves.switch.isVisible()
    page.add_resources(readings_of(300, utilization=62.0))
    qapp.processEvents()
    assert page.loss.height() < loss
    assert page.curves.rate.isVisible()
    assert page.curves.summary.text() == f"2.00{SPACE}GB process · 62{SPACE}% used"
    qtbot.mouseClick(page.curves.switch.button("machine"), Qt.MouseButton.LeftButton)
    assert figures(page) == ["process_memory", "utilization"], "what cannot be read is not there"
    assert not page.curves.rate.isVisible()
    page.add_resources(readings_of(600, device_memory=3.5 * 2**30, utilization=80.0, temperature=71.0))
    assert figures(page) == list(page.curves.machine.charts)
    assert page.curves.summary.text().endswith(f"3.50{SPACE}GB GPU memory · 80{SPACE}% used · 71{SPACE}°C")
    begin(page)
    assert figures(page) == []
    assert not page.curves.switch.isVisible()
    page.append([step_at(1)])
    assert page.curves.rate.isVisible(), "another run begins with how it learns"


def test_a_machine_that_cannot_be_read_is_not_shown(page):
    learn(page, 600)
    page.add_resources(Resources(300, {}))
    assert not page.curves.switch.isVisible()
    assert len(page.history.resource_steps) == 1


def test_an_opened_run_shows_what_it_took(page, qtbot):
    event = opened(600)
    for step in (200, 400):
        event.history.add_resources(step, {"process_memory": step * 2**20, "temperature": 60.0})
    page.show_state(training(step=600, running=frozenset(), stopped_by="stopped"))
    page.load(event)
    qtbot.mouseClick(page.curves.switch.button("machine"), Qt.MouseButton.LeftButton)
    assert figures(page) == ["process_memory", "temperature"]
    memory = page.curves.machine.charts["process_memory"]
    memory.refresh()
    assert [memory.axis_left.name(tick) for tick in memory.axis_left.chosen] == [
        "0", f"200{SPACE}MB", f"400{SPACE}MB",
    ]  # fmt: skip
    assert memory.table()[1][1] == ["400", repr(400.0 * 2**20)]
    assert memory.finding() == f"Process memory, step 400: 400{SPACE}MB"


# ---------------------------------------------------------------- all charts together


def test_one_crosshair_for_all_charts_of_the_page(page, qtbot):
    examined(page)
    charts = (page.loss, page.curves.rate, page.curves.norm, page.curves.speed)
    for chart in charts:
        chart.refresh()
    qtbot.keyClick(page.curves.norm, Qt.Key.Key_Home)
    assert [chart.cursor_at for chart in charts] == [1] * 4
    assert page.skills.chart.shown() is EXAMS[0]
    qtbot.keyClick(page.skills.chart, Qt.Key.Key_Right)
    assert [chart.cursor_at for chart in charts] == [200] * 4
    qtbot.keyClick(page.skills.chart, Qt.Key.Key_Escape)
    assert [chart.cursor_at for chart in charts] == [None] * 4


def test_axes_and_outliers_are_chosen_for_all_charts_in_the_loss_card(page, qtbot):
    learn(page, 600)
    small = page.curves.charts()
    axes = page.loss_card.axes
    qtbot.mouseClick(axes.steps, Qt.MouseButton.LeftButton)
    assert page.loss.log_steps
    assert all(chart.log_steps for chart in small)
    small[1].set_log_steps(False)  # from its menu
    assert not axes.steps.isChecked()
    assert not page.loss.log_steps
    page.loss.set_everything(True)
    assert all(chart.everything for chart in small)
    small[0].set_everything(False)
    assert page.loss.everything
    assert small[1].everything


def test_the_menu_of_the_loss_can_be_opened_by_keyboard(page, qtbot):
    learn(page, 600)
    page.loss_card.more.setFocus()
    qtbot.keyClick(page.loss_card.more, Qt.Key.Key_Space)
    menu = QApplication.activePopupWidget()
    assert "Include all" in [entry.text() for entry in menu.actions()]
    menu.close()


def test_losses_are_compared_with_what_is_known_of_the_runs_own_texts(page):
    report = report_of(BIG.data, unigram=7.1, bigram=4.2)
    page.show_state(training(report=report))
    page.begin(training().model)
    assert [one.name for one in page.loss.references.known] == [
        "blind guess", "token frequencies", "pairs of tokens",
    ]  # fmt: skip
    other = replace(report, data=replace(BIG.data, corpora=("python-reference",)))
    page.show_state(training(report=other))
    assert [one.name for one in page.loss.references.known] == ["blind guess"]


# ---------------------------------------------------------------- the doctor


def overfitted(count=4000):
    """The training loss falls on while validation rises."""
    history = history_of(count)
    for step in range(100, count + 1, 100):
        history.add_validation(step, 4.5 - step / 1000 if step < 1500 else 3.0 + (step - 1500) / 1500)
    return replace(opened(1), history=history, step=count)


def test_the_doctor_looks_at_what_is_opened(page, qtbot, qapp):
    page.show_state(training(step=4000, running=frozenset(), stopped_by="stopped"))
    page.load(overfitted())
    qapp.processEvents()
    assert page.doctor.isVisible()
    assert page.doctor.told().name == "overfitting"
    parts = (page.tiles, page.doctor, page.loss_card, page.curves, page._lower)
    qtbot.waitUntil(
        lambda: {below.y() - above.geometry().bottom() - 1 for above, below in pairwise(parts)} == {10}
    )
    assert page.loss_card.height() >= 264
    title = page.doctor.height()
    page.doctor.why.click()
    qtbot.waitUntil(lambda: page.doctor.height() > title)
    with qtbot.waitSignal(page.remedy_chosen) as heard:
        qtbot.mouseClick(page.doctor.remedy, Qt.MouseButton.LeftButton)
    assert heard.args[0] == page.doctor.told().remedy
    begin(page)
    assert not page.doctor.isVisible()


def test_the_doctor_looks_every_two_seconds_and_at_the_end(page, monkeypatch):
    looks = []
    monkeypatch.setattr(training_page, "diagnose", lambda *facts: looks.append(facts) or ())
    learn(page, 100)
    for step in range(101, 200):
        page.append([step_at(step)])
    assert looks == []
    assert page._diagnose.isActive()
    page._diagnose.timeout.emit()
    config, history, report = looks.pop()
    assert (config, history, report) == (BIG, page.history, None)
    page.show_state(training(step=199, running=frozenset(), stopped_by="stopped"))
    assert len(looks) == 1


def test_a_sample_can_be_wished_for(page, qtbot):
    learn(page, 100)
    with qtbot.waitSignal(page.sample_wanted):
        page.samples.sample_wanted.emit()
