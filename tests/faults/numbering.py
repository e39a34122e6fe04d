"""Which id has a case in the corpus? Ids tell nothing, and never change once given."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

IDS = Path(__file__).parent / "ids.json"


def read() -> dict[str, str]:
    """Key -> id, of all cases that were ever numbered."""
    return json.loads(IDS.read_text(encoding="utf-8")) if IDS.is_file() else {}


def with_new(keys: Collection[str], known: Mapping[str, str]) -> dict[str, str]:
    """Number those that have no id yet, in an order that tells nothing either."""
    ids = dict(known)
    first = 1 + max((int(name[1:]) for name in ids.values()), default=0)
    new = sorted((key for key in keys if key not in ids), key=_hash)
    return ids | {key: f"m{number:03}" for number, key in enumerate(new, start=first)}


def write(ids: Mapping[str, str]) -> None:
    """Keep the ids beside the operators."""
    lines = sorted(ids.items(), key=lambda item: item[1])
    IDS.write_text(json.dumps(dict(lines), indent=1) + "\n", encoding="utf-8")


def held_out(case: str) -> bool:
    """Whether a case stays aside while rules are written: a third, by a hash of the id."""
    return int(_hash(case), 16) % 3 == 0


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
