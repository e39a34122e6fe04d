"""An executor whose answers are known: a loss that falls as a closed formula of the lr, and rises above a known lr."""

import math
from collections.abc import Callable, Sequence

from diagnoser.evidence.evidence import Environment, StackedTrials
from diagnoser.evidence.preflight import Assumptions, ProbeResult, SystemProfile
from diagnoser.messages import Result, Work
from diagnoser.trials import Evaluation, Outcome, Probe, ProbeKind, Trial, TrialResult
from tests.helpers import make

START = math.log(10)  # ten classes, a uniform guess
BEST_LR = 1e-2  # falls fastest here
EDGE = 3e-1  # diverges from here


def losses_at(lr: float, updates: int) -> tuple[float, ...]:
    """Loss after each update: exponential decay, fastest at BEST_LR; growth beyond EDGE."""
    rate = 0.05 * math.exp(-abs(math.log10(lr / BEST_LR)))
    sign = 1.0 if lr >= EDGE else -1.0
    return tuple(START * math.exp(sign * rate * n) for n in range(max(1, updates)))


class ToyExecutor:
    """Answers at once; remembers every trial it was given."""

    def __init__(
        self,
        *,
        user_lr: float = 1e-3,
        total_updates: int = 200,
        seconds_per_update: float = 1e-3,
        change: Callable[[Trial, TrialResult], TrialResult] | None = None,
    ) -> None:
        self.user_lr = user_lr
        self.total_updates = total_updates
        self.seconds_per_update = seconds_per_update
        self.change = change or (lambda _, result: result)
        self.given: list[Trial] = []
        self.processes = 2
        self.threads_per_process = 1
        self.trials_from_cache = 0
        self.stacks: tuple[StackedTrials, ...] = ()

    @property
    def trials_run(self) -> int:
        return len(self.given)

    def open(self) -> Environment:
        return make.environment()

    def close(self) -> None:
        """Nothing to end."""

    def run(
        self, work: Sequence[Work], *, deadline: float, on_result: Callable[[int, Result], None]
    ) -> tuple[Result, ...]:
        results = tuple(self._probe(one) if isinstance(one, Probe) else self._trial(one) for one in work)
        for index, result in enumerate(results):
            on_result(index, result)
        return results

    def _probe(self, probe: Probe) -> ProbeResult:
        values = {
            ProbeKind.ASSUMPTIONS: make.assumptions(
                updates_per_epoch=20, total_updates=self.total_updates, effective_lr=self.user_lr
            ),
            ProbeKind.SYSTEM: make.system_profile(
                seconds_per_update=self.seconds_per_update, seconds_per_evaluation=1e-3
            ),
            ProbeKind.DATA: make.data_profile(),
        }
        value: Assumptions | SystemProfile | None = values.get(probe.probe)  # type: ignore[assignment]  # three kinds
        if value is None:
            return ProbeResult(outcome=Outcome.COMPLETED, unsupported="the toy has no such probe")
        return ProbeResult(outcome=Outcome.COMPLETED, value=value)

    def _trial(self, trial: Trial) -> TrialResult:
        self.given.append(trial)
        lr = float(str(trial.changes.get("optimizer.lr", self.user_lr)))
        updates = self.total_updates if trial.updates is None else trial.updates
        losses = losses_at(lr, updates)
        end = losses[-1]
        memorised = trial.stop_when_memorised and end < 0.1 * START
        accuracy = max(0.1, min(1.0, 1 - end / START))
        result = TrialResult(
            outcome=Outcome.DIVERGED if end > 10 * START else Outcome.COMPLETED,
            stopped_by="memorised" if memorised else "stalled" if trial.stop_when_stalled else "length",
            updates=updates,
            rows_used=80,
            batches_per_epoch=20,
            initial_loss=START,
            initial_outputs_std=0.3,
            losses=losses,
            evaluations=tuple(
                Evaluation(
                    updates=n,
                    epoch=n / 20,
                    lr=lr,
                    train_loss=losses[n - 1],
                    train_metric=accuracy,
                    validation_loss=losses[n - 1],
                    validation_metric=max(0.1, 1 - losses[n - 1] / START),
                )
                for n in range(
                    max(1, updates // max(1, trial.evaluations)),
                    updates + 1,
                    max(1, updates // max(1, trial.evaluations)),
                )
            )
            if trial.evaluations and updates
            else (),
            weight_norm_end=1.0 - 0.1 * (trial.penalty or 0.0),
        )
        return self.change(trial, result)
