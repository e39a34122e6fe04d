"""What does each key expect, in words? Error messages and the published schema speak from this one table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from diagnoser.spec.names import SCHEDULER_ALIASES, TASKS

LONGEST_QUOTE = 60  # characters of a user's text that a message quotes


def _one_of(*names: str) -> str:
    return f"{', '.join(f'`{name}`' for name in names[:-1])} or `{names[-1]}`"


_REFERENCE = "`module:attr`, the path of a function in your code such as `project:build_model`"
_WHOLE = "a whole number of at least 1"
_ARGS = "a section of keyword arguments such as `{width: 64}`"
_BOOL = "`true` or `false`"
_TEXT = "a text"
_ABOVE_0 = "a number above 0"
_SHARE = "a number from 0 up to, but not including, 1"

# Dotted key, `*` for any item of a list or any name -> (what it expects, what it is for).
FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "name": (_TEXT, "How reports call this training; the folder's name when left out."),
        "model": (
            f"{_REFERENCE}, or a section `{{factory, args}}`",
            "Called afresh for every trial; returns a torch.nn.Module.",
        ),
        "model.factory": (
            "`module:attr`, such as `project:build_model`",
            "A function or class that returns a fresh torch.nn.Module.",
        ),
        "model.args": (_ARGS, "Keyword arguments for the factory."),
        "data": (
            "`module:attr`, such as `project:build_data`, or a section `{factory, args, batch_size, ...}`",
            "Returns (train, validation) or (train, validation, test): data sets, data loaders or pairs of arrays.",
        ),
        "data.factory": (
            "`module:attr`, such as `project:build_data`",
            "A function that returns (train, validation) or (train, validation, test).",
        ),
        "data.args": (_ARGS, "Keyword arguments for the factory."),
        "data.batch_size": (_WHOLE, "Rows per batch; a DataLoader's own setting wins."),
        "data.shuffle": (_BOOL, "Whether training rows are shuffled every epoch."),
        "data.workers": ("a whole number of at least 0", "Processes that load data."),
        "data.plain_args": (_ARGS, "The arguments that turn augmentation off."),
        "data.paths": ("a list of folders such as `[/data/mnist]`", "Folders outside the source that the data needs."),
        "data.paths.*": ("the path of a folder", "A folder outside the source that the data needs."),
        "loss": (
            "a built-in name such as `cross_entropy`, `module:attr`, or a section `{name, args}` or `{factory, args}`",
            "Called as loss(output, target), built first if it is a class; inferred when left out.",
        ),
        "loss.name": ("a function of torch.nn.functional such as `cross_entropy`, or `focal_loss`", "A built-in loss."),
        "loss.factory": (
            "`module:attr`, such as `project:my_loss`",
            "A loss of your own, or a class such as torch.nn:BCEWithLogitsLoss.",
        ),
        "loss.args": (_ARGS, "Keyword arguments for the loss."),
        "optimizer": (
            "a built-in name such as `adam`, or a section such as `{name: adam, lr: 1e-3}`",
            "A class of torch.optim, or a factory of your own: (model, lr, weight_decay) -> Optimizer.",
        ),
        "optimizer.name": (
            "a class of torch.optim in lower case, such as `adamw`",
            "A class of torch.optim in lower case.",
        ),
        "optimizer.factory": (
            "`module:attr`, such as `project:build_optimizer`",
            "(model, lr, weight_decay) -> Optimizer.",
        ),
        "optimizer.lr": (_ABOVE_0, "The learning rate."),
        "optimizer.weight_decay": ("a number of at least 0", "The weight decay."),
        "optimizer.momentum": (_SHARE, "The momentum; the optimizer's own default when left out."),
        "optimizer.args": (_ARGS, "Further keyword arguments of the optimizer, such as `{nesterov: true}`."),
        "optimizer.groups": (
            'a list such as `[{match: "backbone.*", lr_scale: 0.1}]`',
            "Parameters with a learning rate of their own.",
        ),
        "optimizer.groups.*": (
            'a section such as `{match: "backbone.*", lr_scale: 0.1}`',
            "Parameters with a learning rate of their own.",
        ),
        "optimizer.groups.*.match": (
            'a pattern of parameter names such as `"backbone.*"`',
            "Which parameters: a shell-style pattern of their names.",
        ),
        "optimizer.groups.*.lr_scale": (_ABOVE_0, "Times the learning rate of the rest."),
        "optimizer.groups.*.frozen_epochs": (
            "a whole number of at least 0",
            "Epochs for which these parameters do not move.",
        ),
        "scheduler": (
            "a built-in name such as `cosine`, or a section such as `{name: cosine, warmup: 0.05}`",
            "How the learning rate moves in your real run; steps 1 to 5 do not decay.",
        ),
        "scheduler.name": (
            f"{_one_of(*SCHEDULER_ALIASES)}, or a class of torch.optim.lr_scheduler",
            "A built-in name, or a class of torch.optim.lr_scheduler that is built from numbers.",
        ),
        "scheduler.interval": (_one_of("epoch", "step"), "When the scheduler moves."),
        "scheduler.args": (_ARGS, "Keyword arguments of the scheduler, such as `{step_size: 5}`."),
        "scheduler.warmup": (_SHARE, "Share of the run in which the learning rate rises from 0."),
        "epochs": (_WHOLE, "How long your real run trains; 10 when neither epochs nor steps are given."),
        "steps": (_WHOLE, "How many optimizer updates your real run makes, instead of epochs."),
        "early_stopping": ("a section such as `{patience: 5}`", "Stop when the metric has not improved for a while."),
        "early_stopping.patience": (_WHOLE, "Epochs without improvement before stopping."),
        "early_stopping.metric": ("the name of a metric", "Which metric is watched."),
        "early_stopping.restore_best": (_BOOL, "Whether the best weights are put back."),
        "gradient_clip_norm": (_ABOVE_0, "The largest norm of the gradient."),
        "accumulate_batches": (_WHOLE, "Batches whose gradients are added up before an update."),
        "ema": (
            "a section such as `{decay: 0.999}`",
            "Exponential moving average of the weights, evaluated in place of the raw ones.",
        ),
        "ema.decay": ("a number between 0 and 1, such as 0.999", "How much of the average stays at an update."),
        "ema.update_every": (_WHOLE, "Updates between two updates of the average."),
        "precision": (_one_of("float32", "bfloat16", "float16"), "The precision of the forward pass."),
        "device": ("`auto`, `cpu`, `cuda` or `cuda:0`", "Where to train."),
        "seed": ("a whole number from 0 to 4294967295", "The first seed; others count on from it."),
        "task": (_one_of(*TASKS), "What the model is asked to do; inferred when left out."),
        "metric": (
            "a built-in name such as `accuracy`, or a section `{factory, higher_is_better}`",
            "How models are compared; by task when left out.",
        ),
        "metric.name": ("a built-in name such as `accuracy`", "A built-in metric."),
        "metric.factory": ("`module:attr`, such as `project:dice`", "Called as metric(outputs, targets) -> float."),
        "metric.args": (_ARGS, "Keyword arguments for the metric."),
        "metric.higher_is_better": (_BOOL, "Whether more of it is better."),
        "step": (
            "`module:attr`, such as `project:training_step`",
            "(model, batch) -> loss, instead of loss(model(x), y).",
        ),
        "loop": (
            "`module:attr`, such as `project:train_one_epoch`",
            "(model, optimizer, batches) -> None: your own epoch, to be audited.",
        ),
        "evaluate": (
            "`module:attr`, such as `project:evaluate`",
            "(model, batches) -> dict[str, float]: your own evaluation, to be audited.",
        ),
        "search": (
            "a section of dotted keys such as `optimizer.lr: {range: [1e-5, 1e-1], scale: log}`",
            "What the searches vary; learning rate and weight decay when left out.",
        ),
        "search.*": ("`{range: [low, high], scale: log}` or `{values: [a, b]}`", "The values to search."),
        "search.*.range": ("two numbers such as `[1e-5, 1e-1]`", "The lowest and the highest value."),
        "search.*.scale": (
            _one_of("log", "linear", "one_minus_log", "int"),
            "How values are spread: `log` for a learning rate, `one_minus_log` for a momentum, `int` for sizes.",
        ),
        "search.*.values": ("a list such as `[0.1, 0.2]`", "Values to try."),
        "protocol": ("a section such as `{preset: quick}`", "How much is done."),
        "protocol.preset": (_one_of("quick", "standard", "thorough"), "How much is done."),
        "protocol.seeds": ("a whole number from 1 to 20", "Over how many seeds results are compared."),
        "budget": ("a section such as `{minutes: 10}`", "Wall time for the whole diagnosis."),
        "budget.minutes": (_ABOVE_0, "Wall time for the whole diagnosis."),
        "rules": ("a section such as `{ignore: [{rule: ..., reason: ...}]}`", "What the judge leaves out."),
        "rules.ignore": (
            "a list such as `[{rule: dropout-too-high, reason: it is meant so}]`",
            "Findings that you accept.",
        ),
        "rules.ignore.*": (
            "a section such as `{rule: dropout-too-high, reason: it is meant so}`",
            "A finding that you accept.",
        ),
        "rules.ignore.*.rule": ("the id of a rule (`diagnoser rules` lists them)", "The rule's id."),
        "rules.ignore.*.reason": ("a text that says why it is accepted", "Why it is accepted; printed in the report."),
        "rules.ignore.*.expires": ("a date such as 2027-01-31", "The last day on which it is accepted."),
        "gate": ("a section such as `{fail_on: error}`", "What makes `diagnoser check` fail."),
        "gate.mode": (
            _one_of("new", "all", "report-only"),
            "Which findings count: those that the baseline has not, all, or none.",
        ),
        "gate.fail_on": (_one_of("error", "warning", "never"), "The lowest severity that fails."),
        "gate.min_confidence": (_one_of("high", "medium", "low"), "The lowest confidence that fails."),
        "environment": (
            "a list of names such as `[DATA_ROOT]`",
            "Environment variables that your code may see in the service.",
        ),
        "environment.*": (
            "the name of an environment variable",
            "An environment variable that your code may see in the service.",
        ),
    }
)

WHOLE_SPEC = (
    "Three lines are enough: `model: project:build_model`, `data: project:build_data` and `loss: cross_entropy`; "
    "`diagnoser init` writes a file to start from"
)


def found(value: Any) -> str:
    """Say what stands there."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        shown = value if len(value) <= LONGEST_QUOTE else f"{value[:LONGEST_QUOTE]}..."
        return f"the text {quoted(shown)}" if value else "an empty text"
    if isinstance(value, (int, float)):
        return str(value)[:LONGEST_QUOTE]
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, Mapping):
        keys = ", ".join(f"`{key}`" for key in list(value)[:3])
        return f"a section with {keys}{', ...' if len(value) > 3 else ''}" if value else "an empty section"
    return f"an object of class {type(value).__name__}"


def quoted(text: str) -> str:
    """Quote a user's text."""
    return '"' + text.replace('"', "'") + '"'
