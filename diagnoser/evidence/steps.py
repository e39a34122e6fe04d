"""What each step of the protocol measured; tuples run over seeds unless said otherwise."""

from typing import Literal

from pydantic import Field

from diagnoser.evidence.outcome import Measured, NotMeasured
from diagnoser.evidence.preflight import (
    Assumptions,
    Baselines,
    DataProfile,
    GradientCheck,
    LoopAudit,
    LossProfile,
    ModelProfile,
    OptimizerProfile,
    Repeatability,
    SystemProfile,
)
from diagnoser.records import Float, JsonValue, Record
from diagnoser.trials import LayerTrace, Outcome, Transform, UserError


class InitialLoss(Record):
    """Step 1: the loss of untrained models beside that of a guess."""

    observed: tuple[Float, ...]  # per re-initialisation, on a fixed batch
    outputs_std: tuple[Float, ...]
    chance: Float | None  # None: no theory for this loss
    chance_because: str
    prior_chance: Float | None = None  # entropy of the class prior, what a tuned last bias would give
    batch_size: int
    penalty_asked: bool  # the spec has a weight decay
    penalty_in_loss: Float | None  # rise of the loss under the strong penalty
    penalty_in_weights: Float | None  # weight norm without minus with the strong penalty, after one update
    outcomes: tuple[Outcome, ...]
    standardised: tuple[Float, ...] = ()  # the same, with inputs standardised by training statistics (control)
    first_non_finite: str | None = None


class SmallSetAttempt(Record):
    """One run on the small set."""

    lr: float
    seed: int
    regularised: bool
    control: Literal["none", "permuted_labels", "zeroed_inputs", "standardised_inputs", "reinitialised"] = "none"
    outcome: Outcome
    stopped_by: str
    updates: int
    initial_loss: Float | None
    final_loss: Float | None
    final_metric: Float | None
    lowest_loss: Float | None
    memorised: bool  # metric at its ceiling and loss near the floor
    still_falling: bool  # the loss fell >= 1 % over the last 100 updates: not judged as a failure
    losses: tuple[Float, ...] = ()
    stride: int = 1


class Overfit(Record):
    """Step 2: can the model memorise a few rows?"""

    rows: int
    metric: str
    metric_ceiling: Float  # 1 for accuracy, 0.95 for R²
    floor: Float  # the lowest loss that these targets allow
    floor_because: str
    user_lr: float
    attempts: tuple[SmallSetAttempt, ...]
    contradictions: int = 0  # small-set rows that share an input with another label


class ScanPoint(Record):
    """All seeds at one lr of the scan."""

    lr: float
    outcomes: tuple[Outcome, ...]
    initial: tuple[Float, ...]
    lowest: tuple[Float, ...]  # smoothed loss, per seed
    final: tuple[Float, ...]
    validation_loss: tuple[Float, ...]
    validation_metric: tuple[Float, ...]
    curves: tuple[tuple[Float, ...], ...] = ()  # smoothed, at most 60 points, per seed


class LrScan(Record):
    """Step 3: where does the loss start to fall, fall fastest, and diverge?"""

    points: tuple[ScanPoint, ...]  # by lr
    updates: int
    user_lr: float
    proposal: float | None  # lowest smoothed loss; None: no lr lowered the loss
    falls_from: float | None  # lowest lr at which the loss falls by 5 %
    diverges_from: (
        float | None
    )  # lowest lr above the proposal at which it rises to 2x its minimum or goes non-finite in most seeds
    extended: tuple[Literal["below", "above"], ...] = ()
    weight_decay: float = 1e-4


class SearchTrial(Record):
    """One configuration of a search."""

    values: dict[str, JsonValue]  # dotted key -> value
    seed: int
    rung: int
    updates: int
    outcome: Outcome
    train_loss: Float | None
    validation_loss: Float | None
    validation_metric: Float | None
    proposed_by: Literal["grid", "random", "user", "gaussian_process", "best"] = "grid"


class Search(Record):
    """Steps 4 and 5: what was tried, what won, and what mattered."""

    mode: Literal["caviar", "panda"]
    metric: str
    higher_is_better: bool
    trials: tuple[SearchTrial, ...]
    best: int | None  # index into trials
    user: int | None  # the user's own configuration among the trials
    importance: dict[str, Float] = {}  # share of the variance explained, per key
    importance_because: str = ""


class CoarseSearch(Search):
    """Step 4."""


class FineSearch(Search):
    """Step 5."""


class CurveReading(Record):
    """What a smoothed pair of curves looks like; the numbers that its classes rest on."""

    classes: tuple[
        Literal[
            "good_fit",
            "underfit",
            "overfit",
            "plateau",
            "late_start",
            "oscillation",
            "divergence",
            "spikes",
            "periodic",
            "still_improving",
            "noisy_validation",
        ],
        ...,
    ]
    best_epoch: Float | None  # of the smoothed validation metric (or loss)
    final_gap: Float | None  # training minus validation metric, in the metric's direction
    drop_since_best: Float | None  # of the smoothed validation metric
    slope_last_fifth: Float | None  # metric per epoch
    extrapolated_gain: Float | None  # of the metric over half the run again, at that slope
    loss_change_last_fifth: Float | None  # of the training loss, relative to L0
    direction_changes: Float | None  # share of epochs at which the epoch mean turns
    swing: Float | None  # median size of the turns, relative to L0 - minimum
    spikes: int = 0  # batch losses above the local median (20) + 0.5 L0, after the first 10 %, recovered
    lag_one_epoch_autocorrelation: Float | None = None
    onset_of_overfitting: Float | None = None  # epoch
    diverged_at: int | None = None  # update


class CurveRun(Record):
    """One training of the user's own configuration."""

    seed: int
    loop: Literal["ours", "user"]
    outcome: Outcome
    stopped_by: str
    updates: int
    initial_loss: Float | None
    batch_losses: tuple[Float, ...]
    stride: int
    smoothed: tuple[Float, ...]  # moving average of the batch losses, same length
    gradient_norms: tuple[Float, ...] = ()
    gradient_norm_every: int | None = None  # updates between two of them; None: evenly spread over the run
    epochs: tuple[Float, ...]
    lrs: tuple[Float, ...]
    train_loss: tuple[Float | None, ...]
    train_metric: tuple[Float | None, ...]
    validation_loss: tuple[Float | None, ...]
    validation_metric: tuple[Float | None, ...]
    reading: CurveReading | None
    layers: tuple[LayerTrace, ...] = ()
    train_mode_loss: Float | None = None
    eval_mode_loss: Float | None = None
    recalibrated_loss: Float | None = None
    evaluation_noise: Float | None = None
    prediction_counts: tuple[int, ...] = ()
    recalls: tuple[Float, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    outlier_loss_share: Float | None = None
    weight_norm_start: Float | None = None
    weight_norm_end: Float | None = None
    first_non_finite: str | None = None
    user_metrics: dict[str, Float] = {}
    error: UserError | None = None


class LearningPoint(Record):
    """The user's configuration on a share of its training rows, in as many updates as the whole run makes."""

    share: float
    rows: int
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    train_metric: tuple[Float | None, ...]  # at the end, on the rows trained on
    validation_metric: tuple[Float | None, ...]


class Curves(Record):
    """Step 6: the user's own configuration, trained and read."""

    metric: str
    higher_is_better: bool
    standard_error: Float | None  # of the validation metric, from its number of rows
    validation_rows: int
    updates_per_epoch: int
    planned_updates: int
    runs: tuple[CurveRun, ...]
    learning_curve: tuple[LearningPoint, ...] | None = None  # by share, all of the rows last; None: not measured


class UnderFix(Record):
    """Steps 1 and 2 measured again under a fix; None: no finding rests on that step, or no time was left for it."""

    initial_loss: InitialLoss | None = None
    overfit: Overfit | None = None  # at the fix's lr; without curves


class Treatment(Record):
    """One fix, or two at once, trained beside the untreated run over paired seeds."""

    rule: str  # of the finding that proposed it, of two the better-ranked one
    fix: str  # the fix's key, see findings.fix_key
    title: str
    patch: dict[str, JsonValue] = {}
    transforms: tuple[Transform, ...] = ()
    parts: tuple[str, ...] = ()  # keys of the fixes that it unites, each tried alone as well; empty: it is a single one
    metric: str
    higher_is_better: bool
    updates: int
    seeds: tuple[int, ...]
    before: tuple[Float | None, ...]  # validation metric per seed, untreated
    after: tuple[Float | None, ...]
    before_loss: tuple[Float | None, ...]  # validation loss
    after_loss: tuple[Float | None, ...]
    before_outcomes: tuple[Outcome, ...]
    after_outcomes: tuple[Outcome, ...]
    looks: int = 1  # at how many numbers of seeds the comparison was looked at: the level is shared by them
    loss_comparable: bool  # the fix leaves the meaning of the loss as it was
    error: UserError | None = None
    standard_error: Float | None = None  # of the validation metric, from its number of rows
    start_loss: Float | None = None  # median of the untreated runs: a loss that may be negative is measured from it
    again: UnderFix | None = None  # only of a fix that did better in every pair


class Treatments(Record):
    """Step 7: what was tried."""

    treatments: tuple[Treatment, ...]
    skipped: tuple[str, ...] = ()  # keys of fixes that the budget left out


class Preflight(Record):
    """Step 0; each probe is its own outcome."""

    assumptions: Measured[Assumptions] | NotMeasured = Field(discriminator="status")
    data: Measured[DataProfile] | NotMeasured = Field(discriminator="status")
    baselines: Measured[Baselines] | NotMeasured = Field(discriminator="status")
    model: Measured[ModelProfile] | NotMeasured = Field(discriminator="status")
    loss: Measured[LossProfile] | NotMeasured = Field(discriminator="status")
    gradient: Measured[GradientCheck] | NotMeasured = Field(discriminator="status")
    optimizer: Measured[OptimizerProfile] | NotMeasured = Field(discriminator="status")
    loop: Measured[LoopAudit] | NotMeasured = Field(discriminator="status")
    system: Measured[SystemProfile] | NotMeasured = Field(discriminator="status")
    repeatability: Measured[Repeatability] | NotMeasured = Field(discriminator="status")


class Steps(Record):
    """All eight steps."""

    preflight: Preflight
    initial_loss: Measured[InitialLoss] | NotMeasured = Field(discriminator="status")
    overfit: Measured[Overfit] | NotMeasured = Field(discriminator="status")
    lr_scan: Measured[LrScan] | NotMeasured = Field(discriminator="status")
    coarse_search: Measured[CoarseSearch] | NotMeasured = Field(discriminator="status")
    fine_search: Measured[FineSearch] | NotMeasured = Field(discriminator="status")
    curves: Measured[Curves] | NotMeasured = Field(discriminator="status")
    treatments: Measured[Treatments] | NotMeasured = Field(discriminator="status")
