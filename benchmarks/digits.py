"""Digits from end to end: images to fields to tokens to a GPT, and a classifier that knows real digits only as judge.

    python benchmarks/digits.py --data MNIST-FOLDER

The folder holds MNIST's four IDX files. The GPT is told which digit to write; the classifier, a small convolutional
network trained on all 60,000 training images, says which digit it sees. The Fréchet distance compares its features of
samples with those of the test images; real training images give the value that samples can hope for.
"""

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nfgen import FieldSet, Run, SamplingConfig, TrainConfig, fit, show_progress, tokenize, train
from nfgen.fields.accuracy import field_accuracy
from nfgen.io.artifact import kind_of
from nfgen.io.files import write_json
from nfgen.metrics.frechet import frechet_distance
from nfgen.models.generation.generate import sample
from nfgen.runtime.progress import progress
from nfgen.shapes.formats.images import read_idx_images, read_idx_labels
from nfgen.shapes.formats.shape_file import ShapeFile
from nfgen.tokens.decoding import decode_fields
from nfgen.viz.contact_sheet import contact_sheet, save_png

PIXELS, CLASSES = 28, 10
EPOCHS, BATCH = 2, 128  # of the classifier


class Classifier(nn.Module):
    """Two convolutions and two layers: 99 % of the test images after two epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, CLASSES)

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, 64] and classes [N] of images [N, 28, 28] in [0, 1]."""
        features = torch.cat([self.trunk(part[:, None]) for part in images.split(1000)])
        return features, self.head(features).argmax(1)


def train_classifier(images: Tensor, labels: Tensor, seed: int) -> Classifier:
    torch.manual_seed(seed)
    judge = Classifier()
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
    with progress(EPOCHS * len(images), "classifier", "images") as bar:
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(images)).split(BATCH):
                loss = functional.cross_entropy(judge.head(judge.trunk(images[rows, None])), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                bar.update(len(rows))
    return judge.eval()


def nearest(ours: Tensor, known: Tensor) -> float:
    """Median over images of the root mean squared difference to the most similar known one."""
    distances = torch.cat([torch.cdist(part.flatten(1), known.flatten(1)).amin(1) for part in ours.split(200)])
    return float(distances.median()) / PIXELS


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Folder of MNIST's files.")
@click.option("--known", default=3000, show_default=True, help="Images that fields are fitted to.")
@click.option("--samples", default=1000, show_default=True, help="A tenth of them of each digit.")
@click.option("--codes", default=27, show_default=True, help="Tokens a field: two for its box, 25 for 5 x 5 cells.")
@click.option("--tokenizer-steps", default=3000, show_default=True)
@click.option("--model-steps", default=3000, show_default=True)
@click.option("--views", default=8, show_default=True)
@click.option("--dropout", default=0.1, show_default=True)
@click.option("--guidance", default=1.5, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("digits"), show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path, known: int, samples: int, codes: int, tokenizer_steps: int, model_steps: int, views: int,
    dropout: float, guidance: float, work: Path, seed: int,
) -> None:  # fmt: skip
    """Measure reconstruction and generation of digits."""
    show_progress(True)
    work.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}

    def step(name: str, make: Any) -> None:
        if kind_of(work / name) is None:
            started = time.monotonic()
            make(work / name)
            seconds[name] = time.monotonic() - started

    source = data / "train-images-idx3-ubyte.gz"
    step("fields", lambda path: fit(source, path, spec="mnist", limit=known))
    step("tokens", lambda path: tokenize(work / "fields", path, "vq", heldout=0.05, views=views, seed=seed,
                                         max_tokens=codes, steps=tokenizer_steps, minutes=1e6))  # fmt: skip
    step("run", lambda path: train(work / "tokens", path, model_settings={"dropout": dropout},
                                   config=TrainConfig(steps=model_steps, seed=seed)))  # fmt: skip
    images, labels = _images(data, "train")
    unseen, unseen_labels = _images(data, "t10k")
    judge = train_classifier(images, labels, seed)
    figures = judged(work, judge, images[:known], labels[:known], unseen, unseen_labels, samples, guidance, seed)
    write_json(work / "digits.json", {"seconds": seconds, **figures})
    click.echo(json.dumps(figures, indent=1))


def judged(
    work: Path, judge: Classifier, known: Tensor, known_labels: Tensor, unseen: Tensor, unseen_labels: Tensor,
    samples: int, guidance: float, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """All figures; leaves a picture with a row of samples of each digit."""
    run = Run.load(work / "run")
    wanted = torch.arange(CLASSES).repeat_interleave(samples // CLASSES)
    classes = [run.tokenizer.vocabulary.classes.index(str(digit)) for digit in range(CLASSES)]
    started = time.process_time()
    tokens = sample(run.model, len(wanted), SamplingConfig(guidance=guidance), label=torch.tensor(classes)[wanted],
                    seed=seed)  # fmt: skip
    made = _drawn(decode_fields(run.tokenizer, tokens))
    each = (time.process_time() - started) / len(wanted)
    fields = FieldSet.load(work / "fields")
    codes = run.tokenizer.encode(fields.weights)
    iou = field_accuracy(run.tokenizer.decoded_spec, run.tokenizer.decode(codes), fields).iou.mean()
    rebuilt = _drawn(decode_fields(run.tokenizer, codes[:1000]))
    real, (features, seen) = judge.look(unseen)[0], judge.look(made)
    sheet = made.unflatten(0, (CLASSES, -1))[:, :20].flatten(0, 1)
    save_png(work / "digits.png", contact_sheet([_picture(one) for one in sheet], 20))
    return {
        "classifier_accuracy": float((judge.look(unseen)[1] == unseen_labels).float().mean()),
        "accuracy": float((seen == wanted).float().mean()),
        "accuracy_of_digits": [float((seen[wanted == i] == i).float().mean()) for i in range(CLASSES)],
        "accuracy_reconstructed": float((judge.look(rebuilt)[1] == known_labels[: len(rebuilt)]).float().mean()),
        "frechet": frechet_distance(features, real),
        "frechet_real": frechet_distance(judge.look(known[: len(made)])[0], real),
        "frechet_reconstructed": frechet_distance(judge.look(rebuilt)[0], real),
        "iou": float(iou),
        "novelty": nearest(made, known) / nearest(unseen[:1000], known),
        "seconds_a_sample": each,
        "parameters": run.model.parameter_count,
    }


def _drawn(fields: list[Any]) -> Tensor:
    return torch.stack([torch.as_tensor(field.image(PIXELS)).float() for field in fields]).clamp(0, 1)


def _picture(image: Tensor) -> np.ndarray:
    return (255 * image.numpy()).astype(np.uint8)[:, :, None].repeat(3, 2)


def _images(data: Path, part: str) -> tuple[Tensor, Tensor]:
    path = data / f"{part}-images-idx3-ubyte.gz"
    images = read_idx_images(ShapeFile(path), path.name)
    labels = read_idx_labels(ShapeFile(path), len(images), path.name)
    return torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


if __name__ == "__main__":
    main()
