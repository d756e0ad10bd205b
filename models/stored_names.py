"""Names of weights in files of version 0.1, and what they are called now."""

from torch import Tensor

from nfgen.io.tensor_names import rename

VERSION_0_1 = "transformer.blocks.0.attention.read.weight"
"""Every model of version 0.1 had this weight; none has it now."""

RENAMED = (
    (r"^starts\.weight$", "start_embedding.weight"),
    (r"^transformer\.places\.weight$", "transformer.position_embedding.weight"),
    (r"^(transformer\.blocks\.\d+\.attention)\.read\.", r"\1.qkv."),
    (r"^(transformer\.blocks\.\d+\.feedforward)\.read\.", r"\1.up."),
    (r"^(transformer\.blocks\.\d+\.(?:attention|feedforward))\.write\.", r"\1.proj."),
    (r"^head\.read\.", "head.in_proj."),
    (r"^head\.earlier\.", "head.digit_embedding."),
    (r"^head\.write\.", "head.out_proj."),
)


def with_current_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A stored state dict of a model by its current names."""
    return rename(tensors, RENAMED) if VERSION_0_1 in tensors else tensors
