"""What a DeepSpeed config says: ZeRO stage and offload from its block, or the stage from a name."""

from __future__ import annotations

import re

from workload.dialects.yaml_table import FieldReader
from workload.splice.yaml_document import Place

_STAGE_IN_NAME = re.compile(r"(?:zero|stage|z)[-_]?(?:stage)?[-_]?([0-3])(?![0-9])", re.IGNORECASE)


def read_deepspeed(reader: FieldReader, place: Place) -> None:
    """The fields of a `deepspeed:` block; of a path only the stage its name tells, as assumed.

    The named file is never opened; `workload.read` reads it where it was uploaded beside, and says
    so where it was not.
    """
    if isinstance(reader.document.plain(place.value), dict):
        _read_block(reader, place.path + ".")
        return
    reader.names_file(place)
    name = str(reader.document.plain(place.value)).replace("\\", "/").rpartition("/")[2]
    found = _STAGE_IN_NAME.search(name)
    if found:
        reader.assumed("deepspeed_stage", int(found[1]), f"from the name {name}")
        if "offload" in name.lower():
            reader.assumed("offload_optimizer", "cpu", f"from the name {name}")


def _read_block(reader: FieldReader, above: str) -> None:
    stage = reader.document.place(f"{above}zero_optimization.stage")
    if stage is not None:
        reader.stated("deepspeed_stage", stage, reader.document.plain(stage.value))
    for field in ("offload_optimizer", "offload_param"):
        device = reader.document.place(f"{above}zero_optimization.{field}.device")
        if device is not None:
            reader.stated(field, device, str(reader.document.plain(device.value)).lower())
