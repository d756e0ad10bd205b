"""The judgement of fields in function space, and the report of a tokenizer's round trip."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.accuracy import TRUNCATION, field_accuracy
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.weights.config import IdentityConfig
from nfgen.tokenizers.weights.identity import IdentityTokenizer
from nfgen.tokens.round_trip import FIGURES, token_report
from nfgen.tokens.vocabulary import Vocabulary


def test_fitted_fields_match_their_shapes(tiny_fields: FieldSet) -> None:
    judged = field_accuracy(tiny_fields.spec, tiny_fields.weights, tiny_fields)
    assert judged.iou.shape == judged.sdf_l1.shape == (len(tiny_fields),)
    assert judged.iou.min() > 0.7
    assert judged.sdf_l1.max() < 0.03


def test_fields_of_other_shapes_match_worse(tiny_fields: FieldSet) -> None:
    right = field_accuracy(tiny_fields.spec, tiny_fields.weights, tiny_fields)
    wrong = field_accuracy(tiny_fields.spec, tiny_fields.weights.roll(1, 0), tiny_fields)
    assert (wrong.iou < right.iou).all()
    assert (wrong.sdf_l1 > right.sdf_l1).all()


def test_figures_are_those_of_their_definition(tiny_fields: FieldSet) -> None:
    judged = field_accuracy(tiny_fields.spec, tiny_fields.weights, tiny_fields)
    points, truth = tiny_fields.eval_points, tiny_fields.eval_values
    assert points is not None
    assert truth is not None
    outputs = evaluate(tiny_fields.spec, tiny_fields.weights, points)
    for i in range(len(tiny_fields)):
        got = {k for k in range(tiny_fields.uniform_eval) if outputs[i, k] < 0}
        wanted = {k for k in range(tiny_fields.uniform_eval) if truth[i, k] < 0}
        assert float(judged.iou[i]) == pytest.approx(len(got & wanted) / len(got | wanted), abs=1e-6)
    errors = outputs.clamp(-TRUNCATION, TRUNCATION) - truth.clamp(-TRUNCATION, TRUNCATION)
    torch.testing.assert_close(judged.sdf_l1, errors.abs().mean(1), atol=1e-6, rtol=0)


def test_a_field_without_inside_has_no_overlap_and_two_of_them_agree(tiny_fields: FieldSet) -> None:
    spec = tiny_fields.spec
    empty = torch.zeros(len(tiny_fields), spec.size)  # the output is 0 everywhere, which is not inside
    assert field_accuracy(spec, empty, tiny_fields).iou.eq(0).all()
    nothing = replace(tiny_fields, eval_values=torch.ones(len(tiny_fields), 640))
    assert field_accuracy(spec, empty, nothing).iou.eq(1).all()


def test_fields_of_another_architecture_are_judged(tiny_fields: FieldSet) -> None:
    other = FieldSpec(frequencies=0, hidden=(4,), output="occupancy")
    judged = field_accuracy(other, torch.zeros(len(tiny_fields), other.size), tiny_fields)
    assert judged.iou.eq(0).all()
    assert judged.sdf_l1.isnan().all()  # an occupancy has no distance


def test_what_cannot_be_judged_is_refused(tiny_fields: FieldSet) -> None:
    spec, weights = tiny_fields.spec, tiny_fields.weights
    with pytest.raises(ConfigError, match="no evaluation points"):
        field_accuracy(spec, weights, replace(tiny_fields, eval_points=None, eval_values=None, uniform_eval=0))
    with pytest.raises(ConfigError, match="2-D sdf fields"):
        field_accuracy(spec.replace(dims=2), torch.zeros(12, spec.replace(dims=2).size), tiny_fields)
    with pytest.raises(ConfigError, match="brightness"):
        field_accuracy(spec.replace(output="brightness"), weights, tiny_fields)
    with pytest.raises(ConfigError, match="5 fields"):
        field_accuracy(spec, weights[:5], tiny_fields)


@dataclass
class SignTokenizer:
    """A real, if bad, tokenizer: the sign of each weight, even and odd places with ids of their own."""

    spec: FieldSpec

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(length=self.spec.size, codes=4, ranges=((0, 2), (2, 4)))

    @property
    def decoded_spec(self) -> FieldSpec:
        return self.spec

    def encode(self, weights: Tensor, spec: FieldSpec | None = None) -> Tensor:
        return (weights > 0).long() + 2 * (torch.arange(self.spec.size) % 2)

    def decode(self, tokens: Tensor) -> Tensor:
        return (tokens % 2) * 2.0 - 1


def test_report_of_a_tokenizer(tiny_fields: FieldSet) -> None:
    heldout = torch.arange(12) % 3 == 0
    report = token_report(SignTokenizer(tiny_fields.spec), tiny_fields, heldout)
    assert tuple(report) == FIGURES
    assert all(set(value) == {"train", "heldout"} for value in report.values())
    size = tiny_fields.spec.size
    assert report["tokens_per_field"] == {"train": size, "heldout": size}
    assert report["bits_per_field"] == {"train": size, "heldout": size}  # one of two everywhere
    assert report["bits_per_weight"]["train"] == 1
    assert report["codebook_usage"]["train"] == 1
    # About as many weights are positive as negative, of the even places and of the odd ones.
    assert report["perplexity"]["train"] == pytest.approx(2, abs=0.02)
    for name, chosen in (("train", ~heldout), ("heldout", heldout)):
        part = tiny_fields.select(chosen.nonzero()[:, 0])
        assert report["weight_mse"][name] == pytest.approx(
            float((part.weights - part.weights.sign()).square().mean()), rel=1e-4
        )
        before, after = (field_accuracy(part.spec, w, part) for w in (part.weights, part.weights.sign()))
        for key, judged in (("before", before), ("after", after)):
            assert report[f"iou_{key}"][name] == pytest.approx(float(judged.iou.mean()), abs=1e-5)
            assert report[f"sdf_l1_{key}"][name] == pytest.approx(float(judged.sdf_l1.mean()), abs=1e-5)


def test_a_round_trip_without_loss_keeps_slopes_and_normals_and_a_bad_one_does_not(tiny_fields: FieldSet) -> None:
    heldout = torch.arange(12) % 3 == 0
    exact = token_report(IdentityTokenizer(IdentityConfig()).fit(tiny_fields), tiny_fields, heldout)
    signs = token_report(SignTokenizer(tiny_fields.spec), tiny_fields, heldout)
    for part in ("train", "heldout"):
        assert exact["eikonal_after"][part] == pytest.approx(exact["eikonal_before"][part], abs=1e-6)
        assert signs["eikonal_before"][part] == pytest.approx(exact["eikonal_before"][part], abs=1e-6)
        assert exact["normal_cosine"][part] == pytest.approx(1, abs=1e-5)
        assert exact["normal_angle_95"][part] < 0.1
        assert signs["normal_angle_median"][part] > 20
        assert signs["normal_cosine"][part] < 0.9


def test_report_without_held_out_fields_says_none(tiny_fields: FieldSet) -> None:
    report = token_report(SignTokenizer(tiny_fields.spec), tiny_fields, torch.zeros(12, dtype=torch.bool))
    assert all(value["heldout"] is None for value in report.values())
    assert all(value["train"] is not None and math.isfinite(value["train"]) for value in report.values())


def test_report_refuses_a_mask_of_another_size(tiny_fields: FieldSet) -> None:
    with pytest.raises(ConfigError, match="does not fit 12 fields"):
        token_report(SignTokenizer(tiny_fields.spec), tiny_fields, torch.zeros(5, dtype=torch.bool))
