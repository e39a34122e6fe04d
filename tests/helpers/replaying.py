"""What does a text become when a unified diff is applied to it? By the rules of the format, not by our own code."""

import re

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def replay(texts: dict[str, str], diff: str) -> dict[str, str]:
    """All texts by name, those changed that the diff names; every context and removed line must be there."""
    lines = {name: text.splitlines() for name, text in texts.items()}
    done: dict[str, list[str]] = {}
    name, at = "", 0
    for line in diff.splitlines():
        if line.startswith("--- "):
            _finish(done, lines, name, at)
            name, at = line.removeprefix("--- ").strip(), 0
            done[name] = []
        elif line.startswith("+++ "):
            assert line.removeprefix("+++ ").strip() == name
        elif (hunk := HUNK.match(line)) is not None:
            start, count = int(hunk[1]), int(hunk[2] or 1)
            begin = start - 1 if count else start
            done[name] += lines[name][at:begin]
            at = begin
        elif line.startswith("+"):
            done[name].append(line[1:])
        else:
            assert lines[name][at] == line[1:], f"{name}:{at + 1} is not {line[1:]!r}"
            at += 1
            if line.startswith(" "):
                done[name].append(line[1:])
    _finish(done, lines, name, at)
    return {**texts, **{name: "\n".join(new) + "\n" for name, new in done.items()}}


def _finish(done: dict[str, list[str]], lines: dict[str, list[str]], name: str, at: int) -> None:
    if name:
        done[name] += lines[name][at:]
