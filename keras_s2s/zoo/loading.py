"""Loads trained models and verifies that they are intact."""

from keras_s2s import models
from keras_s2s.models import preset_folders
from keras_s2s.zoo import cards, integrity


def list_presets():
    """Lists the shipped presets.

    Returns:
        Dict from name to a one-line description.

    Example:
        ```python
        for name, description in keras_s2s.zoo.list().items():
            print(name, description)
        ```
    """
    return {name: cards.card(name)["description"] for name in preset_folders.names()}


def load(name_or_path, load_weights=True, dtype=None, **kwargs):
    """Loads a trained model, offline.

    The files are compared with the hashes in the card before anything is built from them; a
    folder without a card, fresh from `model.save_to_preset`, is loaded as it is.

    Args:
        name_or_path: name of a preset (`keras_s2s.zoo.list()`), the task alone for its default
            preset (`"translation"`), or the path of a preset's folder.
        load_weights: `False` gives the architecture and the tokenizers with fresh weights.
        dtype: dtype policy of the model; `None` for the one of the preset. `"bfloat16"` halves
            the memory of the weights, and is faster where the processor multiplies in it and many
            sentences are decoded at once. To train, `"mixed_bfloat16"`.
        **kwargs: passed on to `from_preset` of the model's class.

    Returns:
        A compiled `keras_s2s.models.Seq2Seq`.

    Raises:
        ValueError: if the name is unknown, or a file was truncated or changed.
        FileNotFoundError: if a file or the folder is missing.

    Example:
        ```python
        model = keras_s2s.zoo.load("translation")
        model.generate("Wie geht es dir?")
        ```
    """
    folder = preset_folders.find(name_or_path)
    if (folder / "card.json").exists():
        integrity.check_preset(folder, cards.read(folder), needed_only=True)
    return models.Seq2Seq.from_preset(folder, load_weights=load_weights, dtype=dtype, **kwargs)


def verify(name_or_path):
    """Checks every file of a preset, then that its example sentences come out exactly.

    Args:
        name_or_path: name or alias of a shipped preset, or the path of a preset's folder.

    Returns:
        Dict with `folder` (path), `files` (relative path to sha256) and `examples` (list of
        `{"input", "output"}`), all of which are as the card says.

    Raises:
        ValueError: if a file was truncated or changed, or an example gives another output.
        FileNotFoundError: if a file, the card or the folder is missing.

    Example:
        ```python
        report = keras_s2s.zoo.verify("translation")
        print(len(report["files"]), "files,", len(report["examples"]), "examples")
        ```
    """
    folder = preset_folders.find(name_or_path)
    card = cards.read(folder)
    checked = integrity.check_preset(folder, card)
    examples = card["examples"]
    # The input of an example may be the name of an image in the folder.
    inputs = [example["input"] for example in examples]
    files = [folder / text if text in card["files"] else text for text in inputs]
    outputs = load(folder).generate(files)
    for example, output in zip(examples, outputs):
        # Some samplers return several outputs, the best first.
        output = output[0] if isinstance(output, list) else output
        if output != example["output"]:
            raise ValueError(
                f"The preset at {str(folder)!r} gives another output than its card says, for the "
                f"input {example['input']!r}: expected {example['output']!r}, actual {output!r}. "
                "Its files are intact, so the installed Keras, TensorFlow or keras_s2s differs "
                "from the one it was made with (metadata.json)."
            )
    return {"folder": str(folder), "files": checked, "examples": examples}
