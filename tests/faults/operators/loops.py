"""Faults of the training loop: gradients, modes, order, what is drawn, what is kept, what is reported."""

from tests.faults.mutation import Fault, Operator, source, spec

KEPT_GRADIENTS = Operator(
    name="gradients pile up",
    categories=("training-loop",),
    rules=("gradients-not-cleared",),
    source="TrainCheck; CATALOGUE training-loop",
)
NO_STEP = Operator(
    name="weights never move",
    categories=("training-loop", "optimizer"),
    rules=("optimizer-not-stepped", "nothing-learned"),
    source="torchtest; CATALOGUE training-loop",
)
WRONG_ORDER = Operator(
    name="calls in the wrong order",
    categories=("training-loop",),
    rules=("loop-calls-out-of-order", "optimizer-not-stepped"),
    source="CATALOGUE training-loop",
)
LATE_CLIP = Operator(
    name="clipped when it is too late",
    categories=("training-loop",),
    rules=("loop-calls-out-of-order",),
    source="CATALOGUE training-loop",
    silent="Silent: clipping behind the step has no effect; the run is the one without clipping.",
)
CUT_GRAPH = Operator(
    name="graph cut inside the model",
    categories=("training-loop", "architecture"),
    rules=("graph-detached", "unused-parameters"),
    source="CATALOGUE training-loop",
)
FROZEN = Operator(
    name="random layers frozen",
    categories=("training-loop", "optimizer"),
    rules=("layers-frozen-by-accident",),
    source="CATALOGUE training-loop: requires_grad switched off on new weights",
)
NOISY_SCORE = Operator(
    name="scored while training",
    categories=("training-loop",),
    rules=("evaluation-in-train-mode",),
    source="PyTorch issue 76383; CATALOGUE training-loop",
    silent="Silent in our own figures: the user's evaluation runs with random units dropped.",
)
STAYS_STILL = Operator(
    name="never back to training",
    categories=("training-loop", "regularisation"),
    rules=("training-in-eval-mode",),
    source="CATALOGUE training-loop",
    silent="Nearly silent: from the second epoch on nothing is dropped.",
)
ALWAYS_RANDOM = Operator(
    name="random in every mode",
    categories=("training-loop",),
    rules=("dropout-active-in-eval",),
    source="CATALOGUE training-loop: functional dropout without its mode",
)
PART_SCORED = Operator(
    name="scored on the first rows only",
    categories=("training-loop", "data"),
    rules=("metric-averaged-over-unequal-batches",),
    source="CATALOGUE training-loop",
    silent="Silent: the figure covers a part of the validation rows.",
)
FEW_DRAWN = Operator(
    name="leaves after the first batches",
    categories=("training-loop",),
    rules=("loop-uses-few-batches",),
    source="CATALOGUE training-loop: a return one level too deep",
)
KEPT_GRAPHS = Operator(
    name="every graph is kept",
    categories=("performance", "training-loop"),
    rules=("memory-grows-each-step",),
    source="CATALOGUE performance",
    silent="The result is right; every step's graph is kept, so memory grows until the process is killed.",
)
SHARED_MODEL = Operator(
    name="one model for all calls",
    categories=("reproducibility",),
    rules=("model-factory-not-fresh",),
    source="CATALOGUE reproducibility: the model is made at import",
    silent="Silent in a single run: a second run goes on with the first one's weights.",
)
SAME_NOISE = Operator(
    name="workers draw alike",
    categories=("reproducibility", "data"),
    rules=("workers-share-random-seed",),
    source="PyTorch FAQ: a generator that the data set holds is copied into every worker",
    silent="Nearly silent: both workers, and every epoch anew, draw the same noise, so there is less of it than it seems.",
)
OTHER_SPLIT = Operator(
    name="another split in every call",
    categories=("reproducibility", "data"),
    rules=("split-changes-between-calls", "data-unstable-between-reads", "seeds-not-fixed", "train-validation-overlap"),
    source="CATALOGUE reproducibility: no random_state",
    silent="Silent: two runs are validated on different rows, and a resumed one on rows that it was trained on.",
)
SUMMED = Operator(
    name="the sum of several batches",
    categories=("training-loop", "learning-rate"),
    rules=("accumulated-gradient-not-averaged", "learning-rate-too-high"),
    source="CATALOGUE training-loop: gradients added up and not divided",
)

FAULTS: tuple[Fault, ...] = (
    KEPT_GRADIENTS.on(
        "own-loop-clip-amp",
        source("        optimizer.zero_grad(set_to_none=True)\n", ""),
        silent="Silent under clipping and Adam, which forgive the length: every update follows the sum of all past gradients.",
    ),
    NO_STEP.on("own-loop-accumulation", source("            optimizer.step()\n", "")),
    WRONG_ORDER.on(
        "own-loop-clip-amp",
        source(
            "        optimizer.zero_grad(set_to_none=True)\n        value.backward()\n",
            "        value.backward()\n        optimizer.zero_grad(set_to_none=False)\n",
        ),
    ),
    WRONG_ORDER.on(
        "own-loop-accumulation",
        source(
            "            optimizer.step()\n            optimizer.zero_grad()\n",
            "            optimizer.zero_grad()\n            optimizer.step()\n",
        ),
    ),
    LATE_CLIP.on(
        "own-loop-clip-amp",
        source(
            "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        optimizer.step()\n",
            "        optimizer.step()\n        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n",
        ),
    ),
    SUMMED.on(
        "own-loop-accumulation",
        spec(accumulate_batches=16),
        source("ACCUMULATE = 4\n", "ACCUMULATE = 16\n"),
        source("F.cross_entropy(model(x), y) / ACCUMULATE", "F.cross_entropy(model(x), y)"),
    ),
    CUT_GRAPH.on("gru-sequences", source("return self.head(last[-1])", "return self.head(last[-1].detach())")),
    CUT_GRAPH.on(
        "instance-bags",
        source("        h = self.cell(x)\n", "        with torch.no_grad():\n            h = self.cell(x)\n"),
        silent="Nearly silent: the first layer stays as random as it was; the others get by with it here.",
    ),
    FROZEN.on(
        "digits-resnet",
        source(
            "        self.head = nn.Linear(2 * channels, 10)\n",
            "        for p in self.parameters():\n            p.requires_grad = False\n        self.head = nn.Linear(2 * channels, 10)\n",
        ),
    ),
    FROZEN.on(
        "bilstm-motif",
        source(
            "        self.head = nn.Linear(48, 3)\n",
            "        self.lstm.requires_grad_(False)\n        self.embed.requires_grad_(False)\n        self.head = nn.Linear(48, 3)\n",
        ),
    ),
    NOISY_SCORE.on("own-loop-accumulation", source("    model.eval()\n", "")),
    NOISY_SCORE.on("graph-nodes", source("    model.eval()\n", "    model.train()\n")),
    STAYS_STILL.on(
        "own-loop-accumulation", source("    model.train()\n", ""), source("nn.Dropout(0.1)", "nn.Dropout(0.4)")
    ),
    ALWAYS_RANDOM.on(
        "own-loop-accumulation",
        source("self.drop(torch.relu(self.fc1(x)))", "F.dropout(torch.relu(self.fc1(x)), 0.5)"),
        source("        self.drop = nn.Dropout(0.1)\n", ""),
    ),
    ALWAYS_RANDOM.on(
        "multilabel",
        source(
            "    return nn.Sequential(nn.Linear(40, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 6))\n",
            "    return Tags()\n\n\nclass Tags(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.hidden, self.head = nn.Linear(40, 32), nn.Linear(32, 6)\n\n    def forward(self, x):\n        return self.head(nn.functional.dropout(torch.relu(self.hidden(x)), 0.3))\n",
        ),
    ),
    PART_SCORED.on(
        "own-loop-accumulation",
        source(
            "        rows += len(y)\n    return",
            "        rows += len(y)\n        if rows >= 100:\n            break\n    return",
        ),
    ),
    FEW_DRAWN.on(
        "own-loop-clip-amp",
        source(
            "        optimizer.step()\n        scheduler.step()\n",
            "        optimizer.step()\n        scheduler.step()\n        return value.item()\n",
        ),
        silent="Silent here, where epochs go on until all updates are made; in the user's program each epoch is one batch.",
    ),
    KEPT_GRAPHS.on(
        "own-loop-clip-amp",
        source("def fit_epoch(", "history = []\n\n\ndef fit_epoch("),
        source("        scheduler.step()\n", "        scheduler.step()\n        history.append(value)\n"),
    ),
    SHARED_MODEL.on(
        "digits-mlp-bn-dropout",
        source("def build_model():\n    return nn.Sequential(", "network = nn.Sequential("),
        source(
            "        nn.Linear(48, 10),\n    )\n",
            "        nn.Linear(48, 10),\n    )\n\n\ndef build_model():\n    return network\n",
        ),
    ),
    SAME_NOISE.on(
        "augmented-sampler",
        source(
            "        self.x, self.y, self.noise = x, y, noise\n",
            "        self.x, self.y, self.noise = x, y, noise\n        self.rng = np.random.default_rng(0)\n",
        ),
        source(
            "self.x[i] + self.noise * torch.randn(1, 8, 8), self.y[i]",
            "self.x[i] + self.noise * self.rng.standard_normal((1, 8, 8), dtype=np.float32), self.y[i]",
        ),
        source("batch_size=32, sampler=sampler)", "batch_size=32, sampler=sampler, num_workers=2)"),
    ),
    OTHER_SPLIT.on("digits-vae", source("test_size=0.25, random_state=0", "test_size=0.25")),
    OTHER_SPLIT.on(
        "class-weights-int32", source("test_size=0.3, stratify=y, random_state=6", "test_size=0.3, stratify=y")
    ),
)
