"""What happens in a server, counted for Prometheus: load, refusals, and whether the products drift.

A model that was trained on other products than it is asked for shows in three places long before anyone reads
its answers: more words that it never saw, another mix of categories, fewer answers sure enough to accept.
"""

from __future__ import annotations

from collections import Counter as TallyCounter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shelfwise.serve.batching import Batch
from shelfwise.serve.messages import Prediction
from shelfwise.serve.tracing import note

if TYPE_CHECKING:
    from prometheus_client import Metric

    from shelfwise.serve.models import Loaded

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_STATUSES = ("ok", "empty", "unreadable")
_RELOADS = ("done", "failed")
_FAULTS = ("busy", "late", "broken")
"""Refusals that are the server's own, and worth an alarm the first time."""
_OUTCOMES = ("accepted", "backed_off", "left")
_CLASSES = 500
"""Names of top shelves that are counted for themselves; all others count together."""


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        about: dict[str, Any] = {"namespace": "shelfwise", "registry": self.registry}
        self._requests = Counter("requests", "Requests by door and outcome.", ["door", "outcome"], **about)
        self._latency = Histogram(
            "request_seconds", "Time from a request to its answer.", ["door"], buckets=_SECONDS, **about
        )
        self._refused = Counter("refusals", "Refused requests by code.", ["code"], **about)
        self._batches = Histogram("batch_products", "Products in a batch.", buckets=_SIZES, **about)
        self._model = Histogram("batch_seconds", "Time of a batch in the model.", buckets=_SECONDS, **about)
        self._waited = Histogram("queue_seconds", "Longest wait in a batch.", buckets=_SECONDS, **about)
        self._waiting = Gauge("queue_products", "Products that wait or are being answered.", **about)
        self._under_way = Gauge("requests_under_way", "Requests that are being read or answered.", **about)
        self._products = Counter("predictions", "Answers by status.", ["model", "status"], **about)
        self._pictures = Counter("pictures", "Pictures by what became of them.", ["outcome"], **about)
        told = "Answers under a promise: accepted, backed off to a shelf, or left."
        self._accepted = Counter("promised", told, ["model", "outcome"], **about)
        self._mix = Counter("shelves", "Answers by top shelf.", ["model", "shelf"], **about)
        self._sure = Histogram(
            "confidence", "Confidence of answers.", ["model"], buckets=_CONFIDENCES, **about
        )
        self._reloads = Counter("reloads", "Reloads of models.", ["model", "outcome"], **about)
        self._loaded: Callable[[], Iterable[Loaded]] = tuple
        self._shelves: set[str] = set()
        self._children: dict[tuple[Any, tuple[str, ...]], Any] = {}

    def page(self) -> bytes:
        """The metrics as Prometheus reads them."""
        from prometheus_client import generate_latest

        for loaded in self._loaded():
            self._expect(loaded)
        return bytes(generate_latest(self.registry))

    def watch(self, waiting: Callable[[], float], under_way: Callable[[], float]) -> None:
        """Read two gauges when they are asked for."""
        self._waiting.set_function(waiting)
        self._under_way.set_function(under_way)

    def watch_models(self, loaded: Callable[[], Iterable[Loaded]]) -> None:
        """Tell of the models themselves whenever the metrics are read."""
        self._loaded = loaded
        for code in _FAULTS:
            self._refused.labels(code)
        self.registry.register(_Drift(loaded, self._shelf))

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
        self._child(self._requests, door, outcome).inc()
        self._child(self._latency, door).observe(seconds)

    def _child(self, metric: Any, *labels: str) -> Any:  # noqa: ANN401 - any of prometheus_client's
        """The part of a metric with these labels; finding it takes longer than counting."""
        known = self._children.get((metric, labels))
        if known is None:
            known = self._children[metric, labels] = metric.labels(*labels)
        return known

    def refused(self, code: str) -> None:
        """A request was refused."""
        self._refused.labels(code).inc()
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
        sure = self._child(self._sure, model)
        counts: TallyCounter[tuple[str, str]] = TallyCounter()
        for one in predictions:
            counts["status", one.status] += 1
            if one.category is None or one.confidence is None:
                continue
            sure.observe(one.confidence)
            counts["shelf", self._shelf(top_of(one.category))] += 1
            if one.accepted is not None:
                outcome = "accepted" if one.accepted else "backed_off" if one.shelf is not None else "left"
                counts["promise", outcome] += 1
        counters = {"status": self._products, "shelf": self._mix, "promise": self._accepted}
        for (kind, value), count in counts.items():
            self._child(counters[kind], model, value).inc(count)

    def _shelf(self, top: str) -> str:
        if top not in self._shelves:
            if len(self._shelves) >= _CLASSES:
                return "(others)"
            self._shelves.add(top)
        return top


class _Drift:
    """What the models themselves know: words they never saw, and how training was spread over the shelves."""

    def __init__(self, loaded: Callable[[], Iterable[Loaded]], shelf: Callable[[str], str]) -> None:
        self._loaded, self._shelf = loaded, shelf

    def collect(self) -> Iterator[Metric]:
        """The values at this moment, as prometheus_client asks for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        words = CounterMetricFamily(
            "shelfwise_words", "Words in titles of every tenth batch.", labels=["model", "known"]
        )
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
            known, seen = one.answerer.words_known, one.answerer.words_seen
            words.add_metric([one.name, "yes"], known)
            words.add_metric([one.name, "no"], seen - known)
            about.add_metric([one.name, one.named.version], 1)
            shares: dict[str, float] = {}
            for shelf, share in one.usual.spread.items():
                counted = self._shelf(shelf)
                shares[counted] = shares.get(counted, 0.0) + share
            for shelf, share in shares.items():
                spread.add_metric([one.name, shelf], share)
            if one.usual.unknown_words is not None:
                usual.add_metric([one.name], one.usual.unknown_words)
        yield from (words, spread, usual, about)
