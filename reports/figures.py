"""Which charts does each step have? Evidence in, charts out; each caption is what the chart shows."""

import math
from collections.abc import Iterator
from statistics import median

from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import (
    CurveRun,
    Curves,
    InitialLoss,
    LrScan,
    Overfit,
    Search,
    SmallSetAttempt,
    Steps,
    Treatments,
)
from reports.charts import Chart, Line, Series
from reports.numbers import number, plural

MOST_ATTEMPTS = 10
MOST_LAYERS = 6


def of_step(name: str, steps: Steps) -> tuple[Chart, ...]:
    """The charts of one step; none when it was not measured or has nothing to draw."""
    outcome = getattr(steps, name)
    if not isinstance(outcome, Measured):
        return ()
    match outcome.value:
        case InitialLoss() as value:
            return (_initial_loss(value),)
        case Overfit() as value:
            return (_overfit(value),)
        case LrScan() as value:
            return (_scan(value),)
        case Search() as value:
            return tuple(_search(value))
        case Curves() as value:
            return tuple(_curves(value))
        case Treatments() as value:
            return (_treatments(value),) if value.treatments else ()
        case _:
            return ()


def typical(values: tuple[float | None, ...]) -> float | None:
    """The median of what is there and finite."""
    usable = [v for v in values if v is not None and math.isfinite(v)]
    return median(usable) if usable else None


def _initial_loss(value: InitialLoss) -> Chart:
    start = number(typical(value.observed))
    guess = f"a guess would lose {number(value.chance)}" if value.chance is not None else "no theory is known"
    lines = (Line(label="a guess", value=value.chance),) if value.chance is not None else ()
    count = len(value.observed)
    return Chart(
        title="Initial loss",
        conclusion=f"{plural(count, 'untrained model')} lose {start} in the median; {guess}.",
        x_label="initialisation",
        y_label="loss",
        series=(Series(label="untrained model", x=range(1, count + 1), y=value.observed, kind="points"),),
        lines=lines,
    )


def _overfit(value: Overfit) -> Chart:
    plain = [a for a in value.attempts if a.control == "none" and not a.regularised]
    shown = sorted(plain, key=lambda a: (a.lr != value.user_lr, abs(math.log(a.lr / value.user_lr)), a.seed))
    passed = sum(a.memorised for a in plain if a.lr == value.user_lr)
    at_user = sum(a.lr == value.user_lr for a in plain)
    others = sorted({a.lr for a in plain if a.memorised and a.lr != value.user_lr})
    tail = f"; memorised at lr {', '.join(number(lr) for lr in others)}" if others else ""
    zeroed = [a for a in value.attempts if a.control == "zeroed_inputs"]
    lines = [Line(label="floor of these targets", value=value.floor)] if value.floor > 0 else []
    return Chart(
        title=f"Overfitting {value.rows} rows",
        conclusion=f"{passed} of {at_user} runs at your lr {number(value.user_lr)} memorised the small set{tail}.",
        x_label="update",
        y_label="training loss",
        series=tuple(
            Series(
                label=_attempt_label(a),
                x=[n * a.stride for n in range(len(a.losses))],
                y=a.losses,
                colour=0 if a.lr == value.user_lr else 2 if a.memorised else 1,
            )
            for a in shown[:MOST_ATTEMPTS]
        )
        + tuple(
            Series(
                label="inputs zeroed (control)", x=[n * a.stride for n in range(len(a.losses))], y=a.losses, colour=6
            )
            for a in zeroed[:1]
        ),
        lines=tuple(lines),
        log_y=all(v > 0 for a in shown for v in a.losses if math.isfinite(v)),
    )


def _attempt_label(attempt: SmallSetAttempt) -> str:
    return f"lr {number(attempt.lr)}, {'memorised' if attempt.memorised else attempt.stopped_by}"


def _scan(value: LrScan) -> Chart:
    rates = [point.lr for point in value.points]
    seeds = max((len(point.final) for point in value.points), default=0)
    each = tuple(
        Series(
            label=f"seed {n}",
            x=[p.lr for p in value.points if len(p.final) > n],
            y=[p.final[n] for p in value.points if len(p.final) > n],
            kind="points",
            colour=5,
        )
        for n in range(seeds)
    )
    middle = Series(label="median over seeds", x=rates, y=[typical(point.final) for point in value.points], colour=0)
    lines = [Line(label="your lr", value=value.user_lr, axis="x", colour=1)]
    best = "no learning rate lowered the loss"
    if value.proposal is not None:
        lines.append(Line(label="lowest loss", value=value.proposal, axis="x", colour=2))
        best = f"the loss is lowest at lr {number(value.proposal)}"
    if value.diverges_from is not None:
        lines.append(Line(label="diverges from", value=value.diverges_from, axis="x", colour=3))
        best += f" and diverges from {number(value.diverges_from)}"
    return Chart(
        title="Learning-rate scan",
        conclusion=f"After {plural(value.updates, 'update')} {best}; yours is {number(value.user_lr)}.",
        x_label="learning rate",
        y_label="smoothed training loss",
        series=(*each, middle),
        lines=tuple(lines),
        log_x=True,
        log_y=all(v > 0 for p in value.points for v in p.final if math.isfinite(v)),
    )


def _search(value: Search) -> Iterator[Chart]:
    groups: dict[str, list[tuple[float, float | None]]] = {}
    for trial in value.trials:
        lr = trial.values.get("optimizer.lr")
        decay = trial.values.get("optimizer.weight_decay", 0.0)
        if isinstance(lr, int | float) and isinstance(decay, int | float):
            point = (float(lr), trial.validation_metric)
            groups.setdefault(f"weight decay {number(float(decay))}", []).append(point)
    best = value.trials[value.best] if value.best is not None else None
    won = (
        f"best {value.metric} {number(best.validation_metric)} with "
        + ", ".join(f"{key.rpartition('.')[2]} {_plain(v)}" for key, v in best.values.items())
        if best is not None
        else "no trial finished"
    )
    yield Chart(
        title="Search",
        conclusion=f"{plural(len(value.trials), 'trial')}; {won}.",
        x_label="learning rate",
        y_label=f"validation {value.metric}",
        series=tuple(
            Series(label=label, x=[p[0] for p in points], y=[p[1] for p in points], kind="points", colour=n)
            for n, (label, points) in enumerate(groups.items())
        ),
        log_x=True,
    )


def _plain(value: object) -> str:
    return number(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _curves(value: Curves) -> Iterator[Chart]:
    runs = [run for run in value.runs if run.batch_losses or run.validation_loss]
    if not runs:
        return
    shape = ", ".join(dict.fromkeys(c.replace("_", " ") for run in runs if run.reading for c in run.reading.classes))
    yield Chart(
        title="Loss",
        conclusion=f"{plural(len(runs), 'run')} of your own configuration: {shape or 'too short to be read'}.",
        x_label="epoch",
        y_label="loss",
        series=tuple(series for run in runs for series in _losses(run, value)),
        log_y=all(v > 0 for run in runs for v in run.batch_losses if math.isfinite(v)),
    )
    if any(v is not None for run in runs for v in run.validation_metric) and value.metric != "loss":
        ends = typical(tuple(run.validation_metric[-1] for run in runs if run.validation_metric))
        yield Chart(
            title=value.metric.capitalize(),
            conclusion=f"Validation {value.metric} ends at {number(ends)} in the median.",
            x_label="epoch",
            y_label=value.metric,
            series=tuple(
                series
                for run in runs
                for series in (
                    Series(label="training", x=run.epochs, y=run.train_metric, colour=0),
                    Series(label=_validation_label(run), x=run.epochs, y=run.validation_metric, colour=1),
                )
            ),
        )
    yield from _layers(runs[0])


def _losses(run: CurveRun, value: Curves) -> Iterator[Series]:
    per_epoch = max(1, value.updates_per_epoch)
    steps = [n * run.stride / per_epoch for n in range(len(run.batch_losses))]
    if run.batch_losses:
        yield Series(label="batch loss", x=steps, y=run.batch_losses, kind="faint", colour=0)
        share = len(run.batch_losses) / max(1, len(run.smoothed))
        yield Series(
            label="training, smoothed",
            x=[n * share * run.stride / per_epoch for n in range(len(run.smoothed))],
            y=run.smoothed,
            colour=0,
        )
    else:
        yield Series(label="training", x=run.epochs, y=run.train_loss, colour=0)
    yield Series(label=_validation_label(run), x=run.epochs, y=run.validation_loss, colour=1)


def _validation_label(run: CurveRun) -> str:
    return "validation, your own loop" if run.loop == "user" else "validation"


def _layers(run: CurveRun) -> Iterator[Chart]:
    traced = [layer for layer in run.layers if layer.update_ratio]
    if not traced:
        return
    step = max(1, len(traced) // MOST_LAYERS)
    shown = traced[::step][:MOST_LAYERS]
    yield Chart(
        title="Update ratios",
        conclusion=f"How far one step moves the weights of {plural(len(shown), 'layer')}, relative to their size.",
        x_label="update",
        y_label="|Δw| / |w|",
        series=tuple(
            Series(label=layer.layer, x=layer.updates, y=layer.update_ratio, colour=n) for n, layer in enumerate(shown)
        ),
        log_y=True,
    )


def _treatments(value: Treatments) -> Chart:
    count = len(value.treatments)
    metric = value.treatments[0].metric
    return Chart(
        title="Treatments",
        conclusion=f"{'One fix' if count == 1 else f'{count} fixes'} tried beside the untreated run, seed by seed.",
        x_label="fix " + ", ".join(f"{n}: {t.title}" for n, t in enumerate(value.treatments[:4], 1)),
        y_label=f"validation {metric}",
        series=(
            Series(
                label="untreated",
                x=[n - 0.08 for n, t in enumerate(value.treatments, 1) for _ in t.before],
                y=[v for t in value.treatments for v in t.before],
                kind="points",
                colour=1,
            ),
            Series(
                label="treated",
                x=[n + 0.08 for n, t in enumerate(value.treatments, 1) for _ in t.after],
                y=[v for t in value.treatments for v in t.after],
                kind="points",
                colour=2,
            ),
        ),
    )
