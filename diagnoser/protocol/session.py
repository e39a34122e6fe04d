"""In what order are the steps walked? Each is planned, run and read, within what `spending` gives it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from diagnoser.evidence.outcome import Measured, NotMeasured, Reason, measured
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Finding
from diagnoser.messages import Result, Work
from diagnoser.protocol import (
    coarse_search,
    curves,
    fine_search,
    initial_loss,
    lr_scan,
    overfit,
    preflight,
    summary,
    treatment,
)
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.events import Event, StepName
from diagnoser.protocol.executor import Executor
from diagnoser.protocol.so_far import Done
from diagnoser.protocol.spending import LEFT_OUT_BY_QUICK, Spending
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import CUT_SHORT, Outcome, Trial, TrialResult

R = TypeVar("R", bound=Record)


class Plan(Protocol):
    """The planning half of a step."""

    def __call__(self, spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
        """Which trials would tell, given the results so far; none: the step is done."""


class Read(Protocol):
    """The reading half of a step."""

    def __call__(self, spec: TrainingSpec, so_far: Steps, done: Done) -> Record:
        """What the trials measured."""


Judge = Callable[[Steps], tuple[Finding, ...]]
"""Gives the draft findings of steps 0-6: the rules, started as a program of their own."""

USED_UP = "the budget was used up by the steps before this one"
MOST_ROUNDS = 40  # a plan that never ends is our bug

PLAN: dict[StepName, tuple[Plan, Read]] = {
    "initial_loss": (initial_loss.plan, initial_loss.read),
    "overfit": (overfit.plan, overfit.read),
    "lr_scan": (lr_scan.plan, lr_scan.read),
    "curves": (curves.plan, curves.read),
    "coarse_search": (coarse_search.plan, coarse_search.read),
    "fine_search": (fine_search.plan, fine_search.read),
}


def unmeasured() -> Steps:
    """The steps before anything was done."""
    missing = NotMeasured(reason=Reason.DEPENDENCY, because="an earlier step ended the diagnosis before this one")
    names = [name for name in Steps.model_fields if name != "preflight"]
    return Steps.model_validate({"preflight": preflight.nothing(missing.because), **dict.fromkeys(names, missing)})


@dataclass
class Session:
    """One walk through the steps; holds the clock, the budget and what was measured so far."""

    spec: TrainingSpec
    executor: Executor
    judge: Judge
    on_event: Callable[[Event], None]
    started: float  # on this clock, when the budget began to run
    clock: Callable[[], float] = time.monotonic
    steps: Steps = field(default_factory=unmeasured)
    curve_runs: Done = ()
    best: float | None = None

    def __post_init__(self) -> None:
        self.spending = Spending(self.spec, lambda: self.executor.processes, self.started, self.clock)

    def run(self) -> Steps:
        """Walk all steps. Raises UserCodeError when the workload itself cannot be built."""
        self.look()
        return self.train()

    def look(self) -> None:
        """Do the preflight. Raises UserCodeError when the workload itself cannot be built."""
        began = self._start("preflight")
        planned = 0
        for kinds in (preflight.FIRST, preflight.REST):
            allowance = self._allowance("preflight", began)
            probes = preflight.plan(self.spec, kinds, allowance=allowance)
            planned += len(probes)
            if kinds == preflight.FIRST:  # without them there is no diagnosis
                results = self._work("preflight", probes, planned=planned, allowance=None)
            elif self.spending.seconds_left > 0:
                results = self._work("preflight", probes, planned=planned, allowance=allowance)
            else:
                results = tuple(ProbeResult(outcome=Outcome.TIMED_OUT) for _ in probes)
            answers = tuple(result for result in results if isinstance(result, ProbeResult))
            preflight.raise_for_user_code(probes, answers)
            self.steps = self.steps.model_copy(
                update={"preflight": preflight.read(self.steps.preflight, probes, answers)}
            )
        self._end("preflight", summary.preflight(self.steps.preflight))

    def train(self) -> Steps:
        """Walk the steps after preflight, with what it found."""
        for name in PLAN:
            self._step(name)
        self._treatments()
        return self.steps

    def _step(self, name: StepName) -> None:
        began = self._start(name)
        reason = self._reason_to_skip(name)
        if reason is not None:
            self._keep(name, reason)
            return
        plan, read = PLAN[name]
        done = self._rounds(name, began, lambda done, allowance: plan(self.spec, self.steps, done, allowance=allowance))
        if name == "curves":
            self.curve_runs = done
        fraction = curves.fraction_of_run(self.steps, done) if name == "curves" else 1.0
        self._keep(name, self._read(lambda: read(self.spec, self.steps, done), done, began, fraction))

    def _treatments(self) -> None:
        began = self._start("treatments")
        if self.spending.seconds_left <= 0:  # judging the draft takes seconds of its own
            self._keep("treatments", NotMeasured(reason=Reason.BUDGET, because=USED_UP))
            return
        draft = self.judge(self.steps)
        wanted = treatment.candidates(self.spec, draft)
        if not wanted:
            because = "no finding proposes a fix that a machine can try"
            self._keep("treatments", NotMeasured(reason=Reason.DEPENDENCY, because=because))
            return
        done = self._rounds(
            "treatments",
            began,
            lambda done, allowance: treatment.plan(self.spec, self.steps, draft, done, allowance=allowance),
            at_first=tuple(pair for pair in self.curve_runs if pair[1].stopped_by != "time"),
        )
        tried = treatment.read(self.spec, self.steps, draft, done)
        if tried.treatments:
            self._keep("treatments", measured(tried, seconds=self.clock() - began))
            return
        because = f"the budget left no time to try {len(wanted)} proposed fix{'es' if len(wanted) > 1 else ''}"
        self._keep("treatments", NotMeasured(reason=Reason.BUDGET, because=because))

    def _rounds(
        self,
        name: StepName,
        began: float,
        plan: Callable[[Done, Allowance], tuple[Trial, ...]],
        *,
        at_first: Done = (),
    ) -> Done:
        """Ask for trials and run them until the step has no more to ask, or its time is up."""
        done = at_first
        for _ in range(MOST_ROUNDS):
            allowance = self._allowance(name, began)
            if allowance.seconds <= 0 and done:
                break
            trials = plan(done, allowance)
            if not trials or self.spending.seconds_left <= 0:
                break
            planned = len(done) + len(trials)
            results = self._work(name, trials, planned=planned, before=len(done), allowance=allowance)
            pairs = zip(trials, results, strict=True)
            done += tuple((t, r) for t, r in pairs if isinstance(r, TrialResult))
        return done

    def _work(
        self, name: StepName, work: Sequence[Work], *, planned: int, before: int = 0, allowance: Allowance | None
    ) -> tuple[Result, ...]:
        finished = before

        def tell(index: int, result: Result) -> None:
            nonlocal finished
            finished += 1
            self.spending.note(work[index], result)
            self._note(result)
            self._tell(Event(kind="work_done", step=name, planned=planned, done=finished, words=self._best_words()))

        self._tell(Event(kind="work_planned", step=name, planned=planned, done=finished))
        return self.executor.run(work, deadline=self.spending.deadline(name, allowance), on_result=tell)

    def _note(self, result: Result) -> None:
        """Remember the best validation metric, for the progress display."""
        assumed = known.value(self.steps.preflight.assumptions)
        if assumed is None or not isinstance(result, TrialResult) or not result.evaluations:
            return
        metric = result.evaluations[-1].validation_metric
        if metric is not None and math.isfinite(metric):
            pick = max if assumed.higher_is_better else min
            self.best = metric if self.best is None else pick(self.best, metric)

    def _best_words(self) -> str:
        assumed = known.value(self.steps.preflight.assumptions)
        return "" if self.best is None or assumed is None else f"best {assumed.metric} {self.best:.4g}"

    def _allowance(self, name: StepName, began: float) -> Allowance:
        return self.spending.allowance(name, spent=self.clock() - began, so_far=self.steps)

    def _reason_to_skip(self, name: StepName) -> NotMeasured | None:
        if self.spec.protocol.preset == "quick" and name in LEFT_OUT_BY_QUICK:
            because = "the preset quick goes from step 3 straight to the treatment"
            return NotMeasured(reason=Reason.BUDGET, because=because)
        if self.spending.seconds_left <= 0:
            return NotMeasured(reason=Reason.BUDGET, because=USED_UP)
        if name in {"coarse_search", "fine_search"}:
            return self._search_means_nothing()
        return None

    def _search_means_nothing(self) -> NotMeasured | None:
        small_set = known.value(self.steps.overfit)
        plain = [a for a in small_set.attempts if a.control == "none" and not a.regularised] if small_set else []
        failed = plain and not any(a.memorised or a.still_falling for a in plain)
        scan = known.value(self.steps.lr_scan)
        if failed and scan is not None and scan.proposal is None:
            because = (
                "no learning rate lowered the loss and the small set could not be memorised, "
                "so a search would mean nothing"
            )
            return NotMeasured(reason=Reason.DEPENDENCY, because=because)
        return None

    def _read(self, read: Callable[[], R], done: Done, began: float, fraction: float) -> Measured[R] | NotMeasured:
        if not done:
            return NotMeasured(reason=Reason.BUDGET, because="the budget left no time for this step")
        useful = {Outcome.COMPLETED, Outcome.DIVERGED}
        if not any(result.outcome in useful for _, result in done):
            told = [r for _, r in done if r.error is not None and r.error.kind != CUT_SHORT]
            first = next((r for r in told if r.outcome is Outcome.USER_ERROR), told[0] if told else done[0][1])
            error = first.error
            return preflight.failure(
                first.outcome,
                message=error.message if error else None,
                kind=error.kind if error else None,
                traceback=error.traceback if error else None,
            )
        value = read()
        seconds = self.clock() - began
        return measured(value, seconds=seconds, fraction_of_run=fraction)

    def _keep(self, name: StepName, outcome: Measured[R] | NotMeasured) -> None:
        self.steps = self.steps.model_copy(update={name: outcome})
        self._end(name, summary.words(name, outcome))

    def _start(self, name: StepName) -> float:
        self._tell(Event(kind="step_started", step=name))
        return self.clock()

    def _end(self, name: StepName, words: str) -> None:
        self._tell(Event(kind="step_ended", step=name, words=words))

    def _tell(self, event: Event) -> None:
        times = {"seconds_used": self.spending.seconds_used, "seconds_left": max(0.0, self.spending.seconds_left)}
        self.on_event(event.model_copy(update=times))
