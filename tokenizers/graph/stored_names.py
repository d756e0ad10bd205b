"""Names of the graph encoder's weights before version 0.2, and what they are called now."""

BLOCK, POOLING = r"^(networks\.encoder\.blocks\.\d+)", r"^(networks\.encoder\.poolings\.\d+)"
RENAMED = (
    (BLOCK + r"\.ask_norm\.", r"\1.end_norm."),
    (BLOCK + r"\.ask\.", r"\1.ends."),
    (POOLING + r"\.ask_norm\.", r"\1.query_norm."),
    (POOLING + r"\.ask\.", r"\1.query."),
    (POOLING + r"\.told_norm\.", r"\1.key_value_norm."),
    (POOLING + r"\.told\.", r"\1.key_value."),
    (POOLING + r"\.write\.", r"\1.out_proj."),
    (r"^(networks\.encoder\.(?:blocks|poolings)\.\d+)\.think_norm\.", r"\1.mlp_norm."),
    (r"^(networks\.encoder\.(?:blocks|poolings)\.\d+)\.think\.", r"\1.mlp."),
    (r"^networks\.encoder\.excitation\.", "networks.encoder.pre_activation."),
)
"""As `nfgen.io.tensor_names.rename` takes them."""
