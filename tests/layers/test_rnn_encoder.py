"""The recurrent encoder against NumPy and PyTorch, and what padding and dropout may do."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import RNNEncoder, _recurrence
from tests.fewer import chosen, each, fewer_elsewhere, pairwise
from tests.layers.helpers import (
    BACKEND,
    STATE_SIZE,
    cell_step,
    gradients,
    numpy,
    random,
    randomize,
    run,
    weights,
)
from tests.other_backend import skip_unless_installed

UNITS, DIM = 4, 3
LENGTHS = np.array([5, 2, 0, 1])
MASK = np.arange(5) < LENGTHS[:, None]
TOKENS = np.where(MASK, np.random.default_rng(0).integers(1, 9, MASK.shape), 0).astype("int32")
CELLS = "rnn", "gru", "lstm"
all_cells = pytest.mark.parametrize("cell", fewer_elsewhere(CELLS, 2, first=1))


def features(seed=0):
    """`(4, 5, DIM)` with something large where it is padding."""
    return np.where(MASK[..., None], random(4, 5, DIM, seed=seed), 50).astype("float32")


def make(cell="gru", **kwargs):
    encoder = RNNEncoder(UNITS, cell=cell, **kwargs)
    encoder.build((None, None) if encoder.embedding is not None else (None, None, DIM))
    return randomize(encoder)


def encode(encoder, *arguments):
    """The memory as arrays."""
    return run(lambda *args: encoder(*args), *arguments)


def direction_of_layer(layer, cell, inputs, mask, backwards):
    """Outputs and last state of one sequence, step by step."""
    state = [np.zeros(UNITS) for _ in range(STATE_SIZE[cell])]
    outputs = np.zeros((len(inputs), UNITS))
    order = range(len(inputs))
    for t in reversed(order) if backwards else order:
        if mask[t]:
            state = cell_step(cell, inputs[t], state, *weights(layer))
            outputs[t] = state[0]
    return outputs, state


def reference(encoder, inputs, mask):
    """Values and state of one sequence `(source, dim)`."""
    directions = 2 if encoder.bidirectional else 1
    values, states = inputs, []
    for i in range(encoder.num_layers):
        parts = [
            direction_of_layer(
                encoder.rnn_layers[directions * i + d], encoder.cell, values, mask, d == 1
            )
            for d in range(directions)
        ]
        outputs = np.concatenate([part[0] for part in parts], axis=-1)
        states.append([np.concatenate(s) for s in zip(*[part[1] for part in parts])])
        values = outputs + values if encoder.residual and i else outputs
    return values * mask[:, None], states


def assert_equal_to_reference(memory, encoder, inputs, mask):
    assert len(memory["state"]) == encoder.num_layers
    for row in range(len(inputs)):
        values, states = reference(encoder, inputs[row], mask[row])
        np.testing.assert_allclose(memory["values"][row], values, atol=1e-5)
        for got, expected in zip(memory["state"], states):
            assert len(got) == STATE_SIZE[encoder.cell]
            for a, b in zip(got, expected):
                np.testing.assert_allclose(a[row], b, atol=1e-5)
    np.testing.assert_array_equal(memory["mask"], mask)


@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["layers", "bidirectional", "cell"],
    pairwise([(1, False), (3, False), (3, True)], [False, True], CELLS),
)
def test_equals_numpy(cell, bidirectional, layers):
    num_layers, residual = layers
    encoder = make(cell, bidirectional=bidirectional, num_layers=num_layers, residual=residual)
    memory = encode(encoder, features(), MASK)
    assert_equal_to_reference(memory, encoder, features(), MASK)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="cuDNN is used on TensorFlow alone")
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_fused_layers_equal_numpy(cell, monkeypatch):
    """The way to cuDNN, as far as it goes without a GPU: Keras's own layers."""
    monkeypatch.setattr(_recurrence, "_has_cudnn", lambda layer: True)
    encoder = make(cell, num_layers=2)
    assert_equal_to_reference(encode(encoder, features(), MASK), encoder, features(), MASK)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="cuDNN is used on TensorFlow alone")
def test_masks_that_cudnn_refuses_take_another_way(monkeypatch):
    """It knows padding on the right alone."""
    run_fused, fused = _recurrence._run_fused, []

    def count(layer, inputs, state, mask):
        fused.append(layer)
        return run_fused(layer, inputs, state, mask)

    encoder, left = make("gru"), np.flip(MASK, axis=1)
    expected = encode(encoder, features(), left)
    monkeypatch.setattr(_recurrence, "_run_fused", count)
    monkeypatch.setattr(_recurrence, "_has_cudnn", lambda layer: True)
    found = encode(encoder, features(), left)
    assert not fused
    np.testing.assert_allclose(found["values"], expected["values"], atol=1e-5)
    np.testing.assert_allclose(found["state"][0][0], expected["state"][0][0], atol=1e-5)
    encode(encoder, features(), MASK)
    assert len(fused) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ["num_layers", "bidirectional", "cell"],
    each([1, 2], [False, True], CELLS),
)
def test_equals_pytorch(cell, bidirectional, num_layers):
    skip_unless_installed("torch")
    import torch

    encoder = make(cell, bidirectional=bidirectional, num_layers=num_layers)
    kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    module = kind(
        DIM, UNITS, num_layers, bidirectional=bidirectional, batch_first=True, device="cpu"
    )
    copy_to_pytorch(encoder, module, torch)

    rows = LENGTHS > 0  # PyTorch refuses the sequence of no steps.
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(features()[rows], device="cpu"),
        torch.tensor(LENGTHS[rows], device="cpu"),
        batch_first=True,
        enforce_sorted=False,
    )
    with torch.no_grad():
        outputs, last = module(packed)
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
    memory = encode(encoder, features(), MASK)
    np.testing.assert_allclose(memory["values"][rows], outputs.numpy(), atol=1e-5)
    for tensor, states in enumerate(last if cell == "lstm" else [last]):
        directions = states.numpy().reshape(num_layers, -1, rows.sum(), UNITS)
        for layer in range(num_layers):
            expected = np.concatenate(list(directions[layer]), axis=-1)
            np.testing.assert_allclose(memory["state"][layer][tensor][rows], expected, atol=1e-5)


def copy_to_pytorch(encoder, module, torch):
    """PyTorch keeps transposed kernels, two biases, and the GRU's gates as r, z, n."""

    def reorder(w):
        if encoder.cell != "gru":
            return w
        z, r, n = np.split(w, 3, axis=-1)
        return np.concatenate([r, z, n], axis=-1)

    directions = 2 if encoder.bidirectional else 1
    for i, layer in enumerate(encoder.rnn_layers):
        kernel, recurrent, bias = weights(layer)
        biases = bias if encoder.cell == "gru" else (bias, np.zeros_like(bias))
        name = f"l{i // directions}" + ("_reverse" if i % directions else "")
        for part, value in (
            ("weight_ih", reorder(kernel).T),
            ("weight_hh", reorder(recurrent).T),
            ("bias_ih", reorder(biases[0])),
            ("bias_hh", reorder(biases[1])),
        ):
            getattr(module, f"{part}_{name}").data = torch.tensor(
                np.ascontiguousarray(value), device="cpu"
            )


@pytest.mark.every_backend
def test_token_ids_are_embedded_and_0_is_padding():
    encoder = make(vocabulary_size=9, embedding_dim=DIM)
    table = ops.convert_to_numpy(encoder.embedding.embeddings)
    memory = encode(encoder, TOKENS)
    np.testing.assert_array_equal(memory["mask"], TOKENS != 0)
    assert_equal_to_reference(memory, encoder, table[TOKENS], MASK)


@pytest.mark.every_backend
def test_explicit_mask_is_obeyed():
    """Also where it contradicts the ids, and has holes."""
    encoder = make(vocabulary_size=9, embedding_dim=DIM)
    mask = np.array([[1, 0, 1, 0, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    table = ops.convert_to_numpy(encoder.embedding.embeddings)
    assert_equal_to_reference(encode(encoder, TOKENS, mask), encoder, table[TOKENS], mask)


def test_mask_may_be_of_numbers():
    encoder = make()
    expected = encode(encoder, features(), MASK)
    for dtype in ("int32", "float32"):
        memory = encode(encoder, features(), MASK.astype(dtype))
        np.testing.assert_array_equal(memory["values"], expected["values"])
        np.testing.assert_array_equal(memory["mask"], MASK)


def test_features_without_mask_count_all():
    encoder = make()
    inputs = random(2, 3, DIM)
    memory = encode(encoder, inputs)
    assert memory["mask"].all()
    assert_equal_to_reference(memory, encoder, inputs, np.ones((2, 3), bool))


@pytest.mark.slow
@pytest.mark.every_backend
def test_mask_that_keras_attached():
    """In a functional model, behind a layer that masks."""
    encoder = make()
    inputs = keras.Input((None, DIM))
    memory = encoder(keras.layers.Masking(50.0)(inputs))
    model = keras.Model(inputs, [memory["values"], memory["state"][0][0], memory["mask"]])
    expected = encode(encoder, features(), MASK)
    values, h, mask = model.predict(features(), verbose=0)
    np.testing.assert_allclose(values, expected["values"], atol=1e-6)
    np.testing.assert_allclose(h, expected["state"][0][0], atol=1e-6)
    np.testing.assert_array_equal(mask, MASK)


@pytest.mark.slow
@all_cells
def test_padding_changes_nothing(cell):
    """Each sequence alone and unpadded, and all of them with more padding."""
    encoder = make(cell, num_layers=2, residual=True)
    together = encode(encoder, features(), MASK)
    padding = ((0, 0), (0, 3))
    wider = encode(
        encoder, np.pad(features(), (*padding, (0, 0)), constant_values=7), np.pad(MASK, padding)
    )
    np.testing.assert_allclose(wider["values"][:, :5], together["values"], atol=1e-6)
    assert not wider["values"][:, 5:].any()
    for a, b in zip(flat(wider["state"]), flat(together["state"])):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for row, length in enumerate(LENGTHS):
        if length:
            inputs = features()[row : row + 1, :length]
            alone = encode(encoder, inputs, np.ones((1, length), bool))
            np.testing.assert_allclose(
                alone["values"][0], together["values"][row, :length], atol=1e-6
            )
            for a, b in zip(flat(alone["state"]), flat(together["state"])):
                np.testing.assert_allclose(a[0], b[row], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", chosen(CELLS, "gru"))
def test_padding_changes_no_gradient(cell):
    encoder = make(cell, num_layers=2, vocabulary_size=9)

    def loss(tokens):
        memory = encoder(ops.convert_to_tensor(tokens))
        return sum(ops.sum(x**2) for x in [memory["values"], *flat(memory["state"])])

    variables = encoder.trainable_variables
    value, expected = gradients(lambda: loss(TOKENS), variables)
    wider, got = gradients(lambda: loss(np.pad(TOKENS, ((0, 1), (0, 2)))), variables)
    assert wider == pytest.approx(value, rel=1e-5)
    for variable, a, b in zip(variables, got, expected):
        assert np.any(b) and np.isfinite(b).all(), variable.path
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5, err_msg=variable.path)
    # Padding is embedded too, but nothing may come of it.
    [table] = [g for v, g in zip(variables, expected) if "embedding" in v.path]
    assert not table[0].any()


def flat(structure):
    return keras.tree.flatten(structure)


@pytest.mark.every_backend
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_empty_sequence(cell):
    encoder = make(cell, vocabulary_size=9)
    memory = encode(encoder, np.zeros((2, 4), "int32"))
    assert not memory["mask"].any() and not memory["values"].any()
    assert not any(s.any() for s in flat(memory["state"]))


@pytest.mark.every_backend
def test_axes_of_no_length():
    encoder = make(vocabulary_size=9)
    memory = encode(encoder, np.zeros((2, 0), "int32"))
    # One step of padding, since no loop and no softmax takes none.
    assert memory["values"].shape == (2, 1, 2 * UNITS) and not memory["values"].any()
    assert memory["mask"].shape == (2, 1) and not memory["mask"].any()
    memory = encode(encoder, np.zeros((0, 3), "int32"))
    assert memory["values"].shape == (0, 3, 2 * UNITS)
    assert memory["state"][0][0].shape == (0, 2 * UNITS)
    memory = encode(make(), np.zeros((2, 0, DIM), "float32"))
    assert memory["values"].shape == (2, 1, 2 * UNITS) and not memory["mask"].any()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has axes of unknown size")
def test_unknown_sizes_in_a_graph():
    import tensorflow as tf

    encoder = make(vocabulary_size=9, num_layers=2)
    graph = tf.function(encoder, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    for tokens in (TOKENS, TOKENS[:1, :1], TOKENS[:, :0], TOKENS[:0]):
        expected = encode(encoder, tokens)
        for a, b in zip(flat(numpy(graph(tokens))), flat(expected)):
            np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.every_backend
def test_one_step():
    encoder = make()
    inputs = random(2, 1, DIM)
    memory = encode(encoder, inputs)
    assert_equal_to_reference(memory, encoder, inputs, np.ones((2, 1), bool))


def test_shapes_are_known_beforehand():
    encoder = make("lstm", num_layers=2, vocabulary_size=9)
    expected = encoder.compute_output_shape((4, 5))
    memory = encoder(TOKENS)
    assert keras.tree.map_structure(lambda x: tuple(x.shape), memory) == expected
    assert expected["values"][-1] == encoder.output_dim == 2 * UNITS


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize("policy", fewer_elsewhere(["mixed_bfloat16", "mixed_float16"], 2))
@all_cells
def test_mixed_precision(cell, policy):
    encoder = make(cell, num_layers=2, vocabulary_size=9, dtype=policy)
    plain = make(cell, num_layers=2, vocabulary_size=9)
    memory = encoder(TOKENS)
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in flat(memory)}
    assert dtypes == {policy.removeprefix("mixed_"), "bool"}
    assert {w.dtype for w in encoder.trainable_variables} == {"float32"}
    assert {layer.dtype_policy.name for layer in encoder._flatten_layers()} == {policy}
    tolerance = 0.05 if "bfloat16" in policy else 0.01
    for a, b in zip(flat(numpy(memory)), flat(encode(plain, TOKENS))):
        np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.mark.every_backend
def test_global_policy_is_honoured():
    keras.config.set_dtype_policy("mixed_bfloat16")
    encoder = RNNEncoder(UNITS, vocabulary_size=9)
    values = encoder(TOKENS)["values"]
    assert keras.backend.standardize_dtype(values.dtype) == "bfloat16"


# Dropout


@pytest.mark.slow
@pytest.mark.every_backend
def test_dropout_of_the_values():
    encoder = make(dropout=0.25)
    inputs = random(40, 10, DIM)
    values = numpy(encoder(inputs, training=True)["values"])
    assert (values == 0).mean() == pytest.approx(0.25, abs=0.03)
    # One mask per step: no unit is off in all steps, and the steps differ.
    off = values == 0
    assert not off.all(axis=1).any() and (off[:, 0] != off[:, 1]).any()
    for other in (numpy(encoder(inputs, training=False)), numpy(encoder(inputs))):
        assert not (other["values"] == 0).any()
    assert (numpy(encoder(inputs, training=True)["values"]) != values).any()


def test_variational_dropout_is_constant_in_time():
    encoder = make(dropout=0.25, variational_dropout=True)
    off = numpy(encoder(random(60, 10, DIM), training=True)["values"]) == 0
    assert (off == off[:, :1]).all()
    assert off.mean() == pytest.approx(0.25, abs=0.06)
    assert (off[0] != off[1:]).any()


def test_dropout_keeps_the_mean():
    """A cell that passes its input on, nearly: what is kept is scaled up."""
    encoder = RNNEncoder(200, cell="rnn", bidirectional=False, dropout=0.5)
    encoder.build((None, None, 200))
    [layer] = encoder.rnn_layers
    layer.set_weights([np.eye(200), np.zeros((200, 200)), np.zeros(200)])
    inputs = np.full((5, 8, 200), 0.01, "float32")
    values = numpy(encoder(inputs, training=True)["values"])
    np.testing.assert_allclose(np.unique(values.round(4)), [0, 0.04])  # 0.01 / 0.5 / 0.5
    assert values.mean() == pytest.approx(0.01, rel=0.1)
    assert (values > 0).mean() == pytest.approx(0.25, abs=0.02)


@pytest.mark.every_backend
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_dropout_has_one_mask_per_sequence(bidirectional):
    """h_t = tanh(m h_{t-1} + 0.5): a unit is cut off from its past for ever or not at all."""
    units, rate, steps = 50, 0.25, 4
    encoder = RNNEncoder(units, "rnn", bidirectional=bidirectional, recurrent_dropout=rate)
    encoder.build((None, None, 1))
    for layer in encoder.rnn_layers:
        layer.set_weights([np.zeros((1, units)), np.eye(units), np.full(units, 0.5)])
    inputs = np.zeros((20, steps, 1), "float32")
    values = numpy(encoder(inputs, training=True)["values"])
    if bidirectional:
        values[..., units:] = values[:, ::-1, units:]

    def path(factor):
        h = [0.0]
        for _ in range(steps):
            h.append(np.tanh(factor * h[-1] + 0.5))
        return np.array(h[1:])[:, None]

    dropped = np.isclose(values, path(0), atol=1e-5).all(axis=1)
    kept = np.isclose(values, path(1 / (1 - rate)), atol=1e-5).all(axis=1)
    assert (dropped ^ kept).all()
    assert dropped.mean() == pytest.approx(rate, abs=0.05)
    assert (dropped[0] != dropped[1:]).any()
    if bidirectional:
        assert (dropped[:, :units] != dropped[:, units:]).any()
    values = numpy(encoder(inputs)["values"])
    np.testing.assert_allclose(
        values[:, :, :units] + 0 * path(1), path(1) + 0 * values[:, :, :units], atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.every_backend
def test_dropout_repeats_with_the_seed():
    outputs = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        encoder = make(dropout=0.5, recurrent_dropout=0.5)
        outputs.append(numpy(encoder(random(2, 3, DIM), training=True)["values"]))
    np.testing.assert_array_equal(*outputs)


# Life as a layer


@pytest.mark.slow
def test_in_a_functional_model(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    encoder = RNNEncoder(UNITS, "lstm", num_layers=2, vocabulary_size=9, name="encode")
    memory = encoder(tokens)
    model = keras.Model(tokens, [memory["values"], memory["state"][1][1]])
    model.compile(loss="mse", optimizer="sgd", run_eagerly=True)
    model.fit(TOKENS, [random(4, 5, 2 * UNITS), random(4, 2 * UNITS)], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for a, b in zip(loaded(TOKENS), model(TOKENS)):
        np.testing.assert_allclose(numpy(a), numpy(b), atol=1e-6)
    assert loaded.get_layer("encode").num_layers == 2


def test_config_round_trip():
    arguments = {
        "units": 5,
        "cell": "lstm",
        "num_layers": 2,
        "bidirectional": False,
        "residual": True,
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "variational_dropout": True,
        "vocabulary_size": 9,
        "embedding_dim": 3,
    }
    encoder = RNNEncoder(**arguments, dtype="mixed_bfloat16")
    config = encoder.get_config()
    assert {name: config[name] for name in arguments} == arguments
    again = RNNEncoder.from_config(config)
    assert again.get_config() == config
    assert again.rnn_layers[0].compute_dtype == "bfloat16"


@pytest.mark.slow
def test_comes_back_built():
    encoder = make(num_layers=2, vocabulary_size=9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    again.set_weights(encoder.get_weights())
    for a, b in zip(flat(numpy(again(TOKENS))), flat(numpy(encoder(TOKENS)))):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "arguments",
    [
        {"cell": "transformer"},
        {"units": 0},
        {"num_layers": 0},
        {"num_layers": 1.5},
        {"dropout": 1.0},
        {"dropout": "much"},
        {"recurrent_dropout": -0.1},
        {"vocabulary_size": 0},
        {"vocabulary_size": 9, "embedding_dim": 0},
    ],
)
def test_bad_arguments(arguments):
    [*_, name] = arguments
    with pytest.raises(ValueError, match=f"{name}.*{arguments[name]}"):
        RNNEncoder(**{"units": 4, **arguments})
