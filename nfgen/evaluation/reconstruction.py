"""Reconstructions, each against the shape that it stands for."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
import trimesh

from nfgen.errors import ConfigError, NfgenError, ShapeError
from nfgen.fields.field import Field
from nfgen.fields.field_set import KIND as FIELDS
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import inside
from nfgen.fields.slopes import field_gradients
from nfgen.io import artifact, files
from nfgen.io.ownership import require_own_results
from nfgen.metrics import compare_meshes, comparison_summary
from nfgen.metrics.reconstruction import Gradient, Inside, Points
from nfgen.runtime.device import COMPUTED_ON, choose_device, describe
from nfgen.runtime.progress import progress
from nfgen.runtime.provenance import command
from nfgen.shapes import ShapeRef, Skipped, find_shapes
from nfgen.shapes.base import Shape
from nfgen.shapes.load_many import load_shape, load_shapes
from nfgen.shapes.reading import AS_FOUND, ReadingConfig
from nfgen.tokenizers import registry
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import KIND as TOKENS
from nfgen.tokens.token_set import TOKENIZER, TokenSet

from .config import OF_SETS, EvaluateConfig
from .exact import exact_surfaces

PAIRS_FILE = "reconstruction.json"


class Solid(NamedTuple):
    """A reconstruction in the frame of the true shape."""

    mesh: trimesh.Trimesh | None
    inside: Inside
    """Which points of that frame are inside."""
    gradient: Gradient | None
    """Of its distance, if it has one."""


class _Reconstructions(NamedTuple):
    """What stands for shapes: a field, or another shape, by the id of the shape."""

    solids: dict[str, Callable[[Shape], Solid]]
    normalize: Any
    reading: ReadingConfig = AS_FOUND
    heldout: dict[str, bool] | None = None
    """By the id of the shape, of tokens: whether the tokenizer did not see it."""


def evaluate_pairs(
    reconstructed: str | Path,
    reference: str | Path,
    config: EvaluateConfig | None = None,
    *,
    out: str | Path | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Compare each reconstruction with its true shape: Chamfer distance, F-scores, IoU, normals, Hausdorff distance.

    Args:
        reconstructed: a field set, tokens (which are decoded), or shapes in the frame of the reference's files.
        reference: the true shapes. Pairs have the same id: the path below the folder that is named, or only the
            file's name without its ending.
        config: how many, how finely, and how files are read: those of a field set as when it was fitted, unless the
            config has readings of its own; `settings` are single ones of it, such as `limit=10, resolution=256`.
        out: folder for `reconstruction.json`; by default that of the field set or tokens.

    Returns:
        What `nfgen.metrics.comparison_summary` gives, each pair with its `id`; `skipped` pairs with their reasons;
        `reconstructed` and `reference` (counts); `normals_of`, where the true normals are from: `meshes`, or `exact
        distances` where the references are a folder that `nfgen shapes` wrote; `parts`, of tokens, the means and
        medians by `train` and `heldout` (else None); `seed`; `settings`.

    Raises:
        NfgenError: no pair has the same id, or none is usable.
        ArtifactError: a file of others is where the results go.
    """
    config = EvaluateConfig.given(config, settings)
    config.require_default(OF_SETS, "pairs")
    folder = reconstructed if out is None and artifact.kind_of(reconstructed) in (FIELDS, TOKENS) else out
    if folder is not None:
        files.require_writable(Path(folder))
        require_own_results(Path(folder), PAIRS_FILE, ("pairs", "reconstructed"))
    reading = None if config.reading == AS_FOUND else config.reading
    device = choose_device(config.device)
    source = _reconstructions(reconstructed, config.resolution, reading, device)
    refs = find_shapes(reference, normalize=source.normalize, reading=source.reading)[: config.limit]
    exact = exact_surfaces(reference) if source.reading == AS_FOUND else None  # other readings may change shapes
    ids, figures, reasons = [], [], []
    matched = list(_matched(source.solids, refs))
    if not matched:
        raise NfgenError(
            f"no shape of {reference} has the id of a reconstruction, such as {next(iter(source.solids))}",
            f"give the shapes that were fitted; the first here is {refs[0].id}",
        )
    with progress(len(matched), "compare pairs", "pair") as bar:
        shapes = load_shapes([ref for ref, _ in matched])
        for (ref, solid_in), shape in zip(matched, shapes, strict=True):
            try:
                if isinstance(shape, ShapeError):
                    raise shape
                if shape.dims != 3:
                    raise ConfigError(f"{ref.id} is 2-D: surfaces are compared in 3-D", "give meshes or voxel grids")
                made, mesh = solid_in(shape), shape.mesh()
                known = None if exact is None else exact(ref, shape, mesh)
                asked = made.inside, _inside_of(shape), config.seed
                figures.append(compare_meshes(made.mesh, mesh, *asked, true=known, gradient=made.gradient))
                ids.append(ref.id)
            except ShapeError as error:
                reasons.append(Skipped.of(ref.id, error)._asdict())
            bar.update()
    if not figures:
        raise NfgenError(f"no pair is usable: {reasons[0]['id']}: {reasons[0]['reason']}", "look at the files named")
    result = {
        **comparison_summary(figures),
        "pairs": [{"id": id, **figure} for id, figure in zip(ids, figures, strict=True)],
        "skipped": reasons,
        "reconstructed": len(source.solids),
        "reference": len(refs),
        "normals_of": "meshes" if exact is None else "exact distances",
        "parts": _by_part(source.heldout, ids, figures),
        "seed": config.seed,
        "settings": config.to_json(),
        COMPUTED_ON: describe(device),
    }
    if folder is not None:
        made_by = command()
        Path(folder).mkdir(parents=True, exist_ok=True)
        files.write_json(Path(folder) / PAIRS_FILE, result | ({} if made_by is None else {"command": made_by}))
    return result


def _reconstructions(
    path: str | Path, resolution: int, reading: ReadingConfig | None, device: torch.device
) -> _Reconstructions:
    kind = artifact.kind_of(path)
    if kind == FIELDS:
        fields = FieldSet.load(path)
        normalize = fields.settings.get("samples", {}).get("normalize", "each")
        fitted = ReadingConfig.stored(fields.settings.get("reading", {}))
        solids = _of_fields(fields.ids, [fields[i] for i in range(len(fields))], resolution, device)
        return _Reconstructions(solids, normalize, reading or fitted)
    if kind == TOKENS:
        tokens, tokenizer = TokenSet.load(path), registry.load(Path(path) / TOKENIZER).to(device)
        decoded = [field for part in tokens.tokens.split(64) for field in decode_fields(tokenizer, part)]
        heldout = dict(zip(tokens.ids, tokens.heldout.tolist(), strict=True))
        return _Reconstructions(
            _of_fields(tokens.ids, decoded, resolution, device), "each", reading or AS_FOUND, heldout
        )
    read = reading or AS_FOUND
    return _Reconstructions({ref.id: _shape_solid(ref) for ref in find_shapes(path, reading=read)}, "each", read)


def _of_fields(
    ids: tuple[str, ...], fields: list[Field], resolution: int, device: torch.device
) -> dict[str, Callable[[Shape], Solid]]:
    if fields and fields[0].spec.dims != 3:
        raise ConfigError("the fields are 2-D: surfaces are compared in 3-D", "give 3-D fields")
    return {id: _field_solid(field.to(device), resolution) for id, field in zip(ids, fields, strict=True)}


def _field_solid(field: Field, resolution: int) -> Callable[[Shape], Solid]:
    def within(points: Points) -> np.ndarray:
        return inside(field.spec, field(torch.from_numpy(points).float())).cpu().numpy()

    def gradient(points: Points) -> Points:
        at = torch.from_numpy(points).float()[None].to(field.weights.device)
        found: Points = field_gradients(field.spec, field.weights[None], at)[0].cpu().double().numpy()
        return found

    return lambda shape: Solid(field.mesh(resolution), within, gradient if field.spec.output == "sdf" else None)


def _shape_solid(ref: ShapeRef) -> Callable[[Shape], Solid]:
    def solid(true: Shape) -> Solid:
        """Both files have one frame, from which each shape is put into [-1, 1]^3 by a transform of its own."""
        shape = load_shape(ref)
        mesh = shape.mesh()
        mesh.vertices = true.transform.apply(shape.transform.invert(mesh.vertices))
        return Solid(mesh, lambda points: shape.value(shape.transform.apply(true.transform.invert(points))) < 0, None)

    return solid


def _by_part(
    heldout: dict[str, bool] | None, ids: list[str], figures: list[dict[str, float | None]]
) -> dict[str, Any] | None:
    """Means and medians of the shapes that a tokenizer was fitted on, and of those that were held out; None of others.

    A shape of tokens whose id is not theirs to the letter is left out.
    """
    if heldout is None:
        return None
    parts: dict[str, Any] = {}
    for name, wanted in (("train", False), ("heldout", True)):
        chosen = [figure for id, figure in zip(ids, figures, strict=True) if heldout.get(id) is wanted]
        summary = comparison_summary(chosen) if chosen else None
        parts[name] = None if summary is None else {key: of for key, of in summary.items() if key != "pairs"}
    return parts


def _inside_of(shape: Shape) -> Inside:
    return lambda points: shape.value(points) < 0


def _matched(
    solids: dict[str, Callable[[Shape], Solid]], refs: list[ShapeRef]
) -> Iterator[tuple[ShapeRef, Callable[[Shape], Solid]]]:
    """Pairs of the same id, or else of the same file name; names that stand twice say nothing."""
    stems = [_stem(id) for id in solids]
    by_stem = {stem: solid for stem, solid in zip(stems, solids.values(), strict=True) if stems.count(stem) == 1}
    of_refs = [_stem(ref.id) for ref in refs]
    for ref, stem in zip(refs, of_refs, strict=True):
        found = solids.get(ref.id) or (by_stem.get(stem) if of_refs.count(stem) == 1 else None)
        if found is not None:
            yield ref, found


def _stem(id: str) -> str:
    """`chairs/one.obj` is `one`; members of an array keep their number."""
    file, hash, index = id.partition("#")
    return f"{PurePosixPath(file).stem}{hash}{index}"
