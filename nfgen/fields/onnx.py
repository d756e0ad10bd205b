"""A field as an ONNX graph, for runtimes in other languages: points [n, dims] in, outputs [n] out."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nfgen.errors import ConfigError, NfgenError
from nfgen.io import files

from .field import Field
from .mlp import SINE_FREQUENCY, unflatten

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 13, 8  # old enough for any runtime of the last years, new enough for every operator used here
TOLERANCE = 1e-5  # of the runtime's values against the field's, relative to the largest where that is above 1
COMPARED_POINTS = 4096

ACTIVATIONS: dict[str, list[tuple[str, str]]] = {
    # Each operator's second input is a constant's name, or "x" for the activation's own input.
    "relu": [("Relu", "")],
    "relu2": [("Relu", ""), ("Mul", "x")],
    "silu": [("Sigmoid", ""), ("Mul", "x")],
    "sine": [("Mul", "frequency"), ("Sin", "")],
    "gelu": [("Mul", "root_half"), ("Erf", ""), ("Add", "one"), ("Mul", "x"), ("Mul", "half")],
}


def onnx_model(field: Field) -> "onnx.ModelProto":
    """The field as a model with one input, `points` [n, dims] float32, and one output, `values` [n].

    Raises:
        ConfigError: if the package onnx is missing.
    """
    onnx = _package("onnx")
    constants: dict[str, Any] = {
        "octaves": _octaves(field),
        "root_half": np.float32(math.sqrt(0.5)),
        "one": np.float32(1),
        "half": np.float32(0.5),
        "frequency": np.float32(SINE_FREQUENCY),
        "last": np.array([1]),
    }
    nodes: list[Any] = []

    def add(operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"t{len(nodes)}"
        nodes.append(onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    parts = ["points"] if field.spec.raw_coordinates else []
    if field.spec.frequencies:
        angles = add("MatMul", "points", "octaves")
        parts += [add("Sin", angles), add("Cos", angles)]
    value = add("Concat", *parts, axis=1)
    for index, (matrix, bias) in enumerate(unflatten(field.spec, field.weights[None])):
        if index:
            x = value
            for operator, second in ACTIVATIONS[field.spec.activations[index - 1]]:
                value = add(operator, value, *({"": (), "x": (x,)}.get(second, (second,))))
        constants[f"matrix{index}"] = matrix[0].T.contiguous().numpy()
        value = add("MatMul", value, f"matrix{index}")
        if bias is not None:
            constants[f"bias{index}"] = bias[0].contiguous().numpy()
            value = add("Add", value, f"bias{index}")
    add("Squeeze", value, "last", output="values")
    used = {name for node in nodes for name in node.input}
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "field",
        [onnx.helper.make_tensor_value_info("points", kind, ["n", field.spec.dims])],
        [onnx.helper.make_tensor_value_info("values", kind, ["n"])],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if k in used],
        doc_string=f"Points in [-1, 1]^{field.spec.dims}; values are of the kind {field.spec.output}.",
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="nfgen"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_onnx(field: Field, path: str | Path) -> float:
    """Write a field as ONNX, after onnxruntime has computed the same values from it.

    Returns:
        The largest difference between onnxruntime's values and the field's, at random points of [-1, 1]^d.

    Raises:
        ConfigError: if the packages of the extra `onnx` are missing.
        NfgenError: if the values differ by more than 1e-5 (relative to the largest value where that is above 1).
    """
    content = onnx_model(field).SerializeToString()
    session = _package("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    points = torch.rand(COMPARED_POINTS, field.spec.dims, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = field(points).numpy()
    (found,) = session.run(["values"], {"points": points.numpy()})
    difference = float(np.abs(found - wanted).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise NfgenError(
            f"onnxruntime's values differ from the field's by {difference:.2g}", "the weights are too large for float32"
        )
    files.write_atomically(Path(path), content)
    return difference


def _octaves(field: Field) -> np.ndarray:
    """The matrix [dims, frequencies * dims] that takes points to the angles of their Fourier features."""
    octaves = np.float32(math.pi) * 2.0 ** np.arange(field.spec.frequencies, dtype=np.float32)
    return np.concatenate([np.eye(field.spec.dims, dtype=np.float32) * o for o in octaves] or [[]], axis=-1).astype("f")


def _package(name: str) -> Any:
    from importlib import import_module

    try:
        if name == "onnx":
            import_module("onnx.numpy_helper")
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"ONNX needs the package {name}", "pip install 'nfgen[onnx]'") from error
