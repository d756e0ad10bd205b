"""The readers of files from elsewhere, and a whole file of each to damage."""

import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mesh_seeds
import numpy as np
import torch
import trimesh
from fuzz_damage import Change, in_draco, in_glb, in_gzip, in_png, in_safetensors, in_zip
from PIL import Image

from nfgen.config import Configuration
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.io import files
from nfgen.shapes import find_shapes

BINVOX = b"#binvox 1\ndim 4 4 4\ntranslate 0 0 0\nscale 1\ndata\n\x00\x15\x01\x16\x00\x15"
SPEC = FieldSpec(frequencies=1, hidden=(6, 6))


class Reader(NamedTuple):
    """How files of a kind are read, and made."""

    read: Callable[[Path], object]
    make: Callable[[Path], None]
    """Writes one or more whole files into a folder."""
    inside: Callable[[bytes, Change, random.Random], bytes] | None = None
    """Damages what is inside a container, and packs it again."""
    file: bool = True
    """Whether `read` takes the damaged file, or its folder."""


def read_shapes(path: Path) -> None:
    for ref in find_shapes(path)[:2]:
        ref.load().sample(8, 8, np.random.default_rng(0))


def shape(name: str, *contents: Callable[[], bytes | str], inside: Any = None) -> Reader:
    def make(folder: Path) -> None:
        for i, content in enumerate(contents):
            data = content()
            (folder / (f"{i}{name}" if i else name)).write_bytes(data.encode() if isinstance(data, str) else data)

    return Reader(read_shapes, make, inside)


def box(kind: str, **options: Any) -> Callable[[], Any]:
    return lambda: trimesh.creation.box().export(file_type=kind, **options)


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def grid() -> np.ndarray:
    return np.pad(np.ones((2, 2, 2), np.uint8), 1)


def voxels() -> bytes:
    packed = np.packbits(grid().reshape(1, -1), axis=1)
    return saved(lambda file: np.savez_compressed(file, voxels=packed, shape=np.array([4, 4, 4]), labels=np.array([1])))


def picture(kind: str) -> bytes:
    pixels = np.pad(np.full((8, 8), 255, np.uint8), 4)
    return saved(lambda file: Image.fromarray(pixels).save(file, format=kind))


def turned_picture() -> bytes:
    """A JPEG that its camera held sideways."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    pixels = Image.fromarray(np.pad(np.full((8, 4), 255, np.uint8), 4))
    return saved(lambda file: pixels.save(file, format="JPEG", exif=orientation))


def clear_picture(kind: str) -> Callable[[], bytes]:
    """Several pictures with transparency, where the format has them."""
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[4:12, 4:12] = 255
    one = Image.fromarray(pixels)
    return lambda: saved(lambda file: one.save(file, format=kind, save_all=True, append_images=[one.rotate(45)]))


def distances() -> bytes:
    axes = np.linalg.norm(np.indices((6, 6, 6)) - 2.5, axis=0) - 1.6
    return saved(lambda file: np.save(file, axes.astype(np.float32)))


def mat() -> bytes:
    from scipy.io import savemat

    return saved(lambda file: savemat(file, {"instance": grid(), "note": "a box"}, do_compression=False))


def nrrd(encoding: str) -> bytes:
    head = (
        f"NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 4 4\n"
        f"space directions: (0,2,0) (-1,0,0) (0,0,1.5)\nkinds: domain domain domain\nencoding: {encoding}\n"
        "space origin: (5,6,7)\n\n"
    )
    return head.encode() + (gzip.compress(grid().tobytes(), mtime=0) if encoding == "gzip" else grid().tobytes())


def nifti() -> bytes:
    import nibabel

    return nibabel.Nifti1Image(
        grid(), np.array([[0, 2.0, 0, 5], [-1, 0, 0, 6], [0, 0, 1.5, 7], [0, 0, 0, 1]])
    ).to_bytes()


def folder_in_zip() -> bytes:
    return zipped({
        "a/box.obj": box("obj")().encode(), "b/model.off": mesh_seeds.off().encode(), "b/model.binvox": BINVOX,
        "__MACOSX/a/._box.obj": b"x", "c/grids.npz": voxels(),
    })  # fmt: skip


def idx() -> bytes:
    pixels = np.pad(np.full((2, 4, 4), 255, np.uint8), ((0, 0), (2, 2), (2, 2)))
    return struct.pack(">4I", 0x803, *pixels.shape) + pixels.tobytes()


def threemf() -> bytes:
    model = (
        '<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"><resources>'
        '<object id="1"><mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/>'
        '<vertex x="0" y="1" z="0"/><vertex x="0" y="0" z="1"/></vertices><triangles>'
        '<triangle v1="0" v2="2" v3="1"/><triangle v1="0" v2="1" v3="3"/><triangle v1="0" v2="3" v3="2"/>'
        '<triangle v1="1" v2="2" v3="3"/></triangles></mesh></object><object id="2"><components>'
        '<component objectid="1"/></components></object></resources><build><item objectid="2"/></build></model>'
    )
    return zipped({"3D/3dmodel.model": model.encode()})


def zipped(parts: dict[str, bytes]) -> bytes:
    def write(stream: io.BytesIO) -> None:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)

    return saved(write)


def gltf(folder: Path) -> None:
    for name, data in trimesh.Scene(trimesh.creation.box()).export(file_type="gltf").items():
        (folder / name).write_bytes(data)


def fields() -> FieldSet:
    generator = torch.Generator().manual_seed(0)
    count = 6
    points = torch.rand(count, 24, 3, generator=generator) * 2 - 1
    return FieldSet(
        spec=SPEC,
        weights=initial_weights(SPEC, count, generator),
        ids=tuple(f"shape-{i}" for i in range(count)),
        labels=torch.arange(count) % 2,
        classes=("a", "b"),
        base=torch.zeros(SPEC.size),
        transforms=torch.tensor([[0.0, 0, 0, 1]]).double().repeat(count, 1),
        eval_points=points,
        eval_values=points.norm(dim=2) - 0.5,
        uniform_eval=16,
        report=tuple({"id": f"shape-{i}", "iou": 0.5} for i in range(count)),
    )


def read_fields(folder: Path) -> None:
    found = FieldSet.load(folder)
    if len(found):
        found[0](torch.zeros(2, found.spec.dims))
        found.select(torch.tensor([0]))


def make_tokens(folder: Path, tokenizer: str = "histogram", **settings: Any) -> None:
    from nfgen.pipeline.tokenize import tokenize

    folder.rmdir()
    tokenize(fields(), folder, tokenizer, heldout=0.2, **settings)


def read_tokens(folder: Path) -> None:
    from nfgen.tokenizers import registry
    from nfgen.tokens.token_set import TokenSet

    found = TokenSet.load(folder)
    tokenizer = registry.load(folder / "tokenizer")
    tokenizer.decode(found.tokens[:2])


def tokens(name: str, **settings: Any) -> Reader:
    return Reader(read_tokens, lambda folder: make_tokens(folder, name, **settings), in_safetensors, file=False)


VQ = {"max_tokens": 11, "levels": (3, 3), "probes": 4, "width": 4, "channels": 8, "decoder_blocks": 1}


def make_run(folder: Path) -> None:
    from nfgen.pipeline.config import TrainConfig
    from nfgen.pipeline.train import train

    beside = folder.with_name("tokens")
    beside.mkdir()
    make_tokens(beside, "codebook", codes=4, steps=1)
    folder.rmdir()
    small = {"layers": 1, "width": 8, "heads": 1}
    train(beside, folder, model_settings=small, config=TrainConfig(steps=1, batch_size=4, sample_every=0))


def read_run(folder: Path) -> None:
    from nfgen.models.generation.generate import sample
    from nfgen.pipeline.run import Run

    run = Run.load(folder)
    assert run.summary
    run.tokenizer.decode(sample(run.model, 1))


def make_field(folder: Path) -> None:
    Field(SPEC, fields().weights[0]).save(folder / "field.safetensors")


def configs() -> dict[str, type[Configuration]]:
    from nfgen.fitting.config import FitConfig, PointSamplingConfig
    from nfgen.models.config import GPTConfig
    from nfgen.models.generation.config import SamplingConfig
    from nfgen.pipeline.config import TrainConfig
    from nfgen.tokenizers.vq.config import VQConfig
    from nfgen.tokenizers.weights.config import CodebookConfig, HistogramConfig

    known = (FieldSpec, FitConfig, PointSamplingConfig, TrainConfig, GPTConfig, SamplingConfig)
    return {one.__name__: one for one in (*known, HistogramConfig, CodebookConfig, VQConfig)}


def make_configs(folder: Path) -> None:
    for name, one in configs().items():
        (folder / f"{name}.json").write_text(json.dumps(one().to_json()))


def read_config(path: Path) -> None:
    configs()[path.stem].from_json(files.read_json(path))


READERS = {
    "npy": shape("a.npy", lambda: saved(lambda file: np.save(file, grid())), distances),
    "npz": shape("a.npz", voxels, inside=in_zip),
    "binvox": shape("a.binvox", lambda: BINVOX),
    "mat": shape("a.mat", mat),
    "nrrd": shape("a.nrrd", lambda: nrrd("raw"), lambda: nrrd("gzip")),
    "nifti": shape("a.nii", nifti),
    "nifti.gz": shape("a.nii.gz", lambda: gzip.compress(nifti(), mtime=0), inside=in_gzip),
    "zip": shape("a.zip", folder_in_zip, inside=in_zip),
    "idx": shape("a-idx3-ubyte", idx),
    "idx.gz": shape("a-idx3-ubyte.gz", lambda: gzip.compress(idx()), inside=in_gzip),
    "png": shape("a.png", lambda: picture("PNG"), inside=in_png),
    "jpeg": shape("a.jpg", lambda: picture("JPEG"), turned_picture),
    "bmp": shape("a.bmp", lambda: picture("BMP")),
    "tiff": shape("a.tif", clear_picture("TIFF")),
    "gif": shape("a.gif", clear_picture("GIF")),
    "webp": shape("a.webp", clear_picture("WEBP")),
    "obj": shape("a.obj", box("obj"), mesh_seeds.obj),
    "off": shape("a.off", box("off"), mesh_seeds.off),
    "stl": shape("a.stl", box("stl")),
    "stl-text": shape("a.stl", box("stl_ascii"), mesh_seeds.stl),
    "ply": shape("a.ply", box("ply"), lambda: mesh_seeds.ply("<"), lambda: mesh_seeds.ply(">")),
    "ply-text": shape("a.ply", box("ply", encoding="ascii")),
    "glb": shape("a.glb", box("glb"), mesh_seeds.glb, inside=in_glb),
    "glb-draco": shape("a.glb", mesh_seeds.draco, inside=in_draco),
    "gltf": Reader(lambda folder: read_shapes(folder / "model.gltf"), gltf, file=False),
    "3mf": shape("a.3mf", threemf, lambda: zipped(mesh_seeds.threemf_parts()), inside=in_zip),
    "dae": shape("a.dae", box("dae"), mesh_seeds.dae),
    "zae": shape("a.zae", lambda: zipped({"a.dae": box("dae")()}), inside=in_zip),
    "field": Reader(Field.load, make_field, in_safetensors),
    "fields": Reader(read_fields, lambda folder: fields().save(folder, overwrite=True), in_safetensors, file=False),
    "identity": tokens("identity"),
    "histogram": tokens("histogram", bins=8),
    "codebook": tokens("codebook", codes=4, steps=1),
    "vq": tokens("vq", steps=2, batch_size=4, points=16, **VQ),
    "run": Reader(read_run, make_run, in_safetensors, file=False),
    "config": Reader(read_config, make_configs),
}


def make_seeds(name: str, folder: Path) -> dict[str, bytes]:
    """The whole files of a reader, written below a folder once: what stands in each."""
    work = folder / name
    if not work.exists():
        work.mkdir(parents=True)
        READERS[name].make(work)
    known = (".png", ".jsonl") if not READERS[name].file else ()
    paths = [path for path in work.rglob("*") if path.is_file() and path.suffix not in known]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
