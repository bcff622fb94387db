"""What happens in a server, counted for Prometheus: load, refusals, and whether the products drift.

A model that was trained on other products than it is asked for shows in three places long before anyone reads
its answers: more words that it never saw, another mix of categories, fewer answers sure enough to accept.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as TallyCounter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shelfwise.serve.batching import Batch
from shelfwise.serve.messages import Prediction
from shelfwise.serve.tracing import note

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric
    from prometheus_client.registry import Collector

    from shelfwise.serve.models import Loaded

WORKERS = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder in which several processes count."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_STATUSES = ("ok", "empty", "unreadable")
_RELOADS = ("done", "failed")
_FAULTS = ("busy", "late", "broken")
"""Refusals that are the server's own, and worth an alarm the first time."""
_OUTCOMES = ("accepted", "backed_off", "left")
_ASIDE = 512  # requests, or products, that are put aside before they are counted
_BUSY = ("429", "RESOURCE_EXHAUSTED")
_CLASSES = 500
"""Names of top shelves that are counted for themselves; all others count together."""


class Metrics:
    """Counters of one server, in a registry of their own; or of all its workers.

    Where prometheus_client is in its multiprocess mode (`workers`), each process counts in a file of a common
    folder, and the page of any one is that of all.

    What happens to each request is only put aside, and counted many at a time: by `flush`, which `page` calls
    as well.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._workers = bool(os.environ.get(WORKERS))
        self._ends: list[tuple[str, str, float]] = []
        self._answers: list[tuple[str, Callable[[str], str], Sequence[Prediction]]] = []
        self._products_aside = 0
        self.registry = CollectorRegistry()
        about: dict[str, Any] = {"namespace": "shelfwise", "registry": self.registry}
        self._requests = Counter("requests", "Requests by door and outcome.", ["door", "outcome"], **about)
        self._latency = Histogram(
            "request_seconds", "Time from a request to its answer.", ["door"], buckets=_SECONDS, **about
        )
        self._refusing = Histogram(
            "refusal_seconds", "Time to refuse for being busy.", ["door"], buckets=_SECONDS, **about
        )
        self._refused = Counter("refusals", "Refused requests by code.", ["code"], **about)
        self._batches = Histogram("batch_products", "Products in a batch.", buckets=_SIZES, **about)
        self._model = Histogram("batch_seconds", "Time of a batch in the model.", buckets=_SECONDS, **about)
        self._waited = Histogram("queue_seconds", "Longest wait in a batch.", buckets=_SECONDS, **about)
        together: dict[str, Any] = {"multiprocess_mode": "livesum", **about}
        self._waiting = Gauge("queue_products", "Products that wait or are being answered.", **together)
        self._under_way = Gauge("requests_under_way", "Requests that are being read or answered.", **together)
        self._gauges: list[tuple[Any, Callable[[], float]]] = []
        self._words = Counter("words", "Words in titles of every tenth batch.", ["model", "known"], **about)
        self._words_of: dict[str, tuple[object, int, int]] = {}
        self._loaded: Callable[[], Iterable[Loaded]] = tuple
        self._products = Counter("predictions", "Answers by status.", ["model", "status"], **about)
        self._pictures = Counter("pictures", "Pictures by what became of them.", ["outcome"], **about)
        told = "Answers under a promise: accepted, backed off to a shelf, or left."
        self._accepted = Counter("promised", told, ["model", "outcome"], **about)
        self._mix = Counter("shelves", "Answers by top shelf.", ["model", "shelf"], **about)
        self._sure = Histogram(
            "confidence", "Confidence of answers.", ["model"], buckets=_CONFIDENCES, **about
        )
        self._reloads = Counter("reloads", "Reloads of models.", ["model", "outcome"], **about)
        self._shelves: set[str] = set()
        self._children: dict[tuple[Any, tuple[str, ...]], Any] = {}

    def page(self) -> bytes:
        """The metrics as Prometheus reads them."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        self.flush()
        for loaded in self._loaded():
            self._expect(loaded)
        told = bytes(generate_latest(_only(_Drift(self._loaded, self._shelf))))
        if not self._workers:
            return bytes(generate_latest(self.registry)) + told
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(everyone)) + told

    def watch(self, waiting: Callable[[], float], under_way: Callable[[], float]) -> None:
        """Read two gauges whenever what was put aside is counted."""
        self._gauges = [(self._waiting, waiting), (self._under_way, under_way)]

    def watch_models(self, loaded: Callable[[], Iterable[Loaded]]) -> None:
        """Tell of the models themselves whenever the metrics are read."""
        self._loaded = loaded
        for code in _FAULTS:
            self._refused.labels(code)

    def _expect(self, loaded: Loaded) -> None:
        """Begin at 0 what a model may answer: Prometheus does not see the first of what was not there."""
        for shelf in sorted(loaded.usual.spread, key=lambda name: -loaded.usual.spread[name]):
            self._child(self._mix, loaded.name, self._shelf(shelf))
        for outcome in _OUTCOMES:
            self._child(self._accepted, loaded.name, outcome)
        for status in _STATUSES:
            self._child(self._products, loaded.name, status)
        for outcome in _RELOADS:
            self._child(self._reloads, loaded.name, outcome)

    def request(self, door: str, outcome: str, seconds: float) -> None:
        """A request was answered or refused."""
        self._ends.append((door, outcome, seconds))
        if len(self._ends) >= _ASIDE:
            self.flush()

    def flush(self) -> None:
        """Count what was put aside."""
        for gauge, read in self._gauges:
            gauge.set(read())
        self._count_words()
        ends, self._ends = self._ends, []
        answers, self._answers, self._products_aside = self._answers, [], 0
        for (door, outcome), count in TallyCounter((door, outcome) for door, outcome, _ in ends).items():
            self._child(self._requests, door, outcome).inc(count)
        for door in {door for door, _, _ in ends}:
            observe_all(self._child(self._latency, door), [took for at, _, took in ends if at == door])
            turned_away = [took for at, outcome, took in ends if at == door and outcome in _BUSY]
            if turned_away:
                observe_all(self._child(self._refusing, door), turned_away)
        groups: dict[tuple[str, Callable[[str], str]], list[Prediction]] = {}
        for model, top_of, predictions in answers:
            groups.setdefault((model, top_of), []).extend(predictions)
        for (model, top_of), together in groups.items():
            self._count(model, top_of, together)

    def _count_words(self) -> None:
        for one in self._loaded():
            answerer, known, seen = self._words_of.get(one.name, (None, 0, 0))
            if answerer is not one.answerer:  # a new model counts from 0
                known = seen = 0
            now = one.answerer.words_known, one.answerer.words_seen
            self._child(self._words, one.name, "yes").inc(now[0] - known)
            self._child(self._words, one.name, "no").inc(now[1] - now[0] - (seen - known))
            self._words_of[one.name] = one.answerer, *now

    def _child(self, metric: Any, *labels: str) -> Any:  # noqa: ANN401 - any of prometheus_client's
        """The part of a metric with these labels; finding it takes longer than counting."""
        known = self._children.get((metric, labels))
        if known is None:
            known = self._children[metric, labels] = metric.labels(*labels)
        return known

    def refused(self, code: str) -> None:
        """A request was refused."""
        self._child(self._refused, code).inc()
        note(refusal=code)

    def picture(self, outcome: str) -> None:
        """A picture was used, or a code says why not."""
        self._pictures.labels(outcome).inc()

    def batch(self, batch: Batch) -> None:
        """A batch went through the model."""
        self._batches.observe(batch.products)
        self._model.observe(batch.seconds)
        self._waited.observe(batch.waited)

    def reloaded(self, model: str, done: bool) -> None:
        """A model was reloaded, or could not be."""
        self._reloads.labels(model, _RELOADS[0 if done else 1]).inc()

    def answered(self, model: str, top_of: Callable[[str], str], predictions: Sequence[Prediction]) -> None:
        """Products were answered; `top_of` gives the top shelf of a category."""
        self._answers.append((model, top_of, predictions))
        self._products_aside += len(predictions)
        if self._products_aside >= _ASIDE:
            self.flush()

    def _count(self, model: str, top_of: Callable[[str], str], predictions: Sequence[Prediction]) -> None:
        said = [one for one in predictions if one.category is not None and one.confidence is not None]
        observe_all(self._child(self._sure, model), [one.confidence or 0.0 for one in said])
        for status, count in TallyCounter(one.status for one in predictions).items():
            self._child(self._products, model, status).inc(count)
        for category, count in TallyCounter(one.category or "" for one in said).items():
            self._child(self._mix, model, self._shelf(top_of(category))).inc(count)
        promised = [one for one in said if one.accepted is not None]
        for outcome, count in TallyCounter(_outcome(one) for one in promised).items():
            self._child(self._accepted, model, outcome).inc(count)

    def _shelf(self, top: str) -> str:
        if top not in self._shelves:
            if len(self._shelves) >= _CLASSES:
                return "(others)"
            self._shelves.add(top)
        return top


def observe_all(histogram: Any, values: Sequence[float]) -> None:  # noqa: ANN401 - a child of prometheus_client's
    """Observe many values at once; `observe` for each takes some ten times as long."""
    bounds = histogram._upper_bounds
    for place, count in TallyCounter(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[place].inc(count)
    histogram._sum.inc(sum(values))


def _outcome(one: Prediction) -> str:
    return "accepted" if one.accepted else "backed_off" if one.shelf is not None else "left"


def _only(collector: Collector) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(collector)
    return registry


class _Drift:
    """What the models themselves know: their version, and how training was spread over the shelves."""

    def __init__(self, loaded: Callable[[], Iterable[Loaded]], shelf: Callable[[str], str]) -> None:
        self._loaded, self._shelf = loaded, shelf

    def collect(self) -> Iterator[Metric]:
        """The values at this moment, as prometheus_client asks for them."""
        from prometheus_client.core import GaugeMetricFamily

        spread = GaugeMetricFamily(
            "shelfwise_training_share", "Share of the learned products.", labels=["model", "shelf"]
        )
        usual = GaugeMetricFamily(
            "shelfwise_training_unknown_words",
            "Share of words in titles that are usually unknown.",
            labels=["model"],
        )
        about = GaugeMetricFamily("shelfwise_model", "Models that are served.", labels=["model", "version"])
        for one in self._loaded():
            about.add_metric([one.name, one.named.version], 1)
            shares: dict[str, float] = {}
            for shelf, share in one.usual.spread.items():
                counted = self._shelf(shelf)
                shares[counted] = shares.get(counted, 0.0) + share
            for shelf, share in shares.items():
                spread.add_metric([one.name, shelf], share)
            if one.usual.unknown_words is not None:
                usual.add_metric([one.name], one.usual.unknown_words)
        yield from (spread, usual, about)
