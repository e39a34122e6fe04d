"""Which child does what next? A few children, one unit of work each at a time, in order.

A child that dies, hangs or takes the machine's memory costs the piece of work that did it, and nothing else: what it
has told by then is kept, another is started, and the rest of its unit is asked again, in smaller stacks or one by one.
They are looked at one after the other, in the thread of the caller.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from diagnoser.errors import EngineError, UserCodeError
from diagnoser.messages import MOST_TRIALS, Done, Load, Loaded, Part, Perform, Spoken, Work
from diagnoser.sandbox import bell, endings, recovery, units
from diagnoser.sandbox.child_environment import environment_for_child
from diagnoser.sandbox.levels.ceilings import ceilings_for
from diagnoser.sandbox.levels.commands import Walls
from diagnoser.sandbox.levels.hints import explained, hint
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.levels.seen import seen_by
from diagnoser.sandbox.limits import Machine
from diagnoser.sandbox.round import OnDone, Round
from diagnoser.sandbox.supervisor import Child, Ending, end_all
from diagnoser.sandbox.units import Unit
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, TrialResult, UserError

FAILED_LOADS = 2  # in a row, of children that were to replace one that could load
LIMITS_EVERY = 0.5  # seconds between looks at the children's memory, processes and files
MOST_DEVICES = 256  # that a child may claim to see
WORN = 0.5  # share of the memory limit: an idle child above it is replaced, before its leak kills somebody's trial

Said = Spoken | Part | Ending


class Slot:
    """A place for one child, with what it is doing."""

    def __init__(self, child: Child, *, index: int) -> None:
        self.child = child
        self.index = index
        self.loading = True
        self.unit: Unit | None = None
        self.left: list[int] = []  # pieces of the unit that have no result yet

    @property
    def is_busy(self) -> bool:
        return self.loading or self.unit is not None


class Children:
    """The children of one machine for one spec."""

    def __init__(
        self,
        *,
        spec: TrainingSpec,
        folder: Path,
        out: Path,
        machine: Machine,
        processes: int,
        load_seconds: float,
        stacking: bool = True,
        largest: int = MOST_TRIALS,
        level: Level = "process",
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.out = out
        self.machine = machine
        self.processes = processes
        self.threads = max(1, machine.cores // processes)
        self.performed = 0  # pieces of work that a child was given and that came to an end
        self.stacks: Counter[tuple[int, str]] = Counter()  # trials, by how many were trained at once and why
        self.printed: list[str] = []  # by children that are gone
        self._walls = _walls(level, spec, folder, machine)
        self._load_seconds = load_seconds
        self._stacking = stacking
        self._largest = largest
        self._slots: list[Slot] = []
        self._spare: Child | None = None  # imports torch while the first one loads, and nothing of the user's
        self._first: Loaded | None = None
        self._failed_loads = 0
        self._load_error: UserError | None = None
        self._born = 0
        self._cuda_devices: tuple[str, ...] = ()
        self._looked_at_limits = 0.0

    def open(self) -> Loaded:
        """Start the first child; raises UserCodeError when it cannot build a model and a batch."""
        slot = self._start(index=0)
        try:
            if self.processes > 1:
                self._spare = self._child(index=1)
            while (said := self._events().get(slot)) is None:
                bell.wait([slot.child.bell])
        except BaseException:
            self.close()
            raise
        if isinstance(said, Loaded):
            slot.loading = False
            self._first = said
            self._settle(said, resident=slot.child.held_bytes())
            return said
        self.close()
        raise self._why(said)

    def run(self, work: Mapping[int, Work], *, deadline: float, on_done: OnDone) -> None:
        """Do all of it, and tell each result as it comes; whatever is not done at `deadline` is `timed_out`."""
        formed = units.form(work, processes=self.processes, stacking=self._stacking, most=self._largest)
        round_ = Round(work, formed, deadline=deadline, on_done=on_done)
        rang = False
        while round_.waiting or any(slot.unit is not None for slot in self._slots):
            if round_.is_over:
                round_.give_up(outcome=Outcome.TIMED_OUT, error=None)
            if not self._can_start():
                round_.give_up(outcome=Outcome.WORKER_LOST, error=self._load_error)
            self._fill(round_)
            events = self._events()
            for slot, said in events.items():
                self._hear(slot, said, round_)
            if events:
                rang = False
                continue
            if rang:
                time.sleep(bell.FALSE_RING)
            rang = bell.wait([slot.child.bell for slot in self._slots])

    def end_busy(self) -> None:
        """End the children whose work nobody waits for any more."""
        self._end([slot for slot in self._slots if slot.unit is not None])

    def close(self) -> None:
        """End every child."""
        self._end(list(self._slots))
        self._end_spare()

    def output(self) -> str:
        """Give what the user's code printed, child after child."""
        return "\n".join([*self.printed, *(slot.child.output.text() for slot in self._slots)])

    # -- starting -----------------------------------------------------------------------------------------------------

    def _settle(self, loaded: Loaded, *, resident: int | None) -> None:
        """Decide how many children there will be, now that the size of one is known."""
        devices = max(0, min(loaded.cuda_devices, MOST_DEVICES))
        if devices:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(devices)))
            self._cuda_devices = tuple(visible.split(","))[:devices]
            self.processes = len(self._cuda_devices) if self.spec.device in ("auto", "cuda") else 1
        elif self.processes > 1:
            self.processes = self.machine.fitting(resident, wanted=self.processes)
        if devices or self.processes == 1:  # it sees the wrong device, or has no room
            self._end_spare()
        self.threads = max(1, self.machine.cores // self.processes)

    def _end_spare(self) -> None:
        if self._spare is not None:
            end_all([self._spare])
            self._spare = None

    def _can_start(self) -> bool:
        return bool(self._slots) or self._failed_loads < FAILED_LOADS

    def _fill(self, round_: Round) -> None:
        waiting = round_.waiting
        surplus = len(self._slots) - self.processes
        self._end([slot for slot in self._slots if not slot.is_busy][: max(0, surplus)])
        for slot in self._slots:
            if round_.wants_quiet and any(other.is_busy for other in self._slots):
                return
            if waiting and not slot.is_busy:
                self._give(slot, waiting.popleft(), round_)
        loading = sum(slot.loading for slot in self._slots)
        if len(waiting) <= loading or len(self._slots) >= self.processes or self._failed_loads >= FAILED_LOADS:
            return
        # A start costs seconds of a core: one more piece can wait for whoever is ready first.
        pieces = sum(len(unit.pieces) for unit in waiting) + sum(max(0, len(slot.left) - 1) for slot in self._slots)
        if pieces - loading > 1 or not self._slots:
            taken = {slot.index for slot in self._slots}
            self._start(index=next(index for index in range(self.processes) if index not in taken))

    def _start(self, *, index: int) -> Slot:
        child, self._spare = self._spare or self._child(index=index), None
        child.load(
            Load(number=child.next_number(), seconds=self._load_seconds, spec=self.spec, folder=str(self.folder))
        )
        slot = Slot(child, index=index)
        self._slots.append(slot)
        return slot

    def _child(self, *, index: int) -> Child:
        """Start a process. It imports torch by itself; the user's code only when it is asked to load."""
        self._born += 1
        # The first child sees every device and takes the first; the others see one each.
        device = self._cuda_devices[index] if index and self._cuda_devices else None
        given = os.environ if self._walls is None else self._walls.seen.variables
        environment = environment_for_child(given, threads=self.threads, cuda_device=device)
        out = self.out / f"child-{self._born}"
        return Child(folder=self.folder, out=out, environment=environment, walls=self._walls)

    def _give(self, slot: Slot, unit: Unit, round_: Round) -> None:
        slot.unit, slot.left = unit, list(unit.pieces)
        slot.child.perform(
            Perform(
                number=slot.child.next_number(),
                until=round_.limit(unit.pieces, stacked=unit.stack > 1),
                threads=self.threads,
                work=tuple(round_.work[piece] for piece in unit.pieces),
                largest_stack=unit.largest,
            )
        )

    def _events(self) -> dict[Slot, Said]:
        """Look at every child once."""
        events: dict[Slot, Said] = dict(self._watch_limits())
        for slot in self._slots:
            if slot not in events and (said := slot.child.look()) is not None:
                events[slot] = said
        return events

    # -- hearing ------------------------------------------------------------------------------------------------------

    def _hear(self, slot: Slot, said: Said, round_: Round) -> None:
        if slot.loading:
            self._hear_load(slot, said)
            return
        if slot.unit is None:  # it died while it had nothing to do
            self._end([slot])
            return
        if isinstance(said, Part):
            self._keep(slot, said, round_)
            alone = isinstance(said.result, TrialResult) and said.result.updates > 0 and said.result.stacked == 1
            slot.child.allow(until=round_.limit(slot.left, stacked=not alone))
            return
        if isinstance(said, Ending) and said.cause != "garbage":  # what it told in its last moments
            while isinstance(part := slot.child.next_part(), Part):
                self._keep(slot, part, round_)
        unit, left = slot.unit, tuple(slot.left)
        slot.unit, slot.left = None, []
        if isinstance(said, Done):
            for one in said.stacks:
                self.stacks[one.at_once, one.because] += one.trials
            if said.spent or self._is_worn(slot):
                self._end([slot])
            round_.ask_again(recovery.one_by_one(left))  # the process was spent before it did these
            return
        self._end([slot])
        found = recovery.recover(
            unit,
            left,
            said,
            work=round_.work,
            attempt=round_.attempt(left),
            processes=self.processes,
            at_deadline=round_.is_over,
        )
        if found.one_process:
            self.processes = 1
        round_.ask_again(found.again)
        self.performed += len(found.results)
        for piece, result in found.results.items():
            round_.on_done(piece, result, ())

    def _keep(self, slot: Slot, part: Part, round_: Round) -> None:
        """Tell a result."""
        assert slot.unit is not None
        piece = slot.unit.pieces[part.index]
        slot.left.remove(piece)
        self.performed += 1
        round_.on_done(piece, explained(part.result, self._walls), part.files)

    def _hear_load(self, slot: Slot, said: Said) -> None:
        """Take a further child in, or do without it."""
        assert self._first is not None
        if isinstance(said, Loaded):
            slot.loading = False
            self._failed_loads = 0
            if said.environment.data_fingerprint != self._first.environment.data_fingerprint and len(self._slots) > 1:
                self.processes = 1  # every process reads other data: what they measure could not be compared
                self._end([slot])
            return
        self._end([slot])
        if self._slots:
            self.processes = len(self._slots)
            return
        self._failed_loads += 1
        error = self._why(said)
        remote = error.remote_traceback if isinstance(error, UserCodeError) else ""
        self._load_error = UserError(kind=type(error).__name__, message=str(error), traceback=remote)

    def _why(self, said: Said) -> UserCodeError | EngineError:
        factories = f"the model ({self.spec.model.factory}) and the data ({self.spec.data.factory})"
        error = endings.load_error(said, doing=f"building {factories}")
        if self._walls is None or not isinstance(error, UserCodeError):
            return error
        return UserCodeError(f"{error}{hint(str(error), self._walls)}", remote_traceback=error.remote_traceback)

    # -- limits -------------------------------------------------------------------------------------------------------

    def _watch_limits(self) -> list[tuple[Slot, Ending]]:
        """End who passed a limit, and the largest when all together hold more memory than the machine can give."""
        now, limit = time.monotonic(), self.machine.memory_limit
        if now - self._looked_at_limits < LIMITS_EVERY:
            return []
        self._looked_at_limits = now
        passed = [(slot, cause) for slot in self._slots if (cause := slot.child.overstepped()) is not None]
        if passed:
            return [(slot, slot.child.end_for(cause)) for slot, cause in passed]
        held = [(slot.child.held_bytes() or 0, position) for position, slot in enumerate(self._slots)]
        if limit is None or sum(size for size, _ in held) <= limit:
            return []
        slot = self._slots[max(held)[1]]
        return [(slot, slot.child.end_for("memory"))]

    def _is_worn(self, slot: Slot) -> bool:
        limit = self.machine.memory_limit
        return limit is not None and (slot.child.held_bytes() or 0) > WORN * limit

    def _end(self, slots: list[Slot]) -> None:
        end_all([slot.child for slot in slots])
        self.printed += [slot.child.output.text() for slot in slots]
        self._slots = [slot for slot in self._slots if slot not in slots]


def _walls(level: Level, spec: TrainingSpec, folder: Path, machine: Machine) -> Walls | None:
    """Say what stands around each child. Raises UsageError for a folder that would show too much."""
    if level == "process":
        return None
    seen = seen_by(spec, folder, given=os.environ)
    return Walls(level=level, seen=seen, ceilings=ceilings_for(spec, machine, cuda=seen.cuda))
