"""The unit of work: what a trial or probe asks for, and what came back from a trial (a probe's answer is evidence)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from diagnoser.records import Float, JsonValue, Record


class Transform(StrEnum):
    """Changes to the live model, data or loss that a machine can make. A closed list: fixes and controls name these."""

    STANDARDISE_INPUTS = "standardise-inputs"  # (x - mean) / std of the training rows in front of the model
    IMPUTE_INPUTS = "impute-inputs"  # NaN and infinity become the median of the column (tables) or of all values
    STANDARDISE_TARGETS = "standardise-targets"  # for training and evaluation alike; R² is unchanged by it
    ZERO_LAST_LAYER = "zero-last-layer"
    REINITIALISE = "reinitialise"  # Kaiming for ReLU-like, Xavier for tanh and sigmoid, biases 0
    REMOVE_FINAL_ACTIVATION = "remove-final-activation"  # a softmax, sigmoid or ReLU at the very end
    RELU_ACTIVATIONS = "relu-activations"  # hidden sigmoid and tanh modules become ReLU, with Kaiming weights
    LEAKY_RELU = "leaky-relu"
    INSERT_RELU = "insert-relu"
    HALVE_DROPOUT = "halve-dropout"
    NO_DROPOUT = "no-dropout"
    GROUP_NORM = "group-norm"  # in place of BatchNorm
    DEFAULT_NORM_EPS = "default-norm-eps"
    MOVE_NORM = "move-norm"  # weight layer, normalisation, activation: in this order
    INSERT_NORM = "insert-norm"  # LayerNorm behind hidden linear layers, GroupNorm behind hidden convolutions
    MOVE_DROPOUT = "move-dropout"  # behind the last BatchNorm
    TRACK_NORM_STATISTICS = "track-norm-statistics"  # BatchNorm follows its data: momentum 0.1, statistics kept
    FROZEN_NORM_IN_EVAL = "frozen-norm-in-eval"  # frozen BatchNorm keeps the statistics that it came with
    FULL_RESOLUTION = "full-resolution"  # stride 1 in the first layer that has a stride
    INSERT_POSITIONS = "insert-positions"  # sine and cosine of the place, added to what tokens are embedded in
    INSERT_DROPOUT = "insert-dropout"  # p = 0.5 in front of the last weight layer
    INVERT_DROPOUT = "invert-dropout"  # p becomes 1 - p: share kept and share dropped were confused
    GELU_ACTIVATIONS = "gelu-activations"
    TANH_ACTIVATIONS = "tanh-activations"
    UNFREEZE = "unfreeze"
    ALL_PARAMETERS_IN_OPTIMIZER = "all-parameters-in-optimizer"
    VIEW_TARGET_AS_OUTPUT = "view-target-as-output"
    NEGATE_LOSS = "negate-loss"
    WEIGHT_CLASSES = "weight-classes"  # the loss of a class weighs rows / (classes x its rows)
    RELABEL = "relabel"  # class labels to 0..C-1, in their order
    SHIFT_TARGETS = "shift-targets"  # the token that follows the input's
    VALIDATION_AS_TRAINING = "validation-as-training"  # validation inputs mapped onto the moments of training
    VALIDATION_LABELS_AS_TRAINING = "validation-labels-as-training"  # the permutation of labels undone
    FLIP_PICTURES = "flip-pictures"  # left and right exchanged in half of the training rows
    SHIFT_PICTURES = "shift-pictures"  # by up to an eighth of the side: a random crop of the padded picture
    ROTATE_PICTURES = "rotate-pictures"  # by up to 15 degrees
    DROP_LAST_BATCH = "drop-last-batch"
    OUR_LOOP = "our-loop"  # the reference loop in place of the user's


class Rows(Record):
    """Which rows a trial trains on and what is done to them."""

    per_class: int | None = None  # n rows a class (regression: n x 10 rows), the same for every trial of a spec
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the training rows, a fixed random subset
    labels: Literal["given", "permuted"] = "given"
    inputs: Literal["given", "zeroed"] = "given"


class Trial(Record):
    """One training run, said in full: run twice on one machine it gives the same numbers."""

    seed: int
    changes: dict[str, JsonValue] = {}  # dotted spec key -> value; None removes the section
    transforms: tuple[Transform, ...] = ()
    rows: Rows = Rows()
    updates: int | None = None  # optimizer updates; None: as the spec's epochs or steps say
    regularised: bool = True  # False: no dropout, weight decay, augmentation or label smoothing changes from the spec
    scheduled: bool = False  # True: the spec's scheduler, early stopping and EMA take part; steps 1-5 do not decay
    loop: Literal["ours", "user"] = "ours"
    stop_when_memorised: bool = False  # accuracy 100 % and loss near its floor
    stop_when_stalled: bool = False  # the loss fell < 1 % over the last 100 updates (three looks in a row)
    evaluations: int = 1  # evaluations of train and validation, evenly spread, the last at the end; 0: none
    only_validated: bool = False  # True: neither the untrained model nor the training rows are looked at (a search)
    instruments: bool = False
    penalty: float | None = None  # weight decay of step 1's penalty control; overrides the spec's
    max_seconds: float | None = None  # stop there, `stopped_by` "time"; not part of what is measured


NUMBERS = frozenset(
    {
        "optimizer.lr",
        "optimizer.weight_decay",
        "optimizer.momentum",
        "optimizer.args.momentum",
        "optimizer.args.betas",
        "optimizer.args.eps",
        "optimizer.args.alpha",
        "optimizer.args.lr_decay",
        "optimizer.args.dampening",
        "loss.args.label_smoothing",
    }
)
"""Keys of the spec that are numbers to the arithmetic of an update: trials that differ only in them may be stacked."""


def kind_of(trial: Trial) -> Trial:
    """Strip a trial of all in which those of one stack may differ: numbers, seed, labels, length and its limits."""
    return trial.model_copy(
        update={
            "seed": 0,
            "changes": {key: value for key, value in trial.changes.items() if key not in NUMBERS},
            "rows": trial.rows.model_copy(update={"labels": "given", "inputs": "given"}),
            "updates": None,
            "penalty": None,
            "stop_when_memorised": False,
            "stop_when_stalled": False,
            "evaluations": 1,
            "only_validated": False,
            "max_seconds": None,
        }
    )


CUT_SHORT = "CutShort"
"""The kind of a UserError that is none: the run's deadline came, and the traceback says where the work was."""


class UserError(Record):
    """What the user's code raised, in its own words."""

    kind: str  # class name
    message: str
    traceback: str


class Evaluation(Record):
    """The model after `updates` updates, in eval mode, without augmentation."""

    updates: int
    epoch: float
    lr: Float
    train_loss: Float | None  # on a fixed random subset of the training rows, as large as the validation set
    train_metric: Float | None
    validation_loss: Float | None
    validation_metric: Float | None


class LayerTrace(Record):
    """One weight tensor's layer at a few checks of a run; tuples over checks, of which activations have their own."""

    layer: str
    updates: tuple[int, ...]
    gradient_norm: tuple[Float, ...]
    weight_norm: tuple[Float, ...]
    update_ratio: tuple[Float, ...]  # |Δw| / |w| of one step
    activation_updates: tuple[int, ...] = ()  # at which the shares were taken; empty: none, or at `updates`
    dead_share: tuple[Float, ...] = ()  # units <= 0 on the whole check batch; empty: no ReLU-like activation behind it
    saturated_share: tuple[Float, ...] = ()  # inputs beyond ±5 (sigmoid) or ±2.5 (tanh); empty: neither


class Outcome(StrEnum):
    """How a trial ended. All of them are results."""

    COMPLETED = "completed"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    USER_ERROR = "user_error"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"


class TrialResult(Record):
    """What a trial measured."""

    outcome: Outcome
    error: UserError | None = None
    stopped_by: Literal["length", "memorised", "stalled", "diverged", "early_stopping", "time", "error"] = "length"
    updates: int = 0
    rows_used: int = 0
    batches_per_epoch: int = 0
    seconds: float = 0.0  # training alone; of a stacked trial its share of the stack's
    stacked: int = 1  # trials that were trained at the same time as one batched model, this one among them
    initial_loss: Float | None = (
        None  # on the fixed check batch (up to 512 rows), before any update, BatchNorm on batch statistics
    )
    initial_outputs_std: Float | None = None
    losses: tuple[Float, ...] = ()  # training loss of every `stride`-th batch
    stride: int = 1
    gradient_norms: tuple[Float, ...] = ()  # of every `gradient_norm_every`-th update, only with instruments
    gradient_norm_every: int = 1
    evaluations: tuple[Evaluation, ...] = ()
    final_loss: Float | None = None  # on the rows trained on, eval mode: the small set's yardstick
    final_metric: Float | None = None
    floor: Float | None = None  # the lowest loss that the rows trained on allow
    floor_because: str = ""
    metric_ceiling: Float | None = None  # what counts as memorised
    contradictions: int = 0  # rows trained on that share an input with another label
    # Of the user's real run alone, a `scheduled` trial: BatchNorm's three readings, noise, classes, outliers.
    train_mode_loss: Float | None = None  # same batch, train mode, dropout off: BatchNorm on batch statistics
    eval_mode_loss: Float | None = None
    recalibrated_loss: Float | None = None  # eval mode after 50 batches of fresh BatchNorm statistics
    evaluation_noise: Float | None = None  # sd over 5 evaluations with different random states, of validation loss
    user_metrics: dict[str, Float] = {}  # what the user's own `evaluate` returned at the end
    weight_norm_start: Float | None = None
    weight_norm_end: Float | None = None
    layers: tuple[LayerTrace, ...] = ()
    prediction_counts: tuple[int, ...] = ()  # classes predicted on validation at the end
    recalls: tuple[Float, ...] = ()  # per class, on validation at the end
    confusion: tuple[tuple[int, ...], ...] = ()  # rows: truth, columns: prediction; at most 50 classes
    outlier_loss_share: Float | None = None  # share of the squared error carried by the worst 1 % of rows
    first_non_finite: str | None = None  # "inputs", "targets", "loss", "gradient of layer X", "output of layer X"
    peak_memory_mb: Float | None = None  # of the device; on a CPU of the whole process, what it held before included


class ProbeKind(StrEnum):
    """Things measured without training."""

    ASSUMPTIONS = "assumptions"
    DATA = "data"
    BASELINES = "baselines"
    MODEL = "model"
    LOSS = "loss"
    GRADIENT = "gradient"
    OPTIMIZER = "optimizer"
    LOOP = "loop"
    SYSTEM = "system"
    REPEATABILITY = "repeatability"


class Probe(Record):
    """One measurement without training."""

    probe: ProbeKind
    seed: int = 0
    max_seconds: float | None = None
