import keras
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the operations of SentencePiece)
from tensorflow.python.framework import kernels, op_def_registry

import keras_s2s
from keras_s2s.serving import ALLOWED_OPS
from tests.fewer import chosen
from tests.serving.conftest import build


def python(values):
    return tf.py_function(lambda x: x, [values], values.dtype)


def xla(values):
    return keras.ops.slice_update(values, (0, 0, 0), values[:1, :1])


def cudnn(values):
    units = values.shape[-1]
    state = tf.zeros([1, tf.shape(values)[0], units])
    return tf.raw_ops.CudnnRNNV3(
        input=tf.transpose(values, (1, 0, 2)),
        input_h=state,
        input_c=state,
        params=tf.zeros([8 * units * (units + 1)]),
        sequence_lengths=tf.fill([tf.shape(values)[0]], tf.shape(values)[1]),
        time_major=True,
    ).output


REFUSED = {
    python: "`EagerPyFunc` is Python code.*EagerPyFunc'",
    xla: "`XlaDynamicUpdateSlice` needs a server with XLA",
    cudnn: "`CudnnRNNV3` runs on NVIDIA GPUs only",
}


def make_encoder(operation):
    class Encoder(keras_s2s.layers.RNNEncoder):
        def call(self, inputs, mask=None, training=False):
            memory = super().call(inputs, mask, training)
            values = tf.ensure_shape(operation(memory["values"]), memory["values"].shape)
            return {**memory, "values": values}

    return Encoder


@pytest.mark.slow
@pytest.mark.prepared
def test_ops_of_an_export(exported):
    found = keras_s2s.serving.ops(exported["beam"])
    assert found == sorted(found)
    assert {"SentencepieceTokenizeOp", "TopKV2", "MatMul"} <= set(found) <= ALLOWED_OPS
    assert any("While" in op for op in found)


def test_ops_without_saved_model(tmp_path):
    with pytest.raises(FileNotFoundError):
        keras_s2s.serving.ops(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*only signature is `tokens`")
@pytest.mark.parametrize("operation", chosen(REFUSED, python))
def test_refused_operations(operation, tmp_path):
    model = build(encoder=make_encoder(operation))
    model.preprocessor = None
    with pytest.raises(ValueError, match=REFUSED[operation]):
        model.export(tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_allowed_operations_run_on_a_cpu():
    assert not [op for op in ALLOWED_OPS if any(bad in op for bad in ("Cudnn", "Xla", "PyFunc"))]
    for op in ALLOWED_OPS:
        assert op_def_registry.get(op) is not None, op
        registered = kernels.get_registered_kernels_for_op(op).kernel
        assert {kernel.device_type for kernel in registered} & {"CPU", "DEFAULT"}, op
