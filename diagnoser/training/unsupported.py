"""What is said when something cannot work on this model, through nobody's fault."""


class Unsupported(Exception):  # noqa: N818  # the word that the records use
    """A probe, transform or control that has no meaning here; `reason` is shown to the user as it stands."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
