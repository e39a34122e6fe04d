"""How much memory a trial took at most can be read afterwards."""

import sys

import pytest

from diagnoser.training.memory import peak_mb, reset_peak

MANY_MB = 300


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_the_peak_is_remembered_until_it_is_counted_anew() -> None:
    reset_peak()
    before = peak()
    taken = bytearray(MANY_MB * 2**20)
    assert peak() > before + 0.9 * MANY_MB
    del taken
    assert peak() > before + 0.9 * MANY_MB
    reset_peak()
    assert peak() < before + 0.5 * MANY_MB


def peak() -> float:
    found = peak_mb()
    assert found is not None
    return found
