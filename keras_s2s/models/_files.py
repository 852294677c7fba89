"""Checks the arguments of Keras's ways to write a model, before anything is written."""

import difflib

#: The formats of `keras.Model.export`.
FORMATS = ("tf_saved_model", "onnx", "openvino", "litert", "torch")


def check_save(path, zipped):
    """Raises a `ValueError` if `Model.save` would write a file that nobody can read again."""
    name = str(path)
    # Keras writes folders of any name, and to the Hugging Face Hub.
    if name.endswith(".keras") or zipped is False or (zipped is None and name.startswith("hf://")):
        return
    raise ValueError(
        f"`model.save` writes one file with the model, its tokenizers and its optimizer, whose "
        f"name ends in '.keras'. Received: {name!r}. Use "
        f"`model.save({_with_suffix(name, '.keras')!r})`, or for the weights alone "
        f"`model.save_weights({_with_suffix(name, '.weights.h5')!r})`, for a folder of plain files "
        "`model.save_to_preset(folder)`, and for a server `model.export(folder)`."
    )


def check_save_weights(path, max_shard_size):
    """Raises a `ValueError` if the name is not one for a file of weights."""
    name = str(path)
    suffix = ".weights.h5" if max_shard_size is None else ".weights.json"
    if name.endswith(suffix):
        return
    raise ValueError(
        f"`model.save_weights` writes the weights alone, to a file whose name ends in {suffix!r}. "
        f"Received: {name!r}. Use `model.save_weights({_with_suffix(name, suffix)!r})`, or for the "
        f"whole model `model.save({_with_suffix(name, '.keras')!r})`."
    )


def check_export(format, sampler):
    """Raises a `ValueError` if `format` cannot be written, or was passed as the sampler."""
    if isinstance(sampler, str) and sampler in FORMATS:
        raise ValueError(
            "The second argument of `export` is the sampler. Pass the format by its name: "
            f"`model.export(path, format={sampler!r})`."
        )
    if format == "tf_saved_model":
        return
    if format in FORMATS:
        raise ValueError(
            f"Models with a search and tokenizers inside are not exported as {format!r}. Use "
            "format='tf_saved_model', which TensorFlow and TensorFlow Serving run. In Python "
            "`model.save_to_preset(folder)` and `keras_s2s.zoo.load(folder)` take a model to the "
            "TensorFlow, JAX or PyTorch backend, where `generate` runs it."
        )
    near = difflib.get_close_matches(str(format), FORMATS, n=1)
    raise ValueError(
        f"Unknown `format`. Use format='tf_saved_model'. Received: {format!r}"
        + (f" (did you mean {near[0]!r}?)" if near else "")
    )


def _with_suffix(name, suffix):
    for old in (".h5", ".hdf5", ".keras", ".json", ".tf", ".weights"):
        name = name.removesuffix(old)
    return name + suffix
