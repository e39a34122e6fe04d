"""What would another batch size change? The noise of a batch's gradient, and what a device does in a second."""

from typing import Literal

from diagnoser.records import Float, Record


class Noise(Record):
    """Gradients of a few batches of fresh rows at the same weights; tuples run over initialisations."""

    updates: int  # made before
    variance: tuple[Float, ...]  # E|g - mean g|² of one batch's gradient, unbiased, of all weights together
    mean_square: tuple[Float, ...]  # |mean g|² over all of the batches


class GradientNoise(Record):
    """How much the gradient of one batch is noise, in the mode in which the model trains."""

    batch_size: int  # rows of each
    batches: int  # at each look
    looks: tuple[Noise, ...]  # at the untrained model, and after its first updates


class Speed(Record):
    """Training steps of one size and precision on one batch that is replayed."""

    batch_size: int
    precision: Literal["float32", "bfloat16", "float16"]
    seconds: tuple[Float, ...]  # of one step, per round; rounds of all sizes take turns; empty: it did not fit


class Throughput(Record):
    """What an accelerator does with other sizes and precisions. A CPU is not asked."""

    as_given: Speed  # the spec's batch size and precision
    larger: tuple[Speed, ...] = ()  # twice, four times ... the rows, as long as it paid and fitted
    multiple_of_16: Speed | None = None  # the nearest one, where the spec's is none
    bfloat16: Speed | None = None  # the spec's rows, where its precision is float32
    tensor_cores: bool = False  # units of its own multiply half precision, in blocks
    float64_share: Float = 0.0  # of all weights
