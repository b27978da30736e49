"""A final score predicted with its uncertainty, from the curves of all models together.

Convergence trends use the records of one model at one stage. This pools them: it learns, over the recorded datasets,
how models that were better or worse than others at this epoch, and before, ended. For model m on dataset d,

    final(m, d) − mean final(d) = β · (x(m, d) − mean x(d)) + ε(m, d),        ε ~ N(0, σ²)
    mean final(d) = mean validation(d) + γ + u(d),                            u ~ N(0, τ²)

with x = (the model's prior, its last three validation scores). The prior is its mean score over the other datasets,
each centred, shrunk towards the average model where there are few. The intercepts of datasets are random effects
(Laird & Ware, Biometrics 1982): all models share u(d), which leaves their order alone. β has a normal prior at "as
good as it is now", σ² and τ² have inverse gamma priors (the conjugate linear model, Gelman et al., Bayesian Data
Analysis, ch. 14). So an empty store predicts the validation score with a wide spread, which narrows towards the last
epoch. That partial curves predict final ones linearly: Baker et al., "Accelerating Neural Architecture Search using
Performance Prediction", 2017.

Validation on few rows is noisy (`Sample`). That noise is in the records, and so in β and σ² already. Where a target
has fewer rows than they have, its additional noise is added to the variances of x, which shrinks β as errors in
variables do (Fuller, Measurement Error Models, 1987), and to that of the prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelstore.records import Curve, Matrix
from modelstore.selection.sample import Sample
from modelstore.udfs.trends import final_score, validation_at

POINTS = 3  # how many of the last validation scores count
PRIOR_DATASETS = 2.0  # a model's mean score is shrunk as if it had been average on so many more
PRIOR_ROWS = 10.0  # the priors of β and σ² weigh as much as so many recorded runs
PRIOR_GAINS = 1.0  # those of γ and τ², as so many recorded datasets
PRIOR_SCALE = 0.05  # the standard deviation of scores on one dataset, where there are no records
PRIOR_DEVIATION = 0.1  # how far a whole training takes a model from where its validation would leave it


@dataclass(frozen=True)
class Forecast:
    """A predicted final test score.

    Parameters
    ----------
    mean
        The score.
    deviation
        The standard deviation of what tells the model from the others on the target.
    spread
        The standard deviation of the score itself, what all models have in common included.
    """

    mean: float
    deviation: float
    spread: float


@dataclass(frozen=True)
class _Fit:
    """β, σ², γ, the variance of a new dataset's mean gain around it, and that of the models' priors."""

    slopes: np.ndarray
    variance: float
    gain: float
    gain_variance: float
    prior_variance: float


class Predictor:
    """Predicts final scores from records, among which the target's own must not be.

    Parameters
    ----------
    curves
        The recorded curves by (model, dataset).
    results
        The recorded final scores.
    samples
        The validation rows by dataset, where they are known.
    epochs
        The length of a training.
    keep
        Which point of a recorded run counts, ``'best'`` or ``'last'``.
    """

    def __init__(
        self,
        curves: Mapping[tuple[str, str], Curve],
        results: Matrix,
        samples: Mapping[str, Sample],
        epochs: float,
        keep: str = "best",
    ):
        self._epochs = epochs
        self._samples = samples
        self._sums, self._counts, self._relative = _relative_scores(results)
        scores = {
            (model, dataset): results.scores[row, column]
            for row, model in enumerate(results.models)
            for column, dataset in enumerate(results.datasets)
        }
        self._by_dataset: dict[str, list[tuple[str, Curve, float]]] = {}
        for (model, dataset), curve in curves.items():
            result = scores.get((model, dataset))
            final = final_score(curve.tests, result, curve.validations if keep == "best" else None)
            if np.isfinite(final):
                self._by_dataset.setdefault(dataset, []).append((model, curve, final))

    def predict(
        self, runs: Mapping[str, Sequence[tuple[float, float]]], sample: Sample | None = None
    ) -> dict[str, Forecast]:
        """Predicts the final scores of models on one dataset.

        Parameters
        ----------
        runs
            By model, the (epoch, validation) points so far, all at the same epochs.
        sample
            The dataset's validation rows.

        Returns
        -------
        dict
            The forecasts by model. One that is not on record counts as an average model with a less certain prior.
        """
        models = list(runs)
        points = np.array([list(runs[model])[-POINTS:] for model in models], dtype=float)
        epochs, validations = points[0, :, 0], points[:, :, 1]
        noise = 0.0 if sample is None else float(sample.variance(validations[:, -1]).mean())
        fit = self._fit(epochs, noise)
        x = np.column_stack([[self._prior(model) for model in models], validations])
        relative = (x - x.mean(axis=0)) @ fit.slopes
        level = validations[:, -1].mean() + fit.gain
        unsure = np.array([PRIOR_DATASETS / (self._counts.get(m, 0) + PRIOR_DATASETS) for m in models])
        variances = fit.variance + fit.slopes[0] ** 2 * fit.prior_variance * unsure
        return {
            model: Forecast(
                float(level + ahead), float(np.sqrt(own)), float(np.sqrt(own + fit.gain_variance))
            )
            for model, ahead, own in zip(models, relative, variances, strict=True)
        }

    def _prior(self, model: str, without: str | None = None) -> float:
        relative = self._relative.get((model, without)) if without is not None else None
        total, count = self._sums.get(model, 0.0), self._counts.get(model, 0)
        if relative is not None:
            total, count = total - relative, count - 1
        return total / (count + PRIOR_DATASETS)

    def _runs_on(self, dataset: str, epochs: np.ndarray) -> np.ndarray:
        """The recorded runs that reach the epochs: (runs, prior and validations and final)."""
        rows = np.array(
            [
                [
                    self._prior(model, dataset),
                    *(validation_at(curve.epochs, curve.validations, epoch) for epoch in epochs),
                    final,
                ]
                for model, curve, final in self._by_dataset[dataset]
            ]
        )
        return rows[np.isfinite(rows).all(axis=1)]

    def _fit(self, epochs: np.ndarray, noise: float) -> _Fit:
        """Fits the recorded runs that reach the epochs; ``noise`` is the variance of the target's validation."""
        size = len(epochs) + 2  # prior, validations, final
        scatter, freedom, recorded_noise = np.zeros((size, size)), 0, []
        gains = []
        for dataset in self._by_dataset:
            rows = self._runs_on(dataset, epochs)
            if not len(rows):
                continue
            gains.append(float((rows[:, -1] - rows[:, -2]).mean()))
            centred = rows - rows.mean(axis=0)
            scatter += centred.T @ centred
            freedom += len(rows) - 1
            if dataset in self._samples:
                recorded_noise.append(float(self._samples[dataset].variance(rows[:, -2]).mean()))
        more_noise = max(0.0, noise - (float(np.mean(recorded_noise)) if recorded_noise else 0.0))
        now = np.zeros(size - 1)
        now[-1] = 1.0  # the prior of β: as good as it is now
        is_validation = np.r_[0.0, np.ones(len(epochs))]
        penalty = PRIOR_ROWS * PRIOR_SCALE**2 * np.eye(size - 1)
        # The same rows are validated at every epoch, so the noise of the epochs is the same.
        inputs = scatter[:-1, :-1] + freedom * more_noise * np.outer(is_validation, is_validation) + penalty
        slopes = np.linalg.solve(inputs, scatter[:-1, -1] + penalty @ now)
        contrast = np.r_[-slopes, 1.0]
        left = PRIOR_DEVIATION**2 * max(0.0, 1.0 - epochs[-1] / self._epochs)
        variance = (PRIOR_ROWS * left + contrast @ scatter @ contrast) / (PRIOR_ROWS + freedom)
        variance += (slopes @ is_validation) ** 2 * more_noise
        gain = sum(gains) / (len(gains) + PRIOR_GAINS)  # its prior is that there is none
        squares = sum((one - gain) ** 2 for one in gains)
        gain_variance = (PRIOR_GAINS * left + squares) / (PRIOR_GAINS + len(gains))
        gain_variance *= 1 + 1 / (PRIOR_GAINS + len(gains))
        prior_variance = scatter[0, 0] / freedom if freedom else PRIOR_SCALE**2
        return _Fit(slopes, max(variance, 1e-12), gain, gain_variance, prior_variance)


def _relative_scores(
    results: Matrix,
) -> tuple[dict[str, float], dict[str, int], dict[tuple[str, str | None], float]]:
    """Scores less their dataset's mean: each model's sum and count of them, and each by (model, dataset)."""
    if not results.models:
        return {}, {}, {}
    known = np.isfinite(results.scores)
    counts = known.sum(axis=0)
    means = np.where(known, results.scores, 0.0).sum(axis=0) / np.maximum(counts, 1)
    relative = np.where(known, results.scores - means, 0.0)
    single: dict[tuple[str, str | None], float] = {
        (results.models[row], results.datasets[column]): float(relative[row, column])
        for row, column in np.argwhere(known)
    }
    sums = dict(zip(results.models, relative.sum(axis=1).tolist(), strict=True))
    return sums, dict(zip(results.models, known.sum(axis=1).tolist(), strict=True)), single
