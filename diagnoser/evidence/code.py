"""What does a file of the user's say? A hash that comments, blank lines and layout do not change.

Covers: everything that Python makes of the file, docstrings too, since code may read them (`__doc__`).
Does not cover: code that reads its own text or line numbers (`inspect.getsource`, the type comments of
`torch.jit.script`): a comment there is no comment.
"""

import ast
import functools
import hashlib
import warnings

KEPT = 256  # files whose hash is remembered: a file that is imported late is asked for with every result


@functools.lru_cache(maxsize=KEPT)
def hash_of_code(content: bytes, *, name: str) -> str:
    """Hash the syntax tree of a Python file; the bytes of any other, and of one that is no valid Python."""
    said = _tree(content) if name.endswith(".py") else None
    if said is None:
        return hashlib.sha256(b"bytes\0" + content).hexdigest()
    return hashlib.sha256(b"tree\0" + said.encode("utf-8", "surrogatepass")).hexdigest()


def _tree(content: bytes) -> str | None:
    """Write the syntax tree out, without line numbers; None when there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on an invalid escape Python has warned already, when it was imported
            return ast.dump(ast.parse(content), include_attributes=False)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # MemoryError: the parser's word for too deep
        return None
