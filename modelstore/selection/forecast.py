"""The final test scores of all models on a target, given what they have validated so far: one Gaussian model.

At the end f (the final test score) and at the points c of a plan, model m on dataset d has the vector

    y(m, d) = o(d) + u(m) b + a(m) + ε(m, d),        ε ~ N(0, Σ),

where o(d) is the dataset's offset, u(m) the model's prior in normal scores, b the prior's worth at each point, a(m)
the model's own effect, and Σ the covariance of the points beyond that. o and a are random effects (Laird & Ware,
"Random-Effects Models for Longitudinal Data", Biometrics 1982). Validation on few rows adds its noise (`Sample`)
twice: once for the rows drawn, which all points share, and once for each point.

`forecast_learning` estimates all of it from recorded curves. A forecast conditions the Gaussian on the validations so
far (Rasmussen & Williams, Gaussian Processes for Machine Learning, A.2); the target's offset is estimated from all
its models together, by generalised least squares.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.selection.sample import Sample

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_LEVEL_DEVIATION = 10.0  # of a target's level, of which nothing is known before
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class Forecasts:
    """The final test scores of a target's models.

    Attributes
    ----------
    mean : (models,) μ.
    deviation : (models,) δ, the model's own standard deviation, which tells it from the target's other models.
    spread : (models,) the standard deviation of the score itself, with what all models share. μ ± 1.645 spread holds
        nine scores in ten.
    later : (models, points) δ after each later point of the plan; NaN up to the last point that was observed.
    """

    mean: Floats
    deviation: Floats
    spread: Floats
    later: Floats

    def of(self, places: Places) -> "Forecasts":
        """The forecasts of some of the models."""
        return Forecasts(self.mean[places], self.deviation[places], self.spread[places], self.later[places])


@dataclass(frozen=True)
class ForecastModel:
    """What was learned from records. Vectors and matrices are of 1 + points: the final test score comes first.

    Attributes
    ----------
    gain, gain_covariance : (points,), (points, points) how much the offset rises from each point to the end.
    slopes : (1 + points,) b.
    covariance : (1 + points, 1 + points) Σ + the covariance of a(m), for a model without records.
    correlation : ρ, the share of that covariance that is of a(m).
    effects : (models, 1 + points) a(m) of the records' models, drawn to 0.
    counts : (models,) how many datasets they come from.
    recorded_noise : the mean variance of the records' validation, for a target whose rows are not known.
    """

    gain: Floats
    gain_covariance: Floats
    slopes: Floats
    covariance: Floats
    correlation: float
    effects: Floats
    counts: Places
    recorded_noise: float

    def predict(
        self, validations: Floats, prior: Floats, models: Places, sample: Sample | None = None
    ) -> Forecasts:
        """The forecasts of all models of a target together.

        Parameters
        ----------
        validations : (models, points) so far, NaN where a model has not been. Dropped models stay in: what they have
            shown tells of the target.
        prior : (models,) `normal_score_prior`.
        models : (models,) their places among the records' models, −1 for a model that has no curves on record.
        sample : the target's validation rows.
        """
        groups = list(self._groups(validations, models, self._noise(validations, sample)))
        expected = (
            prior[:, None] * self.slopes + np.vstack([self.effects, np.zeros(len(self.slopes))])[models]
        )
        offset, offset_covariance = self._offset(groups, validations, expected)
        expected = expected + offset
        mean, deviation, spread = (np.empty(len(prior)) for _ in range(3))
        later = np.full(validations.shape, np.nan)
        for group in groups:
            rows, share = group.rows, group.share
            gain, variances = group.conditional()
            surprise = validations[np.ix_(rows, group.seen)] - expected[np.ix_(rows, group.seen + 1)]
            mean[rows] = expected[rows, 0] + (surprise * gain[share]).sum(axis=1)
            contrast = np.zeros((len(gain), len(offset)))
            contrast[:, 0], contrast[:, group.seen + 1] = 1.0, -gain
            of_offset = np.einsum("si,ij,sj->s", contrast, offset_covariance, contrast)
            deviation[rows] = np.sqrt(variances[share, 0])
            spread[rows] = np.sqrt(variances[:, 0] + of_offset)[share]
            later[rows, group.unseen_from :] = np.sqrt(variances[share, 1:])
        return Forecasts(mean, deviation, spread, later)

    def _noise(self, validations: Floats, sample: Sample | None) -> float:
        """The variance by the validation rows, at the mean of the last point's validations."""
        [seen] = np.nonzero(np.isfinite(validations).any(axis=0))
        if sample is None or not len(seen):
            return self.recorded_noise
        return float(sample.variance(float(np.nanmean(validations[:, seen[-1]]))))

    def _groups(self, validations: Floats, models: Places, noise: float) -> Iterator["_Group"]:
        """The models by the points that they have been at."""
        unexplained = unexplained_share(self.correlation, np.append(self.counts, 0)[models])
        patterns, group_of = np.unique(np.isfinite(validations), axis=0, return_inverse=True)
        for place, pattern in enumerate(patterns):
            rows = np.flatnonzero(group_of == place)
            shares, share = np.unique(unexplained[rows], return_inverse=True)
            yield _Group(rows, np.flatnonzero(pattern), shares, share, self.covariance, noise)

    def _offset(self, groups: list["_Group"], validations: Floats, expected: Floats) -> tuple[Floats, Floats]:
        """The target's offset (1 + points,), and its covariance, from what all models have shown of it.

        With the prior N(k, K) of the offset and models i of validations v_i at the points H_i, its posterior
        covariance is P = (K⁻¹ + Σ H_i' V_i⁻¹ H_i)⁻¹ and its mean k + P Σ H_i' V_i⁻¹ (v_i − expected_i − H_i k).
        """
        size = len(self.slopes)
        # The level is as good as unknown; that it starts where the scores are keeps the numbers small.
        level = np.nanmean(validations - expected[:, 1:]) if np.isfinite(validations).any() else 0.0
        start = np.r_[level, level - self.gain]
        prior = np.full((size, size), _LEVEL_DEVIATION**2)
        prior[1:, 1:] += self.gain_covariance
        information, evidence = np.zeros((size, size)), np.zeros(size)
        for group in groups:
            rows, at = group.rows, group.seen + 1
            if len(at):
                weights = np.linalg.inv(group.of_validations(group.seen))
                surprise = validations[np.ix_(rows, group.seen)] - expected[np.ix_(rows, at)] - start[at]
                sums = np.zeros((len(weights), len(at)))
                np.add.at(sums, group.share, surprise)
                information[np.ix_(at, at)] += np.tensordot(np.bincount(group.share), weights, axes=1)
                evidence[at] += np.einsum("sij,sj->i", weights, sums)
        posterior = np.linalg.solve(np.eye(size) + prior @ information, prior)
        posterior = (posterior + posterior.T) / 2
        return start + posterior @ evidence, posterior


@dataclass(frozen=True)
class _Group:
    """Models (``rows``) that have been at the same points (``seen``).

    Model i has the covariance ``shares[share[i]]`` · ``covariance``, by how well records know it. What follows from
    it is computed once for each share.
    """

    rows: Places
    seen: Places
    shares: Floats
    share: Places
    covariance: Floats
    noise: float

    @property
    def unseen_from(self) -> int:
        return int(self.seen[-1]) + 1 if len(self.seen) else 0

    def of_validations(self, points: Places) -> Floats:
        """The covariance of what is validated at some points: (shares, points, points)."""
        noise = self.noise * (1.0 + np.eye(len(points))) + _LEAST_VARIANCE * np.eye(len(points))
        return self.shares[:, None, None] * self.covariance[np.ix_(points + 1, points + 1)] + noise

    def conditional(self) -> tuple[Floats, Floats]:
        """How much each validation so far moves the final score (shares, seen), and the final score's variance given
        those, and given also the first 1, 2, … of the points to come (shares, 1 + later).
        """
        points = np.r_[self.seen, np.arange(self.unseen_from, len(self.covariance) - 1)]
        with_final = self.shares[:, None] * self.covariance[0, points + 1]
        of_validations = self.of_validations(points)
        # Of a Cholesky factor the first rows are that of the first points: one serves all that are to come.
        root = np.linalg.cholesky(of_validations)
        parts = np.linalg.solve(root, with_final[..., None])[..., 0]
        resolved = np.hstack([np.zeros((len(parts), 1)), np.cumsum(parts**2, axis=1)])
        now = len(self.seen)
        variances = self.shares[:, None] * self.covariance[0, 0] - resolved[:, now:]
        gain = np.linalg.solve(of_validations[:, :now, :now], with_final[:, :now, None])[..., 0]
        return gain, np.maximum(variances, _LEAST_VARIANCE)


def unexplained_share(correlation: float, datasets: Places) -> Floats:
    """How much of a model's covariance is left when the mean of its residuals on so many datasets is known.

    (1 − ρ) of it is new on each dataset, and the effect ρ has the variance ρ(1 − ρ)/(1 + (n − 1)ρ) left (Searle,
    Casella & McCulloch, Variance Components, 1992, ch. 3.4).
    """
    rho = correlation
    return np.asarray((1 - rho) * (1 + rho / (1 + (datasets - 1) * rho)))
