"""The style sheet of an exported HTML file: light and dark by the reader's own setting."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page: #f7f7f5; --card: #fff; --sunken: #f1f1ee; --rule: #dfdfda; --text: #17191b;
  --muted: #565b61; --link: #0b6b50; --critical: #b3201a; --high: #a34305; --medium: #7a5800;
  --low: #2b5aa6; --added: #e4f4ea; --added-ink: #0f5132; --removed: #fbe9e7;
  --removed-ink: #8a1c14; --measured: #0b6b50; --on-measured: #fff; --imported: #2b5aa6;
  --stated: #5c4a93; --projected: #565b61; --before: #83888f; --after: #1b86c9;
  --p0: #1b86c9; --p1: #b97a00; --p2: #0b9b73; --p3: #c76f9f; --p4: #83888f; --p5: #7d6fd0;
  --p6: #c45c3c; --p7: #5f8f2f; --p8: #3f9aa8; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0f1112; --card: #171a1c; --sunken: #1f2326; --rule: #2d3236; --text: #e9ebec;
  --muted: #aab0b6; --link: #5fd3ad; --critical: #ff8a80; --high: #ffab66; --medium: #e5c158;
  --low: #8fbcff; --added: #12301f; --added-ink: #9be3b6; --removed: #3a1b19;
  --removed-ink: #ffb3ab; --measured: #5fd3ad; --on-measured: #06251b; --imported: #8fbcff;
  --stated: #bcaef2; --projected: #aab0b6; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 28px 20px 48px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
main { max-width: 880px; margin: 0 auto; }
h1 { font-size: 28px; line-height: 1.2; margin: 6px 0 10px; letter-spacing: -.02em; }
h2 { font-size: 18px; margin: 32px 0 12px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p, ul, dl, dd, figure { margin: 0; padding: 0; }
ul { list-style: none; }
a { color: var(--link); text-underline-offset: 2px; }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: 12.5px; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 20px; margin-bottom: 16px; }
.meta, .sub { color: var(--muted); font-size: 13.5px; }
.stop { color: var(--critical); font-weight: 600; margin-bottom: 8px; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 12px; }
.head > :last-child { margin-left: auto; }
.badge { display: inline-block; padding: 0 8px; border: 1.5px solid currentColor;
  border-radius: 99px; font-size: 12px; font-weight: 600; line-height: 20px;
  white-space: nowrap; vertical-align: middle; }
.badge.measured { background: var(--measured); border-color: var(--measured);
  color: var(--on-measured); }
.badge.imported { color: var(--imported); } .badge.stated { color: var(--stated); }
.badge.projected { color: var(--projected); border-style: dashed; }
.critical { color: var(--critical); } .high { color: var(--high); }
.medium { color: var(--medium); } .low { color: var(--low); }
.info { color: var(--muted); }
.severity { font-size: 13px; font-weight: 650; }
.evidence { display: block; background: var(--sunken); border-radius: 6px; padding: 6px 10px;
  margin: 8px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.told { margin-top: 6px; }
.told dt { float: left; clear: left; font-weight: 600; margin-right: 6px; }
.told dd { margin: 0 0 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
th { font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
td .badge { font-size: 11px; line-height: 16px; padding: 0 6px; }
.diff { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; margin-top: 12px; }
.diff table { font: 12.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.diff td { border: 0; padding: 0 8px; white-space: pre; }
.diff td.line { color: var(--muted); text-align: right; width: 1%; }
.diff .added td { background: var(--added); color: var(--added-ink); }
.diff .removed td { background: var(--removed); color: var(--removed-ink); }
.diff .hunk td, .diff .file td, .diff .note td { color: var(--muted);
  background: var(--sunken); }
pre { overflow-x: auto; background: var(--sunken); border-radius: 8px; padding: 10px 12px;
  margin: 12px 0 0; }
.bars { display: grid; gap: 10px; margin-bottom: 20px; }
.bar { font-size: 13px; }
.bar .head { margin-bottom: 2px; }
svg { display: block; width: 100%; overflow: visible; }
.rail { fill: var(--sunken); }
.whisker { stroke: var(--text); stroke-width: 1.5; }
.capacity { stroke: var(--critical); stroke-width: 2; stroke-dasharray: 4 3; }
.outline { fill: none; stroke-width: 1; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 20px;
  margin: 14px 0 10px; }
.curves svg { overflow: hidden; border-bottom: 1px solid var(--rule); }
.curve { fill: none; vector-effect: non-scaling-stroke; }
.was { stroke: var(--before); stroke-width: 5; } .is { stroke: var(--after); stroke-width: 1.6; }
.held { fill: var(--sunken); }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px;
  margin-right: 6px; }
.checked li { padding: 2px 0 2px 20px; position: relative; }
.checked li::before { content: "\\2713"; position: absolute; left: 0; color: var(--link); }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--link); }
footer { margin-top: 32px; color: var(--muted); font-size: 12.5px; }
@media print { body { background: none; padding: 0; } .card { break-inside: avoid; } }
"""
"""Contrasts are those of the page's own tokens: text at least 4.5, marks at least 3."""
