"""The GPT beside `transformers`' GPT-2 and `x-transformers`, of the same layers, width and heads: training, generation.

    python benchmarks/speed_gpt.py --size medium --length 512 3712 --generate 64 3712

Training: ours as `nfgen train` does it (bfloat16 products where they are much the faster, fused AdamW), GPT-2 in
float32 with SDPA attention and fused AdamW. Generation: all three with their caches, sampling at temperature 1; and
whether tokens drawn with our cache are those drawn without.
"""

import argparse
from collections.abc import Callable

import torch
from peers.operators import declare_missing_operators
from speed import in_turns, ratio, report

from nfgen.models.base import SequenceModel
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.logits import draw, generators, uniforms
from nfgen.models.gpt import GPT
from nfgen.models.presets import SIZES, preset
from nfgen.models.registry import create
from nfgen.models.training.optim import low_precision, optimizer
from nfgen.pipeline.config import TrainConfig
from nfgen.runtime.precision import product_speed
from nfgen.tokens.vocabulary import Vocabulary

CODES = 1000
CHECKED = 64
"""Most places of a sequence, evenly spread, whose tokens are drawn without the cache, too."""
LONG = 1024  # tokens: from here on 8 places are checked, as each takes a pass over all before it
ROWS = 4  # of a batch, that are checked


def gpt2(size: str, length: int) -> torch.nn.Module:
    declare_missing_operators()
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = SIZES[size]
    config = GPT2Config(
        vocab_size=CODES + 3,
        n_positions=length + 1,
        n_embd=sizes["width"],
        n_layer=sizes["layers"],
        n_head=sizes["heads"],
        bos_token_id=CODES,
        eos_token_id=None,
        pad_token_id=CODES + 2,
        attn_pdrop=0.0,  # as ours; with some, its attention is not the fused one, and a quarter as fast at 3,712 tokens
    )
    return GPT2LMHeadModel(config)


def x_transformer(size: str, length: int) -> torch.nn.Module:
    from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

    sizes = SIZES[size]
    layers = Decoder(
        dim=sizes["width"],
        depth=sizes["layers"],
        heads=sizes["heads"],
        attn_dim_head=sizes["width"] // sizes["heads"],
        attn_flash=True,
    )
    return AutoregressiveWrapper(TransformerWrapper(num_tokens=CODES + 3, max_seq_len=length + 1, attn_layers=layers))


def step_of_ours(model: SequenceModel, tokens: torch.Tensor, bfloat16: bool) -> Callable[[], None]:
    config = TrainConfig()
    adam, labels = optimizer(model, config), torch.full((len(tokens),), -1, device=tokens.device)

    def step() -> None:
        adam.zero_grad()
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=bfloat16):
            loss = model.loss(tokens, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        adam.step()

    return step


def step_of_gpt2(model: torch.nn.Module, tokens: torch.Tensor) -> Callable[[], None]:
    adam = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        adam.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return step


def training_operations(model: SequenceModel, size: str, length: int) -> int:
    """Floating-point operations of a step for a token: six a weight, and twelve a number of width, pair of tokens and
    layer, halved by causality."""
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name)
    return 6 * matrices + 6 * SIZES[size]["layers"] * length * SIZES[size]["width"]


@torch.inference_mode()
def equals_uncached(model: GPT, tokens: torch.Tensor) -> bool:
    """Whether a pass over all tokens before a place, without a cache, draws the token that is there."""
    length, tokens = tokens.shape[1], tokens[:ROWS]
    labels, numbers = torch.full((len(tokens),), -1), uniforms(generators(0, range(len(tokens))), length)
    read = model.head.logits_fn()
    for place in torch.linspace(0, length - 1, min(length, CHECKED if length < LONG else 8)).long().tolist():
        hidden = model.transformer(model.opening(labels, tokens[:, :place]))[:, -1]
        low, high = model.ranges[place]
        drawn = low + draw(read(hidden, low, high), numbers[place], SamplingConfig())
        if not torch.equal(drawn, tokens[:, place]):
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="medium", choices=SIZES)
    parser.add_argument(
        "--length", type=int, nargs="*", default=[512], help="contexts to train with; none = no training"
    )
    parser.add_argument("--batch-size", type=int, default=8, help="sequences of a training step")
    parser.add_argument(
        "--generate", type=int, nargs="*", default=[64], help="tokens to generate; none = no generation"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32], help="sequences to generate at once")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.manual_seed(0)
    for length in given.length:
        train(given.size, length, given.batch_size, given.rounds)
    for length in given.generate:
        for count in given.batches:
            generate(given.size, count, length, given.rounds)


def train(size: str, length: int, batch: int, rounds: int) -> None:
    ours, peer = create("gpt", Vocabulary(length=length, codes=CODES), preset("gpt", size)), gpt2(size, length)
    tokens = torch.randint(CODES, (batch, length))
    bfloat16 = low_precision(ours, TrainConfig(), torch.device("cpu"))
    works = {"ours": step_of_ours(ours.train(), tokens, bfloat16), "transformers": step_of_gpt2(peer.train(), tokens)}
    for work in works.values():
        work()
    spent = in_turns(works, rounds)
    done = tokens.numel() * training_operations(ours, size, length)
    highest = product_speed(torch.bfloat16 if bfloat16 else torch.float32, 1024)
    report(
        "speed_gpt_train",
        {
            "size": size,
            "length": length,
            "batch": batch,
            "our_precision": "bfloat16" if bfloat16 else "float32",
            "parameters": [sum(p.numel() for p in model.parameters()) for model in (ours, peer)],
            "tokens_per_second": {name: round(tokens.numel() / min(times)) for name, times in spent.items()},
            "times_faster": ratio(spent["transformers"], spent["ours"]),
            "share_of_peak": round(done / min(spent["ours"]) / highest, 3),
        },
    )


def generate(size: str, count: int, length: int, rounds: int) -> None:
    model = create("gpt", Vocabulary(length=length, codes=CODES), preset("gpt", size))
    peers = {"transformers": gpt2(size, length).eval(), "x_transformers": x_transformer(size, length).eval()}
    assert isinstance(model, GPT)
    model.eval()
    labels, start = torch.full((count,), -1), torch.full((count, 1), CODES)

    def ours() -> torch.Tensor:
        return model.generate(labels, generators(0, range(count)), SamplingConfig())

    @torch.inference_mode()
    def transformers(new: int = length) -> torch.Tensor:
        mask = torch.ones_like(start)
        return peers["transformers"].generate(
            start, attention_mask=mask, do_sample=True, top_k=0, min_new_tokens=new, max_new_tokens=new
        )

    @torch.inference_mode()
    def x_transformers(new: int = length) -> torch.Tensor:
        return peers["x_transformers"].generate(start, new, temperature=1.0, filter_logits_fn=lambda logits: logits)

    cached = ours()
    for warm in (transformers, x_transformers):
        warm(min(length, 8))
    spent = in_turns({"ours": ours, "transformers": transformers, "x_transformers": x_transformers}, rounds)
    report(
        "speed_gpt_generate",
        {
            "size": size,
            "tokens": length,
            "batch": count,
            "cached_equals_uncached": equals_uncached(model, cached),
            "tokens_per_second": {name: round(count * length / min(times)) for name, times in spent.items()},
            "times_faster": {name: ratio(spent[name], spent["ours"]) for name in peers},
        },
    )


if __name__ == "__main__":
    main()
