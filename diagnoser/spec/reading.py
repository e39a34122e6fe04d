"""How is `diagnose.yaml` read? Text in, a spec out; or every problem at once, each with file, line and key."""

import json
from collections.abc import Collection, Mapping
from numbers import Integral, Real
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from diagnoser.errors import SpecError, SpecProblem, UsageError
from diagnoser.spec import checks
from diagnoser.spec.fields import SpecSource, TrainingSpec
from diagnoser.spec.hints import hint_for
from diagnoser.spec.meaning import general, hint_for_value, lone_reference
from diagnoser.spec.names import did_you_mean
from diagnoser.spec.references import check_exists
from diagnoser.spec.spelling import Unified, unify
from diagnoser.spec.words import FIELDS, WHOLE_SPEC, found
from diagnoser.spec.yaml_nodes import printable
from diagnoser.spec.yaml_text import KeyPath, dotted, read_yaml

MAX_BYTES = 200_000  # the longest spec that we know of has 4,000; reading this much takes about a second
FILE_NAMES = ("diagnose.yaml", "diagnose.yml")
CALL = "<call>"  # the "file" of a spec that was given in Python
LIVE_OBJECT = "notebook:live_object"  # stands for an object of the caller's, where a file would have `module:attr`


def read_spec(path: Path) -> tuple[TrainingSpec, SpecSource]:
    """Read a file. Raises UsageError when there is none, SpecError with every problem of what it says."""
    path = Path(path)
    if path.is_dir():
        inside = next((name for name in FILE_NAMES if (path / name).is_file()), None)
        hint = f"did you mean `{path / inside}`?" if inside else f"`diagnoser init {path}` writes a spec there"
        raise UsageError(f"{path} is a folder, and a spec is a file; {hint}")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise UsageError(_missing(path)) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    file = str(path)
    if size > MAX_BYTES:
        message = f"the file has {size:,} bytes; a spec has a few hundred, and more than {MAX_BYTES:,} are not read"
        raise SpecError((SpecProblem(file=file, line=None, key="", message=message, hint="is it the right file?"),))
    return parse_spec(_decoded(content, file=file), file=file, folder=path.resolve().parent)


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}, so no {path.name} in it"
    there = sorted(each.name for each in folder.iterdir() if each.suffix in {".yaml", ".yml"})
    suggestion = did_you_mean(path.name, there)
    if suggestion is None and there:
        suggestion = f"the YAML files there: {', '.join(there[:5])}"
    return f"there is no file {path}; {suggestion or '`diagnoser init` writes one to start from'}"


def _decoded(content: bytes, *, file: str) -> str:
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start if not content.startswith((b"\xff\xfe", b"\xfe\xff")) else 0
        line = content.count(b"\n", 0, start) + 1
        if b"\0" in content[:1024]:
            problem = SpecProblem(
                file=file,
                line=None,
                key="",
                message="this is a binary file, and a spec is a text",
                hint="is it the right file?",
            )
        else:
            message = f"the text is not UTF-8: byte 0x{content[start]:02x} on this line"
            problem = SpecProblem(file=file, line=line, key="", message=message, hint="save the file as UTF-8")
        raise SpecError((problem,)) from None


def parse_spec(
    text: str, *, file: str = "diagnose.yaml", folder: Path, check_modules: bool = True
) -> tuple[TrainingSpec, SpecSource]:
    """Read a text. `check_modules=False` where the user's code is not at hand."""
    document = read_yaml(text, file=file)
    reader = _Reader(file=file, lines=document.lines, problems=document.problems)
    spec, unified = reader.read(document.value, folder=folder, check_modules=check_modules)
    lines = {dotted(path): line for path, line in document.lines.items()}
    for path, origin in unified.origins.items():
        for written, line in document.lines.items():
            if written[: len(origin)] == origin:
                lines.setdefault(dotted((*path, *written[len(origin) :])), line)
    return spec, SpecSource(file=file, folder=str(folder), text=text, lines=lines)


def from_mapping(
    mapping: Mapping[str, Any], *, folder: Path | None = None, file: str = CALL, live: Collection[str] = ()
) -> tuple[TrainingSpec, SpecSource]:
    """Read a mapping given in Python; `live`: sections that hold a placeholder for an object of the caller's."""
    problems: list[SpecProblem] = []
    values = _as_yaml(mapping, (), problems=problems, file=file)
    folder = Path.cwd() if folder is None else folder
    reader = _Reader(file=file, lines={}, problems=problems)
    spec, _ = reader.read(values, folder=folder, check_modules=True, live=live)
    return spec, SpecSource(file=file, folder=str(folder), text="", lines={})


def line_of(source: SpecSource, key: str) -> int | None:
    """Return the line of a key, or of the nearest section above it that is written."""
    parts = key.split(".")
    for cut in range(len(parts), 0, -1):
        line = source.lines.get(".".join(parts[:cut]))
        if line is not None:
            return line
    return None


def _as_yaml(value: Any, path: KeyPath, *, problems: list[SpecProblem], file: str) -> Any:
    """Write Python's own values as YAML would hold them; what it cannot hold is a problem."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {
            str(key): _as_yaml(item, (*path, str(key)), problems=problems, file=file) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_as_yaml(item, (*path, index), problems=problems, file=file) for index, item in enumerate(value)]
    if isinstance(value, PurePath):
        return str(value)
    expected = FIELDS.get(general(path), ("a number, a text, a list or a section", ""))[0]
    message = f"expected {expected}, found {found(value)}"
    problems.append(SpecProblem(file=file, line=None, key=dotted(path), message=message))
    return None


class _Reader:
    """Collects what is wrong with one spec; each place is complained about once."""

    def __init__(self, *, file: str, lines: dict[KeyPath, int], problems: list[SpecProblem]) -> None:
        self.file = file
        self.lines = lines
        self.problems = problems
        self._reported: set[KeyPath] = set()
        self._unified = Unified()

    def read(
        self, raw: Any, *, folder: Path, check_modules: bool, live: Collection[str] = ()
    ) -> tuple[TrainingSpec, Unified]:
        if not isinstance(raw, Mapping):
            self._not_a_mapping(raw)
            raise SpecError(tuple(self.problems))
        self._unified = unify(raw)
        for written, message, hint in self._unified.problems:
            self._add(written, message, hint)
        values = dict(self._unified.values)
        values.setdefault("name", folder.resolve().name or "training")
        checks.check(values, self.report)
        self._check_length(values)
        if check_modules:
            self._check_modules(values, folder=folder, live=live)
        spec = self._validated(values)
        if spec is not None:
            checks.check_search_values(spec, self.report)
        if self.problems or spec is None:
            raise SpecError(tuple(sorted(self.problems, key=lambda problem: problem.line or 0)))
        return spec, self._unified

    def report(self, path: KeyPath, message: str, hint: str | None) -> None:
        """Report a problem at a unified path; a place that was complained about is left alone."""
        if not any(path[: len(done)] == done or done[: len(path)] == path for done in self._reported):
            self._reported.add(path)
            self._add(self._unified.written(path), message, hint)

    def line_of(self, written: KeyPath) -> int | None:
        for cut in range(len(written), 0, -1):
            line = self.lines.get(written[:cut])
            if line is not None:
                return line
        return None

    def _add(self, written: KeyPath, message: str, hint: str | None) -> None:
        line, key = self.line_of(written), dotted(written)
        if not any((problem.line, problem.key) == (line, key) for problem in self.problems):
            hint = None if hint is None else printable(hint)
            problem = SpecProblem(file=self.file, line=line, key=key, message=printable(message), hint=hint)
            self.problems.append(problem)

    def _check_length(self, values: Mapping[str, Any]) -> None:
        if values.get("epochs") is not None and values.get("steps") is not None:
            lines = sorted(self.lines[key,] for key in ("epochs", "steps") if (key,) in self.lines)
            where = f", on lines {lines[0]} and {lines[1]}" if lines else ""
            self.report(("steps",), f"`epochs` and `steps` both say how long to train{where}", "keep one of them")

    def _not_a_mapping(self, raw: Any) -> None:
        message = "the file says nothing" if raw is None else f"expected lines of `key: value`, found {found(raw)}"
        self.problems.append(
            SpecProblem(file=self.file, line=None if raw is None else 1, key="", message=message, hint=WHOLE_SPEC)
        )

    def _check_modules(self, values: Mapping[str, Any], *, folder: Path, live: Collection[str]) -> None:
        for path, _ in checks.FACTORIES:
            reference = checks.at(values, path)
            if (
                isinstance(reference, str)
                and path not in self._reported
                and reference != LIVE_OBJECT
                and path[0] not in live
            ):
                problem = check_exists(reference, folder=folder)
                if problem is not None:
                    self.report(path, *problem)

    # --- types -------------------------------------------------------------------------------------------------------

    def _validated(self, values: dict[str, Any]) -> TrainingSpec | None:
        values = _whole_numbers(values)
        try:
            return TrainingSpec.model_validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_context=False):
                path = _path_of(each["loc"])
                if each["type"] == "missing":
                    self._missing(path, values)
                elif each["type"] == "extra_forbidden":
                    self._unknown(path, checks.at(values, path))
                elif path:
                    self._wrong(path, checks.at(values, path))
                elif not self.problems:
                    self._add((), f"this is no spec: {each['msg']}", None)
        return None

    def _missing(self, path: KeyPath, values: Mapping[str, Any]) -> None:
        expected, purpose = FIELDS[general(path)]
        section = path[:-1]
        given = checks.at(values, section) if section else None
        lone = lone_reference(given)
        if lone is not None:
            message = f"expected {FIELDS[general(section)][0]}, found {found(given)}"
            self.report(section, message, f"write `{dotted(section)}: {lone}`, without the blank")
        elif path in self.lines:
            self.report(path, f"expected {expected}, found nothing", None)
        else:
            self.report(
                path, f"this key is missing; expected {expected}", f"{purpose[:1].lower()}{purpose[1:].rstrip('.')}"
            )

    def _unknown(self, path: KeyPath, value: Any) -> None:
        section = dotted(path[:-1])
        where = f"`{section}` has no such key" if section else "a spec has no such key"
        self.report(path, where, hint_for(path))

    def _wrong(self, path: KeyPath, value: Any) -> None:
        expected = FIELDS.get(general(path), ("a value that YAML can hold: a number, a text, a list or a section", ""))[
            0
        ]
        self.report(path, f"expected {expected}, found {found(value)}", hint_for_value(path, value, expected))


def _path_of(location: tuple[int | str, ...]) -> KeyPath:
    """Drop what pydantic adds for the members of a union."""
    return location[:2] if location[:1] == ("search",) else location


def _whole_numbers(value: Any, path: KeyPath = ()) -> Any:
    """`steps: 1e4` is a whole number, though YAML calls it a float."""
    if "args" in path or "plain_args" in path or path[:1] == ("search",):
        return value
    if isinstance(value, dict):
        return {key: _whole_numbers(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, float) and value.is_integer() and "whole number" in FIELDS.get(general(path), ("", ""))[0]:
        return int(value)
    return value
