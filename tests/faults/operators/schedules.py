"""Faults of what changes along the run: the rate that never falls or never warms up, layers tuned alike, an early end."""

from tests.faults.mutation import Fault, Operator, spec, without

UNSTAGED = Operator(
    name="one rate for trained and for new layers",
    categories=("learning-rate",),
    rules=("fine-tuning-unstaged", "learning-rate-too-high"),
    source="CATALOGUE learning-rate: the body is trained already, and moves as fast as the new head",
)
NO_DECAY = Operator(
    name="the rate stays where it began",
    categories=("learning-rate",),
    rules=("no-learning-rate-decay", "learning-rate-too-high", "loss-oscillates"),
    source="CATALOGUE learning-rate: no schedule",
)
NO_WARM_UP = Operator(
    name="full rate from the first step",
    categories=("learning-rate",),
    rules=("warm-up-missing", "learning-rate-too-high"),
    source="CATALOGUE learning-rate: attention layers, Adam, no warm-up",
)
IMPATIENT = Operator(
    name="gives up after one bad epoch",
    categories=("epochs",),
    rules=("early-stopping-too-impatient", "too-few-epochs"),
    source="CATALOGUE epochs: patience of one epoch on a metric that is never still",
)

WITHOUT_WARM_UP = spec(scheduler={"name": "cosine", "interval": "step"})

FAULTS: tuple[Fault, ...] = (
    UNSTAGED.on("staged-fine-tuning", spec(optimizer={"name": "adam", "lr": 0.02})),
    NO_DECAY.on("rectified-recurrence", without("scheduler")),
    NO_DECAY.on("digits-autoencoder", without("scheduler")),
    NO_WARM_UP.on("tied-markov", WITHOUT_WARM_UP, without("gradient_clip_norm")),
    IMPATIENT.on("rectified-recurrence", spec(early_stopping={"patience": 1})),
    IMPATIENT.on("info-nce", spec(early_stopping={"patience": 1})),
)
