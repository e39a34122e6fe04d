"""Why a neural network does not train, and the proof of the cure."""
