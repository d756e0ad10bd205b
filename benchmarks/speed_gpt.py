"""The GPT beside the GPT-2 of `transformers`, of the same layers, width and heads: training and generation.

    python benchmarks/speed_gpt.py --size medium --length 512

Training: ours as `nfgen train` does it (bfloat16 products where the processor has them, fused AdamW), theirs in float32
with SDPA attention and fused AdamW. Generation: both with their caches, sampling at temperature 1; and whether tokens
drawn with our cache are those drawn without.
"""

import argparse
import time
from collections.abc import Callable

import torch
from speed import in_turns, ratio, report

from nfgen.models.base import SequenceModel
from nfgen.models.draw import SamplingConfig, draw, generators, uniforms
from nfgen.models.gpt import GPT
from nfgen.models.optimisation import low_precision, optimizer
from nfgen.models.presets import SIZES, preset
from nfgen.models.registry import create
from nfgen.models.train_config import TrainConfig
from nfgen.vocabulary import Vocabulary

CODES = 1000


def theirs(size: str, length: int) -> torch.nn.Module:
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
    )
    return GPT2LMHeadModel(config)


def step_of_ours(model: SequenceModel, tokens: torch.Tensor, bfloat16: bool) -> Callable[[], None]:
    config = TrainConfig()
    adam, labels = optimizer(model, config), torch.full((len(tokens),), -1)

    def step() -> None:
        adam.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = model.loss(tokens, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        adam.step()

    return step


def step_of_theirs(model: torch.nn.Module, tokens: torch.Tensor) -> Callable[[], None]:
    adam = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        adam.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return step


@torch.inference_mode()
def uncached(model: GPT, count: int, length: int) -> torch.Tensor:
    """What `generate` draws, every token from a pass over all before it."""
    labels = torch.full((count,), -1)
    numbers = uniforms(generators(0, range(count)), length)
    tokens, read = torch.empty(count, 0, dtype=torch.long), model.head.readout()
    for place in range(length):
        hidden = model.transformer(model.opening(labels, tokens))[:, -1]
        low, high = model.ranges[place]
        tokens = torch.cat([tokens, low + draw(read(hidden, low, high), numbers[place], SamplingConfig())[:, None]], 1)
    return tokens


def peak(dtype: torch.dtype) -> float:
    a, b = torch.randn(2, 1024, 1024).to(dtype)
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        a @ b
        best = min(best, time.process_time() - started)
    return 2 * 1024**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="medium", choices=SIZES)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generate", type=int, default=64, help="tokens to generate, at batch 1 and 32; 0 = none")
    given = parser.parse_args()
    torch.manual_seed(0)
    vocabulary = Vocabulary(length=given.length, codes=CODES)
    ours, peer = create("gpt", vocabulary, preset("gpt", given.size)), theirs(given.size, given.length)
    tokens = torch.randint(CODES, (given.batch, given.length))
    bfloat16 = low_precision(ours, TrainConfig(), torch.device("cpu"))
    works = {"ours": step_of_ours(ours.train(), tokens, bfloat16), "theirs": step_of_theirs(peer.train(), tokens)}
    for work in works.values():
        work()
    spent = in_turns(works, given.rounds)
    # Six operations a weight and token, and twelve a number of width, pair of tokens and layer, halved by causality.
    sizes = SIZES[given.size]
    matrices = sum(p.numel() for name, p in ours.named_parameters() if p.ndim == 2 and "embed" not in name)
    done = tokens.numel() * (6 * matrices + 6 * sizes["layers"] * given.length * sizes["width"])
    highest = peak(torch.bfloat16 if bfloat16 else torch.float32)
    report(
        "speed_gpt_train",
        {
            "size": given.size,
            "length": given.length,
            "batch": given.batch,
            "our_precision": "bfloat16" if bfloat16 else "float32",
            "parameters": [sum(p.numel() for p in model.parameters()) for model in (ours, peer)],
            "tokens_per_second": {name: round(tokens.numel() / min(times)) for name, times in spent.items()},
            "times_faster": ratio(spent["theirs"], spent["ours"]),
            "share_of_peak": round(done / min(spent["ours"]) / highest, 3),
        },
    )
    for count in (1, 32) if given.generate else ():
        generate(given.size, count, given.generate, given.rounds)


def generate(size: str, count: int, length: int, rounds: int) -> None:
    model, peer = create("gpt", Vocabulary(length=length, codes=CODES), preset("gpt", size)), theirs(size, length)
    assert isinstance(model, GPT)
    model.eval()
    peer.eval()
    labels, start = torch.full((count,), -1), torch.full((count, 1), CODES)

    def our_work() -> torch.Tensor:
        return model.generate(labels, generators(0, range(count)), SamplingConfig())

    @torch.inference_mode()
    def their_work() -> torch.Tensor:
        mask = torch.ones_like(start)
        return peer.generate(
            start, attention_mask=mask, do_sample=True, top_k=0, min_new_tokens=length, max_new_tokens=length
        )

    cached = our_work()
    their_work()
    spent = in_turns({"ours": our_work, "theirs": their_work}, rounds)
    report(
        "speed_gpt_generate",
        {
            "size": size,
            "tokens": length,
            "batch": count,
            "cached_equals_uncached": bool(torch.equal(cached, uncached(model, count, length))),
            "tokens_per_second": {name: round(count * length / min(times)) for name, times in spent.items()},
            "times_faster": ratio(spent["theirs"], spent["ours"]),
        },
    )


if __name__ == "__main__":
    main()
