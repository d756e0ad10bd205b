"""What an artifact is, in words: for `nfgen info`."""

import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

from nfgen.errors import ArtifactError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact, files
from nfgen.models.registry import MODEL
from nfgen.shapes.reading import AS_FOUND, ReadingConfig
from nfgen.tokens.token_set import TokenSet

from .sample_set import read_list, up_of
from .sampling_choice import SAMPLING

UP = "{} in the shapes' files, z in fields and in pictures"
SCORES = "evaluation.json"
NEXT = {
    "shapes": "nfgen fit {path} -o FIELDS",
    "fields": "nfgen train {path} --tokenizer vq -o RUN",
    "tokens": "nfgen train {path} -o RUN",
    "tokenizer": "nfgen info --tokenizers",
    "run": "nfgen generate {path} -n 16 -o OUT",
    "samples": "nfgen report {path}",
    "field": "nfgen report {path}",
    "mesh": "nfgen check {path} -o SHEET.png",
    "folder": "nfgen report {path}",
}
WHAT = {
    "shapes": "meshes of a built-in family",
    "fields": "a field set: neural fields of one architecture",
    "tokens": "tokens of a field set, with their tokenizer",
    "tokenizer": "a fitted tokenizer",
    "run": "a trained model with its tokenizer",
    "samples": "generated fields with their meshes and pictures",
    "export": "files of fields for other programs",
    "space": "a Hugging Face Space that serves the app, with its run",
    "field": "one neural field",
    "mesh": "shapes to fit",
    "folder": "a folder of artifacts",
}


def describe(path: str | Path, reading: ReadingConfig = AS_FOUND) -> dict[str, Any]:
    """An artifact, a field file, or shapes as a dict: what it is, its figures, where its bytes are, the next command.

    Raises:
        ArtifactError: if there is nothing of the kind at the path.
    """
    path = Path(path)
    if path.is_file() or _holds_shapes(path):
        kind, facts = _file(path, reading)
    elif not (path / artifact.CONFIG).exists() and (held := _artifacts_in(path)):
        kind, facts = "folder", {"holds": held}
    else:
        config = artifact.read_whole_config(path)
        kind = str(config["type"])
        origin = {key: config[key] for key in ("nfgen", "command") if key in config}
        config = artifact.without_head(config)
        try:
            facts = origin | _FACTS.get(kind, lambda path, config: config)(path, config)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{path} is damaged: {error!r}", "make it again") from error
    size = path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    return {
        "path": str(path),
        "type": kind,
        "what": WHAT.get(kind, kind),
        **facts,
        "bytes": size,
        "next": NEXT.get(kind, "").format(path=shlex.quote(str(path))),
    }


def _holds_shapes(path: Path) -> bool:
    """Whether it is a folder of somebody's own shapes."""
    from nfgen.shapes.discovery import discover

    if not path.is_dir() or (path / artifact.CONFIG).exists() or _artifacts_in(path):
        return False
    try:
        return bool(discover(path).refs)
    except NfgenError:
        return False


def _artifacts_in(folder: Path) -> dict[str, str]:
    """What the artifacts right within a folder are, by their names."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return {child.name: kind for child in inside if child.is_dir() and (kind := artifact.kind_of(child)) is not None}


def _file(path: Path, reading: ReadingConfig) -> tuple[str, dict[str, Any]]:
    if path.suffix == ".safetensors":
        field = Field.load(path)
        return "field", {"weights": field.spec.size, "spec": field.spec.to_json()}
    from nfgen.shapes.discovery import discover
    from nfgen.shapes.load_many import load_shape

    found = discover(path, reading=reading)
    refs = found.refs
    if len(refs) > 1:
        classes = sorted({ref.label for ref in refs if ref.label is not None})
        left_out = found.left_out.lines()
        facts: dict[str, Any] = {"shapes": len(refs), "dims": refs[0].dims, "classes": classes}
        return "mesh", facts | ({"left_out": left_out[0]} if left_out else {})
    shape = load_shape(refs[0])
    facts = {"shapes": 1, "dims": shape.dims, "transform": shape.transform.to_json(), "notes": list(shape.notes)}
    if shape.dims == 3:
        mesh = shape.mesh()
        facts |= {
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "bodies": int(mesh.body_count),
            "watertight": bool(mesh.is_watertight),
            "volume": float(mesh.volume) if mesh.is_watertight else None,
            "up": UP.format(shape.transform.up),
            "open": shape.lost,
        }
    return "mesh", facts


def _fields(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    fields = FieldSet.load(path)
    ious = [entry["iou"] for entry in fields.report]
    return {
        "fields": len(fields),
        "weights": fields.spec.size,
        "classes": list(fields.classes),
        "mean_iou": sum(ious) / len(ious) if ious else None,
        "skipped": len(fields.skipped),
        "spec": fields.spec.to_json(),
        "made": fields.settings,
    }


def _tokens(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    tokens = TokenSet.load(path)
    return {
        "fields": len(tokens),
        "heldout": int(tokens.heldout.sum()),
        "up": UP.format(tokens.up),
        "vocabulary": _vocabulary(config["vocabulary"]),
        "report": tokens.report,
        "made": tokens.settings,
    }


def _run(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    model = files.read_json(path / "model.json")
    weights = path / "best.safetensors"
    tensors = files.read_tensors(weights if weights.exists() else path / "model.safetensors")
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return {
        "model": model["model"],
        "parameters": parameters,
        "vocabulary": _vocabulary(model["vocabulary"]),
        "trained_on": len(config["train_ids"]),
        "up": UP.format(up_of(config)),
        "tokenizer": config["tokenizer"],
        SAMPLING: config.get(SAMPLING) or {},
        "result": config["result"],
        "report": config["report"],
    }


def _vocabulary(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in ("length", "codes", "width", "classes")}


def _tokenizer(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    beside = path / MODEL  # of the tokenizer that ships with nfgen
    model = {"model": f"{files.read_json(beside)['model']}, which knows its tokens"} if beside.is_file() else {}
    return {"tokenizer": config["tokenizer"], **model, "settings": config["settings"], "spec": config["spec"]}


def _samples(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    entries = read_list(path)
    scores = files.read_json(path / SCORES) if (path / SCORES).is_file() else None
    given = scores if isinstance(scores, dict) else {}
    judged = {key: given[key].get("value") for key in ("mmd", "cov", "1_nna") if isinstance(given.get(key), dict)}
    return {
        "samples": len(entries),
        "empty": sum(entry.get("empty", False) for entry in entries),
        "scores": judged,
        "made": config,
    }


_FACTS = {"fields": _fields, "tokens": _tokens, "run": _run, "tokenizer": _tokenizer, "samples": _samples}


def describe_components(tokenizers: bool, models: bool) -> dict[str, Any]:
    """The tokenizers, the models, or both, with their settings and defaults; a broken plug-in is named, not fatal."""
    described: dict[str, Any] = {}
    for wanted, kind in ((tokenizers, "tokenizers"), (models, "models")):
        if wanted:
            registry = import_module(f"nfgen.{kind}.registry")
            described[kind] = {name: _component(registry, name) for name in registry.names()}
    return described


def _component(registry: Any, name: str) -> dict[str, Any]:
    try:
        found = registry.find(name)
        what = (found.__doc__ or name).strip().splitlines()[0]
        return {"what": what, "settings": found.Config().to_json()}
    except Exception as error:  # another package's class may be wrong in any way
        return {"what": f"broken: {error}", "settings": {}}


def lines(described: dict[str, Any], indent: int = 0) -> list[str]:
    """A description as indented lines of text."""
    pad, text = "  " * indent, []
    for key, value in described.items():
        if isinstance(value, dict):
            inner = lines(value, indent + 1)
            text += [f"{pad}{key}", *inner] if inner else []
        elif value not in ("", None, []):
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            text.append(f"{pad}{key:<{max(1, 20 - len(pad))}} {shown}")
    return text
