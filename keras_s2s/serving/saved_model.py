"""Writes a model as a SavedModel."""

import contextlib
import secrets
import shutil
from pathlib import Path

import keras

from keras_s2s import decoding
from keras_s2s._checks import check_int
from keras_s2s.serving import allowed_ops


def export(model, path, sampler=None, max_length=None, verbose=False):
    """Writes a model as a SavedModel; the same as `model.export`, which documents it."""
    _check_model(model)
    sampler = model.sampler if sampler is None else decoding.get(sampler)
    if max_length is not None:
        check_int("max_length", max_length, 1)
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(
            f"{str(path)!r} exists, and a server may be reading it. Export to a new folder; for "
            "TensorFlow Serving the next number, e.g. translator/2 after translator/1."
        )
    import tensorflow as tf

    from keras_s2s.serving import signatures

    with _without_cudnn(model):
        functions = signatures.make(model, sampler, max_length)
    # A plain `tf.Module`: Keras's tracking for exports would write the weights twice.
    module = tf.Module()
    module.variables_read = tuple(v.value for v in (*model.variables, *sampler.variables))
    module.resources = () if model.preprocessor is None else tuple(model.preprocessor.resources)

    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that renaming is atomic, and under a name that servers ignore.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        tf.saved_model.save(module, str(unfinished), signatures=functions)
        allowed_ops.check(unfinished)
        unfinished.replace(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if verbose:
        print(f"Wrote the SavedModel {str(path)!r} with these signatures:")
        for name, function in functions.items():
            _, inputs = function.structured_input_signature
            print(f"  {name}: {_described(inputs)} -> {_described(function.structured_outputs)}")


def _described(tensors):
    return ", ".join(
        f"{name} {tensor.dtype.name} {tuple(tensor.shape)}" for name, tensor in tensors.items()
    )


def _check_model(model):
    backend = keras.backend.backend()
    if backend != "tensorflow":
        name = type(model).__name__
        raise RuntimeError(
            f"SavedModels are written by the TensorFlow backend; this is {backend}. Call "
            "`model.save_to_preset(folder, weights_dtype='float32')`, then in a new process with "
            f"the environment variable KERAS_BACKEND=tensorflow "
            f"`keras_s2s.models.{name}.from_preset(folder).export(path)`."
        )
    if not (model.encoder.built and model.decoder.built):
        raise ValueError("The model has no weights yet. Train it or load weights, then export it.")
    if model.encoder.input_spec_for_serving() is None:
        raise ValueError(
            "Only models that read token ids, images or sound can be exported; this encoder reads "
            "features. Make the encoder with a `vocabulary_size`."
        )


@contextlib.contextmanager
def _without_cudnn(model):
    """Lets Keras's recurrent layers be traced for CPUs on a machine with a GPU.

    cuDNN is chosen when a function is traced, and a server without a GPU could not run it.
    """
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    before = [layer.use_cudnn for layer in layers]
    for layer in layers:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, value in zip(layers, before):
            layer.use_cudnn = value
