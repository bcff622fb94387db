"""Models by name: versions, promises, reloading, corrections, what is told of them."""

import asyncio
import shutil

import pytest

from shelfwise.categorizer import load
from shelfwise.errors import ModelError
from shelfwise.serve.answerer import Asked, Wish
from shelfwise.serve.corrections import Correction, Journal
from shelfwise.serve.drift import Usual
from shelfwise.serve.limits import LIMITS
from shelfwise.serve.models import Models
from shelfwise.serve.refusal import RefusedError

GADGET = {"title": "entirely new gadget zyx"}


@pytest.fixture
def make():
    """Makes and closes models."""
    made = []

    def go(places, journal=None):
        models = Models({name: str(place) for name, place in places.items()}, LIMITS, journal)
        models.load_all()
        made.append(models)
        return models

    yield go
    for models in made:
        models.close()


def answer(loaded, product=GADGET):
    """The category of one product."""
    offer = loaded.answerer.intake.read(product, set())
    return loaded.answerer.answer([Asked([offer], Wish())])[0][0].category


def test_models_are_asked_by_name_and_the_first_by_none(make, saved):
    models = make({"a": saved, "b": saved})

    assert [models.get(name).name for name in (None, "a", "b")] == ["a", "a", "b"]
    assert models.get("a").named.version == models.get("b").named.version
    with pytest.raises(RefusedError, match="there is a, b"):
        models.get("c")


def test_the_version_is_that_of_what_it_learned(make, saved, tmp_path):
    shutil.copytree(saved, tmp_path / "copy")
    model = load(saved)
    model.add_shelf("Gadgets > Zyx", words="gadget zyx").save(tmp_path / "changed")
    models = make({"a": saved, "copy": tmp_path / "copy", "changed": tmp_path / "changed"})
    versions = [loaded.named.version for loaded in models.all]

    assert versions[0] == versions[1] != versions[2]


def test_a_promise_is_kept_or_refused(make, saved):
    loaded = make({"a": saved}).get(None)

    assert loaded.thresholds(None) is None
    assert loaded.thresholds(0.6) == load(saved).thresholds(0.6)
    for promise in (0.9999, 0.123456):
        with pytest.raises(RefusedError) as refused:
            loaded.thresholds(promise)
        assert refused.value.code == "promise"


def test_a_folder_that_changed_is_taken_and_a_broken_one_is_not(make, saved, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    models = make({"m": place})
    told = []
    models.told = lambda name, done: told.append(done)

    async def watch_until(wanted):
        task = asyncio.ensure_future(models.watch(0.01))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if len(told) == wanted:
                break
        await asyncio.sleep(0.1)
        task.cancel()

    before = models.get(None).named.version
    load(saved).add_shelf("Gadgets > Zyx", words="gadget zyx").save(place)
    asyncio.run(watch_until(1))
    after = models.get(None).named.version
    (place / "MANIFEST.json").write_text("{}")
    asyncio.run(watch_until(2))

    assert before != after == models.get(None).named.version
    assert told == [True, False]


def test_what_was_changed_by_hand_is_not_loaded(make, saved, tmp_path):
    with pytest.raises(ModelError, match="no model folder"):
        make({"a": tmp_path / "none"})


def test_corrections_count_at_once_and_are_kept(make, saved, tmp_path):
    journal = Journal(tmp_path / "corrections.jsonl")
    models = make({"m": saved}, journal)
    loaded = models.get(None)
    shelf = next(label for label in loaded.answerer.taxonomy.labels if label != answer(loaded))
    version = loaded.named.version

    models.correct(
        None, [Correction("m", GADGET, shelf), Correction("m", {"title": "new qq"}, "New > Shelf", True)]
    )

    assert answer(loaded) == shelf
    assert "New > Shelf" in loaded.answerer.taxonomy.labels
    assert loaded.named.version == f"{version}+2"
    again = make({"m": saved}, Journal(tmp_path / "corrections.jsonl")).get(None)
    assert again.named == loaded.named
    assert answer(again) == shelf
    asyncio.run(models.reload())
    assert models.get(None).named == loaded.named
    assert answer(models.get(None)) == shelf


def test_a_shelf_that_one_correction_made_is_there_for_the_next_after_a_new_start(make, saved, tmp_path):
    models = make({"m": saved}, Journal(tmp_path / "corrections.jsonl"))
    models.correct(None, [Correction("m", {"title": "new qq"}, "New > Shelf", True)])
    models.correct(None, [Correction("m", GADGET, "New > Shelf")])
    loaded = models.get(None)
    again = make({"m": saved}, Journal(tmp_path / "corrections.jsonl")).get(None)

    assert again.named == loaded.named
    assert again.answerer.taxonomy.labels == loaded.answerer.taxonomy.labels
    assert answer(again) == answer(loaded) == "New > Shelf"


def test_one_wrong_correction_leaves_all_out(make, saved, tmp_path):
    models = make({"m": saved}, Journal(tmp_path / "corrections.jsonl"))
    loaded = models.get(None)
    shelf, before = loaded.answerer.taxonomy.labels[0], loaded.named

    for wrong in (Correction("m", GADGET, "No > Such"), Correction("m", {"nothing": 1}, shelf)):
        with pytest.raises(RefusedError):
            models.correct(None, [Correction("m", GADGET, shelf), wrong])

    assert loaded.named == before
    assert not (tmp_path / "corrections.jsonl").exists()


def test_corrections_have_to_be_switched_on(make, saved):
    with pytest.raises(RefusedError, match="takes no corrections"):
        make({"m": saved}).correct(None, [Correction("m", GADGET, "x")])


def test_what_is_told_is_what_was_learned(make, saved):
    loaded = make({"m": saved}).get(None)
    about, model = loaded.about(), load(saved)

    assert (about.categories, about.fields) == (len(model.taxonomy_.labels), list(model.views_.fields))
    assert loaded.usual == Usual.of(model)


def test_unknown_words_are_counted(make, saved):
    answerer = make({"m": saved}).get(None).answerer
    seen, known = answerer.words_seen, answerer.words_known
    for _ in range(40):
        offers = [answerer.intake.read({"title": "qqqq wwww xxxx"}, set())]
        answerer.answer([Asked(offers, Wish())])

    assert answerer.words_seen > seen
    assert answerer.words_known == known


def test_a_journal_survives_a_cut_line_and_refuses_other_files(tmp_path):
    path = tmp_path / "corrections.jsonl"
    Journal(path).append([Correction("m", GADGET, "a")])
    with path.open("ab") as file:
        file.write(b'{"model": "m", "prod')
    again = Journal(path)
    again.append([Correction("m", GADGET, "b"), Correction("n", GADGET, "c")])

    assert [one.category for one in Journal(path).of("m")] == ["a", "b"]
    path.write_text("product_id,category\n1,2\n")
    with pytest.raises(ModelError, match="no corrections"):
        Journal(path)
