"""Faults of memory, time and number formats: the result may be right, if it ever comes."""

from tests.faults.mutation import Fault, Operator, source, spec

TOO_MANY_ROWS = Operator(
    name="more rows than memory holds",
    categories=("batch-size", "performance"),
    rules=("batch-out-of-memory",),
    source="CATALOGUE batch-size: all pairs of a batch of thousands",
)
SLOW_ROWS = Operator(
    name="every row fetched when it is asked for",
    categories=("performance", "data"),
    rules=("data-loading-bound",),
    source="CATALOGUE performance: no workers, a store that takes milliseconds for each row",
    silent="The result is right; most of the time goes by in waiting for the next batch.",
)
NO_SCALE = Operator(
    name="sixteen bits without a scale",
    categories=("numerical",),
    rules=("float16-without-loss-scaling", "gradients-vanish"),
    source="CATALOGUE numerical: float16 in a loop by hand, and a loss in large units",
)

FAULTS: tuple[Fault, ...] = (
    TOO_MANY_ROWS.on("neighbour-metric", spec(data__batch_size=9000)),
    SLOW_ROWS.on(
        "vibration-conv",
        source("import numpy as np\n", "import time\n\nimport numpy as np\n"),
        source(
            "LENGTH, STATES = 96, 4\n",
            "LENGTH, STATES = 96, 4\nSTORE = 0.003  # seconds that our store takes for a window\n",
        ),
        source("        return torch.from_numpy(", "        time.sleep(STORE)\n        return torch.from_numpy("),
    ),
    NO_SCALE.on(
        "scaled-half-loop",
        source("scaler.scale(value).backward()", "value.backward()"),
        source("        scaler.step(optimizer)\n        scaler.update()\n", "        optimizer.step()\n"),
        source("batches, loss, scaler):", "batches, loss):"),
    ),
)
