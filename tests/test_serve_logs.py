"""Logs, limits and metrics of a server: one JSON object a line, limits that fit, counts that add up."""

import json
import logging

import pytest

from shelfwise.errors import RecipeError
from shelfwise.serve.limits import Limits
from shelfwise.serve.logs import JsonFormatter
from shelfwise.serve.messages import Prediction
from shelfwise.serve.metrics import Metrics


def record(message, **more):
    made = logging.LogRecord("shelfwise.serve", logging.INFO, __file__, 1, message, (), None)
    made.__dict__.update(more)
    return made


def test_a_log_line_is_one_json_object():
    line = JsonFormatter().format(record("a\nb \u2028 c", about={"request_id": "7", "odd": {1}}))
    said = json.loads(line)

    assert "\n" not in line
    assert (said["message"], said["request_id"], said["level"]) == ("a\nb \u2028 c", "7", "info")


@pytest.mark.parametrize("wrong", [{"items": 0}, {"batch": -1}, {"queue": 5}, {"timeout": 0}])
def test_limits_that_cannot_be_kept_are_refused(wrong):
    with pytest.raises(RecipeError):
        Limits(**wrong)


def test_answers_are_counted_by_what_came_of_them():
    metrics = Metrics()
    answers = [
        Prediction("1", "Shoes > Pumps", 0.99, True, "Shoes > Pumps", 0.99),
        Prediction("2", "Shoes > Boots", 0.5, False, "Shoes", 0.9),
        Prediction("3", "Hats", 0.2, False),
        Prediction("4", status="unreadable"),
    ]
    metrics.answered("m", lambda category: category.split(" > ")[0], answers)
    lines = metrics.page().decode().splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    assert values['shelfwise_predictions_total{model="m",status="ok"}'] == 3
    assert values['shelfwise_predictions_total{model="m",status="unreadable"}'] == 1
    assert values['shelfwise_shelves_total{model="m",shelf="Shoes"}'] == 2
    for outcome in ("accepted", "backed_off", "left"):
        assert values[f'shelfwise_promised_total{{model="m",outcome="{outcome}"}}'] == 1
    assert values['shelfwise_confidence_count{model="m"}'] == 3
