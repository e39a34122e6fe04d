"""Which models show that there is something to learn? The simple ones, and the reference network.

The reference network is a control of the data: where it learns, the fault lies in the model or in its training. It is
no yardstick of quality: being beaten by a perceptron is no fault of a linear model, nor of a short run.
"""

from diagnoser.evidence.preflight import Baselines, Reference, Score

WORDS = {
    "linear": "linear model",
    "knn": "k-nearest-neighbour model",
    "bigram": "bigram table",
}
NETWORKS = {
    "perceptron": "perceptron",
    "convolution": "convolutional network",
    "recurrent": "recurrent network",
    "bag_of_embeddings": "network on embeddings",
    "transformer": "causal transformer",
}


def simple(baselines: Baselines) -> tuple[Score, ...]:
    """The simple models, but for the one that looks at no row."""
    return tuple(score for score in baselines.scores if score.name != "majority")


def best(baselines: Baselines, *, sign: float) -> tuple[str, float] | None:
    """The best of them on validation, the reference network included, in words and its figure."""
    known = [(WORDS[score.name], score.validation) for score in simple(baselines)]
    if baselines.reference is not None:
        known.append((network(baselines.reference), baselines.reference.validation))
    return max(known, key=lambda one: sign * one[1], default=None)


def network(reference: Reference) -> str:
    """The reference network in words."""
    return f"small {NETWORKS[reference.network]} of ours ({reference.updates:,} updates)"
