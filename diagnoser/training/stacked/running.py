"""Which trials are trained together, and which one after the other? Runs all of them, and says why."""

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from diagnoser.errors import SpecError
from diagnoser.evidence.evidence import StackedTrials
from diagnoser.training.failures import USER_STOPS, is_out_of_memory
from diagnoser.training.loop import run_trial, unprepared
from diagnoser.training.memory import available_bytes
from diagnoser.training.modes import functional_dropout_off
from diagnoser.training.preparation import prepare
from diagnoser.training.randomness import restored
from diagnoser.training.stacked.deciding import ENOUGH_UPDATES, FEWEST_TRIALS, LONGEST_STEP, time_alone
from diagnoser.training.stacked.together import Member, train_together
from diagnoser.training.stacked.trying import Try
from diagnoser.training.stacked.unstackable import Unstackable
from diagnoser.training.watching import Watch
from diagnoser.training.workload import Workload
from diagnoser.trials import Trial, TrialResult, kind_of

MEMORY_SHARE = 0.5  # of what is free: the allocator and the batched operations want room of their own
TOO_FEW = f"fewer than {FEWEST_TRIALS} trials of a kind"
OFF = "stacking is off"
SLOWER = "tried, and one by one is faster"

OnResult = Callable[[int, TrialResult], None]


def run_trials(
    workload: Workload, trials: Sequence[Trial], *, on_result: OnResult, largest: int | None = None
) -> tuple[StackedTrials, ...]:
    """Run every trial; `on_result` gets each index and result as it ends, not always in order.

    `largest` bounds the stack; 1 forbids stacking. What the user's code does wrong is a result; what ours does
    propagates.
    """
    kinds: dict[str, list[int]] = {}
    for index, trial in enumerate(trials):
        kinds.setdefault(kind_of(trial).model_dump_json(), []).append(index)
    batch = _Batch(workload, trials, on_result)
    for kind, indices in kinds.items():
        batch.run(kind, indices, largest=largest)
    return tuple(
        StackedTrials(trials=count, at_once=size, because=because) for (size, because), count in batch.how.most_common()
    )


@dataclass
class _Batch:
    """The trials of one request."""

    workload: Workload
    trials: Sequence[Trial]
    on_result: OnResult
    done: set[int] = field(default_factory=set)
    how: Counter[tuple[int, str]] = field(default_factory=Counter)

    def run(self, kind: str, indices: list[int], *, largest: int | None) -> None:
        """Run trials of one kind, stacked where that pays."""
        refusal = self._refusal(kind, indices, largest)
        if refusal is not None:
            self._alone(indices, refusal)
            return
        size = self._size(kind, len(indices), largest)
        stacks = -(-len(indices) // size)
        for number in range(stacks):  # even parts: a stack of one gains nothing
            self._stacked(kind, indices[number::stacks])

    def _refusal(self, kind: str, indices: list[int], largest: int | None) -> str | None:
        """Say what forbids stacking; else time one trial alone, if nobody did yet."""
        workload, first, known = self.workload, self.trials[indices[0]], self.workload.stacking
        if largest == 1:
            return OFF
        if len(indices) < FEWEST_TRIALS:
            return TOO_FEW
        if first.loop == "user":
            return "the user's own loop trains one model at a time"
        if kind in known.refusals:
            return known.refusals[kind]
        if workload.spec.precision == "float16":
            return "float16 scales the loss of each trial"
        shortest = min(_updates(workload, self.trials[index]) for index in indices)
        if shortest < ENOUGH_UPDATES:
            return f"under {ENOUGH_UPDATES} updates there is nothing to gain"
        if kind not in known.alone:
            try:
                known.alone[kind] = time_alone(workload, first)
            except (*USER_STOPS, SpecError):
                return "the first trial fails"  # and will say how
        seconds, longest = known.alone[kind].seconds, LONGEST_STEP[workload.device.type]
        if seconds > longest:
            return f"an update takes {1e3 * seconds:.0f} ms: bound by arithmetic"
        return None

    def _size(self, kind: str, wanted: int, largest: int | None) -> int:
        """Bound the stack by what is asked for and what fits into memory."""
        bounds = [wanted, *([largest] if largest is not None else [])]
        free = available_bytes(self.workload.device)
        if free is not None:
            bounds.append(max(1, int(MEMORY_SHARE * free / max(1, self.workload.stacking.alone[kind].bytes_held))))
        return min(bounds)

    def _stacked(self, kind: str, indices: list[int]) -> None:
        if len(indices) < FEWEST_TRIALS:
            self._alone(indices, TOO_FEW)
            return
        known, size = self.workload.stacking, len(indices)
        if known.is_too_slow(kind, size):
            self._alone(indices, SLOWER)
            return
        gain, trying = known.gain(kind, size), None
        try:
            with restored(), functional_dropout_off(when=not self.trials[indices[0]].regularised):
                members = self._members(indices)
                if gain is None and members:
                    trying = Try(known.alone[kind], first=members[0].prepared.trial)
                train_together(members, on_result=self._tell, trying=trying)
        except Unstackable as refusal:
            gain = self._note(kind, size, trying, refusal)
            self._alone(indices, str(refusal) if gain is None else SLOWER)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            gain = self._note(kind, size, trying, None) or gain
            because = f"{gain:.1f} times as fast as one by one" if gain else "over before it could be timed"
            self.how[size, because] += size
            return
        self._halved(kind, indices)  # out of the `except`, which holds on to the tensors

    def _note(self, kind: str, size: int, trying: Try | None, refusal: Unstackable | None) -> float | None:
        """Remember what was found out; return the gain if it was measured."""
        gain = trying.gain if trying is not None else None
        if gain is not None:
            gains = self.workload.stacking.gains
            gains[kind, size] = (*gains.get((kind, size), ()), gain)
        elif refusal is not None:
            self.workload.stacking.refusals[kind] = str(refusal)
        return gain

    def _halved(self, kind: str, indices: list[int]) -> None:
        """Go on with half the size after memory ran out."""
        gc.collect()
        if self.workload.device.type == "cuda":
            torch.cuda.empty_cache()
        left = [index for index in indices if index not in self.done]
        for half in (left[::2], left[1::2]):
            if half:
                self._stacked(kind, half)

    def _alone(self, indices: Sequence[int], because: str) -> None:
        left = [index for index in indices if index not in self.done]
        self.how[1, because] += len(left)
        for index in left:
            self._tell(index, run_trial(self.workload, self.trials[index]))

    def _tell(self, index: int, result: TrialResult) -> None:
        self.done.add(index)
        self.on_result(index, result)

    def _members(self, indices: Sequence[int]) -> list[Member]:
        members = []
        for index in indices:
            try:
                prepared = prepare(self.workload, self.trials[index])
            except (*USER_STOPS, SpecError) as error:
                self._tell(index, unprepared(error, seconds=0.0))
                continue
            state = torch.get_rng_state()  # prepare seeds it last
            members.append(
                Member(index=index, prepared=prepared, watch=Watch(prepared, report=None), random_state=state)
            )
        return members


def _updates(workload: Workload, trial: Trial) -> int:
    return workload.total_updates if trial.updates is None else trial.updates
