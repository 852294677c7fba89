"""The whole loop as one compiled function, with the layers' decoder."""

import traceback

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.decoding import Beam, Greedy, Random
from keras_s2s.layers import RNNDecoder, RNNEncoder
from tests.decoding.fake import decode
from tests.fewer import chosen

BACKEND = keras.backend.backend()
SAMPLERS = {
    "greedy": Greedy(no_repeat_ngram_size=2),
    "beam": Beam(4, 0.6, 0.2, num_return_sequences=2, min_length=2, banned_tokens=[1]),
    "random": Random(top_k=8, top_p=0.9, seed=1, num_return_sequences=2),
}
SOURCE = np.array([[5, 7, 9, 4, 3], [8, 6, 3, 0, 0], [3, 0, 0, 0, 0]], "int32")
PREFIX = np.array([[7, 0], [0, 0], [6, 5]], "int32")


@pytest.fixture(params=chosen(SAMPLERS, "beam"))
def sampler(request):
    return SAMPLERS[request.param]


@pytest.fixture
def layers():
    encoder = RNNEncoder(6, vocabulary_size=20)
    decoder = RNNDecoder(50, 8)
    decoder(np.ones((3, 2), "int32"), encoder(SOURCE))
    return encoder, decoder


def to_numpy(result):
    return {key: ops.convert_to_numpy(value) for key, value in result.items()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.slow
def test_log_probs_and_attention_are_those_of_teacher_forcing(sampler, layers):
    encoder, decoder = layers
    memory = encoder(SOURCE)
    result = decode(sampler, decoder, memory, 7, prefix=PREFIX, return_attention=True)
    for k in range(result["token_ids"].shape[1]):
        labels = result["token_ids"][:, k]
        targets = np.concatenate([np.full((3, 1), 2, "int32"), labels[:, :-1]], axis=1)
        logits, weights = decoder(targets, memory, return_attention=True)
        log_probs = ops.convert_to_numpy(ops.log_softmax(logits))
        log_probs = np.take_along_axis(log_probs, labels[..., None], -1)[..., 0]
        real = labels != 0
        np.testing.assert_allclose(
            (log_probs * real).sum(-1), result["log_probs"][:, k], rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(
            ops.convert_to_numpy(weights) * real[..., None], result["attention"][:, k], atol=1e-5
        )


def test_without_attention():
    encoder = RNNEncoder(6, vocabulary_size=20)
    decoder = RNNDecoder(50, 8, attention=None)
    result = decode(Beam(3, num_return_sequences=3), decoder, encoder(SOURCE), 5)
    assert result["token_ids"].shape == (3, 3, 5)
    assert "attention" not in result


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.function")
def test_tf_function_with_dynamic_shapes(sampler, layers):
    import tensorflow as tf

    encoder, decoder = layers

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), "int32"),
            tf.TensorSpec((), "int32"),
            tf.TensorSpec((None, None), "int32"),
        ]
    )
    def generate(source, max_length, prefix):
        return sampler(decoder, encoder(source), max_length, prefix, return_attention=True)

    for rows, length in [(3, 6), (1, 8)]:
        expected = decode(
            sampler,
            decoder,
            encoder(SOURCE[:rows]),
            length,
            prefix=PREFIX[:rows],
            return_attention=True,
        )
        assert_equal(to_numpy(generate(SOURCE[:rows], length, PREFIX[:rows])), expected)
    no_prefix = decode(sampler, decoder, encoder(SOURCE), 6, return_attention=True)
    assert_equal(to_numpy(generate(SOURCE, 6, PREFIX[:, :0])), no_prefix)

    graph = generate.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    assert any("While" in op for op in operations)
    assert not [op for op in operations if "Xla" in op or "PyFunc" in op or ">" in op]


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.function")
def test_examples_that_are_done_leave_the_batch(sampler, layers, monkeypatch):
    import tensorflow as tf

    encoder, decoder = layers
    rng = np.random.default_rng(1)
    source = rng.integers(4, 20, (40, 5)).astype("int32")
    limits = rng.permutation(np.arange(40) % 12 + 1).astype("int32")
    prefix = np.where(rng.random((40, 2)) < 0.3, 7, 0).astype("int32")
    expected = decode(sampler, decoder, encoder(source), 12, prefix=prefix, limits=limits)

    rows, step, rewritten = tf.Variable(0), decoder.step, set()

    def count_rows(tokens, *args, **kwargs):
        rows.assign_add(tf.shape(tokens)[0])
        rewritten.update(frame.name for frame in traceback.extract_stack())
        return step(tokens, *args, **kwargs)

    monkeypatch.setattr(decoder, "step", count_rows)
    shapes = [(None, None), (None,), (None, None)]

    @tf.function(input_signature=[tf.TensorSpec(shape, "int32") for shape in shapes])
    def generate(source, limits, prefix):
        return sampler(decoder, encoder(source), 12, prefix, limits)

    assert_equal(to_numpy(generate(source, limits, prefix)), expected)
    # AutoGraph leaves the search as it is, which saves ten seconds.
    assert {name for name in rewritten if name.startswith("tf__")} == {"tf__generate"}
    # 12 steps of all, or at most 6 of all, 3 of half of them and so on.
    assert rows.numpy() < 40 * sampler.rows_per_example * 12 * 0.8

    single = to_numpy(generate(source[:1], limits[:1], prefix[:1]))
    assert_equal(single, {key: value[:1] for key, value in expected.items()})
    assert to_numpy(generate(source[:0], limits[:0], prefix[:0]))["lengths"].shape[0] == 0


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.function")
def test_unseeded_calls_of_one_tf_function_differ(layers):
    import tensorflow as tf

    encoder, decoder = layers
    sampler = Random()
    generate = tf.function(lambda source: sampler(decoder, encoder(source), 9)["token_ids"])
    source = tf.constant(SOURCE)
    assert generate(source).numpy().tolist() != generate(source).numpy().tolist()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA through tf.function")
def test_xla(sampler, layers):
    import tensorflow as tf

    encoder, decoder = layers
    memory = encoder(SOURCE)
    compiled = tf.function(
        lambda memory: sampler(decoder, memory, 6, return_attention=True), jit_compile=True
    )
    assert_equal(
        to_numpy(compiled(memory)), decode(sampler, decoder, memory, 6, return_attention=True)
    )


@pytest.mark.every_backend
@pytest.mark.skipif(BACKEND != "jax", reason="about jax.jit; tests/test_backends.py runs it on JAX")
def test_jit(sampler, layers):
    import jax

    encoder, decoder = layers

    @jax.jit
    def generate(source, prefix):
        return sampler(decoder, encoder(source), 6, prefix, return_attention=True)

    expected = decode(sampler, decoder, encoder(SOURCE), 6, prefix=PREFIX, return_attention=True)
    assert_equal(to_numpy(generate(SOURCE, PREFIX)), expected)


@pytest.mark.every_backend
@pytest.mark.skipif(BACKEND != "jax", reason="about jax.jit; tests/test_backends.py runs it on JAX")
def test_unseeded_jit_draws_through_a_stateless_scope(layers):
    import jax

    encoder, decoder = layers
    sampler = Random()

    @jax.jit
    def generate(source, values):
        with keras.StatelessScope(list(zip(sampler.variables, values))) as scope:
            tokens = sampler(decoder, encoder(source), 9)["token_ids"]
        return tokens, [scope.get_current_value(v) for v in sampler.variables]

    values = [v.value for v in sampler.variables]
    first, values = generate(SOURCE, values)
    second, _ = generate(SOURCE, values)
    assert first.tolist() != second.tolist()


@pytest.mark.every_backend
@pytest.mark.skipif(BACKEND != "jax", reason="about jax.jit; tests/test_backends.py runs it on JAX")
def test_traced_max_length_is_refused(sampler, layers):
    import jax

    encoder, decoder = layers
    with pytest.raises(ValueError, match="must be a Python int"):
        jax.jit(lambda n: sampler(decoder, encoder(SOURCE), n))(6)
