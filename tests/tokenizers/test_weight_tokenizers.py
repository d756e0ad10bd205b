"""What the tokenizers of weights state each for itself; the laws that they share are in `test_tokenizers`."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nfgen.errors import ArtifactError, CollapsedCodebookWarning, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import PRESETS, FieldSpec
from nfgen.io import files
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import Tokenizer


def test_unknown_names_settings_and_values_are_named() -> None:
    with pytest.raises(ConfigError, match="no tokenizer 'histogramm'") as caught:
        registry.create("histogramm")
    assert "histogram" in caught.value.remedy
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("identity", {"chunk": 0}),
        ("identity", {"normalise": "row"}),
        ("histogram", {"bins": 1}),
        ("histogram", {"bins": 2.5}),
        ("histogram", {"kind": "log"}),
        ("histogram", {"seed": -1}),
        ("codebook", {"codes": 1}),
        ("codebook", {"depth": 0}),
        ("codebook", {"steps": -1}),
        ("codebook", {"unit": "layer"}),
        ("codebook", {"seed": -1}),
        ("codebook", {"beam": 4}),
    ]
    for name, setting in wrong:
        with pytest.raises(ConfigError, match=next(iter(setting))):
            registry.create(name, **setting)


def test_a_chunk_larger_than_the_field_is_refused(tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("identity", unit="chunk", chunk=1000)
    with pytest.raises(ConfigError, match="larger than the field"):
        tokenizer.fit(tiny_fields)
    with pytest.raises(ConfigError, match="not fitted"):
        tokenizer.encode(tiny_fields.weights)


@pytest.mark.parametrize("name", ["identity", "histogram", "codebook"])
def test_fields_of_another_spec_are_refused_by_name(name: str, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create(name, **({"codes": 8, "steps": 0} if name == "codebook" else {})).fit(tiny_fields)
    with pytest.raises(ConfigError, match="another spec") as caught:
        tokenizer.encode(tiny_fields.weights, tiny_fields.spec.replace(activation="relu"))
    assert "vq" in caught.value.remedy


@pytest.mark.parametrize("name", ["identity", "histogram", "codebook"])
@pytest.mark.parametrize("unit", ["scalar", "chunk", "row"])
def test_any_architecture_and_a_single_field_will_do(name: str, unit: str) -> None:
    spec = PRESETS["mnist"]
    weights = torch.randn(1, spec.size, generator=torch.Generator().manual_seed(0))
    fields = FieldSet(spec, weights, ("3",), torch.tensor([-1]))
    settings: dict[str, Any] = {} if name == "histogram" else {"unit": unit}
    if name == "codebook":
        settings |= {"steps": 2, "codes": 256}
    tokenizer = registry.create(name, **settings).fit(fields)
    decoded = tokenizer.decode(tokenizer.encode(weights))
    # With as many codes as vectors nearly every vector has its own.
    assert (decoded - weights).square().mean() < 0.05


def test_identity_without_normalisation_is_exact(tiny_fields: FieldSet) -> None:
    for unit in ("scalar", "chunk", "row"):
        tokenizer = registry.create("identity", target="weights", normalise="none", unit=unit).fit(tiny_fields)
        assert torch.equal(tokenizer.decode(tokenizer.encode(tiny_fields.weights)), tiny_fields.weights)


@pytest.mark.parametrize("target", ["weights", "delta"])
@pytest.mark.parametrize("normalise", ["entry", "tensor", "none"])
def test_identity_is_wrong_by_its_stated_rounding_at_most(target: str, normalise: str, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("identity", target=target, normalise=normalise).fit(tiny_fields)
    weights = torch.cat([tiny_fields.weights, 10 * tiny_fields.weights, torch.zeros(1, 448)])
    error = (tokenizer.decode(tokenizer.encode(weights)).double() - weights.double()).abs()
    offset = tokenizer.tensors()["offset"].double()
    assert (error <= 2.0**-22 * (weights.double().abs() + offset.abs())).all()


def test_identity_by_entry_has_mean_zero_and_deviation_one(tiny_fields: FieldSet) -> None:
    noise = torch.randn(12, 448, generator=torch.Generator().manual_seed(0))
    varied = replace(tiny_fields, weights=tiny_fields.weights + noise)
    tokens = registry.create("identity", unit="scalar").fit(varied).encode(varied.weights)[..., 0]
    torch.testing.assert_close(tokens.mean(0), torch.zeros(448), atol=1e-3, rtol=0)
    torch.testing.assert_close(tokens.std(0, correction=0), torch.ones(448), atol=1e-3, rtol=0)


def test_a_weight_that_never_varied_makes_no_huge_token(tiny_fields: FieldSet) -> None:
    still = tiny_fields.weights.clone()
    still[:, 7] = 0.25
    tokenizer = registry.create("identity", unit="scalar").fit(replace(tiny_fields, weights=still))
    assert tokenizer.encode(tiny_fields.weights).abs().max() < 1000


def test_padding_of_rows_is_zero_and_ignored(tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("identity").fit(tiny_fields)
    tokens = tokenizer.encode(tiny_fields.weights)
    assert tokens.shape == (12, 16 + 16 + 1, 17)  # neurons; the widest has 16 inputs and a bias
    padding = torch.zeros_like(tokens[0], dtype=torch.bool)
    padding[:16, 10:], padding[32:, 16:] = True, True
    assert tokens[:, padding].eq(0).all()
    noisy = tokens + padding * 9.0
    assert torch.equal(tokenizer.decode(noisy), tokenizer.decode(tokens))


@pytest.mark.parametrize("name", ["identity", "histogram", "codebook"])
def test_delta_without_a_base_is_weights(name: str, tiny_fields: FieldSet) -> None:
    settings = {"codes": 16, "steps": 1} if name == "codebook" else {}
    baseless = replace(tiny_fields, base=None)
    delta, weights = (registry.create(name, target=target, **settings).fit(baseless) for target in ("delta", "weights"))
    assert torch.equal(delta.encode(baseless.weights), weights.encode(baseless.weights))


@pytest.mark.parametrize("scope", ["global", "tensor"])
def test_lloyd_max_has_the_least_squared_error(scope: str, tiny_fields: FieldSet) -> None:
    def error(kind: str) -> float:
        tokenizer = registry.create("histogram", kind=kind, scope=scope, bins=8).fit(tiny_fields)
        return float((tokenizer.decode(tokenizer.encode(tiny_fields.weights)) - tiny_fields.weights).square().mean())

    assert error("lloyd-max") < min(error("uniform"), error("quantile"))


def test_lloyd_max_reaches_the_known_optimum_of_a_normal_distribution() -> None:
    spec = FieldSpec(hidden=(64, 64))
    weights = torch.randn(20, spec.size, generator=torch.Generator().manual_seed(0))
    fields = FieldSet(spec, weights, tuple(map(str, range(20))), torch.full((20,), -1))
    tokenizer = registry.create("histogram", scope="global", bins=4).fit(fields)
    # Max 1960, table I: for 4 levels the points are 0.4528 and 1.510, the error 0.1175.
    points = tokenizer.tensors()["points"][0]
    torch.testing.assert_close(points, torch.tensor([-1.510, -0.4528, 0.4528, 1.510]), atol=0.01, rtol=0)
    error = (tokenizer.decode(tokenizer.encode(weights)) - weights).square().mean()
    assert float(error) == pytest.approx(0.1175, abs=1e-3)


def test_quantile_bins_are_used_alike_and_uniform_ones_lie_evenly(tiny_fields: FieldSet) -> None:
    quantile = registry.create("histogram", kind="quantile", scope="global", bins=8).fit(tiny_fields)
    uniform = registry.create("histogram", kind="uniform", scope="global", bins=8).fit(tiny_fields)
    gaps = uniform.tensors()["points"][0].diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(7), atol=1e-4, rtol=1e-4)

    def least_and_most(tokenizer: Tokenizer) -> float:
        counts = torch.bincount(tokenizer.encode(tiny_fields.weights).flatten(), minlength=8).double()
        return float(counts.min() / counts.max())

    assert least_and_most(quantile) > 0.2
    assert least_and_most(uniform) < 0.1


@pytest.mark.parametrize("kind", ["uniform", "quantile", "lloyd-max"])
def test_weights_beyond_the_ends_go_to_the_end_values(kind: str, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("histogram", kind=kind, bins=32).fit(tiny_fields)
    assert tokenizer.encode(torch.full((1, 448), 1e6)).eq(31).all()
    assert tokenizer.encode(torch.full((1, 448), -1e6)).eq(0).all()


@pytest.mark.parametrize("kind", ["uniform", "quantile", "lloyd-max"])
def test_equal_and_tied_weights_keep_every_code_decodable(kind: str, tiny_fields: FieldSet) -> None:
    weights = tiny_fields.weights.clone()
    first, second = tiny_fields.spec.layers[:2]
    one, two = (weights[:, layer.start : layer.bias_start] for layer in (first, second))
    one[:] = 0.3  # a whole matrix of one value
    two[:] = (two > 0).float()  # and one of two values
    tied = replace(tiny_fields, weights=weights, base=None)
    tokenizer = registry.create("histogram", kind=kind, bins=64).fit(tied)
    error = (tokenizer.decode(tokenizer.encode(weights)) - weights).abs()
    assert max(error[:, layer.start : layer.bias_start].max() for layer in (first, second)) < 0.02
    tokens = torch.arange(64)[:, None].expand(64, 448)
    assert torch.equal(tokenizer.encode(tokenizer.decode(tokens)), tokens)
    points = tokenizer.tensors()["points"]
    assert (points.diff() > 0).all()
    assert (points[0] - 0.3).abs().max() < 1e-3


def test_more_codes_and_more_depth_are_nearer(tiny_fields: FieldSet) -> None:
    def error(**settings: Any) -> float:
        tokenizer = registry.create("codebook", **{"steps": 5, "codes": 8} | settings).fit(tiny_fields)
        return float((tokenizer.decode(tokenizer.encode(tiny_fields.weights)) - tiny_fields.weights).square().mean())

    assert error(codes=32) < 0.8 * error()
    assert error(depth=3) < 0.8 * error()


def test_codes_of_layers_and_levels_have_ids_of_their_own(tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("codebook", codes=8, depth=2, steps=1).fit(tiny_fields)
    low, high = tokenizer.vocabulary.bounds()
    assert tokenizer.vocabulary.length == 2 * 33
    books = list(dict.fromkeys(zip(low.tolist(), high.tolist(), strict=True)))
    assert len(books) == 3 * 2  # layers, levels
    assert books[0][0] == 0
    assert all(one[1] == two[0] for one, two in itertools.pairwise(books))  # side by side, none shared
    assert books[-1][1] == tokenizer.vocabulary.codes
    assert list(zip(low[:4].tolist(), high[:4].tolist(), strict=True)) == [*books[:2], *books[:2]]


def test_the_nearest_code_is_taken(tiny_fields: FieldSet) -> None:
    settings = {"codes": 64, "steps": 1, "unit": "chunk", "chunk": 4, "target": "weights", "normalise": "none"}
    tokenizer = registry.create("codebook", **settings).fit(tiny_fields)
    codes = tokenizer.tensors()["codes"]
    vectors = tiny_fields.weights.reshape(12, -1, 4)
    expected = (vectors[:, :, None] - codes).square().sum(-1).argmin(-1)
    assert torch.equal(tokenizer.encode(tiny_fields.weights), expected)


def test_another_seed_gives_other_codes(tiny_fields: FieldSet) -> None:
    one, two = (registry.create("codebook", codes=8, steps=1, seed=seed).fit(tiny_fields) for seed in (0, 1))
    assert not torch.equal(one.tensors()["codes"], two.tensors()["codes"])


def test_a_collapsed_codebook_warns_and_still_works(tiny_fields: FieldSet) -> None:
    assert tiny_fields.base is not None
    alike = replace(tiny_fields, weights=tiny_fields.base.expand(12, -1).clone())
    with pytest.warns(CollapsedCodebookWarning, match=r"collapsed.*use fewer codes"):
        tokenizer = registry.create("codebook", steps=1).fit(alike)
    torch.testing.assert_close(tokenizer.decode(tokenizer.encode(alike.weights)), alike.weights)


def test_stored_tensors_of_a_wrong_shape_are_refused(tiny_fields: FieldSet, tmp_path: Path) -> None:
    for name, key in (("identity", "scale"), ("histogram", "points"), ("codebook", "codes"), ("codebook", "sizes")):
        path = tmp_path / f"{name}-{key}"
        tokenizer = registry.create(name, **({"codes": 8, "steps": 0} if name == "codebook" else {})).fit(tiny_fields)
        tokenizer.save(path)
        tensors = files.read_tensors(path / "tokenizer.safetensors")
        files.write_tensors(path / "tokenizer.safetensors", tensors | {key: tensors[key][1:]})
        with pytest.raises(ArtifactError, match="damaged"):
            registry.load(path)
        files.write_tensors(path / "tokenizer.safetensors", {k: v for k, v in tensors.items() if k != key})
        with pytest.raises(ArtifactError, match="damaged"):
            registry.load(path)
