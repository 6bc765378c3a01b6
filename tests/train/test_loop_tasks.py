"""The loop with models of several tasks and with auxiliary losses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.train.heads import LABELS, make_heads, user_schema
from torch.nn.functional import binary_cross_entropy_with_logits

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.embedding import TableOptimizerConfig
from hotrow.errors import ConfigError, DivergedError
from hotrow.interrupt import Interrupt
from hotrow.metrics import Evaluation
from hotrow.train import DenseOptimizerConfig, Listener, Moment, ScheduleConfig, TrainConfig, TrainFigures
from hotrow.train.config import ValidationConfig
from hotrow.train.loop import Learner, Trainer
from hotrow.train.optimizers import build_optimizer
from hotrow.train.progress import RunProgress
from hotrow.train.window import Window

WriteDataset = Callable[..., Path]
RATE = 0.5


class _Recording(Listener):
    def __init__(self) -> None:
        self.figures: list[TrainFigures] = []
        self.validations: list[tuple[int, Evaluation]] = []

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        self.figures.append(figures)

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        self.validations.append((moment.step, metrics))


@pytest.fixture
def users(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return Dataset.open(write_dataset(tmp_path / "users", schema=user_schema()))


def _config(weights: tuple[float, ...] = (), **validation: object) -> TrainConfig:
    return TrainConfig(
        batch_size=100,
        log_every=3,
        tables=TableOptimizerConfig(kind="sgd", lr=RATE),
        dense=DenseOptimizerConfig(kind="sgd", lr=RATE),
        schedule=ScheduleConfig(warmup=0, decay="constant"),
        validation=ValidationConfig(**validation),  # type: ignore[arg-type]
        task_weights=weights,
    )


def _train(
    data: Dataset, tasks: tuple[str, ...], config: TrainConfig, *, aux: float | None = None
) -> tuple[Learner, _Recording]:
    model = make_heads(tasks, optimizer=config.tables, aux=aux)
    learner = Learner(
        model=model,
        embeddings=model.embeddings,
        optimizer=build_optimizer(config.dense, model.dense_parameters()),
        window=Window(),
        progress=RunProgress(),
    )
    listener = _Recording()
    loader = Loader(data, "train", LoaderConfig(batch_size=config.batch_size))
    trainer = Trainer(
        learner,
        config,
        training=loader,
        validation=Loader(data, "valid"),
        save=lambda: None,
        listener=listener,
    )
    trainer.run(Interrupt())
    return learner, listener


@pytest.mark.parametrize("aux", [None, 0.01])
@pytest.mark.parametrize("tasks", [LABELS, LABELS[::-1], LABELS[1:]])
def test_steps_are_those_of_plain_torch(users: Dataset, tasks: tuple[str, ...], aux: float | None) -> None:
    weights = (1.5, 0.25)[: len(tasks)]
    learner, listener = _train(users, tasks, _config(weights), aux=aux)
    plain, sums = make_heads(tasks), torch.zeros(len(tasks))
    columns = [LABELS.index(task) for task in tasks]
    aux_sum = 0.0
    with Loader(users, "train", LoaderConfig(batch_size=100)).epoch() as batches:
        for step, batch in enumerate(batches):
            assert batch.labels is not None
            logits = plain(batch).view(100, len(tasks))
            losses = binary_cross_entropy_with_logits(logits, batch.labels[:, columns], reduction="none")
            objective = (losses * torch.tensor(weights)).sum()
            if aux is not None:
                objective = objective + aux * 100 * plain.weight.sum()
                aux_sum += float(aux * 100 * plain.weight.detach().sum()) if step < 3 else 0.0
            plain.zero_grad()
            torch.autograd.backward(objective / 100)
            with torch.no_grad():
                for parameter in plain.parameters():
                    assert parameter.grad is not None
                    parameter.sub_(parameter.grad.to_dense(), alpha=RATE)
            sums += losses.detach().sum(dim=0) if step < 3 else 0.0
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(learner.model.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    first = listener.figures[0]
    assert first.loss == pytest.approx(float((sums * torch.tensor(weights)).sum()) / 300, rel=1e-5)
    assert first.aux_loss == (None if aux is None else pytest.approx(aux_sum / 300, rel=1e-4))
    if len(tasks) == 1:
        assert first.tasks == {}
    else:
        told = {name: figures.loss for name, figures in first.tasks.items()}
        assert told == pytest.approx(dict(zip(tasks, (sums / 300).tolist(), strict=True)), rel=1e-5)
        assert first.auc == first.tasks[tasks[0]].auc


@pytest.mark.parametrize("metric", ["log_loss", "auc", "gauc", "ndcg", "hr"])
def test_the_best_is_by_the_metric_asked_for(users: Dataset, metric: str) -> None:
    config = _config(metric=metric, at=3, per_epoch=8)
    learner, listener = _train(users, LABELS, config)
    values = {
        step: found.to_mapping()[metric] if metric in ("log_loss", "auc") else _ranking(found)[metric]
        for step, found in listener.validations
    }
    assert len(values) == 8
    defined = {step: value for step, value in values.items() if value is not None}
    best = (min if metric == "log_loss" else max)(defined, key=lambda step: defined[step])
    assert (learner.progress.best_step, learner.progress.best_value) == (best, values[best])


def _ranking(found: Evaluation) -> dict[str, float | None]:
    assert found.ranking is not None
    return {name.removesuffix("@3"): value for name, value in found.ranking.items()}


def test_tasks_and_weights_must_fit(users: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"task_weights: got \[1.0\], expected one number for each"):
        _train(users, LABELS, _config((1.0,)))
    with pytest.raises(ConfigError, match=r"got 'income', expected one or more of .* click, buy"):
        _train(users, ("income",), _config())


def test_an_auxiliary_loss_that_is_no_number_stops(users: Dataset) -> None:
    with pytest.raises(DivergedError, match="step 1: the auxiliary loss is nan"):
        _train(users, LABELS, _config(), aux=float("nan"))
