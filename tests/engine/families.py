"""The shared table of backbone families: one tiny random model a row."""

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

torch.set_num_threads(1)  # two threads of a tiny model wait for each other more than they compute

ROTARY = {
    "vocab_size": 259,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 5,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
GPT2 = {
    "vocab_size": 259,
    "n_embd": 48,
    "n_layer": 5,
    "n_head": 6,
    "n_positions": 256,
    "initializer_range": 0.2,
}
NEOX = {key: value for key, value in ROTARY.items() if key != "num_key_value_heads"}

# name -> (configuration, model, where a block computes its keys before any position)
TINY_FAMILIES = {
    "llama": (LlamaConfig(**ROTARY, head_dim=8), LlamaForCausalLM, "self_attn.k_proj"),
    "llama-untied-wide-heads": (LlamaConfig(**ROTARY, head_dim=16), LlamaForCausalLM, "self_attn.k_proj"),
    "mistral": (
        MistralConfig(**ROTARY, head_dim=8, sliding_window=None),
        MistralForCausalLM,
        "self_attn.k_proj",
    ),
    "qwen2": (Qwen2Config(**ROTARY), Qwen2ForCausalLM, "self_attn.k_proj"),
    "qwen3": (Qwen3Config(**ROTARY, head_dim=8), Qwen3ForCausalLM, "self_attn.k_norm"),
    "gpt2": (GPT2Config(**GPT2, bos_token_id=1, eos_token_id=2), GPT2LMHeadModel, "attn.c_attn"),
    "pythia": (GPTNeoXConfig(**NEOX), GPTNeoXForCausalLM, "attention.query_key_value"),
    "neox-sequential": (
        GPTNeoXConfig(**NEOX, use_parallel_residual=False),
        GPTNeoXForCausalLM,
        "attention.query_key_value",
    ),
}


def tiny_model(name: str) -> PreTrainedModel:
    """The tiny random model of one row, the same at every call; norms and biases are random as well."""
    config, model_class, _ = TINY_FAMILIES[name]
    torch.manual_seed(1)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model
