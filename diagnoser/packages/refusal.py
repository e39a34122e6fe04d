"""What is said of a package that is not taken: one class, whose message names the entry and the reason."""

from diagnoser.errors import DiagnoserError


class PackageError(DiagnoserError):
    """A package is not taken: too large, not well formed, or hostile."""

    code = "package-refused"
    exit_code = 2
