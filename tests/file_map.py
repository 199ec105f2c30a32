"""The README's file map: one line per module, taken from its docstring; run it to renew the map."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("audit", "workload", "kb", "runner", "agent", "ui")
BEGIN, END = "<!-- file map: make fix renews it -->", "<!-- end of file map -->"
DATA = (".yaml", ".json", ".css", ".js")


def modules() -> list[Path]:
    """Every tracked or new source file of the product, relative to the root, in reading order."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "app.py", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = {Path(name) for name in listed if (ROOT / name).is_file()}
    return sorted(path for path in found if path.suffix == ".py")


def first_line(path: Path) -> str:
    """The first line of a module's docstring, '' where it has none."""
    text = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
    return text.split("\n", 1)[0].strip()


def render() -> str:
    """The map as Markdown: a heading per package, a line per module; `__init__` speaks for it."""
    lines: list[str] = []
    folder = None
    for path in modules():
        if path.parent != folder and path.parent != Path():
            folder = path.parent
            about = (
                first_line(folder / "__init__.py")
                if (ROOT / folder / "__init__.py").exists()
                else ""
            )
            lines += ["", f"**{folder}/** {about}".rstrip(), ""]
        if path.name != "__init__.py":
            lines.append(f"- `{path.name}` {first_line(path)}")
    return "\n".join(lines).strip()


def written() -> str:
    """The map that stands in the README."""
    text = (ROOT / "README.md").read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def main() -> None:
    """Write the map into the README."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    readme.write_text(f"{head}\n\n{render()}\n\n{tail}")


if __name__ == "__main__":
    main()
