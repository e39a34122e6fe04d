"""Faults of arithmetic: formulas by hand, wrong derivatives, too few bits."""

from tests.faults.mutation import Fault, Operator, source, without

BY_HAND = Operator(
    name="logarithm of an exponential",
    categories=("numerical", "loss"),
    rules=("loss-unsafe-at-extremes", "non-finite-loss"),
    source="dslinter; CATALOGUE numerical",
    silent="Silent on these rows: the formula gives NaN as soon as a logit is large.",
)
ROOT_OF_ZERO = Operator(
    name="slope of a root at zero",
    categories=("numerical", "loss"),
    rules=("non-finite-loss", "loss-unsafe-at-extremes", "loss-spikes"),
    source="PyTorch forum: sqrt of a distance of 0 has an infinite slope",
)
WRONG_SLOPE = Operator(
    name="wrong derivative",
    categories=("numerical", "activation"),
    rules=("wrong-custom-gradient",),
    source="CATALOGUE numerical: autograd function written by hand",
)

HALF_SLOPE = Operator(
    name="a term of the derivative forgotten",
    categories=("numerical", "activation"),
    rules=("wrong-custom-gradient",),
    source="CATALOGUE numerical: autograd function written by hand",
)
UNCLIPPED = Operator(
    name="a long recurrence without clipping",
    categories=("numerical", "learning-rate", "optimizer"),
    rules=("gradients-explode", "loss-diverges", "learning-rate-too-high", "non-finite-loss"),
    source="CATALOGUE numerical; Pascanu, Mikolov and Bengio 2013",
)
NO_SLOPE = Operator(
    name="a step that has no slope",
    categories=("activation", "training-loop", "numerical", "architecture"),
    rules=("gradients-vanish", "graph-detached", "unused-parameters"),
    source="PyTorch: the derivative of sign is nought everywhere, and nothing complains",
)

FAULTS: tuple[Fault, ...] = (
    BY_HAND.on(
        "distillation",
        source("F.log_softmax(logits, dim=1)", "torch.log(torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True))"),
    ),
    BY_HAND.on(
        "zero-inflated",
        source(
            "torch.logaddexp(F.logsigmoid(stays), F.logsigmoid(-stays) - rate)",
            "torch.log(torch.sigmoid(stays) + torch.sigmoid(-stays) * torch.exp(-rate))",
        ),
        source("some = F.logsigmoid(-stays) + count", "some = torch.log(1 - torch.sigmoid(stays)) + count"),
    ),
    ROOT_OF_ZERO.on("siamese-pairs", source(".pow(2).sum(1).add(1e-8).sqrt()", ".pow(2).sum(1).sqrt()")),
    WRONG_SLOPE.on(
        "own-activation", source("return grad * (s + x * s * (1 - s))", "return grad * (x * s * (1 - s) - s)")
    ),
    UNCLIPPED.on("rectified-recurrence", without("gradient_clip_norm")),
    NO_SLOPE.on(
        "straight-through", source("self.read(Sign.apply(self.encode(x)))", "self.read(torch.sign(self.encode(x)))")
    ),
    HALF_SLOPE.on(
        "own-activation",
        source("return grad * (s + x * s * (1 - s))", "return grad * x * s * (1 - s)"),
        silent="Nearly silent: the derivative is that of another function; Adam gets by with it here.",
    ),
)
