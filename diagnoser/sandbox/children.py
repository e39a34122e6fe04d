"""Which child does what next? A few children, one piece of work each at a time, in order.

A child that dies, hangs or takes the machine's memory costs its own piece of work and nothing else: another is started
and the rest goes on. They are looked at one after the other, in the thread of the caller.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path

from diagnoser.errors import EngineError, UserCodeError
from diagnoser.messages import Done, Failed, Load, Loaded, Perform, Refused, Result, Work
from diagnoser.sandbox import endings
from diagnoser.sandbox.limits import Machine, resident_bytes, seconds_for
from diagnoser.sandbox.supervisor import Child, Ending, end_all, environment_for_child
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Probe, ProbeKind, UserError

ATTEMPTS = 2  # of a piece of work that takes its process with it: chance once, itself twice
FAILED_LOADS = 2  # in a row, of children that were to replace one that could load
MEMORY_EVERY = 0.5  # seconds between looks at the children's memory
PATIENCE = 1 / 20  # of the time since the last event is slept between two looks: answers are at most 5 % late
SHORTEST_SLEEP, LONGEST_SLEEP = 0.001, 0.02  # seconds
WORN = 0.5  # share of the memory limit: an idle child above it is replaced, before its leak kills somebody's trial

OnDone = Callable[[int, Result, tuple[str, ...]], None]
"""Index, result, and the user's files that are imported by now."""


Said = Loaded | Refused | Done | Failed | Ending


class Slot:
    """A place for one child, with what it is doing."""

    def __init__(self, child: Child, *, index: int) -> None:
        self.child = child
        self.index = index
        self.loading = True
        self.piece: int | None = None

    @property
    def is_busy(self) -> bool:
        return self.loading or self.piece is not None


def needs_quiet(work: Work) -> bool:
    """Tell whether a neighbour would change the answer: what a step costs is measured last, and alone."""
    return isinstance(work, Probe) and work.probe is ProbeKind.SYSTEM


class Children:
    """The children of one machine for one spec."""

    def __init__(
        self, *, spec: TrainingSpec, folder: Path, out: Path, machine: Machine, processes: int, load_seconds: float
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.out = out
        self.machine = machine
        self.processes = processes
        self.threads = max(1, machine.cores // processes)
        self.performed = 0  # pieces of work that a child began and that came to an end
        self.printed: list[str] = []  # by children that are gone
        self._load_seconds = load_seconds
        self._slots: list[Slot] = []
        self._first: Loaded | None = None
        self._failed_loads = 0
        self._load_error: UserError | None = None
        self._born = 0
        self._cuda_devices: tuple[str, ...] = ()
        self._looked_at_memory = 0.0

    def open(self) -> Loaded:
        """Start the first child; raises UserCodeError when it cannot build a model and a batch."""
        slot = self._start(index=0)
        try:
            while (said := self._events().get(slot)) is None:
                time.sleep(LONGEST_SLEEP)
        except BaseException:
            self.close()
            raise
        if isinstance(said, Loaded):
            slot.loading = False
            self._first = said
            self._settle(said, resident=resident_bytes(slot.child.pid))
            return said
        self.close()
        raise self._why(said)

    def run(self, work: Mapping[int, Work], *, deadline: float, on_done: OnDone) -> None:
        """Do all of it; whatever is not done at `deadline` is `timed_out`."""
        waiting = deque(sorted(work, key=lambda index: (needs_quiet(work[index]), index)))
        attempts: Counter[int] = Counter()
        last_event = time.monotonic()
        while waiting or any(slot.piece is not None for slot in self._slots):
            now = time.monotonic()
            if now >= deadline and waiting:
                for index in waiting:
                    on_done(index, endings.lost(work[index], outcome=Outcome.TIMED_OUT, error=None), ())
                waiting.clear()
            if not self._can_start():
                for index in waiting:
                    lost = endings.lost(work[index], outcome=Outcome.WORKER_LOST, error=self._load_error)
                    on_done(index, lost, ())
                waiting.clear()
            self._fill(waiting, work, deadline=deadline)
            events = self._events()
            for slot, said in events.items():
                self._hear(slot, said, work=work, waiting=waiting, attempts=attempts, on_done=on_done)
            if events:
                last_event = time.monotonic()
            else:
                quiet = (time.monotonic() - last_event) * PATIENCE
                time.sleep(min(LONGEST_SLEEP, max(SHORTEST_SLEEP, quiet)))

    def end_busy(self) -> None:
        """End the children whose work nobody waits for any more."""
        self._end([slot for slot in self._slots if slot.piece is not None])

    def close(self) -> None:
        """End every child."""
        self._end(list(self._slots))

    def output(self) -> str:
        """Give what the user's code printed, child after child."""
        return "\n".join([*self.printed, *(slot.child.output.text() for slot in self._slots)])

    # -- starting -----------------------------------------------------------------------------------------------------

    def _settle(self, loaded: Loaded, *, resident: int | None) -> None:
        """Decide how many children there will be, now that the size of one is known."""
        if loaded.cuda_devices:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(loaded.cuda_devices)))
            self._cuda_devices = tuple(visible.split(","))[: loaded.cuda_devices]
            self.processes = len(self._cuda_devices) if self.spec.device in ("auto", "cuda") else 1
        elif self.processes > 1:
            self.processes = self.machine.fitting(resident, wanted=self.processes)
        self.threads = max(1, self.machine.cores // self.processes)

    def _can_start(self) -> bool:
        return bool(self._slots) or self._failed_loads < FAILED_LOADS

    def _fill(self, waiting: "deque[int]", work: Mapping[int, Work], *, deadline: float) -> None:
        surplus = len(self._slots) - self.processes
        self._end([slot for slot in self._slots if not slot.is_busy][: max(0, surplus)])
        for slot in self._slots:
            if waiting and needs_quiet(work[waiting[0]]) and any(other.is_busy for other in self._slots):
                return
            if waiting and not slot.is_busy:
                slot.piece = waiting.popleft()
                self._give(slot, work[slot.piece], deadline=deadline)
        unclaimed = len(waiting) - sum(slot.loading for slot in self._slots)
        worth_it = unclaimed > 1 or (unclaimed == 1 and not self._slots)  # a start costs seconds of a core
        if worth_it and len(self._slots) < self.processes and self._failed_loads < FAILED_LOADS:
            taken = {slot.index for slot in self._slots}
            self._start(index=next(index for index in range(self.processes) if index not in taken))

    def _start(self, *, index: int) -> Slot:
        self._born += 1
        # The first child sees every device and takes the first; the others see one each.
        device = self._cuda_devices[index] if index and self._cuda_devices else None
        environment = environment_for_child(os.environ, threads=self.threads, cuda_device=device)
        child = Child(folder=self.folder, out=self.out / f"child-{self._born}", environment=environment)
        child.load(
            Load(number=child.next_number(), seconds=self._load_seconds, spec=self.spec, folder=str(self.folder))
        )
        slot = Slot(child, index=index)
        self._slots.append(slot)
        return slot

    def _give(self, slot: Slot, work: Work, *, deadline: float) -> None:
        own = seconds_for(work)
        slot.child.perform(
            Perform(
                number=slot.child.next_number(),
                until=deadline if own is None else min(deadline, time.monotonic() + own),
                threads=self.threads,
                work=(work,),
            )
        )

    def _events(self) -> dict[Slot, Said]:
        """Look at every child once."""
        events: dict[Slot, Said] = dict(self._watch_memory())
        for slot in self._slots:
            if slot not in events and (said := slot.child.look()) is not None:
                events[slot] = said
        return events

    # -- hearing ------------------------------------------------------------------------------------------------------

    def _hear(
        self,
        slot: Slot,
        said: Said,
        *,
        work: Mapping[int, Work],
        waiting: "deque[int]",
        attempts: "Counter[int]",
        on_done: OnDone,
    ) -> None:
        if slot.loading:
            self._hear_load(slot, said)
            return
        piece, slot.piece = slot.piece, None
        if piece is None:  # it died while it had nothing to do
            self._end([slot])
            return
        if isinstance(said, Done) and len(said.results) == 1:
            if said.spent or self._is_worn(slot):
                self._end([slot])
            self.performed += 1
            on_done(piece, said.results[0], said.files)
            return
        self._end([slot])
        attempts[piece] += 1
        if isinstance(said, Ending):
            if said.cause == "memory" and self.processes > 1:  # two together were too much: nobody's fault
                self.processes = 1
                waiting.appendleft(piece)
            elif attempts[piece] < ATTEMPTS and said.cause != "memory" and not endings.is_final(said):
                waiting.appendleft(piece)
            else:
                self.performed += 1
                on_done(piece, endings.result_of(work[piece], said), ())
            return
        message, traceback = (said.message, said.traceback) if isinstance(said, Failed) else ("unexpected answer", "")
        error = UserError(kind="EngineError", message=message, traceback=traceback)
        on_done(piece, endings.lost(work[piece], outcome=Outcome.WORKER_LOST, error=error), ())

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

    def _why(self, said: Refused | Done | Failed | Ending) -> UserCodeError | EngineError:
        doing = f"building the model ({self.spec.model.factory}) and the data ({self.spec.data.factory})"
        if isinstance(said, Ending):
            return endings.load_error(said, doing=doing)
        if isinstance(said, Refused):
            return UserCodeError(said.message, remote_traceback=said.traceback)
        detail = f"{said.message}\n{said.traceback}" if isinstance(said, Failed) else "unexpected answer"
        return EngineError(f"{doing}: {detail}")

    # -- memory -------------------------------------------------------------------------------------------------------

    def _watch_memory(self) -> list[tuple[Slot, Ending]]:
        """End the largest child when all of them together hold more than the machine can give."""
        now, limit = time.monotonic(), self.machine.memory_limit
        if limit is None or now - self._looked_at_memory < MEMORY_EVERY:
            return []
        self._looked_at_memory = now
        held = [(resident_bytes(slot.child.pid) or 0, position) for position, slot in enumerate(self._slots)]
        if sum(size for size, _ in held) <= limit:
            return []
        slot = self._slots[max(held)[1]]
        return [(slot, slot.child.end_for("memory"))]

    def _is_worn(self, slot: Slot) -> bool:
        limit = self.machine.memory_limit
        return limit is not None and (resident_bytes(slot.child.pid) or 0) > WORN * limit

    def _end(self, slots: list[Slot]) -> None:
        end_all([slot.child for slot in slots])
        self.printed += [slot.child.output.text() for slot in slots]
        self._slots = [slot for slot in self._slots if slot not in slots]
