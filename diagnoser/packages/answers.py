"""What does the process that reads a package answer? Either what it found, or why it refuses; as JSON on stdout."""

from typing import Literal

from pydantic import Field, RootModel

from diagnoser.packages.manifest import Manifest
from diagnoser.records import Record


class Taken(Record):
    status: Literal["taken"] = "taken"
    manifest: Manifest


class Refused(Record):
    status: Literal["refused"] = "refused"
    because: str


class Answer(RootModel[Taken | Refused]):
    root: Taken | Refused = Field(discriminator="status")
