"""The recurrent decoder: one step against the papers, and all steps against one."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import (
    BahdanauAttention,
    LuongAttention,
    RNNDecoder,
    RNNEncoder,
    _recurrence,
    rnn_decoder,
)
from tests.fewer import chosen, each, fewer_elsewhere
from tests.layers.decoders import (
    CELLS,
    DIM,
    EMBEDDING,
    LENGTHS,
    REPRESENTATIVES,
    UNITS,
    VOCABULARY,
    WIRINGS,
    combinations,
    make,
    make_targets,
    state_sizes,
)
from tests.layers.helpers import (
    BACKEND,
    cell_step,
    compiled,
    gradients,
    make_memory,
    numpy,
    random,
    randomize,
    run,
    softmax,
    tensors,
    weights,
)

# On other backends one that loops and one that is fused.
representatives = pytest.mark.parametrize("wiring", fewer_elsewhere(REPRESENTATIVES, 2))
flat = keras.tree.flatten


def has_attention(decoder):
    return decoder.attention is not None


def call(decoder, targets, memory):
    """Logits and, where there is attention, weights, as arrays."""
    with_weights = has_attention(decoder)

    def function(targets, memory):
        outputs = decoder(targets, memory, return_attention=with_weights)
        return outputs if with_weights else (outputs,)

    return run(function, targets, memory)


def step_by_step(decoder, targets, memory):
    """The same with `start` and `step`. Checks on the way that no step changes what state is."""
    with_weights = has_attention(decoder)

    def step(tokens, state, memory):
        return decoder.step(tokens, state, memory, return_attention=with_weights)

    # Each compiled once, where there is a compiler, and not once for each step.
    start, step = compiled(decoder.start), compiled(step)
    memory, state = start(tensors(memory))
    looks = describe(state)
    steps = []
    for t in range(targets.shape[1]):
        outputs = step(tensors(targets[:, t]), state, memory)
        logits, state = outputs[:2]
        assert describe(state) == looks
        steps.append(numpy((logits, *outputs[2:])))
    return tuple(np.stack(parts, axis=1) for parts in zip(*steps))


def describe(state):
    leaves = flat(state)
    assert None not in leaves
    dtypes = [keras.backend.standardize_dtype(x.dtype) for x in leaves]
    structure = keras.tree.map_structure(lambda x: 0, state)
    return str(structure), [tuple(x.shape) for x in leaves], dtypes


# All steps at once equal one after the other


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "wiring, options",
    [
        pytest.param(
            wiring,
            options,
            id="-".join([wiring, *map(str, options.values())]),
            # The fast part has each wiring with one of the cells, in turn.
            marks=pytest.mark.slow if (i - i // len(CELLS)) % len(CELLS) else (),
        )
        for i, (wiring, options) in fewer_elsewhere(enumerate(combinations()), 2)
    ],
)
def test_call_equals_steps(wiring, options):
    decoder, memory = make(wiring, **options)
    targets = make_targets()
    for got, expected in zip(
        call(decoder, targets, memory), step_by_step(decoder, targets, memory), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=1e-5)
        assert np.isfinite(got).all()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    ["bridge", "wiring"],
    fewer_elsewhere(itertools.product(["dense", "copy", "zero"], ["bahdanau", "luong"]), 2),
)
def test_call_equals_steps_for_every_bridge(wiring, bridge):
    """From all layers and states; where the wiring is in a loop, and where it is fused."""
    decoder, memory = make(wiring, cell="lstm", num_layers=2, bridge=bridge)
    targets = make_targets(length=2)
    for got, expected in zip(
        call(decoder, targets, memory), step_by_step(decoder, targets, memory), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ["wiring", "cell", "policy"],
    fewer_elsewhere(each(WIRINGS, CELLS, ["mixed_bfloat16", "mixed_float16"]), 4),
)
def test_call_equals_steps_in_mixed_precision(wiring, cell, policy):
    # An attention that was made by the user has the user's policy.
    given = wiring not in REPRESENTATIVES and cell == "gru"
    if not given:
        keras.config.set_dtype_policy(policy)
    decoder, memory = make(wiring, cell=cell, num_layers=2, dtype=policy)
    keras.config.set_dtype_policy("float32")
    targets = make_targets(length=3)
    compute = policy.removeprefix("mixed_")
    assert {w.dtype for w in decoder.trainable_variables} == {"float32"}
    own = decoder.attention._flatten_layers() if given else ()
    layers = [layer for layer in decoder._flatten_layers() if layer not in own]
    assert {layer.dtype_policy.name for layer in layers} == {policy}
    _, state = decoder.start(tensors(memory))
    # An attention may keep what it sums up in float32.
    dtypes = {keras.backend.standardize_dtype(s.dtype) for s in flat(state["cells"])}
    assert dtypes == {compute}
    tolerance = 0.06 if compute == "bfloat16" else 0.008
    fused = call(decoder, targets, memory)
    for got, expected in zip(fused, step_by_step(decoder, targets, memory), strict=True):
        np.testing.assert_allclose(got, expected, atol=tolerance)
    # And both are near what full precision gives.
    plain, _ = make(wiring, cell=cell, num_layers=2)
    plain.set_weights(decoder.get_weights())
    for got, expected in zip(fused, call(plain, targets, memory), strict=True):
        np.testing.assert_allclose(got, expected, atol=2 * tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("wiring", fewer_elsewhere(["bahdanau", "luong"], 2))
# Keras transposes so in its embedding, on PyTorch.
@pytest.mark.filterwarnings("ignore:The use of .x.T. on tensors:UserWarning")
def test_int8(wiring):
    """Keras's quantization of the dense layers and embeddings inside."""
    decoder, memory = make(wiring)
    targets = make_targets()
    expected = call(decoder, targets, memory)[0]
    for layer in decoder._flatten_layers():
        if isinstance(layer, (keras.layers.Dense, keras.layers.Embedding)):
            layer.quantize("int8")
    for got in (call(decoder, targets, memory), step_by_step(decoder, targets, memory)):
        assert 0 < np.abs(got[0] - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.slow
def test_other_quantizations():
    decoder, memory = make()
    decoder.readout.quantize("int4")
    with pytest.raises(ValueError, match="(?s)int8.*readout.*int4"):
        decoder.start(tensors(memory))


@pytest.mark.every_backend
@pytest.mark.parametrize("wiring", ["bahdanau", "luong_feeding", "luong"])
def test_state_has_the_structure_that_is_documented(wiring):
    decoder, memory = make(wiring, cell="lstm", num_layers=2)
    memory, state = decoder.start(tensors(memory))
    rows = len(LENGTHS)
    shapes = keras.tree.map_structure(lambda x: tuple(x.shape), state)
    expected = {"cells": [[(rows, UNITS)] * 2] * 2}
    if wiring == "luong_feeding":
        expected["readout"] = (rows, EMBEDDING)
    assert shapes == {**expected, "attention": {}}
    assert tuple(memory["prepared"]["attention"]["keys"].shape) == (rows, max(LENGTHS), UNITS)
    assert decoder.vocabulary_size == VOCABULARY


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has axes of unknown size")
@pytest.mark.parametrize("wiring", chosen(REPRESENTATIVES, "luong_feeding", "luong"))
def test_unknown_sizes_in_a_graph(wiring):
    import tensorflow as tf

    decoder, memory = make(wiring, cell="gru")

    def unknown(x):
        shape = [None, *x.shape[1:]] if x.ndim != 3 else [None, None, x.shape[2]]
        return tf.TensorSpec([None, None] if x.dtype == bool else shape, x.dtype)

    specs = [tf.TensorSpec([None, None], tf.int32), keras.tree.map_structure(unknown, memory)]
    graph = tf.function(lambda targets, memory: decoder(targets, memory), input_signature=specs)
    for batch, length in ((4, 3), (4, 0), (0, 3)):
        targets = make_targets(length=3)[:batch, :length]
        part = keras.tree.map_structure(lambda x, n=batch: x[:n], memory)
        got = graph(targets, part).numpy()
        assert got.shape == (batch, length, VOCABULARY)
        if batch and length:
            np.testing.assert_allclose(got, call(decoder, targets, memory)[0], atol=1e-5)
    # The batch of one side may be known, and that of the other not.
    graph = tf.function(lambda targets: decoder(targets, memory), input_signature=specs[:1])
    targets = make_targets(length=3)
    np.testing.assert_allclose(graph(targets), call(decoder, targets, memory)[0], atol=1e-5)


# The equations


def reference_step(decoder, token, states, fed, values):
    """One step of a decoder of one example, from the papers' equations.

    Returns logits, the new states, the readout and the weights.
    """
    table = weights(decoder.embedding)[0]
    matrix, bias = weights(decoder.readout)
    y = table[token]

    def advance(x):
        new = []
        for layer, state in zip(decoder.rnn_layers, states, strict=True):
            new.append(cell_step(decoder.cell, x, state, *weights(layer)))
            x = new[-1][0]
        return new, x

    def attend(s):
        if isinstance(decoder.attention, LuongAttention):  # general: s^T W h
            w = weights(decoder.attention.key_projection)[0].T
            scores = np.array([s @ w @ value for value in values])
        else:  # v^T tanh(W s + U h)
            w = weights(decoder.attention.query_projection)[0].T
            u = weights(decoder.attention.key_projection)[0].T
            v = weights(decoder.attention.additive)[0]
            scores = np.array([v @ np.tanh(w @ s + u @ value) for value in values])
        return softmax(scores) @ values, softmax(scores)

    if decoder.order == "bahdanau":
        context, alpha = attend(states[-1][0])  # alpha from s_{i-1}
        states, s = advance(np.concatenate([y, context]))
        readout = np.tanh(np.concatenate([s, context, y]) @ matrix + bias)
    else:
        states, s = advance(np.concatenate([y, fed]))
        context, alpha = attend(s)
        readout = np.tanh(np.concatenate([context, s]) @ matrix + bias)
    return table @ readout, states, readout, alpha


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "wiring, cell, num_layers",
    [("bahdanau", "gru", 2), ("luong_feeding", "lstm", 2), ("bahdanau", "rnn", 1)],
)
def test_steps_equal_the_papers(wiring, cell, num_layers):
    decoder, memory = make(wiring, cell=cell, num_layers=num_layers, bridge="copy")
    targets = make_targets()
    logits, attention = call(decoder, targets, memory)
    for row, length in enumerate(LENGTHS):
        if not length:
            continue
        states = [[s[row] for s in layer] for layer in memory["state"]]
        fed = np.zeros(EMBEDDING)
        for t, token in enumerate(targets[row]):
            values = memory["values"][row, :length]
            expected, states, fed, alpha = reference_step(decoder, token, states, fed, values)
            np.testing.assert_allclose(logits[row, t], expected, atol=1e-5)
            np.testing.assert_allclose(attention[row, t, :length], alpha, atol=1e-5)
            assert not attention[row, t, length:].any()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_without_attention_the_last_state_is_all(cell):
    """Sutskever et al. (2014): the decoder begins with the encoder's last state."""
    decoder, memory = make("none", cell=cell, bridge="copy", num_layers=2)
    targets = make_targets()
    [logits] = call(decoder, targets, memory)
    table = weights(decoder.embedding)[0]
    matrix, bias = weights(decoder.readout)
    state = [[s[0] for s in layer] for layer in memory["state"]]
    for t, token in enumerate(targets[0]):
        x = table[token]
        for i, layer in enumerate(decoder.rnn_layers):
            state[i] = cell_step(cell, x, state[i], *weights(layer))
            x = state[i][0]
        np.testing.assert_allclose(logits[0, t], table @ np.tanh(x @ matrix + bias), atol=1e-5)
    # Nothing else of the memory counts.
    other = {**memory, "values": memory["values"] + 1}
    np.testing.assert_array_equal(call(decoder, targets, other)[0], logits)


def test_residual_adds_the_input_of_the_second_layer():
    decoder, memory = make("none", cell="rnn", bridge="zero", num_layers=2, residual=True)
    table, (matrix, bias) = weights(decoder.embedding)[0], weights(decoder.readout)
    h = [np.zeros(UNITS)]
    first = cell_step("rnn", table[2], h, *weights(decoder.rnn_layers[0]))[0]
    second = cell_step("rnn", first, h, *weights(decoder.rnn_layers[1]))[0]
    expected = table @ np.tanh((first + second) @ matrix + bias)
    np.testing.assert_allclose(call(decoder, make_targets(), memory)[0][0, 0], expected, atol=1e-5)


def counted(monkeypatch, owner, name):
    """A list that grows with each call of a method."""
    calls, method = [], getattr(owner, name)
    monkeypatch.setattr(
        owner, name, lambda *args, **kwargs: calls.append(args) or method(*args, **kwargs)
    )
    return calls


@pytest.mark.slow
@representatives
def test_what_no_step_changes_is_computed_once(wiring, monkeypatch):
    decoder, memory = make(wiring)
    targets = make_targets()
    logits = counted(monkeypatch, decoder, "_logits")
    keys = counted(monkeypatch, decoder.attention, "project_keys") if decoder.attention else [1]
    decoder(targets, tensors(memory))
    assert len(logits) == len(keys) == 1
    # The vocabulary is multiplied with all steps at once.
    assert tuple(logits[0][0].shape) == (*targets.shape, EMBEDDING)
    memory, state = decoder.start(tensors(memory))
    for t in range(targets.shape[1]):
        _, state = decoder.step(targets[:, t], state, memory)
    assert len(keys) == (2 if decoder.attention else 1)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="cuDNN is used on TensorFlow alone")
@pytest.mark.parametrize("wiring", ["luong", "none"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_fused_layers_give_the_same(wiring, cell, monkeypatch):
    """Where no step depends on attention: the way to cuDNN, as far as it goes without a GPU."""
    decoder, memory = make(wiring, cell=cell, num_layers=2)
    targets = make_targets()
    expected = call(decoder, targets, memory)
    monkeypatch.setattr(_recurrence, "_has_cudnn", lambda layer: True)
    runs = counted(monkeypatch, _recurrence, "_run_fused")
    for got, right in zip(call(decoder, targets, memory), expected, strict=True):
        np.testing.assert_allclose(got, right, atol=1e-5)
    assert len(runs) == 2


# Memory: beams, padding, emptiness


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize(
    "wiring", fewer_elsewhere([*REPRESENTATIVES, "coverage", "luong_location"], 2)
)
def test_beams_are_rows_of_one_memory(wiring):
    """Rows of one example side by side, each equal to itself alone with its memory."""
    beams = 3
    decoder, memory = make(wiring, cell="lstm", num_layers=2)
    batch = len(LENGTHS)
    tokens = make_targets(batch * beams, 1)[:, 0]
    with_weights = has_attention(decoder)

    def step(memory, tokens, state):
        return decoder.step(tokens, state, memory, return_attention=with_weights)

    prepared, start = decoder.start(tensors(memory), rows_per_example=beams)
    single, first = decoder.start(tensors(memory))
    for state, one in zip(flat(start), flat(first), strict=True):
        np.testing.assert_array_equal(numpy(state), np.repeat(numpy(one), beams, axis=0))
    prepared, single = numpy(prepared), numpy(single)
    state = keras.tree.map_structure(lambda s: random(*s.shape, seed=5), numpy(start))
    together = run(step, prepared, tokens, state)
    # All the first beams, all the second and so on: then rows are examples.
    for k in range(beams):
        rows = np.arange(batch) * beams + k
        part = keras.tree.map_structure(lambda s, r=rows: s[r], state)
        alone = run(step, single, tokens[rows], part)
        for got, expected in zip(flat(together), flat(alone), strict=True):
            np.testing.assert_allclose(got[rows], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wiring",
    chosen([*REPRESENTATIVES, "coverage", "luong_location"], "bahdanau", "luong", "luong_location"),
)
def test_several_targets_of_an_example_are_rows_of_one_memory(wiring):
    """The same as with an example of its own for each target, gradients too."""
    decoder, memory = make(wiring, num_layers=2)
    several = 2
    repeated = keras.tree.map_structure(lambda x: np.repeat(x, several, axis=0), memory)
    targets = make_targets(len(LENGTHS) * several)
    direction = ops.convert_to_tensor(random(*targets.shape, VOCABULARY, seed=8))
    targets, memory, repeated = tensors(targets), tensors(memory), tensors(repeated)
    variables = decoder.trainable_variables

    def value(memory, **kwargs):
        return ops.sum(ops.tanh(decoder(targets, memory, **kwargs)) * direction)

    got_value, got = gradients(lambda: value(memory, rows_per_example=several), variables)
    expected_value, expected = gradients(lambda: value(repeated), variables)
    assert got_value == pytest.approx(expected_value, abs=1e-4)
    for variable, a, b in zip(variables, got, expected):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4, err_msg=variable.path)


@pytest.mark.parametrize("wiring", ["bahdanau", "luong"])
def test_doubly_stochastic_attention_is_a_loss_in_training(wiring):
    """The equation of Xu et al., over the valid positions and steps of two rows an example.

    A row that is all padding, in place of an output that an example lacks, does not count.
    """
    decoder, memory = make(wiring, doubly_stochastic=0.7)
    targets = make_targets(2 * len(LENGTHS))
    targets[1, 3:] = 0
    targets[3] = 0
    kwargs = {"return_attention": True, "rows_per_example": 2}
    _, attention = decoder(tensors(targets), tensors(memory), training=False, **kwargs)
    assert decoder.losses == []
    decoder(tensors(targets), tensors(memory), training=True, **kwargs)
    found = []
    for row, attended in enumerate(numpy(attention)):
        steps, positions = targets[row] != 0, np.flatnonzero(memory["mask"][row // 2])
        if steps.any() and len(positions):
            found.append(np.mean([(1 - attended[steps, i].sum()) ** 2 for i in positions]))
    [loss] = decoder.losses
    assert float(numpy(loss)) == pytest.approx(0.7 * np.mean(found), rel=1e-5)


@pytest.mark.slow
@representatives
def test_padding_of_the_memory_changes_nothing(wiring):
    decoder, memory = make(wiring, num_layers=2)
    _, wider = make(wiring, source=max(LENGTHS) + 3, num_layers=2)
    np.testing.assert_array_equal(wider["values"][:, :4], memory["values"])
    targets = make_targets()
    expected = call(decoder, targets, memory)
    got = call(decoder, targets, wider)
    np.testing.assert_allclose(got[0], expected[0], atol=1e-6)
    if has_attention(decoder):
        np.testing.assert_allclose(got[1][..., :4], expected[1], atol=1e-6)
        assert not got[1][..., 4:].any()
    # And each example alone, without any.
    for row, length in fewer_elsewhere(enumerate(LENGTHS), 3):
        alone = keras.tree.map_structure(lambda x, r=row: x[r : r + 1], memory)
        alone = {**alone, "values": alone["values"][:, : max(length, 1)]}
        alone = {**alone, "mask": alone["mask"][:, : max(length, 1)]}
        logits = call(decoder, targets[row : row + 1], alone)[0]
        np.testing.assert_allclose(logits[0], expected[0][row], atol=1e-6)


@pytest.mark.slow
@representatives
def test_later_targets_change_nothing_earlier(wiring):
    """So padded targets are fine: the loss need only ignore the padded steps."""
    decoder, memory = make(wiring)
    targets = make_targets()
    padded = np.pad(targets[:, :3], ((0, 0), (0, 4)))
    np.testing.assert_allclose(
        call(decoder, padded, memory)[0][:, :3], call(decoder, targets, memory)[0][:, :3], atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.every_backend
@representatives
def test_axes_of_no_length(wiring):
    decoder, memory = make(wiring)
    logits, *attention = call(decoder, make_targets()[:, :0], memory)
    assert logits.shape == (4, 0, VOCABULARY)
    assert not attention or attention[0].shape == (4, 0, 4)
    none = keras.tree.map_structure(lambda x: x[:0], memory)
    logits, *attention = call(decoder, make_targets(0), none)
    assert logits.shape == (0, 5, VOCABULARY)
    assert not attention or attention[0].shape == (0, 5, 4)


@pytest.mark.slow
@representatives
def test_memory_of_an_empty_source(wiring):
    """What the encoder makes of `(batch, 0)` token ids is a memory that decodes."""
    encoder = randomize(RNNEncoder(3, vocabulary_size=VOCABULARY))
    decoder = RNNDecoder(VOCABULARY, UNITS, **WIRINGS[wiring]())
    logits = numpy(decoder(make_targets(2), encoder(np.zeros((2, 0), "int32"))))
    assert logits.shape == (2, 5, VOCABULARY) and np.isfinite(logits).all()


# Gradients


def loss_of(decoder, targets, memory, steps=None):
    """A scalar of all logits, through `call` or through one step after the other."""
    direction = ops.convert_to_tensor(random(*targets.shape, VOCABULARY, seed=8))
    targets, memory = tensors(targets), tensors(memory)
    if steps is None:
        return ops.sum(ops.tanh(decoder(targets, memory)) * direction)
    prepared, state = decoder.start(memory)
    total = 0.0
    for t in range(steps):
        logits, state = decoder.step(targets[:, t], state, prepared)
        total = total + ops.sum(ops.tanh(logits) * direction[:, t])
    return total


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["tie_embeddings", "wiring"],
    # The embedding lies outside of the loop: tied or not is no matter of wiring.
    fewer_elsewhere(zip(itertools.cycle([True, False]), WIRINGS), 10),
)
def test_gradient_equals_that_of_unrolled_steps(wiring, tie_embeddings):
    cell = "lstm" if tie_embeddings else "gru"
    decoder, memory = make(wiring, cell=cell, num_layers=2, tie_embeddings=tie_embeddings)
    targets = make_targets(length=3)
    variables = decoder.trainable_variables
    value, got = gradients(lambda: loss_of(decoder, targets, memory), variables)
    expected_value, expected = gradients(
        lambda: loss_of(decoder, targets, memory, steps=3), variables
    )
    assert value == pytest.approx(expected_value, abs=1e-4)
    for variable, a, b in zip(variables, got, expected):
        assert a is not None and np.any(a), f"No gradient reaches {variable.path}"
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4, err_msg=variable.path)


@pytest.mark.thorough
@pytest.mark.slow
@representatives
def test_padding_of_the_memory_changes_no_gradient(wiring):
    decoder, memory = make(wiring)
    _, wider = make(wiring, source=max(LENGTHS) + 3)
    targets = make_targets(length=3)
    variables = decoder.trainable_variables
    _, expected = gradients(lambda: loss_of(decoder, targets, memory), variables)
    _, got = gradients(lambda: loss_of(decoder, targets, wider), variables)
    for variable, a, b in zip(variables, got, expected):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5, err_msg=variable.path)


@pytest.mark.slow
@pytest.mark.parametrize("wiring", chosen(REPRESENTATIVES, "bahdanau", "luong"))
def test_gradient_reaches_the_encoder(wiring):
    encoder = RNNEncoder(3, num_layers=2, vocabulary_size=9)
    decoder = RNNDecoder(VOCABULARY, UNITS, **WIRINGS[wiring]())
    tokens = np.array([[3, 5, 1], [4, 0, 0]], "int32")
    targets = make_targets(2)
    decoder(targets, encoder(tokens))
    variables = [*randomize(encoder).trainable_variables, *randomize(decoder).trainable_variables]
    _, found = gradients(
        lambda: ops.sum(decoder(tensors(targets), encoder(tensors(tokens))) ** 2), variables
    )
    for variable, gradient in zip(variables, found):
        assert np.any(gradient) and np.isfinite(gradient).all(), variable.path


# Embeddings


def test_tied_embeddings_are_one_variable():
    tied, memory = make("bahdanau", tie_embeddings=True)
    untied, _ = make("bahdanau", tie_embeddings=False)
    assert len(tied.weights) + 1 == len(untied.weights)
    assert untied.count_params() - tied.count_params() == VOCABULARY * EMBEDDING
    # The output matrix alone decides between equal readouts.
    before = call(untied, make_targets(), memory)[0]
    *_, output = untied.embedding.trainable_variables
    output.assign(2 * ops.convert_to_numpy(output))
    np.testing.assert_allclose(call(untied, make_targets(), memory)[0], 2 * before, atol=1e-5)


# Dropout


def still(wiring, monkeypatch=None, **kwargs):
    """A decoder of which, without dropout, all steps with the same token are equal."""
    decoder, memory = make(wiring, cell="rnn", bridge="zero", lengths=[3, 3, 3], scale=1, **kwargs)
    for layer in decoder.rnn_layers:
        layer.cell.recurrent_kernel.assign(np.zeros((UNITS, UNITS), "float32"))
    # Attention to all positions alike, so that the context is always the same.
    for variable in decoder.attention.trainable_variables if decoder.attention else []:
        variable.assign(np.zeros(variable.shape, "float32"))
    return decoder, memory


def logits_of_steps(decoder, memory, training):
    targets = np.full((3, 8), 4, "int32")
    return numpy(decoder(targets, memory, training=training))


@pytest.mark.every_backend
@pytest.mark.parametrize("wiring", fewer_elsewhere(["bahdanau", "none", "luong"], 3))
def test_dropout_differs_between_steps(wiring):
    decoder, memory = still(wiring, dropout=0.5, num_layers=2)
    steps = logits_of_steps(decoder, memory, training=False)
    np.testing.assert_allclose(steps, steps[:, :1] + 0 * steps, atol=1e-6)
    assert len(np.unique(logits_of_steps(decoder, memory, training=True)[0], axis=0)) > 4


@pytest.mark.parametrize("wiring", ["bahdanau", "luong"])
@pytest.mark.parametrize("place", [0, 1])
def test_dropout_of_the_embedding_and_of_the_readout(wiring, place, monkeypatch):
    """Each by itself."""
    decoder, memory = make(wiring, dropout=0.5)
    targets = make_targets()
    plain = call(decoder, targets, memory)[0]
    masks, draw = [], rnn_decoder.dropout_mask

    def one_of_them(shape, rate, *others):
        if not rate:
            return None
        masks.append(draw(shape, rate, *others))
        return masks[-1] if len(masks) == place + 1 else ops.ones(shape)

    monkeypatch.setattr(rnn_decoder, "dropout_mask", one_of_them)
    dropped = numpy(decoder(targets, tensors(memory), training=True))
    assert [tuple(mask.shape) for mask in masks] == [(*targets.shape, EMBEDDING)] * 2
    assert np.abs(dropped - plain).max() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("wiring", fewer_elsewhere(["bahdanau", "none", "luong"], 2))
def test_variational_dropout_is_the_same_in_all_steps(wiring):
    decoder, memory = still(wiring, dropout=0.5, num_layers=2, variational_dropout=True)
    steps = logits_of_steps(decoder, memory, training=True)
    np.testing.assert_allclose(steps, steps[:, :1] + 0 * steps, atol=1e-6)
    assert np.abs(steps[0] - steps[1]).max() > 1e-3
    assert np.abs(steps - logits_of_steps(decoder, memory, training=False)).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ["wiring", "variational"],
    fewer_elsewhere(itertools.product(["bahdanau", "luong_feeding", "luong"], [False, True]), 3),
)
def test_dropout_between_layers(wiring, variational, monkeypatch):
    """By itself: with the dropout of the embedding and of the readout out of the way."""
    decoder, memory = still(wiring, dropout=0.5, num_layers=2, variational_dropout=variational)
    monkeypatch.setattr(decoder, "_drop", lambda values, training: values)
    if wiring == "luong_feeding":  # Or the first readout would make the second step differ.
        kernel = decoder.rnn_layers[0].cell.kernel
        kernel.assign(
            np.concatenate([numpy(kernel.value)[:EMBEDDING], np.zeros((EMBEDDING, UNITS))])
        )
    steps = logits_of_steps(decoder, memory, training=True)
    same = np.isclose(steps, steps[:, :1], atol=1e-6).all(axis=(0, 2))
    assert same.all() if variational else not same[1:].any()
    assert np.abs(steps[0] - steps[1]).max() > 1e-3


@representatives
def test_recurrent_dropout_is_the_same_in_all_steps(wiring):
    """With h_t = tanh(m h_{t-1} + b), what is read out shows which units have a past."""
    units, rate, steps = 40, 0.25, 4
    decoder = RNNDecoder(
        VOCABULARY, units, cell="rnn", bridge="zero", recurrent_dropout=rate, **WIRINGS[wiring]()
    )
    memory = tensors(make_memory([3] * 10, DIM, state=[[units]]))
    decoder.start(memory)
    [layer] = decoder.rnn_layers
    kernel, recurrent, bias = layer.trainable_variables
    kernel.assign(np.zeros(kernel.shape))
    recurrent.assign(np.eye(units))
    bias.assign(np.full(units, 0.5))
    hidden = []

    def spy(run):
        def spied(*arguments):
            outputs = run(*arguments)
            hidden.append(outputs["hidden"])
            return outputs

        return spied

    for name in ("_run_loop", "_run_layers"):
        setattr(decoder, name, spy(getattr(decoder, name)))
    decoder(np.full((10, steps), 4, "int32"), memory, training=True)
    [hidden] = numpy(hidden)

    def path(factor):
        h = [0.0]
        for _ in range(steps):
            h.append(np.tanh(factor * h[-1] + 0.5))
        return np.array(h[1:])[:, None]

    dropped = np.isclose(hidden, path(0), atol=1e-5).all(axis=1)
    kept = np.isclose(hidden, path(1 / (1 - rate)), atol=1e-5).all(axis=1)
    assert (dropped ^ kept).all()
    assert dropped.mean() == pytest.approx(rate, abs=0.07)
    assert (dropped[0] != dropped[1:]).any()


@pytest.mark.slow
@representatives
def test_no_dropout_outside_training(wiring):
    kwargs = {"dropout": 0.5, "recurrent_dropout": 0.5, "num_layers": 2}
    decoder, memory = make(wiring, **kwargs)
    plain, _ = make(wiring, num_layers=2)
    plain.set_weights(weights(decoder))
    targets = make_targets(length=3)
    expected = call(plain, targets, memory)[0]
    np.testing.assert_allclose(call(decoder, targets, memory)[0], expected, atol=1e-6)
    np.testing.assert_allclose(step_by_step(decoder, targets, memory)[0], expected, atol=1e-5)


# Life as a layer


@pytest.mark.slow
@pytest.mark.parametrize("wiring", chosen(["bahdanau", "none"], "bahdanau"))
def test_in_a_functional_model(wiring, tmp_path):
    source = keras.Input((None,), dtype="int32")
    target = keras.Input((None,), dtype="int32")
    memory = RNNEncoder(3, vocabulary_size=9)(source)
    decoder = RNNDecoder(VOCABULARY, UNITS, name="decode", **WIRINGS[wiring]())
    model = keras.Model([source, target], decoder(target, memory))
    inputs = [np.array([[3, 5, 1], [4, 0, 0]], "int32"), make_targets(2)]
    logits = model.predict(inputs, verbose=0)
    assert logits.shape == (2, 5, VOCABULARY)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(inputs)), logits, atol=1e-6)


def test_config_round_trip():
    arguments = {
        "vocabulary_size": 9,
        "units": 5,
        "embedding_dim": 3,
        "cell": "lstm",
        "num_layers": 2,
        "order": "luong",
        "input_feeding": True,
        "bridge": "zero",
        "residual": True,
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "variational_dropout": True,
        "tie_embeddings": False,
        "doubly_stochastic": 0.5,
    }
    attention = BahdanauAttention(3, normalize=True)
    decoder = RNNDecoder(**arguments, attention=attention, dtype="mixed_bfloat16")
    config = decoder.get_config()
    assert {name: config[name] for name in arguments} == arguments
    again = RNNDecoder.from_config(config)
    assert again.get_config() == config
    assert type(again.attention) is BahdanauAttention and again.attention.normalize
    assert again.rnn_layers[0].compute_dtype == "bfloat16"


@pytest.mark.thorough
@pytest.mark.slow
@representatives
def test_comes_back_built(wiring):
    decoder, memory = make(wiring)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(decoder))
    again(make_targets(), tensors(memory))
    assert [w.shape for w in again.weights] == [w.shape for w in decoder.weights]
    again.set_weights(decoder.get_weights())
    np.testing.assert_array_equal(
        numpy(again(make_targets(), memory)), numpy(decoder(make_targets(), memory))
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be an int, at least 1.*: 0"),
        ({"units": 0}, "`units` must be an int, at least 1.*: 0"),
        ({"embedding_dim": 0}, "`embedding_dim` must be an int, at least 1.*: 0"),
        ({"cell": "transformer"}, "cell.*gru.*lstm.*transformer"),
        ({"num_layers": 0}, "`num_layers` must be an int, at least 1.*: 0"),
        ({"attention": "cosine"}, "attention.*bahdanau.*luong.*cosine"),
        ({"attention": keras.layers.AdditiveAttention}, "attention"),
        ({"order": "reverse"}, "order.*bahdanau.*luong.*reverse"),
        ({"input_feeding": True}, "input_feeding"),
        ({"doubly_stochastic": 1.0, "attention": None}, "doubly_stochastic"),
        ({"input_feeding": True, "attention": None}, "input_feeding"),
        ({"bridge": "rope"}, "bridge.*dense.*copy.*zero.*rope"),
        ({"dropout": 1.0}, "dropout"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        RNNDecoder(**{"vocabulary_size": 9, "units": 4, **arguments})


def test_attention_weights_of_a_decoder_without_attention():
    decoder, memory = make("none")
    with pytest.raises(ValueError, match="return_attention.*attention=None"):
        decoder(make_targets(), tensors(memory), return_attention=True)
    memory, state = decoder.start(tensors(memory))
    with pytest.raises(ValueError, match="return_attention.*attention=None"):
        decoder.step(np.full(4, 2), state, memory, return_attention=True)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "num_layers": 1},
        {"cell": "gru", "num_layers": 2},
        {"cell": "gru", "num_layers": 1, "units": UNITS + 1},
        None,
    ],
)
def test_copy_bridge_needs_a_state_that_fits(options):
    memory = make_memory(LENGTHS, DIM, state=options and state_sizes(**options))
    decoder = RNNDecoder(VOCABULARY, UNITS, bridge="copy")
    with pytest.raises(ValueError, match="(?s)copy.*dense"):
        decoder.start(tensors(memory))


@pytest.mark.slow
def test_weights_of_an_own_attention_are_trained():
    """Those that its score reads, in a loop whose gradient knows only what it is given."""

    class Scaled(LuongAttention):
        def build(self, query_shape, values_shape):
            super().build(query_shape, values_shape)
            self.slope = self.add_weight((), initializer="ones", name="slope")

        def prepare(self, *arguments):
            return {**super().prepare(*arguments), "slope": ops.convert_to_tensor(self.slope)}

        def score(self, query, state, prepared):
            return super().score(query, state, prepared) * prepared["slope"]

    decoder = RNNDecoder(9, 4, attention=Scaled(), order="bahdanau")
    memory = {
        "values": ops.convert_to_tensor(random(2, 3, 5)),
        "mask": ops.ones((2, 3), dtype="bool"),
    }
    targets = ops.convert_to_tensor(np.array([[2, 4, 5], [2, 6, 7]]))

    def total():
        return ops.sum(ops.square(decoder(targets, memory)))

    total()
    slope = decoder.attention.slope
    _, (found,) = gradients(total, [slope])
    values = []
    for change in (1e-2, -1e-2):
        slope.assign(1 + change)
        values.append(float(ops.convert_to_numpy(ops.stop_gradient(total()))))
    np.testing.assert_allclose(found, (values[0] - values[1]) / 2e-2, rtol=0.02, atol=1e-5)
    assert abs(found) > 1e-5
