"""What all preprocessors share: the text that a model is to write."""

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.long_texts import count_ids
from keras_s2s.preprocessing.text import as_strings
from keras_s2s.tokens import decoder_inputs

DEFAULT_LENGTH = 256


class Preprocessor:
    """Base of the preprocessors: raw inputs and texts to tensors, and generated ids to texts.

    The same TensorFlow ops run in `tf.data`, in `generate` and in an exported model. Texts are
    padded on the right with 0 to the longest of the batch; none is empty: each ends with the end
    id. Longer ones are cut, the end id kept.

    A subclass says what its inputs are: it sets `encoder_input` and `raw_keys`, and implements
    `as_tensor`, `encode`, `is_raw`, `is_one`, `rank_of_one`, `as_items`, `as_slices` and
    `serving_inputs`.

    Args:
        target_tokenizer: Tokenizer of the texts, such as `SentencePieceTokenizer`.
        target_length: Largest number of ids of a text, the end id included. `None` means 256.
    """

    #: The key of the encoder's features in the tensors.
    encoder_input = None
    #: The keys of raw inputs and texts in a dict.
    raw_keys = (None, "decoder_text")
    #: The largest number of ids of an input, the end id included; None where none can be too long.
    source_length = None
    #: Whether one input may have several texts.
    several_targets = False
    #: What one raw input becomes, a function, before several form a batch; or None.
    load = None

    def __init__(self, target_tokenizer, target_length=None):
        self.target_tokenizer = check_tokenizer(target_tokenizer, "target_tokenizer")
        self.target_length = check_length(target_length, "target_length")

    def as_tensor(self, inputs, name="inputs"):
        """Returns one raw input or a batch of them as a tensor."""
        raise NotImplementedError

    def encode(self, inputs, sample=False):
        """Returns the encoder's features of what `as_tensor` returned, a tensor."""
        raise NotImplementedError

    @classmethod
    def is_raw(cls, x):
        """Whether `x`, no dict and no dataset, holds raw inputs; or the `tf.TensorSpec` of some."""
        raise NotImplementedError

    @classmethod
    def rank_of_one(cls, spec):
        """The rank that one raw input of this `tf.TensorSpec` has."""
        raise NotImplementedError

    @classmethod
    def is_one(cls, x):
        """Whether `x` is one raw input, and not several."""
        raise NotImplementedError

    @classmethod
    def as_items(cls, inputs, name="inputs", failures=None):
        """Returns the raw inputs as a list, and whether it was one outside of any list.

        The errors of single inputs go into the dict `failures`, if given, by their index, and the
        list has None there.
        """
        raise NotImplementedError

    def as_slices(self, inputs, name):
        """Returns tensors with one slice for each raw input, and a function of one slice or None.

        What the function makes of a slice goes to `as_tensor`, in a batch.
        """
        raise NotImplementedError

    def as_targets(self, targets, name="targets"):
        """Returns texts as a string tensor."""
        return as_strings(targets, name)

    def count_source_ids(self, inputs):
        """Returns the number of ids of each raw input, the end id included, before any is cut.

        Only where there is a `source_length`. A NumPy array, or a scalar for one input.
        """
        raise NotImplementedError

    def count_target_ids(self, targets):
        """Returns the same of texts."""
        return count_ids(targets, self.target_tokenizer)

    @staticmethod
    def size(item):
        """Number by which inputs are sorted, so that similar ones share a batch."""
        return 0

    def source_tokens(self, inputs, index):
        """The pieces of one source among the tensors `inputs`, a list of strings, or None."""
        return None

    def serving_inputs(self, allowed_ops):
        """What an exported model may be given.

        Args:
            allowed_ops: Names of the TensorFlow operations that a server has, where there is a
                choice.

        Returns:
            Dict from names to tuples of a `tf.TensorSpec` of a batch and a function from such a
            tensor to the encoder's features. The first is the default.
        """
        raise NotImplementedError

    def __call__(self, source, target, sample=False):
        """Makes one training batch.

        Args:
            source: Raw inputs.
            target: Texts, as many: a list or array, or a `tf.string` tensor `(batch,)`. A single
                one, with a single input, gives tensors without the batch axis.
            sample: If true, tokenizers with a `sample_alpha` draw segmentations; others do what
                they always do. For training data only.

        Returns:
            `(x, labels, sample_weight)`: `x` is a dict of the encoder's features and int32
            `"decoder_token_ids"` `(batch, target)`, beginning with the start id; `labels` int32
            `(batch, target)`, the same ids one step ahead, ending with the end id;
            `sample_weight` float32 `(batch, target)`, 0 at padding, else 1. Where an input may
            have several texts, `(batch, texts, target)` each.

        Raises:
            TypeError: If an element is of a wrong type.
            ValueError: If the number of sources and targets differs.
        """
        tf = import_tensorflow()
        source, target = self.as_tensor(source, "source"), self.as_targets(target, "target")
        leading = source.shape[: source.shape.rank - self.rank_of_one(source)]
        most = leading.rank + self.several_targets
        if target.shape.rank > most or not leading.is_compatible_with(target.shape[: leading.rank]):
            raise ValueError(
                "`source` and `target` must be of the same length. "
                f"Received {_count(leading)} sources and {_count(target.shape)} targets."
            )
        if self.several_targets and target.shape.rank == leading.rank:
            # Always an axis of its own: a training step is traced for one rank.
            target = target[..., None]
        features = self.encode(source, sample)
        labels = to_ids(target, self.target_tokenizer, self.target_length, sample)
        weights = tf.cast(labels != self.target_tokenizer.pad_token_id, tf.float32)
        if self.several_targets:
            # One that is missing counts for nothing.
            weights *= tf.cast(target != "", tf.float32)[..., None]
        decoder_ids = decoder_inputs(labels, tf.concat, tf.where)
        return {self.encoder_input: features, "decoder_token_ids": decoder_ids}, labels, weights

    def generate_preprocess(self, source, prompt=None):
        """Makes the input of generation.

        Args:
            source: Raw inputs, or one.
            prompt: What the outputs begin with, as many strings, or None.

        Returns:
            Dict of the encoder's features; with a prompt also of int32 `"prompt_token_ids"`,
            `(batch, prompt)`, without end ids.
        """
        features = self.encode(self.as_tensor(source))
        if prompt is None:
            return {self.encoder_input: features}
        tf, tokenizer = import_tensorflow(), self.target_tokenizer
        ended = to_ids(as_strings(prompt, "prompt"), tokenizer, self.target_length, sample=False)
        prompt_ids = tf.where(ended == tokenizer.end_token_id, tokenizer.pad_token_id, ended)
        return {self.encoder_input: features, "prompt_token_ids": prompt_ids}

    def generate_postprocess(self, token_ids):
        """Turns generated ids `(..., target)` into a `tf.string` tensor `(...)`."""
        return self.target_tokenizer.detokenize(token_ids)

    @property
    def resources(self):
        """List of the TensorFlow objects an exporter must hold (see `SentencePieceTokenizer`)."""
        return self.target_tokenizer.resources


def to_ids(strings, tokenizer, length, sample):
    """Ids `(..., tokens)` of strings `(...)`: cut, ended, padded; never zero wide."""
    tf = import_tensorflow()
    batch = tf.reshape(strings, [-1])
    sample = sample and tokenizer.sample_alpha is not None
    rows = tokenizer.tokenize(batch, sample=sample)
    if sample:
        rows = _where_they_fit(rows, length, lambda: tokenizer.tokenize(batch))
    # Dense at once: a text by itself waits for each operation, and ragged ones are many.
    lengths = tf.minimum(rows.row_lengths(), length - 1)[:, None]
    # A batch of none has no longest sequence.
    width = tf.maximum(tf.reduce_max(lengths), 0) + 1
    position = tf.range(width)[None]
    ids = rows.to_tensor(tokenizer.pad_token_id, shape=tf.stack([-1, width]))
    ids = tf.where(position == lengths, tokenizer.end_token_id, ids)
    if strings.shape.rank == 0:
        return ids[0]
    if strings.shape.rank > 1:
        ids = tf.reshape(ids, tf.concat([tf.shape(strings, tf.int64), [width]], axis=0))
    return tf.ensure_shape(ids, [*strings.shape, None])


def _where_they_fit(drawn, length, make_plain):
    """Drawn segmentations, and plain ones in place of those that a length would cut."""
    tf = import_tensorflow()
    fits = drawn.row_lengths() < length

    def merge():
        count = tf.size(fits)
        both = tf.concat([drawn, make_plain()], axis=0)
        return tf.gather(both, tf.range(count) + tf.where(fits, 0, count))

    return tf.cond(tf.reduce_all(fits), lambda: drawn, merge)


def check_tokenizer(tokenizer, name):
    """Returns the tokenizer, or raises a `TypeError`."""
    if not hasattr(tokenizer, "tokenize"):
        raise TypeError(
            f"`{name}` must be a tokenizer, e.g. SentencePieceTokenizer(path). "
            f"Received {tokenizer!r}."
        )
    return tokenizer


def check_length(value, name):
    """Returns the length, or raises a `ValueError`."""
    value = DEFAULT_LENGTH if value is None else value
    return check_int(name, value, 1)


def _count(shape):
    return "one as" if shape.rank == 0 else shape[0]
