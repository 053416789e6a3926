import pytest

from bench.figures import Comparison, Spread, Turn, measures, ratio, ratios

ROUNDS = [
    {"ours": Turn(times=50, seconds=1.0), "theirs": Turn(times=100, seconds=1.0)},
    {"ours": Turn(times=60, seconds=2.0), "theirs": Turn(times=50, seconds=2.0)},
    {"ours": Turn(times=80, seconds=1.0), "theirs": Turn(times=100, seconds=1.0)},
]


def test_spread_is_median_least_and_most_in_any_order() -> None:
    assert Spread.of([3.0, 1.0, 9.0, 2.0, 4.0]) == Spread(middle=3.0, least=1.0, most=9.0)


def test_rate_counts_by_the_second() -> None:
    assert Turn(times=30, seconds=1.5).rate == 20


def test_ratio_is_taken_round_by_round() -> None:
    # The ratio of the medians would be 0.5.
    found = ratio(ROUNDS, Comparison(name="ours / theirs", measure="ours", against="theirs"))
    assert found == Spread(middle=0.8, least=0.5, most=1.2)


@pytest.mark.parametrize(("goal", "shown"), [(0.8, ">= 0.8 |"), (0.81, ">= 0.81 (below) |"), (None, "- |")])
def test_ratio_below_its_goal_says_so(goal: float | None, shown: str) -> None:
    table = ratios(ROUNDS, [Comparison(name="ours / theirs", measure="ours", against="theirs", goal=goal)])
    assert table.splitlines()[-1] == f"| ours / theirs | **0.80** | 0.50..1.20 | {shown}"


def test_measures_show_what_one_took_on_either_side() -> None:
    rounds = [{"ours": Turn(times=2000, seconds=1.0, answering=0.5, asking=seconds)} for seconds in (0.1, 0.2, 0.3)]
    assert measures(rounds).splitlines() == [
        "| measure | a second | min..max | CPU us, answering | CPU us, asking |",
        "| --- | --- | --- | --- | --- |",
        "| ours | 2,000 | 2,000..2,000 | 250 | 100 |",
    ]


def test_measure_of_which_nothing_is_known_shows_no_time() -> None:
    assert measures([{"lint": Turn(times=5, seconds=2.0)}]).splitlines()[-1] == "| lint | 2.50 | 2.50..2.50 | - | - |"
