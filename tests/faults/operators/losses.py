"""Faults of the loss: the wrong function, sign, axis, shape or reduction."""

from tests.faults.mutation import Fault, Operator, source, spec

SOFTMAX_TWICE = Operator(
    name="softmax before cross-entropy",
    categories=("loss", "activation"),
    rules=("softmax-before-cross-entropy",),
    source="CATALOGUE loss; Stack Overflow's evergreen",
)
SIGMOID_TWICE = Operator(
    name="sigmoid before a loss of logits",
    categories=("loss", "activation"),
    rules=("sigmoid-before-logit-loss",),
    source="CATALOGUE loss",
)
NO_PROBABILITY = Operator(
    name="loss of probabilities gets something else",
    categories=("loss", "activation"),
    rules=("logits-to-probability-loss",),
    source="CATALOGUE loss: NLLLoss or BCELoss on what is no (log-)probability",
)
WRONG_AXIS = Operator(
    name="normalised along the wrong axis",
    categories=("loss", "architecture", "activation"),
    rules=("softmax-over-wrong-axis", "samples-mixed-in-batch"),
    source="CATALOGUE loss: dim=0",
)
ONE_OF_MANY = Operator(
    name="one answer asked where several are right",
    categories=("loss",),
    rules=("loss-unfit-for-task",),
    source="CATALOGUE loss: multi-hot rows with cross-entropy",
)
SUMMED = Operator(
    name="summed over the batch",
    categories=("loss", "learning-rate"),
    rules=("loss-summed-over-batch", "learning-rate-too-high"),
    source="CATALOGUE loss: reduction sum at a rate chosen for the mean",
)
BROADCAST = Operator(
    name="rows against columns",
    categories=("loss", "labels"),
    rules=("output-target-broadcast",),
    source="CATALOGUE loss: (B, 1) against (B,)",
)
NEGATED = Operator(
    name="sign of the loss turned",
    categories=("loss", "training-loop"),
    rules=("loss-ascended",),
    source="CATALOGUE loss: ascends instead of descends",
)
SWAPPED = Operator(
    name="alike and different exchanged",
    categories=("loss", "labels"),
    rules=("loss-and-metric-disagree", "loss-ascended", "loss-unfit-for-task"),
    source="own: contrastive loss with its two terms exchanged",
)
OUTLIERS = Operator(
    name="squares under outliers",
    categories=("loss", "data"),
    rules=("squared-error-with-outliers",),
    source="CATALOGUE loss: squared error with gross errors in the targets",
)

FAULTS: tuple[Fault, ...] = (
    SOFTMAX_TWICE.on(
        "set-pooling",
        source(
            "return self.head(self.each(x).amax(dim=1))", "return self.head(self.each(x).amax(dim=1)).softmax(dim=-1)"
        ),
        silent="Nearly silent: the accuracy is fair, the loss cannot fall below ln(e + C - 1) - 1.",
    ),
    SOFTMAX_TWICE.on(
        "patch-transformer",
        source(
            "return self.head(self.layers(h + self.places)[:, 0])",
            "return torch.softmax(self.head(self.layers(h + self.places)[:, 0]), dim=1)",
        ),
    ),
    SIGMOID_TWICE.on("multilabel", source("nn.Linear(32, 6))", "nn.Linear(32, 6), nn.Sigmoid())")),
    SIGMOID_TWICE.on(
        "dilated-convolution",
        source(
            "return self.head(self.layers(x).mean(dim=2))",
            "return torch.sigmoid(self.head(self.layers(x).mean(dim=2)))",
        ),
    ),
    NO_PROBABILITY.on("log-softmax", source(", nn.LogSoftmax(dim=1))", ")"), also=(("numerical", ""),)),
    NO_PROBABILITY.on(
        "sigmoid-bce",
        source("nn.Sigmoid())", "nn.Hardtanh(0, 1))"),
        silent="Nearly silent: outside of 0 and 1 there is no slope, and a wrong 0 or 1 costs the clamped logarithm of 0, 100.",
        also=(("activation", "output-range-short-of-targets"),),
    ),
    WRONG_AXIS.on(
        "log-softmax",
        source("nn.LogSoftmax(dim=1)", "nn.LogSoftmax(dim=0)"),
        silent="Nearly silent on full batches: a row's answer hangs on the others in its batch, and a lone row gets 0 for every class.",
    ),
    ONE_OF_MANY.on("multilabel", spec(loss="cross_entropy")),
    SUMMED.on("linear-regression", spec(loss={"name": "mse_loss", "args": {"reduction": "sum"}})),
    SUMMED.on("digits-resnet", spec(loss={"name": "cross_entropy", "args": {"reduction": "sum"}})),
    BROADCAST.on("ordinal-stars", source("dtype=torch.float32)[:, None]", "dtype=torch.float32)")),
    BROADCAST.on(
        "dict-two-inputs",
        source("self.place_embedding(place)], dim=1)).squeeze(1)", "self.place_embedding(place)], dim=1))"),
    ),
    NEGATED.on("class-weights-int32", source("return F.cross_entropy(", "return -F.cross_entropy(")),
    NEGATED.on("own-loop-clip-amp", source("value.backward()", "(-value).backward()")),
    SWAPPED.on(
        "siamese-pairs",
        source(
            "(same * distance.pow(2) + (1 - same) * F.relu(MARGIN - distance).pow(2))",
            "((1 - same) * distance.pow(2) + same * F.relu(MARGIN - distance).pow(2))",
        ),
    ),
    OUTLIERS.on("sensor-spikes", spec(loss="mse_loss")),
)
