"""Why can trials not be trained as one model?"""


class Unstackable(Exception):  # noqa: N818  # not an error: the trials are run one after the other instead
    """Says in the user's words why trials cannot be trained as one model."""
