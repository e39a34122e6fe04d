"""What does attention with dropout compute, so that the masks can come from elsewhere?

`F.scaled_dot_product_attention` draws its mask in C++, where nobody can hand it one. This is its path for dropout on
the CPU (`_scaled_dot_product_attention_math`) with the same roundings: a test holds the two together, bit for bit.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

_LOW = (torch.float16, torch.bfloat16)


def attention(
    query: Tensor,  # (..., L, E)
    key: Tensor,  # (..., S, E)
    value: Tensor,  # (..., S, V)
    attn_mask: Tensor | None,  # of a shape that broadcasts to (..., L, S)
    *,
    dropout_p: float,
    is_causal: bool,
    scale: float | None = None,
    enable_gqa: bool = False,
    dropout: Callable[[Tensor, float, bool], Tensor],
) -> Tensor:  # (..., L, V)
    """Compute `F.scaled_dot_product_attention` with a dropout of the caller's."""
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    device = query.device.type
    if torch.is_autocast_enabled(device):
        low = torch.get_autocast_dtype(device)
        query, key, value = (_lowered(tensor, low) for tensor in (query, key, value))
        attn_mask = None if attn_mask is None else _lowered(attn_mask, low)
    with torch.autocast(device, enabled=False):
        given = query.dtype
        if given in _LOW:
            query, key, value = query.float(), key.float(), value.float()
        root = math.sqrt(1.0 / math.sqrt(query.size(-1)) if scale is None else abs(scale))  # on both sides: stabler
        query = query * (root if scale is None or scale >= 0 else -root)
        if is_causal:
            attn_mask = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            nothing = torch.zeros((), dtype=query.dtype, device=query.device)
            attn_mask = torch.where(attn_mask, nothing, -math.inf)
        if enable_gqa:
            key, value = (tensor.repeat_interleave(query.size(-3) // tensor.size(-3), -3) for tensor in (key, value))
        scores = torch.matmul(query, key.transpose(-2, -1) * root)  # (..., L, S)
        if attn_mask is not None:
            scores = scores + attn_mask
        weights = torch.softmax(scores, -1)
        if attn_mask is not None:  # torch's "safe" softmax: a row that may look nowhere sees nothing, not NaN
            weights = torch.where((scores == -math.inf).all(-1, keepdim=True), 0.0, weights)
        return torch.matmul(dropout(weights, dropout_p, True), value).to(given)


def _lowered(tensor: Tensor, low: torch.dtype) -> Tensor:
    castable = tensor.is_floating_point() and tensor.dtype != torch.float64
    return tensor.to(low) if castable else tensor
