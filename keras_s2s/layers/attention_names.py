"""Attentions by name, with their defaults."""

from keras_s2s.layers.attention import Attention
from keras_s2s.layers.bahdanau_attention import BahdanauAttention
from keras_s2s.layers.coverage_attention import CoverageAttention
from keras_s2s.layers.local_attention import LocalAttention
from keras_s2s.layers.location_aware_attention import LocationAwareAttention
from keras_s2s.layers.luong_attention import LuongAttention
from keras_s2s.layers.multi_head_attention import MultiHeadAttention

#: From names to functions of the decoder's units and of Keras's layer arguments.
BY_NAME = {
    "bahdanau": BahdanauAttention,
    "luong": lambda units, **kwargs: LuongAttention(**kwargs),
    "multi_head": lambda units, **kwargs: MultiHeadAttention(8, max(units // 8, 1), **kwargs),
    "coverage": CoverageAttention,
    "location_aware": LocationAwareAttention,
    "local": lambda units, **kwargs: LocalAttention(**kwargs),
}


def get(identifier, units, **kwargs):
    """The attention that `identifier` means.

    Args:
        identifier: A name, an `Attention`, or None for none.
        units: Integer, the size of the decoder's state.
        **kwargs: Keras's own layer arguments of an attention that is made.

    Returns:
        An `Attention`, or None.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None or isinstance(identifier, Attention):
        return identifier
    if isinstance(identifier, str) and identifier in BY_NAME:
        return BY_NAME[identifier](units, **kwargs)
    names = ", ".join(repr(name) for name in BY_NAME)
    raise ValueError(
        f"`attention` must be one of {names}, an attention layer of keras_s2s.layers, or None. "
        f"Received: attention={identifier!r}"
    )
