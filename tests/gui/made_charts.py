"""A chart of a run, made for tests."""

import numpy as np

from gpt_studio.gui.charts import LossChart


def trained(qtbot, points: int = 500) -> LossChart:
    """A chart of a run with falling loss, a point every tenth step, validated every tenth point."""
    loss = LossChart()
    qtbot.addWidget(loss)
    loss.resize(600, 300)
    steps = np.arange(1, points + 1) * 10
    losses = 3 + 7 * np.exp(-steps / 800) + 0.05 * np.sin(steps)
    loss.start(20_000)
    loss.append(steps, losses)
    for step in steps[9::10]:
        loss.append_validation(int(step), float(3.1 + 7 * np.exp(-step / 800)))
    loss.grab()  # lays it out
    loss.refresh()
    return loss
