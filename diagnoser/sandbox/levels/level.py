"""Which levels are there? From the strongest on."""

from typing import Literal, get_args

Level = Literal["bwrap", "landlock", "process"]
LEVELS: tuple[Level, ...] = get_args(Level)
