"""Learners on dense features (vectors of encoders, descriptors, columns): a softmax and a small network.

Both standardise their columns and give probabilities. What they hold out to choose strength, stopping and
temperature is drawn by content: equal rows stay on one side. All of it is numpy and compiled kernels, so that
a model trains and answers without a deep-learning framework, to the same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.features.dense_rows import DenseRows, as_dense
from shelfwise.learners.descent import adamw_kernel, dot, minimise
from shelfwise.learners.heldout import ENOUGH, held_out, softmax, temperature
from shelfwise.learners.matrix import Workers, one_blas_thread
from shelfwise.learners.standardiser import Standardiser

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

_BLOCK = 1024
"""Rows that are scored at a time."""


def _rounded(weights: Floats) -> Floats:
    """Weights as a model folder keeps them, in half precision."""
    return weights.astype(np.float16).astype(np.float32)


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(at, min(at + _BLOCK, rows)) for at in range(0, rows, _BLOCK))


# Softmax
# ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SoftmaxOptions:
    """How the softmax is fitted.

    priors: strengths of the penalty to choose from on held-out rows, as the precision of a normal prior of
    the weights (the penalty is prior / 2 |W|^2 beside the sum of the rows' losses); tried from the largest
    until the held-out loss rises. steps: of L-BFGS at most. chosen_on: rows that the choice is made on, at
    most. root: see `Standardiser`. held_out: share of the rows to choose by.
    """

    priors: tuple[float, ...] = (300.0, 100.0, 30.0, 10.0)
    steps: int = 60
    chosen_on: int = 12_000
    root: bool | None = None
    held_out: float = 0.1


class SoftmaxLearner:
    """Multinomial logistic regression with an L2 penalty, fitted by L-BFGS (Liu, Nocedal 1989).

    Parameters
    ----------
    options: see `SoftmaxOptions`.
    class_weights: float32 [classes], a factor on the loss of each class's rows (see `balance`); None: all 1.
    seed: of the choice of held-out rows. threads: for fitting and scoring; the result does not depend on it.

    After fitting: `weights_` float32 [width, classes] (values that float16 can hold), `bias_` float32
    [classes], `temperature_` float32, `prior_` (the strength that was chosen) and `standardiser_`.

    """

    def __init__(
        self,
        options: SoftmaxOptions = SoftmaxOptions(),
        *,
        class_weights: Floats | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.options = options
        self.class_weights = class_weights
        self.seed = seed
        self.threads = threads

    def fit(self, X: Floats | DenseRows, y: Codes, classes: int) -> SoftmaxLearner:
        """Learn from rows float32 [rows, width] of codes y [rows] < `classes`; a class may have no row."""
        X = as_dense(X)
        self.standardiser_ = Standardiser(root=self.options.root).fit(X)
        Z = X.changed(self.standardiser_.transform)
        start = np.zeros((Z.width + 1, classes), np.float32)
        with Workers(self.threads) as workers, one_blas_thread():
            self.prior_, self.temperature_ = self._choose(workers, X, Z, y, start)
            solved = self._solve(workers, Z, y, self.prior_, start)
        self.weights_, self.bias_ = _rounded(solved[:-1]), np.ascontiguousarray(solved[-1])
        return self

    def scores(self, X: Floats) -> Floats:
        """Probabilities, float32 [rows, classes]."""
        out = np.empty((len(X), len(self.bias_)), np.float32)
        with Workers(self.threads) as workers:
            for rows in _blocks(len(X)):
                margins = workers.product(self.standardiser_.transform(X[rows]), self.weights_, self.bias_)
                out[rows] = softmax(margins / self.temperature_)
        return out

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        return {
            **self.standardiser_.tensors(),
            "weights": self.weights_.astype(np.float16),
            "bias": self.bias_,
            "temperature": np.array([self.temperature_], np.float32),
        }

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> SoftmaxLearner:
        """Take the state that `tensors` gave."""
        self.standardiser_ = Standardiser(root=self.options.root).restore(tensors)
        self.weights_ = tensors["weights"].astype(np.float32)
        self.bias_ = tensors["bias"].astype(np.float32)
        self.temperature_ = np.float32(tensors["temperature"][0])
        return self

    def _choose(
        self, workers: Workers, X: DenseRows, Z: DenseRows, y: Codes, start: Floats
    ) -> tuple[float, np.float32]:
        """The strength, and the temperature, with the least held-out loss."""
        priors = sorted(self.options.priors, reverse=True)
        out = held_out(X, y, self.options.held_out, self.seed)
        most = self.options.chosen_on
        if out.sum() < ENOUGH:
            return priors[len(priors) // 2], np.float32(1)
        shuffled = np.random.default_rng(self.seed).permutation(len(y))
        known, asked = shuffled[~out[shuffled]][:most], shuffled[out[shuffled]][:most]
        learned, told = DenseRows(Z.take(known)), DenseRows(Z.take(asked))
        best, chosen, solved = np.inf, (priors[0], np.float32(1)), start
        for prior in priors:
            solved = self._solve(workers, learned, y[known], prior, solved)
            blocks = (part for _, part in told.blocks(_BLOCK))
            margins = (workers.product(part, solved[:-1], solved[-1]) for part in blocks)
            warmth, loss = temperature(margins, y[asked])
            if loss >= best:
                break
            best, chosen = loss, (prior, warmth)
        return chosen

    def _solve(self, workers: Workers, Z: DenseRows, y: Codes, prior: float, start: Floats) -> Floats:
        """Weights over bias, float32 [width + 1, classes], from where `start` stands."""
        classes = start.shape[1]
        factor = np.ones(classes, np.float32) if self.class_weights is None else self.class_weights
        share = np.float32(1 / len(y))

        def loss(flat: Floats) -> tuple[float, Floats]:
            W = flat.reshape(-1, classes)
            gradient = np.zeros_like(W)
            total = prior / 2 * dot(flat[:-classes], flat[:-classes]) / len(y)
            for rows, part in Z.blocks(_BLOCK):
                p = softmax(workers.fitting(part, W[:-1], W[-1]))
                weight, at = factor[y[rows]], np.arange(len(p))
                own = np.log(np.maximum(p[at, y[rows]], 1e-30))
                total -= float((weight * own).sum(dtype=np.float64)) / len(y)
                p[at, y[rows]] -= 1
                p *= weight[:, None] * share
                gradient[:-1] += workers.fitting(part.T, p)
                gradient[-1] += p.sum(axis=0)
            gradient[:-1] += np.float32(prior / len(y)) * W[:-1]
            return total, gradient.ravel()

        return minimise(loss, start.ravel().copy(), self.options.steps).reshape(start.shape)


# A small network
# ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkOptions:
    """How the network is trained.

    hidden: units of the one hidden layer. dropout: share of them silenced at each step, and a quarter of it
    of the inputs. rate, decay: of AdamW (Loshchilov, Hutter 2019), the rate falling as a cosine. batch: rows
    a step; 0: a fortieth of all, 16 to 256. epochs: at most; patience: epochs without a better held-out loss
    until it stops. smoothing: of labels (Szegedy et al. 2016). members: networks whose probabilities are
    averaged, each with another part held out. held_out: share of that part. root: see `Standardiser`.
    """

    hidden: int = 512
    dropout: float = 0.5
    rate: float = 1e-3
    decay: float = 0.02
    batch: int = 0
    epochs: int = 25
    patience: int = 5
    smoothing: float = 0.0
    members: int = 2
    held_out: float = 0.1
    root: bool | None = None


class NetworkLearner:
    """One hidden layer of rectified units under a softmax, with dropout, early stopping and some members.

    Parameters
    ----------
    options: see `NetworkOptions`.
    class_weights: float32 [classes], a factor on the loss of each class's rows (see `balance`); None: all 1.
    seed: of all random choices. threads: for fitting and scoring; the result does not depend on it.

    After fitting: `members_`, a list of layers (`Layers`), and `standardiser_`.

    """

    def __init__(
        self,
        options: NetworkOptions = NetworkOptions(),
        *,
        class_weights: Floats | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.options = options
        self.class_weights = class_weights
        self.seed = seed
        self.threads = threads

    def fit(self, X: Floats | DenseRows, y: Codes, classes: int) -> NetworkLearner:
        """Learn from rows float32 [rows, width] of codes y [rows] < `classes`; a class may have no row."""
        X = as_dense(X)
        self.standardiser_ = Standardiser(root=self.options.root).fit(X)
        Z = X.changed(self.standardiser_.transform)
        factor = np.ones(classes, np.float32) if self.class_weights is None else self.class_weights
        self.members_ = []
        with Workers(self.threads) as workers, one_blas_thread():
            for number in range(max(self.options.members, 1)):
                seed = self.seed + number
                training = _Training(self.options, workers, Z, y, factor)
                self.members_.append(training.run(held_out(X, y, self.options.held_out, seed), seed))
        return self

    def scores(self, X: Floats) -> Floats:
        """Probabilities, float32 [rows, classes]: the mean of the members'."""
        out = np.zeros((len(X), self.members_[0].classes), np.float32)
        with Workers(self.threads) as workers:
            for rows in _blocks(len(X)):
                Z = self.standardiser_.transform(X[rows])
                for member in self.members_:
                    out[rows] += softmax(member.margins(workers, Z) / member.temperature)
        out /= np.float32(len(self.members_))
        return out

    def unseen(self, X: Floats | DenseRows, y: Codes) -> NDArray[np.bool_]:
        """Which of the rows that it was fitted on the first member has not learned from, bool [rows]."""
        return held_out(X, y, self.options.held_out, self.seed)

    def first(self) -> NetworkLearner:
        """The first member alone."""
        alone = NetworkLearner(self.options, seed=self.seed, threads=self.threads)
        alone.standardiser_, alone.members_ = self.standardiser_, self.members_[:1]
        return alone

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state = self.standardiser_.tensors()
        for number, member in enumerate(self.members_):
            state[f"{number}.hidden"] = member.hidden.astype(np.float16)
            state[f"{number}.output"] = member.output.astype(np.float16)
            state[f"{number}.hidden_bias"] = member.hidden_bias
            state[f"{number}.output_bias"] = member.output_bias
            state[f"{number}.temperature"] = np.array([member.temperature], np.float32)
        return state

    def restore(self, tensors: Mapping[str, NDArray[np.generic]]) -> NetworkLearner:
        """Take the state that `tensors` gave."""
        self.standardiser_ = Standardiser(root=self.options.root).restore(tensors)
        self.members_ = []
        while f"{len(self.members_)}.hidden" in tensors:
            prefix = f"{len(self.members_)}."
            names = ("hidden", "hidden_bias", "output", "output_bias")
            hidden, inner, output, outer = (tensors[prefix + name].astype(np.float32) for name in names)
            warmth = np.float32(tensors[f"{prefix}temperature"][0])
            self.members_.append(Layers(hidden, inner, output, outer, warmth))
        return self


@dataclass(frozen=True)
class Layers:
    """The weights of one network: hidden [width, units], output [units, classes], their biases; float32."""

    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    temperature: np.float32 = np.float32(1)  # noqa: RUF009 - a number

    @property
    def classes(self) -> int:
        """How many classes it tells apart."""
        return len(self.output_bias)

    def margins(self, workers: Workers, Z: Floats) -> Floats:
        """What goes into the softmax, float32 [rows, classes]."""
        units = workers.product(Z, self.hidden, self.hidden_bias)
        return workers.product(np.maximum(units, 0, out=units), self.output, self.output_bias)

    def rounded(self, warmth: np.float32 = np.float32(1)) -> Layers:  # noqa: B008 - a number
        """A copy with weights as a model folder keeps them."""
        return Layers(
            _rounded(self.hidden),
            self.hidden_bias.copy(),
            _rounded(self.output),
            self.output_bias.copy(),
            warmth,
        )

    @staticmethod
    def drawn(width: int, units: int, classes: int, rng: np.random.Generator) -> Layers:
        """Weights to begin from (He et al. 2015)."""
        hidden = rng.standard_normal((width, units), dtype=np.float32) * np.float32(np.sqrt(2 / width))
        output = rng.standard_normal((units, classes), dtype=np.float32) * np.float32(np.sqrt(1 / units))
        return Layers(hidden, np.zeros(units, np.float32), output, np.zeros(classes, np.float32))


@dataclass
class _Training:
    """The training of one network."""

    options: NetworkOptions
    workers: Workers
    Z: DenseRows
    y: Codes
    factor: Floats

    def run(self, out: NDArray[np.bool_], seed: int) -> Layers:
        """Train on the rows that are not held out; the network of the epoch with the least held-out loss."""
        o, rng = self.options, np.random.default_rng(seed)
        known, asked = np.flatnonzero(~out), np.flatnonzero(out)
        now = Layers.drawn(self.Z.width, o.hidden, len(self.factor), rng)
        weights = [now.hidden, now.hidden_bias, now.output, now.output_bias]
        moments = [np.zeros((2, w.size), np.float32) for w in weights]
        batch = o.batch or min(max(len(known) // 40, 16), 256)
        steps, step = o.epochs * -(-len(known) // batch), 0
        best, kept, since = np.inf, None, 0
        for _ in range(o.epochs):
            order = rng.permutation(known)
            for at in range(0, len(order), batch):
                step += 1
                rate = o.rate * min(1.0, step / 50) * (0.505 + 0.495 * np.cos(np.pi * step / steps))
                gradients = self._gradients(now, order[at : at + batch], rng)
                for number, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
                    decay = np.float32(o.decay if number in (0, 2) else 0)
                    flat, slope = weight.reshape(-1), gradient.reshape(-1)
                    adamw_kernel(flat, slope, moments[number], np.float32(rate), decay, step)
            if len(asked) < ENOUGH:
                continue
            candidate = now.rounded()
            told = (candidate.margins(self.workers, part) for _, part in self.Z.only(asked).blocks(_BLOCK))
            warmth, loss = temperature(told, self.y[asked])
            since += 1
            if loss < best:
                best, kept, since = loss, candidate.rounded(warmth), 0
            elif since >= o.patience:
                break
        return kept or now.rounded()

    def _gradients(self, now: Layers, rows: NDArray[np.int64], rng: np.random.Generator) -> list[Floats]:
        """Those of hidden, hidden_bias, output and output_bias, of some rows."""
        o, y = self.options, self.y[rows]
        x = _dropped(self.Z.take(rows), o.dropout / 4, rng)
        units = self.workers.fitting(x, now.hidden, now.hidden_bias)
        active = _dropped((units > 0).astype(np.float32), o.dropout, rng)
        units *= active
        g = softmax(self.workers.fitting(units, now.output, now.output_bias))
        g -= np.float32(o.smoothing / len(self.factor))
        g[np.arange(len(rows)), y] -= np.float32(1 - o.smoothing)
        g *= (self.factor[y] / np.float32(len(rows)))[:, None]
        back = self.workers.fitting(g, now.output.T) * active
        output = self.workers.fitting(units.T, g)
        return [self.workers.fitting(x.T, back), back.sum(axis=0), output, g.sum(axis=0)]


def _dropped(values: Floats, share: float, rng: np.random.Generator) -> Floats:
    """The values with some silenced, the rest larger by as much (dropout, Srivastava et al. 2014)."""
    if share <= 0:
        return values
    kept = rng.random(values.shape, dtype=np.float32) >= share
    values *= kept
    values *= np.float32(1 / (1 - share))
    return values
