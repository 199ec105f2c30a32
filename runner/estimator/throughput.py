"""Turns work into seconds of one optimizer step, part by part; plain arithmetic.

The same code runs on numbers and, in the calibration, on columns. The model: matrix products and
attention at saturating rates, memory traffic at a share of the bandwidth, kernel launches that
hide behind the device (cubic mean), communication partly hidden, a pipeline bubble.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from runner.estimator.coefficients import Coefficients
from runner.estimator.work import Work


class Seconds(NamedTuple):
    """Parts of one optimizer step; they add up to it."""

    gemm: Any
    attention: Any
    elementwise: Any
    loss: Any
    dequantize: Any
    launch: Any
    communication: Any
    optimizer: Any

    @property
    def total(self) -> Any:
        """The whole step."""
        return (
            self.gemm + self.attention + self.elementwise + self.loss + self.dequantize
            + self.launch + self.communication + self.optimizer
        )  # fmt: skip


def project_step(work: Work, c: Coefficients) -> Seconds:
    """Seconds of one optimizer step on one rank."""
    gemm = _matrices(work, c)
    short = 1 + c.attention_reach / work.reach
    attention = work.attention_forward / c.attention_forward
    attention = (attention + work.attention_backward / c.attention_backward) * short
    moved = work.elementwise * c.fused**work.fused * c.compiled**work.compiled * c.kbit**work.kbit
    elementwise = (moved * c.elementwise + work.eager * c.eager) / c.bandwidth
    loss = work.loss * c.loss * c.chunked**work.chunked / c.bandwidth
    dequantize = work.dequantize * c.dequantize / c.bandwidth
    device = gemm + attention + elementwise + loss + dequantize
    host = work.layers * c.layer + work.adapter_layers * c.adapter + c.micro
    host = host + work.sharded_adapters * c.sharded_adapter * c.sharded_fused**work.fused
    host = host + work.expert_launches * c.expert_launch + work.routed_layers * c.routing
    host = host * c.launch_compiled**work.compiled
    waiting = _positive((device**3 + host**3) ** (1 / 3) - device)
    micro = device + waiting
    sent = _communication(work, c, micro)
    count = work.accumulation
    busy = count * (micro + sent)
    optimizer = work.optimizer * c.optimizer / c.bandwidth + work.host
    optimizer = optimizer + count * work.deepspeed * c.deepspeed / c.bandwidth
    return Seconds(
        gemm=count * gemm,
        attention=count * attention,
        elementwise=count * elementwise,
        loss=count * loss,
        dequantize=count * dequantize,
        launch=count * waiting + c.step,
        communication=count * sent + busy * work.bubble * c.bubble + work.reduce * c.reduce_exposed,
        optimizer=optimizer,
    )


def _matrices(work: Work, c: Coefficients) -> Any:
    wide = work.width / (work.width + c.saturation_width)
    body = c.gemm * c.precision
    dense = work.dense / (body * wide * work.tokens / (work.tokens + c.saturation_tokens))
    rows = work.expert_tokens / (work.expert_tokens + c.saturation_expert)
    experts = work.experts / (body * wide * rows * c.experts)
    head = work.head / (c.gemm * wide * work.tokens / (work.tokens + c.saturation_tokens))
    return dense + experts + head


def _communication(work: Work, c: Coefficients, micro: Any) -> Any:
    """Seconds per micro-step that compute does not hide."""
    gather = work.gather * c.zero3**work.zero3
    excess = _positive(gather - micro)
    tensor = work.tensor * c.tensor_exposed * c.tensor_overlapped**work.overlapped
    experts = work.expert_near * c.expert_near + work.expert_far * c.expert_far
    experts = experts * c.deep_ep**work.deep_ep
    return gather * c.gather_exposed + excess * c.gather_excess + tensor + experts


def _positive(value: Any) -> Any:
    """The value where it is positive, else 0."""
    return (value + abs(value)) / 2
