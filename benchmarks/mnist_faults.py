"""Is the right cause named first on MNIST? A small CNN, healthy and with one fault at a time; prints a table.

    python benchmarks/mnist_faults.py --data FOLDER [--budget 5m] [--only softmax] [--json]

FOLDER holds MNIST's 10,000 test digits in IDX format (`mnist10k-images-idx3-ubyte.gz` and the labels beside it).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEALTHY_LR = 0.002
CASES: dict[str, tuple[dict[str, object], dict[str, object], float, frozenset[str]]] = {
    # name: arguments of the model, of the data, lr, the primary findings that are right (none: healthy)
    "healthy": ({}, {}, HEALTHY_LR, frozenset()),
    "lr x 100": ({}, {}, 100 * HEALTHY_LR, frozenset({"learning-rate-too-high"})),
    "softmax": ({"softmax": True}, {}, HEALTHY_LR, frozenset({"softmax-before-cross-entropy"})),
    "unscaled inputs": ({}, {"scaled": False}, HEALTHY_LR, frozenset({"inputs-not-standardised"})),
    "shuffled labels": ({}, {"shuffled_labels": True}, HEALTHY_LR, frozenset({"features-misaligned-with-labels"})),
    "zero initialisation": ({"zero": True}, {}, HEALTHY_LR, frozenset({"symmetric-weights"})),
}


def diagnose(name: str, *, data: Path, budget: str, out: Path) -> dict[str, object]:
    """Run one case as a user would, and hold its primary finding against the truth."""
    model, factory, lr, right = CASES[name]
    spec = {
        "name": f"mnist, {name}",
        "model": {"factory": "mnist_cnn:MnistCnn", "args": model},
        "data": {"factory": "mnist_cnn:build_data", "args": {"folder": str(data), **factory}, "batch_size": 64},
        "loss": "cross_entropy",
        "optimizer": {"name": "adam", "lr": lr},
        "scheduler": {"name": "cosine"},
        "epochs": 6,
    }
    folder = out / name.replace(" ", "-")
    folder.mkdir(parents=True)
    (folder / "mnist_cnn.py").write_text(
        (HERE / "mnist" / "mnist_cnn.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (folder / "diagnose.yaml").write_text(json.dumps(spec), encoding="utf-8")  # JSON is YAML
    start = time.monotonic()
    command = [sys.executable, "-m", "diagnoser", "run", str(folder / "diagnose.yaml"), "--out", str(folder / "out")]
    subprocess.run(
        [*command, "--budget", budget, "--no-cache"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    diagnosis = json.loads((folder / "out" / "diagnosis.json").read_text(encoding="utf-8"))
    rules = {finding["id"]: finding["rule"] for finding in diagnosis["findings"]}
    primary = rules.get(diagnosis["primary"])
    return {
        "case": name,
        "verdict": diagnosis["verdict"],
        "primary": primary,
        "right": primary in right if right else diagnosis["verdict"] == "healthy",
        "seconds": time.monotonic() - start,
    }


def main() -> int:
    """Print one row per case; 1 when one of them is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--budget", default="5m")
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(CASES)
    rows = []
    with tempfile.TemporaryDirectory(prefix="mnist-") as out:
        for name in names:
            rows.append(diagnose(name, data=arguments.data.resolve(), budget=arguments.budget, out=Path(out)))
            if not arguments.json:
                row = rows[-1]
                mark = "right" if row["right"] else "WRONG"
                print(
                    f"{name:20} {row['verdict']!s:13} {row['primary'] or '-'!s:36} {mark:6} {row['seconds']:6.0f} s",
                    flush=True,
                )
    if arguments.json:
        print(json.dumps(rows))
    return 0 if all(row["right"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
