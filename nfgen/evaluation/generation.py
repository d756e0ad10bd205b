"""Generated shapes against real ones."""

from pathlib import Path
from typing import Any

from nfgen.errors import ConfigError
from nfgen.io import artifact, files
from nfgen.metrics import evaluate_clouds, protocol_named, save_classifier
from nfgen.pipeline.sample_set import KIND as SAMPLES
from nfgen.runtime.provenance import command
from nfgen.shapes import find_shapes
from nfgen.shapes.reading import AS_FOUND, ReadingConfig
from nfgen.viz.novelty_plot import novelty_svg

from .classifier import find_classifier
from .point_clouds import sample_clouds, shape_clouds, shape_validity
from .weight_space import noised_clouds, training_fields, weight_neighbours

SCORES_FILE, PLOT_FILE, CLASSIFIER_FILE = "evaluation.json", "novelty.svg", "classifier.safetensors"


def evaluate(
    generated: str | Path,
    reference: str | Path,
    *,
    train: str | Path | None = None,
    fields: str | Path | None = None,
    protocol: str = "nfgen",
    points: int = 2048,
    emd: int | None = None,
    classifier: str | Path | None = None,
    reading: ReadingConfig = AS_FOUND,
    limit: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """MMD, COV, 1-NNA and JSD of generated shapes, their validity and novelty, beside the ceiling and the floor.

    All shapes are compared in one frame: that of the files if all have one in common (as voxel grids of an array
    do), else each normalised to [-1, 1]^3 by its bounding box. Samples that `nfgen generate` wrote are in the frame
    that their run knows.

    Args:
        generated: samples that `nfgen generate` wrote, or a file or folder of any shapes.
        reference: real shapes that were not trained on.
        train: real shapes that were; adds novelty and the ceiling.
        fields: the field set that was trained on; adds the novelty of its weights plus noise and, for samples, the
            nearest in weight space. Of a run that is still where `generated` says, only the fields it learned from.
        protocol: `nfgen`, `hyperdiffusion` or `nef-gpt`.
        points: of each cloud, by area.
        emd: score by the exact earth mover's distance of so many points a cloud too, 1,024 at most.
        classifier: adds a Fréchet distance: a classifier's file, or labelled shapes to train one on.
        reading: how files of shapes are read where they do not say it themselves.
        limit: use only the first so many references.
        out: folder for `evaluation.json`, `novelty.svg` and a classifier that was trained; by default that of samples.

    Returns:
        What `nfgen.metrics.evaluate_clouds` gives, with `validity`, `weights` (None without `fields`) and `classifier`
        (None without one).

    Raises:
        NfgenError: if a set holds no usable shape, or too few for the protocol.
    """
    ours = artifact.kind_of(generated) == SAMPLES
    in_file_frame = ours and artifact.read_config(generated, SAMPLES)["frame"] is not None
    protocol_named(protocol)
    if fields is not None and train is None:
        raise ConfigError("the novelty of noised fields needs the training shapes", "give --train as well")
    # Find everything before the long work starts: a wrong path should not cost a minute.
    made_refs = [] if ours else find_shapes(generated, reading=reading)
    real_refs, known_refs = (
        find_shapes(reference, reading=reading)[:limit],
        ([] if train is None else find_shapes(train, reading=reading)),
    )
    known_fields = None if fields is None else training_fields(fields, Path(generated) if ours else None)
    real, _ = shape_clouds(real_refs, points, seed, in_file_frame, "reference")
    known = None if train is None else shape_clouds(known_refs, points, seed + 1, in_file_frame, "training")[0]
    if ours:
        made, validity = sample_clouds(Path(generated), points, seed)
    else:
        made, validity = shape_clouds(made_refs, points, seed + 2, False, "generated")[0], shape_validity(made_refs)
    judge = None if classifier is None else find_classifier(classifier, points, seed, in_file_frame, protocol, reading)
    noised = None if known_fields is None else noised_clouds(known_fields, len(made), points, seed, in_file_frame)
    scores = evaluate_clouds(
        made, real, known, protocol, seed, emd_points=emd, noised=noised, classifier=judge and judge.classifier
    )
    scores |= {
        "validity": validity,
        "weights": weight_neighbours(Path(generated), known_fields) if ours and known_fields is not None else None,
        "classifier": None if judge is None else judge.about,
    }
    made_by = command()
    folder = Path(generated) if out is None and ours else out
    if folder is not None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / SCORES_FILE, scores | ({} if made_by is None else {"command": made_by}))
        if scores["novelty"] is not None:
            files.write_atomically(folder / PLOT_FILE, novelty_svg(scores["novelty"]).encode())
        if judge is not None and judge.trained:
            save_classifier(judge.classifier, folder / CLASSIFIER_FILE)
    return scores
