from __future__ import annotations

import math
import threading

import pytest
import torch
import torch.nn.functional as F

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.embedding import EmbeddingTables
from hotrow.errors import DivergedError
from hotrow.interrupt import Interrupt
from hotrow.metrics import Evaluation
from hotrow.models import build_model
from hotrow.train import Listener, Moment, Recipe, TrainFigures, change
from hotrow.train.loop import Learner, Trainer
from hotrow.train.run import build_learner
from hotrow.train.schedule import rate_multiplier

Saved = list[tuple[int, int]]


class Recording(Listener):
    def __init__(self) -> None:
        self.samples: list[int] = []
        self.figures: list[tuple[Moment, TrainFigures]] = []
        self.validations: list[tuple[Moment, Evaluation]] = []

    def on_step(self, samples: int) -> None:
        self.samples.append(samples)

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        self.figures.append((moment, figures))

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        self.validations.append((moment, metrics))


def _trainer(
    dataset: Dataset, recipe: Recipe, *, learner: Learner | None = None, validate: bool = True
) -> tuple[Trainer, Recording, Saved]:
    learner = learner or build_learner(recipe)
    listener = Recording()
    saved: Saved = []
    config = recipe.train
    trainer = Trainer(
        learner,
        config,
        training=Loader(
            dataset, "train", LoaderConfig(batch_size=config.batch_size, shuffle=True, seed=config.seed)
        ),
        validation=Loader(dataset, "valid") if validate else None,
        save=lambda: saved.append((learner.progress.step, learner.progress.validated_step)),
        listener=listener,
    )
    return trainer, listener, saved


def test_events_come_when_they_are_due(dataset: Dataset, recipe: Recipe) -> None:
    trainer, listener, saved = _trainer(dataset, recipe)
    trainer.run(Interrupt())
    assert trainer.is_finished
    assert listener.samples == ([64] * 12 + [32]) * 2
    assert [moment.step for moment, _ in listener.figures] == [4, 8, 12, 16, 20, 24, 26]
    assert [moment.step for moment, _ in listener.validations] == [5, 9, 13, 18, 22, 26]
    assert [step for step, _ in saved] == [5, 9, 13, 18, 22, 26]
    last, metrics = listener.validations[-1]
    assert (last.epoch, last.samples, metrics.rows) == (2.0, 1600, 150)
    assert last.seconds > 0


def test_it_learns(dataset: Dataset, recipe: Recipe) -> None:
    trainer, listener, _ = _trainer(dataset, change(recipe, {"epochs": "12", "dense.lr": "0.005"}))
    trainer.run(Interrupt())
    first, last = listener.figures[0][1], listener.figures[-1][1]
    assert last.loss < first.loss
    assert last.auc is not None
    assert last.auc > 0.75
    best = max(metrics.auc or 0.0 for _, metrics in listener.validations)
    assert best > 0.7


@pytest.mark.parametrize("batch_size", [64, 4096], ids=["last batch smaller", "one small batch"])
def test_steps_are_those_of_plain_torch(dataset: Dataset, recipe: Recipe, batch_size: int) -> None:
    settings = {"batch_size": str(batch_size), "tables.kind": "sgd", "tables.lr": "0.3", "dense.kind": "sgd"}
    recipe = change(
        recipe, settings | {"dense.lr": "0.2", "schedule.decay": "cosine", "schedule.warmup": "0.3"}
    )
    trainer, listener, _ = _trainer(dataset, recipe, validate=False)
    plain = build_model(
        recipe.model_name, recipe.model, EmbeddingTables(recipe.model.tables, optimizer=None), seed=0
    )
    loader = Loader(dataset, "train", LoaderConfig(batch_size=batch_size, shuffle=True))
    step, losses = 0, 0.0
    for epoch in range(recipe.train.epochs):
        with loader.epoch(epoch) as batches:
            for batch in batches:
                assert batch.labels is not None
                loss = F.binary_cross_entropy_with_logits(plain(batch), batch.labels, reduction="none")
                losses += float(loss.detach().sum())
                plain.zero_grad()
                torch.autograd.backward(loss.sum() / min(batch_size, 800))
                share = rate_multiplier(recipe.train.schedule, step, trainer.calendar.total)
                with torch.no_grad():
                    for name, parameter in plain.named_parameters():
                        assert parameter.grad is not None
                        lr = 0.3 if name.startswith("embeddings.") else 0.2
                        parameter.sub_(parameter.grad.to_dense(), alpha=lr * share)
                step += 1
    trainer.run(Interrupt())
    ours = trainer.learner.model.state_dict()
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-5)
    assert step == trainer.learner.progress.step
    told = sum(
        figures.loss * (moment.samples - before)
        for before, (moment, figures) in zip(
            [0, *(moment.samples for moment, _ in listener.figures)], listener.figures, strict=False
        )
    )
    assert told == pytest.approx(losses, rel=1e-4)


def test_both_rates_follow_the_schedule(dataset: Dataset, recipe: Recipe) -> None:
    recipe = change(recipe, {"log_every": "1", "tables.lr": "0.5", "dense.lr": "0.25"})
    trainer, listener, _ = _trainer(dataset, recipe, validate=False)
    trainer.run(Interrupt())
    shares = [rate_multiplier(recipe.train.schedule, step, 26) for step in range(26)]
    assert [figures.table_lr for _, figures in listener.figures] == pytest.approx([0.5 * s for s in shares])
    assert [figures.dense_lr for _, figures in listener.figures] == pytest.approx([0.25 * s for s in shares])
    assert trainer.learner.embeddings.learning_rate == pytest.approx(0.5 * shares[-1])
    assert trainer.learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.25 * shares[-1])


def test_gradients_are_clipped(dataset: Dataset, recipe: Recipe) -> None:
    recipe = change(recipe, {"dense.kind": "sgd", "dense.lr": "1", "dense.clip_norm": "0.001", "epochs": "1"})
    recipe = change(recipe, {"batch_size": "800", "schedule.warmup": "0", "tables.lr": "0"})
    learner = build_learner(recipe)
    before = [parameter.detach().clone() for parameter in learner.dense_parameters()]
    _trainer(dataset, recipe, learner=learner, validate=False)[0].run(Interrupt())
    moved = [(a.detach() - b).square().sum() for a, b in zip(learner.dense_parameters(), before, strict=True)]
    assert math.sqrt(float(torch.stack(moved).sum())) == pytest.approx(0.001, rel=1e-3)


def test_validation_that_stops_improving_ends_training(dataset: Dataset, recipe: Recipe) -> None:
    patient = change(recipe, {"validation.patience": "2", "validation.min_delta": "100"})
    trainer, listener, saved = _trainer(dataset, patient)
    trainer.run(Interrupt())
    assert len(listener.validations) == 3  # the first sets the mark, two do not lower it by 100
    assert trainer.learner.progress.step == 13
    assert trainer.is_finished
    assert saved[-1][0] == 13


def test_a_new_best_is_saved_at_once(dataset: Dataset, recipe: Recipe) -> None:
    rare = change(recipe, {"checkpoints.per_epoch": "1"})
    trainer, listener, saved = _trainer(dataset, rare)
    trainer.run(Interrupt())
    best = min(listener.validations, key=lambda entry: entry[1].log_loss or math.inf)[0].step
    assert trainer.learner.progress.best_step == best
    steps = {step for step, _ in saved}
    assert {13, 26, best} <= steps
    trainer, _, saved = _trainer(dataset, change(rare, {"checkpoints.keep_best": "false"}))
    trainer.run(Interrupt())
    assert [step for step, _ in saved] == [13, 26]


def test_a_loss_that_is_no_number_stops_before_the_tables_are_spoilt(
    dataset: Dataset, recipe: Recipe
) -> None:
    trainer, _, saved = _trainer(dataset, change(recipe, {"dense.kind": "sgd", "dense.lr": "1e30"}))
    with pytest.raises(DivergedError, match=r"step \d+: the loss is (nan|inf)"):
        trainer.run(Interrupt())
    for tensor in trainer.learner.embeddings.state_dict().values():
        assert torch.isfinite(tensor).all()
    assert saved == []


def test_weights_that_are_no_numbers_are_not_saved(dataset: Dataset, recipe: Recipe) -> None:
    trainer, _, saved = _trainer(dataset, recipe, validate=False)
    next(iter(trainer.learner.dense_parameters())).data.fill_(math.inf)
    with pytest.raises(DivergedError, match=r"bottom.*not finite"):
        trainer._checkpoint()
    assert saved == []


class _InterruptAt(Interrupt):
    """Is set after a number of checks."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self.left = checks

    def check(self) -> None:
        self.left -= 1
        self.requested = self.left < 0
        super().check()


@pytest.mark.parametrize(("checks", "step", "validated"), [(0, 1, -1), (4, 5, -1), (5, 5, -1), (6, 6, 5)])
def test_an_interrupt_saves_the_very_step(
    dataset: Dataset, recipe: Recipe, checks: int, step: int, validated: int
) -> None:
    trainer, _, saved = _trainer(dataset, recipe)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(_InterruptAt(checks))
    assert saved[-1] == (step, validated)


def test_what_is_saved_is_not_saved_again(dataset: Dataset, recipe: Recipe) -> None:
    learner = build_learner(recipe)
    with pytest.raises(KeyboardInterrupt):
        _trainer(dataset, recipe, learner=learner)[0].run(_InterruptAt(4))
    trainer, listener, saved = _trainer(dataset, recipe, learner=learner)
    with pytest.raises(KeyboardInterrupt):  # in the validation that was still to be made
        trainer.run(_InterruptAt(0))
    assert (listener.samples, listener.validations, saved) == ([], [], [])


def test_the_loop_leaves_no_thread(dataset: Dataset, recipe: Recipe) -> None:
    trainer, _, _ = _trainer(dataset, recipe)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(_InterruptAt(3))
    assert [thread.name for thread in threading.enumerate() if "prefetch" in thread.name] == []
