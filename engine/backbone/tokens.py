"""A tokenizer by itself: what `transformers` gives, without the seconds that loading it takes.

For the models that come along. Those of other files, and their chat templates, are `transformers`' to read:
it knows their kinds, and shuts hostile ones in more tightly.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from tokenizers import AddedToken, Tokenizer

CONFIG_FILE, TOKENIZER_FILE, TEMPLATE_FILE = (
    "tokenizer_config.json",
    "tokenizer.json",
    "chat_template.jinja",
)
NAMED = ("bos_token", "eos_token", "unk_token", "pad_token")
# of `transformers`, those that add nothing to what the file says
CLASSES = ("TokenizersBackend", "Qwen2Tokenizer")
KNOWN = {*NAMED, "backend", "is_local", "local_files_only", "model_max_length", "tokenizer_class",
         "add_prefix_space"}  # fmt: skip


class OwnTokenizer:
    """A `tokenizers` file, called as `transformers`' tokenizers are; threads may use it side by side."""

    def __init__(self, folder: Path, named: dict[str, str]) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._named = named
        self._lock = Lock()
        template = folder / TEMPLATE_FILE
        self.chat_template = template.read_text(encoding="utf-8") if template.is_file() else None

    @property
    def all_special_tokens(self) -> list[str]:
        """Return the marks that begin, end, fill and stand for the unknown, each once."""
        return list(dict.fromkeys(self._named.values()))

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Return the tokens that are no part of the vocabulary proper, by their ids."""
        return self._tokenizer.get_added_tokens_decoder()

    @property
    def bos_token_id(self) -> int | None:
        """Return the mark before a text, None where there is none."""
        return self._id("bos_token")

    @property
    def eos_token_id(self) -> int | None:
        """Return the mark after a text, None where there is none."""
        return self._id("eos_token")

    def __call__(
        self,
        text: str,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        split_special_tokens: bool = False,
    ) -> dict[str, Any]:
        """Return `input_ids` of a text, and `offset_mapping` where wanted: (begin, end) of each."""
        with self._lock:
            self._tokenizer.encode_special_tokens = split_special_tokens
            made = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        offsets = {"offset_mapping": made.offsets} if return_offsets_mapping else {}
        return {"input_ids": made.ids, **offsets}

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def get_vocab(self) -> dict[str, int]:
        """Return the id of every token."""
        return self._tokenizer.get_vocab()

    def convert_tokens_to_ids(self, token: str) -> int | None:
        """Return the id of one token, that of the unknown where it is none."""
        found = self._tokenizer.token_to_id(token)
        return self._id("unk_token") if found is None else found

    def apply_chat_template(
        self, turns: Sequence[dict], tokenize: bool = False, add_generation_prompt: bool = False
    ) -> str:
        """Return the text of a talk in the model's chat format; tokenize: for callers of `transformers`."""
        assert not tokenize
        return self._template.render(
            messages=turns, add_generation_prompt=add_generation_prompt, **self._named
        )

    @cached_property
    def _template(self) -> Any:
        """Return the compiled chat template, in a sandbox, with what `transformers` lets it use."""
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def raise_exception(message: str) -> None:
            raise TemplateError(message)

        place = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        place.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
        place.globals["raise_exception"] = raise_exception
        return place.from_string(self.chat_template or "")

    def _id(self, name: str) -> int | None:
        return self._tokenizer.token_to_id(self._named[name]) if name in self._named else None


def own_tokenizer(folder: Path) -> OwnTokenizer | None:
    """Open the tokenizer in a folder; None where only `transformers` knows how."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    named = {name: config[name] for name in NAMED if config.get(name) is not None}
    is_own = (
        config.get("tokenizer_class") in CLASSES
        and not config.get("add_prefix_space")
        and set(config) <= KNOWN
        and all(isinstance(token, str) for token in named.values())
        and (folder / TOKENIZER_FILE).is_file()
    )
    return OwnTokenizer(folder, named) if is_own else None
