"""What is large is never in memory as a whole: files written by rows, sets mapped to memory, work done part by part."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet, write_shard
from nfgen.fields.fit_report import FILE
from nfgen.fitting.merge import PARTS, pack
from nfgen.io import files
from nfgen.io.safetensors_stream import writing_tensors
from nfgen.models.training.data import Batches
from nfgen.pipeline import tokenize as tokenizing
from nfgen.pipeline.tokenize import tokenize
from nfgen.runtime.executor import LocalEngine, create_engine, in_order
from nfgen.tokens.token_set import TokenSet
from nfgen.tokens.vocabulary import Vocabulary


def resident() -> int:
    """Bytes of this process that are in memory and in no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def test_a_file_written_by_rows_is_that_of_the_whole(tmp_path: Path) -> None:
    tensors = {
        "flags": torch.tensor([True, False, True]),
        "half": torch.rand(3, 5).half(),
        "long": torch.arange(3),
        "small": torch.arange(6, dtype=torch.int32).reshape(3, 2),
        "weights": torch.rand(3, 7),
    }
    layout = {key: (tensor.dtype, tuple(tensor.shape)) for key, tensor in tensors.items()}
    with writing_tensors(tmp_path / "rows", layout) as writer:
        for some in (slice(0, 2), slice(2, 3)):
            for key, tensor in tensors.items():
                writer.append(key, tensor[some])
    save_file(tensors, tmp_path / "whole")
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "whole").read_bytes()
    assert load_file(tmp_path / "rows").keys() == tensors.keys()


@pytest.mark.parametrize("rows", [torch.zeros(2, 3), torch.zeros(4, 2), torch.zeros(2, 2).half(), torch.zeros(2, 2)])
def test_rows_that_were_not_claimed_leave_no_file(tmp_path: Path, rows: torch.Tensor) -> None:
    with (
        pytest.raises(ValueError, match=r"do not go on a|has 2 of 3 rows"),
        writing_tensors(tmp_path / "file", {"a": (torch.float32, (3, 2))}) as writer,
    ):
        writer.append("a", rows)
    assert not list(tmp_path.iterdir())


def test_parts_packed_are_the_set_that_was_cut(tiny_fields: FieldSet, tmp_path: Path) -> None:
    reported = replace(
        tiny_fields,
        report=tuple({"id": id, "iou": 0.5 + i / 100} for i, id in enumerate(tiny_fields.ids)),
        skipped=({"id": "broken", "reason": "empty"},),
    )
    cut = [reported.select(torch.arange(start, min(start + 5, 12))) for start in (0, 5, 12, 10)]
    (tmp_path / "folder" / PARTS).mkdir(parents=True)
    for number, part in enumerate(cut):
        write_shard(tmp_path / "folder" / PARTS, number, replace(part, skipped=reported.skipped if number == 2 else ()))
    packed = pack(tmp_path / "folder", len(cut), reported.spec)
    reported.save(tmp_path / "whole")
    for name in ("shard-00000.safetensors", "shard-00000.json", FILE):
        assert (tmp_path / "folder" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert (packed.ids, packed.skipped) == (reported.ids, reported.skipped)
    assert packed.report == FieldSet.load(tmp_path / "whole").report == reported.report


def test_a_report_is_read_when_somebody_looks(tiny_fields: FieldSet, tmp_path: Path) -> None:
    replace(tiny_fields, report=tuple({"id": id} for id in tiny_fields.ids)).save(tmp_path / "fields")
    fields = FieldSet.load(tmp_path / "fields")
    assert fields.select(torch.tensor([3, 1])).report == [{"id": "sphere-3"}, {"id": "sphere-1"}]
    files.write_json(tmp_path / "fields" / FILE, {"fields": [{}]})
    damaged = FieldSet.load(tmp_path / "fields")
    assert len(damaged.report) == 12
    with pytest.raises(ArtifactError, match="not the report of its 12 fields"):
        _ = damaged.report[0]


def test_a_set_without_a_report_has_none(tiny_fields: FieldSet, tmp_path: Path) -> None:
    tiny_fields.save(tmp_path / "fields")
    some = FieldSet.load(tmp_path / "fields").select(torch.tensor([3, 1]))
    assert (some.ids, list(some.report)) == (("sphere-3", "sphere-1"), [])


def test_sets_of_many_shards_are_still_read(tiny_fields: FieldSet, tmp_path: Path) -> None:
    tiny_fields.save(tmp_path / "fields")
    for number, some in enumerate(torch.arange(12).split(5)):
        write_shard(tmp_path / "fields", number, tiny_fields.select(some))
    config = files.read_json(tmp_path / "fields" / "config.json")
    files.write_json(tmp_path / "fields" / "config.json", config | {"shards": 3})
    fields = FieldSet.load(tmp_path / "fields")
    assert torch.equal(fields.weights, tiny_fields.weights)
    assert fields.ids == tiny_fields.ids


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_weights_are_not_read_before_they_are_asked_for(tiny_fields: FieldSet, tmp_path: Path) -> None:
    many = tiny_fields.select(torch.arange(40_000) % 12)
    size = many.weights.nbytes
    replace(many, eval_points=None, eval_values=None, uniform_eval=0).save(tmp_path / "fields")
    del many
    before = resident()
    fields = FieldSet.load(tmp_path / "fields")
    for some in fields.weights.split(1000):
        some.sum()
    assert resident() - before < size / 4


def test_tokens_do_not_depend_on_how_fields_are_cut(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tokenize(tiny_fields, tmp_path / "whole", "codebook", codes=16, steps=2)
    monkeypatch.setattr(tokenizing, "ENCODED_AT_ONCE", 5)
    cut = tokenize(tiny_fields, tmp_path / "cut", "codebook", codes=16, steps=2)
    assert torch.equal(whole.tokens, cut.tokens)
    assert (tmp_path / "whole/tokens.safetensors").read_bytes() == (tmp_path / "cut/tokens.safetensors").read_bytes()
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted(
        path.name for path in (tmp_path / "whole").iterdir()
    )


def test_what_was_encoded_before_an_interruption_is_kept(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizing, "ENCODED_AT_ONCE", 5)
    whole = tokenize(tiny_fields, tmp_path / "whole", "histogram", bins=16)
    encoded: list[int] = []
    original = tokenizing.encode_part

    def encode(tokenizer: object, spec: object, views: int, seed: int, task: tuple[int, torch.Tensor]) -> object:
        if len(encoded) == 2:
            encoded.append(-1)
            raise KeyboardInterrupt
        encoded.append(task[0])
        return original(tokenizer, spec, views, seed, task)

    monkeypatch.setattr(tokenizing, "encode_part", encode)
    with pytest.raises(KeyboardInterrupt):
        tokenize(tiny_fields, tmp_path / "cut", "histogram", bins=16)
    cut = tokenize(tiny_fields, tmp_path / "cut", "histogram", bins=16, resume=True)
    assert encoded == [0, 1, -1, 2]
    assert torch.equal(cut.tokens, whole.tokens)


def test_a_tokenizer_is_fitted_on_no_more_than_fits_in_memory(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    chosen = tokenizing.registry.find("histogram")
    monkeypatch.setattr(
        chosen, "_fit", lambda self, fields, fit=chosen._fit: fitted.append(len(fields)) or fit(self, fields)
    )
    monkeypatch.setattr(tokenizing, "FIT_BYTES", 5 * 4 * tiny_fields.spec.size)
    tokens = tokenize(tiny_fields, tmp_path / "tokens", "histogram", bins=16)
    assert fitted == [5]
    assert len(tokens) == 12


def test_tokens_are_int32_until_they_are_learned_from(tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokens = tokenize(tiny_fields, tmp_path / "tokens", "histogram", bins=16)
    assert tokens.tokens.dtype == TokenSet.load(tmp_path / "tokens").tokens.dtype == torch.int32
    batch, _ = Batches(tokens.vocabulary, tokens.tokens, tokens.labels, tokens.heldout, 4, seed=0).at(0)
    assert batch.dtype == torch.int64


def test_batches_of_an_epoch_are_each_row_once() -> None:
    vocabulary = Vocabulary(length=1, codes=100)
    rows = torch.arange(23)[:, None].int()
    batches = Batches(vocabulary, rows, torch.full((23,), -1), torch.arange(23) >= 20, 6, seed=1)
    for epoch in range(2):
        cut = [batches.at(epoch * batches.per_epoch + i)[0] for i in range(batches.per_epoch)]
        assert [len(some) for some in cut] == [5, 5, 5, 5]
        assert torch.cat(cut).flatten().sort().values.tolist() == list(range(20))


def test_the_local_engine_takes_a_task_when_the_one_before_is_done() -> None:
    done: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(3):
            assert len(done) == number
            yield number

    def work(task: int) -> int:
        done.append(task)
        return task * task

    assert list(LocalEngine().map(work, tasks())) == [(0, 0), (1, 1), (2, 4)]
    assert list(in_order([(2, "c"), (0, "a"), (1, "b")])) == ["a", "b", "c"]


def test_engines_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match="no engine 'slurm'"):
        create_engine("slurm")
    with pytest.raises(ConfigError, match="has no address"):
        create_engine("local", "auto")
