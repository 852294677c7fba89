"""The base class of a model's inputs: from raw values to an encoder's features."""


class Column:
    """Base of the columns: one named input of a model.

    A column knows which raw values are its own, and makes features of them. Python values, such as
    a list of strings, become NumPy arrays or tensors; TensorFlow tensors are mapped by TensorFlow's
    operations, in `tf.data` and in exported models.

    Args:
        name: The key of the features among a model's inputs.
        raw_name: The key of the raw values in a dict of raw data.
    """

    #: The largest number of ids of a value, the end id included; None where none can be too long.
    length = None
    #: Number of tokens, where the features are token ids.
    vocabulary_size = None
    #: The shape of the features of one value, with None for unknown sizes; None if all is unknown.
    shape = None
    #: Whether values that `load` returned differ in size, so that their batches are ragged.
    is_ragged = False
    #: Whether a raw value may be the path of a file.
    reads_files = False
    #: How many seconds a step of the features lasts, where they are of sound.
    seconds_per_step = None
    #: How many words of a value have ids although the vocabulary lacks them, see `own_words`.
    copy_slots = 0
    #: Whether TensorFlow is needed to make features of Python values.
    needs_tensorflow = False
    #: Function from an element of a raw dataset, and its name, to an element that can be batched;
    #: or None, if elements are batched as they are.
    load = None

    def __init__(self, name, raw_name):
        self.name, self.raw_name = name, raw_name

    def as_batch(self, values, name="inputs"):
        """Returns one raw value or a batch of them as an array or a tensor."""
        raise NotImplementedError

    def encode(self, batch, sample=False):
        """Returns the features of what `as_batch` returned.

        Args:
            batch: Array or tensor.
            sample: Whether to draw the segmentation of texts where the tokenizer can.
        """
        raise NotImplementedError

    def is_raw(self, values):
        """Whether these are raw values, or the `tf.TensorSpec` of raw values."""
        raise NotImplementedError

    def is_one(self, value):
        """Whether this is one raw value, and not a collection of them."""
        raise NotImplementedError

    def rank_of_one(self, batch):
        """The rank of one raw value in a tensor or array of raw values, or in their spec."""
        raise NotImplementedError

    def as_items(self, values, name="inputs", failures=None):
        """Returns the raw values as a list, and whether a single value was passed, not a list.

        The errors of single values go into the dict `failures`, if given, by their index, and the
        list has None there.
        """
        raise NotImplementedError

    def as_slices(self, values, name):
        """Returns tensors with one slice for each raw value, and a function of one slice or None.

        The results of the function are batched, and go to `as_batch`.
        """
        raise NotImplementedError

    def count_ids(self, values):
        """Returns the number of ids of each raw value, the end id included, before any is cut.

        A NumPy array, or a scalar for one value. Only where there is a `length`.
        """
        raise NotImplementedError

    def size(self, item):
        """Number by which items are sorted, so that similar ones share a batch."""
        return 0

    def own_words(self, batch):
        """Words of the raw values that have ids although the vocabulary lacks them.

        Only where there are `copy_slots`.

        Args:
            batch: What `as_batch` returned.

        Returns:
            `(batch, copy_slots)`: an array of `bytes` or a `tf.string` tensor.
        """
        raise NotImplementedError

    def tokens(self, features, words=None):
        """The pieces of the features of one value, a list of strings, or None.

        `words` are what `own_words` returned for it.
        """
        return None

    def tokens_in_graph(self, features, words=None):
        """Like `tokens` for a batch: a `tf.string` tensor, "" at padding, or None."""
        return None

    def serving_inputs(self, allowed_ops):
        """The inputs that an exported model takes.

        Args:
            allowed_ops: Names of the TensorFlow operations that a server has, where there is a
                choice.

        Returns:
            Dict from names of signatures to tuples: a dict of the `tf.TensorSpec` of each input by
            its name, and a function from such tensors, as arguments of these names, to what
            `as_batch` returns. The first is the default.
        """
        raise NotImplementedError

    def described(self):
        """Rows for `model.summary()`: tuples of a part's name, the part, and its description."""
        return []

    @property
    def resources(self):
        """List of the TensorFlow objects that an exporter must hold."""
        return []

    def save_assets(self, directory):
        """Writes the parts too large for a config into `directory`; returns the rest, a config."""
        return self.get_config()

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the column which `save_assets` wrote to `directory`, from its config."""
        return cls.from_config(config)

    def get_config(self):
        return {"name": self.name, "raw_name": self.raw_name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
