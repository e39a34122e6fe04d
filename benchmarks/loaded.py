"""A workload of the benchmarks as the product has it, loaded in this very process."""

from pathlib import Path

from benchmarks.workloads import BATCH, Split
from benchmarks.workloads import Workload as Kind
from diagnoser.records import JsonValue
from diagnoser.spec.reading import from_mapping
from diagnoser.training.live import LiveObjects
from diagnoser.training.workload import Workload, load


def loaded(kind: Kind, rows: Split, *, optimizer: dict[str, JsonValue]) -> Workload:
    """Load model and rows as live objects, as a notebook does."""
    mapping = {
        "name": kind.name, "model": "live:model", "data": {"factory": "live:data", "batch_size": BATCH},
        "loss": "cross_entropy", "optimizer": optimizer, "device": "cpu",
    }  # fmt: skip
    spec, _ = from_mapping(mapping, live={"model", "data"})
    return load(spec, folder=Path.cwd(), objects=LiveObjects(model_fn=kind.build, data=lambda: rows))
