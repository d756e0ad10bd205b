"""A picture of what each tokenizer keeps: held-out fields, and the same after the round trip.

    nfgen demo -o demo
    python benchmarks/tokenizer_pictures.py demo/fields demo/tokens -o docs/tokenizers.png

TOKENS are those of a vq tokenizer that was fitted on FIELDS; the others are fitted here on the same training
fields. Prints the mean IoU against the true shapes of all held-out fields.
"""

from pathlib import Path
from typing import Any

import click
import torch

from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.tokenizers import registry
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import TOKENIZER, TokenSet
from nfgen.viz.contact_sheet import contact_sheet, save_png
from nfgen.viz.render import render_mesh

SHOWN = 4
CELLS, SIDE = 64, 160
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("histogram, 16 bins", "histogram", {"bins": 16}),
    ("codebook, rows", "codebook", {"unit": "row", "depth": 4}),
]


@click.command()
@click.argument("fields_path", type=click.Path(path_type=Path))
@click.argument("tokens_path", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True)
def main(fields_path: Path, tokens_path: Path, out: Path) -> None:
    fields, heldout = FieldSet.load(fields_path), TokenSet.load(tokens_path).heldout
    train, unseen = fields.select((~heldout).nonzero()[:, 0]), fields.select(heldout.nonzero()[:, 0])
    tokenizers = [(label, registry.create(name, **settings).fit(train)) for label, name, settings in CASES]
    tokenizers.append(("vq", registry.load(tokens_path / TOKENIZER)))
    pictures = [render_mesh(unseen[i].mesh(CELLS), SIDE) for i in range(SHOWN)]
    captions = ["the field"] * SHOWN
    print(f"{'fields':26} IoU {field_accuracy(fields.spec, unseen.weights, unseen).iou.mean():.3f}")
    for label, tokenizer in tokenizers:
        tokens = tokenizer.encode(unseen.weights, unseen.spec)
        decoded = decode_fields(tokenizer, tokens)
        weights = torch.stack([field.weights for field in decoded])
        iou = field_accuracy(tokenizer.decoded_spec, weights, unseen).iou.mean()
        print(f"{label:26} IoU {iou:.3f}, {tokenizer.vocabulary.length} tokens, {len(unseen)} held-out fields")
        pictures += [render_mesh(Field(one.spec, one.weights).mesh(CELLS), SIDE) for one in decoded[:SHOWN]]
        captions += [f"{label}: {tokenizer.vocabulary.length} tokens"] * SHOWN
    save_png(out, contact_sheet(pictures, columns=SHOWN, captions=captions))


if __name__ == "__main__":
    main()
