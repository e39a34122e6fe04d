"""A healthy language model, as evidence: a small causal transformer on characters."""

from math import exp, log

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.steps import CurveRun, LrScan
from diagnoser.spec.fields import Task
from tests.helpers import make

VOCABULARY = 65


def scan_from(start: float) -> LrScan:
    """The valley of the healthy scan, from another initial loss."""
    scan = make.lr_scan()
    share = start / 2.31
    points = tuple(
        make.altered(
            point,
            {
                name: tuple(value * share for value in getattr(point, name))
                for name in ("initial", "lowest", "final", "validation_loss")
            },
        )
        for point in scan.points
    )
    return make.lr_scan(points=points)


def language_model() -> Evidence:
    chance = log(VOCABULARY)
    data = make.data_profile(
        input_kind="tokens", input_dtype="int64", input_shape=(64,), column_std_ratio=None, constant_features=0,
        train=make.split_profile(mean=38.0, std=18.0, minimum=0, maximum=64),
        validation=make.split_profile(rows=400, rows_read=400, mean=38.1, std=18.1, minimum=0, maximum=64),
        targets=make.target_profile(
            kind="tokens", distinct=VOCABULARY, maximum=64, mean=38.0, std=18.0, counts=(), validation_counts=(),
            prior_entropy=3.31,
        ),
        shifted_targets_share=1.0, unshifted_targets_share=0.03, twice_shifted_targets_share=0.03, batch_label_spread=None,
    )  # fmt: skip
    layers = (
        make.layer_profile(
            "embedding", type="Embedding", parameters=4160, activation="none", dead_share=None, input_std=None
        ),
        make.layer_profile(
            "block.norm", type="LayerNorm", parameters=128, activation="none", dead_share=None, eps=1e-5
        ),
        make.layer_profile("block.attention.qkv", parameters=12480, activation="none", dead_share=None),
        make.layer_profile("block.mlp.0", parameters=16640, activation="other", dead_share=None),
        make.layer_profile("block.mlp.2", parameters=16448, activation="none", dead_share=None),
        make.layer_profile("head", parameters=4225, activation="none", dead_share=None, hidden=False),
    )
    share = chance / log(10)
    attempts = tuple(
        make.small_set_attempt(
            seed=seed, initial_loss=4.2, final_loss=0.33, lowest_loss=0.33, final_metric=1.4,
            losses=tuple(share * loss + 0.3 for loss in (2.31, 1.4, 0.6, 0.2, 0.05, 0.01)),
        )
        for seed in range(3)
    )  # fmt: skip
    metric = {"metric": "perplexity", "higher_is_better": False}
    runs = tuple(_language_run(seed) for seed in range(3))
    searched = make.search_trial(validation_metric=9.5, validation_loss=2.25, train_loss=2.2)
    return make.evidence(
        steps=make.steps(
            assumptions=make.assumptions(
                task=Task.LANGUAGE_MODEL, classes=VOCABULARY, input_shape=(32, 64), target_shape=(32, 64),
                output_shape=(32, 64, VOCABULARY), **metric,
            ),
            data=data,
            baselines=make.baselines(
                metric="perplexity",
                scores=(
                    {"name": "majority", "train": 27.4, "validation": 27.6},
                    {"name": "bigram", "train": 11.6, "validation": 12.1},
                ),
                chance=27.6, standard_error=0.1, held_out_training=None, best_permuted_validation=None, permutation=(),
                permuted_labels_score=None,
            ),
            model=make.model_profile(
                layers=layers, attention=True, future_visible=False, order_ignored=False, starts_with_normalisation=False,
                output=make.output_profile(shape=(32, 64, VOCABULARY)), parameters=54081,
            ),
            loss=make.loss_profile(
                value=4.19, output_shape=(2048, VOCABULARY), target_shape=(2048,), permutation_invariant=False,
            ),
            initial_loss=make.initial_loss(
                observed=(4.19, 4.20, 4.18, 4.21, 4.19), chance=chance, chance_because=f"ln {VOCABULARY}", prior_chance=3.31,
            ),
            overfit=make.overfit(
                rows=20, floor=0.3, floor_because="entropy of the first tokens", attempts=attempts, metric="loss",
                metric_ceiling=float("nan"),
            ),
            lr_scan=scan_from(4.19),
            coarse_search=make.coarse_search(trials=(searched,), best=0, user=0, **metric),
            fine_search=make.fine_search(trials=(searched,), best=0, user=0, **metric),
            curves=make.curves(runs=runs, standard_error=0.1, **metric),
        ),
    )  # fmt: skip


def _language_run(seed: int) -> CurveRun:
    run = make.curve_run(seed=seed)
    losses = tuple(2.0 + loss * 0.95 for loss in run.smoothed)
    train = tuple(2.0 + 0.95 * (loss or 0) for loss in run.train_loss)
    validation = tuple(loss + 0.1 for loss in train)
    return make.altered(
        run,
        {
            "initial_loss": 4.19,
            "batch_losses": losses,
            "smoothed": losses,
            "train_loss": train,
            "validation_loss": validation,
            "train_metric": tuple(exp(loss) for loss in train),
            "validation_metric": tuple(exp(loss) for loss in validation),
            "prediction_counts": (),
            "recalls": (),
            "reading": make.curve_reading(final_gap=0.8, slope_last_fifth=-0.005, extrapolated_gain=0.05),
        },
    )
