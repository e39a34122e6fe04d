"""Do the model and the loss leave padding out?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile, PaddingProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Padding is not left out",
    why="What fills a row up is no part of it: where it counts, the answer depends on the row's neighbours.",
    since="0.1",
    references=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html",
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Transformer.html",
    ),
)
COUNTED = 0.05  # of what the loss counts: figures are up to so many points too good, as far as a metric can be trusted
NONE_COUNTED = 0.01  # what makes no difference to any figure
ALIKE = 1e-3  # of the spread of answers: the rounding of float32 stays below
MOVED = 0.1  # of that spread, at the typical position: more than a convolution's edge, which padding may move
LOSSES = ("cross_entropy", "nll_loss")  # they have an `ignore_index`


def check(spec: TrainingSpec, model: ModelProfile) -> Iterator[Finding | Passed]:
    padding = model.padding
    if padding is None:
        _without(model)
        return
    if padding.output_change is None and padding.counted_share is None:
        raise Unjudged(_why(model) or "neither the outputs nor the loss could be asked")
    findings = [found for found in (_counted(spec, padding), _moved(model, padding)) if found is not None]
    if findings:
        yield from findings
        return
    yield Passed(observed=_words(padding), expected=EXPECTED)


EXPECTED = "padding changes no answer at a real position, and does not count in the loss"


def _without(model: ModelProfile) -> None:
    if (reason := _why(model)) is not None:
        raise Unjudged(reason)
    raise NotApplicable("rows are not seen to be padded to one length")


def _why(model: ModelProfile) -> str | None:
    said = ("padding:", "is padding left out:", "padding in the loss:")
    return next((line for line in model.unanswered if line.startswith(said)), None)


def _words(padding: PaddingProfile) -> str:
    parts = []
    if padding.output_change is not None:
        parts.append(f"without padding a typical answer moves by {padding.output_change:.2g} of the spread of answers")
    if padding.counted_share is not None:
        parts.append(f"{padding.counted_share:.0%} of what the loss counts is padding")
    return "; ".join(parts)


def _counted(spec: TrainingSpec, padding: PaddingProfile) -> Finding | None:
    share = padding.counted_share
    if share is None or share <= NONE_COUNTED:
        return None
    grave = padding.declared and share > COUNTED
    return Finding(
        title=f"{share:.0%} of what the loss counts is padding",
        message=f"{share:.0%} of the positions that the loss looks at are padding"
        + (f" (target {padding.target_token})" if padding.target_token is not None else "")
        + f". They are guessed at once, so that loss and metric look up to {100 * share:.0f} points better than they "
        "are, and the gradient teaches how to pad."
        + ("" if padding.declared else " That they are padding is told by the token that fills the rows' ends only."),
        severity=Severity.WARNING if grave else Severity.INFO,
        confidence=Confidence.HIGH if padding.declared else Confidence.LOW,  # by definition, or by a pattern
        by_definition=padding.declared,
        observed=_words(padding),
        expected=EXPECTED,
        evidence=("/steps/preflight/model/value/padding/counted_share",),
        fixes=(_ignore(spec, padding),),
        key="loss",
        subject="loss",
    )


def _ignore(spec: TrainingSpec, padding: PaddingProfile) -> Fix:
    title = "Leave padding out of the loss"
    token = padding.target_token
    if spec.loss is not None and spec.loss.name in LOSSES and token is not None and not padding.target_is_real_too:
        return Fix(title=title, patch={"loss.args.ignore_index": token})
    return Fix(
        title=title,
        advice="fill the targets with -100, which `cross_entropy` ignores (`ignore_index`), or multiply the loss of "
        "each position by the mask and divide by its sum",
    )


def _moved(model: ModelProfile, padding: PaddingProfile) -> Finding | None:
    typical, largest = padding.output_change, padding.largest_change
    if typical is None or largest is None:
        return None
    by_batch = padding.made_by == "batch"
    if largest <= ALIKE or (typical <= MOVED and not by_batch):
        return None
    # Attention to nothing is a fault by its construction; poolings and recurrent layers often learn to live with it.
    grave = by_batch and model.attention and typical > MOVED
    where = "" if typical > MOVED else f" The answer that moves most moves by {largest:.2g}."
    return Finding(
        title="The answer depends on how much padding a row has",
        message=f"Read without padding, the rows with the most of it get other answers: at a typical real position "
        f"they move by {typical:.2g} of the spread of answers.{where} "
        + (
            "A batch is padded to its longest row, so the same row gets another answer in another batch."
            if by_batch
            else "All rows are padded to one length, so this can be learned; rows padded to another length would get "
            "other answers."
        ),
        severity=Severity.WARNING if grave else Severity.INFO,
        confidence=Confidence.MEDIUM if grave else Confidence.LOW,  # at initialisation; training may lessen it
        observed=_words(padding),
        expected=EXPECTED,
        evidence=(
            "/steps/preflight/model/value/padding/output_change",
            "/steps/preflight/model/value/padding/largest_change",
        ),
        fixes=(
            Fix(
                title="Mask the padding",
                advice="give attention a `src_key_padding_mask`, recurrent layers `pack_padded_sequence`, and take "
                "means over real positions only",
            ),
        ),
        key="model",
        subject="model",
    )
