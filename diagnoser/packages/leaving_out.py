"""What is no source, by its name alone? History, environments, caches, secrets, checkpoints and logs of training.

Names are those that the tools themselves give. A Python file is source whatever its name: `credentials.py` is code.
"""

import os
from collections.abc import Collection
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path


class Kind(StrEnum):
    """Why something is left out; the value is what a person reads."""

    SECRET = "secrets"  # noqa: S105 (a word for the user)
    IGNORED = "what .diagnoserignore names"
    IGNORED_BY_GIT = "what .gitignore names"
    CHECKPOINT = "checkpoints"
    LOG = "logs of training"
    DATA_PATH = "what data.paths names (the worker looks for it on its own disk)"
    LINK = "links that lead out of the folder or nowhere"
    NAME = "names that no package can have"
    SPECIAL = "what is neither file nor folder"
    UNREADABLE = "what cannot be read"
    OWN = "what diagnoser wrote"
    HISTORY = "history of version control"
    ENVIRONMENT = "environments"
    CACHE = "caches"


HISTORY = {".git", ".hg", ".svn", ".jj", "CVS"}
CACHE_FOLDERS = {
    *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".cache", ".ipynb_checkpoints"),
    *("node_modules", ".tox", ".nox", ".eggs", ".import_linter_cache", ".pytype"),
}
CACHE_FILES = ("*.pyc", "*.pyo", ".DS_Store", "Thumbs.db", "desktop.ini", "*.swp", "*~")
CACHE_TAG = "CACHEDIR.TAG"  # bford.info/cachedir: the file by which a cache says that it is one
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
LOG_FOLDERS = {"wandb", "lightning_logs", "mlruns", "runs", "tb_logs", ".aim"}
LOG_FILES = ("events.out.tfevents.*",)
CHECKPOINTS = ("*.pt", "*.pth", "*.ckpt", "*.safetensors")
OWN_FILES = {"diagnosis.json", "report.html"}  # both: a folder that `diagnoser run` wrote
PACKAGE = "diagnoser-package.tar.gz"  # what `diagnoser pack` writes
SECRET_FOLDERS = {".aws", ".ssh", ".gnupg", ".kube", ".docker", ".azure", ".gcloud"}
SECRET_FILES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pypirc", ".npmrc", ".pgpass", ".htpasswd"),
    *(".git-credentials", "credentials*", "client_secret*.json", "service[-_]account*.json", "kaggle.json"),
    *("secrets.*", "secret.*", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.ppk"),
    *("*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
)
NO_SECRET = (".env.example", ".env.sample", ".env.template", ".env.dist")  # written to be shared
PRIVATE_KEY = (b"-----BEGIN ", b"PRIVATE KEY-----")  # RFC 7468; Google's service accounts hold one inside JSON
HEAD = 16_384  # bytes that are looked at for it
SOURCE = (".py", ".pyi", ".ipynb")


def folder_kind(name: str, *, holds: Collection[str]) -> Kind | None:
    """Say why a folder is never looked into; `holds`: the names in it."""
    if name in HISTORY:
        return Kind.HISTORY
    if name in SECRET_FOLDERS:
        return Kind.SECRET
    if any(mark in holds for mark in ENVIRONMENT_MARKS):
        return Kind.ENVIRONMENT
    if name in CACHE_FOLDERS or CACHE_TAG in holds:
        return Kind.CACHE
    return Kind.OWN if set(holds) >= OWN_FILES else None


def is_log_folder(name: str, *, holds: Collection[str]) -> bool:
    """Tell whether a folder is a tracker's; one that holds Python files itself is source that bears its name."""
    return name in LOG_FOLDERS and not any(each.endswith(SOURCE) for each in holds)


def is_secret(name: str) -> bool:
    """Tell whether a file's name is one that secrets have."""
    return _matches(name, SECRET_FILES) and not name.endswith(SOURCE) and not _matches(name, NO_SECRET)


def holds_private_key(entry: os.DirEntry[str]) -> bool:
    """Tell whether a file begins with a private key, whatever its name; source is not looked at."""
    if entry.name.endswith(SOURCE):
        return False
    with Path(entry.path).open("rb") as file:
        head = file.read(HEAD)
    begin, end = PRIVATE_KEY
    return begin in head and end in head


def file_kind(name: str) -> Kind | None:
    """Say why a file is left out unless the user takes it back."""
    if name == PACKAGE:
        return Kind.OWN
    if name in HISTORY:
        return Kind.HISTORY  # the file `.git` of a submodule or a second work tree
    for kind, patterns in ((Kind.CACHE, CACHE_FILES), (Kind.LOG, LOG_FILES), (Kind.CHECKPOINT, CHECKPOINTS)):
        if _matches(name, patterns):
            return kind
    return None


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
