"""Which proxy scores which model."""

from hypothesis import given
from hypothesis import strategies as st

from modelstore import options
from modelstore.recall.proxies import PROXIES, assign

MODELS = [f"m{i}" for i in range(5)]
SOME = st.sets(st.sampled_from(MODELS))
BOTH = st.builds(lambda leep, nleep: {"leep": leep, "nleep": nleep}, SOME, SOME)


@given(BOTH, BOTH)
def test_all_are_scored_by_one_proxy_where_all_can_have_it(
    stored: dict[str, set[str]], computable: dict[str, set[str]]
) -> None:
    used = assign(MODELS, stored, computable)
    assert list(used) == MODELS
    of_all = [name for name in stored if set(MODELS) <= stored[name] | computable[name]]
    if not of_all:
        for model, name in used.items():  # nobody goes without a score that there is
            having = [other for other in stored if model in stored[other] | computable[other]]
            assert name in having or not having
            assert model not in stored["leep"] or name == "leep"
        return
    [name] = set(used.values())
    assert name in of_all
    to_compute = {other: len(set(MODELS) - stored[other]) for other in of_all}
    assert to_compute[name] == min(to_compute.values())


def test_of_equals_the_proxy_that_was_asked_for_is_taken() -> None:
    everyone = set(MODELS)
    for stored, computable in ((everyone, set()), (set(), everyone)):
        both = ({"leep": stored, "nleep": stored}, {"leep": computable, "nleep": computable})
        assert set(assign(MODELS, *both).values()) == {"leep"}


def test_each_proxy_that_can_be_asked_for_has_a_formula() -> None:
    assert tuple(PROXIES) == options.PROXIES
