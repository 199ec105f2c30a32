"""Research by models whose server fails at random: the budget holds, the leads stand on sources.

`python benchmarks/research_faults.py [--runs 300] [--seed 1]` plays a scripted server on loopback
through the real client libraries; its last line is one JSON object: runs, over_budget, unfounded,
ended, most_turns, most_tokens, leads.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent.research.subagent import TOKENS, TURNS
from tests.agent.model_audits import WIRES
from tests.agent.research_runs import FACT, FAULTS, research


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    choose = random.Random(given.seed)
    turns, tokens, leads, unfounded, ended = [0], [0], 0, 0, 0
    for _ in range(given.runs):
        answers = [choose.choice(FAULTS) for _ in range(16)]
        found, agent, *_ = research(choose.choice(WIRES), answers)
        turns.append(agent.budget.turns)
        tokens.append(agent.budget.tokens)
        leads += len(found.leads)
        unfounded += sum(lead.source != FACT for lead in found.leads)
        ended += bool(found.ended)
    over = sum(one > TURNS for one in turns) + sum(one > TOKENS for one in tokens)
    print(f"{given.runs} runs, at most {max(turns)} of {TURNS} turns, {max(tokens)} of {TOKENS}")
    last = {
        "runs": given.runs,
        "over_budget": over,
        "unfounded": unfounded,
        "ended": ended,
        "most_turns": max(turns),
        "most_tokens": max(tokens),
        "leads": leads,
    }
    print(json.dumps(last))


if __name__ == "__main__":
    main()
