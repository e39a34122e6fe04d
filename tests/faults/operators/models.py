"""Faults of the model: its activations, its wiring, its size, its first weights."""

from tests.faults.mutation import Fault, Operator, source, spec

LINEAR = Operator(
    name="activations left out",
    categories=("activation", "architecture"),
    rules=("layers-without-nonlinearity", "capacity-too-small"),
    source="DeepCrime ARM",
)
SIGMOIDS = Operator(
    name="sigmoid after every layer",
    categories=("activation", "initialisation", "architecture", "numerical"),
    rules=("sigmoid-in-hidden-layers", "gradients-vanish", "saturated-activations"),
    source="DeepCrime ACH",
)
ONE_UNIT = Operator(
    name="softmax of a single unit",
    categories=("activation", "loss"),
    rules=("softmax-over-one-unit", "output-range-short-of-targets"),
    source="CATALOGUE activation",
)
BOUNDED = Operator(
    name="outputs that cannot reach the targets",
    categories=("activation", "labels", "loss"),
    rules=("output-range-short-of-targets",),
    source="CATALOGUE activation: ReLU or sigmoid behind the last layer",
)
DEAD = Operator(
    name="units that never fire",
    categories=("activation", "initialisation"),
    rules=("dead-relu-units",),
    source="CATALOGUE activation: a bias far below zero",
)
SATURATED = Operator(
    name="tanh driven to its ends",
    categories=("initialisation", "activation"),
    rules=("saturated-activations", "initial-weights-too-large"),
    source="DeepCrime WCI: normal weights of a far too large deviation",
)
DEAF = Operator(
    name="the input is not wired in",
    categories=("architecture",),
    rules=("inputs-ignored-by-model", "unused-parameters"),
    source="CATALOGUE architecture",
)
MIXED_ROWS = Operator(
    name="time taken for the batch",
    categories=("architecture", "data"),
    rules=("samples-mixed-in-batch",),
    source="CATALOGUE architecture: batch_first left out",
    silent="Nearly silent: rows of one batch read one another; a single row gets another answer than in company.",
)
SEES_AHEAD = Operator(
    name="later tokens are seen",
    categories=("architecture", "data"),
    rules=("future-tokens-visible",),
    source="DEFault++ mask operator",
    silent="Silent: each position sees the token that it must say, so the scores are far too good.",
)
MASK_TURNED = Operator(
    name="mask turned round",
    categories=("architecture",),
    rules=("padding-not-masked", "inputs-ignored-by-model", "samples-mixed-in-batch"),
    source="PyTorch: in a key padding mask True hides, in the transformers library 1 shows",
)
ORDERLESS = Operator(
    name="positions left out",
    categories=("architecture",),
    rules=("token-order-ignored", "capacity-too-small"),
    source="DEFault++ positional operator",
)
NARROW = Operator(
    name="far too narrow",
    categories=("architecture",),
    rules=("capacity-too-small",),
    source="DeepCrime LCH; CATALOGUE architecture",
)
TOO_COARSE = Operator(
    name="small pictures made tiny at once",
    categories=("architecture",),
    rules=("downsampling-too-early", "capacity-too-small", "unused-parameters"),
    source="CATALOGUE architecture: strides made for photographs",
)
PADDING_READ = Operator(
    name="padding read like words",
    categories=("architecture", "labels", "loss"),
    rules=("padding-not-masked",),
    source="CATALOGUE architecture: no padding mask, padded targets counted",
    silent="Nearly silent: padding is averaged with the words, or guessed at once, so the figures tell less than they say.",
)
TOO_MUCH = Operator(
    name="wide and long on few rows",
    categories=("regularisation", "architecture", "epochs"),
    rules=("overfitting", "model-too-large-for-data", "training-past-best-epoch"),
    source="CATALOGUE regularisation: far more weights and epochs than the rows bear",
)
PLAIN_LIST = Operator(
    name="layers in a plain list",
    categories=("architecture", "optimizer"),
    rules=("modules-not-registered", "parameters-missing-from-optimizer"),
    source="CATALOGUE architecture: list in place of ModuleList",
)
SKIPPED = Operator(
    name="half of the model is never called",
    categories=("architecture",),
    rules=("unused-parameters",),
    source="DeepCrime LRM; CATALOGUE architecture",
    silent="Nearly silent: layers that are built and given to the optimizer take no part.",
)
ALL_EQUAL = Operator(
    name="all weights alike",
    categories=("initialisation",),
    rules=("symmetric-weights",),
    source="DeepCrime WCI: zeros or a constant",
)
LARGE = Operator(
    name="weights drawn too large",
    categories=("initialisation", "learning-rate"),
    rules=("initial-weights-too-large", "learning-rate-too-high", "learning-rate-too-low"),
    source="DeepCrime WCI: normal with a deviation of 1 or more",
)
SMALL = Operator(
    name="weights drawn too small",
    categories=("initialisation",),
    rules=("initial-weights-too-small", "symmetric-weights"),
    source="DeepCrime WCI: normal with a deviation near 0",
)
NOT_LOADED = Operator(
    name="trained weights never loaded",
    categories=("initialisation", "training-loop"),
    rules=("pretrained-weights-not-loaded", "layers-frozen-by-accident"),
    source="CATALOGUE initialisation",
)

FAULTS: tuple[Fault, ...] = (
    LINEAR.on(
        "binary-flat",
        source(
            "nn.Linear(2, 32), nn.GELU(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 1)",
            "nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 1)",
        ),
    ),
    LINEAR.on(
        "multi-output",
        source(
            "nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 20)",
            "nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 20)",
        ),
    ),
    SIGMOIDS.on(
        "weight-norm-deep",
        source("nn.ReLU()]", "nn.Sigmoid()]"),
        source('nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")', "nn.init.xavier_normal_(linear.weight)"),
    ),
    ONE_UNIT.on("sigmoid-bce", source("nn.Sigmoid())", "nn.Softmax(dim=1))")),
    ONE_UNIT.on("sensor-spikes", source("nn.Linear(32, 1))", "nn.Linear(32, 1), nn.Softmax(dim=-1))")),
    BOUNDED.on("forecast", source("return self.head(self.conv(x))", "return torch.relu(self.head(self.conv(x)))")),
    BOUNDED.on(
        "mixture-of-experts",
        source("return (shares * answers).sum(dim=1)", "return torch.sigmoid((shares * answers).sum(dim=1))"),
    ),
    DEAD.on(
        "wine-mlp",
        source(
            "        self.head = nn.Linear(width, 3)\n",
            "        self.head = nn.Linear(width, 3)\n        nn.init.constant_(self.hidden.bias, -8.0)\n",
        ),
    ),
    DEAD.on(
        "lazy-layers",
        source("    return nn.Sequential(\n", "    model = nn.Sequential(\n"),
        source("nn.LazyConv2d(12, 3)", "nn.Conv2d(1, 12, 3)"),
        source(
            "        nn.LazyLinear(4),\n    )\n",
            "        nn.LazyLinear(4),\n    )\n    nn.init.constant_(model[0].bias, -12.0)\n    return model\n",
        ),
    ),
    SATURATED.on(
        "log-softmax",
        source(
            "    return nn.Sequential(nn.Linear(64, 80), nn.Tanh(), nn.Linear(80, 10), nn.LogSoftmax(dim=1))\n",
            "    model = nn.Sequential(nn.Linear(64, 80), nn.Tanh(), nn.Linear(80, 10), nn.LogSoftmax(dim=1))\n    nn.init.normal_(model[0].weight, std=6.0)\n    return model\n",
        ),
    ),
    DEAF.on(
        "encoder-pooling",
        source("self.layers(self.embed(ids) + self.place)", "self.layers(self.place.expand(len(ids), -1, -1))"),
    ),
    DEAF.on(
        "dict-two-inputs",
        source(
            "return self.net(torch.cat([numbers, self.place_embedding(place)], dim=1)).squeeze(1)",
            "h = torch.cat([torch.zeros_like(numbers), self.place_embedding(place.new_zeros(place.shape))], dim=1)\n        return self.net(h).squeeze(1)",
        ),
    ),
    MIXED_ROWS.on("encoder-pooling", source("dropout=0.1, batch_first=True)", "dropout=0.1)")),
    MIXED_ROWS.on(
        "bilstm-motif",
        source("nn.LSTM(12, 24, batch_first=True, bidirectional=True)", "nn.LSTM(12, 24, bidirectional=True)"),
        worse=True,
    ),
    SEES_AHEAD.on("causal-gpt", source("(q, k, v, is_causal=True)", "(q, k, v)")),
    SEES_AHEAD.on("translate-reversed", source("self.target_place, tgt_mask=mask)", "self.target_place)")),
    SEES_AHEAD.on(
        "tied-markov",
        source("scaled_dot_product_attention(q, k, v, is_causal=True)", "scaled_dot_product_attention(q, k, v)"),
    ),
    ORDERLESS.on("translate-reversed", source("self.source(source) + self.source_place", "self.source(source)")),
    ORDERLESS.on(
        "masked-tokens",
        source("self.tokens(ids) + self.places.weight", "self.tokens(ids)"),
        also=(("architecture", "unused-parameters"),),
    ),
    NARROW.on("digits-autoencoder", source("codes=32", "codes=1")),
    NARROW.on("rent-residual", spec(model={"factory": "project:RentNet", "args": {"width": 1, "depth": 1}})),
    TOO_COARSE.on(
        "digits-resnet",
        source(
            "nn.Conv2d(1, channels, 3, padding=1, bias=False)",
            "nn.Conv2d(1, channels, 3, stride=4, padding=1, bias=False)",
        ),
    ),
    TOO_COARSE.on("segmentation", source("nn.MaxPool2d(2)", "nn.MaxPool2d(8)"), source("2, stride=2)", "8, stride=8)")),
    PADDING_READ.on(
        "padded-encoder",
        source("self.layers(h, src_key_padding_mask=padded)", "self.layers(h)"),
        source(
            "        words = (~padded).float()[..., None]\n        return self.head((h * words).sum(1) / words.sum(1))\n",
            "        return self.head(h.mean(1))\n",
        ),
        source("        padded = ids == PAD\n", ""),
    ),
    MASK_TURNED.on(
        "model-with-loss",
        source("padded = attention_mask == 0", "padded = attention_mask == 1"),
        also=(("numerical", "non-finite-loss"),),
    ),
    PADDING_READ.on(
        "sequence-tagging",
        source("0, 30, 5, -100", "0, 30, 5, 0"),
        source("tags, ignore_index=IGNORE)", "tags)"),
    ),
    PADDING_READ.on(
        "model-with-loss",
        source("h, h, h, key_padding_mask=padded, need", "h, h, h, need"),
        source("        padded = attention_mask == 0\n", ""),
        source("        kept = attention_mask[..., None].float()\n", ""),
        source("self.head((h * kept).sum(1) / kept.sum(1))", "self.head(h.mean(dim=1))"),
    ),
    TOO_MUCH.on(
        "diabetes-huber",
        source(
            "nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1)",
            "nn.Linear(10, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1)",
        ),
        spec(epochs=100, optimizer__weight_decay=0.0),
    ),
    TOO_MUCH.on(
        "frozen-embedding",
        source("freeze=True", "freeze=False"),
        source("nn.Linear(DIM, 32)", "nn.Linear(DIM, 768)"),
        source("nn.Linear(32, DESKS)", "nn.Linear(768, DESKS)"),
        spec(epochs=60),
    ),
    PLAIN_LIST.on(
        "set-pooling",
        source(
            "self.each = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 48), nn.ReLU())",
            "self.each = [nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 48), nn.ReLU()]",
        ),
        source(
            "        return self.head(self.each(x).amax(dim=1))",
            "        for layer in self.each:\n            x = layer(x)\n        return self.head(x.amax(dim=1))",
        ),
    ),
    PLAIN_LIST.on(
        "mixture-of-experts",
        source(
            "nn.ModuleList(\n            [nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 1)) for _ in range(experts)]\n        )",
            "[\n            nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 1)) for _ in range(experts)\n        ]",
        ),
    ),
    SKIPPED.on(
        "digits-resnet",
        source("x = self.stage2(self.down(self.stage1(self.stem(x))))", "x = self.down(self.stage1(self.stem(x)))"),
    ),
    SKIPPED.on(
        "tied-markov",
        source(
            "        for block in self.blocks:\n            h = block(h)\n",
            "        for block in self.blocks[1:]:\n            h = block(h)\n",
        ),
    ),
    ALL_EQUAL.on(
        "iris-mlp",
        source(
            "    return nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))\n",
            "    model = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))\n    for p in model.parameters():\n        nn.init.constant_(p, 0.1)\n    return model\n",
        ),
        silent="Nearly silent on three easy classes: the twelve hidden units stay equal and act as one.",
    ),
    ALL_EQUAL.on(
        "own-loop-accumulation",
        source(
            "        self.fc2 = nn.Linear(64, 10)\n",
            "        self.fc2 = nn.Linear(64, 10)\n        nn.init.constant_(self.fc1.weight, 0.02)\n        nn.init.zeros_(self.fc2.weight)\n",
        ),
    ),
    LARGE.on(
        "causal-periodic",
        source("nn.init.normal_(self.head.weight, std=0.02)", "nn.init.normal_(self.head.weight, std=4.0)"),
        also=(("loss", ""),),
    ),
    LARGE.on(
        "set-pooling",
        source(
            "        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 3))\n",
            "        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 3))\n        for p in self.parameters():\n            nn.init.normal_(p, std=3.0)\n",
        ),
    ),
    SMALL.on(
        "multi-output",
        source(
            "    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 20))\n",
            "    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 20))\n    for p in model.parameters():\n        nn.init.normal_(p, std=1e-6)\n    return model\n",
        ),
    ),
    NOT_LOADED.on("frozen-backbone", source("    backbone.load_state_dict(pretrained())\n", "")),
    NOT_LOADED.on("low-rank-adapters", source("    model.load_state_dict(pretrained())\n", "")),
)
