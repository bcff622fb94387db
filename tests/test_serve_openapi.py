"""What OpenAPI says of the HTTP door is so: schemathesis asks all that it allows, and what it does not."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from serve_shop import serving

# What fits the document may still be refused by what the model knows: categories, promises, names.
FINE = ["2xx", "400", "401", "403", "404", "413", "415", "422"]
CHECKS = {
    "positive_data_acceptance": {"expected-statuses": FINE},
    "negative_data_rejection": {"expected-statuses": FINE[1:]},
}


def described(server):
    """The operations that the server's document describes."""
    config = schemathesis.Config.from_dict({"checks": CHECKS})
    schema = schemathesis.openapi.from_url(f"{server.http}/openapi.json", config=config)
    return [operation.ok() for operation in schema.get_all_operations()]


def ask(operation, mode, examples):
    """Ask one operation many times; every check of schemathesis holds."""

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def every(case):
        case.call_and_validate(timeout=30)

    every()


def test_operations_answer_as_they_are_described(saved, tmp_path):
    more = ["--admin", "--corrections", tmp_path / "corrections.jsonl", "--lame-duck", "0"]
    with serving(f"shop={saved}", *more) as server:
        operations = described(server)
        for operation in operations:
            ask(operation, GenerationMode.POSITIVE, 10 if operation.body else 2)
            if operation.body and not operation.path.endswith("/reload"):  # which takes any JSON
                ask(operation, GenerationMode.NEGATIVE, 10)

        assert len(operations) == 18
        assert server.predict({"products": {"title": "boot"}}).status_code == 200
    assert not any('"traceback"' in line for line in server.log)
