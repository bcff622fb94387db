"""The gRPC interfaces: generated code is current, fields keep their numbers, services their names."""

import importlib.util
from pathlib import Path

from shelfwise.serve.proto.inference import grpc_predict_v2_pb2 as v2
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

ROOT = Path(__file__).parent.parent


def test_generated_code_is_current():
    specification = importlib.util.spec_from_file_location("protocol", ROOT / "docs" / "protocol.py")
    protocol = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(protocol)

    assert list(protocol.stale()) == [], "run make docs"


def test_fields_keep_their_numbers():
    numbers = {
        name: [(field.name, field.number) for field in message.fields]
        for name, message in pb.DESCRIPTOR.message_types_by_name.items()
    }

    assert numbers["Product"][:3] == [("product_id", 1), ("title", 2), ("description", 3)]
    assert numbers["Product"][-2:] == [("fields", 10), ("picture_url", 11)]
    assert numbers["Prediction"][:3] == [("product_id", 1), ("category", 2), ("confidence", 3)]
    assert all(
        [number for _, number in fields] == list(range(1, len(fields) + 1)) for fields in numbers.values()
    )


def test_services_have_the_names_of_the_contract():
    (own,) = pb.DESCRIPTOR.services_by_name.values()
    (open_one,) = v2.DESCRIPTOR.services_by_name.values()

    assert own.full_name == "shelfwise.v1.Categorizer"
    assert open_one.full_name == "inference.GRPCInferenceService"
    assert {method.name for method in open_one.methods} == {
        "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer",
    }  # fmt: skip
