"""Pairs of strings to the tensors that sequence to sequence models train on and generate from."""

import os

import keras

from keras_s2s.preprocessing.optional import import_tensorflow
from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.text import as_strings

DEFAULT_LENGTH = 256
_FILE = "spm.model"


@keras.saving.register_keras_serializable("keras_s2s")
class TextPairPreprocessor:
    """Turns pairs of strings into ids for training, and generated ids back into strings.

    The same TensorFlow ops run in `tf.data`, in `generate` and in an exported model. Sequences are
    padded on the right with 0 to the longest of the batch; none is empty: each ends with the end
    id, so the empty string is just the end id. Longer texts are cut, the end id kept.

    Args:
        source_tokenizer: `SentencePieceTokenizer` of the input text.
        target_tokenizer: That of the output text. `None` shares the source's. To draw
            segmentations differently on the two sides of a shared vocabulary, pass two tokenizers
            with the same `proto`.
        source_length: Largest number of source ids, the end id included. `None` means 256.
        target_length: Largest number of target ids, the end id included. `None` means 256.

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer, TextPairPreprocessor

    tokenizer = SentencePieceTokenizer.train(["ein Hund", "a dog"], vocabulary_size=14)
    preprocessor = TextPairPreprocessor(tokenizer)
    x, labels, sample_weight = preprocessor(["ein Hund"], ["a dog"])
    assert x["decoder_token_ids"].shape == labels.shape == sample_weight.shape
    assert preprocessor.generate_postprocess(labels).numpy().tolist() == [b"a dog"]
    ```
    """

    def __init__(
        self, source_tokenizer, target_tokenizer=None, source_length=None, target_length=None
    ):
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer or source_tokenizer
        for name in ("source_tokenizer", "target_tokenizer"):
            if not hasattr(getattr(self, name), "tokenize"):
                raise TypeError(
                    f"`{name}` must be a tokenizer, e.g. SentencePieceTokenizer(path). "
                    f"Received {getattr(self, name)!r}."
                )
        self.source_length = _length(source_length, "source_length")
        self.target_length = _length(target_length, "target_length")

    def __call__(self, source, target, sample=False):
        """Makes one training batch.

        Args:
            source: Input strings: a list or array, or a `tf.string` tensor `(batch,)`. Single
                strings (both arguments) give tensors without the batch axis.
            target: Output strings, as many.
            sample: If true, tokenizers with a `sample_alpha` draw segmentations; others do what
                they always do. For training data only.

        Returns:
            `(x, labels, sample_weight)`: `x` is a dict of int32 `"encoder_token_ids"`
            `(batch, source)` and `"decoder_token_ids"` `(batch, target)`, beginning with the
            start id; `labels` int32 `(batch, target)`, the same ids one step ahead, ending with
            the end id; `sample_weight` float32 `(batch, target)`, 0 at padding, else 1.

        Raises:
            TypeError: If an element is not a string.
            ValueError: If the number of sources and targets differs.
        """
        tf = import_tensorflow()
        source, target = as_strings(source, "source"), as_strings(target, "target")
        if not source.shape.is_compatible_with(target.shape):
            raise ValueError(
                "`source` and `target` must be of the same length. "
                f"Received {_count(source)} sources and {_count(target)} targets."
            )
        source_ids = self._ids(source, self.source_tokenizer, self.source_length, sample)
        labels = self._ids(target, self.target_tokenizer, self.target_length, sample)
        weights = tf.cast(labels != self.target_tokenizer.pad_token_id, tf.float32)
        start = tf.fill(tf.shape(labels[..., :1]), self.target_tokenizer.start_token_id)
        # Shifting would push the end id of shorter rows into the input: it is no input.
        shifted = tf.where(
            labels[..., :-1] == self.target_tokenizer.end_token_id,
            self.target_tokenizer.pad_token_id,
            labels[..., :-1],
        )
        decoder_ids = tf.concat([start, shifted], axis=-1)
        return {"encoder_token_ids": source_ids, "decoder_token_ids": decoder_ids}, labels, weights

    def generate_preprocess(self, source, prompt=None):
        """Makes the input of generation.

        Args:
            source: A string, a list or array of strings, or a `tf.string` tensor of rank 0 or 1.
            prompt: What the outputs begin with, as many strings, or None.

        Returns:
            Dict of int32 `"encoder_token_ids"`, `(batch, source)`; `(source,)` for one string.
            With a prompt also `"prompt_token_ids"`, `(batch, prompt)`, without end ids.
        """
        source = as_strings(source)
        ids = self._ids(source, self.source_tokenizer, self.source_length, sample=False)
        if prompt is None:
            return {"encoder_token_ids": ids}
        tf, tokenizer = import_tensorflow(), self.target_tokenizer
        ended = self._ids(as_strings(prompt, "prompt"), tokenizer, self.target_length, sample=False)
        prompt_ids = tf.where(ended == tokenizer.end_token_id, tokenizer.pad_token_id, ended)
        return {"encoder_token_ids": ids, "prompt_token_ids": prompt_ids}

    def generate_postprocess(self, token_ids):
        """Turns generated ids `(..., target)` into a `tf.string` tensor `(...)`."""
        return self.target_tokenizer.detokenize(token_ids)

    @property
    def resources(self):
        """List of the TensorFlow objects an exporter must hold (see `SentencePieceTokenizer`)."""
        resources = self.source_tokenizer.resources
        if self.target_tokenizer is not self.source_tokenizer:
            resources += self.target_tokenizer.resources
        return resources

    def save_assets(self, directory):
        """Writes the tokenizers' models into `directory`, as presets hold them.

        Args:
            directory: Gets `source_tokenizer/spm.model`, and `target_tokenizer/spm.model` if the
                tokenizers are two.

        Returns:
            The config without the models, for `from_assets`.
        """
        config = self.get_config()
        for name in ("source_tokenizer", "target_tokenizer"):
            if config[name] is not None:
                os.makedirs(os.path.join(directory, name), exist_ok=True)
                getattr(self, name).save(os.path.join(directory, name, _FILE))
                del config[name]["config"]["proto"]
        return config

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the preprocessor which `save_assets` wrote to `directory`, from its config."""
        config = dict(config)
        for name in ("source_tokenizer", "target_tokenizer"):
            if config[name] is not None:
                path = os.path.join(directory, name, _FILE)
                config[name] = SentencePieceTokenizer(path, **config[name]["config"])
        return cls(**config)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        shared = self.target_tokenizer is self.source_tokenizer
        return {
            "source_tokenizer": serialize(self.source_tokenizer),
            "target_tokenizer": None if shared else serialize(self.target_tokenizer),
            "source_length": self.source_length,
            "target_length": self.target_length,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("source_tokenizer", "target_tokenizer"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)

    def _ids(self, strings, tokenizer, length, sample):
        """Dense ids `(batch, tokens)` (or `(tokens,)`), cut, ended, padded; never zero wide."""
        tf = import_tensorflow()
        batch = tf.reshape(strings, [-1])
        sample = sample and tokenizer.sample_alpha is not None
        rows = tokenizer.tokenize(batch, sample=sample)
        # Dense at once: a text by itself waits for each operation, and ragged ones are many.
        lengths = tf.minimum(rows.row_lengths(), length - 1)[:, None]
        # A batch of none has no longest sequence.
        width = tf.maximum(tf.reduce_max(lengths), 0) + 1
        position = tf.range(width)[None]
        ids = rows.to_tensor(tokenizer.pad_token_id, shape=tf.stack([-1, width]))
        ids = tf.where(position == lengths, tokenizer.end_token_id, ids)
        if strings.shape.rank == 0:
            return ids[0]
        return tf.ensure_shape(ids, [strings.shape[0], None])


def _length(value, name):
    value = DEFAULT_LENGTH if value is None else value
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer or None. Received {value!r}.")
    return value


def _count(strings):
    return "one string as" if strings.shape.rank == 0 else strings.shape[0]
