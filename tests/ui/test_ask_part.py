"""The box for questions and its answer as HTML: escaped, every sentence with what it rests on."""

from __future__ import annotations

from types import SimpleNamespace

from agent.settings import Settings
from audit.records.answer import Answer, Citation, Said
from tests.ui import page_reports as made
from ui.ask_part import AskDesk, answer_part, ask_form
from ui.asking import NOT_YOURS

EVIL = '<img src=x onerror="alert(1)">'


def test_the_answer_is_escaped_and_linked() -> None:
    rule = Citation(ref="rule:a.b", kind="rule", label="a.b", rule_id="a.b")
    line = Citation(ref="line:x:3", kind="line", label=f"{EVIL}:3", file=EVIL, line=3)
    speed = Citation(ref="figure:step_s", kind="figure", label="step", provenance="projected")
    said = (Said(text=EVIL, citations=(rule, line, speed)), Said(text="No source."))
    page = answer_part(Answer(question=EVIL, by=EVIL, said=said, dropped=1, unsupported=2))
    assert "<img" not in page
    assert 'href="./kb?rule=a.b"' in page
    assert 'data-provenance="projected"' in page
    assert "no source cited" in page
    assert "1 sentence with figures" in page
    assert 'for="gg-question"' in ask_form()


def test_strangers_get_the_search_and_are_told() -> None:
    report = made.report()
    desk = AskDesk(Settings(backend="claude"), lambda *_: report, lambda *_: False)
    event = SimpleNamespace(_data={"question": "why eager attention"})
    told = desk.ask("", None, None, event)  # type: ignore[arg-type]
    assert NOT_YOURS in told
    empty = SimpleNamespace(_data={"question": " "})
    assert "there is no question" in desk.ask("", None, None, empty)  # type: ignore[arg-type]
