"""What is kept of a visitor: their own values, apart from all others, and no copy of the page."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.serving import ROOT

PAGE = """
import json, sys
import gradio as gr
from ui.sessions import Session, Sessions

with gr.Blocks(analytics_enabled=False) as blocks:
    seen, told = gr.State([]), gr.HTML("first")
sessions = Sessions()
sessions.set_blocks(blocks)
for visitor in ("one", "other"):
    sessions[visitor][seen._id].append(visitor)
sessions["one"][seen._id] = ["anew"]
reader = sessions["reader"]
reader._update_value_in_config(told._id, "a long report")
reader._update_config(told._id)
print(json.dumps({
    "values": {name: sessions[name][seen._id] for name in ("one", "other", "reader")},
    "kept": len(reader.config_values) + len(list(reader.components)),
    "ours": isinstance(reader, Session),
    "parts": reader[told._id] is told,
}))
"""
"""In a process of its own: Gradio opens event loops that it never closes."""


def test_each_visitor_keeps_their_own_values_and_nothing_of_the_page() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PAGE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["values"] == {"one": ["anew"], "other": ["other"], "reader": []}
    assert found["ours"]
    assert found["parts"]
    assert found["kept"] == 0
