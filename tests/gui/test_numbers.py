"""The numbers before training: speed measured by itself, the exact peak, settings made to fit."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.estimate import training_memory
from gpt_studio.core.events import Built, Calibrated, Failed, Finished, MemoryChecked, Ready, Started, Stopped
from gpt_studio.core.fitting import fit
from gpt_studio.core.metrics import METRICS
from gpt_studio.core.presets import presets
from gpt_studio.core.requests import Calibrate, CheckMemory, Stop, Train
from gpt_studio.core.run_events import Step
from gpt_studio.core.speed import Speed, run_time, shape_of
from gpt_studio.gui.estimate_panel import EstimatePanel
from gpt_studio.gui.numbers import Numbers
from gpt_studio.gui.store import Store

from .conftest import GPU

VALUES = {metric.name: 1.0 for metric in METRICS} | {"tokens_per_second": 1000.0}


class Room(QWidget):
    """A window with nothing but the estimate in it."""

    def __init__(self):
        super().__init__()
        self.sent = []
        self.store = Store(self.sent.append, self)
        self.panel = EstimatePanel(self)
        self.panel.setGeometry(0, 200, 312, 400)
        self.store.changed.connect(self.panel.show_state)
        self.numbers = Numbers(self.store, self.panel, self)
        self.resize(900, 640)
        self.store.happened([Ready((GPU,), "cuda:0")])
        self.store.apply_preset(next(preset for preset in presets() if preset.name == "gpt2-124m"))
        self.sent.clear()

    @property
    def state(self):
        return self.store.state

    def asked(self, kind):
        return [request for request in self.sent if isinstance(request, kind)]

    def wait_out(self):
        """End the wait for further edits now."""
        if self.numbers._timer.isActive():
            self.numbers._timer.stop()
            self.numbers._timer.timeout.emit()


@pytest.fixture
def room(qtbot):
    room = Room()
    qtbot.addWidget(room)
    with qtbot.waitExposed(room):
        room.show()
    return room


def speed_of(room, attention="fused", watts=0.0):
    shape = shape_of(room.state.config)
    return Speed("cuda:0", shape, attention, 3e-3, 1e-3, 12e-3, 4e-3, 1e-4, 1e-10, 1e-4, 1e-3, watts)


def too_large(room):
    room.store.edit("train", {"batch_size": 64, "accumulation": 1})
    assert training_memory(room.state.config, GPU).total > GPU.capacity


# ---------------------------------------------------------------- speed


def test_the_speed_is_asked_for_once_a_shape_rests(room):
    assert not room.asked(Calibrate)
    room.store.edit("train", {"batch_size": 4})
    room.wait_out()
    assert room.asked(Calibrate) == [Calibrate(room.state.config)]
    room.store.happened([Started("calibrate")])
    assert room.panel.time.value() == "measuring"
    room.store.happened([Calibrated(speed_of(room)), Finished("calibrate")])
    assert room.panel.time.value() == units.about(run_time(room.state.config, speed_of(room)).total)
    for changes in ({"steps": 7}, {"accumulation": 3}, {"learning_rate": 1e-4}):
        room.store.edit("train", changes)
        room.wait_out()
    assert len(room.asked(Calibrate)) == 1


@pytest.mark.parametrize("kind", ["train", "chat", "data", "file"])
def test_nothing_is_measured_beside_other_work(room, kind):
    room.store.happened([Started(kind)])
    room.store.edit("train", {"batch_size": 4})
    assert not room.numbers._timer.isActive()
    room.store.happened([Finished(kind)])
    assert room.numbers._timer.isActive()


def test_what_cannot_be_measured_is_not_tried_again_and_is_no_banner(room):
    failures = []
    room.store.failed.connect(failures.append)
    room.wait_out()
    room.store.happened([Started("calibrate"), Failed("calibrate", "No memory.")])
    assert (failures, room.numbers._timer.isActive()) == ([], False)
    assert room.panel.time.value() == units.UNKNOWN


def test_training_stops_a_measurement_and_is_told_the_faster_attention(room):
    room.store.happened([Calibrated(speed_of(room, "plain")), Started("calibrate")])
    room.store.press_primary()
    stop, train = room.sent[-2:]
    assert stop == Stop("calibrate")
    assert isinstance(train, Train)
    assert train.config.train.attention == "plain"
    room.store.happened([Stopped("calibrate"), Started("train"), Built(train.config, 1, "cuda:0", 0)])
    assert room.state.config.train.attention == "auto"
    room.store.happened([Step(1, VALUES), Stopped("train")])
    assert room.state.measured_here
    room.store.edit("train", {"attention": "plain"})
    assert room.state.measured_here
    room.store.edit("train", {"attention": "fused"})
    assert not room.state.measured_here


def test_steps_decide_over_the_prediction(room):
    room.store.happened(
        [Calibrated(speed_of(room)), Started("train"), Built(room.state.config, 1, "cuda:0", 0)]
    )
    predicted = room.panel.time.value()
    room.store.happened([Step(1, VALUES)])
    tokens = room.state.config.train.effective_batch * room.state.config.model.max_length
    assert room.panel.time.value() == units.about(tokens / 1000 * room.state.config.train.steps) != predicted
    room.store.edit("sample", {"temperature": 0.5})  # has nothing to do with it
    room.store.happened([Step(2, VALUES | {"tokens_per_second": 500.0})])
    assert room.panel.time.value() == units.about(tokens / 500 * room.state.config.train.steps)


def test_energy_is_said_where_the_power_is_known(room):
    room.store.happened([Calibrated(speed_of(room, watts=310))])
    assert "kWh" in room.panel.time.toolTip()
    assert "kWh" in room.panel.time.accessibleName()
    room.store.edit("train", {"batch_size": 4})
    room.store.happened([Calibrated(speed_of(room))])
    assert "Wh" not in room.panel.time.toolTip()


# ---------------------------------------------------------------- the exact peak


def test_the_exact_peak_stands_beside_the_estimate_until_settings_change(room, qtbot):
    qtbot.mouseClick(room.panel.check.button, Qt.MouseButton.LeftButton)
    assert room.asked(CheckMemory) == [CheckMemory(room.state.config)]
    room.store.happened([Started("check")])
    assert room.panel.check.text() == "checking"
    estimated = training_memory(room.state.config, GPU).tensors
    exact = round(estimated / 1.01)
    room.store.happened([MemoryChecked(room.state.config, "cuda:0", exact), Finished("check")])
    assert room.panel.check.text() == f"Tensors exactly {units.memory(exact)} · estimate 1.00\u202f% off"
    room.store.edit("train", {"learning_rate": 1e-4})
    assert room.panel.check.text().startswith("Tensors exactly")
    room.store.edit("train", {"batch_size": 4})
    assert room.panel.check.text() == ""
    assert room.panel.check.button.isVisible()


def test_a_check_in_vain_is_a_quiet_line(room):
    failures = []
    room.store.failed.connect(failures.append)
    room.store.happened([Started("check"), Failed("check", "It is too large.")])
    assert (room.panel.check.text(), failures) == ("It is too large.", [])


# ---------------------------------------------------------------- make it fit


def test_one_click_makes_it_fit_in_one_step_of_undo(room, qtbot):
    assert not room.panel.fit.isVisible()
    too_large(room)
    wished = room.state.config
    found = fit(wished, GPU, GPU.capacity)
    qtbot.mouseClick(room.panel.fit, Qt.MouseButton.LeftButton)
    assert room.state.config == found.config
    assert room.panel.verdict.text() == "Fits"
    assert not room.panel.fit.isVisible()
    told = f"M{found.way[1:]}; {found.cost}"
    assert (room.panel.told.text(), room.panel.told.isVisible()) == (told, True)
    room.store.undo()
    assert room.state.config == wished
    assert not room.panel.told.isVisible()


def test_what_cannot_fit_is_said_with_what_to_try(room):
    too_large(room)
    room.panel.set_capacity(units.GB)
    wished = room.state.config
    room.panel.fit.click()
    assert room.state.config == wished
    assert "at least" in room.panel.told.text()
    assert "Fewer layers" in room.panel.told.text()


# ---------------------------------------------------------------- any capacity


@pytest.fixture
def popover(room, qtbot):
    too_large(room)
    qtbot.mouseClick(room.panel.memory.capacity, Qt.MouseButton.LeftButton)
    return room.panel._popover


def type_capacity(qtbot, popover, text):
    popover.field.selectAll()
    qtbot.keyClicks(popover.field, text)


def test_a_capacity_typed_decides_the_verdict_until_taken_back(room, popover, qtbot):
    type_capacity(qtbot, popover, "200")
    assert room.panel.memory.value().endswith("of 200\u202fGB (typed)")
    assert room.panel.verdict.text() == "Fits"
    qtbot.mouseClick(room.panel.memory.back, Qt.MouseButton.LeftButton)
    assert "(typed)" not in room.panel.memory.value()
    assert room.panel.verdict.text() == "Does not fit"


def test_the_presets_say_how_they_would_fit_and_are_taken_so(room, popover, qtbot):
    type_capacity(qtbot, popover, "8")
    said = {row._label: row.said() for row in popover.rows}
    assert said["Tiny"] == "fits"
    assert said["GPT-2"].startswith("fits with micro-batch ")
    assert said["GPT-2 XL"] == "does not fit"
    assert not popover.rows[-1].isEnabled()
    row = popover.rows[2]
    fitted = row.fitted
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton)
    assert not popover.isVisible()
    assert room.state.config == fitted.config
    assert training_memory(room.state.config, GPU).total <= 8 * units.GB
    assert room.panel.told.text().startswith("GPT-2 with micro-batch ")


def test_these_settings_are_taken_as_they_would_fit(room, popover, qtbot):
    type_capacity(qtbot, popover, "0.1")
    assert popover.verdict.text().startswith("These settings take at least ")
    assert not popover.take.isVisible()
    type_capacity(qtbot, popover, "8")
    assert popover.verdict.text().startswith("These settings fit with micro-batch ")
    qtbot.mouseClick(popover.take, Qt.MouseButton.LeftButton)
    assert room.panel.verdict.text() == "Fits"


def test_the_keyboard_opens_uses_and_closes_it(room, popover, qtbot):
    assert popover.field.hasFocus()
    qtbot.keyClick(popover.field, Qt.Key.Key_Escape)
    assert not popover.isVisible()
    assert room.panel.memory.capacity.hasFocus()
    qtbot.keyClick(room.panel.memory.capacity, Qt.Key.Key_Space)
    assert popover.isVisible()
    assert all(row.accessibleName() for row in popover.rows)


def test_a_click_elsewhere_closes_it(room, popover, qtbot):
    qtbot.mouseClick(room.panel.bar, Qt.MouseButton.LeftButton)
    assert not popover.isVisible()


def test_no_settings_change_while_training(room, popover):
    room.store.happened([Started("train")])
    room.panel._popover.show_state(room.state, room.state.config, GPU.capacity)
    assert not room.panel.fit.isVisible()
    assert not popover.take.isVisible()
    assert not any(row.isEnabled() for row in popover.rows)


def test_after_a_run_the_device_is_asked_what_it_has_shown(room):
    room.store.happened([Started("train")])
    room.store.happened([Stopped("train")])
    assert room.asked(Calibrate) == [Calibrate(room.state.config)]
