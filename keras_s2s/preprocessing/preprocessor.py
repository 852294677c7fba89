"""Turns raw data into the arrays that models read and write, and back."""

import os

import keras
import numpy as np

from keras_s2s._autograph import unconverted
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import own_words
from keras_s2s.preprocessing.as_column import is_tensor
from keras_s2s.preprocessing.column_group import ColumnGroup
from keras_s2s.preprocessing.text import as_batch, as_rows
from keras_s2s.preprocessing.text_column import (
    check_length,
    check_tokenizer,
    load_tokenizer,
    save_tokenizer,
)
from keras_s2s.preprocessing.text_ids import count_ids, to_ids
from keras_s2s.preprocessing.word_tokenizer import WordTokenizer
from keras_s2s.tokens import decoder_inputs

TARGETS = "decoder_text"


@keras.saving.register_keras_serializable("keras_s2s")
@unconverted
class Preprocessor:
    """Turns raw inputs and texts into a model's inputs and labels, and generated ids into texts.

    It is made of columns, one for each input of the model, and the tokenizer of the output. Lists
    and the like become NumPy arrays, for text without any TensorFlow. Tensors are mapped by
    TensorFlow's operations, in `tf.data` and in an exported model, to the same numbers.

    Where there are several columns, raw inputs are a dict of columns by their `raw_name`, or a
    list of dicts of one value each.

    Args:
        columns: List of columns, such as `[TextColumn(...)]`.
        target_tokenizer: Tokenizer of the outputs, such as `SentencePieceTokenizer`.
        target_length: Largest number of ids of an output, the end id included. `None` means 256.
        several_targets: Whether one input may have several outputs in training.

    Example:
    ```python
    from keras_s2s.preprocessing import Preprocessor, SentencePieceTokenizer, TextColumn

    tokenizer = SentencePieceTokenizer.train(["what is it", "a dog runs"], vocabulary_size=18)
    preprocessor = Preprocessor(
        [
            TextColumn(tokenizer, name="question_token_ids", raw_name="question_text"),
            TextColumn(tokenizer, name="context_token_ids", raw_name="context_text"),
        ],
        tokenizer,
    )
    inputs = {"question_text": ["what is it"], "context_text": ["a dog runs"]}
    x, labels, sample_weight = preprocessor(inputs, ["a dog"])
    assert sorted(x) == ["context_token_ids", "decoder_token_ids", "question_token_ids"]
    ```
    """

    def __init__(self, columns, target_tokenizer, target_length=None, several_targets=False):
        self.columns = list(columns)
        if any(column.copy_slots for column in self.columns):
            if len(self.columns) > 1 or several_targets:
                raise ValueError(
                    "`copy_slots` need a single column and several_targets=False. Received: "
                    f"{len(self.columns)} columns, several_targets={several_targets}. Set "
                    "copy_slots=0."
                )
            _check_words(self.columns[0].tokenizer, target_tokenizer)
        self.raw = self.columns[0] if len(self.columns) == 1 else ColumnGroup(self.columns)
        self.target_tokenizer = check_tokenizer(target_tokenizer, "target_tokenizer")
        if getattr(target_tokenizer, "prefix", None) is not None:
            raise ValueError(
                "`target_tokenizer` must have no `prefix`, which is for inputs. It has the prefix "
                f"{target_tokenizer.prefix!r}. Pass `target_tokenizer.plain`."
            )
        self.target_length = check_length(target_length, "target_length")
        self.several_targets = several_targets

    @property
    def raw_keys(self):
        """The keys of raw inputs and outputs in a dict of raw data."""
        return *(column.raw_name for column in self.columns), TARGETS

    def encode(self, batch, sample=False):
        """Returns the dict of features of what `raw.as_batch` returned."""
        features = self.raw.encode(batch, sample)
        if len(self.columns) == 1:
            return {self.raw.name: features}
        return {column.name: features[column.raw_name] for column in self.columns}

    def as_targets(self, targets, name="targets"):
        """Returns outputs as an array of `bytes`; a string tensor stays one.

        If inputs may have several outputs, it is `(batch, outputs)`; missing outputs are empty.
        """
        if not self.several_targets or isinstance(targets, (str, bytes)):
            return as_batch(targets, name)
        if type(targets).__name__ == "RaggedTensor":
            targets = targets.to_tensor("") if targets.dtype.name == "string" else targets
        if is_tensor(targets):
            is_matrix = targets.shape.rank == 2 and targets.dtype.name == "string"
            return targets if is_matrix else as_batch(targets, name)
        rows = as_rows(targets, name)
        if all(isinstance(row, bytes) for row in rows):
            return as_batch(rows, name)
        for i, row in enumerate(rows):
            if isinstance(row, bytes) or not row:
                row = row.decode("utf-8", "replace") if row else row
                raise TypeError(
                    f"`{name}` must hold a list of texts for every input, none of them empty, "
                    f"or one text for every input. Element {i} is {row!r}."
                )
        most = max(map(len, rows))
        return np.array([row + [b""] * (most - len(row)) for row in rows], object)

    def count_target_ids(self, targets):
        """Returns the number of ids of each text, the end id included, before any is cut."""
        return count_ids(targets, self.target_tokenizer)

    def __call__(self, source, target, sample=False):
        """Makes one training batch.

        Args:
            source: Raw inputs.
            target: Outputs, as many: a list or array, or a `tf.string` tensor `(batch,)`. A single
                one, with a single input, gives arrays without the batch axis.
            sample: If true, tokenizers with a `sample_alpha` draw segmentations; others do what
                they always do. For training data only.

        Returns:
            `(x, labels, sample_weight)`: `x` is a dict of the features and int32
            `"decoder_token_ids"` `(batch, target)`, beginning with the start id; `labels` int32
            `(batch, target)`, the same ids one step ahead, ending with the end id;
            `sample_weight` float32 `(batch, target)`, 0 at padding, else 1. Where an input may
            have several outputs, `(batch, outputs, target)` each. They are tensors if they are made
            from tensors, else arrays.

        Raises:
            TypeError: If an element is of a wrong type.
            ValueError: If the number of sources and targets differs.
        """
        source, target = self.raw.as_batch(source, "source"), self.as_targets(target, "target")
        leading = self._leading(source)
        most = len(leading) + self.several_targets
        shape = tuple(target.shape)
        if len(shape) > most or not _compatible(leading, shape[: len(leading)]):
            raise ValueError(
                "`source` and `target` must have the same number of examples. Received: "
                f"{_count(leading)} in `source`, {_count(shape)} in `target`."
            )
        if self.several_targets and len(shape) == len(leading):
            # Outputs always have an axis, since a training step is traced for one rank.
            target = target[..., None]
        features = self.encode(source, sample)
        words = self._own_words(source)
        if is_tensor(words) and not is_tensor(target):
            words = words.numpy()
        labels = to_ids(target, self.target_tokenizer, self.target_length, sample, words)
        pad = self.target_tokenizer.pad_token_id
        if is_tensor(target):
            tf = import_tensorflow()
            weights = tf.cast(labels != pad, tf.float32)
            decoder_ids = decoder_inputs(labels, tf.concat, tf.where)
            real = tf.cast(target != "", tf.float32)
        else:
            weights = (labels != pad).astype("float32")
            decoder_ids = decoder_inputs(labels)
            real = np.asarray(target != b"", "float32")
        if self.several_targets:
            # Missing outputs have weight 0.
            weights *= real[..., None]
        return {**features, "decoder_token_ids": decoder_ids}, labels, weights

    def _leading(self, batch):
        """The shape before the axes of one raw input: `(batch,)`, or `()` for one input."""
        rank = self.raw.rank_of_one(batch)
        one = next(iter(batch.values())) if isinstance(batch, dict) else batch
        return tuple(one.shape)[: len(one.shape) - rank]

    def generate_preprocess(self, source, prompt=None):
        """Makes the input of generation.

        Args:
            source: Raw inputs, or one.
            prompt: What the outputs begin with, as many strings, or None.

        Returns:
            Dict of the features; with a prompt also of int32 `"prompt_token_ids"`,
            `(batch, prompt)`, without end ids.
        """
        source = self.raw.as_batch(source)
        features = self.encode(source)
        if prompt is None:
            return features
        tokenizer, words = self.target_tokenizer, self._own_words(source)
        ids = to_ids(as_batch(prompt, "prompt"), tokenizer, self.target_length, words=words)
        where = import_tensorflow().where if is_tensor(ids) else np.where
        ids = where(ids == tokenizer.end_token_id, tokenizer.pad_token_id, ids)
        return {**features, "prompt_token_ids": ids}

    def origin(self, source):
        """What `generate_postprocess` needs to know of the inputs: here their `own_words`.

        Args:
            source: Raw inputs; in an exported model tensors of them.

        Returns:
            None, or nested arrays or tensors whose first axis is the batch.
        """
        return self.own_words(source)

    def own_words(self, source):
        """The words of inputs that have ids although the vocabulary lacks them.

        Args:
            source: Raw inputs, or tensors of them.

        Returns:
            None without `copy_slots`; else `(batch, copy_slots)`, an array of `bytes` or a
            `tf.string` tensor, "" where an input has fewer.
        """
        # Otherwise images would be read a second time.
        return self._own_words(self.raw.as_batch(source)) if self.raw.copy_slots else None

    def _own_words(self, batch):
        return self.raw.own_words(batch) if self.raw.copy_slots else None

    def generate_postprocess(self, token_ids, origin=None):
        """Turns generated ids into texts.

        Args:
            token_ids: Integer ids `(batch, [sequences,] target)`.
            origin: What `origin` returned for the inputs. Without it, ids of their own words are
                left out.

        Returns:
            Texts `(batch, [sequences])`: for an array an array of `str`, for a tensor a `tf.string`
            tensor.
        """
        if self.raw.copy_slots and origin is not None:
            return own_words.decode(token_ids, self.target_tokenizer, origin)
        if is_tensor(token_ids):
            return self.target_tokenizer.detokenize(token_ids)
        return self.target_tokenizer.decode(np.asarray(token_ids))

    def serving_inputs(self, allowed_ops):
        """The inputs that an exported model takes, see `Column.serving_inputs`."""
        return self.raw.serving_inputs(allowed_ops)

    @property
    def resources(self):
        """List of the TensorFlow objects an exporter must hold (see `SentencePieceTokenizer`)."""
        return [*self.raw.resources, *self.target_tokenizer.resources]

    def save_assets(self, directory):
        """Writes the tokenizers' models into `directory`, as presets hold them.

        Args:
            directory: Gets `target_tokenizer/`, and a folder for each column.

        Returns:
            The config without the models, for `from_assets`.
        """
        config = self.get_config()
        folder = os.path.join(directory, "target_tokenizer")
        config["target_tokenizer"] = save_tokenizer(self.target_tokenizer, folder)
        for column, serialized in zip(self.columns, config["columns"]):
            serialized["config"] = column.save_assets(os.path.join(directory, column.name))
        return config

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the preprocessor which `save_assets` wrote to `directory`, from its config."""
        columns = []
        for serialized in config["columns"]:
            kind = keras.saving.get_registered_object(serialized["registered_name"])
            column = serialized["config"]
            columns.append(kind.from_assets(os.path.join(directory, column["name"]), column))
        folder = os.path.join(directory, "target_tokenizer")
        tokenizer = load_tokenizer(folder, config["target_tokenizer"])
        return cls(**{**config, "columns": columns, "target_tokenizer": tokenizer})

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "columns": [serialize(column) for column in self.columns],
            "target_tokenizer": serialize(self.target_tokenizer),
            "target_length": self.target_length,
            "several_targets": self.several_targets,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            **{
                **config,
                "columns": [deserialize(column) for column in config["columns"]],
                "target_tokenizer": deserialize(config["target_tokenizer"]),
            }
        )


def _check_words(source, target):
    if not isinstance(target, WordTokenizer) or (
        target is not source and target.get_vocabulary() != source.get_vocabulary()
    ):
        raise ValueError(
            "With `copy_slots`, inputs and outputs need one vocabulary. Train a WordTokenizer on "
            "both, and pass it as `source_tokenizer` alone."
        )


def _compatible(shape, other):
    same = (a is None or b is None or a == b for a, b in zip(shape, other))
    return len(shape) == len(other) and all(same)


def _count(shape):
    return shape[0] if shape else "a single one"
