import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the operations of SentencePiece)
from tensorflow.python.framework import kernels, op_def_registry

import keras_s2s
from keras_s2s.serving import ALLOWED_OPS
from tests.serving.conftest import build


class PythonEncoder(keras_s2s.layers.RNNEncoder):
    def call(self, inputs, mask=None, training=False):
        memory = super().call(inputs, mask, training)
        values = tf.py_function(lambda x: x, [memory["values"]], self.compute_dtype)
        return {**memory, "values": tf.ensure_shape(values, memory["values"].shape)}


def test_ops_of_an_export(exported):
    found = keras_s2s.serving.ops(exported["beam"])
    assert found == sorted(found)
    assert {"SentencepieceTokenizeOp", "TopKV2", "MatMul"} <= set(found) <= ALLOWED_OPS
    assert any("While" in op for op in found)


def test_ops_without_saved_model(tmp_path):
    with pytest.raises(FileNotFoundError):
        keras_s2s.serving.ops(tmp_path)


def test_refused_operations(tmp_path):
    model = build(encoder=PythonEncoder)
    with pytest.raises(ValueError, match="`EagerPyFunc` is Python code.*EagerPyFunc'"):
        model.export(tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_allowed_operations_run_on_a_cpu():
    assert not [op for op in ALLOWED_OPS if any(bad in op for bad in ("Cudnn", "Xla", "PyFunc"))]
    for op in ALLOWED_OPS:
        assert op_def_registry.get(op) is not None, op
        registered = kernels.get_registered_kernels_for_op(op).kernel
        assert {kernel.device_type for kernel in registered} & {"CPU", "DEFAULT"}, op
