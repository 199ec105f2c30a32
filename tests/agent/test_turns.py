"""Many visitors at once: turns go round, limits are told, nobody is shut out by another."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.jobs import Jobs
from agent.request import Visitor
from agent.settings import Settings, read_settings
from agent.turns import Turns
from agent.visitors import HOUR, Allowance
from audit.records.errors import SetupError, UserError
from tests.agent.training_files import AXOLOTL, request_for, wait_for
from tests.ends import ends


def test_turns_go_round_the_visitors() -> None:
    turns, order, gate = Turns(1), [], threading.Event()
    entered = threading.Semaphore(0)

    def ask(visitor: str) -> None:
        with turns.taken(visitor, lambda: False) as mine:
            assert mine
            order.append(visitor)
            entered.release()
            gate.wait(30)

    with ends():
        threads = [threading.Thread(target=ask, args=("first",))]
        threads[0].start()
        entered.acquire()
        for visitor in ["many"] * 5 + ["b", "c"]:
            before = sum(len(line) for line in turns._waiting.values())
            threads.append(threading.Thread(target=ask, args=(visitor,)))
            threads[-1].start()
            while sum(len(line) for line in turns._waiting.values()) == before:
                pass
        gate.set()
        for thread in threads:
            thread.join()
    assert order == ["first", "many", "b", "c", "many", "many", "many", "many"]
    assert not turns._waiting
    assert not turns._running


def test_who_gives_up_leaves_the_line_at_once() -> None:
    turns, stop = Turns(0), threading.Event()
    got: list[bool] = []

    def ask() -> None:
        with turns.taken("a", stop.is_set) as mine:
            got.append(mine)

    with ends():
        thread = threading.Thread(target=ask)
        thread.start()
        stop.set()
        turns.wake()
        thread.join()
    assert got == [False]
    assert not turns._waiting


def test_a_visitor_at_the_limit_is_told_and_others_are_not_held_up() -> None:
    now = [0.0]
    allowance = Allowance(Settings(visitor_audits=2, visitor_per_hour=3), clock=lambda: now[0])
    allowance.begin("a")
    allowance.begin("a")
    with pytest.raises(UserError, match="you have 2 audits under way here"):
        allowance.begin("a")
    allowance.begin("b")
    allowance.end("a")
    allowance.begin("a")
    allowance.end("a")
    now[0] = HOUR - 120
    with pytest.raises(UserError, match=r"started 3 audits within the hour. Come back in 2 min"):
        allowance.begin("a")
    now[0] = HOUR + 1
    allowance.begin("a")


def test_limits_hold_for_audits_and_end_with_them(tmp_path: Path) -> None:
    visitor = ["a"]
    jobs = Jobs(
        Settings(data_dir=tmp_path, workers=0, visitor_audits=2), lambda: Visitor(visitor[0])
    )
    started = [jobs.start(request_for(AXOLOTL)) for _ in range(2)]
    with pytest.raises(UserError, match="under way"):
        jobs.start(request_for(AXOLOTL))
    visitor[0] = "b"
    jobs.start(request_for(AXOLOTL))
    visitor[0] = "a"
    jobs.cancel(started[0].audit_id, started[0].owner_token)
    assert wait_for(jobs, started[0].audit_id)[-1].type == "cancelled"
    with ends():
        while len(jobs._jobs) == 3:
            pass
    jobs.start(request_for(AXOLOTL))
    jobs.close()


def test_a_space_has_limits_and_its_operator_can_lift_them() -> None:
    home, space = read_settings({}), read_settings({"SPACE_ID": "me/space"})
    assert (home.visitor_audits, home.visitor_per_hour) == (None, None)
    assert (space.visitor_audits, space.visitor_per_hour) == (20, 120)
    lifted = read_settings({"SPACE_ID": "me/space", "GOBLIN_VISITOR_PER_HOUR": "0"})
    assert (lifted.visitor_audits, lifted.visitor_per_hour) == (20, None)
    assert read_settings({"GOBLIN_KEEP_DAYS": "7"}).keep_days == 7
    with pytest.raises(SetupError, match="GOBLIN_VISITOR_AUDITS is 'many'"):
        read_settings({"GOBLIN_VISITOR_AUDITS": "many"})
