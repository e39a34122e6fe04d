"""What is a record here: immutable, closed, and honest about NaN."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

__all__ = ["Float", "JsonValue", "Record", "is_finite"]


class Record(BaseModel):
    """Immutable, closed, and honest about NaN, which is a finding here and no accident."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class _NonFiniteAsString:
    """The JSON Schema of a number that our files write as "NaN", "Infinity" or "-Infinity" when it is not finite."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        non_finite: list[Any] = ["NaN", "Infinity", "-Infinity"]
        return {"anyOf": [{"type": "number"}, {"enum": non_finite}]}


Float = Annotated[float, _NonFiniteAsString]
"""A float that may be NaN or infinite: written as a string in JSON, read back as a float."""


def is_finite(value: float | None) -> bool:
    """Tell whether there is a number, and a finite one."""
    return value is not None and math.isfinite(value)
