"""Captions a Parquet table of pictures (`id`, `bytes`) with Apache Spark, each picture once, also if executors die.

    python spark_captions.py pictures captions.parquet --master "local-cluster[2,1,1024]"
    spark-submit --archives environment.tar.gz spark_captions.py s3a://bucket/pictures s3a://bucket/captions
"""

import argparse
import os
import sys

import pyarrow
from pyspark.sql import SparkSession

COLUMNS = """
    id string, text string, kind string, confidence float, certainty string,
    words array<struct<word: string, probability: float>>, partial boolean, error string
"""
WORD = pyarrow.struct([("word", pyarrow.string()), ("probability", pyarrow.float32())])
SCHEMA = pyarrow.schema(
    [
        ("id", pyarrow.string()),
        ("text", pyarrow.string()),
        ("kind", pyarrow.string()),
        ("confidence", pyarrow.float32()),
        ("certainty", pyarrow.string()),
        ("words", pyarrow.list_(WORD)),
        ("partial", pyarrow.bool_()),
        ("error", pyarrow.string()),
    ]
)


def caption(batches):
    """A task: it has one core, so it captions on one thread."""
    from soli_captioner import Captioner

    captioner = Captioner.load()
    for batch in batches:
        captions = captioner.caption_all((data.as_py() for data in batch["bytes"]), threads=1)
        rows = [{"id": name.as_py(), **row} for name, row in zip(batch["id"], captions)]
        yield pyarrow.RecordBatch.from_pylist(rows, SCHEMA)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("captions")
    parser.add_argument("--master", help="as spark-submit says when not given")
    arguments = parser.parse_args()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("soli")
    if arguments.master:
        builder = builder.master(arguments.master)
    spark = (
        # Few rows in memory at a time, and tasks of some hundred pictures: what a dead executor costs.
        builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 64)
        .config("spark.sql.files.maxPartitionBytes", "16m")
        .config("spark.sql.files.openCostInBytes", "16m")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    pictures = spark.read.parquet(arguments.pictures).select("id", "bytes")
    pictures.mapInArrow(caption, COLUMNS).write.parquet(arguments.captions)
    spark.stop()


if __name__ == "__main__":
    main()
