"""What does a torch function do to what flows through it: an activation, a reshape, a product, or nothing of note?

Names are those of `torch`, `torch.nn.functional` and `Tensor` methods alike; a trailing `_` (in place) is cut before.
"""

from typing import Literal

Activation = Literal["relu", "sigmoid", "tanh", "softmax", "other", "none"]

# Only what is exactly 0 for negative inputs counts as relu: a unit behind any other still has a gradient there.
ACTIVATIONS: dict[str, Activation] = {
    **dict.fromkeys(("relu", "relu6", "threshold"), "relu"),
    **dict.fromkeys(("sigmoid", "expit"), "sigmoid"),
    "tanh": "tanh",
    **dict.fromkeys(("softmax", "log_softmax", "softmin", "gumbel_softmax"), "softmax"),
    **dict.fromkeys(
        (
            *("gelu", "silu", "leaky_relu", "elu", "selu", "celu", "mish", "softplus", "softsign", "prelu", "rrelu"),
            *("glu", "hardswish", "hardsigmoid", "hardtanh", "hardshrink", "softshrink", "tanhshrink", "logsigmoid"),
            *("abs", "sin", "cos", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "pow", "__pow__", "erf"),
            *(
                "clamp",
                "clamp_min",
                "clamp_max",
                "clip",
                "sign",
                "round",
                "maximum",
                "minimum",
                "where",
                "sinh",
                "atan",
            ),
            *("multi_head_attention_forward", "scaled_dot_product_attention", "normalize", "logsumexp", "reciprocal"),
        ),
        "other",
    ),
}
ATTENTION = ("multi_head_attention_forward", "scaled_dot_product_attention")

# Not linear, yet an activation usually follows: they count only where none does.
SOFT = (
    *("layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"),
    *("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "lp_pool2d"),
    *("max", "amax", "min", "amin", "max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices"),
    *("adaptive_max_pool2d_with_indices", "adaptive_max_pool1d_with_indices", "norm", "std", "var"),
)

# Of two things that both depend on the input, a product is not linear: gates, attention scores.
PRODUCTS = (
    *("mul", "__mul__", "__rmul__", "multiply", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "einsum", "dot"),
    *("div", "__truediv__", "__rtruediv__", "divide", "bilinear", "outer", "baddbmm", "addmm", "addcmul", "mv"),
)
# A bounded activation times something else that depends on the input is a gate (swish, an LSTM's, squeeze-and-excite).
GATING = ("mul", "__mul__", "__rmul__", "multiply", "addcmul")
GATES: tuple[Activation, ...] = ("sigmoid", "tanh")
MATRIX_PRODUCTS = ("matmul", "__matmul__", "bmm", "einsum")  # behind a softmax: attention
USES_A_WEIGHT = (*PRODUCTS, "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "tensordot")

# The values stay, only their place or type changes: the operation before them is still the last one.
KEEPS_VALUES = (
    *("view", "reshape", "squeeze", "unsqueeze", "flatten", "unflatten", "permute", "transpose", "t", "movedim"),
    *("contiguous", "clone", "float", "double", "half", "to", "type", "type_as", "cpu", "cuda", "detach", "expand"),
    *("__getitem__", "select", "narrow", "chunk", "split", "unbind", "swapaxes", "ravel", "view_as", "reshape_as"),
    *(
        "requires_grad",
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_dropout",
        "bfloat16",
    ),
    *("identity", "squeeze", "swapdims", "tensor_split", "index_select", "gather", "take_along_dim", "T", "mT"),
)

# Where a bounded last operation ends, were it fed anything: lower and upper bound.
BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, None),
    "exp": (0.0, None),
    "abs": (0.0, None),
    "square": (0.0, None),
    "logsoftmax": (None, 0.0),
    "logsigmoid": (None, 0.0),
}


def plain_name(func: object) -> str:
    """Name a torch function as the tables do: `Tensor.relu_` is `relu`, the property `Tensor.T` is `T`."""
    name = str(getattr(func, "__name__", type(func).__name__))
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(func, "__self__", None), "__name__", name))
    return name if name.endswith("__") else name.rstrip("_")


def bounds(final_operation: str) -> tuple[float | None, float | None]:
    """Give the bounds of a last operation, by the name of its function or module."""
    return BOUNDS.get(final_operation.lower().replace("_", ""), (None, None))
