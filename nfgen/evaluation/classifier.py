"""The classifier whose features a Fréchet distance compares: from a file, or trained on labelled shapes."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nfgen.errors import NfgenError
from nfgen.metrics import CloudClassifier, load_classifier, protocol_named, train_classifier
from nfgen.metrics.frechet import accuracy
from nfgen.runtime.device import find_device
from nfgen.shapes import find_shapes

from .config import EvaluateConfig
from .measure import measure_shapes

HELD_OUT = 5  # every fifth shape tells how well the classifier does


class TrainedClassifier(NamedTuple):
    """A classifier, and what is known of it."""

    classifier: CloudClassifier
    about: dict[str, Any]
    """`source`, and of one that was trained here `classes`, `shapes` and its `accuracy` on shapes held out."""
    trained: bool


def find_classifier(source: str | Path, config: EvaluateConfig, in_file_frame: bool) -> TrainedClassifier:
    """A classifier from a `.safetensors` file, or trained on the labelled shapes of a file or folder.

    Args:
        source: where shapes are, labels come from sub-folders or the file, as for `nfgen fit`.
        config, in_file_frame: as the clouds that it will be shown are made.

    Raises:
        NfgenError: the shapes have no labels, or one only.
        ArtifactError: the file is no classifier.
    """
    if str(source).endswith(".safetensors"):
        return TrainedClassifier(load_classifier(source), {"source": str(source)}, False)
    labelled = [ref for ref in find_shapes(source, reading=config.reading) if ref.label is not None]
    classes = sorted({str(ref.label) for ref in labelled})
    if len(classes) < 2:
        raise NfgenError(
            f"{source} holds shapes of {len(classes)} classes: a classifier needs two at least",
            "put the shapes of each class into a folder of its own",
        )
    found = measure_shapes(labelled, config.points, config.seed, "labelled", in_file_frame=in_file_frame)
    clouds = protocol_named(config.protocol).prepare(found.clouds, "labelled", config.seed)
    labels = np.array([classes.index(str(labelled[i].label)) for i in found.kept])
    order = np.random.default_rng(config.seed).permutation(len(labels))
    held, known = order[::HELD_OUT], np.setdiff1d(order, order[::HELD_OUT])
    classifier = train_classifier(clouds[known], labels[known], seed=config.seed, device=find_device(config.device))
    share = accuracy(classifier, clouds[held], labels[held])
    about = {"source": str(source), "classes": classes, "shapes": len(known), "accuracy": share}
    return TrainedClassifier(classifier, about, True)
