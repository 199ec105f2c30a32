"""Reports and events made by hand for the tests of the page; every figure here is invented."""

from __future__ import annotations

from typing import Any

from audit.records.base import Interval, Json
from audit.records.comparison import Comparison
from audit.records.finding import Check, Effect, Evidence, FieldEdit, Finding, Source
from audit.records.metrics import Metrics
from audit.records.patch import Edit, Patch, PatchedFile
from audit.records.profile import Part, Profile
from audit.records.report import Believe, HardwareUsed, Report
from audit.records.workload import DataLengths, FieldValue, SourceFile

AUDIT_ID = "8f3c" * 8
DIFF = """--- a/qlora.yml
+++ b/qlora.yml
@@ -3,5 +3,5 @@
 # base
-load_in_4bit: true
-adapter: qlora
+load_in_4bit: false
+adapter: lora
 lora_r: 16
 lora_alpha: 32
@@ -21,4 +21,4 @@
-micro_batch_size: 1
-gradient_accumulation_steps: 8
+micro_batch_size: 4
+gradient_accumulation_steps: 2
 num_epochs: 3
 optimizer: adamw_torch_fused
@@ -29,3 +29,3 @@
 bf16: true
-tf32: true      # from an A100 recipe
+tf32: false     # from an A100 recipe
 logging_steps: 1
"""


def spread(low: float, value: float, high: float) -> Interval:
    return Interval(low=low, value=value, high=high)


def source(title: str = "axolotl docs, multipack", url: str = "https://example.org/a") -> Source:
    return Source(title=title, url=url, as_of="2026-07-24")


def finding(number: int, **changes: Any) -> Finding:
    """A finding with sensible parts; `changes` replace them."""
    parts: dict[str, Any] = {
        "id": f"f_{number}",
        "rule_id": "memory.checkpointing_not_needed",
        "facts": ("mem-01",),
        "severity": "high",
        "title": "Activations are recomputed although they fit",
        "why": "Recompute trades time for memory. The patched peak leaves half of it free.",
        "fields": ("gradient_checkpointing",),
        "evidence": Evidence(file="qlora.yml", line=31, text="gradient_checkpointing: true"),
        "effect": Effect(
            metric="speed",
            low=1.2,
            value=1.4,
            high=1.6,
            basis="derived",
            text="About a third more work.",
        ),
        "semantics": "neutral",
        "edits": (FieldEdit(field="gradient_checkpointing", value=False),),
        "caveats": ("Needs the memory the estimate says.",),
        "verify": "Watch the step time with and without the flag over 50 steps.",
        "sources": (
            source(
                "transformers 5.23, training_args.py", "pypi:transformers==5.23.0 training_args.py"
            ),
        ),
    }
    return Finding(**{**parts, **changes})


FATAL = finding(
    1,
    rule_id="precision.tf32_on_rocm",
    severity="critical",
    title="The run stops at start-up: TF32 is refused on ROCm",
    why="Transformers raises ValueError for this flag whenever PyTorch has no CUDA build.",
    fields=("tf32",),
    evidence=Evidence(file="qlora.yml", line=30, text="tf32: true      # from an A100 recipe"),
    effect=Effect(metric="starts", basis="published"),
    stops_run=True,
    edits=(FieldEdit(field="tf32", value=False),),
)
RECOMPUTE = finding(2)
UNPACK = finding(
    3,
    rule_id="quant.qlora_not_for_speed",
    semantics="numerics",
    title="4-bit weights are unpacked on every pass, to save memory you have",
    fields=("quant_bits", "finetune_method"),
    evidence=Evidence(file="qlora.yml", line=4, text="load_in_4bit: true"),
    effect=Effect(metric="speed", low=1.1, value=1.3, high=1.5, basis="published"),
    edits=(FieldEdit(field="quant_bits", value=None),),
    sources=(source("torchtune, memory optimisations"), source("bitsandbytes docs")),
)
PACKING = finding(
    4,
    rule_id="data.padding_waste",
    severity="medium",
    semantics="dynamics",
    title="59% of every batch is padding; packing would remove it",
    why="Off by default: packing changes how many samples one step sees. Re-check the warm-up.",
    fields=("packing",),
    evidence=Evidence(file="qlora.yml", line=18, text="sample_packing: false"),
    effect=Effect(metric="speed", low=1.6, value=2.2, high=2.4, basis="derived"),
    edits=(FieldEdit(field="packing", value=True),),
)
ADVICE = finding(
    5,
    rule_id="system.numa_balancing",
    severity="low",
    title="NUMA balancing costs speed on this board",
    fields=(),
    evidence=Evidence(file=None, line=None, text="MI300X, 8 GPUs"),
    effect=Effect(metric="speed", basis="none"),
    edits=(),
    advice="Run `sysctl kernel.numa_balancing=0` as root before the launch.",
)


def edit(
    of: Finding, field: str, before: Json, after: Json, *, applied: bool = True, **more: Any
) -> Edit:
    return Edit(
        field=field,
        before=before,
        after=after,
        semantics=of.semantics,
        rule_ids=(of.rule_id,),
        finding_ids=(of.id,),
        applied=applied,
        file="qlora.yml",
        line=of.evidence.line,
        **more,
    )


EDITS = (
    edit(FATAL, "tf32", True, False),
    edit(RECOMPUTE, "gradient_checkpointing", True, False),
    edit(UNPACK, "quant_bits", 4, None),
    edit(PACKING, "packing", False, True, applied=False, reason="changes what is learned"),
)


def arm(name: str, **changes: Any) -> Metrics:
    """The projected figures of one arm."""
    before = name == "baseline"
    parts: dict[str, Any] = {
        "arm": name,
        "workload": "a" * 64,
        "runner": "fake",
        "provenance": "projected",
        "hardware": "mi300x",
        "gpus": 1,
        "nodes": 1,
        "steps": 50,
        "tokens_per_s_per_gpu": spread(4630, 5450, 6420) if before else spread(13010, 15400, 18200),
        "tokens_per_s": spread(4630, 5450, 6420) if before else spread(13010, 15400, 18200),
        "step_s": spread(2.6, 3.01, 3.5) if before else spread(0.9, 1.06, 1.25),
        "mfu": spread(0.11, 0.131, 0.16) if before else spread(0.32, 0.378, 0.44),
        "peak_memory_gb": spread(10.1, 12.4, 15.2) if before else spread(60.0, 71.2, 85.1),
        "memory_kind": "allocated",
        "padding_efficiency": spread(0.41, 0.41, 0.41),
        "breakdown": tuple(
            Part(name=part, value=value)
            for part, value in (
                (
                    ("gemm", 1.4),
                    ("attention", 0.74),
                    ("dequantize", 0.5),
                    ("loss", 0.2),
                    ("launch", 0.17),
                )
                if before
                else (("gemm", 0.75), ("attention", 0.09), ("loss", 0.15), ("launch", 0.07))
            )
        ),
        "memory": tuple(
            Part(name=part, value=value)
            for part, value in (
                (
                    ("weights", 6.0),
                    ("optimizer", 0.7),
                    ("activations", 0.6),
                    ("logits", 3.7),
                    ("other", 1.4),
                )
                if before
                else (
                    ("weights", 16.1),
                    ("optimizer", 0.7),
                    ("activations", 38.3),
                    ("logits", 14.7),
                    ("other", 1.4),
                )
            )
        ),
    }
    return Metrics(**{**parts, **changes})


CHECKED = tuple(
    Check(rule_id=rule, title=title)
    for rule, title in (
        ("precision.fp16_on_bf16_card", "Precision matches the card"),
        ("precision.loss_scaler", "No fp16 loss scaling"),
        ("attention.eager", "A fused attention kernel is used"),
        ("batch.too_small", "The micro-batch fills the card"),
        ("data.workers", "Loader workers are set"),
        ("correct.pad_is_eos", "Pad token differs from EOS"),
        ("env.blocking_launches", "No debug variables set"),
    )
)


def report(**changes: Any) -> Report:
    """A report with a fatal line, two edits, one offer and one advice; `changes` replace parts."""
    parts: dict[str, Any] = {
        "workload_name": "qlora.yml",
        "tier": 0,
        "completed_by": "rules",
        "provenance": "projected",
        "format": "axolotl_yaml",
        "framework": "axolotl",
        "files": (
            SourceFile(
                name="qlora.yml", format="axolotl_yaml", sha256="0" * 64, size=900, lines=33
            ),
        ),
        "hardware": HardwareUsed(
            id="mi300x",
            name="AMD Instinct MI300X",
            memory_gb=192,
            gpus=1,
            nodes=1,
            origin="assumed",
        ),
        "fields": {
            "model_id": FieldValue(
                value="meta-llama/Llama-3.1-8B", origin="stated", file="qlora.yml", line=1
            ),
            "finetune_method": FieldValue(value="qlora", origin="derived"),
            "effective_batch": FieldValue(value=8, origin="derived"),
        },
        "lengths": DataLengths(
            p50=310, p95=900, max=2048, origin="assumed", source="usual for chat data"
        ),
        "notices": (),
        "starts_as_written": False,
        "findings": (FATAL, RECOMPUTE, UNPACK, PACKING, ADVICE),
        "patch": Patch(
            edits=EDITS,
            diff=DIFF,
            files=(
                PatchedFile(
                    name="qlora.yml",
                    sha256_before="0" * 64,
                    sha256_after="1" * 64,
                    added=5,
                    removed=5,
                ),
            ),
            env={"NCCL_MIN_NCHANNELS": "112"},
            launch="axolotl train qlora.yml",
        ),
        "profile": Profile(
            workload="a" * 64, hardware="mi300x", gpus=1, nodes=1, provenance="projected"
        ),
        "before": arm("baseline"),
        "after": arm("patched"),
        "comparison": Comparison(
            before_id="bench_1",
            after_id="bench_2",
            verdict="faster",
            speedup=spread(2.31, 2.83, 3.42),
            confidence=0.8,
            minimum_detectable_effect=0.05,
            provenance="projected",
            reason="the interval lies above 1.03",
        ),
        "checked": CHECKED,
        "sources": (source(),),
        "versions": {"transformers": "5.23.0", "axolotl": "0.13.0", "goblin": "0.1.0"},
        "versions_origin": "assumed",
        "believe": Believe(
            text="Each published run was predicted without its own group.",
            runs=257,
            mean_error=0.096,
            median_error=0.065,
            within_20=0.92,
            amd_runs=14,
            amd_median_error=0.083,
            interval_coverage=0.81,
        ),
        "seconds": 0.061,
    }
    return Report(**{**parts, **changes})


def well_tuned() -> Report:
    """Nothing to fix: no finding, no edit, one arm."""
    return report(
        workload_name="well-tuned.yaml",
        starts_as_written=True,
        findings=(),
        patch=Patch(),
        after=None,
        comparison=Comparison(
            before_id="bench_1", after_id="bench_1", verdict="no_difference", reason="no edit"
        ),
    )


def without_estimate() -> Report:
    """The model is not in the catalogue: findings and patch without figures."""
    return report(
        before=None,
        after=None,
        believe=None,
        profile=Profile(
            workload="a" * 64,
            hardware="mi300x",
            gpus=1,
            nodes=1,
            provenance="projected",
            missing=("model size",),
            missing_reason="the model `acme/secret-12b` is not in the catalogue",
        ),
        comparison=Comparison(
            before_id="", after_id="", verdict="not_comparable", reason="no figures"
        ),
    )


def failed_run() -> Report:
    """The patched arm ran out of memory: a result, not an error."""
    return report(
        provenance="measured",
        starts_as_written=True,
        before=arm("baseline", provenance="measured", runner="local", samples=150),
        after=Metrics(
            arm="patched",
            workload="b" * 64,
            runner="local",
            provenance="measured",
            hardware="mi300x",
            gpus=1,
            nodes=1,
            steps=50,
            failure="out of memory at step 3",
        ),
        believe=None,
        comparison=Comparison(
            before_id="bench_1", after_id="bench_2", verdict="failed", reason="out of memory"
        ),
    )
