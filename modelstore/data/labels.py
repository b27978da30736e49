"""What the labels are: classes or numbers. The whole column decides, never a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelstore.data.working_table import PREPARED, WorkingTable
from modelstore.tasks import CLASS, NUMBER, Target

_MANY = 20  # distinct numbers that are not whole: no class list has so many
_REAL_TYPES = ("FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class LabelColumn:
    """What the labels of all rows look like.

    Parameters
    ----------
    values
        How many rows have one.
    numbers, whole, pointed, listed
        How many are finite numbers, whole numbers (also 1.0), whole numbers written with a point, and lists.
    distinct, fractions
        How many different values there are, and how many different numbers that are not whole.
    is_real
        Whether the column's type is a floating-point or decimal number.
    """

    values: int
    numbers: int
    whole: int
    pointed: int
    listed: int
    distinct: int
    fractions: int
    is_real: bool

    @property
    def is_regression(self) -> bool:
        """Whether they are unmistakably numbers to predict: all are numbers, and not all are whole.

        In a text file, where numbers have no type, many different ones must not be whole.
        """
        if self.is_real and not self.values:
            return True
        fractional = self.numbers == self.values and self.whole < self.values
        return fractional and (self.is_real or self.fractions > _MANY)

    @property
    def target(self) -> Target:
        """What they are taken for, where nothing else was asked for."""
        return NUMBER if self.is_regression else CLASS

    @property
    def may_be_regression(self) -> bool:
        """Whether so many different numbers are more likely to be predicted as numbers than as classes."""
        return self.looks_numeric and self.distinct > _MANY

    @property
    def looks_numeric(self) -> bool:
        """Whether all are numbers."""
        return 0 < self.values == self.numbers


def describe_labels(table: WorkingTable, kind: str) -> LabelColumn:
    """Looks at the labels of all rows of `PREPARED`; ``kind`` is the type that their column had."""
    number = "isfinite(TRY_CAST(label AS DOUBLE))"
    whole = r"regexp_full_match(label, '-?\d+(\.0+)?')"
    [counts] = table.run(
        f"SELECT count(label), count(*) FILTER (WHERE {number}), count(*) FILTER (WHERE {whole}), "
        rf"count(*) FILTER (WHERE regexp_full_match(label, '-?\d+\.0+')), "
        "count(*) FILTER (WHERE label LIKE '[%]'), count(DISTINCT label), "
        f"count(DISTINCT label) FILTER (WHERE {number} AND NOT {whole}) FROM {PREPARED}"
    )
    values, numbers, integers, pointed, listed, distinct, fractions = counts
    is_real = kind.startswith(_REAL_TYPES)
    return LabelColumn(values, numbers, integers, pointed, listed, distinct, fractions, is_real)


def convert_labels(table: WorkingTable, labels: LabelColumn, column: str, task: str) -> None:
    """Makes numbers of a regression's labels, and of classes one spelling: 1.0 is 1 where all are whole numbers.

    Raises
    ------
    DatasetError
        If the labels are lists written as text.
    """
    if task == "regression":
        table.run(f"ALTER TABLE {PREPARED} ALTER label TYPE DOUBLE USING TRY_CAST(label AS DOUBLE)")
        return
    if labels.values and labels.listed == labels.values:
        raise table.error(
            f'its column "{column}" holds lists written as text: to read them as lists of labels, '
            "WITH (task = 'multi_label_classification')"
        )
    if labels.pointed and labels.whole == labels.values:
        table.run(
            f"UPDATE {PREPARED} SET label = regexp_replace(label, '\\.0+$', '') WHERE contains(label, '.')"
        )


def explain_labels(
    labels: LabelColumn, task: str, asked: str | None, columns: Mapping[str, str]
) -> list[str]:
    """A notice of how numbers were taken, where the statement did not say; none where there is no doubt."""
    if asked is not None or not labels.looks_numeric:
        return []
    column = columns["label"]
    if task == "regression":
        return [
            f"the labels in {column} are numbers, not all whole: they are predicted as numbers (regression)"
        ]
    if labels.whole < labels.values:
        return [
            f"the {labels.distinct} different numbers in {column} are taken for classes; to predict a number, "
            "WITH (task = 'regression')"
        ]
    if labels.pointed:
        return [
            f"the numbers in {column} are whole and are taken for classes (1.0 is 1); to predict a number, "
            "WITH (task = 'regression')"
        ]
    if labels.distinct > _MANY:
        return [
            f"the {labels.distinct} different whole numbers in {column} are taken for classes; to predict a number, "
            "WITH (task = 'regression')"
        ]
    return []
