"""The optimizer: rates by part, and a state that can be put down and taken up."""

from __future__ import annotations

import pytest

from finetune_bases import settings, text_base
from shelfwise.finetune.batches import tokens_of
from shelfwise.finetune.network import build_network
from shelfwise.finetune.optimizer import make_optimizer, optimizer_tensors, restore_optimizer

torch = pytest.importorskip("torch")


def step(network, optimizer):
    batch = {"text": tokens_of(network.towers["text"], ["boot birch"]), "known": {}}
    optimizer.zero_grad()
    network.module.eval()
    network.module(batch)[1][0, 0].backward()
    optimizer.step()


def test_rates_and_decay_by_part(tmp_path):
    given = settings(text=text_base(tmp_path), train="last", weight_decay=0.5)
    groups = make_optimizer(build_network(given, 3), given).param_groups
    of = {name: (group["peak"], group["weight_decay"]) for group in groups for name in group["names"]}

    assert of["parts.head.weight"] == (2e-2, 0.5)
    assert of["parts.head.bias"] == (2e-2, 0.0)
    assert {of[name] for name in of if "parts.text" in name and "dense.weight" in name} == {(5e-3, 0.5)}


def test_taken_up_it_goes_on_as_it_would_have(tmp_path):
    given = settings(text=text_base(tmp_path))
    first, second = build_network(given, 3), build_network(given, 3)
    one, other = make_optimizer(first, given), make_optimizer(second, given)
    step(first, one)
    second.module.load_state_dict(first.module.state_dict())
    restore_optimizer(other, {**optimizer_tensors(one), "model.x": torch.zeros(1)})
    step(first, one)
    step(second, other)
    states = first.module.state_dict(), second.module.state_dict()

    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
