"""One offer of the demo shop: how a seller writes down a thing that lies on a shelf.

Sellers are not careful, and that is what makes the shop worth learning from: a title may name a product line
instead of the thing, a description may be missing or praise something else, and the same thing is offered
twice.
"""

from __future__ import annotations

import html
import json
import random
import re
from dataclasses import dataclass, replace

from shelfwise.demo.words import Department, Shelf, vocabulary

ENGLISH, GERMAN = 0, 1
GERMAN_SHARE = 0.15
NAMELESS_SHARE = 0.05  # titles with a product line in the place of the thing's name
MUTE_SHARE = 0.1  # offers without a description
REMARK_SHARE = 0.75  # descriptions with a sentence that only this shelf gets
WEARER_SHARE = 0.9  # titles that say for whom it is, where that tells the shelf
SIZE_WORD = ("Size", "Größe")
MATERIAL_WORD = ("Material", "Material")
COLOUR_WORD = ("Colour", "Farbe")
FOR_WORD = ("for", "für")
SEE_ALSO = ("Goes well with our {}.", "Passt gut zu: {}.")


@dataclass(frozen=True)
class Offer:
    """One row of the catalogue, before its category is written beside it."""

    title: str
    description: str
    attributes: str
    brand: str
    shop: str
    price: str
    url: str


@dataclass(frozen=True)
class _Thing:
    """What is offered: the facts, of which the seller tells some."""

    shelf: Shelf
    department: Department
    language: int
    kind: str
    brand: str
    model: str
    material: str
    colour: str
    size: str


def write_offer(shelf: Shelf, number: int, chance: random.Random) -> Offer:
    """Invent a thing for a shelf and let a seller describe it.

    Args:
        shelf: Where the thing belongs.
        number: Makes the address of the product's page unique.
        chance: The only source of randomness.

    """
    thing = _thing(shelf, chance)
    title = _title(thing, chance)
    seller = chance.choice(vocabulary().shops)
    return Offer(
        title=title,
        description=_description(thing, chance),
        attributes=_attributes(thing, chance),
        brand=thing.brand if chance.random() < 0.85 else "",
        shop=seller,
        price=_price(chance),
        url=_address(seller, title, number),
    )


def offer_again(offer: Offer, number: int, chance: random.Random) -> Offer:
    """Offer the same thing again as another seller: another price, a title slightly changed."""
    words = offer.title.split(" ")
    turns = (
        lambda: " ".join(words[1:] + words[:1]),
        lambda: offer.title.upper(),
        lambda: f"{offer.title} - {chance.choice(('NEW', 'Top!', 'Sale', 'NEU'))}",
        lambda: offer.title.replace(",", ""),
    )
    title = chance.choice(turns)()
    seller = chance.choice([shop for shop in vocabulary().shops if shop != offer.shop])
    return replace(offer, title=title, shop=seller, price=_price(chance), url=_address(seller, title, number))


def _thing(shelf: Shelf, chance: random.Random) -> _Thing:
    department = vocabulary().departments[shelf.path[0]]
    language = GERMAN if chance.random() < GERMAN_SHARE else ENGLISH
    return _Thing(
        shelf,
        department,
        language,
        kind=chance.choice(shelf.kinds)[language],
        brand=chance.choice(department.brands),
        model=chance.choice(department.models),
        material=chance.choice(department.materials)[language],
        colour=chance.choice(vocabulary().colours)[language],
        size=chance.choice(department.sizes),
    )


def _title(thing: _Thing, chance: random.Random) -> str:
    nameless = chance.random() < NAMELESS_SHARE
    name = thing.model if nameless else thing.kind
    if thing.shelf.wearer and chance.random() < WEARER_SHARE:
        name = f"{name} {FOR_WORD[thing.language]} {thing.shelf.wearer[thing.language]}"
    shapes = (
        f"{thing.brand} {name} {thing.colour}, {thing.size}",
        f"{name} {thing.material} {thing.colour} {thing.brand}",
        f"{thing.brand} {thing.model} {name if not nameless else thing.material}, {thing.size}",
        f"{name}, {thing.material}, {thing.size}",
    )
    title = chance.choice(shapes)
    return title[0].upper() + title[1:]


def _description(thing: _Thing, chance: random.Random) -> str:
    if chance.random() < MUTE_SHARE:
        return ""
    language = thing.language
    sentences = [chance.choice(thing.department.praise)[language]]
    if chance.random() < REMARK_SHARE:
        sentences.append(chance.choice(thing.shelf.remarks)[language])
    if chance.random() < 0.2:
        neighbour = chance.choice(
            [shelf for shelf in vocabulary().shelves if shelf.path[0] == thing.shelf.path[0]]
        )
        sentences.append(SEE_ALSO[language].format(chance.choice(neighbour.kinds)[language]))
    chance.shuffle(sentences)
    lead = f"{thing.brand} {thing.kind if chance.random() < 0.5 else thing.model}"
    points = [f"{MATERIAL_WORD[language]}: {thing.material}", f"{COLOUR_WORD[language]}: {thing.colour}"]
    listed = "".join(f"<li>{html.escape(point)}</li>" for point in points)
    closing = html.escape(chance.choice(vocabulary().boilerplate)[language]).replace("€", "&euro;")
    body = " ".join(html.escape(sentence) for sentence in sentences)
    return f"<h2>{html.escape(lead)}</h2><p>{body}</p><ul>{listed}</ul><p class='small'>{closing}</p>"


def _attributes(thing: _Thing, chance: random.Random) -> str:
    """JSON as shops export it: names to lists of values, with one more level for what they call details."""
    language = thing.language
    facts: dict[str, object] = {
        MATERIAL_WORD[language]: [thing.material],
        COLOUR_WORD[language]: [thing.colour],
        SIZE_WORD[language]: [thing.size],
    }
    told: dict[str, object] = {name: value for name, value in facts.items() if chance.random() < 0.6}
    if thing.shelf.wearer and chance.random() < 0.4:
        told["Details"] = {"Gender" if language == ENGLISH else "Zielgruppe": thing.shelf.wearer[language]}
    return json.dumps(told, ensure_ascii=False) if told else ""


def _price(chance: random.Random) -> str:
    euros, cents = chance.randint(3, 249), chance.choice((0, 49, 90, 95, 99))
    return chance.choice((f"{euros}.{cents:02d}", f"{euros},{cents:02d} €", f"EUR {euros}.{cents:02d}"))


def _address(shop: str, title: str, number: int) -> str:
    slug, host = (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in (title, shop))
    return f"https://{host}.example/p/{slug}-{number}"
