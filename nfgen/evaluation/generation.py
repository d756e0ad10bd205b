"""Generated shapes against real ones."""

from pathlib import Path
from typing import Any

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact, files
from nfgen.io.ownership import require_own_results
from nfgen.metrics import evaluate_clouds, protocol_named, save_classifier
from nfgen.metrics.score_sets import require_several
from nfgen.metrics.validity import summarise
from nfgen.pipeline.config import GenerateConfig
from nfgen.pipeline.sample_set import KIND as SAMPLES
from nfgen.pipeline.sample_set import frame_of
from nfgen.runtime.device import COMPUTED_ON, choose_device, describe
from nfgen.runtime.provenance import command
from nfgen.shapes import find_shapes
from nfgen.viz.contact_sheet import save_png
from nfgen.viz.novelty_plot import novelty_svg

from .classifier import find_classifier
from .config import OF_PAIRS, EvaluateConfig
from .look import looks_of
from .measure import measure_samples, measure_shapes
from .pictures import field_looks, picture_scores
from .weight_space import learned_ids, noised_clouds, training_fields, weight_neighbours

SCORES_FILE, PLOT_FILE, CLASSIFIER_FILE = "evaluation.json", "novelty.svg", "classifier.safetensors"
SHEET_FILE = "giveaways.png"


def evaluate(
    generated: str | Path,
    reference: str | Path,
    config: EvaluateConfig | None = None,
    *,
    train: str | Path | None = None,
    fields: str | Path | None = None,
    classifier: str | Path | None = None,
    fits: str | Path | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """MMD, COV, 1-NNA and JSD of generated shapes, their validity and novelty, beside the ceiling and the floor.

    All shapes are compared in one frame: that of the files if all have one in common (as voxel grids of an array
    do), else each normalised to [-1, 1]^3 by its bounding box. Samples that `nfgen generate` wrote are in the frame
    that their run knows.

    Args:
        generated: samples that `nfgen generate` wrote, or a file or folder of any shapes.
        reference: real shapes that were not trained on.
        config: by which protocol, of how many points, and more; `settings` are single ones of it, such as
            `points=1024, emd=256`.
        train: real shapes that were; adds novelty and the ceiling. The same as `reference`: shapes that the run of the
            samples learned from are training shapes, the others the reference.
        fields: the field set that was trained on; adds the novelty of its weights plus noise and, for samples, the
            nearest in weight space. Of a run that is still where `generated` says, only the fields it learned from.
        classifier: adds a Fréchet distance: a classifier's file, or labelled shapes to train one on.
        fits: field set of the reference shapes, whose surfaces stand for theirs in pictures: voxel grids show stairs,
            and a fit smooths, so that any network tells them from samples at a glance.
        out: folder for `evaluation.json`, `novelty.svg`, `giveaways.png` and a classifier that was trained; by default
            that of samples.

    Returns:
        What `nfgen.metrics.evaluate_clouds` gives, with `validity`, `weights` (None without `fields`), `classifier`
        (None without one), `c2st`, `normals` and `light_field` (see `picture_scores`; None without pictures), and of
        samples `distinct`, whether they were drawn again until they differ, and `draws` (see `nfgen.pipeline`), else
        None; and the `settings`.

    Raises:
        NfgenError: if a set holds no usable shape, or too few for the protocol.
        ArtifactError: if files of others are where the results go.
    """
    config = EvaluateConfig.given(config, settings)
    config.require_default(OF_PAIRS, "sets of shapes")
    points, seed, reading = config.points, config.seed, config.reading
    device = choose_device(config.device)
    ours = artifact.kind_of(generated) == SAMPLES
    stored = artifact.read_config(generated, SAMPLES) if ours else {}
    frame = frame_of(stored)
    in_file_frame = frame is not None
    protocol_named(config.protocol)
    folder = Path(generated) if out is None and ours else None if out is None else Path(out)
    if folder is not None:
        files.require_writable(folder)
        require_own_results(folder, SCORES_FILE, ("mmd", "1_nna"), (PLOT_FILE, SHEET_FILE, CLASSIFIER_FILE))
    if fields is not None and train is None:
        raise ConfigError("the novelty of noised fields needs the training shapes", "give --train as well")
    # Find everything before the long work starts: a wrong path should not cost a minute.
    made_refs = [] if ours else find_shapes(generated, reading=reading)
    real_refs = find_shapes(reference, reading=reading)
    known_refs = [] if train is None else find_shapes(train, reading=reading)
    split = ours and train is not None and Path(train).resolve() == Path(reference).resolve()
    if split:
        learned = learned_ids(Path(generated))
        known_refs = [ref for ref in real_refs if ref.id in learned]
        real_refs = [ref for ref in real_refs if ref.id not in learned]
        if not known_refs or not real_refs:
            raise NfgenError(
                f"of {reference} the run learned from {len(known_refs)} shapes, and not from {len(real_refs)}",
                "give shapes to compare with as --reference, others as --train",
            )
    real_refs = real_refs[: config.limit]
    known_fields = None if fields is None else training_fields(fields, Path(generated) if ours else None)
    fitted = None if fits is None else FieldSet.load(fits)
    if fitted is not None and fitted.spec.dims != 3:
        raise ConfigError(f"{fits} holds 2-D fields: surfaces are drawn in 3-D", "give 3-D fields")
    how: dict[str, Any] = {"in_file_frame": in_file_frame, "pictures": config.pictures, "frame": frame}
    real = measure_shapes(real_refs, points, seed, "reference", **how)
    if split:
        remedy = "learn with a larger --heldout, as 0.3, or give other shapes as --reference"
        require_several(len(real.clouds), f"of {reference} the run held out one usable shape", remedy)
    require_several(len(real.clouds), f"{reference} holds one usable shape")
    known = None if train is None else measure_shapes(known_refs, points, seed + 1, "training", **how)
    if ours:
        made = measure_samples(Path(generated), points, seed, pictures=config.pictures)
    else:
        made = measure_shapes(made_refs, points, seed + 2, "generated", validity=True, pictures=config.pictures)
    judge = None if classifier is None else find_classifier(classifier, config, in_file_frame)
    noised = (
        None if known_fields is None else noised_clouds(known_fields, len(made.clouds), points, seed, in_file_frame)
    )
    scores = evaluate_clouds(
        made.clouds,
        real.clouds,
        None if known is None else known.clouds,
        config.protocol,
        seed,
        emd_points=config.emd,
        noised=noised,
        classifier=judge and judge.classifier,
        device=device,
    )
    scores |= {
        "validity": summarise([one for one in made.validity if one is not None]),
        "weights": weight_neighbours(Path(generated), known_fields) if ours and known_fields is not None else None,
        "classifier": None if judge is None else judge.about,
    }
    distinct = GenerateConfig.of_samples(stored).acceptance.distinct if ours else None
    scores |= {"distinct": distinct, "draws": stored.get("draws"), "settings": config.to_json()}
    scores[COMPUTED_ON] = describe(device)
    scores |= {"c2st": None, "normals": None, "light_field": None}
    sheet = None
    if config.pictures:
        found, sheet = picture_scores(
            looks_of(made.looks, "generated"),
            looks_of(real.looks, "reference"),
            None if known is None else looks_of(known.looks, "training"),
            None if fitted is None else field_looks(fitted),
            seed,
            device,
        )
        by_light_field = found.pop("copying")
        if by_light_field is not None:
            scores["copying"]["light_field"] = by_light_field
        scores |= found
    made_by = command()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / SCORES_FILE, scores | ({} if made_by is None else {"command": made_by}))
        if scores["novelty"] is not None:
            files.write_atomically(folder / PLOT_FILE, novelty_svg(scores["novelty"]).encode())
        if sheet is not None:
            save_png(folder / SHEET_FILE, sheet)
        if judge is not None and judge.trained:
            save_classifier(judge.classifier, folder / CLASSIFIER_FILE)
    return scores
