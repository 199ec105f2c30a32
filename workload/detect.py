"""Which dialect a file is written in: the content decides, the file's name is only a hint."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from audit.records.errors import InputError
from workload.dialects import DIALECTS, Detection, Dialect, TextKind, load_dialect
from workload.source import SourceText

ENOUGH = 0.5
"""A lower score is no detection."""
READ = (
    "axolotl, LLaMA-Factory, TRL, torchtune, LitGPT, open-instruct, NeMo RL, Primus, verl, "
    "accelerate and DeepSpeed configs, training arguments in JSON, Python scripts and notebooks "
    "with transformers, TRL or a PyTorch loop, and shell scripts that launch a training run"
)
MAX_NAMED = 8
COMPANIONS = frozenset(
    {"accelerate_yaml", "deepspeed_json", "fsdp_json", "peft_json", "trainer_state_json"}
)
"""Formats that only go with a training file."""

_NOTEBOOK = re.compile(r'"cell_type"\s*:\s*"(?:code|markdown|raw)"|"nbformat"\s*:\s*\d')
_YAML_LINE = re.compile(r"(?:- )?[\"']?[\w./@-]+[\"']?[ ]*:(?:\s|$)")
_PYTHON_LINE = re.compile(
    r"(?:from\s+[\w.]+\s+import\b|import\s+\w|def\s+\w+\s*\(|class\s+\w+|@\w|if\s+__name__|"
    r"[A-Za-z_][\w.]*\s*=(?!=)\s*\S|[A-Za-z_][\w.]*\()"
)
_SHELL_LINE = re.compile(
    r"(?:export\s+\w+=|torchrun\b|deepspeed\s|accelerate\s+launch|srun\b|#SBATCH|set -|cd\s|"
    r"python3?\s+\S|llamafactory-cli\b|axolotl\s+train|(?:swift|megatron)\s+(?:sft|pt|rlhf)\b|"
    r"tune\s+run\b|trl\s+[a-z]+\s+-|litgpt\s|[A-Z][A-Z0-9_]*=\S*\s+(?:\w|\\$)|"
    r"--?[A-Za-z][\w-]*[ =]|"
    r"(?:if|while)\s+\[|(?:fi|done|esac|then|do)\b\s*(?:;|$)|echo\s|source\s|nohup\s|\w+=\$[({\w])"
)
_SHELL_NAME = (".sh", ".bash", ".slurm", ".sbatch", ".zsh", ".job")
_SHELL_HEAD = re.compile(r"#!\s*/\S*(?:/env\s+(?:-S\s+)?)?(?:/|\b)(?:ba|z|da|k)?sh\b")

KNOWN_KEYS: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(keys.split()), name)
    for keys, name in (
        ("architectures model_type", "a model's config.json"),
        ("weight_map metadata", "an index of model weights"),
        ("added_tokens_decoder", "a tokenizer_config.json"),
        ("instruction output", "a row of data"),
        ("messages", "a row of data"),
        ("model_name_or_path dataset_name", "a TRL recipe"),
        ("model tuner_type", "an ms-swift config"),
        ("model train_type", "an ms-swift config"),
        ("rlhf_type", "an ms-swift config"),
    )
)
"""Training files that are recognised and not read: all keys of a row at the top level."""


@dataclass(frozen=True, slots=True)
class Found:
    """The dialect of a file and why."""

    dialect: Dialect
    detection: Detection


def detect_dialect(source: SourceText, wanted: str | None = None) -> Found:
    """The dialect of a training file.

    Args:
        source: the file.
        wanted: the user's own choice: a format id or a framework's name.

    Raises:
        InputError: no dialect fits; names what was seen and what is read. Or the text is broken.
    """
    if wanted is not None:
        return _chosen(source, wanted)
    kind = text_kind(source)
    best = _json(source) if kind == "json" else _surest(source, kind)
    if kind == "notebook":
        best = _loop_in(source, best) or _written(source) or _launched(source)
    if best is None:
        raise _unread(source)
    return best


def text_kind(source: SourceText) -> TextKind:
    """How the text is written."""
    name = source.name.lower()
    text = source.text
    head = text.lstrip()[:1]
    if head == "{" and (name.endswith(".ipynb") or _NOTEBOOK.search(text)):
        return "notebook"
    if head == "{" or (head == "[" and name.endswith(".json")):
        return "json"
    lines = _statements(text)
    yaml = sum(bool(_YAML_LINE.match(line)) for line in lines)
    python = sum(bool(_PYTHON_LINE.match(line)) for line in lines)
    shell = sum(bool(_SHELL_LINE.match(line)) for line in lines)
    named = name.endswith(_SHELL_NAME)
    if shell > max(yaml, python) or _SHELL_HEAD.match(text) or (named and shell >= yaml):
        return "shell"
    if python > yaml or (python == yaml and name.endswith(".py")):
        return "python"
    return "yaml"


def _surest(source: SourceText, kind: TextKind) -> Found | None:
    """The dialect of a kind of text with the highest score; None where none is enough."""
    best: Found | None = None
    keys = _top_keys(source) if kind == "yaml" else frozenset()
    for format_id, entry in DIALECTS.items():
        if entry.kind == kind and not (entry.keys and keys.isdisjoint(entry.keys.split())):
            dialect = load_dialect(format_id)
            detection = dialect.detect(source)
            if best is None or detection.score > best.detection.score:
                best = Found(dialect, detection)
    return best if best is not None and best.detection.score >= ENOUGH else None


def _loop_in(source: SourceText, best: Found | None) -> Found | None:
    """A notebook's own training loop, where that is surer than its trainer."""
    from workload.dialects.notebook import NotebookDialect

    for name, entry in DIALECTS.items():
        own = name.replace("py_", "ipynb_", 1)
        if entry.kind == "python" and own not in DIALECTS:
            dialect = NotebookDialect(own, load_dialect(name))
            found = Found(dialect, dialect.detect(source))
            least = best.detection.score if best is not None else ENOUGH
            if found.detection.score > least:
                best = found
    return best


def _written(source: SourceText) -> Found | None:
    """The surest of the files that a notebook writes; None where none of them trains."""
    from workload.dialects.notebook_files import WrittenFileDialect
    from workload.dialects.notebook_written import written_files

    best: Found | None = None
    for file in written_files(source):
        with suppress(InputError):
            inner = detect_dialect(file.source)
            dialect = WrittenFileDialect(file.name, inner.dialect)
            trains = inner.dialect.format not in COMPANIONS
            if trains and (best is None or _before(inner, best)):
                best = Found(dialect, dialect.detect(source))
    return best


def _before(one: Found, other: Found) -> bool:
    """Whether a file leads before another: what is launched before its launcher, then by score."""
    launches = one.dialect.format == "sh_launcher", other.dialect.format == "sh_launcher"
    if launches[0] != launches[1]:
        return launches[1]
    return one.detection.score > other.detection.score


def _launched(source: SourceText) -> Found | None:
    """The launch line of a notebook that trains with a script which is not in it."""
    from workload.dialects.notebook_launch import IPYNB_LAUNCHER

    found = IPYNB_LAUNCHER.detect(source)
    return Found(IPYNB_LAUNCHER, found) if found.score >= ENOUGH else None


def _top_keys(source: SourceText) -> frozenset[str]:
    from workload.dialects.yaml_dialect import top_keys

    return top_keys(source)


def _json(source: SourceText) -> Found | None:
    """A dialect whose files are JSON, else one of YAML: JSON is YAML, too.

    Raises:
        InputError: broken JSON that no framework reads as YAML either.
    """
    broken: InputError | None = None
    try:
        found = _surest(source, "json")
    except InputError as error:
        broken, found = error, None
    if found is None:
        with suppress(InputError):
            found = _surest(source, "yaml")
    if found is None and broken is not None:
        raise broken
    return found


def _chosen(source: SourceText, wanted: str) -> Found:
    word = wanted.strip().lower().replace("-", "_")
    names = [name for name in DIALECTS if name == word]
    names = names or [name for name in DIALECTS if word and word in name]
    kind = text_kind(source)
    names = [name for name in names if DIALECTS[name].kind == kind] or names
    dialects = [load_dialect(name) for name in names or [wanted]]
    scored = [(dialect.detect(source).score, dialect) for dialect in dialects]
    score, best = max(scored, key=lambda pair: pair[0])
    return Found(best, Detection(max(score, ENOUGH), "chosen by the user"))


def _statements(text: str) -> list[str]:
    """Lines that begin in the first column, without comments: at most 400 of them."""
    found: list[str] = []
    for line in text.splitlines():
        if line[:1] not in ("", " ", "\t", "#"):
            found.append(line[:200])
            if len(found) == 400:
                break
    return found


def _unread(source: SourceText) -> InputError:
    from workload.splice.json_document import json_keys

    remedy = f"Read are: {READ}"
    kind = text_kind(source)
    if kind == "shell":
        from workload.dialects.launcher import LAUNCHERS_READ

        reason = "no line of this script launches a training run that is read"
        remedy = f"Upload the script with the launch line; read are: {LAUNCHERS_READ}"
        return InputError(reason, file=source.name, remedy=remedy)
    if kind in ("python", "notebook"):
        from workload.dialects.script_parse import CALLS_READ

        word = "script" if kind == "python" else "notebook"
        reason = f"the {word} makes no training run; the calls that are read: {CALLS_READ}"
        return InputError(reason, file=source.name, remedy=remedy)
    keys = json_keys(source) if kind == "json" else _top_keys(source)
    named = next((name for row, name in KNOWN_KEYS if row <= keys), None)
    if named is not None:
        reason = f"this looks like {named}, which is not read as a training file"
        return InputError(reason, file=source.name, remedy=remedy)
    if not keys:
        from workload.splice.yaml_document import Document

        Document(source, "pyyaml")  # says why it is no mapping
    seen = ", ".join(sorted(keys)[:MAX_NAMED])[:300]
    reason = f"no training keys; the file holds: {seen or 'nothing'}"
    return InputError(reason, file=source.name, remedy=remedy)
