"""Nothing is wrong here, and yet something is worth a line: what may be said about it is `info`, and no more."""

from tests.faults.mutation import Fault, Operator, source, spec

MOSTLY_PADDING = Operator(
    name="padded to one length for all",
    categories=("performance",),
    rules=("excessive-padding",),
    source="CATALOGUE performance: every text as long as the longest allowed",
    hint="The answers are the same; most of the tokens are padding.",
)
LONG_VALIDATION = Operator(
    name="far more rows to validate than to train on",
    categories=("performance",),
    rules=("validation-dominates-run",),
    source="CATALOGUE performance: evaluation after every epoch on thirty times the training rows",
    hint="The answers are the same; most of the time goes into evaluating.",
)
STOPS_BY_VALIDATION = Operator(
    name="stops where the validation rows are happiest",
    categories=("data",),
    rules=("no-independent-test-set",),
    source="CATALOGUE data: the stopping epoch is chosen on the few rows that judge it",
    hint="A usual way to train; the figure reported is a little too good, and only a third set would tell by how much.",
)
RUNS_ON = Operator(
    name="frozen layers whose statistics run on",
    categories=("normalisation",),
    rules=("frozen-batch-norm-drifts",),
    source="CATALOGUE normalisation: requires_grad off, and the layers left in training mode",
    hint="The weights are frozen and the statistics are not; on rows like these it does no harm, on others it may.",
)

FAULTS: tuple[Fault, ...] = (
    MOSTLY_PADDING.on(
        "packed-lstm",
        source("PAD, WORDS, TOPICS = 0, 80, 5\n", "PAD, WORDS, TOPICS, LONGEST = 0, 80, 5, 96\n"),
        source(
            "    return nn.utils.rnn.pad_sequence(list(words), batch_first=True, padding_value=PAD), torch.tensor(topics)\n",
            "    ids = torch.full((len(rows), LONGEST), PAD)\n"
            "    for row, text in zip(ids, words):\n"
            "        row[: len(text)] = text\n"
            "    return ids, torch.tensor(topics)\n",
        ),
    ),
    LONG_VALIDATION.on("weighted-rows", source("def build_data(rows=1600)", "def build_data(rows=40_000)")),
    STOPS_BY_VALIDATION.on("small-noisy-validation", spec(early_stopping={"patience": 5})),
    RUNS_ON.on(
        "frozen-norms",
        source("requires_grad_(False).eval()", "requires_grad_(False)"),
        source(
            "    def train(self, mode=True):\n"
            "        super().train(mode)\n"
            "        self.backbone.eval()\n"
            "        return self\n\n",
            "",
        ),
    ),
)
