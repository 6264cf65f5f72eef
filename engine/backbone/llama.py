"""A Llama or Qwen2 model by itself: what `transformers` computes, without its seconds and memory to load.

    x += W_o Attn(rope(W_q n), rope(W_k n), W_v n)        n = norm(x)
    x += W_down (silu(W_gate m) ⊙ W_up m)                 m = norm(x)

Qwen2's queries, keys and values have a bias. The copies that this program keeps of GGUF files, of the one
that comes along too, are run by it; its parts have the names that `transformers` gives them. Whatever else a
model may be is left to `transformers`.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.backbone.grouped import grouped_attention
from engine.backbone.rows import is_plain

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
NO_WEIGHTS = {"device": "meta"}
HAS_BIAS = {"llama": False, "qwen2": True}  # of queries, keys and values
NAMED_DTYPES = ("float32", "float16", "bfloat16")
Turn = tuple[Tensor, Tensor]


class OwnConfig(SimpleNamespace):
    """What config.json says, by its names."""


def own_config(folder: Path) -> OwnConfig | None:
    """Read the configuration of a kept copy; None where `transformers` has to run the model."""
    config = OwnConfig(**json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    rotary = getattr(config, "rope_parameters", None) or {}
    is_own = (
        config.model_type in HAS_BIAS
        and is_plain(config)
        and set(rotary) == {"rope_theta", "rope_type"}
        and rotary["rope_type"] == "default"
        and not getattr(config, "attention_bias", False)
        and not getattr(config, "mlp_bias", False)
        and config.dtype in NAMED_DTYPES
        and not hasattr(config, "quantization_config")
    )
    if not is_own:
        return None
    config.dtype = getattr(torch, config.dtype)
    return config


class Llama(nn.Module):
    """The model of a configuration, its weights still to come.

    fingerprint: of the weights, where it was taken before; see `Backbone.fingerprint`.
    """

    fingerprint: str | None = None

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.model = Blocks(config)
        self.lm_head: nn.Module = nn.Linear(config.hidden_size, config.vocab_size, bias=False, **NO_WEIGHTS)

    @property
    def base_model(self) -> nn.Module:
        """Return the blocks, without the head."""
        return self.model

    @property
    def device(self) -> torch.device:
        return self.model.norm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.norm.weight.dtype

    def get_output_embeddings(self) -> nn.Module:
        """Return the head."""
        return self.lm_head

    def in_transformers(self) -> "PreTrainedModel":
        """Return the same model as `transformers` runs it, on the same weights."""
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.for_model(**vars(self.config))
        with torch.device("meta"):
            twin = AutoModelForCausalLM.from_config(config).eval()
        for name, module in self.named_modules():
            if name and not any(module.children()) and not isinstance(module, Rotary):
                twin.set_submodule(name, module)
        twin.model.rotary_emb = type(twin.model.rotary_emb)(config=config).to(self.device)
        return twin


class Blocks(nn.Module):
    """Table of words, blocks and last norm; runs as many blocks as `layers` holds."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width, blocks = config.hidden_size, config.num_hidden_layers
        # a table that PyTorch fills at random, on no device, has it import all of SymPy: 70 MB and a second
        table = torch.empty(config.vocab_size, width, **NO_WEIGHTS)
        self.embed_tokens = nn.Embedding(config.vocab_size, width, _weight=table)
        self.layers = nn.ModuleList(Block(config, index) for index in range(blocks))
        self.norm = Norm(width, config.rms_norm_eps)
        self.rotary_emb = Rotary(config)

    def forward(self, input_ids: Tensor, past_key_values: Any = None, use_cache: bool = False) -> Tensor:
        """Return the normed last states (batch, time, width) of token ids that follow what a cache holds."""
        held = past_key_values.get_seq_length() if past_key_values is not None else 0
        rows, mask = input_ids.shape[1], None
        if held and rows > 1:
            mask = torch.ones(rows, held + rows, dtype=torch.bool, device=input_ids.device).tril(held)
        x = self.embed_tokens(input_ids)
        turn = self.rotary_emb(x, position_ids=torch.arange(held, held + rows, device=x.device)[None])
        for block in self.layers:
            x = block(x, turn, mask, past_key_values)
        return self.norm(x)


class Block(nn.Module):
    """Attention and MLP, each beside the residual."""

    def __init__(self, config: Any, index: int) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(config, index), Mlp(config)
        self.input_layernorm = Norm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = Norm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, turn: Turn, mask: Tensor | None, cache: Any) -> Tensor:
        """Return the raw states (batch, time, width) that leave the block, for those that enter it."""
        x = x + self.self_attn(self.input_layernorm(x), turn, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Attention(nn.Module):
    """Every token sees those before it, and those that the cache holds."""

    def __init__(self, config: Any, index: int) -> None:
        super().__init__()
        self.index = index
        self.heads, self.kv_heads, width = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.hidden_size,
        )
        self.head_dim = getattr(config, "head_dim", None) or width // self.heads
        self.q_proj, self.k_proj, self.v_proj = (
            nn.Linear(width, heads * self.head_dim, bias=HAS_BIAS[config.model_type], **NO_WEIGHTS)
            for heads in (self.heads, self.kv_heads, self.kv_heads)
        )
        self.o_proj = nn.Linear(self.heads * self.head_dim, width, bias=False, **NO_WEIGHTS)

    def forward(self, normed: Tensor, turn: Turn, mask: Tensor | None, cache: Any) -> Tensor:
        """Return what it adds (batch, time, width); mask (time, held + time) where a cache holds some."""
        query, key, value = (
            project(normed).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = turned(query, turn), turned(key, turn)
        if cache is not None:
            key, value = cache.update(key, value, self.index)
        if mask is not None:
            found = grouped_attention(query, key, value, mask)
        else:
            found = F.scaled_dot_product_attention(
                query, key, value, is_causal=query.shape[2] > 1, enable_gqa=self.heads > self.kv_heads
            )
        return self.o_proj(found.transpose(1, 2).flatten(2))


def turned(x: Tensor, turn: Turn) -> Tensor:
    """Turn heads (batch, heads, time, head_dim) by their positions' cos and sin (1, time, head_dim)."""
    cos, sin = (one[:, None] for one in turn)
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Mlp(nn.Module):
    """`W_down (silu(W_gate m) ⊙ W_up m)`."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(width, inner, bias=False, **NO_WEIGHTS)
        self.up_proj = nn.Linear(width, inner, bias=False, **NO_WEIGHTS)
        self.down_proj = nn.Linear(inner, width, bias=False, **NO_WEIGHTS)

    def forward(self, normed: Tensor) -> Tensor:
        """Return what the MLP adds (batch, time, width)."""
        return self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))


class Norm(nn.Module):
    """Root mean square norm, in float32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, **NO_WEIGHTS))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise states (…, width)."""
        wide = x.to(torch.float32)
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return self.weight * wide.to(x.dtype)


class Rotary(nn.Module):
    """What turns queries and keys with their positions."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        places = torch.arange(0, size, 2, dtype=torch.float, device="cpu") / size
        self.speeds = 1.0 / (config.rope_parameters["rope_theta"] ** places)

    def forward(self, like: Tensor, position_ids: Tensor) -> Turn:
        """Return cos and sin (batch, time, head_dim) of positions (batch, time), in the dtype of `like`."""
        angles = position_ids[..., None].float() * self.speeds.to(like.device)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def load_llama(folder: Path, config: Any, dtype: torch.dtype) -> Llama:
    """Load the model of a kept copy; weights that are in this dtype already are mapped, not read."""
    model = Llama(config)
    weights = {name: one.to(dtype) for name, one in load_file(folder / WEIGHTS_FILE).items()}
    if config.tie_word_embeddings:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model.load_state_dict(weights, assign=True)
    if config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
    return model
