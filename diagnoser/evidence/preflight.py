"""What could be seen without training? One record per probe; each is an outcome of its own."""

from typing import Annotated, Literal

from pydantic import Field

from diagnoser.evidence.batch_size import GradientNoise, Throughput
from diagnoser.records import Float, JsonValue, Record
from diagnoser.spec.fields import Task
from diagnoser.trials import Outcome, UserError


class Assumption(Record):
    """One inferred value, what it was inferred from, and how to say otherwise."""

    key: str  # the spec key that overrides it
    value: JsonValue
    because: str


class Assumptions(Record):
    """What the spec left open and the workload settled."""

    kind: Literal["assumptions"] = "assumptions"
    task: Task
    classes: int | None  # width of the output, or the vocabulary
    loss: str  # the loss in words: "cross_entropy", "project:weighted_loss", "step project:training_step"
    loss_family: Literal[
        "cross_entropy", "nll", "bce", "bce_with_logits", "mse", "l1", "huber", "focal", "other"
    ]  # by built-in name, class, or observed behaviour
    metric: str
    higher_is_better: bool
    batch_layout: str  # in words: "(input, target)"
    input_shape: tuple[int, ...]  # of one batch, the first input
    target_shape: tuple[int, ...] | None
    output_shape: tuple[int, ...] | None
    updates_per_epoch: int
    total_updates: int  # of the user's whole run
    effective_lr: float  # what the optimizer really got
    assumed: tuple[Assumption, ...]


class SplitProfile(Record):
    """The inputs of one split, over the rows that were read."""

    rows: int
    rows_read: int
    mean: Float
    std: Float
    minimum: Float
    maximum: Float
    non_finite_values: int
    non_finite_rows: tuple[int, ...]  # the first 10
    non_finite_columns: tuple[int, ...]  # the first 10


class TargetProfile(Record):
    """The targets of both splits."""

    kind: Literal["class", "binary", "multilabel", "real", "tokens", "none"]
    dtype: str
    distinct: int  # distinct values, or distinct rows for vectors
    minimum: Float
    maximum: Float
    mean: Float
    std: Float
    counts: tuple[int, ...] = ()  # rows per class 0..C-1 in training; empty for real targets
    validation_counts: tuple[int, ...] = ()
    row_sum_is_one_share: Float | None = None  # vectors: rows whose sum is 1
    prior_entropy: Float | None = None  # nats, of the class prior in training
    non_finite_values: int = 0


class DataProfile(Record):
    """The data set as read: inputs, targets, order, and what the splits share."""

    kind: Literal["data"] = "data"
    input_kind: Literal["table", "image", "sequence", "tokens", "other"]
    input_dtype: str
    input_shape: tuple[int, ...]  # of one row
    train: SplitProfile
    validation: SplitProfile
    targets: TargetProfile
    constant_features: int
    column_std_ratio: Float | None  # p95 / p5 of the per-column std, tables only
    fraction_one_hot: Float  # share of columns (or the whole input) with only 0 and 1
    on_grid_255_squared: bool  # values lie on k / 255², a second division by 255
    validation_shift: Float  # median over features of |mean_v - mean_t| / std_t
    validation_std_ratio: Float  # overall std of validation / training
    duplicate_share: Float  # training rows in groups of equal input and target
    duplicate_share_by_chance: Float  # the same after permuting columns independently
    distinct_of_512: Float  # share of distinct rows among up to 512 distinct indices
    overlap_share: Float  # validation rows (input and target) that occur in training
    overlap_control: Float  # the same between two random halves of training
    contradiction_share: Float  # training rows whose input occurs with another label
    batch_label_spread: Float | None  # mean entropy (or variance) within a batch as delivered / that of permuted labels
    same_order_every_epoch: bool  # two epochs of the training loader came in one order
    declared_shuffle: bool
    reads_differ: bool  # the same validation indices read twice differ
    training_changes: bool  # training rows differ between reads with the random state restored
    shifted_targets_share: Float | None  # language: share of target[t] == input[t + 1]
    unshifted_targets_share: Float | None  # language: share of target[t] == input[t]
    twice_shifted_targets_share: Float | None  # language: share of target[t] == input[t + 2]
    leaking_column: int | None  # the column with the highest absolute rank correlation to a many-valued target
    leaking_correlation: Float | None
    channel_axis_last: bool  # shape[-1] in {1, 3, 4} and shape[1] larger: pictures as (H, W, C)
    channel_correlation_ratio: Float | None  # lag-1 correlation along the first axis / along the truly spatial one
    test_rows: int | None = None  # rows of a third split that the data factory returns; 0: there is none
    training_rows_drawn: bool | None = None  # training rows read twice differ: augmentation
    distinct_in_a_column: Float | None = None  # tables of numbers: of the values in one column, among rows that differ
    workers: int | None = None  # processes that load training rows, where rows are read anew for each batch
    workers_repeat: bool | None = None  # two of them draw the same random numbers; None: not asked or not told


class Score(Record):
    """One simple model on this data."""

    name: Literal["majority", "linear", "knn", "bigram"]
    train: Float | None
    validation: Float


class Reference(Record):
    """A small network that is known to work, trained on the same rows as the simple models: a lower bound."""

    network: Literal["perceptron", "convolution", "recurrent", "bag_of_embeddings", "transformer"]
    parameters: int
    lr: float
    updates: int
    stopped_by: str  # "length", "early_stopping", "time"
    rows_used: int
    train: Float  # the metric, as the simple models'
    held_out_training: Float
    validation: Float
    train_loss: Float
    validation_loss: Float


class Baselines(Record):
    """What simple models reach on the same rows."""

    kind: Literal["baselines"] = "baselines"
    metric: str
    scores: tuple[Score, ...]
    chance: Float  # majority class, or the mean target (R² 0), on validation
    standard_error: Float  # of a validation metric at the best baseline's level
    held_out_training: Float | None  # the linear or k-NN baseline on held-out rows of *training*
    best_permuted_validation: Float | None  # after the best one-to-one relabelling of the validation labels
    permutation: tuple[int, ...] = ()  # the relabelling: label i of validation is class permutation[i] of training
    permuted_labels_score: Float | None = None  # the best baseline trained on permuted labels
    rows_used: int
    reference: Reference | None = None  # None: not asked for (`quick`), or it did not fit into its time


class LayerProfile(Record):
    """One module with parameters, or an activation module, at initialisation, in the order of the forward pass."""

    path: str  # "net.0"
    type: str  # "Linear", "Conv2d", "ReLU"
    parameters: int
    frozen_parameters: int
    output_std: Float | None  # median over seeds, on one training batch
    input_std: Float | None
    gradient_norm: Float | None
    weight_norm: Float | None
    activation: Literal[
        "relu", "sigmoid", "tanh", "softmax", "other", "none"
    ]  # what follows a weight layer, or the module itself
    dead_share: Float | None  # of units <= 0 on all rows seen (ReLU-like)
    saturated_share: Float | None  # sigmoid beyond ±5, tanh beyond ±2.5
    hidden: bool  # not the last operation
    unit_gradient_similarity: Float | None  # share of unit pairs with cosine > 0.999 after 3 updates
    eps: float | None = None  # normalisation layers
    momentum: float | None = None  # BatchNorm
    values_per_channel: int | None = None  # BatchNorm: batch size x positions in train mode
    dropout: float | None = None
    training_mode: bool = True  # as the factory returned it
    bias_feeds_norm: bool = False  # this layer's bias is cancelled by the BatchNorm behind it
    norm_momentum_tracks: bool = True
    in_channels: int | None = None  # weight layers: size of the axis that the weights sum over


class OutputProfile(Record):
    """What the untrained model answers for one batch, in eval mode, over three initialisations."""

    shape: tuple[int, ...]
    minimum: Float
    maximum: Float
    std: Float
    rows_sum_to_one: bool  # along the class axis, within 1e-3, for every initialisation
    columns_sum_to_one: bool  # along the batch (or time) axis
    within_unit_interval: bool  # also for inputs x 100
    never_negative: bool  # also for inputs x 100
    exact_zero_share: Float
    exact_one_share: Float
    constant_one: bool  # softmax over one unit
    lower_bound: Float | None  # reached for inputs x 100 by a bounded last operation; None: unbounded
    upper_bound: Float | None
    final_operation: str  # "Linear", "Softmax", "sigmoid" (a function seen in the graph), "ReLU"...
    targets_out_of_range_share: Float | None  # targets that the bounded output cannot reach


class PaddingProfile(Record):
    """How rows of different lengths are made equally long, and whether the model and the loss leave the filling out."""

    made_by: Literal["batch", "data"]  # by the collate function, seen in rows read alone; or already in the rows
    side: Literal["right", "left"]
    token: int | None  # what fills, where inputs are tokens
    declared: bool  # it is the `padding_idx` of an embedding of the model; True as well where batches are seen to fill
    rows: int  # looked at
    width: int  # the widest row as delivered
    typical_length: Float  # median, without padding
    share: Float  # of the positions delivered that are padding
    share_by_length: Float  # the same, were rows of like length put into one batch
    output_change: Float | None = None  # of the answer at a typical real position (or for a typical row) among the rows
    # with the most padding, when they are read without; in units of the spread of answers; median over initialisations
    largest_change: Float | None = None  # the same at the position that moves most
    counted_share: Float | None = None  # of the positions whose output the loss looks at: padding, its first one aside
    target_token: int | None = None  # the one target at all padded positions
    target_is_real_too: bool = False  # and it occurs at real positions as well


class HandMask(Record):
    """A random mask that code of the user's own lays over hidden units in train mode, torch's dropouts switched off."""

    where: str  # "the output of drop", "the input of net.2"
    kept_share: Float  # of the units
    scale: Float  # kept units, train mode / eval mode
    mean_ratio: Float  # mean activation, train mode / eval mode: kept_share x scale
    standard_error: Float  # of that ratio
    masks: int  # drawn


class StridedLayer(Record):
    """One convolution or pooling that makes the maps of pictures smaller, in the order of the forward pass."""

    path: str  # of the module in which it happens
    operation: str  # "conv2d", "max_pool2d"
    stride: int
    side_before: int  # the longer one
    side_after: int
    cuts_patches: bool  # a convolution whose kernel is its stride: patches that do not overlap


class ModelProfile(Record):
    """The model at initialisation: its layers, what its outputs depend on, and how it is built."""

    kind: Literal["model"] = "model"
    parameters: int
    frozen_parameters: int
    frozen_are_random_share: Float  # of frozen parameters that differ between two builds with different seeds
    layers: tuple[LayerProfile, ...]
    output: OutputProfile | None
    weight_layers: int
    affine: bool | None  # the whole network is affine in its input (eval mode, 3 pairs)
    inputs_ignored: bool | None  # exchanging rows' inputs changes no output, at 3 initialisations
    samples_mixed: bool | None  # changing row j changes another row's output in eval mode
    future_visible: bool | None  # language models: a later token changes an earlier output
    order_ignored: bool | None  # exchanging two earlier tokens leaves the last output unchanged
    other_order_ignored: bool | None = None  # the same of another text that it is given, as in a translation
    stochastic_in_eval: bool  # two passes in eval mode differ
    stochastic_with_fixed_seed: bool  # ... and differ still with the random state fixed
    first_forward_non_finite: str | None  # module path whose output is the first non-finite one
    shares_storage_between_calls: bool
    equal_for_different_seeds: bool
    unregistered: tuple[str, ...]  # attributes that hold modules or parameters outside named_parameters
    unused: tuple[str, ...]  # trainable parameters with gradient None or exactly 0 on 8 batches, also after an update
    unused_share: Float  # of all trainable parameters
    eval_mode_from_factory: tuple[str, ...]  # Dropout and BatchNorm modules that the factory returned in eval mode
    attention: bool
    recurrent: bool
    grad_free_before: str | None  # the loss has no grad_fn, or nothing before this module has a gradient
    starts_with_normalisation: bool
    random_share_outside_head: Float | None = None  # parameters before the last weight layer that differ by seed
    half_precision_weights: bool | None = None  # some trainable weights are float16 or bfloat16 themselves
    padding: PaddingProfile | None = None  # None: rows are of one length, or it could not be told
    hand_mask: HandMask | None = None  # None: none was seen
    strided: tuple[StridedLayer, ...] = ()  # the first of them; only for pictures
    unanswered: tuple[str, ...] = ()  # questions left open, each with its reason


class LossProfile(Record):
    """How the loss behaves as a function of output and target."""

    kind: Literal["loss"] = "loss"
    value: Float  # on one batch of the untrained model
    applies_softmax: bool | None  # loss(z) == loss(z + c) along the class axis
    applies_sigmoid: bool | None  # equals BCE with logits on this output and target, or its class is known to
    takes_log_probabilities: bool  # NLLLoss
    takes_probabilities: bool  # BCELoss
    rows_of_exp_sum_to_one: bool | None  # for NLL: the outputs are log probabilities
    doubled_batch_ratio: Float | None  # loss(batch twice) / loss(batch), eval mode
    output_shape: tuple[int, ...] | None
    target_shape: tuple[int, ...] | None
    broadcasts: bool  # shapes differ and broadcast
    permutation_invariant: bool | None  # permuting targets within the batch leaves the loss as it is
    falls_with_worse_answers: (
        bool | None
    )  # moving the output towards the target raises the loss, or a loss goes below its bound
    negative: bool
    finite_at_extremes: bool | None  # outputs x100, both signs, finite loss and gradient
    targets_within_unit_interval: bool
    label_out_of_range: tuple[int, ...]  # labels < 0 (not ignore_index) or >= number of outputs, first 10
    ignored_class: int | None  # ignore_index that occurs as a class
    zero_weight_classes: tuple[int, ...] = ()
    because_unjudged: str | None = None
    unanswered: tuple[str, ...] = ()  # single questions left open, each with its reason


class GradientCheck(Record):
    """Is the gradient that autograd gives the slope of the loss? Float64, eval mode, fixed random state."""

    kind: Literal["gradient"] = "gradient"
    relative_errors: tuple[Float, ...]  # per direction, the best over step sizes
    directions: tuple[str, ...]
    step_sizes: tuple[float, ...]
    suspects: tuple[str, ...]  # custom autograd functions seen in the graph
    worst_layer: str | None
    flat_layer: str | None = None  # its weights have a gradient, and moving them does not move the loss at all


class OptimizerProfile(Record):
    """Which parameters the optimizer moves, and with what settings."""

    kind: Literal["optimizer"] = "optimizer"
    name: str  # class name
    settings: dict[str, JsonValue]  # defaults of the first group
    missing: tuple[str, ...]  # trainable parameters in no group
    missing_share: Float
    foreign: int  # parameters in groups that are not the model's
    unchanged: tuple[str, ...]  # in a group, non-zero gradient, yet equal after 2 updates
    moved_elsewhere: tuple[str, ...] = ()  # in no group, and changed by the updates: a second optimizer in the step
    schedule: tuple[Float, ...]  # lr at up to 100 evenly spaced points of the user's real run
    schedule_because: str | None  # why there is none
    gradient_noise: GradientNoise | None = None  # of the untrained model; None: no gradient, or too few batches


class LoopAudit(Record):
    """The user's own loop and evaluate, run for a few batches under instruments on a copy."""

    kind: Literal["loop"] = "loop"
    has_loop: bool
    has_evaluate: bool
    batches_given: int = 0
    batches_drawn: int = 0
    backwards: int = 0
    steps: int = 0
    clears: int = 0
    order: tuple[
        str, ...
    ] = ()  # of the first two batches: "zero_grad", "forward", "backward", "clip", "step", "scheduler"
    gradient_cosine: Float | None = None  # at `step`, with a fresh gradient of the same batch; min over batches
    gradient_matches_sum: bool | None = None  # it equals the sum over past batches
    parameters_changed: bool | None = None
    gradient_nonzero: bool | None = None
    forward_modes: tuple[bool, ...] = ()  # model.training at each training batch, first epoch
    second_epoch_modes: tuple[bool, ...] = ()  # after an evaluate in between
    modules_in_eval_while_training: tuple[str, ...] = ()  # Dropout and BatchNorm paths, in either epoch
    modules_training_while_evaluating: tuple[str, ...] = ()
    dropout_switched_on_alone: bool = False  # all of them Dropout, in a model that is in eval mode itself
    evaluate_changes_state: bool | None = None
    evaluations_differ: bool | None = None  # two evaluate calls on the same weights
    evaluations_agree_in_eval: bool | None = None  # they agree once modules are put in eval mode
    loss_rises_on_same_batch: Float | None = None  # share of 10 updates at lr/100 after which its own batch's loss rose
    graph_nodes_kept: tuple[int, ...] = ()  # live graph nodes after each of the batches
    memory_growth_share: Float | None = None
    repeated_batch: bool | None = None
    accumulation_ratio: Float | None = None
    user_metrics: dict[str, Float] = {}
    our_metrics: dict[str, Float] = {}  # the same names, over all rows, measured by us
    batch_mean_metrics: dict[str, Float] = {}  # the same names, measured by us, as the plain mean over batches
    evaluate_batches_given: int = 0
    evaluate_batches_drawn: int = 0
    gradients_enabled_in_evaluate: bool | None = None
    host_copies_per_step: Float | None = None  # tensors that the loop reads on the host, what the optimizer does aside
    host_wait_share: Float | None = None  # of the loop's time spent in them, on an accelerator; None: a CPU
    error: UserError | None = None


class SystemProfile(Record):
    """What a step costs here."""

    kind: Literal["system"] = "system"
    device: str
    seconds_per_update: Float
    seconds_per_evaluation: Float  # of train subset and validation together
    seconds_to_build: Float  # a fresh model and optimizer
    data_share: Float  # of a step spent waiting for the next batch
    cached_speedup: Float | None  # replaying one cached batch
    memory_mb: Float | None
    memory_available_mb: Float | None
    largest_batch: int | None  # that fits, when the spec's does not
    rows_that_fit: int | None = None  # of a batch, told from what a step keeps; never more than all training rows
    batch_in_memory: bool  # the data set was materialised as tensors
    throughput: Throughput | None = None  # None: a CPU


class Repeatability(Record):
    """Does the same seed give the same run, and every call the same split?"""

    kind: Literal["repeatability"] = "repeatability"
    largest_relative_difference: Float  # of the losses of two runs of 20 steps, same seed
    split_difference: (
        Float  # share of validation rows that differ between two calls of the data factory under different seeds
    )
    union_difference: Float  # share of all rows (both splits) that differ
    labels_depend_on_hash_seed: bool | None


PreflightValue = Annotated[
    Assumptions
    | DataProfile
    | Baselines
    | ModelProfile
    | LossProfile
    | GradientCheck
    | OptimizerProfile
    | LoopAudit
    | SystemProfile
    | Repeatability,
    Field(discriminator="kind"),
]


class ProbeResult(Record):
    """What a probe measured, or why it could not."""

    outcome: Outcome
    error: UserError | None = None
    unsupported: str | None = None  # the probe cannot work on this model, and why
    seconds: float = 0.0
    value: PreflightValue | None = None
