"""Talks to a server with Triton's own clients; run by a Python that has them, prints what it heard as JSON.

    python tests/triton_talk.py 127.0.0.1:8000 127.0.0.1:8001 MODEL '["a title", "another"]'

Triton's clients need older versions of protobuf and greenlet than Shelfwise, so they live in an environment
of their own: `make triton` makes it, and SHELFWISE_TRITON names the Python of another one.
"""

import json
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http

WANTED = ("category", "confidence", "accepted", "shelf", "candidates")


def plain(array):
    """A tensor as a list."""
    return [one.decode() if isinstance(one, bytes) else one for one in array.ravel().tolist()]


def ask(kind, client, model, titles, **how):
    """One request with all titles; the outputs as lists."""
    tensor = kind.InferInput("title", [len(titles)], "BYTES")
    tensor.set_data_from_numpy(np.array([title.encode() for title in titles], dtype=np.object_), **how)
    outputs = [kind.InferRequestedOutput(name, **how) for name in WANTED] if how else None
    answer = client.infer(model, [tensor], outputs=outputs, request_id="7", parameters={"top": 3})
    return {name: plain(answer.as_numpy(name)) for name in WANTED}


def refused(client, error, *arguments):
    """What is said of a request that cannot be answered."""
    try:
        client.infer(*arguments)
    except error as told:
        return [str(told.status()), told.message()]
    return None


def talk(kind, address, model, titles):
    """Everything that both clients can ask."""
    client = kind.InferenceServerClient(address)
    wrong = kind.InferInput("title", [1], "BYTES")
    wrong.set_data_from_numpy(np.array([b"\xff"], dtype=np.object_))
    error = tritonclient.utils.InferenceServerException
    about = client.get_model_metadata(model)
    binary = [{}] if kind is tritonclient.grpc else [{}, {"binary_data": True}, {"binary_data": False}]
    said = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model": client.is_model_ready(model),
        "none": client.is_model_ready("none"),
        "server": str(client.get_server_metadata()),
        "inputs": [one["name"] if isinstance(one, dict) else one.name for one in (
            about["inputs"] if isinstance(about, dict) else about.inputs
        )],
        "answers": [ask(kind, client, model, titles, **how) for how in binary],
        "unknown": refused(client, error, "none", [wrong]),
        "no_text": refused(client, error, model, [wrong]),
    }  # fmt: skip
    client.close()
    return said


if __name__ == "__main__":
    http, grpc, model, titles = sys.argv[1:]
    answers = {
        "http": talk(tritonclient.http, http, model, json.loads(titles)),
        "grpc": talk(tritonclient.grpc, grpc, model, json.loads(titles)),
    }
    print(json.dumps(answers))
