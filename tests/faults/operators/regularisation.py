"""Faults of regularisation and normalisation: too much, at the wrong place, with the wrong statistics."""

from tests.faults.mutation import Fault, Operator, source, spec

DROPS_ALL = Operator(
    name="nearly every unit dropped",
    categories=("regularisation",),
    rules=("dropout-too-high",),
    source="DeepCrime RCD",
)
BARE_MASK = Operator(
    name="units masked by hand",
    categories=("regularisation", "training-loop"),
    rules=("dropout-not-rescaled", "dropout-too-high"),
    source="CATALOGUE regularisation: what is kept is not made larger",
)
HEAVY_DECAY = Operator(
    name="weights decayed away",
    categories=("regularisation", "optimizer"),
    rules=("weight-decay-too-high", "optimizer-settings-out-of-range"),
    source="DeepCrime RAW",
)
DECAY_LOST = Operator(
    name="decay asked for and not passed on",
    categories=("regularisation", "optimizer"),
    rules=("weight-penalty-not-wired",),
    source="CATALOGUE regularisation",
    silent="Silent: the spec says weight decay, the optimizer has none; every search of it would be in vain.",
)
PAIRS = Operator(
    name="statistics of very few rows",
    categories=("normalisation", "batch-size", "learning-rate"),
    rules=("batch-norm-on-small-batch",),
    source="CATALOGUE normalisation: BatchNorm on two or three rows",
)
ONE_ROW = Operator(
    name="a last batch of one row",
    categories=("normalisation", "batch-size", "training-loop", "data"),
    rules=("batch-norm-on-small-batch",),
    source="CATALOGUE normalisation: BatchNorm raises on a single row",
)
STALE = Operator(
    name="running statistics that hardly run",
    categories=("normalisation",),
    rules=("batch-norm-statistics-stale",),
    source="CATALOGUE normalisation: momentum in the sense of another library",
)
DROP_BEFORE = Operator(
    name="units dropped ahead of the statistics",
    categories=("normalisation", "regularisation"),
    rules=("dropout-before-batch-norm", "dropout-too-high", "batch-norm-statistics-stale"),
    source="CATALOGUE normalisation: variance shift",
)
WIDE_EPS = Operator(
    name="divisor far above the variance",
    categories=("normalisation", "numerical"),
    rules=("normalisation-eps-out-of-range",),
    source="DEFault++; CATALOGUE normalisation",
)
NORM_AT_END = Operator(
    name="normalised right before the answer",
    categories=("normalisation", "activation", "architecture"),
    rules=("batch-norm-misplaced", "output-range-short-of-targets"),
    source="CATALOGUE normalisation",
)

FAULTS: tuple[Fault, ...] = (
    DROPS_ALL.on("multilabel", source("nn.Dropout(0.3)", "nn.Dropout(0.95)")),
    DROPS_ALL.on(
        "monte-carlo-dropout",
        source("nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.1)", "nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.9)"),
        source("nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1)", "nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.9)"),
    ),
    BARE_MASK.on(
        "own-loop-accumulation",
        source("self.drop(torch.relu(self.fc1(x)))", "self.thin(torch.relu(self.fc1(x)))"),
        source("        self.drop = nn.Dropout(0.1)\n", ""),
        source(
            "\n    def forward(self, x):",
            "\n    def thin(self, h):\n        return h * (torch.rand_like(h) > 0.7) if self.training else h\n\n    def forward(self, x):",
        ),
    ),
    BARE_MASK.on(
        "text-cnn",
        source("self.drop(torch.cat(", "self.thin(torch.cat("),
        source("        self.drop = nn.Dropout(0.3)\n", ""),
        source(
            "\n    def forward(self, ids):",
            "\n    def thin(self, h):\n        return h * (torch.rand_like(h) > 0.6) if self.training else h\n\n    def forward(self, ids):",
        ),
        silent="Nearly silent: in use the features are 2.5 times as large as the head was taught; the first place mostly stays.",
    ),
    HEAVY_DECAY.on("digits-depthwise", spec(optimizer__weight_decay=20.0)),
    HEAVY_DECAY.on("quantiles", spec(optimizer__weight_decay=0.5)),
    DECAY_LOST.on(
        "model-with-loss",
        source('{"params": decayed, "weight_decay": weight_decay}', '{"params": decayed, "weight_decay": 0.0}'),
    ),
    ONE_ROW.on("digits-mlp-bn-dropout", spec(data__batch_size=673)),
    PAIRS.on("digits-mlp-bn-dropout", spec(data__batch_size=3, epochs=10)),
    STALE.on(
        "digits-mlp-bn-dropout",
        source("nn.BatchNorm1d(96)", "nn.BatchNorm1d(96, momentum=0.0005)"),
        source("nn.BatchNorm1d(48)", "nn.BatchNorm1d(48, momentum=0.0005)"),
    ),
    STALE.on("normed-gru", source("nn.BatchNorm1d(3)", "nn.BatchNorm1d(3, momentum=0.0001)")),
    DROP_BEFORE.on(
        "digits-mlp-bn-dropout",
        source("        nn.Linear(64, 96),\n", "        nn.Linear(64, 96),\n        nn.Dropout(0.6),\n"),
        source("        nn.Linear(96, 48),\n", "        nn.Linear(96, 48),\n        nn.Dropout(0.6),\n"),
    ),
    WIDE_EPS.on("segmentation", source("nn.GroupNorm(4, c_out)", "nn.GroupNorm(4, c_out, eps=1000.0)")),
    WIDE_EPS.on("rent-residual", source("nn.LayerNorm(width)", "nn.LayerNorm(width, eps=10_000.0)")),
    NORM_AT_END.on("diabetes-huber", source("nn.Linear(16, 1))", "nn.Linear(16, 1), nn.BatchNorm1d(1, affine=False))")),
)
