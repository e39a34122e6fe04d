"""Faults of the inputs: how they are scaled, split, ordered and read."""

from tests.faults.mutation import Fault, Operator, source, spec

RAW = Operator(
    name="inputs left as they come",
    categories=("data", "learning-rate"),
    rules=("inputs-not-standardised", "learning-rate-too-high", "learning-rate-too-low"),
    source="CATALOGUE data: standardisation left out",
)
SCALED_TWICE = Operator(
    name="inputs scaled twice",
    categories=("data", "learning-rate"),
    rules=("inputs-not-standardised", "learning-rate-too-low"),
    source="CATALOGUE data: divided by 255 after division by the range",
)
MISSING = Operator(
    name="missing values left in",
    categories=("data", "numerical"),
    rules=("inputs-non-finite", "non-finite-loss"),
    source="CATALOGUE data: NaN for what was not measured",
)
CHANNELS_LAST = Operator(
    name="channels last for a channels-first layer",
    categories=("data", "architecture"),
    rules=("channels-last-input",),
    source="CATALOGUE data: NHWC into PyTorch",
)
INDEX_WRAPS = Operator(
    name="data set returns few rows again and again",
    categories=("data",),
    rules=("duplicate-training-rows",),
    source="CATALOGUE data: __getitem__ that does not use its index fully",
)
OVERLAP = Operator(
    name="validation rows are trained on",
    categories=("data",),
    rules=("train-validation-overlap",),
    source="CATALOGUE data: slice of the whole table",
    silent="Silent: the validation rows are among the training rows, so their metric says nothing about new rows.",
)
OVERSAMPLED_FIRST = Operator(
    name="oversampled before the split",
    categories=("data",),
    rules=("train-validation-overlap", "duplicate-training-rows"),
    source="published advice on imbalance, applied in the wrong order",
    silent="Silent: copies of one row lie in both splits, so the rare class looks learnt.",
)
LEAK = Operator(
    name="target among the inputs",
    categories=("data",),
    rules=("target-leaked-by-feature",),
    source="CATALOGUE data: target leakage",
    silent="Silent: one column is the answer, so the metric is far too good.",
)
OTHER_VALIDATION = Operator(
    name="validation prepared otherwise",
    categories=("data",),
    rules=("validation-preprocessed-differently",),
    source="CATALOGUE data: the transform is applied to one split only",
)
SORTED = Operator(
    name="sorted rows in a fixed order",
    categories=("data", "training-loop"),
    rules=("training-data-not-shuffled",),
    source="CATALOGUE data: files read class by class, shuffling off",
)
AUGMENTED = Operator(
    name="augmentation drowns the signal",
    categories=("data", "regularisation"),
    rules=("augmentation-too-strong",),
    source="CATALOGUE data: augmentation too strong",
)
IN_PLACE = Operator(
    name="rows changed in place when read",
    categories=("data",),
    rules=("data-unstable-between-reads", "augmentation-too-strong"),
    source="CATALOGUE data: += on a view of the stored row",
)
NOISY_VALIDATION = Operator(
    name="validation rows are augmented too",
    categories=("data",),
    rules=("data-unstable-between-reads", "validation-preprocessed-differently"),
    source="CATALOGUE data: one random transform for both splits",
)

FAULTS: tuple[Fault, ...] = (
    RAW.on(
        "wine-mlp",
        source("    mean, std = x_train.mean(axis=0), x_train.std(axis=0)\n", ""),
        source("torch.tensor((a - mean) / std, dtype", "torch.tensor(a, dtype"),
    ),
    RAW.on(
        "rent-residual",
        source("    x = (x - x[:3000].mean(0)) / x[:3000].std(0)\n", ""),
        source("where, np.log(area), rooms, np.log1p(age), floor", "where, 100 * area, rooms, 12 * age, floor"),
    ),
    SCALED_TWICE.on("log-softmax", source("train_test_split(x / 16, y", "train_test_split(x / 16 / 255, y")),
    MISSING.on(
        "quantiles",
        source("    x, y = torch.tensor(x, dtype", "    x[7::250, 3] = np.nan\n    x, y = torch.tensor(x, dtype"),
    ),
    CHANNELS_LAST.on(
        "digits-resnet",
        source("digits.images[:, None] / 16", "digits.images[..., None] / 16"),
        source("nn.Conv2d(1, channels, 3, padding=1, bias=False)", "nn.Conv2d(8, channels, 3, padding=1, bias=False)"),
    ),
    CHANNELS_LAST.on(
        "group-norm-batch-four",
        source("digits.images[:, None] / 8", "digits.images[..., None] / 8"),
        source("nn.Conv2d(1, 16, 3, padding=1)", "nn.Conv2d(8, 16, 3, padding=1)"),
        source("nn.Linear(24 * 16, 10)", "nn.Linear(24 * 4, 10)"),
    ),
    INDEX_WRAPS.on("translate-reversed", source("source = self.words[i]", "source = self.words[i % 24]")),
    INDEX_WRAPS.on(
        "dict-two-inputs",
        source("    def __getitem__(self, i):\n", "    def __getitem__(self, i):\n        i = i // 64\n"),
    ),
    OVERLAP.on("bilstm-motif", source("return (x[:1500], y[:1500])", "return (x, y)")),
    OVERLAP.on("forecast", source("return (x[:1700], y[:1700])", "return (x, y)")),
    OVERSAMPLED_FIRST.on(
        "class-weights-int32",
        source(
            "    x_train, x_val, y_train, y_val = train_test_split(x, y.astype",
            "    rare = np.flatnonzero(y == 2)\n"
            "    x, y = np.concatenate([x] + 5 * [x[rare]]), np.concatenate([y] + 5 * [y[rare]])\n"
            "    x_train, x_val, y_train, y_val = train_test_split(x, y.astype",
        ),
        worse=True,
    ),
    LEAK.on(
        "linear-regression",
        source(
            "    x_train, x_val, y_train",
            "    x = np.column_stack([x, y / y.std()])\n    x_train, x_val, y_train",
        ),
        source("torch.nn.Linear(12, 1)", "torch.nn.Linear(13, 1)"),
    ),
    LEAK.on(
        "rent-residual",
        source("floor, lift, income])", "floor, lift, income, np.exp(rent)])"),
        source("nn.Linear(8, width)", "nn.Linear(9, width)"),
    ),
    OTHER_VALIDATION.on(
        "wine-mlp",
        source("TensorDataset(t(x_val), torch", "TensorDataset(torch.tensor(x_val, dtype=torch.float32), torch"),
    ),
    OTHER_VALIDATION.on(
        "digits-depthwise",
        source("(t(x_val), torch", "(torch.tensor(x_val / 255, dtype=torch.float32), torch"),
    ),
    OTHER_VALIDATION.on(
        "gru-sequences", source("(x[1100:], y[1100:])", "(10 * x[1100:], y[1100:])"), also=(("data", ""),)
    ),
    SORTED.on(
        "log-softmax",
        source(
            "    t = lambda a: torch",
            "    order = y_train.argsort()\n    x_train, y_train = x_train[order], y_train[order]\n    t = lambda a: torch",
        ),
        spec(data__shuffle=False),
    ),
    SORTED.on(
        "encoder-pooling",
        source(
            "    x, y = torch.tensor(x), torch.tensor(y)\n",
            "    order = np.argsort(y[:2100])\n    x[:2100], y[:2100] = x[order], y[order]\n"
            "    x, y = torch.tensor(x), torch.tensor(y)\n",
        ),
        spec(data__shuffle=False),
    ),
    AUGMENTED.on("augmented-sampler", source("noise=0.1", "noise=2.0")),
    IN_PLACE.on(
        "augmented-sampler",
        source(
            "        return self.x[i] + self.noise * torch.randn(1, 8, 8), self.y[i]",
            "        row = self.x[i]\n        row += self.noise * torch.randn(1, 8, 8)\n        return row, self.y[i]",
        ),
        source("noise=0.1", "noise=0.3"),
    ),
    NOISY_VALIDATION.on(
        "augmented-sampler",
        source("DataLoader(TensorDataset(x_val, y_val), batch", "DataLoader(Noisy(x_val, y_val, 0.5), batch"),
    ),
)
