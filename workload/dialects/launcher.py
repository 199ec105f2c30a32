"""Shell launchers: the launch line of a training run, with the variables and options around it.

Nothing is run or expanded by a shell. The options are read by the key table of the framework that
will get them (`launch_programs`); what only a run would tell is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.records.base import Json
from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.dialects import CannotEdit, Change, Detection, NamedFile, Reading
from workload.dialects.launch_document import LaunchDocument, make_document
from workload.dialects.launch_line import Flag
from workload.dialects.launch_programs import TRAINING
from workload.dialects.launch_run import LaunchRun, find_launch
from workload.dialects.launch_world import World
from workload.dialects.shell_command import Command
from workload.dialects.shell_values import told, whole
from workload.source import SourceText

LAUNCHERS_READ = (
    "torchrun, accelerate launch, deepspeed, python, llamafactory-cli train, swift sft|pt|rlhf, "
    "axolotl train, tune run, trl, litgpt"
)
RAY = frozenset({"openrlhf", "verl_sft"})
"""Frameworks that start their processes themselves, where no launcher does."""


@dataclass
class LaunchReading:
    """What the edits of a launcher need."""

    run: LaunchRun
    document: LaunchDocument
    inner: Reading
    world: World
    from_config: str = ""
    """Name of the config file that the line names."""


class LauncherDialect:
    """Shell scripts that launch a training run."""

    format = "sh_launcher"
    framework = "hf"

    def detect(self, source: SourceText) -> Detection:
        """Whether some line launches a training run."""
        run = source.parsed(find_launch)
        if run is None:
            return Detection(0.0, "no launch line of a training run")
        line = source.line_of(run.launch.command.start)
        known = sum(flag.name in TRAINING for flag in run.launch.flags)
        score = 0.95 if not run.program.scripted else 0.9 if known >= 2 else 0.6
        what = f"{run.launch.launcher} starts {run.launch.program[:60]} (line {line})"
        return Detection(score, what)

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of the first launch line that trains.

        Raises:
            InputError: no such line.
        """
        run = source.parsed(find_launch)
        if run is None:
            reason = "no line of this script launches a training run that is read"
            remedy = f"Upload the script with the launch line; read are: {LAUNCHERS_READ}"
            raise InputError(reason, file=source.name, remedy=remedy)
        return read_run(source, run, versions)

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the text that make `edit`. Raises CannotEdit."""
        from workload.dialects.launcher_edits import edit_launcher

        if not isinstance(reading.tree, LaunchReading):
            reason, advice = "the script was not read", f"write {edit.field} by hand"
            raise CannotEdit(reason, advice)
        return edit_launcher(source, edit, reading)


def read_run(source: SourceText, run: LaunchRun, versions: Mapping[str, str]) -> Reading:
    """The fields of one launch line."""
    return _LaunchReader(source, run, versions).read()


class _LaunchReader:
    """Collects the fields of one launch line."""

    def __init__(self, source: SourceText, run: LaunchRun, versions: Mapping[str, str]) -> None:
        self.source, self.run, self.versions = source, run, versions
        self.notices: list[Notice] = []
        self.fields: dict[str, FieldValue] = {}

    def read(self) -> Reading:
        """The whole reading."""
        run, launch = self.run, self.run.launch
        flags = self._flags()
        document = make_document(self.source.name, flags, nested=run.program.nested)
        inner = run.program.dialect.read(document.source, self.versions)
        bare = make_document(
            self.source.name, flags, nested=run.program.nested, leave_out_unknown=True
        )
        without = inner
        if document.unknown:
            without = run.program.dialect.read(bare.source, self.versions)
        for name, value in inner.fields.items():
            if run.program.sure or value.origin not in ("default", "assumed"):
                self.fields[name] = self._field(name, value, document, without)
        self._program(inner)
        world = World(self.source, launch, run.asked)
        own = "python" if run.program.framework in RAY else ""
        for name, value in world.fields().items():
            if value.origin != "derived" or (name not in self.fields and launch.launcher != own):
                self.fields[name] = value
        self._whole_batch()
        self._variables(world)
        config = self._config()
        self._notices(document, inner)
        named = [self._named(one, document) for one in inner.named_files]
        reading = LaunchReading(run, document, inner, world, config or "")
        entries = {f"--{path}": value for path, value in inner.entries.items()}
        entries |= {f"env {name}": value.value for name, value in self.fields.items()
                    if name.startswith("env:")}  # fmt: skip
        for flag in launch.options:
            entries[f"launcher --{flag.name}"] = " ".join(one.text or "?" for one in flag.values)
        return Reading(
            fields=self.fields,
            versions=inner.versions,
            notices=tuple(self.notices),
            tree=reading,
            entries=entries,
            named_files=tuple(one for one in [*named, *self._launcher_files()] if one is not None),
        )

    def _flags(self) -> list[Flag]:
        """The options that the key table reads; accelerate's own DeepSpeed options with them."""
        return [flag for flag in self.run.launch.flags if flag.sign != "~"]

    def line(self, at: int) -> int:
        """1-based line of an offset."""
        return self.source.line_of(at)

    def _field(
        self, name: str, value: FieldValue, document: LaunchDocument, without: Reading
    ) -> FieldValue:
        """A field of the document, at its place in the script; what hangs on the unknown is so."""
        program, launch = self.run.program, self.run.launch
        flag = document.lines.get(value.line) if value.line is not None else None
        other = without.fields.get(name)
        hangs = other is None or (other.value, other.origin) != (value.value, value.origin)
        if value.line in document.unknown or (document.unknown and hangs):
            unknown = next((one for one in document.paths.values() if _why(one)), None)
            source = flag if flag is not None and _why(flag) else unknown
            return FieldValue(
                value=None,
                origin="unknown",
                file=self.source.name,
                line=self.line(source.start) if source else None,
                key=spelt(source) if source else None,
                source=self._told(source) if source else "an option is not known",
            )
        if flag is not None:
            update: dict[str, Json] = {"line": self.line(flag.start), "key": spelt(flag)}
            text = flag.values[0].text if len(flag.values) == 1 else None
            if isinstance(value.value, bool) and text not in (None, str(value.value).lower()):
                update["written"] = (text or "")[:80]
            return value.model_copy(update={**update, "file": self.source.name})
        if value.origin == "default" and program.config is not None:
            why = "may stand in the config that the line names, which is not read"
            return FieldValue(value=None, origin="unknown", source=why)
        if value.origin in ("default", "assumed") and launch.opaque:
            why = launch.opaque[0].why
            return FieldValue(value=None, origin="unknown", source=f"an option may follow: {why}")
        if value.origin == "default" and program.scripted:
            why = f"{value.source}; the script, which was not uploaded, may set another"
            return value.model_copy(update={"origin": "assumed", "source": why})
        return value

    def _told(self, flag: Flag) -> str:
        """Why an option is unknown, with all that it may be."""
        pieces = (piece for value in flag.values for piece in value.pieces if piece.why)
        return next((told(piece, self.line) for piece in pieces), "")

    def _program(self, inner: Reading) -> None:
        """Framework and task, by the line itself."""
        program, launch = self.run.program, self.run.launch
        line = self.line(launch.command.start)
        at = {"file": self.source.name, "line": line, "key": launch.program[:80]}
        self.fields["framework"] = FieldValue(
            value=program.framework, origin="stated", file=self.source.name
        )
        if not program.sure and program.framework in ("hf", "trl"):
            why = "the script was not uploaded; few of its options are of transformers"
            self.fields["framework"] = FieldValue(
                value=program.framework, origin="assumed", source=why
            )
        if program.task_stated and program.task is not None:
            self.fields["task"] = FieldValue(value=program.task, origin="stated", **at)
        elif program.task is not None and program.scripted:
            why = f"the name and the options of {launch.program[:80]} suggest it"
            self.fields["task"] = FieldValue(value=program.task, origin="assumed", source=why)
        elif program.framework == "ms-swift":
            why = "rlhf_type is not known"
            self.fields["task"] = FieldValue(value=None, origin="unknown", source=why, **at)
        method = self.fields.get("finetune_method")
        if program.method is not None and (method is None or method.origin == "assumed"):
            why = f"the name {launch.program[:80]} tells it"
            self.fields["finetune_method"] = FieldValue(
                value=program.method, origin="assumed", source=why
            )
        if launch.launcher == "accelerate":
            self._accelerate()

    def _accelerate(self) -> None:
        """What accelerate's own options say where the training arguments are silent."""
        launch = self.run.launch
        flag = launch.option("mixed_precision")
        word = flag.values[0].text if flag is not None and flag.values else None
        own = [self.fields.get(name) for name in ("bf16", "fp16")]
        if (
            flag is not None
            and word in ("bf16", "fp16")
            and not any(found is not None and found.origin == "stated" for found in own)
        ):
            for name in ("bf16", "fp16"):
                self._state(name, name == word, flag)
        stage = launch.option("zero_stage")
        if stage is not None and stage.values and (stage.values[0].text or "").isdigit():
            self._state("deepspeed_stage", int(stage.values[0].text or 0), stage)

    def _state(self, name: str, value: Json, flag: Flag) -> None:
        self.fields[name] = FieldValue(
            value=value,
            origin="stated",
            file=self.source.name,
            line=self.line(flag.start),
            key=spelt(flag),
        )

    def _whole_batch(self) -> None:
        """The batch of a step where the line names it, or where accelerate counts all processes."""
        whole = self.fields.get("train_batch_size")
        if whole is not None and isinstance(whole.value, int) and whole.origin == "stated":
            self.fields["effective_batch"] = FieldValue(
                value=whole.value, origin="derived", source=f"{whole.key} counts all ranks"
            )
            return
        if self.run.launch.launcher != "accelerate":
            return
        names = ("per_device_train_batch_size", "gradient_accumulation_steps", "num_processes")
        found = [self.fields.get(name) for name in names]
        counts = [one.value for one in found if one is not None and isinstance(one.value, int)]
        if len(counts) == 3:
            micro, accumulation, ranks = counts
            why = f"{micro} x {accumulation} x {ranks} ranks"
            self.fields["effective_batch"] = FieldValue(
                value=micro * accumulation * ranks, origin="derived", source=why
            )

    def _variables(self, world: World) -> None:
        """Every variable that the line or the script exports."""
        known: dict[str, Json] = {}
        for name, (text, at) in world.variables.items():
            value = whole(text)
            place = next((piece.at for piece in text if piece.at is not None), at)
            held = {"file": self.source.name, "line": self.line(place), "key": name}
            if value is None:
                why = next((told(piece, self.line) for piece in text if piece.why), "")
                self.fields[f"env:{name}"] = FieldValue(
                    value=None, origin="unknown", source=why, **held
                )
            elif len(value) < 2_000:
                known[name] = value
                self.fields[f"env:{name}"] = FieldValue(value=value, origin="stated", **held)
        if known:
            self.fields["env"] = FieldValue(
                value=known, origin="derived", source="the variables that the script sets"
            )

    def _config(self) -> str | None:
        """The config file that the line names: told of, its name returned."""
        config = self.run.program.config
        if config is None:
            return None
        value = config.values[0] if isinstance(config, Flag) else config
        name = (value.text or "").replace("\\", "/").rpartition("/")[2]
        return name or None

    def _named(self, one: NamedFile, document: LaunchDocument) -> NamedFile | None:
        flag = document.lines.get(one.line)
        if flag is None or one.line in document.unknown:
            return None
        return one._replace(line=self.line(flag.start), key=spelt(flag))

    def _launcher_files(self) -> list[NamedFile]:
        """DeepSpeed configs that the launcher itself is given."""
        flag = self.run.launch.option("deepspeed_config_file", "deepspeed_config")
        if flag is None or not flag.values or flag.values[0].text is None:
            return []
        return [NamedFile(flag.values[0].text, spelt(flag), self.line(flag.start))]

    def _notices(self, document: LaunchDocument, inner: Reading) -> None:
        run = self.run
        for one in inner.notices:
            if one.line in document.unknown or one.kind == "assumed":
                continue
            flag = document.lines.get(one.line) if one.line is not None else None
            line = self.line(flag.start) if flag is not None else None
            self.notices.append(one.model_copy(update={"line": line, "file": self.source.name}))
        for flag in document.repeated[:20]:
            self._note(f"{spelt(flag)} is given again below; the last one holds", flag.start)
        command: Command = run.launch.command
        if command.nested in ("loop", "function", "case", "if"):
            word = {"if": "under a condition", "case": "under a condition"}.get(command.nested)
            where = word or f"in a {command.nested}"
            self._note(f"the launch line stands {where}", command.start)
        for other in run.others[:5]:
            text = f"{other.program[:60]} is launched as well; only the first run is read"
            self._note(text, other.command.start)
        for at in run.shell.comments:
            text = "a comment ends the command here: the options below it are not passed"
            self._note(text, at)
        for at in run.shell.blanks:
            text = "blanks behind the backslash end the command here: options below are not passed"
            self._note(text, at)
        for opaque in run.launch.opaque[:5]:
            self._note(
                f"options may follow that the text does not show: {opaque.why}", opaque.start
            )

    def _note(self, message: str, at: int) -> None:
        line = self.line(at)
        self.notices.append(Notice(kind="note", message=message, file=self.source.name, line=line))


def spelt(flag: Flag) -> str:
    """An option as the line spells it, without its value."""
    head = flag.field.head
    dashes = head[: len(head) - len(head.lstrip("-"))]
    return f"{dashes}{flag.name}"


def _why(flag: Flag) -> str:
    return next((value.why for value in flag.values if value.why), "")


LAUNCHER = LauncherDialect()
