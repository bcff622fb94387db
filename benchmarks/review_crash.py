"""Is a decision that was acknowledged ever lost or doubled? The review server is killed again and again.

    python benchmarks/review_crash.py [--decisions 500] [--kills 50] [--seed 0]

Two reviewers decide at once, over HTTP as the page does, and repeat a request that got no answer, with the
same key, when the server is back. The server is killed (SIGKILL) at moments drawn at random, often while it
writes. At the end the file of decisions is compared with what was acknowledged.
"""

from __future__ import annotations

import argparse
import http.client
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from review_client import Client, served
from review_shop import make_shop

PRODUCTS = 300


@dataclass
class Reviewer:
    """Decides products one after the other; what got no answer is sent again to the next server."""

    name: str
    chance: random.Random
    wanted: int
    acknowledged: dict[str, int] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    pending: tuple[str, list[dict]] | None = None
    repeated: int = 0

    def work(self, address: str) -> None:
        """Decide until the server is gone or all is done."""
        client = Client(address, self.name)
        while len(self.acknowledged) < self.wanted:
            again = self.pending is not None
            key, items = self.pending or (str(uuid.uuid4()), self._items())
            self.pending = key, items
            self.asked.add(key)
            try:
                told = client.decide(*items, key=key)
            except (OSError, http.client.HTTPException, KeyError):
                return
            if "saved" in told:
                self.acknowledged[key] = told["saved"]
                self.pending = None
                self.repeated += again
                time.sleep(self.chance.random() / 50)

    def _items(self) -> list[dict]:
        ids = self.chance.sample(range(PRODUCTS), self.chance.choice([1, 1, 1, 5]))
        return [{"id": number, "action": self.chance.choice(["accept", "keep", "unsure"])} for number in ids]


def main() -> None:
    """Kill, compare, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), asked.decisions, asked.kills, random.Random(asked.seed))
    where = record.circumstances()
    results = {"asked": vars(asked), "result": result, "where": where}
    text = (
        f"{result['acknowledged']} requests of two reviewers ({result['rows']} decisions) were acknowledged "
        f"while the server was killed {result['kills']} times: **{result['lost']} lost, "
        f"{result['doubled']} doubled**. {result['unanswered']} requests got no answer because of a kill and "
        f"were sent again with the same key; {result['kept_unanswered']} of those had been kept before the "
        f"kill. SQLite's integrity check says: {result['integrity']}.\n\n{record.in_words(where)}"
    )
    record.store("review_crash", results, text)
    print(text)


def run(folder: Path, decisions: int, kills: int, chance: random.Random) -> dict[str, object]:
    """Let two reviewers decide on servers that are killed; count what was lost and doubled."""
    doubts, _, _ = make_shop(folder, PRODUCTS, pictures=False)
    path = folder / "decisions.sqlite"
    people = [Reviewer(f"R{n}", random.Random(chance.random()), 0) for n in range(2)]
    kept_unanswered = unanswered = 0
    for kill in range(kills + 1):
        last = kill == kills
        for person in people:  # as many as are due by this kill, so that each has some to break
            person.wanted = decisions // 2 if last else 10**9
        with served(doubts, "--decisions", str(path)) as client:
            threads = [threading.Thread(target=person.work, args=(client.address,)) for person in people]
            for thread in threads:
                thread.start()
            if not last:
                share = decisions / 2 * (kill + 1) / kills
                while min(len(person.acknowledged) for person in people) < share * 0.9:
                    time.sleep(0.002)
                time.sleep(chance.random() / 20)
                client.process.send_signal(signal.SIGKILL)
                client.process.wait()
            for thread in threads:
                thread.join()
        there = keys(path)
        broken = [person.pending[0] for person in people if person.pending]
        unanswered += len(broken)
        kept_unanswered += sum(key in there for key in broken)
        print(f"kill {kill + 1}: {sum(len(p.acknowledged) for p in people)} acknowledged", file=sys.stderr)
    return {
        "kills": kills,
        "unanswered": unanswered,
        "kept_unanswered": kept_unanswered,
        **compare(path, people),
    }


def keys(path: Path) -> dict[str, list[int]]:
    """The doubts of each request that the file holds."""
    there: dict[str, list[int]] = {}
    database = sqlite3.connect(path)
    for key, number in database.execute("SELECT key, id FROM decisions ORDER BY seq"):
        there.setdefault(key, []).append(number)
    database.close()
    return there


def compare(path: Path, people: list[Reviewer]) -> dict[str, object]:
    """What the file holds against what was acknowledged."""
    there = keys(path)
    acknowledged = {key: saved for person in people for key, saved in person.acknowledged.items()}
    every = set().union(*(person.asked for person in people))
    database = sqlite3.connect(path)
    integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    return {
        "acknowledged": len(acknowledged),
        "rows": sum(map(len, there.values())),
        "lost": sum(len(set(there.get(key, []))) != saved for key, saved in acknowledged.items()),
        "doubled": sum(len(ids) != len(set(ids)) for ids in there.values()),
        "unknown": len(set(there) - every),
        "integrity": integrity,
    }


if __name__ == "__main__":
    main()
