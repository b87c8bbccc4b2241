"""Exams: a model that knows the answers has all of them right, one that does not has none."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gpt_studio.core.chat import Message, Template
from gpt_studio.core.config import GPTConfig
from gpt_studio.core.world import SKILLS, exam
from gpt_studio.engine import exams
from gpt_studio.engine.exams import examine
from gpt_studio.engine.generator import generate
from gpt_studio.engine.model import GPT
from gpt_studio.engine.tokenizers import tokenizer

TEMPLATE = Template()
BYTES = tokenizer("bytes")


class Oracle(nn.Module):
    """Says of each text of the exam what comes next, and knows nothing else."""

    def __init__(self, wrong=()):
        super().__init__()
        self.config = GPTConfig(num_layers=1, heads=1, embed_size=8, max_length=512, vocab_size=257)
        self.anything = nn.Parameter(torch.zeros(1))
        self.texts = {}
        for question in exam(3):
            answer = "nothing." if question.skill in wrong else question.answer
            text = TEMPLATE.text((*question.messages, Message("model", answer)))
            self.texts[TEMPLATE.prompt(question.messages)] = text

    def forward(self, ids):
        rows = []
        for row in ids.tolist():
            said = BYTES.decode(row[1:])
            whole = next(text for prompt, text in self.texts.items() if said.startswith(prompt + " "))
            known = BYTES.encode(whole)
            rows.append((known + [0] * len(row))[: len(row)])
        return F.one_hot(torch.tensor(rows), 257).float()


def result(job):
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value


def test_who_knows_all_has_all_right():
    scores = result(examine(Oracle(), BYTES, TEMPLATE, count=3))
    assert scores == {skill.name: 1.0 for skill in SKILLS}


def test_who_is_wrong_in_one_skill_has_that_one_wrong():
    scores = result(examine(Oracle(wrong={"addition"}), BYTES, TEMPLATE, count=3))
    assert scores.pop("addition") == 0.0
    assert set(scores.values()) == {1.0}


def test_a_question_longer_than_the_context_is_not_answered():
    model = GPT(GPTConfig(num_layers=1, heads=1, embed_size=8, max_length=24, vocab_size=257))
    assert set(result(examine(model, BYTES, TEMPLATE, count=2)).values()) == {0.0}


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_is_right_when_the_model_writes_it(seed):
    """What is checked at once is what writing greedily, token by token, gives."""
    from gpt_studio.core.config import SampleConfig
    from gpt_studio.core.events import Token
    from gpt_studio.core.requests import Generate

    torch.manual_seed(seed)
    model = GPT(GPTConfig(num_layers=1, heads=2, embed_size=16, max_length=128, vocab_size=257))
    question = exam(3)[seed]
    prompt = TEMPLATE.prompt(question.messages)
    greedy = SampleConfig(temperature=0.0, max_tokens=6)
    written = [
        event.id for event in generate(model, BYTES, Generate(prompt, greedy)) if isinstance(event, Token)
    ]
    right = exams._Task(0, [BYTES.end, *BYTES.encode(prompt)], written)
    wrong = exams._Task(0, right.prompt, [*written[:-1], (written[-1] + 1) % 257])
    assert exams._graded(model, [right, wrong], BYTES.end) == [True, False]


def test_a_turn_ends_as_it_does_in_the_middle_of_a_text_or_at_its_end():
    """To GPT-2's tokens two line ends are one at the end of a text, and two before the next turn."""
    gpt2, template, question = tokenizer("gpt2"), Template("Q: ", "A: ", "\n\n"), exam(3)[0]
    answers = exams._answers(question, gpt2, template)
    assert [gpt2.decode(answer) for answer in answers] == [f" {question.answer}\n\n"] * 2
    assert [len([id for id in answer if gpt2.raw(id).isspace()]) for answer in answers] == [1, 2]
    assert len(exams._answers(question, gpt2, TEMPLATE)) == 1
    assert len(exams._answers(question, BYTES, template)) == 1


@pytest.mark.parametrize("ends", [1, 2])
def test_either_way_to_end_a_turn_is_right(monkeypatch, ends):
    gpt2, template = tokenizer("gpt2"), Template("Q: ", "A: ", "\n\n")

    def graded(_model, tasks, _padding):
        return [sum(gpt2.raw(id).isspace() for id in task.answer) == ends for task in tasks]

    monkeypatch.setattr(exams, "_graded", graded)
    scores = result(examine(Oracle(), gpt2, template, count=3))
    assert scores.pop("stories") == 0.0  # whose answers need not end
    assert set(scores.values()) == {1.0}


def test_others_have_their_turn():
    job = examine(Oracle(), BYTES, TEMPLATE, count=3)
    assert next(job) is None
    job.close()
