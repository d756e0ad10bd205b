"""Can anybody see which shapes were generated? A small network tries, on pictures of shapes that it was not trained on.

A classifier two-sample test, C2ST (Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545): half of its answers
right means that it cannot. The network only adds up evidence from the places of a picture, so where it found something
is known exactly. Its features serve for KID, too.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy.stats import t as students_t
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from nfgen.errors import NfgenError
from nfgen.metrics.copying import share_with_interval
from nfgen.metrics.mmd_cov_nna import ENOUGH, Score
from nfgen.runtime.device import CPU, upload
from nfgen.runtime.progress import progress

FOLDS = 5
FEWEST = 2 * FOLDS  # shapes of a kind: two in each fold, or KID has no pairs
STEPS = 300  # of training, a fold
SHAPES, PICTURES = 8, 4  # of a kind and a step, and views of each
RATE, DECAY = 3e-3, 0.05
SHIFT = 3  # pixels by which pictures are moved in training: where a shape stands is not what we ask
WINDOW, CONTRAST = 5, 6.0  # pixels of the surroundings that a pixel is compared with, and by how much it is stressed
CHANNELS = (16, 32, 64, 64)
AT_ONCE = 512  # pictures to judge at once

Pictures = UInt8[np.ndarray, "shapes views 2 size size"]


class TwoSample(NamedTuple):
    """What the networks found, each on the shapes that it was not trained on."""

    accuracy: Score
    """Share of right answers, generated and real shapes weighed alike, with the interval for this number of answers."""
    kid: Score
    """Squared kernel distance of the features of generated and real shapes, mean of the folds; near 0 if alike."""
    kid_beside: Score | None
    """The same of the shapes given beside."""
    evidence: Float[np.ndarray, "generated views places places"]
    """How much each place of each picture of a generated shape speaks for its being generated; the mean over places
    and views is the logit of the shape."""


class ViewClassifier(nn.Module):
    """Pictures to evidence, place by place, and to features."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, (given, made) in enumerate(zip((3, *CHANNELS[:-1]), CHANNELS, strict=True)):
            stride = 1 if index == len(CHANNELS) - 1 else 2
            layers += [nn.Conv2d(given, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.weigh = nn.Conv2d(CHANNELS[-1], 1, 1)

    def forward(
        self, contrasts: Float[Tensor, "pictures 3 size size"]
    ) -> tuple[Float[Tensor, "pictures places places"], Float[Tensor, "pictures features"]]:
        """Evidence for "generated", whose mean over places is the logit, and features; of `local_contrast`."""
        found = self.layers(contrasts.float().contiguous(memory_format=torch.channels_last))
        return self.weigh(found)[:, 0], found.mean((2, 3))


def local_contrast(
    pictures: UInt8[Tensor, "shapes views 2 size size"],
) -> Float[Tensor, "shapes views 3 size size"]:
    """Shading and depth less their means over the surroundings that belong to the shape, and where the shape is.

    How bright a face is says much of the shape and hardly anything of who made it. Without this the network needs
    several times the steps to find waves of ten degrees on surfaces (300 steps: 71 instead of 100 % right). In half
    precision, which is as fine as the pictures.
    """
    made = []
    for part in pictures.flatten(0, 1).split(AT_ONCE):
        values = part.float() / 255
        there = (values[:, 1:] > 0.01).float()
        mean = avg_pool2d(values * there, WINDOW, 1, WINDOW // 2) / (avg_pool2d(there, WINDOW, 1, WINDOW // 2) + 1e-3)
        made.append(torch.cat([CONTRAST * (values - mean) * there, there - 0.2], dim=1).half())
    return torch.cat(made).unflatten(0, pictures.shape[:2])


def two_sample_test(
    generated: Pictures,
    real: Pictures,
    beside: Pictures | None = None,
    seed: int = 0,
    steps: int | None = None,
    device: torch.device = CPU,
) -> TwoSample:
    """Train a network to tell generated from real shapes by their pictures, and test it on others, in five folds.

    Args:
        generated: uint8, as `nfgen.views.views_of` draws them.
        real: the same, held-out real shapes.
        beside: other real shapes, whose KID shall stand beside.
        seed: of folds, networks and training; the same seed gives the same result on the same machine.
        steps: of training a fold; by default 300, and 150 of fewer than 100 shapes of a kind.
        device: of the networks.

    Raises:
        NfgenError: fewer than ten shapes of a kind, or pictures of different sizes.
    """
    if generated.shape[1:] != real.shape[1:] or generated.ndim != 5:
        raise NfgenError(f"pictures of shapes {generated.shape} and {real.shape}", "draw both alike")
    if min(len(generated), len(real)) < FEWEST:
        raise NfgenError(
            f"{len(generated)} generated and {len(real)} real shapes are too few to learn from and to test with",
            f"give {FEWEST} of each at least",
        )
    pictures = local_contrast(torch.from_numpy(np.concatenate([generated, real])).to(device))
    made = torch.arange(len(pictures)) < len(generated)
    other = None if beside is None else local_contrast(torch.from_numpy(beside).to(device))
    steps = steps or (STEPS if min(len(generated), len(real)) >= ENOUGH else STEPS // 2)
    evidence = torch.zeros(0)
    kids: list[float] = []
    kids_beside: list[float] = []
    with torch.random.fork_rng(devices=[]), progress(FOLDS * steps, "tell apart by pictures", "step") as bar:
        torch.manual_seed(seed)
        fold = _folds(made)
        for number in range(FOLDS):
            network = ViewClassifier().to(device)
            for _ in _train(network, pictures, made, fold != number, steps):
                bar.update()
            held = (fold == number).nonzero()[:, 0]
            found, features = _judge(network, pictures[held.to(device)])
            if number == 0:
                evidence = torch.zeros(len(pictures), *found.shape[1:])
            evidence[held] = found
            _, known = _judge(network, pictures[(fold != number).nonzero()[:, 0].to(device)])
            middle, spread = known.mean(0), known.std(0) + 1e-6
            features = _scaled((features - middle) / spread)
            kids.append(kernel_distance(features[made[held]], features[~made[held]]))
            if other is not None:
                compared = _scaled((_judge(network, other)[1] - middle) / spread)
                kids_beside.append(kernel_distance(compared, features[~made[held]]))
    right = (evidence.mean((1, 2, 3)) > 0) == made
    balanced = float(right[made].double().mean() + right[~made].double().mean()) / 2
    interval = share_with_interval(round(balanced * len(made)), len(made))
    return TwoSample(
        Score(value=balanced, low=min(interval["low"] or 0.0, balanced), high=max(interval["high"] or 1.0, balanced)),
        _mean_of(kids),
        _mean_of(kids_beside) if kids_beside else None,
        evidence[: len(generated)].numpy(),
    )


def kernel_distance(a: Float[Tensor, "a features"], b: Float[Tensor, "b features"]) -> float:
    """Squared maximum mean discrepancy with the kernel (x y / d + 1)^3, unbiased, so it may fall below 0.

    The kernel of KID (Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401).
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x.double() @ y.double().T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        values = kernel(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * kernel(a, b).mean())


def _scaled(features: Float[Tensor, "shapes features"]) -> Float[Tensor, "shapes features"]:
    """Features of one length, the root of their number: of so few shapes a single odd one would decide the rest."""
    return features * features.shape[1] ** 0.5 / features.norm(dim=1, keepdim=True).clamp(min=1e-6)


def _folds(made: Bool[Tensor, "shapes"]) -> Int[Tensor, "shapes"]:
    """A fold of each shape, of each kind as many in each."""
    fold = torch.zeros(len(made), dtype=torch.long)
    for kind in (made, ~made):
        count = int(kind.sum())
        fold[kind] = torch.arange(count)[torch.randperm(count)] % FOLDS
    return fold


def _train(
    network: ViewClassifier, pictures: Tensor, made: Tensor, known: Bool[Tensor, "shapes"], steps: int
) -> Iterator[None]:
    kinds = [(known & made).nonzero()[:, 0], (known & ~made).nonzero()[:, 0]]
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    device = pictures.device
    wanted = torch.tensor([1.0, 0.0], device=device).repeat_interleave(SHAPES * PICTURES)
    network.train()
    for _ in range(steps):
        chosen = torch.cat([kind[torch.randint(len(kind), (SHAPES,))] for kind in kinds]).repeat_interleave(PICTURES)
        view = torch.randint(pictures.shape[1], (len(chosen),))
        down, across = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
        evidence, _ = network(pictures[upload(chosen, device), upload(view, device)].roll((down, across), (2, 3)))
        loss = binary_cross_entropy_with_logits(evidence.mean((1, 2)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield
    network.eval()


@torch.no_grad()
def _judge(network: ViewClassifier, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Evidence [shapes, views, places, places] and features [shapes, features], the mean over views; on the CPU."""
    shapes, views = pictures.shape[:2]
    parts = [network(part) for part in pictures.flatten(0, 1).split(AT_ONCE)]
    evidence = torch.cat([part[0] for part in parts]).unflatten(0, (shapes, views))
    return evidence.cpu(), torch.cat([part[1] for part in parts]).unflatten(0, (shapes, views)).mean(1).cpu()


def _mean_of(values: list[float]) -> Score:
    """The mean of the folds, with its 95 % interval by Student's t."""
    middle = float(np.mean(values))
    reach = float(students_t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Score(value=middle, low=middle - reach, high=middle + reach)
