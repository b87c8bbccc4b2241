"""A conversation as the one plain text a model reads and goes on with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "model"]
Mode = Literal["chat", "continue"]

_STARTERS = {
    "world": ("Where does the fox live?", "What is 7 plus 5?", "Tell me a story about the owl."),
    "python-reference": ("The", "A function is", "An exception"),
    "python-library": ("import", "def", "class"),
}
_ANY_TEXT = ("The", "It is", "When")
END_OF_TEXT = "<|endoftext|>"  # how the token that separates texts is shown


@dataclass(frozen=True)
class Message:
    """What one side said."""

    role: Role
    text: str


@dataclass(frozen=True)
class Template:
    """How a conversation is written down: what stands before each message and what ends it.

    Only a model that read texts written this way answers; any other just goes on with the text.
    """

    user: str = "Q: "
    model: str = "A: "
    end: str = "\n"

    def prompt(self, messages: Iterable[Message]) -> str:
        """Every message after its name, then the model's name, whose turn it is.

        The space after that name is left to the model: a tokenizer keeps it together with the next word.
        """
        return self.text(messages) + self.model.rstrip()

    def text(self, messages: Iterable[Message]) -> str:
        """A whole conversation, as a model learns from it."""
        names = {"user": self.user, "model": self.model}
        return "".join(names[message.role] + message.text.strip() + self.end for message in messages)

    @property
    def stop(self) -> str:
        """The text that ends an answer: the model begins to write the user's next line."""
        return self.end + self.user.rstrip()


def request(mode: Mode, messages: Sequence[Message], template: Template) -> tuple[str, str]:
    """The prompt and the stop text for the model's next turn.

    To continue, the prompt is the raw text so far, nothing added and nothing to stop at.
    """
    if mode == "chat":
        return template.prompt(messages), template.stop
    return "".join(message.text for message in messages), ""


def starters(corpora: Sequence[str], text: str = "") -> tuple[str, ...]:
    """Three beginnings that suit what a model read: known ones, else the first words of lines of `text`."""
    known = _STARTERS.get(corpora[0]) if len(corpora) == 1 else None
    return known or (*_first_words(text), *_ANY_TEXT)[:3]


def _first_words(text: str) -> tuple[str, ...]:
    """The first three words of lines that have more, each beginning once."""
    lines = (line.split() for line in text.splitlines())
    return tuple(dict.fromkeys(" ".join(words[:3]) for words in lines if len(words) > 3))


def can_branch(token: str) -> bool:
    """Whether a token can stand in a prompt: it is text, not the end of one nor part of a character."""
    return bool(token) and token != END_OF_TEXT and "\ufffd" not in token
