"""Writes a card beside the weights of each winner: where it comes from, how it scores, and how it was chosen."""

import math
from collections.abc import Sequence

from modelstore.data.card_metadata import read_metadata
from modelstore.data.hub import repository_of
from modelstore.data.model_card import NAME, Base, Card, Choice, Contender, Data, Scores
from modelstore.data.remote import AnyPath
from modelstore.data.whole_files import whole_file
from modelstore.errors import INTERRUPTIONS, reason_of
from modelstore.events import Decision
from modelstore.execution.worker import WorkerLost
from modelstore.planner.context import StatementContext
from modelstore.planner.evaluate.answers import Answers
from modelstore.planner.evaluate.interval import score_interval
from modelstore.planner.models_step import Models
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.winners import TrainedWinner, Winner
from modelstore.progress import notify
from modelstore.store.registered import Dataset, Model
from modelstore.store.selections import Logged
from modelstore.tasks import TAGS
from modelstore.training.metrics import compared


class WinnerCards:
    """Writes the cards of the winners of one selection."""

    def __init__(self, context: StatementContext, request: SelectRequest, models: Models, logged: Logged):
        self._context = context
        self._request = request
        self._models = models
        self._logged = logged

    def write(
        self,
        winners: Sequence[Winner],
        directories: Sequence[AnyPath],
        last: Sequence[Decision],
        spent: tuple[float, float],
    ) -> None:
        """Writes the cards of new winners; where that fails, a notice says so, and the winner has none.

        Parameters
        ----------
        winners, directories
            The winners, the best first, and where they are saved.
        last
            The decisions of the last stage, which is not logged yet.
        spent
            The epochs and seconds that the selection has taken.
        """
        for rank, (winner, directory) in enumerate(zip(winners, directories, strict=True), 1):
            if not isinstance(winner, TrainedWinner):
                continue  # it has the card of the selection that trained it
            try:
                card = self._card(winner, rank, last, spent)
                with whole_file(directory / NAME) as partial:
                    partial.write_text(card.text(), encoding="utf-8")
            except INTERRUPTIONS:
                raise
            except Exception as error:  # the winner is worth more than its card
                model = self._request.arms.model_of(winner.finalist.model)
                notify(f'the card of the winner "{model}" cannot be written: {reason_of(error)}')

    def _card(
        self, winner: TrainedWinner, rank: int, last: Sequence[Decision], spent: tuple[float, float]
    ) -> Card:
        finalist, options = winner.finalist, self._request.options
        model, recipe = self._request.arms[finalist.model]
        dataset = self._request.dataset
        assert dataset is not None  # it was trained on
        training = recipe.options.as_dict() | {"seed": options.seed}
        if finalist.point.learning_rate is not None:
            training["learning_rate"] = finalist.point.learning_rate
        scores = Scores(finalist.point.epoch, finalist.validation, finalist.test, _interval(winner))
        return Card(
            _base(self._context.store.catalog.model(model)),
            _data(dataset),
            scores,
            recipe.recorded_as,
            training,
            self._choice(rank, last, spent),
        )

    def _choice(self, rank: int, last: Sequence[Decision], spent: tuple[float, float]) -> Choice:
        request = self._request
        # Where a selection went on after recall, only what recall chose is on record.
        models = len(self._logged.contenders) or len(self._models.candidates.names)
        candidates = models * len(request.arms.recipes)
        return Choice(
            rank,
            request.strategy.name,
            candidates,
            self._contenders(last),
            *spent,
            candidates * request.stages.left(1),
        )

    def _contenders(self, last: Sequence[Decision]) -> list[Contender]:
        """What became of each model in training, those that stayed longest first."""
        found: dict[str, Contender] = {}
        for name, decisions in self._context.store.selections.decisions(self._logged.id).items():
            one = decisions[-1]
            found[name] = Contender(name, one.stage, one.validation, one.action, one.reason)
        for new in last:
            found[new.model] = Contender(new.model, new.stage, new.validation, new.action, new.reason)
        return sorted(
            found.values(),
            key=lambda one: (
                one.action != "won",
                -one.stage,
                -math.inf if one.validation is None else -one.validation,
                one.name,
            ),
        )


def _interval(winner: TrainedWinner) -> tuple[float, float] | None:
    """The confidence interval of the test score, for one more pass over the test split; None if the run is lost."""
    data = winner.data
    try:
        scores = winner.run.predict_scores("test")
    except WorkerLost:  # to train it again for this would take too long
        return None
    answers = Answers(
        data.target,
        data.labels,
        compared(data.target, scores),
        data.targets("test"),
        data.tokens("test") if data.target is TAGS else None,
    )
    return score_interval(data, answers)


def _base(model: Model) -> Base:
    return Base(model.name, repository_of(model.uri), read_metadata(model.card))


def _data(dataset: Dataset) -> Data:
    return Data(
        name=dataset.name,
        repository=repository_of(dataset.uri),
        config=dataset.config,
        task=dataset.task,
        metric=dataset.metric,
        modality=dataset.modality,
        labels=dataset.labels,
        rows={
            "train": dataset.train_rows,
            "validation": dataset.validation_rows,
            "test": dataset.test_rows,
        },
        columns=dataset.columns,
    )
