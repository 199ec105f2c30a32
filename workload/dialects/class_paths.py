"""Class paths of optimizers and the names that transformers gives the same ones."""

from __future__ import annotations

OPTIMIZERS = {
    "torch.optim.AdamW": "adamw_torch",
    "torch.optim.Adam": "adam",
    "torch.optim.SGD": "sgd",
    "torch.optim.RMSprop": "rmsprop",
    "torch.optim.Adagrad": "adagrad",
    "bitsandbytes.optim.AdamW": "adamw_bnb_32bit",
    "bitsandbytes.optim.AdamW8bit": "adamw_bnb_8bit",
    "bitsandbytes.optim.PagedAdamW": "paged_adamw_32bit",
    "bitsandbytes.optim.PagedAdamW32bit": "paged_adamw_32bit",
    "bitsandbytes.optim.PagedAdamW8bit": "paged_adamw_8bit",
    "torchao.optim.AdamW8bit": "adamw_torch_8bit",
    "torchao.optim.AdamW4bit": "adamw_torch_4bit",
}
"""transformers training_args.py, OptimizerNames, and the classes that trainer.py makes of them."""
FUSED = "adamw_torch_fused"


def optimizer_name(path: str, *, fused: bool = False) -> str:
    """The name of an optimizer class; its own name in lower case where transformers has none."""
    name = OPTIMIZERS.get(path) or OPTIMIZERS.get(f"torch.optim.{path}")
    if name == "adamw_torch" and fused:
        return FUSED
    return name or path.rpartition(".")[2].lower()


def optimizer_class(name: str) -> str | None:
    """The class path of an optimizer's name; None where there is none of its own."""
    plain = "adamw_torch" if name == FUSED else name
    return next((path for path, known in OPTIMIZERS.items() if known == plain), None)
