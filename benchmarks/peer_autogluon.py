"""AutoGluon behind two commands, for `bulk_peers.py`, in an environment of its own.

    python benchmarks/peer_autogluon.py train   MODEL LEARN.parquet SECONDS
    python benchmarks/peer_autogluon.py predict MODEL ASK.parquet OUTPUT.parquet

LEARN has the columns product_id, text and category, ASK the first two. `train` leaves what predicting needs.
"""

from __future__ import annotations

import sys

import pandas as pd
from autogluon.tabular import TabularPredictor


def main() -> None:
    """Do what the command line says."""
    what, model, table, last = sys.argv[1:]
    if what == "train":
        frame = pd.read_parquet(table, columns=["text", "category"])
        predictor = TabularPredictor("category", path=model, eval_metric="accuracy", verbosity=1)
        predictor.fit(frame, presets=["medium_quality", "optimize_for_deployment"], time_limit=float(last))
        return
    frame = pd.read_parquet(table)
    said = TabularPredictor.load(model).predict(frame[["text"]])
    pd.DataFrame({"product_id": frame["product_id"], "category": said}).to_parquet(last, index=False)


if __name__ == "__main__":
    main()
