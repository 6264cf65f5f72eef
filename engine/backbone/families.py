"""What every family of backbones calls its parts: one row a family, nothing else differs.

A family tells where the blocks are and how to see one block's attention as four plain projections, whatever
way the checkpoint fuses them. Adding a family: one row here, one row in tests/engine/families.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import nn

from ingest.errors import BadInput


@dataclass(frozen=True)
class Projections:
    """The linear maps of one attention block, unfused: `(…, width) -> (…, heads · head_dim)` and back."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    query_norm: nn.Module | None = None
    key_norm: nn.Module | None = None


def per_head(normed: torch.Tensor, maps: nn.Module, norm: nn.Module | None, head_dim: int) -> torch.Tensor:
    """Return queries, keys or values (…, heads, head_dim) of normed states (…, width), before position."""
    projected = maps(normed).unflatten(-1, (-1, head_dim))
    return projected if norm is None else norm(projected)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """Wrap existing rows, `weight` (out, in), as a frozen `nn.Linear`."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)
    return linear


def separate_projections(attention: nn.Module, heads: int) -> Projections:
    """Find q_proj, k_proj, v_proj and o_proj of Llama and its like; Qwen3 norms queries and keys per head."""
    return Projections(
        attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj,
        getattr(attention, "q_norm", None), getattr(attention, "k_norm", None),
    )  # fmt: skip


def stacked_projections(attention: nn.Module, heads: int) -> Projections:
    """Read GPT-2's: one Conv1D of weight (width, 3 · width), the three stacked one after the other."""
    queries, keys, values = attention.c_attn.weight.detach().T.chunk(3)
    biases = attention.c_attn.bias.detach().chunk(3)
    output = _linear(attention.c_proj.weight.detach().T, attention.c_proj.bias.detach())
    query, key, value = map(_linear, (queries, keys, values), biases)
    return Projections(query, key, value, output)


def interleaved_projections(attention: nn.Module, heads: int) -> Projections:
    """Read GPT-NeoX's: one linear whose rows go head by head, query, key and value of each together."""
    fused = attention.query_key_value
    width = fused.weight.shape[1]
    rows = fused.weight.detach().view(heads, 3, -1, width).unbind(1)
    weights = [row.reshape(-1, width) for row in rows]
    biases: list[torch.Tensor | None] = [None] * 3
    if fused.bias is not None:
        biases = [part.reshape(-1) for part in fused.bias.detach().view(heads, 3, -1).unbind(1)]
    query, key, value = map(_linear, weights, biases)
    return Projections(query, key, value, attention.dense)


@dataclass(frozen=True)
class Family:
    """Names of the parts of one family; dotted paths start at the causal language model or at a block."""

    model_types: tuple[str, ...]
    blocks: str
    final_norm: str
    rotary: str | None
    attention: str
    attention_norm: str
    mlp_norm: str
    projections: Callable[[nn.Module, int], Projections]
    mlp: str = "mlp"

    def parallel(self, config: object) -> bool:
        """Tell whether attention and MLP read the same input (GPT-NeoX) instead of one after the other."""
        return bool(getattr(config, "use_parallel_residual", False))


FAMILIES = (
    Family(
        model_types=("llama", "mistral", "qwen2", "qwen3"),
        blocks="model.layers",
        final_norm="model.norm",
        rotary="model.rotary_emb",
        attention="self_attn",
        attention_norm="input_layernorm",
        mlp_norm="post_attention_layernorm",
        projections=separate_projections,
    ),
    Family(
        model_types=("gpt2",),
        blocks="transformer.h",
        final_norm="transformer.ln_f",
        rotary=None,
        attention="attn",
        attention_norm="ln_1",
        mlp_norm="ln_2",
        projections=stacked_projections,
    ),
    Family(
        model_types=("gpt_neox",),
        blocks="gpt_neox.layers",
        final_norm="gpt_neox.final_layer_norm",
        rotary="gpt_neox.rotary_emb",
        attention="attention",
        attention_norm="input_layernorm",
        mlp_norm="post_attention_layernorm",
        projections=interleaved_projections,
    ),
)


def family_of(model_type: str) -> Family:
    """Return the row for a `transformers` model type.

    Raises
    ------
    BadInput
        The family is not in the table.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.model_types)
    raise BadInput(f"models of type '{model_type}' cannot be a backbone; choose one of type {known}")


def part(module: nn.Module, path: str) -> nn.Module:
    """Return the submodule at a dotted path."""
    return attrgetter(path)(module)
