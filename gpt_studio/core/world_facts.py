"""What there is in the small world: its animals and people, and the words it is told in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Animal:
    """One of the animals and all there is to know about it."""

    name: str
    color: str
    home: str  # with its preposition
    food: str
    friend: str


@dataclass(frozen=True)
class Person:
    """One of the people and all there is to know about them."""

    name: str
    likes: str
    town: str
    thing: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _table(text: str) -> list[list[str]]:
    """The fields of each line."""
    return [[field.strip() for field in line.split(",")] for line in text.strip().splitlines()]


ANIMALS = tuple(
    Animal(*row)
    for row in _table(
        """
        fox, red, in the wood, berries, Tom
        owl, brown, in the old tree, seeds, Anna
        hen, white, in the barn, corn, Ben
        frog, green, in the pond, flies, Mia
        bear, black, in the cave, honey, Max
        cow, spotted, in the field, grass, Clara
        duck, yellow, on the lake, bread, Leo
        mouse, gray, in the wall, cheese, Ida
        cat, orange, in the house, fish, Sam
        goat, silver, on the hill, leaves, Nina
        crab, pink, on the beach, shells, Paul
        snail, purple, in the garden, salad, Lily
        """
    )
)

PEOPLE = tuple(
    Person(*row)
    for row in _table(
        """
        Tom, apples, Northtown, a kite
        Anna, books, Southtown, a lamp
        Ben, soup, Easttown, a drum
        Mia, music, Westtown, a boat
        Max, rain, Oldtown, a bell
        Clara, flowers, Newtown, a basket
        Leo, cake, Lowtown, a ball
        Ida, stars, Hightown, a clock
        Sam, games, Longtown, a hat
        Nina, snow, Redtown, a rope
        Paul, tea, Bluetown, a net
        Lily, plums, Greentown, a ring
        """
    )
)

_PAIRS = _words(
    """
    big-small hot-cold up-down day-night old-new fast-slow wet-dry open-closed good-bad happy-sad
    long-short full-empty loud-quiet hard-soft light-dark near-far first-last high-low rich-poor yes-no
    """
)
OPPOSITES = {word: other for pair in _PAIRS for word, other in (pair.split("-"), pair.split("-")[::-1])}

WORDS = _words(
    """
    ant arm art bag bat bed bee bell belt bird boat bone book boot box boy bread bus cake camp car card
    cart cave city clay cloud coal coat coin cold cook corn cow crab cup dance day desk dish dog door
    drum duck dust ear east egg eye face farm fire fish flag floor foot fork fox frog game gate gift
    girl goat gold grass hand hat head hen hill home horn horse ice ink iron jam jar jump key kind king
    kite lake lamp land leaf leg lime line lion lip list lock log loud map mask meal milk mind moon
    mouse mud nail name neck nest net night nose nut oak oil owl page pan park path pen pie pig pin plum
    pond pot queen rain ring road rock roof rope rose rug sad salt sand sea seed ship shoe silk sing sky
    slow snow soap song soup spin star stem step sun swan tail task tea tent time toe top town toy tree
    tub van walk wall warm wave web well west wind wing wolf wood yard year zoo
    """
)

NAMES = _words(
    """
    Ada Adam Alan Alice Amy Anna Arno Bella Ben Berta Bill Bob Carl Carla Cleo Clara Cora Dan Dave Diana
    Dina Dora Ed Eddy Ella Emil Emma Eric Eva Fay Felix Finn Frank Fred Gabe Gina Glen Grace Greta Gus
    Hana Hank Hans Harry Helen Hugo Ida Igor Ina Iris Isaac Ivan Jack Jane Jean Jim Joe John Jon Julia
    Karl Kate Kay Ken Kim Kurt Lara Lea Lena Leo Liam Lily Lisa Lola Luca Lucy Luke Mara Mark Mary Matt
    Max May Mia Mike Mila Milo Mona Nadia Ned Nick Nina Noah Nora Olga Olive Omar Oscar Otto Pam Pat
    Paul Peter Pia Rita Rob Rosa Ruby Ruth Sam Sara Sean Sofia Stan Sue Tess Theo Tim Tina Tom Toni Uma
    Ute Vera Victor Vito Wanda Will Yara Yuri Zack Zara Zoe
    """
)
