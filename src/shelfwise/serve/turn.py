"""One request on the short way: from what was asked to the batcher and back, without a task.

What HTTP and gRPC have in common there: pictures are looked at first, then the model is asked, and whatever
comes of it is told once. How requests are read and answers written, each door knows itself.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from shelfwise.serve.batching import Job
from shelfwise.serve.messages import PredictAnswer, Prediction
from shelfwise.serve.refusal import RefusedError
from shelfwise.serve.service import Order, Service


class Turn(ABC):
    """One request and its answer; doors say how it is read and told.

    Parameters
    ----------
    service: what is asked.

    """

    __slots__ = ("_entered", "_job", "_order", "_service", "_task")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._entered = False
        self._job: Job | None = None
        self._order: Order | None = None
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def _read(self) -> Order:
        """Return what is asked; RefusedError where nobody could answer that."""

    @abstractmethod
    def _give(self, answer: PredictAnswer) -> None:
        """Tell the answer."""

    @abstractmethod
    def _refuse(self, error: RefusedError) -> None:
        """Tell why there is none."""

    @abstractmethod
    def _break(self, error: Exception) -> None:
        """Tell that something went wrong here."""

    def _enter(self) -> None:
        """Take a place among the requests under way, or RefusedError."""
        self._service.enter()
        self._entered = True

    def _leave(self) -> None:
        """Give the place back, where there is one."""
        if self._entered:
            self._service.leave()
            self._entered = False

    def _ask(self) -> None:
        """Have the model asked; the answer is told later."""
        try:
            order = self._order = self._read()
            if order.pictures:
                self._task = asyncio.get_running_loop().create_task(self._look(order))
            else:
                self._put(order)
        except RefusedError as error:
            self._refuse(error)
        except Exception as error:
            self._break(error)

    def _give_up(self) -> None:
        """Stop what is under way: nobody waits for it."""
        if self._job is not None:
            self._service.batcher.drop(self._job)
        if self._task is not None:
            self._task.cancel()

    async def _look(self, order: Order) -> None:
        try:
            await self._service.look(order)
            self._put(order)
        except RefusedError as error:
            self._refuse(error)
        except Exception as error:
            self._break(error)

    def _put(self, order: Order) -> None:
        if order.asked.offers:
            put = self._service.batcher.put
            self._job = put(order.loaded.answerer, order.asked, order.deadline, self._tell)
        else:
            self._tell([])

    def _tell(self, result: list[Prediction] | Exception) -> None:
        self._job = None
        if isinstance(result, RefusedError):
            self._refuse(result)
        elif isinstance(result, Exception):
            self._break(result)
        else:
            assert self._order is not None
            try:
                self._give(self._service.answer(self._order, result))
            except Exception as error:
                self._break(error)
