"""The files that go with a training file: which of them the run uses, and what they make of it.

A file is used when the training file (or the launch config) names it, or when it is the only one of
its kind and nothing else is named. Nothing named is ever opened: only uploads are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from audit.records.errors import InputError
from audit.records.workload import FieldValue, Notice
from workload.bundle import Bundle, base_name
from workload.dialects import NamedFile, Reading
from workload.precedence import (
    LAUNCHED,
    TAKEN,
    Joined,
    join_accelerate,
    join_adapter,
    join_deepspeed,
    join_fsdp,
    join_log,
    whole_batch,
)

ALONE = {
    "accelerate_yaml": "an accelerate config launches a script: upload the script or recipe too",
    "deepspeed_json": "a DeepSpeed config goes with a training file: upload that file, too",
    "fsdp_json": "an FSDP config goes with training arguments: upload them, too",
    "peft_json": "an adapter config tells nothing of batch and precision: upload the training file",
    "trainer_state_json": "a log is evidence of a run: upload the training file of that run, too",
}
ADAPTER_KEYS = ("lora_model_dir", "adapter_name_or_path", "adapter_path", "resume_adapter")
"""Keys by which a training file loads an adapter (axolotl, LLaMA-Factory)."""


def join_companions(bundle: Bundle, reading: Reading, versions: Mapping[str, str]) -> Joined:
    """The fields of the training file with those of the files beside it, and what was noticed.

    Args:
        bundle: the uploads; `formats` gets the format of every file that is used.
        reading: the training file, read.
        versions: package -> version.
    """
    run = Joined(bundle.main.name, dict(reading.fields))
    party = _Party(bundle, versions, run, set(reading.inherited))
    named = [*reading.named_files]
    counts_all = _join_launcher(party, run, named)
    launched = party.only("accelerate_yaml") if run.framework in LAUNCHED else None
    if launched is not None:
        named += launched.named_files
        join_accelerate(run, launched)
    party.named_deepspeed(named)
    if run.framework in LAUNCHED and not named:
        party.join("deepspeed_json", join_deepspeed)
    if run.framework in LAUNCHED:
        party.join("fsdp_json", join_fsdp)
    loads = any(reading.entries.get(key) for key in ADAPTER_KEYS)
    party.join("peft_json", lambda run, adapter: join_adapter(run, adapter, loaded=loads))
    party.join("trainer_state_json", join_log)
    if launched is not None or run.framework == "accelerate" or counts_all:
        batch = whole_batch(run)
        if batch is not None:
            run.fields["effective_batch"] = batch
    party.tell_rest(alone=ALONE.get(bundle.found.dialect.format))
    return run


def _join_launcher(party: _Party, run: Joined, named: list[NamedFile]) -> bool:
    """The launcher beside the training file; whether it counts the ranks of all machines."""
    formats = [found.dialect.format for found in party.bundle.companions.values()]
    line = party.only("sh_launcher") if "sh_launcher" in formats else None
    if line is None:
        return False
    from workload.launch_join import counts_all, join_launcher, launches  # reads shell scripts

    main = party.bundle.main
    if not launches(line, main.name):
        party.release("sh_launcher", f"launches another file than {main.name}")
        return False
    named += line.named_files
    join_launcher(run, party.started(line), main)
    return counts_all(line)


class _Party:
    """The files beside the training file, and which of them were used."""

    def __init__(
        self, bundle: Bundle, versions: Mapping[str, str], run: Joined, used: set[str]
    ) -> None:
        self.bundle, self.versions, self.run, self.used = bundle, versions, run, used

    def only(self, format_id: str) -> Reading | None:
        """The reading of the only file of a format; None where there is none, or several."""
        names = [
            name
            for name, found in self.bundle.companions.items()
            if found.dialect.format == format_id and name not in self.used
        ]
        if len(names) != 1:
            for name in names:
                self.bundle.unread[name] = "one of several of its kind, none of which is named"
            return None
        return self.read(names[0])

    def started(self, line: Reading) -> Reading:
        """A launcher that tells which fields of the script its options give."""
        from workload.dialects.launch_options import StartedLauncher

        name = next(name for name, reading in self.run.readings.items() if reading is line)
        given = {
            field: value.key
            for field, value in self.run.fields.items()
            if value.file == name and value.key and value.origin == "stated"
        }
        if not given:
            return line
        dialect = StartedLauncher(given)
        found = self.bundle.companions[name]
        self.bundle.companions[name] = replace(found, dialect=dialect)
        self.run.readings[name] = dialect.read(self.bundle.beside[name], self.versions)
        return self.run.readings[name]

    def read(self, name: str) -> Reading | None:
        """The reading of a file beside; None and a notice where it is broken."""
        found = self.bundle.companions[name]
        self.used.add(name)
        try:
            reading = found.dialect.read(self.bundle.beside[name], self.versions)
        except InputError as error:
            self.refuse(name, error)
            return None
        self.bundle.formats[name] = found.dialect.format
        self.run.readings[name] = reading
        self.run.notices += [one for one in reading.notices if one.kind != "assumed"]
        return reading

    def release(self, format_id: str, why: str) -> None:
        """Files of a format that turned out not to belong to the run."""
        for name, found in self.bundle.companions.items():
            if found.dialect.format == format_id and name in self.used:
                self.used.discard(name)
                self.run.readings.pop(name, None)
                self.bundle.formats[name] = "unread"
                self.bundle.unread[name] = why

    def join(self, format_id: str, joining: Callable[[Joined, Reading], None]) -> None:
        """Read the only file of a format and let it speak."""
        reading = self.only(format_id)
        if reading is not None:
            joining(self.run, reading)

    def named_deepspeed(self, named: list[NamedFile]) -> None:
        """The DeepSpeed configs that are named: read where uploaded, else unknown and told of."""
        for one in named:
            name = base_name(one.path)
            if name in self.used:
                continue
            if name not in self.bundle.beside:
                message = f"{one.key} names {name[:80]}, which was not uploaded and is not read"
                self.missing(name, one, message)
                continue
            found = self.bundle.companions.get(name)
            reading = None
            if found is not None and found.dialect.format == "deepspeed_json":
                reading = self.read(name)
            else:
                self.used.add(name)
                why = self.bundle.unread.get(name, "no DeepSpeed config")
                self.missing(name, one, f"{one.key} names {name[:80]}: {why}")
            if reading is not None:
                join_deepspeed(self.run, reading)

    def missing(self, name: str, one: NamedFile, message: str) -> None:
        """What stands in a file that cannot be read is unknown."""
        file, why = self.run.main, f"stands in {name[:80]}, which is not read"
        self.run.notices.append(
            Notice(kind="missing_file", message=message, file=file, line=one.line)
        )
        for field in TAKEN:
            if field not in self.run.fields:
                self.run.fields[field] = FieldValue(
                    value=None, origin="unknown", file=file, line=one.line, key=one.key, source=why
                )

    def refuse(self, name: str, error: InputError) -> None:
        """A file beside that is broken does not stop the reading of the training file."""
        self.run.notices.append(
            Notice(kind="refused", message=f"{name} is not read: {error.reason}", file=name,
                   line=error.line)
        )  # fmt: skip

    def tell_rest(self, alone: str | None) -> None:
        """Files that nobody read, and what is missing beside a file that cannot stand alone."""
        others = dict.fromkeys(self.bundle.companions, "the training file does not use it")
        for name, reason in {**others, **self.bundle.unread}.items():
            if name not in self.used:
                self.run.notices.append(Notice(kind="note", message=f"{name}: {reason}", file=name))
        if alone is not None:
            file = self.run.main
            self.run.notices.append(Notice(kind="note", message=alone, file=file))
