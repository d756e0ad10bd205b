"""How fast matrices are multiplied, and what follows from it."""

from collections.abc import Iterator

import pytest
import torch

from nfgen.models.presets import preset
from nfgen.models.registry import create
from nfgen.models.training.optim import low_precision
from nfgen.pipeline import doctor
from nfgen.pipeline.config import TrainConfig
from nfgen.runtime import precision
from nfgen.tokens.vocabulary import Vocabulary

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def measured_afresh() -> Iterator[None]:
    precision.bfloat16_pays.cache_clear()
    yield
    precision.bfloat16_pays.cache_clear()


def set_speed(monkeypatch: pytest.MonkeyPatch, bfloat16: float) -> None:
    """Of products in bfloat16, where those in float32 have 1."""
    monkeypatch.setattr(precision, "product_speed", lambda dtype, device: bfloat16 if dtype == torch.bfloat16 else 1.0)


def test_a_product_takes_some_time() -> None:
    assert 1e8 < precision.product_speed(torch.float32) < 1e15


@pytest.mark.parametrize(("speed", "pays"), [(0.6, False), (1.4, False), (1.6, True), (4.6, True)])
def test_bfloat16_has_to_be_much_the_faster(monkeypatch: pytest.MonkeyPatch, speed: float, pays: bool) -> None:
    set_speed(monkeypatch, speed)
    assert precision.bfloat16_pays(CPU) == pays
    assert doctor.examine()["precision"]["bfloat16_used"] == pays


def test_the_threads_are_as_many_as_before() -> None:
    before = torch.get_num_threads()
    precision.bfloat16_pays(CPU)
    assert torch.get_num_threads() == before


def test_one_look_a_process_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    set_speed(monkeypatch, 3.0)
    assert precision.bfloat16_pays(CPU)
    set_speed(monkeypatch, 0.5)
    assert precision.bfloat16_pays(CPU)


def test_what_is_said_counts_then_the_model_then_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    set_speed(monkeypatch, 0.5)
    small = {"width": 8, "heads": 1, "layers": 1}
    gpt = create("gpt", Vocabulary(length=4, codes=8), preset("gpt", "tiny", **small))
    regression = create("regression", Vocabulary(length=4, width=2), preset("regression", "tiny", **small))
    assert low_precision(gpt, TrainConfig(precision="bfloat16"), CPU)
    assert not low_precision(gpt, TrainConfig(precision="float32"), GPU)
    assert not low_precision(gpt, TrainConfig(), GPU), "a GPU that only emulates it is measured, too"
    assert not low_precision(gpt, TrainConfig(), CPU)
    precision.bfloat16_pays.cache_clear()
    set_speed(monkeypatch, 3.0)
    assert low_precision(gpt, TrainConfig(), GPU)
    assert not low_precision(regression, TrainConfig(), GPU)
