"""Money is never overspent, never lost, and told at each doubling, whatever the order of things."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.money.ledger import Ledger, OverCap

CAP = 20.0
MONEY = st.floats(0.01, 15, allow_nan=False)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "release", "reconcile", "cheaper", "unknown"]),
        st.integers(0, 5),
        MONEY,
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS)
def test_any_sequence_keeps_the_books(steps) -> None:
    ledger, open_runs, spent = Ledger(CAP), dict[str, float](), 0.0
    for kind, number, usd in steps:
        run = f"run_{number}"
        if kind == "reserve":
            if run in open_runs:
                with pytest.raises(ValueError, match="reserved already"):
                    ledger.reserve(run, usd)
                continue
            if spent + sum(open_runs.values()) + usd > CAP + 1e-9:
                with pytest.raises(OverCap, match="are left"):
                    ledger.reserve(run, usd)
                continue
            ledger.reserve(run, usd)
            open_runs[run] = usd
        elif kind == "release":
            ledger.release(run)
            open_runs.pop(run, None)
        else:
            held = open_runs.pop(run, 0.0)
            billed = {"reconcile": held, "cheaper": held / 2, "unknown": None}[kind]
            spent += ledger.reconcile(run, billed)
        assert ledger.reserved == pytest.approx(sum(open_runs.values()))
        assert ledger.spent == pytest.approx(spent)
        assert ledger.spent + ledger.reserved <= CAP + 1e-6


def test_two_runs_that_each_fit_do_not_fit_together() -> None:
    ledger = Ledger(10)
    ledger.reserve("a", 6)
    with pytest.raises(OverCap, match=r"\$6.00, and \$4.00 of \$10"):
        ledger.reserve("b", 6)
    ledger.release("a")
    ledger.reserve("b", 6)


def test_without_a_bill_the_estimate_stays() -> None:
    ledger = Ledger(10)
    for run, billed, spent in (("a", None, 2), ("b", 0.0, 0), ("c", 1.5, 1.5)):
        ledger.reserve(run, 2)
        assert ledger.reconcile(run, billed) == spent
    assert ledger.spent == 3.5


def test_each_doubling_is_told_once() -> None:
    ledger = Ledger()
    told = []
    for _ in range(50):
        ledger.spend("model", 1)
        told.append(ledger.warning())
    assert [one for one in told if one] == [5, 10, 20, 40]
    ledger.spend("runner", 1000)
    assert ledger.warning() == 640
    assert ledger.warning() is None


def test_many_threads_never_overspend() -> None:
    ledger, taken = Ledger(50), []

    def take(number: int) -> None:
        try:
            ledger.reserve(f"run_{number}", 1)
        except OverCap:
            return
        taken.append(ledger.reconcile(f"run_{number}", 1))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 50
    assert ledger.spent == 50
