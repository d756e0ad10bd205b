"""Names of weights in tokenizers that were stored before version 0.2, and what they are called now."""

NETWORK, BLOCK = r"^(networks\.(?:encoder|decoder))", r"^(networks\.(?:encoder|decoder)\.(?:blocks\.\d+|neighbours))"
RENAMED = (
    (r"^networks\.bottleneck\.quantizer\.", "networks.quantizer.wrapped."),
    (NETWORK + r"\.read\.", r"\1.in_proj."),
    (NETWORK + r"\.read_box\.", r"\1.box_proj."),
    (NETWORK + r"\.place$", r"\1.position_embedding"),
    (NETWORK + r"\.write\.", r"\1.out_proj."),
    (BLOCK + r"\.narrow\.", r"\1.message_proj."),
    (BLOCK + r"\.think_norm\.", r"\1.mlp_norm."),
    (BLOCK + r"\.think\.", r"\1.mlp."),
)
"""As `nfgen.io.tensor_names.rename` takes them."""
