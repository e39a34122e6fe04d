"""What kind of layer is a module: with weights, an activation, a normalisation, dropout, recurrent?"""

from torch import Tensor, nn

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)  # noqa: SLF001 - the one class that all BatchNorms share
NORMS = (
    *BATCH_NORMS,
    nn.modules.instancenorm._InstanceNorm,  # noqa: SLF001
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    *((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
)
DROPOUTS = (nn.modules.dropout._DropoutNd,)  # noqa: SLF001 - the one class that all dropouts share
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
CONVOLUTIONS = (nn.modules.conv._ConvNd,)  # noqa: SLF001 - the one class that all convolutions share
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
WEIGHT_LAYERS = (nn.Linear, nn.Bilinear, *CONVOLUTIONS, *RECURRENT, nn.MultiheadAttention)
ACTIVATION_MODULES = tuple(
    kind
    for kind in vars(nn.modules.activation).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and kind not in (nn.Module, nn.MultiheadAttention)
)
SATURATION = {"sigmoid": 5.0, "tanh": 2.5}  # the derivative is below 0.01 and 0.03 there (CATALOGUE, activation)


def owns_parameters(module: nn.Module) -> bool:
    return next(iter(module.parameters(recurse=False)), None) is not None


def is_layer(module: nn.Module) -> bool:
    """Tell whether a module has a line of its own in the profile."""
    return owns_parameters(module) or isinstance(
        module, (*ACTIVATION_MODULES, *DROPOUTS, *NORMS, nn.MultiheadAttention)
    )


def spread(tensor: Tensor | None) -> float | None:
    """Give the standard deviation of all values; None for integers and for fewer than two values."""
    if tensor is None or not tensor.is_floating_point() or tensor.numel() < 2:
        return None
    return tensor.detach().float().std(unbiased=False).item()
