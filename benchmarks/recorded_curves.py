"""Recorded curves for replay: each dataset in turn is the target, with some of the others on record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from modelstore.records import Curve
from modelstore.selection.sample import Sample
from modelstore.udfs.trends import final_score

Floats = NDArray[np.float64]
CURVES = """
SELECT model, dataset, coalesce({seed}, 0) AS seed, list(epoch ORDER BY epoch), list(validation ORDER BY epoch),
       list(test ORDER BY epoch)
FROM {curves} AS c JOIN {datasets} AS d ON d.name = c.dataset WHERE d.modality = ? GROUP BY ALL
"""


@dataclass(frozen=True)
class Recorded:
    """The recorded runs of one modality: ``runs[dataset][seed][model]``, all by their places."""

    title: str
    models: list[str]
    datasets: list[str]
    runs: list[dict[int, dict[int, Curve]]]
    train_rows: list[float]
    validation: dict[str, Sample]
    test: list[Sample]

    def first_runs(self, dataset: int) -> dict[int, Curve]:
        """One run of each model: that of the lowest seed."""
        found: dict[int, Curve] = {}
        for seed in sorted(self.runs[dataset]):
            for model, curve in self.runs[dataset][seed].items():
                found.setdefault(model, curve)
        return found


@dataclass(frozen=True)
class Target:
    """A held-out dataset with one seed: its curves, and what is on record of the others."""

    recorded: Recorded
    dataset: int
    models: list[int]
    curves: list[Curve]
    known: list[int]
    finals: Floats  # (all models, known datasets)

    @property
    def epochs(self) -> int:
        return round(min(curve.epochs[-1] for curve in self.curves))

    @property
    def truth(self) -> Floats:
        return np.array([final(curve) for curve in self.curves])


def open_records(folder: Path) -> Iterator[Recorded]:
    connection = duckdb.connect()
    curves, datasets = (
        next(
            f"'{folder / name}.{form}'" for form in ("parquet", "csv") if (folder / f"{name}.{form}").exists()
        )
        for name in ("curves", "datasets")
    )
    columns = {row[0] for row in connection.execute(f"DESCRIBE FROM {curves}").fetchall()}
    seed = "c.seed" if "seed" in columns else "NULL"
    modalities = connection.execute(f"SELECT DISTINCT modality FROM {datasets} ORDER BY 1 DESC").fetchall()
    for (modality,) in modalities:
        facts = connection.execute(
            f"SELECT name, metric, train_rows, validation_rows, test_rows FROM {datasets} "
            f"WHERE modality = ? AND name IN (SELECT dataset FROM {curves}) ORDER BY 1",
            [modality],
        ).fetchall()
        rows = connection.execute(
            CURVES.format(seed=seed, curves=curves, datasets=datasets), [modality]
        ).fetchall()
        models, names = sorted({row[0] for row in rows}), [fact[0] for fact in facts]
        runs: list[dict[int, dict[int, Curve]]] = [{} for _ in names]
        for model, dataset, number, *points in rows:
            epochs, validations, tests = (np.array(column, dtype=float) for column in points)
            curve = Curve(epochs, validations, tests, np.zeros(len(epochs)))
            if np.isfinite(curve.tests[-1]):
                runs[names.index(dataset)].setdefault(number, {})[models.index(model)] = curve
        yield Recorded(
            f"{folder.name}, {modality}",
            models,
            names,
            runs,
            [fact[2] for fact in facts],
            {fact[0]: sample for fact in facts if (sample := Sample.of(fact[3], fact[1])) is not None},
            [Sample(fact[4], fact[1]) for fact in facts],
        )


def finals_of(recorded: Recorded, datasets: Sequence[int]) -> Floats:
    found = np.full((len(recorded.models), len(datasets)), np.nan)
    for place, dataset in enumerate(datasets):
        for model, curve in recorded.first_runs(dataset).items():
            found[model, place] = final(curve)
    return found


def targets(recorded: Recorded, known: int | None, draws: int) -> Iterator[Target]:
    for dataset in range(len(recorded.datasets)):
        others = [one for one in range(len(recorded.datasets)) if one != dataset]
        if known is not None and known > len(others):
            continue
        for draw in range(1 if known in (None, 0) else draws):
            some = others
            if known is not None:
                some = sorted(np.random.default_rng([draw, dataset]).choice(others, known, replace=False))
            finals = finals_of(recorded, some)
            for _, runs in sorted(recorded.runs[dataset].items()):
                models = sorted(runs)
                yield Target(recorded, dataset, models, [runs[m] for m in models], some, finals)


def final(curve: Curve) -> float:
    """The test score of a whole run: that of its best validation."""
    return final_score(curve.tests, None, curve.validations)


def at_epoch(curve: Curve, epoch: float) -> int:
    return int(np.argmin(np.abs(curve.epochs - epoch)))


def mean_and_error(values: Floats, digits: int = 4) -> str:
    """The mean, and its standard error."""
    return f"{values.mean():.{digits}f} ± {_error(values):.{digits}f}"


def difference_and_error(values: Floats, digits: int = 4) -> str:
    """The mean of paired differences, signed, and its standard error."""
    return f"{values.mean():+.{digits}f} ± {_error(values):.{digits}f}"


def _error(values: Floats) -> float:
    return float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
