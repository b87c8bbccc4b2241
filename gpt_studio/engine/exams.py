"""Put the questions of the small world to a model: the share of right answers by skill."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from gpt_studio.core.chat import Message, Template
from gpt_studio.core.world import QUESTIONS, Question, exam
from gpt_studio.engine.model import GPT
from gpt_studio.engine.tokenizers import Tokenizer

BATCH = 32  # questions answered together


@dataclass(frozen=True)
class _Task:
    """A question, by its place in the exam, and a right answer as ids."""

    question: int
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
    questions = exam(count)
    tasks = [
        _Task(place, [tokenizer.end, *tokenizer.encode(template.prompt(question.messages))], answer)
        for place, question in enumerate(questions)
        for answer in _answers(question, tokenizer, template)
    ]
    tasks = [task for task in tasks if len(task.ids) <= model.config.max_length]
    tasks.sort(key=lambda task: len(task.ids))  # little padding
    right: set[int] = set()
    for start in range(0, len(tasks), BATCH):
        batch = tasks[start : start + BATCH]
        graded = zip(batch, _graded(model, batch, tokenizer.end), strict=True)
        right |= {task.question for task, is_right in graded if is_right}
        yield None
    asked = Counter(question.skill for question in questions)  # in the order of the exam
    answered = Counter(questions[place].skill for place in right)
    return {skill: answered[skill] / asked[skill] for skill in asked}


def _answers(question: Question, tokenizer: Tokenizer, template: Template) -> list[list[int]]:
    """The ids of the right answer: where the text ends after it and, if they differ, where it goes on.

    What a turn ends with may be other tokens before the next turn: two line ends are one token or two.
    """
    prompt = template.prompt(question.messages)
    answer = template.text((*question.messages, Message("model", question.answer)))[len(prompt) :]
    if not question.ends:
        return [tokenizer.encode(answer.removesuffix(template.end))]
    last = tokenizer.encode(answer)
    ids = tokenizer.encode(answer + template.user)
    sizes = list(accumulate(len(tokenizer.raw(id)) for id in ids))
    between = ids[: bisect_left(sizes, len(answer.encode())) + 1]
    return [last] if between == last else [last, between]


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
