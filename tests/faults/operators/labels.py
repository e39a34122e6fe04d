"""Faults of the targets: wrong, permuted, constant, unscaled, hidden, contradictory."""

from tests.faults.mutation import Fault, Operator, source, spec

MISALIGNED = Operator(
    name="targets of other rows",
    categories=("labels", "data"),
    rules=("features-misaligned-with-labels",),
    source="CATALOGUE labels: inputs and targets by different indices",
)
FROM_ONE = Operator(
    name="class numbers from one",
    categories=("labels", "architecture", "loss"),
    rules=("labels-out-of-range",),
    source="CATALOGUE labels: classes 1..C for C outputs",
)
CONSTANT = Operator(
    name="labels lost in a conversion",
    categories=("labels",),
    rules=("targets-constant",),
    source="CATALOGUE labels: labels divided by 255 with the pictures",
    silent="Silent: every label is the same, so the accuracy is perfect and means nothing.",
)
PERMUTED = Operator(
    name="another label map in validation",
    categories=("labels", "data"),
    rules=("validation-labels-permuted",),
    source="CATALOGUE labels: two label maps",
)
UNSCALED = Operator(
    name="targets in their own units",
    categories=("labels", "learning-rate", "loss"),
    rules=("regression-targets-unscaled", "learning-rate-too-low"),
    source="CATALOGUE labels: targets not standardised",
)
HIDDEN_CLASS = Operator(
    name="a class that does not count",
    categories=("labels", "loss"),
    rules=("targets-masked-out",),
    source="CATALOGUE labels: ignore_index, or a weight of 0, of a real class",
)
UNSHIFTED = Operator(
    name="the model is shown what it must say",
    categories=("labels", "data", "architecture"),
    rules=("next-token-targets-unshifted", "future-tokens-visible"),
    source="CATALOGUE labels: targets not shifted",
    silent="Silent: the answer stands in the input, so the scores are far too good.",
)
CONTRADICTING = Operator(
    name="a part of the labels is drawn by lot",
    categories=("labels",),
    rules=("noisy-labels",),
    source="CATALOGUE labels: noisy labels",
)
RARE = Operator(
    name="rare class left to itself",
    categories=("labels", "loss"),
    rules=("label-imbalance",),
    source="CATALOGUE labels: imbalance without weights",
)

FAULTS: tuple[Fault, ...] = (
    MISALIGNED.on("dict-two-inputs", source('"target": self.price[i]}', '"target": self.price[i - 1]}')),
    MISALIGNED.on("rent-residual", source("    return table, rent", "    return table[np.lexsort(table.T)], rent")),
    FROM_ONE.on(
        "iris-mlp",
        source("x, y = load_iris(return_X_y=True)\n", "x, y = load_iris(return_X_y=True)\n    y = y + 1\n"),
    ),
    CONSTANT.on(
        "log-softmax",
        source("x, y = load_digits(return_X_y=True)\n", "x, y = load_digits(return_X_y=True)\n    y = y // 16\n"),
    ),
    CONSTANT.on(
        "lazy-layers", source("torch.float32), torch.tensor(y)\n", "torch.float32), (torch.tensor(y) / 255).long()\n")
    ),
    PERMUTED.on(
        "digits-resnet",
        source("(t(x_val), torch.tensor(y_val))", "(t(x_val), torch.tensor((y_val + 9) % 10))"),
    ),
    PERMUTED.on("set-pooling", source("(x[900:], y[900:])", "(x[900:], (y[900:] + 1) % 3)")),
    UNSCALED.on(
        "diabetes-huber",
        source("torch.tensor((a - y_mean) / y_std, dtype", "torch.tensor(a, dtype"),
        source(
            "x_mean, x_std, y_mean, y_std = x_train.mean(0), x_train.std(0), y_train.mean(), y_train.std()",
            "x_mean, x_std = x_train.mean(0), x_train.std(0)",
        ),
    ),
    UNSCALED.on("dict-two-inputs", source("self.price = y.float()", "self.price = 180_000 + 60_000 * y.float()")),
    HIDDEN_CLASS.on(
        "encoder-pooling",
        spec(loss={"name": "cross_entropy", "args": {"ignore_index": 0}}),
        silent="Silent: class 0 counts neither in the loss nor, for that reason, in the metric; it is never said.",
    ),
    HIDDEN_CLASS.on("iris-mlp", spec(loss={"name": "cross_entropy", "args": {"weight": [1.0, 1.0, 0.0]}})),
    UNSHIFTED.on("causal-periodic", source("tokens[:, 1:].contiguous()", "tokens[:, :-1].clone()")),
    UNSHIFTED.on(
        "translate-reversed",
        source(
            "return (source, torch.cat([torch.tensor([START]), target[:-1]])), target",
            "return (source, target), target",
        ),
    ),
    CONTRADICTING.on(
        "patch-transformer",
        source(
            "    t = lambda a: torch",
            "    lot = torch.Generator().manual_seed(3)\n"
            "    drawn = torch.rand(len(y_train), generator=lot).numpy() < 0.5\n"
            "    y_train[drawn] = torch.randint(0, 10, (int(drawn.sum()),), generator=lot).numpy()\n"
            "    t = lambda a: torch",
        ),
        worse=True,
    ),
    RARE.on(
        "rare-defects",
        source(
            "    weights = 1 / torch.bincount(y).float()\n    sampler = WeightedRandomSampler(weights[y], len(y))\n", ""
        ),
        source("batch_size=64, sampler=sampler)", "batch_size=64, shuffle=True)"),
        source(
            "from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler",
            "from torch.utils.data import DataLoader, TensorDataset",
        ),
    ),
)
