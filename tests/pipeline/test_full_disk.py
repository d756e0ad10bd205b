"""A full disk, or one that may only be read, is one error and harms no earlier artifact."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nfgen.errors import ArtifactError
from nfgen.fields.field_set import FieldSet
from nfgen.io import files
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.generate import generate
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.tokens.token_set import TokenSet

from .stopping import SMALL, VQ, content

# A dozen steps teach no codebook; what counts here is that they are the same steps.
pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made by Linux's means")
def test_a_full_disk_is_one_error_and_leaves_earlier_artifacts_whole(
    tiny_fields: FieldSet, run: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=2m"):
        tokenize(tiny_fields, disk / "tokens", "histogram", bins=8)
        before = content(disk / "tokens")
        (disk / "others").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - 12_288))
        for number, write in enumerate(
            [
                lambda out: tiny_fields.save(out),
                lambda out: generate(run, out, n=20, resolution=32),
                lambda out: train(run.parent / "tokens", out, model_settings=SMALL, config=TrainConfig(steps=5)),
                lambda out: tokenize(tiny_fields, out, "vq", **{**VQ, "steps": 5}),
                lambda out: tokenize(tiny_fields, disk / "tokens", "vq", overwrite=True, **{**VQ, "steps": 5}),
            ]
        ):
            with pytest.raises(ArtifactError, match="No space left on device"):
                write(disk / f"out{number}")
            assert content(disk / "tokens") == before
            assert not list(disk.rglob(files.TEMPORARY))
            assert not (disk / f"out{number}").exists()
            for left in disk.glob(".*.nfgen-partial"):
                subprocess.run(["rm", "-r", left], check=True)
        assert len(TokenSet.load(disk / "tokens")) == len(tiny_fields)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made by Linux's means")
def test_a_folder_that_may_only_be_read_is_one_error(tiny_fields: FieldSet, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,ro"), pytest.raises(ArtifactError, match="Read-only file system"):
        tokenize(tiny_fields, tmp_path / "disk" / "tokens", "histogram", bins=8)
