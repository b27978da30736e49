"""Options are checked against what each statement takes."""

import pytest

from modelstore.errors import OptionError
from modelstore.language.option_check import Given, check
from modelstore.options import ClusterOptions, SelectOptions

SELECT_OPTIONS, CLUSTER_OPTIONS = SelectOptions.schema(), ClusterOptions.schema()


def given(**values: object) -> list[Given]:
    return [Given(name, value, 0, 1) for name, value in values.items()]


def test_values_come_in_their_type() -> None:
    checked = check(given(recall=3.0, threshold=1, EXECUTOR="Replay"), SELECT_OPTIONS, "x")
    assert checked == {"recall": 3, "threshold": 1.0, "executor": "replay"}
    assert isinstance(checked["recall"], int)
    assert isinstance(checked["threshold"], float)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("recall", 0, "a whole number of at least 1, not 0"),
        ("recall", 2.5, "a whole number"),
        ("recall", "3", "a whole number"),
        ("recall", None, "not NULL"),
        ("recall", True, "not True"),
        ("learning_rate", 0, "above 0"),
        ("learning_rate", float("nan"), "a number"),
        ("seed", float("inf"), "a whole number"),
        ("seed", float("nan"), "a whole number"),
        ("threshold", 10**400, "a number"),
        ("register", 1, "true or false"),
        ("executor", "tensorflow", "one of 'torch', 'replay'"),
        ("recipe", 3, "a text value"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: object, expected: str) -> None:
    with pytest.raises(OptionError, match=name) as caught:
        check(given(**{name: value}), SELECT_OPTIONS, "x")
    assert expected in str(caught.value)


def test_an_unknown_option_lists_the_valid_ones_and_the_nearest() -> None:
    with pytest.raises(OptionError) as caught:
        check(given(treshold=1), CLUSTER_OPTIONS, "x")
    assert 'did you mean "threshold"' in str(caught.value)
    assert "similarity" in str(caught.value)


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="twice"):
        check([*given(seed=1), *given(seed=2)], SELECT_OPTIONS, "x")
