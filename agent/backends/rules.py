"""The backend that needs no key: it walks the six stages in order, from the messages alone.

It drives the same loop and calls the same tools as a model; the judgement lies in the rules of the
knowledge base and in the planning of the patch.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.backends import Message, ToolCall, ToolFace, ToolResult, Turn
from audit.records.base import Json

UPLOAD, WORKLOAD, PATCHED = "upload_1", "wl_1", "wl_2"


class RulesBackend:
    """Parse, profile, query, patch, benchmark twice, compare; ends where a tool refuses."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The next call, or the end of the turn when all are made or one failed."""
        results = [result for message in messages for result in message.results]
        if results and not results[-1].ok:
            return Turn(text=f"{results[-1].tool} refused: {results[-1].text}")
        step = _next(results)
        if step is None:
            return Turn(text="Every stage is done.")
        text, tool, arguments = step
        call = ToolCall(f"call_{len(results) + 1}", tool, arguments)
        return Turn(text=text, tool_calls=(call,), stop_reason="tool_use")


def _next(results: Sequence[ToolResult]) -> tuple[str, str, dict[str, Json]] | None:
    """What to say, which tool, which arguments."""
    made = {name for result in results for name in result.ids}
    done = [result.tool for result in results]
    if "parse_config" not in done:
        return "Read the file.", "parse_config", {"upload_id": UPLOAD}
    if "profile_run" not in done:
        return (
            "See whether it fits and where a step's time goes.",
            "profile_run",
            {"workload_id": WORKLOAD},
        )
    if "query_rocm_kb" not in done:
        return (
            "Hold every rule of the knowledge base against the file.",
            "query_rocm_kb",
            {"workload_id": WORKLOAD, "question": None},
        )
    if "propose_patch" not in done:
        found = sorted(name for name in made if name.startswith("f_"))
        return (
            "Plan the edits that keep what is learned, and write them into the file."
            if found
            else "No rule fired; make sure that nothing is to be changed.",
            "propose_patch",
            {"workload_id": WORKLOAD, "finding_ids": found},
        )
    if "bench_1" not in made:
        return "Benchmark the file before the patch.", "benchmark", {"workload_id": WORKLOAD}
    if PATCHED in made and "bench_2" not in made:
        return (
            "Benchmark both, before and after, under the same conditions.",
            "benchmark",
            {"workload_id": PATCHED},
        )
    if "compare_runs" not in done:
        after = "bench_2" if "bench_2" in made else "bench_1"
        return (
            "Compare the two arms.",
            "compare_runs",
            {"before_id": "bench_1", "after_id": after},
        )
    return None
