"""A turn: read, looked at, asked and told once, and given up; by a door that only remembers."""

import asyncio
import base64

import pytest

from serve_shop import png
from shelfwise.serve.limits import LIMITS
from shelfwise.serve.messages import PredictRequest
from shelfwise.serve.metrics import Metrics
from shelfwise.serve.models import Models
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.service import Service
from shelfwise.serve.turn import Turn

BOOT = {"product_id": "7", "title": "red leather boot"}
PICTURE = BOOT | {"picture": base64.b64encode(png()).decode()}


class Remembering(Turn):
    """A door of one request; `told` is done with whatever is told."""

    def __init__(self, service, request, timeout=None):
        super().__init__(service)
        self.request, self.timeout = request, timeout
        self.told = asyncio.get_running_loop().create_future()

    def _read(self):
        self._enter()
        return self._service.order(self.request, self.timeout)

    def _tell_one(self, what):
        self._leave()
        self.told.set_result(what)

    def _give(self, answer):
        if self.request.model == "spoilt":
            raise ValueError("cannot be written")
        self._tell_one([one.product_id for one in answer.predictions])

    def _refuse(self, error):
        self._tell_one(error.code)

    def _break(self, error):
        self._tell_one(error)


def turns(folder, work):
    """Run work(service) with a model under two names."""

    async def go():
        models = Models({"shop": str(folder), "spoilt": str(folder)}, LIMITS)
        models.load_all()
        service = Service(models, LIMITS, Metrics())
        try:
            result = await work(service)
            return result, service.under_way, service.batcher.waiting
        finally:
            service.close()

    return asyncio.run(go())


def ask(service, products, **settings):
    """Begin a turn."""
    timeout = settings.pop("timeout", None)
    turn = Remembering(service, PredictRequest(products, **settings), timeout)
    turn._ask()
    return turn


def test_answers_and_refusals_are_told_once_and_the_place_is_given_back(saved):
    async def work(service):
        asked = [ask(service, BOOT), ask(service, []), ask(service, BOOT, top=0)]
        asked += [ask(service, BOOT, model="none"), ask(service, BOOT, timeout=0.0)]
        return [await one.told for one in asked]

    assert turns(saved, work) == ([["7"], [], "top", "unknown_model", "late"], 0, 0)


def test_what_cannot_be_read_or_written_is_told_as_broken(saved):
    async def work(service):
        unwritten = ask(service, BOOT, model="spoilt")
        unread = Remembering(service, None)
        unread._ask()
        return [type(await one.told) for one in (unwritten, unread)]

    assert turns(saved, work) == ([ValueError, AttributeError], 0, 0)


def test_pictures_are_looked_at_before_the_model_is_asked(saved_seeing):
    async def work(service):
        turn = ask(service, [PICTURE, BOOT])
        before = service.batcher.waiting
        return before, await turn.told

    assert turns(saved_seeing, work) == ((0, ["7", "7"]), 0, 0)


def test_pictures_may_be_refused_and_may_break(saved_seeing):
    async def work(service):
        async def refuse(order):
            raise RefusedError("busy", "busy", "too many pictures")

        async def fail(order):
            raise OSError("no decoder")

        told = []
        for look in (refuse, fail):
            service.look = look
            told.append(await ask(service, [PICTURE]).told)
        return told[0], type(told[1])

    assert turns(saved_seeing, work) == (("busy", OSError), 0, 0)


@pytest.mark.parametrize("product", [BOOT, PICTURE])
def test_a_turn_that_is_given_up_tells_nothing(saved_seeing, product):
    async def work(service):
        turn = ask(service, product)
        turn._give_up()
        turn._leave()
        await ask(service, BOOT).told
        return turn.told.done()

    assert turns(saved_seeing, work) == (False, 0, 0)
