"""The micro-world: a seeded generator of short dialogues and stories about one small world, and its exams.

A small model can learn all of it in minutes, and an exam says which skills it has learned. What is asked in
an exam is never part of the training text: other numbers, words and pairs of facts where a skill can
generalize, other wordings where it is a matter of knowing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from gpt_studio.core.chat import Message, Template
from gpt_studio.core.world_facts import ANIMALS, NAMES, OPPOSITES, PEOPLE, WORDS, Animal

NAME = "world"  # as a corpus
QUESTIONS = 30  # of each skill in an exam


@dataclass(frozen=True)
class Exchange:
    """A question and its one right answer, after what was said before.

    `key` says what it is about, whatever the wording; "" for what anybody may know.
    """

    question: str
    answer: str
    key: str = ""
    before: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        return (*self.before, Message("user", self.question), Message("model", self.answer))


@dataclass(frozen=True)
class Question:
    """One question of an exam: all that the model reads, and how it has to answer.

    An answer that is the beginning of a longer one need not end there.
    """

    skill: str
    messages: tuple[Message, ...]
    answer: str
    ends: bool = True


def is_held_out(key: str, one_in: int) -> bool:
    """Whether a key is kept for exams: one in so many, always the same ones."""
    return zlib.crc32(key.encode()) % one_in == 0


# ---------------------------------------------------------------- skills


def _wording(random: Random, exam: bool, training: tuple[str, ...], held_out: tuple[str, ...]) -> str:
    return random.choice(held_out if exam else training)


def _greetings(random: Random, exam: bool) -> Exchange:
    """Greet by name, and remember the name."""
    if not exam and random.random() < 0.3:
        return Exchange(*random.choice(_SMALL_TALK))
    name = random.choice(NAMES)
    greeting = random.choice(("Hello", "Hi", "Good morning", "Good day"))
    about = random.choice(("I am {}", "my name is {}", "this is {}", "{} is my name"))
    said = f"{greeting}, {about.format(name)}."
    hello = Exchange(said, f"{greeting}, {name}.", said)
    if random.random() < 0.5:
        return hello
    asked = random.choice(("What is my name?", "Who am I?", "Do you know my name?"))
    return Exchange(asked, f"Your name is {name}.", said, hello.messages)


_SMALL_TALK = (
    ("Hello.", "Hello."),
    ("Hi.", "Hi."),
    ("Good morning.", "Good morning."),
    ("How are you?", "I am well, thank you."),
    ("Who are you?", "I am a very small model."),
    ("What is your name?", "I have no name. I am a very small model."),
    ("What can you do?", "I know the animals and I can count."),
    ("What do you know?", "I know the animals and I can count."),
    ("Thank you.", "You are welcome."),
    ("Thanks.", "You are welcome."),
    ("Goodbye.", "Goodbye."),
    ("Bye.", "Bye."),
)


def _facts(random: Random, exam: bool) -> Exchange:
    asked = random.choice(("home", "food", "color", "friend", "likes", "town", "thing"))
    wording = _wording(random, exam, *_FACTS[asked])
    if asked in ("likes", "town", "thing"):
        person = random.choice(PEOPLE)
        question = wording.format(person.name)
        answer = {
            "likes": f"{person.name} likes {person.likes}.",
            "town": f"{person.name} comes from {person.town}.",
            "thing": f"{person.name} has {person.thing}.",
        }[asked]
        return Exchange(question, answer)
    animal = random.choice(ANIMALS)
    return Exchange(wording.format(f"the {animal.name}"), _about(animal, asked))


_FACTS = {
    "home": (
        ("Where does {} live?", "Where is the home of {}?", "Where can I see {}?", "Tell me where {} lives."),
        ("Where can I find {}?", "Do you know where {} lives?"),
    ),
    "food": (
        (
            "What does {} eat?",
            "What is the food of {}?",
            "Do you know what {} eats?",
            "What can I give {} to eat?",
        ),
        ("Tell me what {} eats.",),
    ),
    "color": (
        ("What color is {}?", "What is the color of {}?", "Do you know the color of {}?"),
        ("Tell me the color of {}.",),
    ),
    "friend": (
        ("Who likes {}?", "Tell me who likes {}.", "Which friend has {}?"),
        ("Do you know who likes {}?",),
    ),
    "likes": (
        ("What does {} like?", "Do you know what {} likes?", "What can I give {}?"),
        ("Tell me what {} likes.",),
    ),
    "town": (
        ("Where does {} come from?", "Where is the town of {}?", "Where can I find {}?"),
        ("Tell me where {} comes from.", "Do you know where {} comes from?"),
    ),
    "thing": (
        ("What does {} have?", "Tell me what {} has.", "Which thing has {}?"),
        ("Do you know what {} has?",),
    ),
}


def _about(animal: Animal, asked: str) -> str:
    return {
        "home": f"The {animal.name} lives {animal.home}.",
        "food": f"The {animal.name} eats {animal.food}.",
        "color": f"The {animal.name} is {animal.color}.",
        "friend": f"{animal.friend} likes the {animal.name}.",
    }[asked]


_KNOWN_BY = {
    "home": "that lives {0.home}",
    "food": "that eats {0.food}",
    "color": "that is {0.color}",
    "friend": "that {0.friend} likes",
}
_ASKED_FOR = {
    "home": "Where does the animal {} live?",
    "food": "What does the animal {} eat?",
    "color": "What color is the animal {}?",
    "friend": "Who likes the animal {}?",
}


def _two_facts(random: Random, exam: bool) -> Exchange:
    """Who is it, then what is asked: the answer says both, one after the other."""
    known, asked = random.sample(tuple(_KNOWN_BY), 2)
    animal = random.choice(ANIMALS)
    question = _ASKED_FOR[asked].format(_KNOWN_BY[known].format(animal))
    answer = f"It is the {animal.name}. {_about(animal, asked)}"
    return Exchange(question, answer, question)


def _opposites(random: Random, exam: bool) -> Exchange:
    word = random.choice(tuple(OPPOSITES))
    wording = _wording(
        random,
        exam,
        ("What is the opposite of {}?", "Tell me the opposite of {}.", "The opposite of {} is what?"),
        ("Do you know the opposite of {}?",),
    )
    return Exchange(wording.format(word), f"{OPPOSITES[word]}.")


def _counting(random: Random, exam: bool) -> Exchange:
    start = random.randrange(97)
    wording = random.choice(
        ("Count on from {}.", "Count three more from {}.", "Which numbers come after {}?")
    )
    answer = ", ".join(str(start + step) for step in (1, 2, 3)) + "."
    return Exchange(wording.format(start), answer, f"count {start}")


_SUMS = tuple((first, second) for first in range(21) for second in range(21 - first))


def _addition(random: Random, exam: bool) -> Exchange:
    first, second = random.choice(_SUMS)
    wording = random.choice(("What is {} plus {}?", "{} + {} = ?", "Add {} and {}."))
    return Exchange(wording.format(first, second), f"{first + second}.", f"{first} + {second}")


def _subtraction(random: Random, exam: bool) -> Exchange:
    second, rest = random.choice(_SUMS)
    first = second + rest
    wording = random.choice(("What is {} minus {}?", "{} - {} = ?", "Take {1} from {0}."))
    return Exchange(wording.format(first, second), f"{rest}.", f"{first} - {second}")


def _comparing(random: Random, exam: bool) -> Exchange:
    first, second = random.sample(range(100), 2)
    more = random.random() < 0.5
    wording = random.choice(("Which is {2}, {0} or {1}?", "What is {2}: {0} or {1}?"))
    answer = max(first, second) if more else min(first, second)
    low, high = sorted((first, second))
    question = wording.format(first, second, "more" if more else "less")
    return Exchange(question, f"{answer}.", f"{low} or {high}")


def _word(random: Random) -> str:
    """A short word, or one that could be: spelling is more than knowing some words by heart."""
    if random.random() < 0.5:
        return random.choice(WORDS)
    pattern = random.choice(("cvc", "cvcv", "vcvc"))
    return "".join(random.choice("aeiou" if kind == "v" else "bdfgklmnprstvz") for kind in pattern)


def _letters(random: Random, exam: bool) -> Exchange:
    word = _word(random)
    which = random.choice(("first", "last"))
    wording = random.choice(("What is the {} letter of {}?", "Tell me the {} letter of {}."))
    return Exchange(
        wording.format(which, word), f"{word[0 if which == 'first' else -1]}.", f"letter of {word}"
    )


def _reversing(random: Random, exam: bool) -> Exchange:
    word = _word(random)
    wording = random.choice(("Say {} backwards.", "What is {} backwards?"))
    return Exchange(wording.format(word), f"{word[::-1]}.", f"{word} backwards")


def _copying(random: Random, exam: bool) -> Exchange:
    words = " ".join(_word(random) for _ in range(random.randint(2, 3)))
    wording = random.choice(("Say after me: {}.", "Say: {}."))
    return Exchange(wording.format(words), f"{words}.", f"say {words}")


def _story(random: Random, exam: bool) -> Exchange:
    animal = random.choice(ANIMALS)
    wording = _wording(
        random,
        exam,
        (
            "Tell me a story about the {}.",
            "I want a story about the {}.",
            "Do you know a story about the {}?",
        ),
        ("A story about the {}.",),
    )
    question = wording.format(animal.name)
    return Exchange(question, story_opening(animal) if exam else story(random, animal))


def story_opening(animal: Animal) -> str:
    return f"Once a {animal.color} {animal.name} lived {animal.home}."


def story(random: Random, animal: Animal | None = None) -> str:
    """A few sentences about an animal, another one and a person, in accord with all that is known."""
    animal = animal or random.choice(ANIMALS)
    other = random.choice([one for one in ANIMALS if one is not animal])
    person = next(person for person in PEOPLE if person.name == animal.friend)
    middle = random.choice(
        (
            f"One day it met the {other.name} and they ate {other.food}.",
            f"It was hungry and looked for {animal.food}. The {other.name} came and helped.",
            f"One day {person.name} came with {person.thing}. They played until night.",
            f"It wanted to see the {other.name}. So it went to look {other.home}.",
        )
    )
    end = random.choice(
        ("Then it went home.", "It was happy.", f"And {person.name} was happy too.", "The end.")
    )
    return f"{story_opening(animal)} {middle} {end}"


@dataclass(frozen=True)
class Skill:
    """One thing to learn: its name for people, how often it is practiced, and what makes its exchanges."""

    name: str
    label: str
    weight: float
    draw: Callable[[Random, bool], Exchange]
    open_ended: bool = False  # the answer is only how it has to begin
    one_in: int = 10  # of all that can be asked, so much is kept for exams

    def practice(self, random: Random) -> Exchange:
        """Something of the training text."""
        return self._draw(random, exam=False)

    def question(self, random: Random) -> Exchange:
        """Something of an exam."""
        return self._draw(random, exam=True)

    def _draw(self, random: Random, exam: bool) -> Exchange:
        while True:
            exchange = self.draw(random, exam)
            if not exchange.key or is_held_out(exchange.key, self.one_in) == exam:
                return exchange


SKILLS = (
    Skill("greetings", "Greetings", 1.5, _greetings),
    Skill("facts", "Facts", 3, _facts),
    Skill("two_facts", "Two facts", 2, _two_facts, one_in=5),
    Skill("opposites", "Opposites", 1, _opposites),
    Skill("counting", "Counting", 1.5, _counting),
    Skill("addition", "Addition", 3, _addition),
    Skill("subtraction", "Subtraction", 4, _subtraction),
    Skill("comparing", "Comparing", 1.5, _comparing),
    Skill("letters", "Letters", 1, _letters),
    Skill("reversing", "Reversing", 2, _reversing),
    Skill("copying", "Copying", 1, _copying),
    Skill("stories", "Stories", 1, _story, open_ended=True),
)


# ---------------------------------------------------------------- training text and exams


def documents(seed: int, template: Template) -> Iterator[str]:
    """Endless short documents, always the same ones for a seed."""
    random = Random(seed)
    while True:
        kind = random.random()
        if kind < 0.04:
            yield story(random) + "\n"
        elif kind < 0.08:
            yield _description(random) + "\n"
        else:
            yield template.text(_dialogue(random))


def _dialogue(random: Random) -> list[Message]:
    """Some exchanges about this and that."""
    skills = random.choices(SKILLS, [skill.weight for skill in SKILLS], k=random.randint(1, 4))
    said = [message for skill in skills for message in skill.practice(random).messages]
    return [_as_typed(random, message) for message in said]


def _as_typed(random: Random, message: Message) -> Message:
    """Now and then as people type: in small letters, without the mark at the end."""
    if message.role == "model" or random.random() < 0.8:
        return message
    return Message("user", message.text.lower().rstrip(".?"))


def _description(random: Random) -> str:
    animal = random.choice(ANIMALS)
    return " ".join(_about(animal, asked) for asked in random.sample(tuple(_KNOWN_BY), 4))


@cache
def exam(count: int = QUESTIONS) -> tuple[Question, ...]:
    """Up to `count` questions of every skill, none of which is in any training text."""
    random = Random("exam")
    return tuple(question for skill in SKILLS for question in _questions(random, skill, count))


def _questions(random: Random, skill: Skill, count: int) -> list[Question]:
    """Different ones; fewer where a skill has no more."""
    found: dict[tuple[Message, ...], Question] = {}
    for _ in range(50 * count):
        asked = skill.question(random)
        messages = asked.messages[:-1]
        found.setdefault(messages, Question(skill.name, messages, asked.answer, not skill.open_ended))
        if len(found) == count:
            break
    return list(found.values())
