"""Put the questions of the small world to a model: the share of right answers by skill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch

from gpt_studio.core.chat import Message, Template
from gpt_studio.core.world import QUESTIONS, Question, exam
from gpt_studio.engine.model import GPT
from gpt_studio.engine.tokenizers import Tokenizer

BATCH = 32  # questions answered together


@dataclass(frozen=True)
class _Task:
    """A question and its right answer as ids."""

    skill: str
    prompt: list[int]
    answer: list[int]

    @property
    def ids(self) -> list[int]:
        return self.prompt + self.answer


def examine(
    model: GPT, tokenizer: Tokenizer, template: Template, count: int = QUESTIONS
) -> Generator[None, None, dict[str, float]]:
    """Ask up to `count` questions of each skill; return the share of right answers, 0 to 1, by skill.

    Yields None between batches, so that others have their turn.

    An answer is right if the model writes exactly it when it always takes its likeliest next token. That
    is checked for all of its tokens at once: as long as each is the likeliest, the text before the next one
    is the one the model would have written itself.
    """
    tasks = [_task(question, tokenizer, template) for question in exam(count)]
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for skill in dict.fromkeys(task.skill for task in tasks):
        right[skill] = []  # in the order of the exam
    answerable = [task for task in tasks if len(task.ids) <= model.config.max_length]
    for task in tasks:
        if len(task.ids) > model.config.max_length:
            right[task.skill].append(False)
    answerable.sort(key=lambda task: len(task.ids))  # little padding
    for start in range(0, len(answerable), BATCH):
        batch = answerable[start : start + BATCH]
        for task, is_right in zip(batch, _graded(model, batch, tokenizer.end), strict=True):
            right[task.skill].append(is_right)
        yield None
    return {skill: sum(answers) / len(answers) for skill, answers in right.items()}


def _task(question: Question, tokenizer: Tokenizer, template: Template) -> _Task:
    prompt = template.prompt(question.messages)
    whole = template.text((*question.messages, Message("model", question.answer)))
    answer = whole[len(prompt) :] if question.ends else whole[len(prompt) :].removesuffix(template.end)
    return _Task(question.skill, [tokenizer.end, *tokenizer.encode(prompt)], tokenizer.encode(answer))


@torch.inference_mode()
def _graded(model: GPT, tasks: Sequence[_Task], padding: int) -> list[bool]:
    """Whether each answer is the model's own. What follows a text does not change what is said of it."""
    model.eval()  # a job that trains may have run in between
    longest = max(len(task.ids) for task in tasks)
    rows = [task.ids + [padding] * (longest - len(task.ids)) for task in tasks]
    ids = torch.tensor(rows, device=next(model.parameters()).device)  # (B, T)
    likeliest = model(ids).argmax(2).tolist()  # (B, T): what comes after each token
    return [
        said[len(task.prompt) - 1 : len(task.ids) - 1] == task.answer
        for task, said in zip(tasks, likeliest, strict=True)
    ]
