"""Names: the same one under several parents, sisters spelled nearly alike, and names that say nothing."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Finding, count, examples_of, percent, shown
from shelfwise.audit.doctor.merging import gain_of_merging
from shelfwise.audit.doctor.overlap import overlaps

_APART = 0.9  # from there on the model tells two shelves apart
_ALIKE = 0.3  # overlap of two sisters, from which a difference of one letter is taken for a slip
_SMALL = 5  # products of a shelf too small for the model to say anything
_LONG_ENOUGH = 6  # letters of a name that may be off by one
_SHOWN = 4
_MOST_SISTERS = 400  # names are compared pair by pair


def find_same_names(answers: Answers) -> list[Finding]:
    """One finding for each name that stands under several parents; whether they can be told apart."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for code, path in enumerate(answers.taxonomy.paths):
        by_name[name_key(path[-1])].append(code)
    found = []
    for key, codes in sorted(by_name.items()):
        parents = {answers.taxonomy.paths[code][:-1] for code in codes}
        if key and len(parents) > 1:
            found.append(_same_name(answers, codes))
    return found


def _same_name(answers: Answers, codes: list[int]) -> Finding:
    largest = sorted(codes, key=lambda code: (-answers.sizes[code], code))
    pairs = [(a, b) for place, a in enumerate(largest[:6]) for b in largest[place + 1 : 6]]
    told = [answers.told_apart(a, b) for a, b in pairs]
    worst = int(np.argmin(told))
    names = ", ".join(shown(answers, code) for code in largest[:_SHOWN])
    more = f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else ""
    says = f'"{answers.taxonomy.paths[largest[0]][-1]}" stands in {len(codes)} places: {names}{more}. '
    first, second = pairs[worst]
    if min(answers.sizes[first], answers.sizes[second]) < _SMALL:
        says += "Some have too few products to say whether they can be told apart."
        advice = "Make sure that both are wanted, and that a new product can only mean one of them."
    elif told[worst] >= _APART:
        says += f"Products tell them apart (in {percent(told[worst])} of pairs at the least)."
        advice = "Nothing is mixed up; say the parent in the name where only the name is shown."
    else:
        says += (
            f"{shown(answers, first)} and {shown(answers, second)} are hard to tell apart: "
            f"{answers.knows_which(first, second)}."
        )
        advice = "Decide which one keeps the products that fit both, or give them names that differ."
    gain = gain_of_merging(answers, [(first, second)]) if told[worst] < _APART else None
    crossing = [row for code in (first, second) for row in _strangers(answers, code)]
    return Finding(
        "same_name", tuple(answers.taxonomy.labels[code] for code in largest),
        int(answers.sizes[codes].sum()), says, advice, {"told_apart": told[worst], "places": len(codes)},
        examples_of(answers, np.array(crossing, np.int64)), gain,
    )  # fmt: skip


def _strangers(answers: Answers, code: int) -> list[int]:
    """Two products of a shelf that fit it least."""
    rows = answers.rows_by_shelf[code]
    return rows[np.argsort(answers.given[rows], kind="stable")[:2]].tolist()  # type: ignore[no-any-return]


# -- spelling ------------------------------------------------------------------------------------------------


def find_spellings(answers: Answers) -> list[Finding]:
    """Sisters, at any level, whose names differ in case, accents, a plural, spaces, or by a slip."""
    nodes = answers.taxonomy.nodes
    sisters: dict[int, list[int]] = defaultdict(list)
    for node, above in enumerate(answers.taxonomy.parent.tolist()):
        sisters[above].append(node)
    alike = overlaps(answers)
    found = []
    for _, children in sorted(sisters.items()):
        names = [nodes[node][-1] for node in children]
        for one, other, same in _near_names(names):
            pair = (children[one], children[other])
            labels = [_below(answers, node) for node in pair]
            overlap = max((alike[a, b] for a in labels[0] for b in labels[1]), default=0.0)
            if same or overlap >= _ALIKE:
                found.append(_spelling(answers, pair, labels, float(overlap)))
    return found


def _near_names(names: list[str]) -> list[tuple[int, int, bool]]:
    """Pairs of names that are nearly the same, and whether they are the same but for form."""
    keys, plain = [name_key(name) for name in names], [_bare(name) for name in names]
    pairs = []
    by_key: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        by_key[key].append(place)
    for places in by_key.values():
        pairs += [(places[0], other, True) for other in places[1:] if keys[other]]
    if len(names) <= _MOST_SISTERS:
        pairs += [
            (one, other, False)
            for one in range(len(names))
            for other in range(one + 1, len(names))
            if keys[one] != keys[other] and _one_slip(plain[one], plain[other])
        ]
    return sorted(pairs)


def name_key(name: str) -> str:
    """A name without what makes no difference: case, accents, punctuation, spaces and the s of a plural."""
    return "".join(_singular(word) for word in _words(name))


def _bare(name: str) -> str:
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).casefold()
    # Accents of Latin, Greek and Cyrillic alone: elsewhere a combining mark is a vowel.
    letters = "".join(letter for letter in plain if not "\u0300" <= letter <= "\u036f")
    joined = re.sub(r"(?<=\w)['’`](?=\w)", "", letters).replace("&", " and ").replace("_", " ")
    return re.findall(r"[^\W_]+(?:\w*)", unicodedata.normalize("NFC", joined))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _one_slip(one: str, other: str) -> bool:
    """Whether two long names differ by one letter (left out, added, changed, or two swapped), not a digit."""
    if min(len(one), len(other)) < _LONG_ENOUGH or abs(len(one) - len(other)) > 1:
        return False
    changes = [
        c for c in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes() if c[0] != "equal"
    ]
    parts = [one[a:b] + other[c:d] for _, a, b, c, d in changes]
    if any(letter.isdigit() for part in parts for letter in part):
        return False
    single = len(changes) == 1 and max(changes[0][2] - changes[0][1], changes[0][4] - changes[0][3]) == 1
    swapped = len(changes) == 2 and len(one) == len(other) and sorted(one) == sorted(other)
    return single or swapped


def _below(answers: Answers, node: int) -> list[int]:
    """The labels at and below a node."""
    tree = answers.taxonomy
    return tree.order[tree.first[node] : tree.last[node]].tolist()  # type: ignore[no-any-return]


def _spelling(answers: Answers, pair: tuple[int, int], labels: list[list[int]], overlap: float) -> Finding:
    tree = answers.taxonomy
    sizes = [int(answers.sizes[codes].sum()) for codes in labels]
    kept, other = (0, 1) if sizes[0] >= sizes[1] else (1, 0)
    names = [f'"{tree.name(node)}"' for node in pair]
    leaves = len(labels[0]) == len(labels[1]) == 1
    says = (
        f"{names[kept]} ({count(sizes[kept], 'product')}) and {names[other]} "
        f"({count(sizes[other], 'product')}) "
        "are sisters with nearly the same name"
    )
    gain = None
    evidence = {"overlap": overlap}
    if leaves:
        gain = gain_of_merging(answers, [(labels[0][0], labels[1][0])])
        apart = answers.told_apart(labels[0][0], labels[1][0])
        evidence["told_apart"] = apart
        says += f"; {answers.knows_which(labels[0][0], labels[1][0])}"
    advice = f"Keep {names[kept]} and move what is in {names[other]} there, unless they are meant to differ."
    safe = gain is not None and gain.products > 0 and gain.weighted_f1 >= 0
    codes = [*labels[kept], *labels[other]]
    rows = np.concatenate([answers.rows_by_shelf[part[0]][:3] for part in (labels[kept], labels[other])])
    return Finding(
        "spelling", tuple(tree.labels[code] for code in codes), sum(sizes), says + ".", advice, evidence,
        examples_of(answers, rows), gain, tree.labels[labels[kept][0]] if safe else "",
    )  # fmt: skip


# -- names that say nothing ----------------------------------------------------------------------------------


def find_empty_names(answers: Answers) -> list[Finding]:
    """Shelves whose own name has no letter: "-", "1", "???"."""
    found = []
    for code, path in enumerate(answers.taxonomy.paths):
        if any(letter.isalpha() for letter in path[-1]) or not answers.sizes[code]:
            continue
        rows = answers.rows_by_shelf[code]
        word = ", ".join(f'"{w}"' for w in answers.words.telling(rows, _others(answers, code)))
        says = f'{shown(answers, code)} has no name that says what belongs there ("{path[-1]}").'
        says += f" Words that its titles have and others lack: {word}." if word else ""
        advice = "Give it a name: people sort by names, and so do encoders that read them."
        labels = (answers.taxonomy.labels[code],)
        found.append(Finding("name", labels, len(rows), says, advice, {}, examples_of(answers, rows[:4])))
    return found


def _others(answers: Answers, code: int) -> NDArray[np.int64]:
    return np.flatnonzero(answers.y != code)
