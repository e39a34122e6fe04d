"""Healthy programs of several kinds, as evidence: every rule must be silent on each of them."""

from math import log

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.steps import CurveRun
from diagnoser.spec.fields import Data, Task
from tests.helpers import make
from tests.helpers.gold_language import language_model, scan_from


def healthy() -> dict[str, Evidence]:
    """By the name of the program."""
    return {
        "classification": make.evidence(),
        "classification with own loop": _own_loop(),
        "regression": _regression(),
        "binary": _binary(),
        "language model": language_model(),
        "convolutional with batch norm": _convolutional(),
        "quick": _quick(),
        "nothing measured": _nothing_measured(),
    }


def _own_loop() -> Evidence:
    return make.evidence(
        spec=make.spec(loop="project:train_epoch", evaluate="project:evaluate"),
        loop=make.loop_audit(),
        curves=make.curves(
            runs=(
                *(make.curve_run(seed=seed) for seed in range(3)),
                *(make.curve_run(seed=s, loop="user") for s in range(3)),
            )
        ),
    )


def _regression() -> Evidence:
    targets = make.target_profile(
        kind="real", dtype="float32", distinct=950, minimum=-2.1, maximum=3.0, mean=0.01, std=1.0, counts=(),
        validation_counts=(), prior_entropy=None,
    )  # fmt: skip
    layers = (
        *make.layers()[:-1],
        make.layer_profile("net.4", parameters=65, activation="none", dead_share=None, hidden=False),
    )
    initial = {
        "initial_loss": 1.03,
        "losses": (1.03, 0.4, 0.1, 0.03, 0.01, 0.004),
        "final_loss": 0.004,
        "lowest_loss": 0.004,
    }
    attempts = (
        *(make.small_set_attempt(seed=seed, **(initial | {"final_metric": 0.996})) for seed in range(3)),
        make.small_set_attempt(regularised=True, **(initial | {"final_metric": 0.995})),
        make.small_set_attempt(control="permuted_labels", **(initial | {"final_metric": 0.99, "updates": 300})),
        make.stuck_attempt(control="zeroed_inputs", initial_loss=1.03, final_loss=1.0, lowest_loss=1.0, final_metric=0.0,
                           losses=(1.03, 1.01, 1.0, 1.0, 1.0, 1.0)),
    )  # fmt: skip
    metric = {"metric": "r2"}
    return make.evidence(
        spec=make.spec(loss={"name": "mse_loss"}),
        assumptions=(),
        steps=make.steps(
            assumptions=make.assumptions(
                task=Task.REGRESSION, classes=None, loss="mse_loss", loss_family="mse", target_shape=(32, 1),
                output_shape=(32, 1), **metric,
            ),
            data=make.data_profile(targets=targets),
            baselines=make.baselines(
                scores=(
                    {"name": "majority", "train": 0.0, "validation": 0.0},
                    {"name": "linear", "train": 0.72, "validation": 0.7},
                    {"name": "knn", "train": None, "validation": 0.68},
                ),
                chance=0.0, standard_error=0.02, held_out_training=0.7, best_permuted_validation=None, permutation=(),
                permuted_labels_score=-0.05, **metric,
            ),
            model=make.model_profile(layers=layers, output=make.output_profile(shape=(32, 1), minimum=-0.4, maximum=0.4)),
            loss=make.loss_profile(
                value=1.03, applies_softmax=None, output_shape=(32, 1), target_shape=(32, 1), permutation_invariant=False,
            ),
            initial_loss=make.initial_loss(
                observed=(1.03, 1.02, 1.05, 1.01, 1.03), chance=1.02, chance_because="variance of the targets and outputs",
                prior_chance=None,
            ),
            overfit=make.overfit(attempts=attempts, metric_ceiling=0.95, floor_because="real targets: 0", **metric),
            lr_scan=scan_from(1.02),
            coarse_search=make.coarse_search(**metric),
            fine_search=make.fine_search(**metric),
            curves=make.curves(
                runs=tuple(_regression_run(seed) for seed in range(3)), standard_error=0.02, **metric,
            ),
        ),
    )  # fmt: skip


def _regression_run(seed: int) -> CurveRun:
    run = make.curve_run(seed=seed)
    shrunk = 1.02 / 2.31
    return make.altered(
        run,
        {
            "initial_loss": 1.03,
            "batch_losses": tuple(loss * shrunk for loss in run.batch_losses),
            "smoothed": tuple(loss * shrunk for loss in run.smoothed),
            "train_loss": tuple(None if loss is None else loss * shrunk for loss in run.train_loss),
            "validation_loss": tuple(None if loss is None else loss * shrunk for loss in run.validation_loss),
            "train_metric": tuple(None if score is None else score - 0.13 for score in run.train_metric),
            "validation_metric": tuple(None if score is None else score - 0.14 for score in run.validation_metric),
            "prediction_counts": (),
            "recalls": (),
            "outlier_loss_share": 0.08,
        },
    )


def _binary() -> Evidence:
    targets = make.target_profile(
        kind="binary", dtype="float32", distinct=2, minimum=0, maximum=1, mean=0.6, std=0.49, counts=(400, 600),
        validation_counts=(160, 240), prior_entropy=0.673,
    )  # fmt: skip
    layers = (
        *make.layers()[:-1],
        make.layer_profile("net.4", parameters=65, activation="none", dead_share=None, hidden=False),
    )
    shrunk = {"initial_loss": 0.70, "losses": (0.7, 0.4, 0.2, 0.1, 0.03, 0.006)}
    attempts = (
        *(make.small_set_attempt(seed=seed, **shrunk) for seed in range(3)),
        make.small_set_attempt(regularised=True, **shrunk),
        make.small_set_attempt(control="permuted_labels", **(shrunk | {"updates": 280})),
        make.stuck_attempt(control="zeroed_inputs", initial_loss=0.7, final_loss=0.69, lowest_loss=0.69, final_metric=0.5,
                           losses=(0.7, 0.69, 0.69, 0.69, 0.69, 0.69)),
    )  # fmt: skip
    runs = tuple(
        make.altered(
            _regression_run(seed), {"prediction_counts": (158, 242), "recalls": (0.94, 0.97), "initial_loss": 0.7}
        )
        for seed in range(3)
    )
    return make.evidence(
        spec=make.spec(loss={"name": "binary_cross_entropy_with_logits"}),
        steps=make.steps(
            assumptions=make.assumptions(
                task=Task.BINARY, classes=1, loss="binary_cross_entropy_with_logits", loss_family="bce_with_logits",
                target_shape=(32, 1), output_shape=(32, 1),
            ),
            data=make.data_profile(targets=targets),
            baselines=make.baselines(
                scores=(
                    {"name": "majority", "train": 0.6, "validation": 0.6},
                    {"name": "linear", "train": 0.82, "validation": 0.8},
                    {"name": "knn", "train": None, "validation": 0.79},
                ),
                chance=0.6, standard_error=0.02, held_out_training=0.8, best_permuted_validation=0.8, permutation=(0, 1),
                permuted_labels_score=0.58,
            ),
            model=make.model_profile(layers=layers, output=make.output_profile(shape=(32, 1), minimum=-0.4, maximum=0.4)),
            loss=make.loss_profile(
                value=0.7, applies_softmax=False, applies_sigmoid=True, output_shape=(32, 1), target_shape=(32, 1),
                targets_within_unit_interval=True,
            ),
            initial_loss=make.initial_loss(
                observed=(0.70, 0.69, 0.70, 0.695, 0.70), chance=log(2), chance_because="ln 2", prior_chance=0.673,
            ),
            overfit=make.overfit(attempts=attempts),
            lr_scan=scan_from(0.7),
            curves=make.curves(runs=runs, standard_error=0.02),
        ),
    )  # fmt: skip


def _convolutional() -> Evidence:
    norm = {"type": "BatchNorm2d", "activation": "relu", "eps": 1e-5, "momentum": 0.1, "values_per_channel": 32 * 64}
    layers = (
        make.layer_profile("net.0", type="Conv2d", parameters=144, activation="none", dead_share=None),
        make.layer_profile("net.1", parameters=32, output_std=1.0, weight_norm=4.0, **norm),
        make.layer_profile("net.2", type="ReLU", parameters=0, weight_norm=None, gradient_norm=None),
        make.layer_profile("net.3", type="Conv2d", parameters=4608, activation="none", dead_share=None),
        make.layer_profile("net.4", parameters=64, output_std=1.0, weight_norm=5.7, **norm),
        make.layer_profile("net.5", type="ReLU", parameters=0, weight_norm=None, gradient_norm=None),
        make.layer_profile("net.8", parameters=330, activation="none", dead_share=None, hidden=False),
    )
    modes = {"train_mode_loss": 0.03, "eval_mode_loss": 0.032, "recalibrated_loss": 0.031}
    return make.evidence(
        spec=make.spec(data=Data(factory="project:build_data", batch_size=32)),
        assumptions=(),
        steps=make.steps(
            assumptions=make.assumptions(input_shape=(32, 1, 8, 8)),
            data=make.data_profile(
                input_kind="image", input_shape=(1, 8, 8), column_std_ratio=None, channel_correlation_ratio=None
            ),
            model=make.model_profile(layers=layers, parameters=5178),
            curves=make.curves(runs=tuple(make.curve_run(seed=seed, **modes) for seed in range(3))),
        ),
    )


def _quick() -> Evidence:
    left_out = make.not_measured("preset quick leaves it out", reason="unsupported")
    return make.evidence(
        spec=make.spec(protocol={"preset": "quick"}),
        run=make.run(preset="quick"),
        coarse_search=left_out,
        fine_search=left_out,
        curves=left_out,
        treatments=left_out,
    )


def _nothing_measured() -> Evidence:
    nothing = make.not_measured("the budget ended before it began")
    probes = (
        "assumptions",
        "data",
        "baselines",
        "model",
        "loss",
        "gradient",
        "optimizer",
        "loop",
        "system",
        "repeatability",
    )
    names = ("initial_loss", "overfit", "lr_scan", "coarse_search", "fine_search", "curves", "treatments")
    return make.evidence(**dict.fromkeys((*probes, *names), nothing))
