"""How is a stack trained? N trials in lockstep as one batched model; each ends on its own, and the rest goes on."""

import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from diagnoser.training.failures import USER_STOPS, is_ours, is_out_of_memory
from diagnoser.training.loop import begin, conclude, fail
from diagnoser.training.preparation import Prepared
from diagnoser.training.stacked.alikeness import require_alike
from diagnoser.training.stacked.chance import DrawsNothing
from diagnoser.training.stacked.feeding import Fed, Feed
from diagnoser.training.stacked.forward import StackedLoss, trained_parameters
from diagnoser.training.stacked.joining import Joined
from diagnoser.training.stacked.masks import Masks, generators_like_lone
from diagnoser.training.stacked.optimisers import StackedOptimizer, clip_, layout
from diagnoser.training.stacked.trying import Try
from diagnoser.training.stacked.unstackable import Unstackable
from diagnoser.training.watching import Stop, StoppedBy, Watch
from diagnoser.trials import TrialResult

_WATCHED = 3  # updates in which chance in the forward pass is looked for
_LONGEST_REASON = 120  # characters

OnResult = Callable[[int, TrialResult], None]


@dataclass(kw_only=True)
class Member:
    """One trial of a stack."""

    index: int  # of the caller
    prepared: Prepared
    watch: Watch
    random_state: Tensor  # torch's, at the point where its training begins
    measured: dict[str, Any] = field(default_factory=dict)


def train_together(members: Sequence[Member], *, on_result: OnResult, trying: Try | None) -> None:
    """Train all of them to their ends. Raises Unstackable, and then who has no result yet must run alone.

    `trying` follows the first steps and refuses a stack that is slower, or no twin of its first trial alone.
    """
    begun = [member for member in members if _begun(member, on_result)]
    if not begun:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")  # the timed try is the judge of that
        try:
            _Stack(begun, on_result=on_result, trying=trying).train()
        except Unstackable:
            raise
        except USER_STOPS as error:
            if is_out_of_memory(error) or is_ours(error):
                raise
            first = str(error).strip().partition("\n")[0][:_LONGEST_REASON]
            raise Unstackable(f"as one batched model it raises {type(error).__name__}: {first}") from error


def _begun(member: Member, on_result: OnResult) -> bool:
    try:
        begin(member.prepared, member.watch, member.measured)
    except USER_STOPS as error:
        on_result(member.index, fail(member.prepared, member.watch, member.measured, error))
        return False
    return True


class _Stack:
    """The trials that are still running."""

    def __init__(self, members: list[Member], *, on_result: OnResult, trying: Try | None) -> None:
        prepared = [member.prepared for member in members]
        first = prepared[0]
        self.members = members
        self.updates = 0
        self._size = len(members)
        self._on_result = on_result
        self._trying = trying
        require_alike([one.model for one in prepared])
        plan = layout(first.optimizer, trained=trained_parameters(first))
        states = [member.random_state for member in members]
        self._masks = Masks(generators_like_lone(states, first.workload.device))
        self._loss = StackedLoss(prepared)
        self._feed = Feed(
            [one.train for one in prepared], [one.trial.seed for one in prepared], first.workload.to_device
        )
        self._joined = Joined([one.model for one in prepared], trained=plan.parameters)
        self._columns = plan.columns
        self._optimizer = StackedOptimizer(
            [one.optimizer for one in prepared], plan.columns, weights=self._joined.weights
        )
        limits = [member.watch.limit for member in members]
        together = None if None in limits else sum(limit for limit in limits if limit is not None)
        for member in members:
            member.watch.limit = together
            member.watch.share = 0.0
        self._start_clock()

    def train(self) -> None:
        """Train until every trial has ended."""
        accumulate = self.members[0].prepared.spec.accumulate_batches
        groups = self.members[0].prepared.optimizer.param_groups
        for epoch in itertools.count():
            self._frozen = [i for i, group in enumerate(groups) if epoch < group.get("frozen_epochs", 0)]
            accumulated = 0
            for fed in self._feed.epoch(epoch):
                self._backward(fed, share=1 / accumulate, adds=accumulated > 0)
                accumulated += 1
                if accumulated < accumulate and not fed.last:
                    continue
                accumulated = 0
                self._update()
                if not self.members:
                    return
            self._end(lambda watch: watch.after_epoch())
            if not self.members:
                return

    def _backward(self, fed: Fed, *, share: float, adds: bool) -> None:
        if self._trying is not None:
            self._trying.before(self._joined.weights.device)
        # A look at every generator costs as much as a small step, and so does the mode that hands out masks.
        with DrawsNothing() if self.updates < _WATCHED else nullcontext():
            losses = self._loss(self._joined.state(), fed, masks=self._masks if self._drops_out() else None)  # (N,)
        total = losses.sum()
        self._joined.backward(total if share == 1 else total * share, adds=adds)
        noted = losses.detach()
        if self._trying is not None:
            self._trying.loss(noted[0])
        for member, loss in zip(self.members, noted.unbind(), strict=True):
            member.watch.batch_loss(loss)

    def _drops_out(self) -> bool:
        return self.updates < _WATCHED or self._masks.intercepted

    def _update(self) -> None:
        gradient, clip = self._joined.gradient, self.members[0].prepared.spec.gradient_clip_norm
        for group in self._frozen:
            gradient[:, self._columns[group]] = 0.0  # a frozen parameter has none, and counts in no norm
        watched = self.members[0].watch.instruments is not None
        norms = clip_(gradient, clip) if clip is not None else None  # (N,)
        if watched:
            known = [None] * len(self.members) if norms is None else norms.unbind()
            for member, norm in zip(self.members, known, strict=True):
                assert member.watch.instruments is not None
                member.watch.norms.append(member.watch.instruments.gradient_norm(norm))
                member.watch.instruments.before_step(member.watch.updates)
        self._optimizer.step(self._joined.weights, gradient, frozen=self._frozen)
        self.updates += 1
        if watched:
            for member in self.members:
                assert member.watch.instruments is not None
                member.watch.instruments.after_step(member.watch.updates)
        if self._trying is not None and self._trying.is_over(self._joined, trials=len(self.members)):
            self._trying = None
        self._end(lambda watch: watch.after_update())

    def _end(self, follow: Callable[[Watch], None]) -> None:
        """Let every watch follow, and take out the trials that are over."""
        over: dict[int, StoppedBy | BaseException] = {}
        for row, member in enumerate(self.members):
            try:
                follow(member.watch)
            except Stop as stop:
                over[row] = stop.by
            except USER_STOPS as error:
                over[row] = error
        if not over:
            return
        self._share_out()
        ended = [(self.members[row], how) for row, how in over.items()]
        self._keep([row for row in range(len(self.members)) if row not in over])
        for member, how in ended:
            if isinstance(how, BaseException):
                result = fail(member.prepared, member.watch, member.measured, how)
            else:
                result = conclude(member.prepared, member.watch, member.measured, stopped_by=how)
            self._on_result(member.index, result.model_copy(update={"stacked": self._size}))
        self._start_clock()

    def _keep(self, rows: list[int]) -> None:
        self.members = [self.members[row] for row in rows]
        self._joined.keep(rows)
        if rows:
            self._feed.keep(rows)
            self._loss.keep(rows)
            self._masks.keep(rows)
            self._optimizer.keep(rows)

    def _start_clock(self) -> None:
        self._since = time.perf_counter()
        self._aside = sum(member.watch.aside for member in self.members)

    def _share_out(self) -> None:
        """Give each running trial its share of the time since the last one ended, evaluations left out."""
        aside = sum(member.watch.aside for member in self.members) - self._aside
        share = max(0.0, time.perf_counter() - self._since - aside) / len(self.members)
        for member in self.members:
            assert member.watch.share is not None
            member.watch.share += share
