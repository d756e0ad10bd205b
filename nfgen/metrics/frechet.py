"""Fréchet distance between the features that a small classifier of point clouds sees in two sets.

This is NOT the FPD of published tables, which takes a PointNet++ (or PointNet) trained on ShapeNet: the classifier here
is trained on the user's own labelled shapes. Its values compare sets under one classifier, and nothing else.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.io.files import read_tensors, write_tensors
from nfgen.runtime.device import CPU, upload
from nfgen.runtime.progress import progress

from .clouds import as_clouds
from .mmd_cov_nna import Indices, Score, half_samples

FEATURES = 64  # a covariance of 64 x 64 can be estimated from a few hundred shapes, one of 1,024 x 1,024 cannot
LEARNING_RATE = 1e-3
BATCH = 32
SCALES = (0.9, 1.1)  # random scaling in training, against learning sizes by heart
DRAWS = 200  # of half samples: each decomposes two matrices of features


class Embedder(Protocol):
    """What a Fréchet distance asks of a classifier: the user's own may be anything that has this."""

    def embed(self, clouds: Tensor, /) -> Tensor:
        """[clouds, points, 3] to features [clouds, D]."""
        ...


class CloudClassifier(nn.Module):
    """A PointNet without transforms (Qi et al. 2017, https://arxiv.org/abs/1612.00593): points, maximum, layers."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.points = nn.Sequential(
            nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU()
        )
        self.features = nn.Sequential(nn.Linear(256, FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, classes)

    def embed(self, clouds: Tensor) -> Tensor:
        """[clouds, points, 3] to features [clouds, 64]; the order of points does not matter."""
        features: Tensor = self.features(self.points(clouds.to(self.head.weight.device)).amax(dim=1))
        return features

    def forward(self, clouds: Tensor) -> Tensor:
        """[clouds, points, 3] to logits [clouds, classes]."""
        logits: Tensor = self.head(self.embed(clouds))
        return logits


def train_classifier(
    clouds: npt.ArrayLike, labels: npt.ArrayLike, epochs: int = 30, seed: int = 0, device: torch.device = CPU
) -> CloudClassifier:
    """Train the classifier whose features are compared, on labelled reference shapes.

    Args:
        clouds: [N, points, 3].
        labels: int [N], 0 to classes - 1.
        epochs: passes over the clouds.
        seed: of the init, the order and the scaling; the global generator of torch is left alone.
        device: of the classifier.

    Raises:
        NfgenError: labels that are not one class number a cloud, or fewer than two classes.
        ConfigError: no epochs.
    """
    x = torch.from_numpy(as_clouds(clouds, "clouds"))
    classes = np.asarray(labels)
    if classes.shape != (len(x),) or not np.issubdtype(classes.dtype, np.integer) or classes.min() < 0:
        raise NfgenError(
            f"{len(x)} clouds with labels {classes.dtype} {classes.shape}", "give a class number for each cloud"
        )
    if len(np.unique(classes)) < 2:
        raise NfgenError(
            "the labelled shapes are of one class", "give two classes at least: there is nothing to tell apart"
        )
    if epochs < 1:
        raise ConfigError(f"{epochs} epochs", "train for one at least")
    x, y = x.to(device), torch.from_numpy(classes.astype(np.int64)).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CloudClassifier(int(classes.max()) + 1).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        with progress(epochs, "train classifier", "epoch") as bar:
            for _ in range(epochs):
                for batch in torch.randperm(len(x)).to(device).split(BATCH):
                    scale = upload(torch.empty(len(batch), 1, 3).uniform_(*SCALES), device)
                    loss = nn.functional.cross_entropy(model(x[batch] * scale), y[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                bar.update(loss=loss.item())
    return model.eval()


def save_classifier(classifier: CloudClassifier, path: str | Path) -> None:
    """Write a classifier's weights as a `.safetensors` file."""
    write_tensors(Path(path), classifier.state_dict())


def load_classifier(path: str | Path) -> CloudClassifier:
    """Read what `save_classifier` wrote.

    Raises:
        ArtifactError: if the file is not a classifier.
    """
    tensors = read_tensors(Path(path))
    try:
        classifier = CloudClassifier(len(tensors["head.bias"]))
        classifier.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ArtifactError(f"{path} is no classifier of point clouds", "give one that nfgen evaluate left") from error
    return classifier.eval()


def accuracy(classifier: CloudClassifier, clouds: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of clouds [N, points, 3] whose class, of labels [N], the classifier tells."""
    with torch.inference_mode():
        parts = torch.from_numpy(as_clouds(clouds)).split(BATCH)
        told = torch.cat([classifier(part).argmax(1).cpu() for part in parts])
    return float((told.numpy() == np.asarray(labels)).mean())


def feature_distance(generated: npt.ArrayLike, reference: npt.ArrayLike, classifier: Embedder) -> float:
    """Fréchet distance of the classifier's features of two sets of clouds, [G, points, 3] and [R, points, 3]."""
    return frechet_distance(_features(generated, classifier), _features(reference, classifier))


def feature_score(generated: npt.ArrayLike, reference: npt.ArrayLike, classifier: Embedder, seed: int = 0) -> Score:
    """`feature_distance` with its half-sample interval."""
    first, second = _features(generated, classifier), _features(reference, classifier)

    def statistic(rows: Indices, columns: Indices) -> npt.NDArray[np.float64]:
        return np.array([frechet_distance(first[rows], second[columns])])

    return half_samples(statistic, len(first), len(second), most=[np.inf], seed=seed, draws=DRAWS)[0]


def frechet_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features [N, D] and [M, D] (Heusel et al. 2017, arXiv:1706.08500).

    With few samples it is too large even for sets from one distribution; compare with the value of real against real.

    Raises:
        NfgenError: fewer than two samples, different D, or values that are not finite.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise NfgenError(f"features of shapes {a.shape} and {b.shape}", "give [N, D] and [M, D], two samples at least")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise NfgenError("features hold NaN or infinite values", "leave the broken samples out")
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    # With C = X'X = R'R, tr (C1 C2)^(1/2) is the sum of the singular values of R1 R2': no root of a singular matrix.
    first_r, second_r = (np.asarray(np.linalg.qr(x, mode="r")) for x in centred)
    shared = np.linalg.svd(first_r @ second_r.T, compute_uv=False).sum()
    spread = sum(float((x**2).sum()) for x in centred)
    return max(0.0, float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()) + spread - 2 * float(shared))


def _features(clouds: npt.ArrayLike, classifier: Embedder) -> npt.NDArray[np.float32]:
    x = torch.from_numpy(as_clouds(clouds))
    with torch.inference_mode():
        return torch.cat([classifier.embed(part).cpu() for part in x.split(BATCH)]).numpy()
