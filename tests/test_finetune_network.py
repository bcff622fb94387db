"""The network: the same for the same seed, joint vectors that do with one side, statistics that stay."""

from __future__ import annotations

import pytest

from finetune_bases import picture_base, settings, text_base
from shelfwise.finetune.batches import tokens_of
from shelfwise.finetune.network import build_network

torch = pytest.importorskip("torch")


@pytest.fixture
def joint(tmp_path):
    return settings(text=text_base(tmp_path / "t"), picture=picture_base(tmp_path / "p"), width=6)


def batch(network, known):
    text = tokens_of(network.towers["text"], ["boot birch", "watch"])
    pixels = {"pixel_values": torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))}
    known = {side: torch.tensor(mask) for side, mask in zip(("text", "picture"), known, strict=True)}
    return {"text": text, "picture": pixels, "known": known}


def test_same_seed_same_network(joint):
    first, again = (build_network(joint, 3).module.state_dict() for _ in range(2))

    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_missing_side_does_not_matter(joint):
    network = build_network(joint, 3)
    network.module.eval()
    one, other = (batch(network, ([1.0, 1.0], [0.0, 0.0])) for _ in range(2))
    other["picture"]["pixel_values"] += 1
    whole = batch(network, ([1.0, 1.0], [1.0, 1.0]))
    with torch.no_grad():
        vectors, logits = network.module(one)
        assert torch.equal(vectors, network.module(other)[0])
        assert not torch.equal(vectors, network.module(whole)[0])

    assert vectors.shape == (2, 6)
    assert logits.shape == (2, 3)


def test_a_side_is_hidden_at_times_but_never_both(joint):
    from dataclasses import replace

    network = build_network(replace(joint, modality_dropout=0.9, dropout=0.0, train="frozen"), 3)
    network.module.eval()
    both, text, picture = (
        batch(network, known)
        for known in (([1.0, 1.0], [1.0, 1.0]), ([1.0, 1.0], [0.0, 0.0]), ([0.0, 0.0], [1.0, 1.0]))
    )
    with torch.no_grad():
        possible = [network.module(one)[0][0] for one in (both, text, picture)]
        network.learn()
        seen = {
            next(at for at, one in enumerate(possible) if torch.allclose(one, found[0], atol=1e-6))
            for found in (network.module(both)[0] for _ in range(40))
        }

    assert seen == {0, 1, 2}


def test_counts_and_what_is_trained(joint):
    from dataclasses import replace

    network = build_network(replace(joint, train="frozen"), 3)
    trained, all_of_them = network.counts()

    assert {name.split(".")[1] for name in network.trained()} == {"joint", "head"}
    assert trained == sum(one.numel() for one in network.trained().values())
    assert trained < all_of_them


def test_frozen_towers_answer_as_ever_while_learning(joint):
    from dataclasses import replace

    network = build_network(replace(joint, train="frozen"), 3)
    network.learn()

    assert not network.towers["text"].model.training
    assert network.module.training
