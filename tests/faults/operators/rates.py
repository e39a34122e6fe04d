"""Faults of the learning rate, the schedule, the optimizer, the batch size and the length of the run."""

from tests.faults.mutation import Fault, Operator, appended, source, spec, times, without

TOO_HIGH = Operator(
    name="rate times three hundred",
    categories=("learning-rate",),
    rules=("learning-rate-too-high", "loss-diverges", "loss-oscillates"),
    source="DeepCrime HLR, upwards",
)
TOO_LOW = Operator(
    name="rate by a thousand",
    categories=("learning-rate", "epochs"),
    rules=("learning-rate-too-low", "too-few-epochs"),
    source="DeepCrime HLR, downwards",
)
USED_UP = Operator(
    name="schedule used up at once",
    categories=("learning-rate",),
    rules=("schedule-unfit-for-run", "learning-rate-too-low"),
    source="CATALOGUE learning-rate: milestones in epochs, stepped per batch",
)
HEAVY_MOMENTUM = Operator(
    name="momentum near one",
    categories=("optimizer", "learning-rate"),
    rules=("optimizer-settings-out-of-range", "learning-rate-too-high", "loss-oscillates", "optimizer-unfit"),
    source="CATALOGUE optimizer",
)
STRANGE_SETTINGS = Operator(
    name="settings far from the defaults",
    categories=("optimizer", "learning-rate"),
    rules=("optimizer-settings-out-of-range", "optimizer-unfit", "learning-rate-too-low"),
    source="CATALOGUE optimizer: eps of 1 or beta of 0.5",
)
FADES = Operator(
    name="steps that fade away",
    categories=("optimizer", "learning-rate", "epochs"),
    rules=("adagrad-rate-vanishes", "optimizer-unfit", "learning-rate-too-low", "too-few-epochs"),
    source="DeepCrime OCH: Adagrad at Adam's rate",
)
HEAD_ONLY = Operator(
    name="some weights never handed over",
    categories=("optimizer", "training-loop"),
    rules=("parameters-missing-from-optimizer",),
    source="TrainCheck; CATALOGUE optimizer",
)
SLOW_AVERAGE = Operator(
    name="average longer than the run",
    categories=("optimizer",),
    rules=("ema-unfit-for-run",),
    source="CATALOGUE optimizer",
)
TIGHT_CLIP = Operator(
    name="clipped to almost nothing",
    categories=("optimizer", "learning-rate"),
    rules=("gradient-clip-always-active", "learning-rate-too-low"),
    source="DeepCrime OCG",
)
WHOLE_TABLE = Operator(
    name="nearly all rows in one batch",
    categories=("batch-size", "epochs", "learning-rate"),
    rules=("batch-size-too-large", "too-few-epochs", "learning-rate-too-low"),
    source="DeepCrime HBS, upwards",
)
ONE_EPOCH = Operator(
    name="ends long before it is done",
    categories=("epochs", "learning-rate"),
    rules=("too-few-epochs", "learning-rate-too-low"),
    source="DeepCrime HNE",
)
ADAM_OF_HEAD = """def build_optimizer(model, lr, weight_decay):
    return torch.optim.Adam(model.head.parameters(), lr=lr, weight_decay=weight_decay)
"""

FAULTS: tuple[Fault, ...] = (
    TOO_HIGH.on("gru-sequences", times(300), without("gradient_clip_norm")),
    TOO_HIGH.on("dilated-convolution", times(300)),
    TOO_LOW.on("causal-periodic", times(1 / 1000)),
    TOO_LOW.on("instance-bags", times(1 / 1000)),
    USED_UP.on(
        "log-softmax", spec(scheduler={"name": "step", "interval": "step", "args": {"step_size": 5, "gamma": 0.3}})
    ),
    USED_UP.on("dict-two-inputs", spec(scheduler={"name": "exponential", "args": {"gamma": 0.05}})),
    HEAVY_MOMENTUM.on("log-softmax", spec(optimizer__momentum=0.9999)),
    STRANGE_SETTINGS.on("gru-sequences", spec(optimizer__args={"eps": 1.0})),
    STRANGE_SETTINGS.on("rent-residual", spec(optimizer__args={"betas": [0.9, 0.1]})),
    FADES.on("bilstm-motif", spec(optimizer={"name": "adagrad", "lr": 0.001})),
    HEAD_ONLY.on(
        "gru-sequences",
        spec(optimizer={"factory": "project:build_optimizer", "lr": 0.005}),
        appended(ADAM_OF_HEAD),
    ),
    HEAD_ONLY.on(
        "model-with-loss",
        source(
            '{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}',
            '{"params": plain, "weight_decay": 0.0}',
        ),
    ),
    SLOW_AVERAGE.on("class-weights-int32", spec(ema__decay=0.9999)),
    TIGHT_CLIP.on("digits-resnet", spec(gradient_clip_norm=0.0005)),
    WHOLE_TABLE.on("encoder-pooling", spec(data__batch_size=2000)),
    ONE_EPOCH.on("bilstm-motif", spec(epochs=1)),
    ONE_EPOCH.on("digits-autoencoder", spec(epochs=1)),
)
