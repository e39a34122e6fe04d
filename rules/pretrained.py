"""Is most of the model pretrained? Then it is not untrained, and theory of fresh weights says nothing about it."""

from diagnoser.evidence.preflight import ModelProfile

MOST = 0.5  # of the parameters
SAME = 0.10  # at most this share of them differs between two builds (CATALOGUE, pretrained-weights-not-loaded)


def mostly_frozen(model: ModelProfile | None) -> bool:
    """Whether most parameters are frozen, and the same in every build: only loaded weights are both."""
    if model is None or model.parameters == 0:
        return False
    return model.frozen_parameters > MOST * model.parameters and model.frozen_are_random_share <= SAME
