"""The Runs page: what the table shows and knows to do, what is compared, what is asked first."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLineEdit, QMessageBox

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.metrics import History
from gpt_studio.core.run_index import RunIndex
from gpt_studio.gui.runs_model import CHECK, CURVE, DURATION, LOSS, NAME, PARAMETERS, STATUS, TOKENS
from gpt_studio.gui.runs_page import RunsPage
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import DARK, LIGHT, look

from .made_runs import a_curve, make_run, summary

ROOT = Path("/runs")
ABOUT = {"a": 2.5, "b": 2.1, "c": 2.9}


def runs_of(*names, **facts):
    return tuple(summary(ROOT / name, validation=ABOUT.get(name, 3.0), **facts) for name in names)


@pytest.fixture
def page(qtbot):
    page = RunsPage()
    qtbot.addWidget(page)
    page.resize(776, 780)
    page.show()
    qtbot.waitExposed(page)
    return page


@pytest.fixture
def table(page):
    return page.card.table


def column(page, which):
    model = page.card.table.runs
    return [model.index(row, which).data() for row in range(model.rowCount())]


def click(qtbot, table, row, which, button=Qt.MouseButton.LeftButton):
    place = table.visualRect(table.runs.index(row, which)).center()
    qtbot.mouseClick(table.viewport(), button, pos=place)


# ---------------------------------------------------------------- the table


def test_without_runs_there_is_one_thing_to_do(page, qtbot):
    page.show_runs(())
    assert page.empty.isVisible()
    assert not page.card.isVisible()
    with qtbot.waitSignal(page.training_wanted):
        page.empty.click()
    page.show_runs(runs_of("a"))
    assert page.card.isVisible()


def test_a_row_says_what_is_known(page):
    page.show_runs(runs_of("a", parameters=124_400_000, tokens=2.62e9, seconds=35_880))
    texts = [column(page, which)[0] for which in (NAME, STATUS, PARAMETERS, LOSS, TOKENS, DURATION)]
    assert texts == [
        *("a", "Finished", units.parameters(124_400_000), "2.500", units.short(2.62e9)),
        units.duration(35_880),
    ]


def test_what_is_not_known_is_a_dash(page):
    nan = float("nan")
    page.show_runs((summary(ROOT / "a", parameters=0, tokens=0.0, seconds=0.0, validation=nan, sparks=()),))
    page.grab()
    assert [column(page, which)[0] for which in (PARAMETERS, LOSS, TOKENS, DURATION)] == ["—"] * 4


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("training", "Training"),
        ("interrupted", "Interrupted"),
        ("finished", "Finished"),
        ("early", "Stopped early"),
        ("stopped", "Stopped"),
        ("failed", "Failed"),
    ],
)
def test_the_status_is_a_word(page, status, word):
    page.show_runs(runs_of("a", status=status))
    assert column(page, STATUS) == [word]


def test_a_damaged_run_is_listed_with_its_problem(page, table):
    page.show_runs(runs_of("a", config=None, problem="“run.json” is not a JSON file.", status="failed"))
    assert column(page, STATUS) == ["Unreadable"]
    table.select(0)
    assert page.card.tools.facts() == "“run.json” is not a JSON file."
    table.runs.toggle(table.runs.index(0, CHECK))
    assert page.compared() == []


def test_the_run_of_this_window_rests_while_it_is_paused(page, idle):
    page.show_runs(runs_of("a", "b", status="training"))
    resting = replace(
        idle, running=frozenset(["train"]), paused=frozenset(["train"]), writing=str(ROOT / "b")
    )
    page.show_state(resting)
    assert column(page, STATUS) == ["Training", "Paused"]
    page.show_state(replace(resting, paused=frozenset()))
    assert column(page, STATUS) == ["Training", "Training"]


def test_waiting_runs_stand_on_top_and_can_be_taken_out(page, table, qtbot, idle):
    page.show_runs(runs_of("a"))
    page.show_state(replace(idle, queue=(RunConfig(), RunConfig())))
    for order in Qt.SortOrder:
        table.sortByColumn(NAME, order)
        assert column(page, STATUS) == ["Queued", "Queued", "Finished"]
    with qtbot.waitSignal(page.unqueue_wanted) as heard:
        click(qtbot, table, 1, CHECK)
    assert heard.args == [table.runs.row(1).queue]
    with qtbot.waitSignal(page.unqueue_wanted) as heard:
        page.card.menu().actions()[0].trigger()
    assert page.compared() == [ROOT / "a"]


def test_a_queue_alone_is_no_empty_page(page, idle):
    page.show_state(replace(idle, queue=(RunConfig(),)))
    assert page.card.isVisible()
    page.show_state(idle)
    assert page.empty.isVisible()


def test_sorting_puts_what_is_not_known_last_and_can_be_undone(page, table):
    page.show_runs((*runs_of("a", "b", "c"), summary(ROOT / "new", validation=float("nan"))))
    table.sortByColumn(LOSS, Qt.SortOrder.AscendingOrder)
    assert column(page, NAME) == ["b", "a", "c", "new"]
    table.sortByColumn(LOSS, Qt.SortOrder.DescendingOrder)
    assert column(page, NAME) == ["c", "a", "b", "new"]
    table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert column(page, NAME) == ["a", "b", "c", "new"]


def test_the_selected_run_stays_selected_as_others_come_and_go(page, table):
    page.show_runs(runs_of("a", "b", "c"))
    table.select(1)
    page.show_runs(runs_of("new", "c", "b"))
    assert table.current().run.name == "b"
    table.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
    assert table.current().run.name == "b"
    page.show_runs(runs_of("new", "c"))
    assert table.current() is None or table.current().run.name in ("new", "c")


def test_hundreds_of_rows_are_told_apart(page, table):
    page.show_runs(runs_of(*(f"run-{number}" for number in range(300))))
    assert table.runs.rowCount() == 300
    assert table.height() < 400


# ---------------------------------------------------------------- filter


def test_the_filter_looks_at_names_notes_and_texts(page, qtbot):
    book = RunConfig().changed("data", {"corpora": ("/texts/Moby-Dick.txt",)})
    page.show_runs((*runs_of("alpha", notes="a Hen"), *runs_of("beta", config=book), *runs_of("gamma")))
    qtbot.keyClick(page, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(page.card.field.hasFocus)
    for text, names in (("GAM", ["gamma"]), ("hen al", ["alpha"]), ("moby", ["beta"]), ("none", [])):
        page.card.field.setText(text)
        assert column(page, NAME) == names
    assert page.card.caption() == "0 of 3 runs · 3 compared"
    qtbot.keyClick(page.card.field, Qt.Key.Key_Escape)
    assert len(column(page, NAME)) == 3
    assert not page.card.field.isVisible()


def test_a_chosen_relative_is_shown_although_the_filter_hides_it(page, table):
    page.show_runs(runs_of("a", "b"))
    page.card.open_search()
    page.card.field.setText("a")
    page.select(ROOT / "b")
    assert table.current().run.name == "b"


# ---------------------------------------------------------------- compare


def test_the_latest_runs_are_compared_at_first_and_then_as_a_person_wants(page, table, qtbot):
    heard = []
    page.compare_wanted.connect(heard.append)
    page.show_runs(runs_of("a", "b", "c", "d", "e"))
    assert heard == [[ROOT / name for name in "abcd"]]
    click(qtbot, table, 1, CHECK)
    assert page.compared() == [ROOT / name for name in "acd"]
    click(qtbot, table, 4, CHECK)
    assert heard[-1] == [ROOT / name for name in "aecd"]  # in the place that is free
    page.show_runs(runs_of("new", "a", "b", "c", "d", "e"))
    assert heard[-1] == [ROOT / name for name in "aecd"]
    assert page.card.caption() == "6 runs · 4 compared"


def test_until_a_person_looks_it_is_the_latest_that_are_compared(page, table):
    page.hide()
    page.show_runs(runs_of("a"))
    page.show_runs(runs_of("b", "a"))
    assert set(page.compared()) == {ROOT / "a", ROOT / "b"}
    page.show()
    page.show_runs(runs_of("c", "b", "a"))
    assert set(page.compared()) == {ROOT / "a", ROOT / "b"}


def test_a_seventh_is_refused_in_one_line(page, table, qtbot):
    page.show_runs(runs_of(*"abcdefgh"))
    for row in (4, 5, 6):
        click(qtbot, table, row, CHECK)
    assert page.compared() == [ROOT / name for name in "abcdef"]
    assert page.card.notice() == "At most 6 runs are compared. Take one out first."
    click(qtbot, table, 0, CHECK)
    assert page.card.notice() == ""


def test_the_space_bar_compares(page, table, qtbot):
    page.show_runs(runs_of("a", "b"))
    table.setFocus()
    table.select(1)
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert page.compared() == [ROOT / "a"]
    index = table.runs.index(1, CHECK)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "Not compared"
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked


def test_a_run_that_is_gone_is_compared_no_longer(page, qtbot):
    page.show_runs(runs_of("a", "b"))
    with qtbot.waitSignal(page.compare_wanted) as heard:
        page.show_runs(runs_of("b"))
    assert heard.args == [[ROOT / "b"]]


def test_with_nothing_compared_the_page_says_what_to_do(page, table):
    page.show_runs(runs_of("a"))
    assert page.compare.isVisible()
    table.runs.toggle(table.runs.index(0, CHECK))
    assert not page.compare.isVisible()
    assert page.hint.isVisible()


def test_real_runs_are_compared_as_their_files_grow(page, tmp_path):
    paths = [make_run(tmp_path, f"world-{end}", a_curve(40, end)) for end in (2.0, 3.0)]
    index = RunIndex(tmp_path)
    page.compare_wanted.connect(
        lambda folders: [page.show_history(folder, index.history(folder)) for folder in folders]
    )
    page.show_runs(index.look())
    assert page.differences.verdict.text() == "2.0 leads 3.0 by 1.000 at equal tokens"
    assert len(page.compare.chart.drawn_runs()) == 2
    longer = a_curve(80, 1.0)[41:]
    with (paths[1] / "metrics.jsonl").open("a") as file:
        file.write("".join(repr(line).replace("'", '"') + "\n" for line in longer))
    page.show_runs(index.look())
    page.show_history(paths[1], index.history(paths[1]))
    chart = page.compare.chart
    (_, line) = next(pair for pair in chart.drawn_runs() if pair[0].run.folder == paths[1])
    assert line.steps[-1] == 80 * 64
    page.grab()


def test_curves_of_a_run_come_late_or_not_at_all(page):
    page.show_runs(runs_of("a", "b"))
    page.grab()
    page.show_history(ROOT / "a", History())
    assert page.compare.chart.drawn_runs() == []
    assert page.compare.chart.finding() == "No losses to compare yet"


# ---------------------------------------------------------------- actions


@pytest.fixture
def kept(page, table):
    """A selected run with checkpoints."""
    paths = tuple(
        ROOT / "a" / "checkpoints" / f"{name}.safetensors" for name in ("last", "best", "step-001000")
    )
    page.show_runs((*runs_of("a", step=12_400, checkpoints=paths, notes="first"), *runs_of("b")))
    table.select(0)
    return paths


def test_a_run_without_a_checkpoint_says_why_it_is_not_opened(page, table, qtbot):
    page.show_runs((*runs_of("a", status="interrupted", checkpoints=()), *runs_of("b")))
    table.select(0)
    tools = page.card.tools
    assert not tools.open.isEnabled()
    assert "no checkpoint" in tools.open.toolTip()
    assert "no checkpoint" in tools.facts()
    with qtbot.assertNotEmitted(page.open_wanted):
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert "cannot be opened" in page.card.notice()
    table.select(1)
    assert page.card.notice() == ""


def test_a_run_is_opened_by_button_key_and_double_click(page, table, kept, qtbot):
    for act in (
        page.card.tools.open.click,
        lambda: qtbot.keyClick(table, Qt.Key.Key_Return),
        lambda: table.doubleClicked.emit(table.runs.index(0, NAME)),
    ):
        with qtbot.waitSignal(page.open_wanted) as heard:
            act()
        assert heard.args == [str(kept[0])]


def test_without_checkpoints_there_is_nothing_to_open_or_fork(page, table, kept):
    table.select(1)
    assert not page.card.tools.open.isEnabled()
    assert not page.card.tools.fork.isEnabled()
    entries = {action.text(): action for action in page.card.menu().actions()}
    assert not entries["Open"].isEnabled()


def test_forks_begin_at_any_checkpoint(page, kept, qtbot):
    menu = page.card.menu()
    (forks,) = [action.menu() for action in menu.actions() if action.text() == "Fork from"]
    steps = [units.number(step) for step in (12_400, 1000)]
    names = [action.text() for action in forks.actions()]
    assert names == [f"Last · step {steps[0]}", "Best", f"Step {steps[1]}"]
    with qtbot.waitSignal(page.fork_wanted) as heard:
        forks.actions()[2].trigger()
    assert heard.args == [str(kept[2])]


def test_a_name_is_edited_in_its_place(page, table, kept, qtbot):
    page.card.tools.rename.click()
    editor = table.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "  my  run ")
    page.show_runs((*runs_of("new"), *runs_of("a", step=5)))  # facts come in meanwhile
    assert table.findChild(QLineEdit) is editor
    with qtbot.waitSignal(page.renamed) as heard:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert heard.args == [ROOT / "a", "my run"]
    assert column(page, NAME) == ["new", "my run"]


def test_no_name_is_no_wish(page, table, kept):
    said = []
    page.renamed.connect(lambda *args: said.append(args))
    for name in ("", "   ", "a"):
        assert not table.runs.setData(table.runs.index(0, NAME), name)
    assert said == []


def test_notes_are_kept_when_their_field_is_left(page, table, kept, qtbot):
    card = page.card
    card.tools.notes.click()
    assert card.notes.toPlainText() == "first"
    card.notes.setPlainText("second")
    with qtbot.waitSignal(page.annotated) as heard:
        table.select(1)
    assert heard.args == [ROOT / "a", "second"]
    assert not card.notes.isVisible()


def test_notes_that_stay_as_they_are_are_not_written(page, kept, qtbot):
    said = []
    page.annotated.connect(lambda *args: said.append(args))
    page.card.tools.notes.click()
    qtbot.keyClick(page.card.notes, Qt.Key.Key_Escape)
    assert not page.card.notes.isVisible()
    assert said == []


@pytest.fixture
def answers(monkeypatch):
    """What was asked; the answer is the button with the label at its end."""
    asked = ["Delete"]

    def answer(box):
        asked.insert(0, box.text())
        wanted = next(button for button in box.buttons() if button.text().endswith(asked[-1]))
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _: wanted)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    return asked


def test_deleting_asks_once(page, table, kept, qtbot, answers):
    with qtbot.waitSignal(page.delete_wanted) as heard:
        qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert heard.args == [[ROOT / "a"]]
    assert answers == ["Delete “a”?", "Delete"]


def test_several_are_deleted_together_but_for_those_in_training(page, table, qtbot, answers):
    page.show_runs((*runs_of("a", "b"), *runs_of("c", status="training")))
    table.selectAll()
    with qtbot.waitSignal(page.delete_wanted) as heard:
        page.card.tools.delete.click()
    assert heard.args == [[ROOT / "a", ROOT / "b"]]
    assert answers[0] == "Delete 2 runs?"


def test_thinking_again_deletes_nothing(page, kept, qtbot, answers):
    answers[-1] = "Cancel"
    with qtbot.assertNotEmitted(page.delete_wanted):
        page.card.tools.delete.click()


def test_a_run_in_training_cannot_be_deleted(page, table, answers, qtbot):
    page.show_runs(runs_of("a", status="training"))
    table.select(0)
    assert not page.card.tools.delete.isEnabled()
    with qtbot.assertNotEmitted(page.delete_wanted):
        qtbot.keyClick(table, Qt.Key.Key_Delete)


def test_the_table_is_exported_as_it_is_shown(page, tmp_path, kept):
    page.card.field.setText("first")
    page.card.export_csv(tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["steps"], row["validation_loss"], row["notes"]) == ("a", "12400", "2.5", "first")


# ---------------------------------------------------------------- family


def test_a_family_is_shown_and_leads_to_its_members(page, table, qtbot):
    forks = runs_of("b", parent="a", parent_step=40), runs_of("c")
    page.show_runs((*runs_of("a"), *forks[0], *forks[1]))
    table.select(2)
    assert not page.family.isVisible()
    table.select(0)
    assert page.family.isVisible()
    names = [member.text() for member in page.family.members()]
    assert names == ["a", "b"]
    page.family.members()[1].click()
    assert table.current().run.name == "b"
    assert "Forked from a at step 40" in page.family.members()[1].accessibleDescription()


# ---------------------------------------------------------------- size and look


@pytest.mark.parametrize(
    ("width", "hidden"),
    [(776, ()), (690, (TOKENS,)), (600, (TOKENS, DURATION)), (520, (TOKENS, DURATION, PARAMETERS))],
)
def test_columns_give_way_in_their_order(page, table, width, hidden, qtbot):
    page.show_runs(runs_of("a"))
    page.resize(width, 780)
    qtbot.waitUntil(lambda: page.width() == width)
    shown = (CHECK, NAME, STATUS, PARAMETERS, LOSS, CURVE, TOKENS, DURATION)
    qtbot.waitUntil(lambda: tuple(one for one in shown if table.isColumnHidden(one)) == tuple(sorted(hidden)))


def test_cards_stack_when_the_page_is_narrow(page, qtbot):
    page.show_runs(runs_of("a", "b"))
    assert page.differences.x() > page.compare.x()
    page.resize(640, 900)
    qtbot.waitUntil(lambda: page.differences.x() == page.compare.x())
    assert page.differences.y() > page.compare.y()


def test_the_page_does_not_widen_a_small_window(page):
    page.show_runs(runs_of("a" * 200, "b"))
    assert page.minimumSizeHint().width() <= 360


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_compared_rows_have_a_box_in_the_color_of_their_curve(page, table, theme):
    page.show_runs(runs_of("a", "b"))
    look.apply(theme)
    rect = table.visualRect(table.runs.index(1, CHECK))
    at = table.viewport().mapTo(page, rect.topLeft() + QPoint(look.px(13), rect.height() // 2 - 5))
    assert page.grab().toImage().pixelColor(at).name() == theme.series[1].lower()


def test_the_state_of_nothing_is_bearable(page):
    page.show_state(State())
    page.show_runs(())
    page.grab()
