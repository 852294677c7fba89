"""Saves the state of layers inside a layer, which Keras's config of it leaves out."""

import warnings

import keras

KEY = "state_of_parts"


class KeepsParts:
    """Mixin of layers made of layers, whose config also holds the state of the inner layers.

    Keras's config of a layer says whether it trains, and its dtype policy. The layers inside start
    with the same, but some may have been frozen or quantized since. Where the state of a part
    differs from the layer around it, the config has

        "state_of_parts": {<path>: {"trainable": bool, "dtype": policy, ...}}

    Parts are layers and variables. Their paths are made of the names of attributes, as in files of
    weights: `"embedding"`, `"rnn_layers/0/cell"`. `from_config` restores their state.

    A frozen layer freezes the parts that it is given or makes later.
    """

    def __init__(self, *args, **kwargs):
        # The `from_config` of a subclass may pass the whole config to `__init__`.
        state = kwargs.pop(KEY, None)
        super().__init__(*args, **kwargs)
        if state:
            self._restore_parts(state)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if not getattr(self, "_trainable", True):
            for _, part in _leaves(name, value):
                if isinstance(part, keras.layers.Layer):
                    part.trainable = False

    def _restore_parts(self, state, given=()):
        """Restores the parts that exist, and once the layer is built, those that `build` makes.

        Args:
            state: `"state_of_parts"` of the config.
            given: Names of the attributes whose values are not from the config.
        """
        done = {path for path, _, _ in _walk(self) if path.split("/")[0] in given}
        state = {path: s for path, s in state.items() if path.split("/")[0] not in given}
        # Not as an attribute, which Keras would wrap and track.
        vars(self)[KEY] = state, done
        self._restore_pending()

    def _post_build(self):
        super()._post_build()
        if KEY in vars(self):
            self._restore_pending()

    def _restore_pending(self):
        state, done = vars(self)[KEY]
        _restore(self, state, done)
        if not self.built:
            return
        del vars(self)[KEY]
        missing = sorted(set(state) - done)
        if missing:
            warnings.warn(
                f"The saved {type(self).__name__} had parts that this one lacks, which were frozen "
                f"or quantized: {missing}.",
                stacklevel=2,
            )

    def get_config(self):
        state = _state(self)
        if KEY in vars(self):
            pending, done = vars(self)[KEY]
            state = {**{path: s for path, s in pending.items() if path not in done}, **state}
        return {**super().get_config(), **({KEY: state} if state else {})}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        state = config.pop(KEY, None)
        # `from_preset` can put objects in place of saved ones.
        given = [n for n, v in config.items() if v is None or isinstance(v, keras.layers.Layer)]
        for name, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[name] = keras.saving.deserialize_keras_object(value)
        layer = cls(**config)
        if state:
            layer._restore_parts(state, given)
        return layer


def with_dtype(state, policy):
    """`"state_of_parts"` of a config whose layers get another dtype policy."""
    changed = {}
    for path, described in state.items():
        described = dict(described)
        if "dtype" in described:
            before = keras.dtype_policies.get(described.pop("dtype"))
            if before.quantization_mode is not None:
                kind, _ = before.name.split("_from_")
                after = keras.dtype_policies.get(f"{kind}_from_{policy.name}")
                described["dtype"] = keras.dtype_policies.serialize(after)
        changed[path] = described
    return changed


def _state(layer):
    """`"state_of_parts"`: the state of the parts that differ from the layer around them."""
    state = {}
    for path, part, parent in _walk(layer):
        described = {}
        if part.trainable != parent.trainable:
            described["trainable"] = part.trainable
        if isinstance(part, keras.layers.Layer):
            if part.dtype_policy.name != parent.dtype_policy.name:
                described["dtype"] = keras.dtype_policies.serialize(part.dtype_policy)
            if getattr(part, "quantization_config", None) is not None:
                described["quantization_config"] = keras.saving.serialize_keras_object(
                    part.quantization_config
                )
        if described:
            state[path] = described
    return state


def _restore(layer, state, done):
    """Restores the state of all parts whose paths are not in `done`, and adds the paths to it."""
    for path, part, parent in _walk(layer):
        if path in done:
            continue
        done.add(path)
        described = state.get(path, {})
        if "dtype" in described:
            _set_dtype(part, described["dtype"], described.get("quantization_config"))
        part.trainable = described.get("trainable", parent.trainable)


def _set_dtype(layer, policy, quantization_config):
    policy = keras.dtype_policies.get(policy)
    if policy.name == layer.dtype_policy.name:
        return
    config = keras.saving.deserialize_keras_object(quantization_config)
    if layer.built and policy.quantization_mode is not None:
        layer.quantize(policy.quantization_mode, config=config)
        return
    if config is not None:
        layer.quantization_config = config
    layer.dtype_policy = policy


def _walk(layer, path=""):
    """Yields `(path, part, the layer directly around it)` of all parts, outer parts first."""
    # Variables made as trainable ones; none of layers with LoRA, which Keras merges when it saves.
    if not getattr(layer, "lora_enabled", False):
        for variable in list(layer._trainable_variables):
            yield f"{path}{variable.name}", variable, layer
    for name, part in _layers_in(layer):
        yield f"{path}{name}", part, layer
        yield from _walk(part, f"{path}{name}/")


def _layers_in(layer):
    """The layers directly inside a layer, by names that are the same when it is made again."""
    if isinstance(layer, keras.Model) and not isinstance(layer, KeepsParts):
        # By index: Keras counts on when it names layers, so that names differ when made again.
        return list(_leaves("layers", layer.layers))
    attributes = dict(vars(layer))
    # On PyTorch, layers are in `_modules`.
    attributes |= attributes.pop("_modules", {})
    layers = layer._flatten_layers(include_self=False, recursive=False)
    names = {id(part): (f"_layers/{i}", part) for i, part in enumerate(layers)}
    # Public names come last, so that they win.
    for attribute in sorted(attributes, key=lambda name: (not name.startswith("_"), name)):
        # Skip the lists of layers that Keras and TensorFlow make themselves.
        if attribute == "_layers" or attribute.startswith("_self_"):
            continue
        for name, part in _leaves(attribute, attributes[attribute]):
            if id(part) in names:
                names[id(part)] = name, part
    return list(names.values())


def _leaves(name, value):
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        yield name, value
        return
    for key, item in items:
        yield from _leaves(f"{name}/{key}", item)


def replace_dtype(node, policy):
    """Gives a config, and all configs of layers inside it, another dtype policy."""
    if isinstance(node, dict):
        if node.get("class_name") == "InputLayer":
            return  # It has no policy, and models take their inputs in any dtype.
        if "dtype" in node and "name" in node:
            node["dtype"] = keras.dtype_policies.serialize(policy)
        if KEY in node:
            node[KEY] = with_dtype(node[KEY], policy)
        for value in node.values():
            replace_dtype(value, policy)
    elif isinstance(node, list):
        for value in node:
            replace_dtype(value, policy)


def layers_of(parts, name, kind):
    """A list of layers, which a config may hold in their serialized form."""
    if not isinstance(parts, (list, tuple)) or not parts:
        raise ValueError(f"`{name}` must be a list of at least one layer. Received: {parts!r}")
    parts = [
        keras.saving.deserialize_keras_object(part) if isinstance(part, dict) else part
        for part in parts
    ]
    for i, part in enumerate(parts):
        if not isinstance(part, kind):
            raise ValueError(
                f"`{name}[{i}]` must be a keras_s2s.layers.{kind.__name__}. Received: {part!r}"
            )
    return parts


def unbuilt_config(layer):
    """The config of a layer without shapes: they would build it before embeddings are shared."""
    config = keras.saving.serialize_keras_object(layer)
    config.pop("build_config", None)
    return config
