"""Instruction-style prompts without any document: where the SideNet must stay the backbone.

`prompts(n, seed)` for different seeds share templates but few prompts; training and the check use different
seeds and different halves of the subjects.
"""

import random

import torch
from torch import Tensor

from engine.backbone.backbone import Backbone

TEMPLATES = (
    "What is {x}?",
    "Explain {x} in simple words.",
    "Give me three facts about {x}.",
    "Write a short poem about {x}.",
    "Why is {x} important?",
    "Summarize what you know about {x} in two sentences.",
    "How would you describe {x} to a child?",
    "List the advantages and disadvantages of {x}.",
    "Write a polite email to a colleague about {x}.",
    "What are common mistakes people make with {x}?",
    "Compare {x} and {y}.",
    "Which would you choose, {x} or {y}, and why?",
    "Write a Python function that prints facts about {x}.",
    "Translate the words '{x}' into French.",
    "Make a plan for a week of learning about {x}.",
    "Is {x} related to {y}? Answer briefly.",
    "Write the first line of a story about {x}.",
    "What questions should I ask an expert on {x}?",
    "Rewrite this more formally: I really like {x}, it is cool.",
    "Give a definition of {x} and one example.",
)
SUBJECTS = (
    "photosynthesis", "the water cycle", "gravity", "bread baking", "chess", "compound interest", "volcanoes",
    "recycling", "the moon", "jazz music", "a balanced diet", "public transport", "the French Revolution",
    "machine learning", "bees", "a good night's sleep", "the stock market", "renewable energy", "poetry",
    "antibiotics", "time management", "the human heart", "coral reefs", "democracy", "gardening", "football",
    "black holes", "the Renaissance", "vaccines", "cloud computing", "coffee", "rainforests", "the alphabet",
    "earthquakes", "meditation", "bicycles", "the ocean", "budgeting", "photography", "dinosaurs", "tea",
    "a job interview", "electric cars", "the Great Wall of China", "swimming", "sorting algorithms",
    "glaciers",
    "teamwork", "the immune system", "libraries", "cheese", "satellites", "the Roman Empire", "knitting",
    "prime numbers", "wolves", "climate change", "a first aid kit", "the piano", "mountain hiking",
)  # fmt: skip


def prompts(count: int, seed: int, half: int | None = None) -> list[str]:
    """Make up to `count` different prompts; half 0 or 1 keeps to one half of the subjects."""
    subjects = SUBJECTS if half is None else SUBJECTS[half::2]
    choose = random.Random(seed)
    made: dict[str, None] = {}
    for _ in range(20 * count):
        x, y = choose.sample(subjects, 2)
        made[choose.choice(TEMPLATES).format(x=x, y=y)] = None
        if len(made) == count:
            break
    return list(made)


def answered_chat(backbone: Backbone, prompt: str, tokens: int) -> Tensor:
    """Return the ids (time,) of a prompt in chat format and of the backbone's own greedy answer."""
    text = backbone.tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    asked = backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([asked], device=backbone.device)
    with torch.inference_mode():
        whole = backbone.in_transformers.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False,
            pad_token_id=backbone.tokenizer.eos_token_id,
        )  # fmt: skip
    return whole[0]
