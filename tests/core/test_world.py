"""The small world: the same for a seed, true to itself, and its exams ask what no training text holds."""

import re
from itertools import islice

import pytest

from gpt_studio.core.chat import Message, Template
from gpt_studio.core.world import SKILLS, documents, exam, is_held_out
from gpt_studio.core.world_facts import ANIMALS, OPPOSITES

TEMPLATE = Template()
MANY = 20_000  # documents, some 3 MB


@pytest.fixture(scope="module")
def training_text():
    return "".join(islice(documents(0, TEMPLATE), MANY))


def asked_of(skill):
    return [question for question in exam(200) if question.skill == skill]


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def plain(text):
    """As it may have been typed: small letters, no mark at the end."""
    return text.lower().rstrip(".?")


def test_a_seed_gives_the_same_documents_and_another_one_others():
    first, again, other = (list(islice(documents(seed, TEMPLATE), 200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_dialogues_are_written_with_the_template_they_are_asked_for():
    text = "".join(islice(documents(1, Template("Ann> ", "Bot> ", " |\n")), 100))
    assert "Ann> " in text
    assert "Bot> " in text
    assert "Q: " not in text


def test_every_skill_is_examined_and_each_question_is_asked_once():
    questions = exam()
    assert {question.skill for question in questions} == {skill.name for skill in SKILLS}
    assert len({question.messages for question in questions}) == len(questions)
    assert all(len(asked_of(skill.name)) >= 12 for skill in SKILLS)


def test_no_exam_question_is_in_the_training_text(training_text):
    """Nor in the way people type it. A name that was said before is part of the question."""
    text = plain(training_text)
    for question in exam(200):
        said = TEMPLATE.text(message for message in question.messages[:-1])
        line = f"{said}{TEMPLATE.user}{question.messages[-1].text}"
        assert line not in training_text, line
        assert f"{plain(line)}{TEMPLATE.end}" not in text, line


@pytest.mark.parametrize(
    "skill", ["addition", "subtraction", "counting", "comparing", "letters", "reversing"]
)
def test_what_generalizes_is_held_out_whatever_the_wording(training_text, skill):
    """The numbers or the word of an exam question never occur together in a training question of its kind."""
    patterns = {
        "addition": r"^Q: (?:what is|add)? ?(\d+) (?:plus|\+|and) (\d+)",
        "subtraction": r"^Q: (?:what is )?(\d+) (?:minus|-) (\d+)",
        "counting": r"^Q: (?:count on|count three more|which numbers come after) ?(?:from)? (\d+)",
        "comparing": r"^Q: .*(?:more|less)[,:] (\d+) or (\d+)",
        "letters": r"^Q: .* letter of (\w+)",
        "reversing": r"^Q: (?:say|what is) (\w+) backwards",
    }
    find = re.compile(patterns[skill], re.IGNORECASE | re.MULTILINE)
    practiced = {match.groups() for match in find.finditer(training_text)}
    examined = {find.match(f"Q: {question.messages[-1].text}") for question in asked_of(skill)} - {None}
    assert len(practiced) > 50
    assert len(examined) >= 10
    assert not practiced & {match.groups() for match in examined}


def test_the_answers_are_right():
    for question in exam(200):
        asked, answer = question.messages[-1].text, question.answer
        match question.skill:
            case "addition":
                assert sum(numbers(asked)) == numbers(answer)[0] <= 20
            case "subtraction":
                assert max(numbers(asked)) - min(numbers(asked)) == numbers(answer)[0]
            case "counting":
                start = numbers(asked)[0]
                assert numbers(answer) == [start + 1, start + 2, start + 3]
            case "comparing":
                choose = max if "more" in asked else min
                assert numbers(answer) == [choose(numbers(asked))]
            case "letters":
                word = asked.split()[-1].strip("?.")
                assert answer[0] == word[0 if "first" in asked else -1]
            case "reversing":
                word = next(word for word in asked.split() if word not in {"Say", "What", "is"})
                assert answer == f"{word[::-1]}."
            case "copying":
                assert asked.endswith(f": {answer}")
            case "opposites":
                assert OPPOSITES[answer.rstrip(".")] in asked
            case "two_facts":
                animal = next(animal for animal in ANIMALS if f"the {animal.name}." in answer)
                assert any(fact in asked for fact in (animal.home, animal.food, animal.color, animal.friend))


def test_stories_agree_with_the_facts(training_text):
    stories = re.findall(r"Once a (\w+) (\w+) lived ([^.]+)\.", training_text)
    assert len(stories) > 500
    known = {(animal.color, animal.name, animal.home) for animal in ANIMALS}
    assert set(stories) <= known


def test_a_name_that_was_said_is_asked_for():
    remembered = [question for question in asked_of("greetings") if len(question.messages) == 3]
    assert remembered
    for question in remembered:
        name = question.answer.removeprefix("Your name is ").rstrip(".")
        assert name in question.messages[0].text
        assert question.messages[1] == Message("model", question.messages[1].text)


def test_a_tenth_is_held_out():
    held_out = sum(is_held_out(f"{a} + {b}", 10) for a in range(40) for b in range(40))
    assert 0.07 < held_out / 1600 < 0.13
