"""`gpt-studio exam`: the share of right answers of a model to the questions of the small world."""

from __future__ import annotations

import argparse

from gpt_studio.commands import options
from gpt_studio.commands.models import load, result
from gpt_studio.commands.output import StatusLine, say, say_json
from gpt_studio.core import units
from gpt_studio.core.metrics import Exam
from gpt_studio.core.world import QUESTIONS, SKILLS

WIDTH = 20  # of the first column


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_checkpoint(parser)
    parser.add_argument(
        "--count",
        type=options.positive,
        default=QUESTIONS,
        metavar="N",
        help="questions of each skill at most",
    )
    options.add_device(parser)
    options.add_json(parser)


def run(chosen: argparse.Namespace) -> int:
    status = StatusLine()
    found = load(chosen.checkpoint, chosen.device, status)
    from gpt_studio.engine.exams import examine

    status.show("Asking")
    questions = examine(found.model, found.tokenizer, found.config.data.template, chosen.count)
    exam = Exam(found.step, result(questions))
    status.clear()
    if chosen.json:
        say_json({"step": exam.step, "exam": dict(exam.scores), "mean": exam.mean})
    else:
        labels = {skill.name: skill.label for skill in SKILLS}
        for name, score in exam.scores.items():
            say(labels[name].ljust(WIDTH) + units.percent(score).rjust(6))
        say("All".ljust(WIDTH) + units.percent(exam.mean, 1).rjust(6))
    return 0
