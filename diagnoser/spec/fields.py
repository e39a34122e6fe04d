"""What may a spec say? One record per section of `diagnose.yaml`, with the defaults of DESIGN 5."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from diagnoser.records import JsonValue, Record

Args = dict[str, JsonValue]
"""Keyword arguments for a factory; YAML scalars, lists and mappings. Treated as read-only."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Task(StrEnum):
    """What the model is asked to do; decides theory values, metric and small-set floor."""

    CLASSIFICATION = "classification"
    BINARY = "binary"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"
    LANGUAGE_MODEL = "language_model"
    CUSTOM = "custom"


class Factory(Record):
    """A callable by import path, `module:attr`, and the keyword arguments it is called with."""

    factory: str
    args: Args = {}


class Data(Factory):
    """`() -> (train, validation)` or `(train, validation, test)`, and how to batch it."""

    batch_size: Count = 32
    shuffle: bool = True
    workers: Annotated[int, Field(ge=0)] = 0
    plain_args: Args | None = None  # the arguments that turn augmentation off
    paths: tuple[str, ...] = ()  # folders outside the source that the data needs


class Loss(Record):
    """`name`: a function of torch.nn.functional or `focal_loss`; `factory`: `module:attr`. Exactly one of the two."""

    name: str | None = None
    factory: str | None = None
    args: Args = {}

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.name is None) == (self.factory is None):
            raise ValueError("give either a built-in name or a factory")
        return self


class ParameterGroup(Record):
    """Parameters whose name matches a pattern (shell-style, `backbone.*`) get their own lr."""

    match: str
    lr_scale: Positive = 1.0
    frozen_epochs: Annotated[int, Field(ge=0)] = 0


class Optimizer(Record):
    """`name`: a class of torch.optim in lower case; or `factory`: `(model, lr, weight_decay) -> Optimizer`."""

    name: str = "adam"
    factory: str | None = None  # when given, `name` is ignored
    lr: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None  # None: the optimizer's own default
    args: Args = {}
    groups: tuple[ParameterGroup, ...] = ()

    def decaying(self, weight_decay: float) -> Self:
        """Return it with this weight decay, wherever the user wrote another."""
        args = {key: value for key, value in self.args.items() if key != "weight_decay"}
        return self.model_copy(update={"weight_decay": weight_decay, "args": args})


class Scheduler(Record):
    """`cosine`, `step`, `exponential`, `plateau`, `one_cycle`, `linear`, or a class of torch.optim.lr_scheduler."""

    name: str
    interval: Literal["epoch", "step"] = "epoch"
    args: Args = {}
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the run with a linear warm-up


class EarlyStopping(Record):
    """Stop when the metric has not improved for `patience` epochs."""

    patience: Count = 5
    metric: str | None = None
    restore_best: bool = True


class Ema(Record):
    """Exponential moving average of the weights, evaluated in place of the raw ones."""

    decay: Annotated[float, Field(gt=0, lt=1)]
    update_every: Count = 1


class Metric(Record):
    """A built-in name, or a factory called as `metric(outputs, targets) -> float`."""

    name: str | None = None
    factory: str | None = None
    args: Args = {}
    higher_is_better: bool = True

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.name is None) == (self.factory is None):
            raise ValueError("give either a built-in name or a factory")
        return self


class Range(Record):
    """A numeric range to search."""

    range: tuple[float, float]
    scale: Literal["log", "linear", "one_minus_log", "int"] = "linear"


class Choices(Record):
    """Values to try."""

    values: Annotated[tuple[JsonValue, ...], Field(min_length=1)]


class Protocol(Record):
    """How much is done, over how many seeds."""

    preset: Literal["quick", "standard", "thorough"] = "standard"
    seeds: Annotated[int, Field(ge=1, le=20)] = 3


class Budget(Record):
    """Wall time for the whole diagnosis."""

    minutes: Positive = 10.0


class Ignore(Record):
    """A finding that the user accepts, with the reason why."""

    rule: str
    reason: Annotated[str, Field(min_length=1)]
    expires: str | None = None  # ISO date; compared with the run's date

    @field_validator("reason")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("an ignore needs a reason")
        return value


class Rules(Record):
    """What the judge leaves out."""

    ignore: tuple[Ignore, ...] = ()


class Gate(Record):
    """What makes `diagnoser check` fail."""

    mode: Literal["new", "all", "report-only"] = "new"
    fail_on: Literal["error", "warning", "never"] = "error"
    min_confidence: Literal["high", "medium", "low"] = "high"


class TrainingSpec(Record):
    """Everything that `diagnose.yaml` says, with defaults filled in and spellings unified."""

    name: str
    model: Factory
    data: Data
    loss: Loss | None = None
    optimizer: Optimizer = Optimizer()
    scheduler: Scheduler | None = None
    epochs: Count | None = None  # one of the two; neither: 10 epochs
    steps: Count | None = None
    early_stopping: EarlyStopping | None = None
    gradient_clip_norm: Positive | None = None
    accumulate_batches: Count = 1
    ema: Ema | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    task: Task | None = None  # None: inferred
    metric: Metric | None = None  # None: by task
    step: str | None = None
    loop: str | None = None
    evaluate: str | None = None
    search: dict[str, Range | Choices] = {}
    protocol: Protocol = Protocol()
    budget: Budget = Budget()
    rules: Rules = Rules()
    gate: Gate = Gate()
    environment: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _epochs_or_steps(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self


class SpecSource(Record):
    """The file that a spec was read from, kept for diffs and locations. Empty text: built in Python."""

    file: str = "diagnose.yaml"
    folder: str = "."
    text: str = ""
    lines: dict[str, int] = {}  # dotted key -> 1-based line
