"""Which spellings of a section mean the same? Everything that a user may write, turned into the shape of the records.

`origins` remembers where each unified key was written, so that errors and patches speak of the user's own text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from diagnoser.records import Record
from diagnoser.spec import fields
from diagnoser.spec.names import METRIC_HIGHER_IS_BETTER, OPTIMIZER_CLASSES, SCHEDULERS, plain
from diagnoser.spec.yaml_text import KeyPath

# Sections that may be a single word, and what the word is then.
CALLABLE_SECTIONS: Mapping[str, type[Record]] = MappingProxyType(
    {
        "model": fields.Factory,
        "data": fields.Data,
        "loss": fields.Loss,
        "optimizer": fields.Optimizer,
        "scheduler": fields.Scheduler,
        "metric": fields.Metric,
    }
)
FACTORY_ONLY = ("model", "data")
REFERENCES = ("step", "loop", "evaluate")  # a `module:attr` and nothing else

_HYDRA = ("_partial_", "_recursive_", "_convert_", "_args_")  # how Hydra builds an object; we always build afresh
_LIFTED = MappingProxyType({"optimizer": ("lr", "weight_decay", "momentum")})  # arguments that are keys of ours
# A class of torch that has a built-in name; given by its path it is the same.
_TORCH = MappingProxyType(
    {
        "optimizer": "torch.optim",
        "scheduler": "torch.optim.lr_scheduler",
        "loss": "torch.nn.functional",
    }
)


@dataclass
class Unified:
    """The mapping in the shape of the records, and where each of its keys was written when that is elsewhere."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)
    problems: list[tuple[KeyPath, str, str | None]] = field(default_factory=list)  # as written; message, hint

    def written(self, path: KeyPath) -> KeyPath:
        """Return where a unified key stands in the user's text."""
        for cut in range(len(path), 0, -1):
            origin = self.origins.get(path[:cut])
            if origin is not None:
                return (*origin, *path[cut:])
        return path


def unify(raw: Mapping[str, Any]) -> Unified:
    """Unify a whole spec; what is not understood is left as it is, for validation to name."""
    out = Unified()
    for key, value in raw.items():
        if key in CALLABLE_SECTIONS:
            out.values[key] = _section(key, value, out)
        elif value is not None:  # `scheduler:` with nothing behind it is as good as not written
            out.values[key] = value
    for key in CALLABLE_SECTIONS:
        if out.values.get(key, ...) is None:
            del out.values[key]
    return out


def _section(section: str, value: Any, out: Unified) -> Any:
    if isinstance(value, str):
        kind = "factory" if section in FACTORY_ONLY or ":" in value else "name"
        out.origins[(section, kind)] = (section,)
        return _named(section, {kind: value}, out)
    if not isinstance(value, Mapping):
        return value
    spelled = [key for key in ("factory", "class_path", "_target_") if key in value]
    if len(spelled) > 1:
        message = f"`{spelled[0]}` and `{spelled[1]}` say the same thing"
        out.problems.append(((section, spelled[1]), message, "keep one of them"))
    if "_target_" in value:
        return _named(section, _hydra(section, value, out), out)
    if "class_path" in value:
        return _named(section, _lightning(section, value, out), out)
    section_values = {key: item for key, item in value.items() if not (key == "args" and item is None)}
    name = section_values.get("name")
    if section != "scheduler" and isinstance(name, str) and ":" in name and "factory" not in section_values:
        section_values["factory"] = section_values.pop("name")
        out.origins[(section, "factory")] = (section, "name")
    return _named(section, section_values, out)


def _hydra(section: str, value: Mapping[str, Any], out: Unified) -> dict[str, Any]:
    """`{_target_: pkg.mod.Class, **arguments}`: what the section knows is its own, the rest are arguments."""
    known = CALLABLE_SECTIONS[section].model_fields
    result: dict[str, Any] = {"factory": reference_of(value["_target_"])}
    arguments: dict[str, Any] = {}
    out.origins[(section, "factory")] = (section, "_target_")
    out.origins[(section, "args")] = (section,)
    for key, item in value.items():
        if key == "_target_" or key in _HYDRA:
            continue
        if key in known and key not in {"factory", "name"}:
            result[key] = item
        else:
            arguments[key] = item
    if "args" in result:
        out.origins[(section, "args")] = (section, "args")
        for key in arguments:
            out.origins[(section, "args", key)] = (section, key)
    given = result.get("args")
    if arguments and (given is None or isinstance(given, Mapping)):
        result["args"] = {**arguments, **(given or {})}
    return result


def _lightning(section: str, value: Mapping[str, Any], out: Unified) -> dict[str, Any]:
    """`{class_path: pkg.mod.Class, init_args: {...}}`."""
    result = {key: item for key, item in value.items() if key not in {"class_path", "init_args"}}
    result["factory"] = reference_of(value["class_path"])
    out.origins[(section, "factory")] = (section, "class_path")
    if value.get("init_args") is not None:
        if "args" in result:
            message = "`args` and `init_args` say the same thing"
            out.problems.append(((section, "init_args"), message, "keep one of them"))
        else:
            result["args"] = value["init_args"]
            out.origins[(section, "args")] = (section, "init_args")
    return result


def _named(section: str, values: dict[str, Any], out: Unified) -> dict[str, Any]:
    """Turn what torch itself offers into its built-in name, however it was written."""
    builtin = _builtin_of(section, values.get("factory"))
    if builtin is not None:
        del values["factory"]
        values["name"] = builtin
        out.origins[(section, "name")] = out.origins.pop((section, "factory"), (section, "factory"))
        _lift(section, values, out)
    name = values.get("name")
    if section == "optimizer" and isinstance(name, str) and name.lower() in OPTIMIZER_CLASSES:
        values["name"] = name.lower()  # `Adam`, as the class is written
    if section == "metric" and isinstance(name, str) and name in METRIC_HIGHER_IS_BETTER:
        values.setdefault("higher_is_better", METRIC_HIGHER_IS_BETTER[name])
    return values


def _lift(section: str, values: dict[str, Any], out: Unified) -> None:
    """`init_args: {lr: 0.1}` of an optimizer of torch is our `lr`."""
    arguments = values.get("args")
    if not isinstance(arguments, Mapping):
        return
    rest = dict(arguments)
    for key in _LIFTED.get(section, ()):
        if key in rest and key not in values:
            out.origins[(section, key)] = out.written((section, "args", key))
            values[key] = rest.pop(key)
    values["args"] = rest


def _builtin_of(section: str, factory: Any) -> str | None:
    """`torch.optim:AdamW`, `torch.optim.adamw:AdamW` -> `adamw`; None for anything that is not torch's own."""
    home = _TORCH.get(section)
    if home is None or not isinstance(factory, str):
        return None
    module, _, attribute = factory.partition(":")
    if section == "optimizer":
        ours = plain(attribute)
        inside = module == home or (module.startswith(f"{home}.") and "lr_scheduler" not in module)
        return ours if inside and ours in OPTIMIZER_CLASSES else None
    if module != home or (section == "scheduler" and attribute not in SCHEDULERS):
        return None
    return attribute


def reference_of(path: Any) -> Any:
    """`pkg.mod.Class` -> `pkg.mod:Class`; `pkg.mod.Class.make` -> `pkg.mod:Class.make`."""
    if not isinstance(path, str) or ":" in path or "." not in path:
        return path
    parts = path.split(".")
    first_class = next((index for index, part in enumerate(parts[:-1]) if index and part[:1].isupper()), len(parts) - 1)
    return f"{'.'.join(parts[:first_class])}:{'.'.join(parts[first_class:])}"
