"""Is our learning-rate scan as cheap as a bare loop, and is the lr that it proposes the best one to take?

    python benchmarks/lr_scan.py [--quick] [--json] [--repeats N] [--data FOLDER] [--only times]

Step 3 of the protocol, as the product runs it, beside torch-lr-finder, Lightning's `Tuner.lr_find` and fastai's
`lr_find`. *Times*: each beside the bare loop of as many steps as it took. *Quality*: each proposes an lr for eight
trainings and three seeds, and the same bare run is made at each of them. With `--data` (MNIST's IDX files,
`california-housing.csv.gz` and `tinyshakespeare.txt.gz`) three more trainings follow, counted on their own.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean

from benchmarks import lr_quality, lr_times, reporting
from benchmarks.lr_problems import FILES, PROBLEMS, WITH_FILES, Problem
from benchmarks.lr_quality import OURS, Judged, geometric_mean
from benchmarks.lr_times import Time
from benchmarks.reporting import DATA_VARIABLE, Line, number
from benchmarks.rivals import lr_finders

TIMED = ("digits mlp, sgd", "digits cnn, sgd", "digits transformer, adam")
QUICK = ("digits mlp, adam", "friedman mlp, sgd")  # of the quality part, one seed
SEEDS = 3
REPEATS = 5
GOAL = 1.1  # of the bare loop's time
NEVER_WORSE = "<= 1"  # on average over the eight
PARTS = ("times", "quality")
PACKAGES = ("torch-lr-finder", "lightning", "fastai")


def time_lines(times: Sequence[Time]) -> list[Line]:
    """Ours against the bare loop of the same steps; other tools' multiples of theirs beside ours."""
    found = []
    own = {time.workload: time for time in times if time.contender == lr_times.ours(max(lr_times.PROCESSES))}
    for time in times:
        mine = own[time.workload]
        if time.contender.startswith(OURS):
            found.append(
                Line(
                    name=f"learning-rate scan, {time.contender}",
                    workload=time.workload,
                    unit="s",
                    ours=time.seconds,
                    rival=time.bare_seconds,
                    rival_name="bare loop, same steps",
                    ratio=time.over_bare,
                    goal=f"<= {GOAL}",
                    note=f"{number(time.steps)} steps",
                )
            )
            continue
        steps = f"{number(mine.steps)} steps against {number(time.steps)}"
        whole = f"{number(mine.seconds)} s against {number(time.seconds)} s; {steps}"
        found.append(
            Line(
                name="learning-rate scan, time over bare",
                workload=time.workload,
                unit="x",
                ours=mine.over_bare,
                rival=time.over_bare,
                rival_name=time.contender,
                ratio=mine.over_bare / time.over_bare if mine.over_bare and time.over_bare else None,
                note=time.note or whole,
            )
        )  # fmt: skip
    return found


def quality_lines(judged: Sequence[Judged], *, missing: dict[str, str], goal: str | None) -> list[Line]:
    """Mean loss at our proposals over that at a rival's; too few trainings have no goal."""
    if not judged:
        return []
    seeds = len(judged[0].proposals[OURS])
    where = f"{len(judged)} trainings x {seeds} seed{'s' if seeds > 1 else ''}"
    mine = geometric_mean(one.ratio(OURS) for one in judged)
    name = "lr proposed: loss over the best lr's"
    found = []
    for tool in judged[0].proposals:
        if tool != OURS:
            theirs = geometric_mean(one.ratio(tool) for one in judged)
            found.append(
                Line(
                    name=name, workload=where, unit="x", ours=mine, rival=theirs, rival_name=tool, ratio=mine / theirs,
                    goal=goal,
                )
            )  # fmt: skip
    return found + [
        Line(name=name, workload=where, unit="x", ours=mine, rival=None, rival_name=tool, ratio=None, note=why)
        for tool, why in missing.items()
    ]


def quality_rows(judged: Sequence[Judged]) -> list[dict[str, object]]:
    """One row per training and tool."""
    return [
        {
            "workload": one.problem,
            "tool": tool,
            "proposals": one.proposals[tool],
            "steps": one.steps[tool],
            "loss": fmean(loss.end for loss in one.losses[tool]),
            "best_loss": one.best.end,
            "best_lr": one.best_lr,
            "untrained_loss": one.untrained,
            "over_best": one.ratio(tool),
            "over_best_after_3_epochs": one.short_ratio(tool),
            "share_lost": one.lost(tool),
        }
        for one in judged
        for tool in one.proposals
    ]


def show_times(times: Sequence[Time]) -> None:
    """Print seconds and ratios."""
    reporting.print_columns(
        ("workload", "contender", "steps", "seconds", "bare, same steps", "over bare"),
        [
            (
                time.workload, time.contender, number(time.steps), number(time.seconds), number(time.bare_seconds),
                f"{time.over_bare:.2f}" if time.over_bare is not None else time.note,
            )
            for time in times
        ],
    )  # fmt: skip


def show_quality(judged: Sequence[Judged]) -> None:
    """Print what was proposed and what came of it, a column per tool."""
    if not judged:
        return
    tools = list(judged[0].proposals)
    print("\nThe lr proposed (median over seeds)")
    reporting.print_columns(
        ("training", "best of the grid", *tools),
        [(one.problem, number(one.best_lr), *(number(one.middle_proposal(tool)) for tool in tools)) for one in judged],
    )
    print("\nValidation loss there over that at the best lr (geometric mean over seeds)")
    rows = [[one.problem, *(number(one.ratio(tool)) for tool in tools)] for one in judged]
    rows.append(["mean", *(number(geometric_mean(one.ratio(tool) for one in judged)) for tool in tools)])
    after = "mean after 3 epochs"
    rows.append([after, *(number(geometric_mean(one.short_ratio(tool) for one in judged)) for tool in tools)])
    rows.append(["share of the gain lost", *(f"{fmean(one.lost(tool) for one in judged):.1%}" for tool in tools)])
    reporting.print_columns(("training", *tools), rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    parser.add_argument("--only", choices=PARTS, help="one of the two parts")
    asked = parser.parse_args(arguments)
    wanted = (asked.only,) if asked.only else PARTS
    skipped, held_out = _held_out(asked)
    missing = {tool: why for tool in lr_finders.TOOLS if (why := lr_finders.missing(tool)) is not None}
    timed = [problem for problem in PROBLEMS if problem.name in TIMED]
    times = [
        row
        for problem in (timed[:1] if asked.quick else timed)
        if "times" in wanted
        for row in lr_times.measure(problem, repeats=reporting.repeats_of(asked))
    ]
    judged, more = [], []
    if "quality" in wanted:
        tools = [tool for tool in lr_finders.TOOLS if tool not in missing]
        problems = [problem for problem in PROBLEMS if not asked.quick or problem.name in QUICK]
        seeds = 1 if asked.quick else SEEDS
        both = lr_quality.judge_all([*problems, *held_out], seeds=seeds, tools=tools)
        judged, more = both[: len(problems)], both[len(problems) :]
    found = reporting.document(
        "lr_scan",
        rows=[*map(asdict, times), *quality_rows([*judged, *more])],
        table=[
            *time_lines(times),
            *quality_lines(judged, missing=missing, goal=None if asked.quick else NEVER_WORSE),
            *quality_lines(more, missing={}, goal=None),
        ],
        skipped=[*skipped, *(f"{tool}: {why}" for tool, why in missing.items())],
        packages=PACKAGES,
    )
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    show_times(times)
    show_quality(judged)
    show_quality(more)
    print("\n".join(["", *found["skipped"]]))
    return 0


def _held_out(asked: argparse.Namespace) -> tuple[list[str], Sequence[Problem]]:
    """The trainings on real files, where they are wanted and there."""
    if asked.quick:
        return [], ()
    lacking = FILES if asked.data is None else [name for name in FILES if not (asked.data / name).is_file()]
    if lacking:
        return [f"three trainings on real files skipped: give --data with {', '.join(lacking)}"], ()
    os.environ[DATA_VARIABLE] = str(asked.data.resolve())  # where the children's data functions look
    return [], WITH_FILES


if __name__ == "__main__":
    sys.exit(main())
