"""The engine of a Spark cluster: a shard is a job of one task; those of a lost executor are done again."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.scale.engine import AHEAD, DoneT, Failed, ShardT, Work, in_order

_HERE = "local[*,4]"
"""Spark on this machine, where nothing else is set: all processors, and a shard is tried four times."""


def run(job: Work[ShardT, DoneT], tasks: Iterable[ShardT | DoneT], workers: int) -> Iterator[DoneT | Failed]:
    """Do the tasks in the Spark session that there is (under spark-submit), or in one of this machine.

    workers: shards under way at a time; 0: as many as the cluster does side by side.

    Raises
    ------
    MissingExtraError
        PySpark is not installed.
    RecipeError
        There is no Java.

    """
    try:
        from pyspark import SparkConf
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtraError("--engine spark", "spark") from None
    began = SparkSession.getActiveSession() is None
    if began:
        _check_java()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: Any = SparkSession.builder.appName("shelfwise")
    if began and not SparkConf().contains("spark.master"):
        builder = builder.master(_HERE)
    session = builder.getOrCreate()
    context = session.sparkContext
    try:
        most = workers or AHEAD * max(1, context.defaultParallelism)
        with ThreadPoolExecutor(most) as callers:

            def submit(task: ShardT) -> Future[DoneT | Failed]:
                one = context.parallelize([task], 1).map(job.do)
                return callers.submit(lambda: one.collect()[0])

            yield from in_order(tasks, submit, Future.result, most)
    finally:
        if began:
            session.stop()


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and os.path.exists(os.path.join(home, "bin", "java"))):
        raise RecipeError(
            "--engine spark needs Java 17 or newer, and there is none: install one (Debian: "
            "default-jre-headless), or set JAVA_HOME"
        )
