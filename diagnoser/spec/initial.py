"""What would a first `diagnose.yaml` for this folder be? A commented file that `diagnoser init` writes."""

from pathlib import Path

from diagnoser.spec.editing import write_value
from diagnoser.spec.looking import Findings, Found, look


def initial_spec(folder: Path) -> str:
    """Write a commented spec for a folder; what was not found says what to write."""
    return _written(look(Path(folder)), name=Path(folder).resolve().name or "training")


_HEAD = """\
# What to diagnose. Every key: `diagnoser schema`; is it in order: `diagnoser validate`; go: `diagnoser run`.
# Code is named as `module:attr`, found from this folder. Nothing in it was run to write this file."""

_LENGTH = """\
# How long your real run trains: epochs, or `steps` (optimizer updates).
epochs: 10

# scheduler: {name: cosine, warmup: 0.05}   # cosine, step, exponential, plateau, one_cycle, linear
# gradient_clip_norm: 1.0
# task: classification   # binary, multilabel, regression, language_model, custom; inferred when left out"""

_FOOT = """\
# How much is done (quick, standard, thorough) and how long it may take.
protocol: {preset: standard}
budget: {minutes: 10}"""

_MODEL = "The model: called afresh for every trial, without arguments; returns a torch.nn.Module."
_DATA = """The data: returns (train, validation) or (train, validation, test); each a Dataset, a
# DataLoader or a pair of arrays (inputs, targets)."""
_OPTIMIZER = (
    "# The optimizer that you train with: name (a class of torch.optim), learning rate, weight decay, momentum."
)
_LOOP = "Your own training epoch, (model, optimizer, batches) -> None: audited for mistakes."
_EVALUATE = "Your own evaluation, (model, batches) -> dict[str, float]: audited for mistakes."


def _written(findings: Findings, *, name: str) -> str:
    step = findings.best("step")
    build = "write a function that returns a fresh model, and name it here"
    load = "write a function that returns (train, validation), and name it here"
    paragraphs = (
        [_HEAD],
        [f"name: {write_value(name)}"],
        _key(findings, "model", _MODEL, missing="project:build_model", advice=build),
        [*_key(findings, "data", _DATA, missing="project:build_data", advice=load), _batch_size(findings)],
        _loss(findings) if step is None else _step(step),
        [_OPTIMIZER, _optimizer(findings)],
        [_LENGTH],
        _audited(findings, "loop", _LOOP),
        _audited(findings, "evaluate", _EVALUATE),
        [_FOOT],
    )
    return "\n\n".join("\n".join(lines) for lines in paragraphs) + "\n"


def _key(findings: Findings, key: str, comment: str, *, missing: str, advice: str) -> list[str]:
    best = findings.best(key)
    lines = [f"# {comment}"]
    if best is None and findings.near.get(key):
        best = findings.near[key][0]
        args = ", ".join(f"{name}: ..." for name in best.needs)
        lines.append(f"# It needs arguments: {key}: {{factory: {best.reference}, args: {{{args}}}}}")
        return [*lines, f"{key}: {best.reference}  # {best.place}"]
    if best is None:
        return [*lines, f"# Nothing like it was found: {advice}.", f"{key}: {missing}"]
    others = findings.others(key)
    if others:
        lines.append(f"# Also found: {', '.join(f'{other.reference} ({other.place})' for other in others)}")
    return [*lines, f"{key}: {best.reference}  # {best.place}"]


def _step(step: Found) -> list[str]:
    return [
        "# Your own loss of a batch, (model, batch) -> loss, in place of `loss`.",
        f"step: {step.reference}  # {step.place}",
    ]


def _loss(findings: Findings) -> list[str]:
    lines = ["# The loss: a function of torch.nn.functional, or one of your own, called as loss(output, target)."]
    best = findings.best("loss")
    if best is not None:
        return [*lines, f"loss: {best.reference}  # {best.place}"]
    if findings.losses:
        name, place = findings.losses[0]
        return [*lines, f"loss: {name}  # used at {place}"]
    return [*lines, "# Left out, it is inferred from the model's output and the targets.", "# loss: cross_entropy"]


def _optimizer(findings: Findings) -> str:
    if not findings.optimizers:
        return "optimizer: {name: adam, lr: 1e-3, weight_decay: 0}"
    settings, place = findings.optimizers[0]
    return f"optimizer: {write_value(settings)}  # as at {place}"


def _batch_size(findings: Findings) -> str:
    best = findings.best("data")
    reference = "project:build_data" if best is None else best.reference
    size, place = findings.batch_sizes[0] if findings.batch_sizes else (32, "")
    line = f"# With settings: data: {{factory: {reference}, args: {{}}, batch_size: {size}, shuffle: true}}"
    return f"{line}  # batch size as at {place}" if place else line


def _audited(findings: Findings, key: str, comment: str) -> list[str]:
    best = findings.best(key)
    near = findings.near.get(key, ())
    if best is None and near:
        return [
            f"# {comment}",
            f"# {near[0].reference} ({near[0].place}) takes other arguments; wrap it to name it here.",
            "",
        ]
    if best is None:
        return [f"# {comment}", f"# {key}: project:{'train_one_epoch' if key == 'loop' else 'evaluate'}"]
    return [f"# {comment}", f"{key}: {best.reference}  # {best.place}"]
