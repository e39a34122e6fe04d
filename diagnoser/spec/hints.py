"""What did the user mean by a key that a spec does not have?"""

from collections.abc import Mapping
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin

from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.names import nearest, plain
from diagnoser.spec.yaml_text import KeyPath, dotted

# What other tools call it -> where it stands here. Compared without case, blanks, dashes and underscores.
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "learningrate": "optimizer.lr",
        "alpha": "optimizer.lr",
        "lr0": "optimizer.lr",
        "baselr": "optimizer.lr",
        "initiallr": "optimizer.lr",
        "maxlr": "optimizer.lr",
        "wd": "optimizer.weight_decay",
        "decay": "optimizer.weight_decay",
        "l2": "optimizer.weight_decay",
        "regularisation": "optimizer.weight_decay",
        "regularization": "optimizer.weight_decay",
        "parametergroups": "optimizer.groups",
        "paramgroups": "optimizer.groups",
        "optim": "optimizer",
        "optimiser": "optimizer",
        "lrscheduler": "scheduler",
        "schedule": "scheduler",
        "lrschedule": "scheduler",
        "warmupratio": "scheduler.warmup",
        "warmupsteps": "scheduler.warmup",
        "criterion": "loss",
        "lossfn": "loss",
        "lossfunction": "loss",
        "objective": "loss",
        "maxepochs": "epochs",
        "numepochs": "epochs",
        "nepochs": "epochs",
        "epoch": "epochs",
        "numtrainepochs": "epochs",
        "maxsteps": "steps",
        "numsteps": "steps",
        "iterations": "steps",
        "maxiterations": "steps",
        "updates": "steps",
        "dataset": "data",
        "datasets": "data",
        "dataloader": "data",
        "datamodule": "data",
        "network": "model",
        "net": "model",
        "module": "model",
        "bs": "data.batch_size",
        "batch": "data.batch_size",
        "trainbatchsize": "data.batch_size",
        "perdevicetrainbatchsize": "data.batch_size",
        "numworkers": "data.workers",
        "clip": "gradient_clip_norm",
        "clipgradnorm": "gradient_clip_norm",
        "gradclip": "gradient_clip_norm",
        "gradclipnorm": "gradient_clip_norm",
        "gradientclip": "gradient_clip_norm",
        "gradientclipval": "gradient_clip_norm",
        "maxgradnorm": "gradient_clip_norm",
        "clipnorm": "gradient_clip_norm",
        "accumulategradbatches": "accumulate_batches",
        "gradientaccumulationsteps": "accumulate_batches",
        "gradaccum": "accumulate_batches",
        "amp": "precision",
        "dtype": "precision",
        "fp16": "precision",
        "bf16": "precision",
        "randomseed": "seed",
        "metrics": "metric",
        "trainingstep": "step",
        "trainstep": "step",
        "trainloop": "loop",
        "trainer": "loop",
        "validate": "evaluate",
        "gpu": "device",
        "accelerator": "device",
        "env": "environment",
        "seeds": "protocol.seeds",
        "preset": "protocol.preset",
        "minutes": "budget.minutes",
        "time": "budget.minutes",
        "timelimit": "budget.minutes",
        "ignore": "rules.ignore",
        "hyperparameters": "search",
        "searchspace": "search",
    }
)

# Other words for keys inside any section.
_INSIDE: Mapping[str, str] = MappingProxyType(
    {
        "type": "name",
        "class": "name",
        "kind": "name",
        "fn": "factory",
        "function": "factory",
        "callable": "factory",
        "target": "factory",
        "kwargs": "args",
        "params": "args",
        "parameters": "args",
        "arguments": "args",
        "options": "args",
        "learningrate": "lr",
        "wd": "weight_decay",
        "bs": "batch_size",
        "numworkers": "workers",
        "min": "range",
        "max": "range",
        "choices": "values",
        "until": "expires",
        "because": "reason",
        "id": "rule",
        "beta": "decay",
        "time": "minutes",
    }
)


def section_at(path: KeyPath) -> type[Record] | None:
    """Return the record that stands at a path, or None for scalars, `args` and what no spec has."""
    here: type[Record] | None = TrainingSpec
    for part in path:
        if here is None:
            return None
        if isinstance(part, int):
            continue
        field = here.model_fields.get(part)
        here = None if field is None else _record_in(field.annotation)
    return here


def _record_in(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    if get_origin(annotation) in {Union, UnionType, tuple}:
        return next((record for part in get_args(annotation) if (record := _record_in(part)) is not None), None)
    return None


def hint_for(path: KeyPath) -> str | None:
    """Say where the key stands, or which one was meant."""
    *parents, last = path
    name = str(last)
    section = section_at(tuple(parents))
    known = () if section is None else tuple(section.model_fields)
    if not parents:
        target = _ELSEWHERE.get(plain(name)) or _moved(name) or nearest(name, known)
        return None if target is None else f"did you mean `{target}`?"
    inside = _INSIDE.get(plain(name))
    if inside in known:
        return f"did you mean `{dotted((*parents, inside))}`?"
    close = nearest(name, known)
    if close is not None:
        return f"did you mean `{dotted((*parents, close))}`?"
    top = _ELSEWHERE.get(plain(name)) or (name if name in TrainingSpec.model_fields else None)
    if top is not None and not top.startswith(f"{parents[0]}."):
        return f"`{top}` stands at the top level" if "." not in top else f"did you mean `{top}`?"
    if "args" in known:
        return f"arguments of its own go under `{dotted((*parents, 'args'))}`"
    return f"`{dotted(tuple(parents))}` knows {', '.join(f'`{key}`' for key in known)}" if known else None


def _moved(name: str) -> str | None:
    """Find the one section that has this key."""
    wanted = plain(name)
    homes = [
        f"{section}.{key}"
        for section in (
            "optimizer",
            "data",
            "scheduler",
            "early_stopping",
            "ema",
            "protocol",
            "budget",
            "rules",
            "gate",
        )
        for key in (section_at((section,)) or TrainingSpec).model_fields
        if plain(key) == wanted and key not in {"name", "factory", "args"}
    ]
    return homes[0] if homes and wanted not in {plain(key) for key in TrainingSpec.model_fields} else None
