"""The child program in which user code runs: `python -P diagnoser/training/__main__.py --folder OUT --parent PID`.

It is started by path, so that no folder and no PYTHONPATH is searched for our package: a user's own module called
`rules`, `reports` or `diagnoser` does not hide ours.
"""

import argparse
import gc
import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Take the requests of the supervisor until it goes."""
    parser = argparse.ArgumentParser(prog="python -m diagnoser.training", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the answers go")
    parser.add_argument("--parent", type=int, required=True, help="the process that this one must not outlive")
    asked = parser.parse_args()
    _find_our_package()
    _import_what_lives_for_ever()
    from diagnoser.training.serving import serve

    serve(out=asked.folder, parent=asked.parent)


def _import_what_lives_for_ever() -> None:
    """Import torch and our part without looking for rubbish meanwhile: a sixth of the start of a child.

    Nor is it looked through later, between the user's batches. torch's optimizers import its compiler at their first
    step, compiled or not, so it belongs to the start.
    """
    gc.disable()
    import torch._dynamo  # noqa: F401

    import diagnoser.training.serving  # noqa: F401

    gc.freeze()
    gc.enable()


def _find_our_package() -> None:
    """Make `diagnoser` the package that this file lies in."""
    if "diagnoser" in sys.modules:
        return
    init = Path(__file__).resolve().parents[1] / "__init__.py"
    spec = importlib.util.spec_from_file_location("diagnoser", init, submodule_search_locations=[str(init.parent)])
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["diagnoser"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    main()
