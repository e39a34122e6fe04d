"""What is wrong with a unified spec that its types cannot say? Names, references, search ranges, contradictions."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from diagnoser.errors import SpecError
from diagnoser.spec import names
from diagnoser.spec.fields import Range, TrainingSpec
from diagnoser.spec.hints import hint_for, section_at
from diagnoser.spec.names import did_you_mean
from diagnoser.spec.references import check_syntax
from diagnoser.spec.spelling import REFERENCES
from diagnoser.spec.words import FIELDS, found, quoted
from diagnoser.spec.yaml_text import KeyPath

Report = Callable[[KeyPath, str, str | None], None]  # unified path, message, hint

FACTORIES: tuple[tuple[KeyPath, str], ...] = (
    (("model", "factory"), "project:build_model"),
    (("data", "factory"), "project:build_data"),
    (("loss", "factory"), "project:my_loss"),
    (("optimizer", "factory"), "project:build_optimizer"),
    (("metric", "factory"), "project:my_metric"),
    (("step",), "project:training_step"),
    (("loop",), "project:train_one_epoch"),
    (("evaluate",), "project:evaluate"),
)
SCALES = ("log", "linear", "one_minus_log", "int")
NOT_SEARCHED = (
    "name",
    "seed",
    "device",
    "search",
    "protocol",
    "budget",
    "rules",
    "gate",
    "environment",
    "task",
    "metric",
)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(values: Mapping[str, Any], report: Report) -> None:
    """Report all that can be said before the types are checked; tolerant of any type."""
    for path, example in FACTORIES:
        reference = at(values, path)
        problem = check_syntax(reference, example=example) if isinstance(reference, str) else None
        if problem is not None:
            report(path, *problem)
    _check_names(values, report)
    _check_choices(values, report)
    _check_search(values.get("search"), report)
    _check_lists(values, report)


def at(values: Any, path: KeyPath) -> Any:
    """Return what stands at a path, None where nothing does."""
    for part in path:
        if isinstance(values, Mapping):
            values = values.get(part)
        elif isinstance(values, (list, tuple)) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            return None
    return values


def _check_names(values: Mapping[str, Any], report: Report) -> None:
    loss, optimizer = at(values, ("loss", "name")), at(values, ("optimizer", "name"))
    scheduler, metric = at(values, ("scheduler", "name")), at(values, ("metric", "name"))
    if isinstance(loss, str) and loss in names.LOSSES_WITH_MORE_INPUTS:
        hint = "write a `step`: (model, batch) -> loss"
        report(("loss", "name"), f"`{loss}` needs more than an output and a target", hint)
    else:
        _check_name(("loss", "name"), loss, names.LOSSES, "a loss of your own is written `module:attr`", report)
    _check_name(
        ("optimizer", "name"),
        optimizer,
        names.OPTIMIZERS,
        "one of your own is `{factory: module:attr, lr: ...}`",
        report,
    )
    if isinstance(scheduler, str) and scheduler in names.SCHEDULERS_WITH_CODE:
        hint = "choose a scheduler that is built from numbers, such as `one_cycle`"
        report(("scheduler", "name"), f"`{scheduler}` needs code of yours, which a spec cannot hold", hint)
    else:
        _check_name(("scheduler", "name"), scheduler, names.SCHEDULERS, None, report)
    _check_name(
        ("metric", "name"),
        metric,
        names.METRICS,
        "one of your own is `{factory: module:attr, higher_is_better: true}`",
        report,
    )


def _check_name(path: KeyPath, name: Any, known: Iterable[str], otherwise: str | None, report: Report) -> None:
    if not isinstance(name, str) or name in known:
        return
    hint = did_you_mean(name, known) or otherwise
    if hint is None:
        hint = f"it knows {', '.join(known)}"
    report(path, f"expected {FIELDS['.'.join(map(str, path))][0]}, found {quoted(name)}", hint)


def _check_choices(values: Mapping[str, Any], report: Report) -> None:
    """Contradictions: two keys of which one must go."""
    for section, example in (("loss", "{name: cross_entropy}"), ("metric", "{name: accuracy}")):
        given = values.get(section)
        if isinstance(given, Mapping):
            if given.get("name") is not None and given.get("factory") is not None:
                report((section, "factory"), "`name` and `factory` both say which one is used", "keep one of them")
            elif given.get("name") is None and given.get("factory") is None:
                report((section,), f"expected {FIELDS[section][0]}, found {found(given)}", f"for example `{example}`")
    optimizer = values.get("optimizer")
    if isinstance(optimizer, Mapping) and optimizer.get("factory") is not None:
        for key, why in (
            ("groups", "your factory makes the parameter groups itself"),
            ("momentum", "your factory is called with (model, lr, weight_decay)"),
            ("name", "your factory chooses the optimizer itself"),
        ):
            if optimizer.get(key):
                report(("optimizer", key), f"`{key}` has no effect beside `factory`: {why}", "keep one of the two")


def _check_lists(values: Mapping[str, Any], report: Report) -> None:
    ignored = at(values, ("rules", "ignore"))
    for index, item in enumerate(ignored if isinstance(ignored, list) else ()):
        path = ("rules", "ignore", index)
        expires = at(item, ("expires",))
        if isinstance(expires, str) and not _is_date(expires):
            report((*path, "expires"), f"expected a date such as 2027-01-31, found {quoted(expires)}", None)
        if isinstance(item, str):
            example = f"`{{rule: {item}, reason: why it is accepted}}`"
            report(path, f"expected {FIELDS['rules.ignore.*'][0]}, found {found(item)}", f"write {example}")
    environment = values.get("environment")
    if isinstance(environment, Mapping):
        message = "expected a list of names: the values are set where the code runs, and stand in no spec"
        report(("environment",), message, f"write `[{', '.join(str(name) for name in environment)}]`")
    for index, name in enumerate(environment if isinstance(environment, list) else ()):
        if isinstance(name, str) and not VARIABLE.fullmatch(name):
            hint = f"write `{name.partition('=')[0]}`; its value is set where the code runs" if "=" in name else None
            report(("environment", index), f"expected the name of an environment variable, found {quoted(name)}", hint)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# --- search ----------------------------------------------------------------------------------------------------------


def _check_search(search: Any, report: Report) -> None:
    if not isinstance(search, Mapping):
        return
    for key, wanted in search.items():
        path: KeyPath = ("search", key)
        if not _is_searchable(key):
            _unknown_search_key(key, wanted, report)
        elif not isinstance(wanted, Mapping):
            hint = None
            if isinstance(wanted, list) and wanted:
                both = f"{{range: {_flow(wanted)}, scale: log}}` or `" if len(wanted) == 2 else ""
                hint = f"write `{both}{{values: {_flow(wanted)}}}`"
            report(path, f"expected {FIELDS['search.*'][0]}, found {found(wanted)}", hint)
        elif ("range" in wanted) == ("values" in wanted):
            report(path, f"expected either `range` or `values`, found {found(wanted)}", None)
        elif "values" in wanted:
            _check_values(path, wanted, report)
        else:
            _check_range(path, wanted, report)


def _flow(values: list[Any]) -> str:
    return f"[{', '.join(str(value) for value in values[:4])}{', ...' if len(values) > 4 else ''}]"


def _is_searchable(key: str) -> bool:
    parts = key.split(".")
    if parts[0] in NOT_SEARCHED or parts[0] in REFERENCES:
        return False
    for index, part in enumerate(parts):
        section = section_at(tuple(parts[:index]))
        if section is None or part not in section.model_fields:
            return False
        if part in {"args", "plain_args"}:
            return index < len(parts) - 1
    return section_at(tuple(parts)) is None and parts[-1] not in {"factory", "groups", "paths"}


def _unknown_search_key(key: str, wanted: Any, report: Report) -> None:
    parts = tuple(key.split("."))
    hint = None
    if isinstance(wanted, Mapping) and wanted and not {"range", "values"} & set(wanted):
        inner = next(iter(wanted))
        if _is_searchable(f"{key}.{inner}"):
            hint = f"write the key with a dot: `{key}.{inner}`"
    if parts[0] in NOT_SEARCHED or parts[0] in REFERENCES:
        hint = "it changes how things are measured, not how the model trains" if parts[0] in NOT_SEARCHED else None
    hint = hint or hint_for(parts)
    message = f"expected a key of this spec such as `optimizer.lr` or `model.args.width`, found `{key}`"
    report(("search", key), message, hint)


def _check_values(path: KeyPath, wanted: Mapping[str, Any], report: Report) -> None:
    for extra in sorted(set(wanted) - {"values"}):
        report((*path, extra), f"`{extra}` has no meaning beside `values`", "remove it")
    if not isinstance(wanted["values"], list) or not wanted["values"]:
        report((*path, "values"), f"expected a list such as `[0.1, 0.2]`, found {found(wanted['values'])}", None)


def _check_range(path: KeyPath, wanted: Mapping[str, Any], report: Report) -> None:
    limits, scale = wanted["range"], wanted.get("scale", "linear")
    for extra in sorted(set(wanted) - {"range", "scale"}):
        report(
            (*path, extra), "is not a key of a range, which knows `range` and `scale`", did_you_mean(extra, ("scale",))
        )
    if not isinstance(scale, str) or scale not in SCALES:
        hint = did_you_mean(scale, SCALES) if isinstance(scale, str) else None
        report((*path, "scale"), f"expected `log`, `linear`, `one_minus_log` or `int`, found {found(scale)}", hint)
        return
    here = (*path, "range")
    if not (isinstance(limits, list) and len(limits) == 2 and all(_is_number(limit) for limit in limits)):
        report(here, f"expected two numbers such as `[1e-5, 1e-1]`, found {found(limits)}", None)
        return
    low, high = limits
    if not low < high:
        report(
            here,
            f"expected the lower end first, found [{low}, {high}]",
            f"write `[{high}, {low}]`" if high < low else None,
        )
    elif scale == "log" and low <= 0:
        report(
            here,
            f"expected numbers above 0 on a log scale, found [{low}, {high}]",
            "begin above 0, or use `scale: linear`",
        )
    elif scale == "one_minus_log" and not 0 <= low < high < 1:
        report(
            here,
            f"expected numbers from 0 up to, but not including, 1, found [{low}, {high}]",
            "for a momentum: `[0.5, 0.999]`",
        )
    elif scale == "int" and not (float(low).is_integer() and float(high).is_integer()):
        report(here, f"expected whole numbers, found [{low}, {high}]", None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


def check_search_values(spec: TrainingSpec, report: Report) -> None:
    """Try every end and every value of the search in the spec itself."""
    from diagnoser.spec.patching import apply_changes  # which itself checks what it makes

    for key, wanted in spec.search.items():
        whole = isinstance(wanted, Range) and wanted.scale == "int"
        limits = wanted.range if isinstance(wanted, Range) else wanted.values
        part = "range" if isinstance(wanted, Range) else "values"
        for limit in limits:
            value = int(limit) if whole and isinstance(limit, float) else limit
            try:
                apply_changes(spec, {key: value})
            except SpecError as error:
                message = error.problems[0].message
                hint = "use `scale: int`" if "whole number" in message and part == "range" and not whole else None
                report(("search", key, part), f"`{key}`: {message}", hint)
                break
