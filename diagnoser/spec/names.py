"""Which built-in names does a spec know, and which of them did the user mean? Lists, so that reading loads no torch."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

# Functions of torch.nn.functional (2.6 to 2.13) that are called as `loss(output, target)`, and our own focal loss.
LOSSES = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "focal_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
)

# Losses of torch.nn.functional that need more than an output and a target: they are written as a `step`.
LOSSES_WITH_MORE_INPUTS = (
    "cosine_embedding_loss",
    "ctc_loss",
    "gaussian_nll_loss",
    "linear_cross_entropy",
    "margin_ranking_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
)

# Name in a spec -> class of torch.optim. Muon came with torch 2.9: an older torch says so when the optimizer is built.
OPTIMIZER_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "adadelta": "Adadelta",
        "adafactor": "Adafactor",
        "adagrad": "Adagrad",
        "adam": "Adam",
        "adamax": "Adamax",
        "adamw": "AdamW",
        "asgd": "ASGD",
        "lbfgs": "LBFGS",
        "muon": "Muon",
        "nadam": "NAdam",
        "radam": "RAdam",
        "rmsprop": "RMSprop",
        "rprop": "Rprop",
        "sgd": "SGD",
        "sparseadam": "SparseAdam",
    }
)
OPTIMIZERS = tuple(OPTIMIZER_CLASSES)

# Short name -> class of torch.optim.lr_scheduler.
SCHEDULER_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "cosine": "CosineAnnealingLR",
        "step": "StepLR",
        "exponential": "ExponentialLR",
        "plateau": "ReduceLROnPlateau",
        "one_cycle": "OneCycleLR",
        "linear": "LinearLR",
    }
)
# Classes that are built from numbers alone; LambdaLR, MultiplicativeLR, SequentialLR and ChainedScheduler need code.
SCHEDULER_CLASSES = (
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "StepLR",
)
SCHEDULERS_WITH_CODE = ("ChainedScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR")
SCHEDULERS = (*SCHEDULER_ALIASES, *SCHEDULER_CLASSES)

# Name -> is more of it better?
METRIC_HIGHER_IS_BETTER: Mapping[str, bool] = MappingProxyType(
    {
        "accuracy": True,
        "balanced_accuracy": True,
        "f1": True,
        "r2": True,
        "mae": False,
        "loss": False,
        "perplexity": False,
    }
)
METRICS = tuple(METRIC_HIGHER_IS_BETTER)

TASKS = ("classification", "binary", "multilabel", "regression", "language_model", "custom")

# What people call them elsewhere -> what they are called here. Compared without case, blanks, dashes and underscores.
_ALSO_CALLED: Mapping[str, str] = MappingProxyType(
    {
        "ce": "cross_entropy",
        "crossentropyloss": "cross_entropy",
        "categoricalcrossentropy": "cross_entropy",
        "sparsecategoricalcrossentropy": "cross_entropy",
        "softmaxcrossentropy": "cross_entropy",
        "bce": "binary_cross_entropy",
        "bceloss": "binary_cross_entropy",
        "binarycrossentropy": "binary_cross_entropy",
        "bcewithlogits": "binary_cross_entropy_with_logits",
        "bcewithlogitsloss": "binary_cross_entropy_with_logits",
        "logloss": "cross_entropy",
        "mse": "mse_loss",
        "l2": "mse_loss",
        "l2loss": "mse_loss",
        "meansquarederror": "mse_loss",
        "mae": "l1_loss",
        "l1": "l1_loss",
        "maeloss": "l1_loss",
        "meanabsoluteerror": "l1_loss",
        "nll": "nll_loss",
        "huber": "huber_loss",
        "smoothl1": "smooth_l1_loss",
        "focal": "focal_loss",
        "kldiv": "kl_div",
        "kldivloss": "kl_div",
        "kl": "kl_div",
        "momentum": "sgd",
        "sgdm": "sgd",
        "cosineannealing": "cosine",
        "onecycle": "one_cycle",
        "reduceonplateau": "plateau",
        "reducelronplateau": "plateau",
        "steplr": "step",
        "explr": "exponential",
        "acc": "accuracy",
        "balancedacc": "balanced_accuracy",
        "f1score": "f1",
        "r2score": "r2",
        "ppl": "perplexity",
        "multiclass": "classification",
        "classifier": "classification",
        "binaryclassification": "binary",
        "multilabelclassification": "multilabel",
        "lm": "language_model",
        "languagemodelling": "language_model",
        "languagemodeling": "language_model",
        "causallm": "language_model",
        "fp32": "float32",
        "full": "float32",
        "bf16": "bfloat16",
        "fp16": "float16",
        "half": "float16",
        "logarithmic": "log",
        "loguniform": "log",
        "uniform": "linear",
        "integer": "int",
    }
)

ALIKE = 0.6  # difflib's own default: about two letters wrong in a word of six


def plain(name: str) -> str:
    """Lower case without blanks, dashes and underscores: how names are compared."""
    return "".join(letter for letter in name.lower() if letter not in "_- ")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant, or None when nothing is close."""
    by_plain: dict[str, str] = {}
    for candidate in known:
        by_plain.setdefault(plain(candidate), candidate)
    wanted = plain(name)
    if wanted in by_plain:
        return by_plain[wanted]
    elsewhere = _ALSO_CALLED.get(wanted)
    if elsewhere is not None and elsewhere in by_plain.values():
        return elsewhere
    close = get_close_matches(wanted, by_plain, n=1, cutoff=ALIKE)
    return by_plain[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Ask the question, ready to be shown; None when nothing is close."""
    found = nearest(name, known)
    return None if found is None else f"did you mean `{found}`?"
