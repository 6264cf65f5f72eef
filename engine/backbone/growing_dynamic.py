"""The cache that is written in place, as the models of `transformers` want it."""

from typing import Any

from transformers.cache_utils import DynamicCache, DynamicLayer

from engine.backbone.growing import GrowingLayer


class GrowingDynamicLayer(GrowingLayer, DynamicLayer):
    """A layer that is written in place and answers all that `transformers` asks of one."""


def growing_dynamic(config: Any) -> DynamicCache:
    """Make an empty cache for a model; layers that keep a sliding window only are `transformers`' own."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingDynamicLayer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache
