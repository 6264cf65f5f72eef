"""GGUF files of tiny Llama-like models with random weights, stored as the files that people have."""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFWriter, quants

WIDTH, BLOCKS, HEADS, KV_HEADS, VOCABULARY = 256, 2, 4, 2, 272
MATRICES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH * KV_HEADS // HEADS, WIDTH),
    "attn_v": (WIDTH * KV_HEADS // HEADS, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (WIDTH, WIDTH),
    "ffn_up": (WIDTH, WIDTH),
    "ffn_down": (WIDTH, WIDTH),
}
# name of the mixture -> (most matrices, values and down projections, table of words)
MIXTURES = {
    "Q4_0": (Kind.Q4_0, Kind.Q4_0, Kind.Q8_0),
    "Q4_1": (Kind.Q4_1, Kind.Q4_1, Kind.Q8_0),
    "Q4_K_M": (Kind.Q4_K, Kind.Q6_K, Kind.Q6_K),
    "Q5_K_M": (Kind.Q5_K, Kind.Q6_K, Kind.Q6_K),
    "Q6_K": (Kind.Q6_K, Kind.Q6_K, Kind.Q6_K),
    "Q8_0": (Kind.Q8_0, Kind.Q8_0, Kind.Q8_0),
    "F16": (Kind.F16, Kind.F16, Kind.F16),
}
FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18}


def stored(shape: tuple[int, int], kind: Kind, random: np.random.Generator) -> np.ndarray:
    """Random weights of some 1 / 16, as a file stores them; K-quants are made block by block from bytes."""
    if kind in (Kind.Q4_K, Kind.Q5_K, Kind.Q6_K):
        bytes_of = {Kind.Q4_K: 144, Kind.Q5_K: 176, Kind.Q6_K: 210}[kind]
        blocks = random.integers(0, 256, (shape[0], shape[1] // 256, bytes_of), dtype=np.uint8)
        if kind == Kind.Q6_K:  # weights are step · scale (−127 to 127) · code (−32 to 31)
            blocks[..., -2:] = np.array([3e-5], np.float16).view(np.uint8)
        else:  # step · scale (0 to 63) · code − base · scale (0 to 63)
            middle = 7.5 if kind == Kind.Q4_K else 15.5
            blocks[..., :4] = np.array([2e-3 / middle, 2e-3], np.float16).view(np.uint8)
        return blocks.reshape(shape[0], -1)
    return quants.quantize(random.standard_normal(shape).astype(np.float32) / 16, kind)


def write_gguf(path: Path, mixture: str, architecture: str = "llama", tokenizer=None) -> Path:
    """Write one tiny model; the byte-level vocabulary of the tests' tokenizer."""
    most, some, table = MIXTURES[mixture]
    random, file = np.random.default_rng(0), GGUFWriter(path, architecture)
    file.add_name("tiny")
    file.add_file_type(FILE_TYPES[mixture])
    file.add_context_length(512)
    file.add_embedding_length(WIDTH)
    file.add_block_count(BLOCKS)
    file.add_feed_forward_length(WIDTH)
    file.add_head_count(HEADS)
    file.add_head_count_kv(KV_HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_freq_base(10_000.0)
    file.add_vocab_size(VOCABULARY)
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    words += ["ab", *(f"<unused{number}>" for number in range(VOCABULARY - len(words) - 1))]
    file.add_tokenizer_model("gpt2")
    file.add_token_list(words)
    file.add_token_merges(["a b"])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    ones = np.ones(WIDTH, np.float32)
    matrices = {f"blk.{block}.{name}": shape for block in range(BLOCKS) for name, shape in MATRICES.items()}
    for name, shape in {"token_embd": (VOCABULARY, WIDTH), **matrices}.items():
        kind = table if name == "token_embd" else some if name.endswith(("attn_v", "ffn_down")) else most
        file.add_tensor(f"{name}.weight", stored(shape, kind, random), raw_dtype=kind)
    for name in ["output_norm", *(f"blk.{i}.{norm}_norm" for i in range(BLOCKS) for norm in ("attn", "ffn"))]:
        file.add_tensor(f"{name}.weight", ones + random.standard_normal(WIDTH).astype(np.float32) / 8)
    if architecture == "qwen2":
        for name, shape in matrices.items():
            if name.endswith(("attn_q", "attn_k", "attn_v")):
                file.add_tensor(f"{name}.bias", random.standard_normal(shape[0]).astype(np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path
