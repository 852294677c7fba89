"""Writes embeddings for TensorBoard's projector: tables of vectors and labels, and their list."""

import numpy as np
from keras import ops


def write(model, folder):
    """Writes the embeddings of a model's vocabularies into the folder of a run.

    Args:
        model: A `Seq2Seq`.
        folder: `pathlib.Path`, beside the events of the run.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    config, done = ProjectorConfig(), []
    for side, layer in (("source", model.encoder), ("target", model.decoder)):
        embedding = layer.embedding
        if embedding is None or any(embedding is other for other in done):
            continue
        done.append(embedding)
        vectors = ops.convert_to_numpy(ops.cast(embedding.embeddings, "float32"))
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"{side}_embedding.tsv", vectors, fmt="%.6g", delimiter="\t")
        entry = config.embeddings.add()
        entry.tensor_name = f"{side}_embedding"
        entry.tensor_path = f"{side}_embedding.tsv"
        tokenizer = getattr(model.preprocessor, f"{side}_tokenizer", None)
        if tokenizer is not None:
            entry.metadata_path = f"{side}_pieces.tsv"
            lines = map(_label, tokenizer.get_vocabulary())
            (folder / f"{side}_pieces.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if done:
        text = text_format.MessageToString(config)
        (folder / "projector_config.pbtxt").write_text(text, encoding="utf-8")


def _label(piece):
    """A piece as a line of the table; an empty line would be left out, and shift the others."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in piece) or "(empty)"
