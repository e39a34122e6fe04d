"""What is a mutation? A small pure change of a healthy program, and the truth about what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.faults import programs
from tests.faults.programs import Program

Edit = Callable[[Program], Program]
SOURCE = "project.py"


class MutationError(Exception):
    """A mutation does not fit the program that it was written for."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One operator on one healthy program, with the truth about the program that comes out."""

    program: str
    operator: str
    edit: Edit
    categories: tuple[str, ...]  # any of them is right; the first is the main one
    rules: tuple[str, ...]
    effect: Literal["worse", "silent", "hint"]
    note: str | None
    source: str

    @property
    def faulty(self) -> bool:
        """Whether something is wrong; a hint is worth a line (`info`), and an alarm about it is a false one."""
        return self.effect != "hint"

    @property
    def key(self) -> str:
        """What the fault is called in our own files; never in the corpus."""
        return f"{self.program}/{self.operator}"

    def program_with_fault(self) -> Program:
        """The program that comes out."""
        return self.edit(programs.read(self.program))


@dataclass(frozen=True, kw_only=True)
class Operator:
    """What is done to programs, and what may rightly be said about each of them afterwards."""

    name: str
    categories: tuple[str, ...]
    rules: tuple[str, ...]
    source: str
    silent: str | None = None  # why it is wrong although the metric does not show it
    hint: str | None = None  # why it is worth a line although nothing is wrong: the program stays a healthy one

    def on(
        self,
        program: str,
        *edits: Edit,
        silent: str | None = None,
        worse: bool = False,
        also: tuple[tuple[str, str], ...] = (),
    ) -> Fault:
        """The fault in one program; `also`: further (category, rule) pairs that are right there, rule "" for none."""
        note = None if worse else silent or self.silent or self.hint
        return Fault(
            program=program,
            operator=self.name,
            edit=chain(*edits),
            categories=_once(self.categories + tuple(category for category, _ in also)),
            rules=_once(self.rules + tuple(rule for _, rule in also if rule)),
            effect="hint" if self.hint else "worse" if note is None else "silent",
            note=note,
            source=self.source,
        )


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def chain(*edits: Edit) -> Edit:
    """One edit after the other."""

    def apply(program: Program) -> Program:
        for edit in edits:
            program = edit(program)
        return program

    return apply


def source(old: str, new: str, *, file: str = SOURCE) -> Edit:
    """Exchange a piece of the source. Raises MutationError unless it is there exactly once."""

    def apply(program: Program) -> Program:
        text = program.sources[file]
        if text.count(old) != 1:
            raise MutationError(f"{program.name}: {old!r} is there {text.count(old)} times, not once")
        return replace(program, sources={**program.sources, file: text.replace(old, new)})

    return apply


def appended(text: str, *, file: str = SOURCE) -> Edit:
    """Write something at the end of the source."""

    def apply(program: Program) -> Program:
        return replace(program, sources={**program.sources, file: f"{program.sources[file]}\n\n{text}"})

    return apply


def spec(**values: Any) -> Edit:
    """Set keys of the spec; `__` stands for the dot of a section's key."""

    def apply(program: Program) -> Program:
        changed = program.spec
        for key, value in values.items():
            changed = _set(changed, tuple(key.split("__")), lambda _old, value=value: value)
        return _changed(program, changed)

    return apply


def times(factor: float, *, key: str = "optimizer.lr") -> Edit:
    """Multiply a number of the spec."""

    def apply(program: Program) -> Program:
        return _changed(program, _set(program.spec, tuple(key.split(".")), lambda old: float(f"{old * factor:.6g}")))

    return apply


def without(key: str) -> Edit:
    """Leave a key of the spec out."""

    def apply(program: Program) -> Program:
        return _changed(program, {name: value for name, value in program.spec.items() if name != key})

    return apply


def _changed(program: Program, changed: Mapping[str, Any]) -> Program:
    if changed == program.spec:
        raise MutationError(f"{program.name}: the spec says so already")
    return replace(program, spec=changed)


def _set(section: Mapping[str, Any], path: tuple[str, ...], new: Callable[[Any], Any]) -> dict[str, Any]:
    first, *rest = path
    old = section.get(first)
    return {**section, first: _set(old or {}, tuple(rest), new) if rest else new(old)}
