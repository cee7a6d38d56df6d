"""Captions a Parquet table of pictures (`id`, `bytes`) with Ray Data, each picture once, also if an actor dies.

    python ray_captions.py pictures captions --nodes 2      # two nodes on this machine
    ray job submit -- python ray_captions.py s3://bucket/pictures s3://bucket/captions --actors 64
"""

import argparse

import pyarrow
import ray

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


class Caption:
    """An actor: it has one core, so it captions on one thread."""

    def __init__(self):
        from soli_captioner import Captioner

        self.captioner = Captioner.load()

    def __call__(self, table):
        captions = self.captioner.caption_all((data.as_py() for data in table["bytes"]), threads=1)
        rows = [{"id": name.as_py(), **row} for name, row in zip(table["id"], captions)]
        return pyarrow.Table.from_pylist(rows, SCHEMA)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("captions")
    parser.add_argument("--nodes", type=int, default=0, help="start so many nodes of one core on this machine")
    parser.add_argument("--actors", type=int, default=2, help="cores that caption")
    arguments = parser.parse_args()
    cluster = None
    if arguments.nodes:
        from ray.cluster_utils import Cluster

        # A spare core each for reading and writing.
        node = {"num_cpus": 2, "object_store_memory": 128 << 20}
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        for _ in range(arguments.nodes - 1):
            cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False)
    # A block is what an actor gets at a time, and what is done again when it dies: some tens of pictures, not 128 MB of them.
    ray.data.DataContext.get_current().target_max_block_size = 2 << 20
    pictures = ray.data.read_parquet(arguments.pictures, columns=["id", "bytes"])
    captions = pictures.map_batches(
        Caption, batch_format="pyarrow", batch_size=32, num_cpus=1, compute=ray.data.ActorPoolStrategy(size=arguments.actors)
    )
    captions.write_parquet(arguments.captions)
    ray.shutdown()
    if cluster:
        cluster.shutdown()


if __name__ == "__main__":
    main()
