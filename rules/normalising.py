"""What do rules about signals that fade or blow up propose, where nothing normalises them? One fix, tried once."""

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Fix
from diagnoser.trials import Transform

INSERT = Fix(
    title="Normalise between the hidden layers",
    transforms=(Transform.INSERT_NORM,),
    advice="`nn.LayerNorm` behind hidden linear layers and `nn.GroupNorm` behind convolutions, before the activation",
)


def fixes(model: ModelProfile | None) -> tuple[Fix, ...]:
    """The fix, where no layer of the model normalises yet; nothing where one does, or nobody looked."""
    normalised = model is None or any("Norm" in layer.type for layer in model.layers)
    return () if normalised else (INSERT,)
