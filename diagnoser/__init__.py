"""Why a neural network does not train, and the proof of the cure."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diagnoser.findings import Diagnosis
    from diagnoser.notebook import diagnose

__all__ = ["Diagnosis", "diagnose"]

_HOMES = {"diagnose": "diagnoser.notebook", "Diagnosis": "diagnoser.findings"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import diagnoser` alone loads nothing heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'diagnoser' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
