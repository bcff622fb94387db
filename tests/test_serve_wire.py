"""Answers as bytes: what protobuf reads in them is what was written, whatever it is."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from shelfwise.serve import wire
from shelfwise.serve.messages import (
    Candidate,
    Evidence,
    ModelName,
    Neighbour,
    PredictAnswer,
    Prediction,
    Vote,
    Word,
)
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

# Lengths around which the wire needs another byte.
texts = st.sampled_from(["", "a", "Größe 38", "😀" * 30, "x" * 127, "x" * 128, "ä" * 9_000])
sure = st.floats(0, 1, width=32)
maybe = st.one_of(st.none(), texts)
evidence = st.builds(
    Evidence,
    st.lists(st.builds(Word, texts, texts, sure), max_size=2),
    st.lists(st.builds(Neighbour, texts, texts, texts, sure), max_size=2),
    st.lists(st.builds(Vote, texts, texts, sure), max_size=2),
)
predictions = st.builds(
    Prediction, texts, maybe, st.one_of(st.none(), sure), st.sampled_from([None, True, False]), maybe,
    st.one_of(st.none(), sure), st.one_of(st.none(), st.lists(st.builds(Candidate, texts, sure), max_size=3)),
    st.sampled_from(["ok", "empty", "unreadable"]), maybe, st.one_of(st.just(UNSET), texts),
    st.one_of(st.just(UNSET), evidence),
)  # fmt: skip
answers = st.builds(
    PredictAnswer, st.builds(ModelName, texts, texts), st.lists(predictions, max_size=2),
    st.one_of(st.just(UNSET), st.lists(texts, min_size=1, max_size=3)),
)  # fmt: skip


def message_of(one):
    """A prediction as protobuf itself makes the message."""
    kept = {name: value for name, value in msgspec.to_builtins(one).items() if value is not None}
    return pb.Prediction(**kept)


@given(answers)
def test_protobuf_reads_what_was_written(answer):
    message = pb.PredictBatchResponse.FromString(wire.write_answer(answer))

    assert message == pb.PredictBatchResponse(
        model=pb.Model(name=answer.model.name, version=answer.model.version),
        predictions=[message_of(one) for one in answer.predictions],
        ignored=answer.ignored or [],
    )


@given(predictions)
def test_an_answer_to_one_product_is_a_list_of_one(prediction):
    written = wire.write_answer(PredictAnswer(ModelName("m", "1"), [prediction]))

    assert pb.PredictResponse.FromString(written).prediction == message_of(prediction)
