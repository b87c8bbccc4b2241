"""Is the speed of training predicted within its bound? On as many configurations as there is time for."""

from __future__ import annotations

from itertools import takewhile

from benchmarks import prediction
from benchmarks.cuda import Setting
from benchmarks.measuring import Report

TOY = prediction.run(2, 2, 32, 16, 2, 65)


def run(report: Report, setting: Setting) -> None:
    configs = (TOY,) if setting.toy else prediction.CUDA
    in_time = takewhile(lambda _: not setting.deadline.over, configs)
    prediction.measure(in_time, setting.device, report)
