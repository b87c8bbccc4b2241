"""Runs side by side: their curves, who leads, what differs, who descends from whom."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from gpt_studio.core import units
from gpt_studio.core.metrics import METRICS, History, Mark
from gpt_studio.gui import comparing
from gpt_studio.gui.comparing import Compared, curve, factors, place_of, short_names, value_at, verdict
from gpt_studio.gui.differences import DifferencesCard, differences
from gpt_studio.gui.family import FamilyCard, family

from .made_runs import summary

ROOT = Path("/runs")


def history_of(losses, tokens=64.0, bytes_per_token=0.0, every=1):
    """A run that was validated after each step, 0.5 above what it learned from."""
    history = History()
    for step, loss in enumerate(losses, 1):
        values = dict.fromkeys((metric.name for metric in METRICS), 0.0)
        history.add_step(step, values | {"loss": loss, "tokens": tokens * step, "seconds": 2.0 * step})
        if step % every == 0:
            history.add_validation(step, loss + 0.5)
    history.bytes_per_token = bytes_per_token
    return history


def compared(*runs, **facts):
    """(name, history) and their configs as compared runs."""
    return [
        Compared(summary(ROOT / name, validation=min(history.validation_losses, default=math.nan), **facts),
                 name, slot, history)
        for slot, (name, history) in enumerate(runs)
    ]  # fmt: skip


def with_config(run, section, **changes):
    return replace(run, run=replace(run.run, config=run.run.config.changed(section, changes)))


# ---------------------------------------------------------------- curves


@pytest.mark.parametrize(("across", "last"), [("steps", 4.0), ("tokens", 256.0), ("seconds", 8.0)])
def test_a_curve_lies_over_what_is_asked_for(across, last):
    history = history_of([4.0, 3.0, 2.0, 1.0], every=2)
    line = curve(history, "validation", across)
    assert line.values.tolist() == [3.5, 1.5]
    assert line.steps[-1] == last
    assert len(curve(history, "train", across)) == 4
    assert place_of(history, 2, across) == last / 2


def test_a_place_is_found_without_going_through_the_run(monkeypatch):
    history = history_of([4.0, 3.0, 2.0, 1.0])
    monkeypatch.setattr(comparing, "_places", None)
    places = [place_of(history, step, "tokens") for step in (0, 1, 2.5, 4, 9)]
    assert places == [64.0, 64.0, 160.0, 256.0, 256.0]


def test_there_is_no_curve_without_steps_and_none_of_what_is_not_finite():
    assert len(curve(History(), "validation", "tokens")) == 0
    assert place_of(History(), 3, "tokens") is None
    history = history_of([4.0, math.nan, 2.0])
    assert curve(history, "train", "steps").steps.tolist() == [1.0, 3.0]
    assert curve(history, "validation", "steps").steps.tolist() == [1.0, 3.0]


def test_between_two_points_a_loss_is_in_proportion_and_beyond_them_unknown():
    line = curve(history_of([4.0, 3.0]), "validation", "steps")
    assert [value_at(line, at) for at in (0.5, 1.0, 1.5, 2.0, 2.1)] == [None, 4.5, 4.0, 3.5, None]


# ---------------------------------------------------------------- who leads


def test_who_leads_is_told_where_both_are_equally_far():
    slow = ("slow", history_of([4.0, 3.5, 3.0, 2.5, 2.0, 1.5]))
    quick = ("quick", history_of([3.0, 2.0]))
    assert verdict(compared(slow, quick), "tokens") == "quick leads slow by 1.500 at equal tokens"
    third = ("third", history_of([9.0, 9.0, 9.0]))
    assert verdict(compared(third, slow, quick), "steps") == "quick leads slow by 1.500 at equal steps"


def test_equal_tokens_are_not_equal_steps():
    one = ("one", history_of([4.0, 3.0, 2.0, 1.0], tokens=64))
    large = ("large", history_of([3.0, 2.0], tokens=128))
    assert verdict(compared(one, large), "steps") == "large leads one by 1.000 at equal steps"
    assert verdict(compared(one, large), "tokens") == "one leads large by 1.000 at equal tokens"


BYTES = {"tokenizer": "bytes"}


def test_a_lead_on_other_texts_says_so():
    one, other = compared(("one", history_of([2.0])), ("other", history_of([1.0])))
    runs = [
        replace(run, run=replace(run.run, config=run.run.config.changed("data", {"corpora": texts, **BYTES})))
        for run, texts in ((one, ("hares.txt",)), (other, ("foxes.txt",)))
    ]
    assert verdict(runs, "tokens").endswith("at equal tokens, but they read different texts.")


def test_what_cannot_be_told_is_not_told():
    one, other = ("one", history_of([2.0])), ("other", history_of([2.0]))
    assert verdict([], "tokens") == ""
    assert verdict(compared(one), "tokens") == "Check another run to compare it."
    assert verdict(compared(one, other), "tokens") == "one and other are level at equal tokens"
    unread = ("unread", History())
    assert "validated" in verdict(compared(one, unread), "tokens")
    apart = history_of([3.0, 3.0, 3.0, 3.0], every=4)
    assert "nothing in common" in verdict(compared(("apart", apart), one), "tokens")


def test_losses_of_different_tokenizers_are_compared_by_the_byte():
    one, other = compared(
        ("one", history_of([2.0], bytes_per_token=4.0)), ("other", history_of([1.5], bytes_per_token=1.0))
    )
    other = with_config(other, "data", tokenizer="bytes")
    assert factors([one, one]) == [1.0, 1.0]
    assert factors([one, other]) == [1 / math.log(2) / 4, 1 / math.log(2)]
    assert verdict([one, other], "tokens").startswith("one leads other by 1.984 bits per byte")
    unknown = replace(other, history=history_of([1.5]))
    assert factors([one, unknown]) == []
    assert "different tokenizers" in verdict([one, unknown], "tokens")


# ---------------------------------------------------------------- names


def test_names_are_as_short_as_still_tells_them_apart():
    web = ["web-124m-bf16", "web-124m-drop0.1", "web-124m-lr3e-4", "web-350m"]
    assert short_names(web) == ["bf16", "drop0.1", "lr3e-4", "350m"]
    assert short_names(["2026-11-22-tiny-world", "2026-11-22-tiny-world-2"]) == ["world", "world-2"]
    assert short_names(["first try", "other try"]) == ["first try", "other try"]
    assert short_names(["same", "same"]) == ["same", "same"]
    assert short_names(["web-124m-bf16"]) == ["web-124m-bf16"]
    assert short_names(["one about many things", "x"]) == ["one about many th…", "x"]
    alike = ["one-about many things", "one-about many thieves"]
    assert short_names(alike) == ["things", "thieves"]


@given(st.lists(st.text(alphabet="ab1-_ ", max_size=8), max_size=6))
def test_short_names_tell_apart_whatever_can_be_told_apart(names):
    short = short_names(names)
    assert len(short) == len(names)
    assert len(set(short)) == len(set(names)) or short == names
    assert all(part in name for part, name in zip(short, names, strict=True))


# ---------------------------------------------------------------- what differs


@pytest.fixture
def four():
    runs = compared(*((name, history_of([3.0, 2.0])) for name in ("bf16", "drop", "lr", "large")))
    runs[1] = with_config(runs[1], "model", dropout=0.1)
    runs[2] = with_config(runs[2], "train", learning_rate=3e-4)
    runs[3] = with_config(runs[3], "model", num_layers=24)
    return runs


def test_changed_settings_stand_first_and_what_differs_is_strong(four):
    rows = {row.label: row for row in differences(four)}
    assert list(rows) == ["Layers", "Dropout", "Peak LR", "Peak memory", "Tokens/s", "Best loss"]
    assert rows["Layers"].values == ("12", "12", "12", "24")
    assert rows["Layers"].strong == (False, False, False, True)
    assert rows["Dropout"].values[1] == "0.10"
    assert rows["Peak LR"].strong == (False, False, True, False)


def test_all_settings_can_be_seen(four):
    labels = [row.label for row in differences(four, every=True)]
    assert {"Layers", "Batch", "Seed", "Corpora", "Tokenizer", "Best loss"} <= set(labels)
    assert len(labels) > 30


def test_the_best_result_is_strong_and_what_is_unknown_a_dash(four):
    four[0] = replace(four[0], run=replace(four[0].run, validation=1.0, peak=2**31, seconds=0.0))
    four[1] = replace(four[1], run=replace(four[1].run, validation=math.nan))
    rows = {row.label: row for row in differences(four)}
    assert rows["Best loss"].values == ("1.000", "—", "2.500", "2.500")
    assert rows["Best loss"].strong == (True, False, False, False)
    assert rows["Peak memory"].values == (units.memory(2**31), "—", "—", "—")
    assert rows["Tokens/s"].values[0] == "—"


def test_memory_is_also_known_from_the_curves(four):
    four[0].history.add_resources(1, {"process_memory": 2.0**30, "device_memory": math.nan})
    rows = {row.label: row for row in differences(four)}
    assert rows["Peak memory"].values[0] == units.memory(2**30)


def test_a_run_without_config_has_dashes(four):
    four[0] = replace(four[0], run=replace(four[0].run, config=None))
    assert all(row.values[0] == "—" for row in differences(four, every=True)[:30])


def test_the_card_shows_a_column_a_run(qtbot, four):
    card = DifferencesCard()
    qtbot.addWidget(card)
    card.resize(335, 400)
    card.show()
    card.show_runs(four, "tokens")
    model = card.table.rows
    assert model.columnCount() == 5
    before = model.rowCount()
    card.choice.button("all").click()
    assert model.rowCount() > before
    cell = model.index(0, 4).data(Qt.ItemDataRole.AccessibleTextRole)
    assert cell.startswith(f"{model.difference(0).label}, large: ")
    card.show_runs([], "tokens")
    card.grab()
    assert model.columnCount() == 1


@pytest.mark.parametrize("width", [200, 335, 900])
def test_columns_have_room_in_every_width(qtbot, four, width):
    card = DifferencesCard()
    qtbot.addWidget(card)
    card.resize(width, 400)
    card.show()
    card.show_runs(four, "tokens")
    heads = card.table.horizontalHeader()
    sizes = [heads.sectionSize(column) for column in range(5)]
    assert min(sizes) >= 36
    if width >= 335:
        assert sum(sizes) <= card.table.viewport().width()
    six = [replace(four[slot % 4], slot=slot, name=f"{slot}") for slot in range(6)]
    card.show_runs(six, "tokens")
    assert heads.sectionSize(6) >= 36


# ---------------------------------------------------------------- family


def kin(name, parent="", step=0):
    return summary(ROOT / name, parent=parent, parent_step=step)


def test_a_family_stands_below_its_eldest_in_the_order_they_left():
    runs = [kin("d", "b", 9), kin("c", "a", 7), kin("b", "a", 3), kin("a"), kin("stranger")]
    for run in runs[:4]:
        told = [(member.run.name, member.depth, member.last) for member in family(runs, run)]
        assert told == [("a", 0, True), ("b", 1, False), ("d", 2, True), ("c", 1, True)]
    assert family(runs, runs[4]) == []


def test_a_lost_parent_leaves_siblings_strangers():
    assert family([kin("b", "gone", 3), kin("c", "gone", 3)], kin("b", "gone", 3)) == []


@given(st.lists(st.integers(0, 6), min_size=1, max_size=7))
def test_whatever_files_claim_a_family_has_an_end(parents):
    runs = [kin(str(number), str(parent), number) for number, parent in enumerate(parents)]
    for run in runs:
        names = [member.run.name for member in family(runs, run)]
        assert len(set(names)) == len(names) <= len(runs)


def test_members_are_buttons_that_say_where_they_left(qtbot):
    card = FamilyCard()
    qtbot.addWidget(card)
    runs = [kin("a"), kin("b", "a", 1200), kin("c", "b", 1300)]
    card.show_family(runs, runs[1], {runs[1].folder: 0})
    card.resize(400, 200)
    card.show()
    qtbot.waitExposed(card)
    _, second, third = card.members()
    assert "step 1\u202f200" in second.accessibleDescription()
    assert "selected" in second.accessibleDescription()
    second.setFocus()
    qtbot.waitUntil(second.hasFocus)
    qtbot.keyClick(second, Qt.Key.Key_Down)
    assert third.hasFocus()
    with qtbot.waitSignal(card.chosen) as heard:
        qtbot.keyClick(third, Qt.Key.Key_Space)
    assert heard.args == [ROOT / "c"]
    card.grab()
    card.show_family(runs, None, {})
    assert card.isHidden()


# ---------------------------------------------------------------- marks


def test_what_happened_to_a_run_has_its_place():
    history = history_of([4.0, 3.0, 2.0])
    history.marks.append(Mark(2, "plan", "Learning rate 3e−4"))
    assert place_of(history, history.marks[0].step, "tokens") == 128.0
