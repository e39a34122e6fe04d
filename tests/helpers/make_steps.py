"""Healthy records of the steps: the perceptron of `make_preflight`, trained with Adam at 1e-3 for 20 epochs."""

from math import exp, log
from random import Random

from diagnoser.evidence.steps import (
    CoarseSearch,
    CurveReading,
    CurveRun,
    Curves,
    FineSearch,
    InitialLoss,
    LrScan,
    Overfit,
    ScanPoint,
    SearchTrial,
    SmallSetAttempt,
    Treatment,
    Treatments,
)
from diagnoser.findings import fix_key
from diagnoser.trials import LayerTrace, Outcome, Transform, UserError
from tests.helpers.healthy import altered

CHANCE = log(10)
"""What a guess among ten classes costs, in nats."""
EPOCHS = 20
UPDATES_PER_EPOCH = 32
UPDATES = EPOCHS * UPDATES_PER_EPOCH
STRIDE = 4


def initial_loss(**changes: object) -> InitialLoss:
    return altered(
        InitialLoss(
            observed=(2.312, 2.305, 2.318, 2.309, 2.301),
            outputs_std=(0.11, 0.12, 0.10, 0.11, 0.11),
            chance=CHANCE,
            chance_because="ln 10",
            prior_chance=2.3025,
            batch_size=512,
            penalty_asked=False,
            penalty_in_loss=0.0,
            penalty_in_weights=0.4,
            outcomes=(Outcome.COMPLETED,) * 5,
        ),
        changes,
    )


def small_set_attempt(**changes: object) -> SmallSetAttempt:
    """The small set at the user's lr, memorised after 120 updates."""
    return altered(
        SmallSetAttempt(
            lr=1e-3,
            seed=0,
            regularised=False,
            outcome=Outcome.COMPLETED,
            stopped_by="memorised",
            updates=120,
            initial_loss=2.31,
            final_loss=0.008,
            final_metric=1.0,
            lowest_loss=0.008,
            memorised=True,
            still_falling=True,
            losses=(2.31, 1.4, 0.6, 0.2, 0.05, 0.008),
            stride=24,
        ),
        changes,
    )


def stuck_attempt(**changes: object) -> SmallSetAttempt:
    """A small set that is not learned: the loss stands at chance when the attempt ends."""
    stuck: dict[str, object] = {
        "stopped_by": "stalled",
        "updates": 600,
        "final_loss": 2.30,
        "final_metric": 0.1,
        "lowest_loss": 2.29,
        "memorised": False,
        "still_falling": False,
        "losses": (2.31, 2.30, 2.30, 2.29, 2.30, 2.30),
        "stride": 120,
    }
    return small_set_attempt(**(stuck | changes))


def overfit(**changes: object) -> Overfit:
    """Three seeds at the user's lr, one with the spec's regularisation, and the two controls."""
    return altered(
        Overfit(
            rows=80,
            metric="accuracy",
            metric_ceiling=1.0,
            floor=0.0,
            floor_because="one label for each row, so the loss can reach 0",
            user_lr=1e-3,
            attempts=(
                *(small_set_attempt(seed=seed) for seed in range(3)),
                small_set_attempt(regularised=True),
                small_set_attempt(control="permuted_labels", updates=260),
                stuck_attempt(control="zeroed_inputs"),
            ),
        ),
        changes,
    )


def scan_point(lr: float = 1e-3, *, lowest: float = 0.3, **changes: object) -> ScanPoint:
    """All three seeds at one lr; `lowest` is the smoothed loss that they reach."""
    return altered(
        ScanPoint(
            lr=lr,
            outcomes=(Outcome.COMPLETED,) * 3,
            initial=(2.31, 2.30, 2.32),
            lowest=(lowest, lowest * 1.02, lowest * 0.98),
            final=(lowest, lowest * 1.03, lowest * 0.99),
            validation_loss=(lowest * 1.1,) * 3,
            validation_metric=(max(0.1, 0.97 - 0.38 * lowest),) * 3,
        ),
        changes,
    )


def diverged_point(lr: float = 1.0) -> ScanPoint:
    inf = float("inf")
    return scan_point(
        lr,
        outcomes=(Outcome.DIVERGED,) * 3,
        lowest=2.31,
        final=(inf,) * 3,
        validation_loss=(inf,) * 3,
        validation_metric=(0.1,) * 3,
    )


def lr_scan(**changes: object) -> LrScan:
    """A valley with its floor at 3e-3; the user stands at 1e-3, a third of it."""
    floors = ((1e-5, 2.2), (1e-4, 1.3), (3e-4, 0.62), (1e-3, 0.25), (3e-3, 0.16), (1e-2, 0.18), (3e-2, 0.5), (0.1, 2.2))
    return altered(
        LrScan(
            points=(*(scan_point(lr, lowest=lowest) for lr, lowest in floors), diverged_point()),
            updates=100,
            user_lr=1e-3,
            proposal=3e-3,
            falls_from=5e-5,
            diverges_from=1.0,
        ),
        changes,
    )


def search_trial(**changes: object) -> SearchTrial:
    return altered(
        SearchTrial(
            values={"optimizer.lr": 1e-3, "optimizer.weight_decay": 0.0},
            seed=0,
            rung=0,
            updates=96,
            outcome=Outcome.COMPLETED,
            train_loss=0.22,
            validation_loss=0.26,
            validation_metric=0.93,
        ),
        changes,
    )


def _grid() -> tuple[SearchTrial, ...]:
    scores = {1e-3: 0.93, 1.5e-3: 0.938, 3e-3: 0.947, 6e-3: 0.945}
    return tuple(
        search_trial(
            values={"optimizer.lr": lr, "optimizer.weight_decay": decay},
            validation_metric=score + bonus,
            validation_loss=1.05 - score,
            proposed_by="user" if (lr, decay) == (1e-3, 0.0) else "grid",
        )
        for lr, score in scores.items()
        for decay, bonus in ((0.0, 0.0), (1e-4, 0.001), (1e-3, 0.0))
    )


def coarse_search(**changes: object) -> CoarseSearch:
    """Twelve configurations; the best is 2 points above the user's, early in training."""
    return altered(
        CoarseSearch(
            mode="caviar",
            metric="accuracy",
            higher_is_better=True,
            trials=_grid(),
            best=7,
            user=0,
            importance={"optimizer.lr": 0.9, "optimizer.weight_decay": 0.05},
            importance_because="share of the variance of the validation metric over the grid",
        ),
        changes,
    )


def fine_search(**changes: object) -> FineSearch:
    """Longer runs of the best few and of the user's own: no difference that matters is left."""
    runs = ((1e-3, 0.0, 0.955, "user"), (3e-3, 1e-4, 0.9575, "best"), (2.4e-3, 1e-4, 0.9575, "gaussian_process"))
    return altered(
        FineSearch(
            mode="caviar",
            metric="accuracy",
            higher_is_better=True,
            trials=tuple(
                search_trial(
                    values={"optimizer.lr": lr, "optimizer.weight_decay": decay},
                    updates=UPDATES,
                    train_loss=0.02,
                    validation_loss=0.15,
                    validation_metric=score,
                    proposed_by=origin,
                )
                for lr, decay, score, origin in runs
            ),
            best=1,
            user=0,
        ),
        changes,
    )


def curve_reading(**changes: object) -> CurveReading:
    return altered(
        CurveReading(
            classes=("good_fit",),
            best_epoch=19.0,
            final_gap=0.04,
            drop_since_best=0.0,
            slope_last_fifth=0.0004,
            extrapolated_gain=0.004,
            loss_change_last_fifth=-0.01,
            direction_changes=0.1,
            swing=0.005,
            lag_one_epoch_autocorrelation=0.1,
        ),
        changes,
    )


def layer_trace(layer: str = "net.0", **changes: object) -> LayerTrace:
    return altered(
        LayerTrace(
            layer=layer,
            updates=(0, 64, 320, 639),
            gradient_norm=(0.21, 0.3, 0.1, 0.05),
            weight_norm=(4.6, 4.8, 5.4, 5.8),
            update_ratio=(0.01, 0.005, 0.003, 0.002),
            dead_share=(0.02, 0.03, 0.05, 0.06),
        ),
        changes,
    )


def curve_run(*, seed: int = 0, **changes: object) -> CurveRun:
    """640 updates of our loop, from 2.31 down to 0.02; validation accuracy ends at 0.955."""
    noise = Random(seed)
    falling = [0.02 + 2.29 * exp(-update / 60) for update in range(0, UPDATES, STRIDE)]
    epochs = tuple(float(epoch) for epoch in range(1, EPOCHS + 1))
    train = [0.02 + 2.29 * exp(-epoch * UPDATES_PER_EPOCH / 60) for epoch in epochs]
    return altered(
        CurveRun(
            seed=seed,
            loop="ours",
            outcome=Outcome.COMPLETED,
            stopped_by="length",
            updates=UPDATES,
            initial_loss=2.31,
            batch_losses=tuple(loss * noise.uniform(0.8, 1.2) for loss in falling),
            stride=STRIDE,
            smoothed=tuple(falling),
            gradient_norms=tuple(0.3 + 0.4 * loss * noise.uniform(0.8, 1.2) for loss in falling),
            epochs=epochs,
            lrs=(1e-3,) * EPOCHS,
            train_loss=tuple(train),
            train_metric=tuple(0.995 - 0.4 * loss for loss in train),
            validation_loss=tuple(0.13 + 0.95 * loss for loss in train),
            validation_metric=tuple(0.9633 - 0.41 * loss + noise.uniform(-0.001, 0.001) for loss in train),
            reading=curve_reading(),
            layers=(
                layer_trace("net.0"),
                layer_trace("net.2"),
                layer_trace("net.4", weight_norm=(1.8, 2.0, 2.4, 2.6), dead_share=()),
            ),
            evaluation_noise=0.0,
            prediction_counts=(40, 41, 39, 40, 41, 39, 40, 40, 40, 40),
            recalls=(1.0, 0.95, 0.97, 0.95, 0.97, 0.95, 0.98, 0.96, 0.9, 0.92),
            outlier_loss_share=None,
            weight_norm_start=6.8,
            weight_norm_end=8.4,
        ),
        changes,
    )


def curves(**changes: object) -> Curves:
    """Three seeds of `curve_run`."""
    return altered(
        Curves(
            metric="accuracy",
            higher_is_better=True,
            standard_error=0.0104,
            validation_rows=400,
            updates_per_epoch=UPDATES_PER_EPOCH,
            planned_updates=UPDATES,
            runs=tuple(curve_run(seed=seed) for seed in range(3)),
        ),
        changes,
    )


def treatment(**changes: object) -> Treatment:
    """A fix that helped: 0.11 without it, 0.97 with it, over three seeds. Its key follows from patch and transforms."""
    made = altered(
        Treatment(
            rule="softmax-before-cross-entropy",
            fix="",
            title="Remove the softmax",
            transforms=(Transform.REMOVE_FINAL_ACTIVATION,),
            metric="accuracy",
            higher_is_better=True,
            updates=UPDATES,
            seeds=(0, 1, 2),
            before=(0.11, 0.10, 0.12),
            after=(0.97, 0.96, 0.97),
            before_loss=(2.35, 2.36, 2.34),
            after_loss=(0.12, 0.13, 0.12),
            before_outcomes=(Outcome.COMPLETED,) * 3,
            after_outcomes=(Outcome.COMPLETED,) * 3,
            loss_comparable=True,
        ),
        changes,
    )
    return made if made.fix else altered(made, {"fix": fix_key(made.patch, made.transforms)})


def treatments(*tried: Treatment, **changes: object) -> Treatments:
    return altered(Treatments(treatments=tried), changes)


def user_error(**changes: object) -> UserError:
    error = UserError(
        kind="ValueError", message="no such column", traceback="Traceback ...\nValueError: no such column"
    )
    return altered(error, changes)
