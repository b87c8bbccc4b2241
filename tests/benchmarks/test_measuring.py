"""What the benchmarks share: turns, medians, tables."""

import json

import pytest

from benchmarks.measuring import Deadline, Report, Times, exponent, fastest, figure, table, take_turns


def test_ways_take_turns_every_other_round_in_reverse():
    order = []
    times = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2, warmups=1)

    assert "".join(order) == "abbaab"
    assert [len(taken.seconds) for taken in times.values()] == [2, 2]


def test_a_way_that_fails_is_left_out_and_told():
    told = []

    def broken():
        raise ValueError("no")

    times = take_turns({"good": lambda: None, "broken": broken}, failed=lambda name, error: told.append(name))

    assert list(times) == ["good"]
    assert told == ["broken"]
    with pytest.raises(ValueError, match="no"):
        take_turns({"broken": broken})


def test_past_the_deadline_one_round_still_counts():
    times = take_turns({"a": lambda: None}, rounds=1000, warmups=2, deadline=Deadline(0))

    assert len(times["a"].seconds) == 1


def test_median_and_spread():
    times = Times([1.0, 2.0, 3.0, 4.0, 100.0])

    assert times.median == 3
    assert times.spread == pytest.approx((4 - 2) / 2 / 3)
    assert Times([1.0]).spread == 0


def test_exponent_of_a_power():
    sizes = [1, 2, 4, 8]

    assert exponent(sizes, [3 * size**1.5 for size in sizes]) == pytest.approx(1.5)


def test_ratio_is_to_the_fastest_other():
    assert fastest({"ours": 6.0, "a": 2.0, "b": 3.0}, "ours") == 2
    assert fastest({"ours": 6.0}, "ours") is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), ("text", "text"), (1234, "1,234"), (1234.5, "1,234"), (12.34, "12.3"), (0.0123, "0.012")],
)  # fmt: skip
def test_figures(value, shown):
    assert figure(value) == shown


def test_a_table_has_every_column_of_any_row():
    rows = [{"name": "a", "x": 1}, {"name": "bb", "y": 2.5}]

    assert table(rows).splitlines() == ["name  x     y", "a     1     –", "bb    –  2.50"]
    assert table(rows, markdown=True).splitlines()[1:3] == ["|---|---|---|", "| a | 1 | – |"]


def test_a_report_is_in_its_file_after_each_row_and_can_be_taken_in_by_another(tmp_path, capsys):
    report = Report(tmp_path / "new" / "found.json")
    report.row("Speed", {"name": "a", "rate": 2.0})
    report.goal("fast", 2.0, least=1.6)
    report.goal("slow", 5.0, most=3, unit=" %")
    report.remark("No peers.")

    read = json.loads((tmp_path / "new" / "found.json").read_text("utf-8"))
    assert read["tables"] == {"Speed": [{"name": "a", "rate": 2.0}]}
    assert [goal["met"] for goal in read["goals"]] == ["yes", "no"]

    whole = Report()
    whole.add(read)
    text = whole.text()
    assert text.index("Speed") < text.index("No peers.") < text.index("In short")
    assert "≤ 3 %" in text
