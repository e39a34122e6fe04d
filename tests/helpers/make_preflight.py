"""Healthy preflight records: a multilayer perceptron with ten classes on 1,000 standardised rows of 64 columns."""

from diagnoser.evidence.batch_size import GradientNoise, Noise, Speed, Throughput
from diagnoser.evidence.preflight import (
    Assumptions,
    Baselines,
    DataProfile,
    GradientCheck,
    LayerProfile,
    LoopAudit,
    LossProfile,
    ModelProfile,
    OptimizerProfile,
    OutputProfile,
    Reference,
    Repeatability,
    Score,
    SplitProfile,
    SystemProfile,
    TargetProfile,
)
from diagnoser.spec.fields import Task
from tests.helpers.healthy import altered


def assumptions(**changes: object) -> Assumptions:
    return altered(
        Assumptions(
            task=Task.CLASSIFICATION,
            classes=10,
            loss="cross_entropy",
            loss_family="cross_entropy",
            metric="accuracy",
            higher_is_better=True,
            batch_layout="(input, target)",
            input_shape=(32, 64),
            target_shape=(32,),
            output_shape=(32, 10),
            updates_per_epoch=32,
            total_updates=640,
            effective_lr=1e-3,
            assumed=(),
        ),
        changes,
    )


def split_profile(**changes: object) -> SplitProfile:
    return altered(
        SplitProfile(
            rows=1000,
            rows_read=1000,
            mean=0.0,
            std=1.0,
            minimum=-2.6,
            maximum=7.8,
            non_finite_values=0,
            non_finite_rows=(),
            non_finite_columns=(),
        ),
        changes,
    )


def target_profile(**changes: object) -> TargetProfile:
    return altered(
        TargetProfile(
            kind="class",
            dtype="int64",
            distinct=10,
            minimum=0,
            maximum=9,
            mean=4.5,
            std=2.87,
            counts=(99, 101, 100, 102, 98, 100, 100, 99, 101, 100),
            validation_counts=(40, 41, 39, 40, 40, 40, 41, 39, 40, 40),
            prior_entropy=2.3025,
        ),
        changes,
    )


def data_profile(**changes: object) -> DataProfile:
    return altered(
        DataProfile(
            input_kind="table",
            input_dtype="float32",
            input_shape=(64,),
            train=split_profile(),
            validation=split_profile(rows=400, rows_read=400, mean=0.01, std=0.99),
            targets=target_profile(),
            constant_features=3,
            column_std_ratio=1.0,
            fraction_one_hot=0.0,
            on_grid_255_squared=False,
            validation_shift=0.04,
            validation_std_ratio=0.99,
            duplicate_share=0.0,
            duplicate_share_by_chance=0.0,
            distinct_of_512=1.0,
            overlap_share=0.0,
            overlap_control=0.0,
            contradiction_share=0.0,
            batch_label_spread=1.0,
            same_order_every_epoch=False,
            declared_shuffle=True,
            reads_differ=False,
            training_changes=False,
            shifted_targets_share=None,
            unshifted_targets_share=None,
            twice_shifted_targets_share=None,
            leaking_column=None,
            leaking_correlation=None,
            channel_axis_last=False,
            channel_correlation_ratio=None,
        ),
        changes,
    )


def reference(**changes: object) -> Reference:
    """The small network on the rows of the simple models, a little better than the linear one."""
    return altered(
        Reference(
            network="perceptron",
            parameters=8_970,
            lr=3e-3,
            updates=750,
            stopped_by="length",
            rows_used=800,
            train=0.999,
            held_out_training=0.955,
            validation=0.95,
            train_loss=0.01,
            validation_loss=0.17,
        ),
        changes,
    )


def baselines(**changes: object) -> Baselines:
    return altered(
        Baselines(
            metric="accuracy",
            scores=(
                Score(name="majority", train=0.102, validation=0.1025),
                Score(name="linear", train=0.995, validation=0.935),
                Score(name="knn", train=None, validation=0.955),
            ),
            chance=0.1025,
            standard_error=0.0104,
            held_out_training=0.95,
            best_permuted_validation=0.935,
            permutation=tuple(range(10)),
            permuted_labels_score=0.11,
            rows_used=1000,
        ),
        changes,
    )


def layer_profile(path: str = "net.0", **changes: object) -> LayerProfile:
    """A Linear(64, 64) with a ReLU behind it."""
    return altered(
        LayerProfile(
            path=path,
            type="Linear",
            parameters=4160,
            frozen_parameters=0,
            output_std=0.58,
            input_std=1.0,
            gradient_norm=0.21,
            weight_norm=4.6,
            activation="relu",
            dead_share=0.02,
            saturated_share=None,
            hidden=True,
            unit_gradient_similarity=0.0,
        ),
        changes,
    )


def layers() -> tuple[LayerProfile, ...]:
    """Linear, ReLU, Linear, ReLU, Linear."""
    return (
        layer_profile("net.0"),
        layer_profile("net.1", type="ReLU", parameters=0, weight_norm=None, gradient_norm=None, output_std=0.34),
        layer_profile("net.2", output_std=0.24, input_std=0.34, gradient_norm=0.18),
        layer_profile("net.3", type="ReLU", parameters=0, weight_norm=None, gradient_norm=None, output_std=0.14),
        layer_profile(
            "net.4",
            parameters=650,
            output_std=0.11,
            input_std=0.14,
            gradient_norm=0.31,
            weight_norm=1.8,
            activation="none",
            dead_share=None,
            hidden=False,
        ),
    )


def output_profile(**changes: object) -> OutputProfile:
    return altered(
        OutputProfile(
            shape=(32, 10),
            minimum=-0.31,
            maximum=0.29,
            std=0.11,
            rows_sum_to_one=False,
            columns_sum_to_one=False,
            within_unit_interval=False,
            never_negative=False,
            exact_zero_share=0.0,
            exact_one_share=0.0,
            constant_one=False,
            lower_bound=None,
            upper_bound=None,
            final_operation="Linear",
            targets_out_of_range_share=None,
        ),
        changes,
    )


def model_profile(**changes: object) -> ModelProfile:
    return altered(
        ModelProfile(
            parameters=8970,
            frozen_parameters=0,
            frozen_are_random_share=0.0,
            layers=layers(),
            output=output_profile(),
            weight_layers=3,
            affine=False,
            inputs_ignored=False,
            samples_mixed=False,
            future_visible=None,
            order_ignored=None,
            stochastic_in_eval=False,
            stochastic_with_fixed_seed=False,
            first_forward_non_finite=None,
            shares_storage_between_calls=False,
            equal_for_different_seeds=False,
            unregistered=(),
            unused=(),
            unused_share=0.0,
            eval_mode_from_factory=(),
            attention=False,
            recurrent=False,
            grad_free_before=None,
            starts_with_normalisation=False,
        ),
        changes,
    )


def loss_profile(**changes: object) -> LossProfile:
    return altered(
        LossProfile(
            value=2.309,
            applies_softmax=True,
            applies_sigmoid=None,
            takes_log_probabilities=False,
            takes_probabilities=False,
            rows_of_exp_sum_to_one=None,
            doubled_batch_ratio=1.0,
            output_shape=(32, 10),
            target_shape=(32,),
            broadcasts=False,
            permutation_invariant=False,
            falls_with_worse_answers=False,
            negative=False,
            finite_at_extremes=True,
            targets_within_unit_interval=False,
            label_out_of_range=(),
            ignored_class=None,
        ),
        changes,
    )


def gradient_check(**changes: object) -> GradientCheck:
    return altered(
        GradientCheck(
            relative_errors=(3e-9, 8e-9, 2e-9, 5e-9),
            directions=("gradient", "random 1", "random 2", "random 3"),
            step_sizes=(1e-4, 1e-5, 1e-6),
            suspects=(),
            worst_layer=None,
        ),
        changes,
    )


def optimizer_profile(**changes: object) -> OptimizerProfile:
    return altered(
        OptimizerProfile(
            name="Adam",
            settings={"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0},
            missing=(),
            missing_share=0.0,
            foreign=0,
            unchanged=(),
            schedule=(1e-3,) * 20,
            schedule_because=None,
            gradient_noise=gradient_noise(),
        ),
        changes,
    )


def gradient_noise(*ratios: float, later: tuple[float, ...] | None = None, **changes: object) -> GradientNoise:
    """Variance of a batch's gradient over its square at three initialisations, and the same after 20 updates."""
    start = ratios or (0.7, 0.6, 0.8)
    looks = tuple(
        Noise(updates=updates, variance=found, mean_square=(1.0,) * len(found))
        for updates, found in ((0, start), (20, start if later is None else later))
    )
    return altered(GradientNoise(batch_size=32, batches=16, looks=looks), changes)


def loop_audit(**changes: object) -> LoopAudit:
    """A user's own loop and evaluate, both right; `has_loop=False` for a spec without one."""
    one_batch = ("zero_grad", "forward", "backward", "step")
    return altered(
        LoopAudit(
            has_loop=True,
            has_evaluate=True,
            batches_given=8,
            batches_drawn=8,
            backwards=8,
            steps=8,
            clears=8,
            order=one_batch * 2,
            gradient_cosine=1.0,
            gradient_matches_sum=False,
            parameters_changed=True,
            gradient_nonzero=True,
            forward_modes=(True,) * 8,
            second_epoch_modes=(True,) * 8,
            evaluate_changes_state=False,
            evaluations_differ=False,
            evaluations_agree_in_eval=True,
            loss_rises_on_same_batch=0.0,
            graph_nodes_kept=(0,) * 8,
            host_copies_per_step=1.0,
            memory_growth_share=0.0,
            repeated_batch=False,
            accumulation_ratio=None,
            user_metrics={"accuracy": 0.1},
            our_metrics={"accuracy": 0.1},
            gradients_enabled_in_evaluate=False,
        ),
        changes,
    )


def system_profile(**changes: object) -> SystemProfile:
    return altered(
        SystemProfile(
            device="cpu",
            seconds_per_update=0.0006,
            seconds_per_evaluation=0.003,
            seconds_to_build=0.002,
            data_share=0.1,
            cached_speedup=1.1,
            memory_mb=310.0,
            memory_available_mb=16_000.0,
            largest_batch=None,
            batch_in_memory=True,
        ),
        changes,
    )


def throughput(**changes: object) -> Throughput:
    """An accelerator that 32 rows fill: twice the rows take nearly twice the time."""
    return altered(
        Throughput(
            as_given=speed(32, 0.010),
            larger=(speed(64, 0.019),),
            bfloat16=speed(32, 0.009, precision="bfloat16"),
            tensor_cores=True,
        ),
        changes,
    )


def speed(batch_size: int, seconds: float, *, precision: str = "float32", rounds: int = 3) -> Speed:
    """Rounds that differ by two percent."""
    times = (seconds, seconds * 1.02, seconds * 0.98, seconds)[:rounds]
    return Speed.model_validate({"batch_size": batch_size, "precision": precision, "seconds": times})


def repeatability(**changes: object) -> Repeatability:
    return altered(
        Repeatability(
            largest_relative_difference=0.0,
            split_difference=0.0,
            union_difference=0.0,
            labels_depend_on_hash_seed=False,
        ),
        changes,
    )
