"""How is torchvision imported beside a torch of another build? Its Python part needs two operators to be declared.

fastai, BackPACK and Lightning's metrics import torchvision, whose package brings compiled operators that load only
beside the torch they were built with (the one with CUDA, say). Nothing here calls them: declaring the two that the
import asks for is enough.
"""

import importlib
from typing import Any

import torch

_kept: list[Any] = []  # a declaration lives as long as its library


def make_importable() -> None:
    """Import torchvision, with its two operators declared first where its own cannot be loaded."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        importlib.import_module("torchvision")
