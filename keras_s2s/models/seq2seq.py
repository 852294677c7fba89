import keras
from keras import ops

from keras_s2s import decoding
from keras_s2s._backend.replicas import batch_mean, number_of_replicas
from keras_s2s._backend.scan import no_gradient
from keras_s2s.layers import CTC, Decoder, Encoder, ScheduledSampling
from keras_s2s.layers._parts import KeepsParts, layers_of, unbuilt_config
from keras_s2s.layers.ctc import LOG_PROBS
from keras_s2s.models import _files, _summary, presets
from keras_s2s.models._compiled_functions import Functions
from keras_s2s.models._each_output import each_output
from keras_s2s.models.generation import Generates
from keras_s2s.models.raw_data import TakesRawData
from keras_s2s.tokens import UNKNOWN
from keras_s2s.training.losses import TokenCrossentropy
from keras_s2s.training.metrics import Perplexity, TokenAccuracy
from keras_s2s.training.optimizers import Adam


@keras.saving.register_keras_serializable("keras_s2s")
class Seq2Seq(TakesRawData, Generates, KeepsParts, keras.Model):
    """An encoder, a decoder, and the preprocessing between them and raw data.

    A plain `keras.Model` that comes compiled. With a `preprocessor`, `fit`, `evaluate`,
    `predict`, `generate` and `score` take raw data; they always take what the
    preprocessor would return.

    Args:
        encoder: A `keras_s2s.layers.Encoder`, such as `keras_s2s.layers.RNNEncoder`.
        decoder: A `keras_s2s.layers.Decoder`, such as `keras_s2s.layers.RNNDecoder`.
        preprocessor: From raw data to tensors and back, such as
            `keras_s2s.preprocessing.TextPairPreprocessor`, or None.
        share_embedding: Whether the encoder embeds with the decoder's embedding. Both
            need the same vocabulary and `embedding_dim`.
        sampler: How `generate` chooses tokens: `"greedy"`, `"beam"`, `"random"` or an
            object of `keras_s2s.decoding`. `compile` can change it.
        scheduled_sampling: A `keras_s2s.layers.ScheduledSampling` for training, or its rate, a
            number or a schedule. By default the decoder reads true tokens only.
        auxiliary_loss: A `keras_s2s.layers.CTC`, which reads the memory and adds its loss to that
            of the tokens in training, or None. Its log-probabilities are part of the memory.
        scorers: List of `keras_s2s.layers.Decoder`s with the decoder's tokens, whose
            log-probabilities `generate`, `score` and exports add to the decoder's, such as a
            `keras_s2s.layers.CTCPrefixScorer` or a language model; see
            `keras_s2s.decoding.Fusion`. `fit` does not train them.
        scorer_weights: List of floats, a weight for each scorer. `compile` can change them.
        **kwargs: Keras's own model arguments.

    Call arguments:
        inputs: Dict of the features that the encoder reads, for text `"encoder_token_ids"`
            `(batch, source)`, and `"decoder_token_ids"` `(batch, target)`: the start
            token, then the target shifted by one. 0 is padding. Where inputs have several
            outputs each, `(batch, outputs, target)`.
        training: Whether to apply dropout.

    Returns:
        Logits `(batch, [outputs,] target, vocabulary_size)`. So `predict` returns logits, as in
        KerasHub; `generate` returns text.

    Raises:
        TypeError: If a part is of a wrong type.
        ValueError: If parts do not fit together, such as vocabularies of different sizes.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    model = keras_s2s.models.Seq2Seq(
        keras_s2s.layers.RNNEncoder(16, vocabulary_size=50),
        keras_s2s.layers.RNNDecoder(60, 16),
    )
    result = model.generate({"encoder_token_ids": np.array([[5, 7, 3]])}, max_length=4)
    assert 1 <= result["lengths"].max() <= 4
    ```
    """

    def __init__(
        self,
        encoder,
        decoder,
        preprocessor=None,
        share_embedding=False,
        sampler="greedy",
        scheduled_sampling=None,
        auxiliary_loss=None,
        scorers=(),
        scorer_weights=(),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.encoder = _check_part("encoder", encoder, Encoder)
        self.decoder = _check_part("decoder", decoder, Decoder)
        self.preprocessor = preprocessor
        self.share_embedding = share_embedding
        self.sampler = decoding.get(sampler)
        if scheduled_sampling is not None and not isinstance(
            scheduled_sampling, keras.layers.Layer
        ):
            scheduled_sampling = ScheduledSampling(scheduled_sampling)
        self.scheduled_sampling = scheduled_sampling
        self.auxiliary_loss = auxiliary_loss
        if auxiliary_loss is not None:
            _check_part("auxiliary_loss", auxiliary_loss, CTC)
        self.scorers = layers_of(scorers, "scorers", Decoder) if scorers else []
        self.scorer_weights = self._checked_weights(scorer_weights)
        self._check_tokens()
        self._check_columns()
        if share_embedding:
            self.encoder.share_embedding(self.decoder)
        self.compile()
        self._build_if_shapes_are_known()

    def _checked_weights(self, weights):
        """The weights of the scorers as a tuple."""
        if not isinstance(weights, (list, tuple)):
            raise TypeError(
                "`scorer_weights` must be a list with a number for each scorer. Received: "
                f"{weights!r}"
            )
        return tuple(decoding.Fusion(self.decoder, self.scorers, weights).weights)

    def _check_tokens(self):
        """Raises a `ValueError` if the auxiliary loss does not fit the encoder or the decoder."""
        if self.auxiliary_loss is None:
            return
        if len(self.encoder.input_names) > 1:
            raise ValueError(
                "A CTC is for an encoder of one input, and this one reads "
                f"{', '.join(self.encoder.input_names)}. Leave out `auxiliary_loss`."
            )
        size = self.auxiliary_loss.vocabulary_size
        if size != self.decoder.vocabulary_size:
            raise ValueError(
                f"The decoder has {self.decoder.vocabulary_size} tokens, but the CTC was made with "
                f"vocabulary_size={size}. Give both the same."
            )

    @property
    def fused_decoder(self):
        """What `generate`, `score` and exports search with: the decoder, with the scorers if any.

        A `keras_s2s.layers.Decoder` or a `keras_s2s.decoding.Fusion`.
        """
        used = [(s, w) for s, w in zip(self.scorers, self.scorer_weights) if w]
        return decoding.Fusion(self.decoder, *zip(*used)) if used else self.decoder

    @property
    def _of_scorers(self):
        return {id(variable) for scorer in self.scorers for variable in scorer.variables}

    @property
    def trainable_variables(self):
        """The variables that `fit` trains; those of the scorers are not among them."""
        scorers = self._of_scorers
        return [v for v in super().trainable_variables if id(v) not in scorers]

    @property
    def non_trainable_variables(self):
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def trainable_weights(self):
        scorers = self._of_scorers
        return [v for v in super().trainable_weights if id(v) not in scorers]

    @property
    def non_trainable_weights(self):
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    def _check_columns(self):
        """Raises a `ValueError` if encoder or decoder cannot read what the preprocessor makes."""
        if self.preprocessor is None:
            return
        columns = {column.name: column for column in self.preprocessor.columns}
        for part in (self.encoder, self.decoder):
            missing = [name for name in part.input_names if name not in columns]
            if missing:
                raise ValueError(
                    f"The {type(part).__name__} reads {missing[0]!r}, but the columns of the "
                    f"preprocessor are {sorted(columns)}. Give a column that name."
                )
        for name, size in self.encoder.vocabulary_sizes.items():
            side = "source" if len(columns) == 1 else repr(name)
            _check_vocabulary(side, columns[name].vocabulary_size, self.encoder, size)
        target = self.preprocessor.target_tokenizer
        size = self.decoder.vocabulary_size
        _check_vocabulary("target", target.vocabulary_size, self.decoder, size)
        slots = max((column.copy_slots for column in columns.values()), default=0)
        if slots > self.decoder.output_size - size:
            raise ValueError(
                f"The preprocessor gives ids to {slots} words that the vocabulary lacks "
                f"(copy_slots={slots}), which the decoder does not know. Give it "
                f"head=keras_s2s.layers.CopyHead({slots})."
            )
        self.decoder.check_columns(columns, target)
        for name, (shape, _) in (self.encoder.input_spec_for_serving() or {}).items():
            made = columns[name].shape
            if made is not None and made != tuple(shape[1:]):
                raise ValueError(
                    f"The preprocessor makes {name!r} of {made}, but the encoder takes "
                    f"{tuple(shape[1:])}. Give both the same size."
                )

    def _build_if_shapes_are_known(self):
        specs = self.encoder.input_spec_for_serving()
        if specs is None or self.built:
            return
        shapes = {name: tuple(shape) for name, (shape, _) in specs.items()}
        self.build({**shapes, "decoder_token_ids": (None, None)})

    def build(self, input_shape):
        source = self.encoder.select(input_shape)
        # A shared embedding must belong to one layer only: the encoder, which builds it first.
        if not self.encoder.built:
            self.encoder.build(source)
        memory = self.encoder.compute_output_shape(source)
        for decoder in (self.decoder, *self.scorers):
            if not decoder.built:
                decoder.build(input_shape["decoder_token_ids"], memory)
        if self.auxiliary_loss is not None and not self.auxiliary_loss.built:
            self.auxiliary_loss.build(memory)
        if self.scheduled_sampling is not None and not self.scheduled_sampling.built:
            self.scheduled_sampling.build()

    def encode(self, features, training=False):
        """From features to the memory that decoders read.

        Args:
            features: Dict of the features; others, such as `"decoder_token_ids"`, are not read.
            training: Whether to apply dropout.

        Returns:
            The memory, see `keras_s2s.layers.Encoder`, plus the features that the decoder reads
            and, if the model has a `keras_s2s.layers.CTC`, its log-probabilities.
        """
        memory = self._encode(features, training)
        if self.auxiliary_loss is not None:
            memory[LOG_PROBS] = self.auxiliary_loss(memory)
        return memory

    def _encode(self, features, training):
        parts = (self.decoder, *self.scorers)
        read_by_decoder = {name: features[name] for part in parts for name in part.input_names}
        memory = self.encoder(self._known_to_encoder(features), training=training)
        return {**memory, **read_by_decoder}

    def _known_to_encoder(self, features):
        """The encoder's features; ids of words that only the decoder's head knows are unknown."""
        features = dict(features)
        for name, vocabulary_size in self.encoder.vocabulary_sizes.items():
            if name in self.decoder.input_names and self.decoder.output_size > vocabulary_size:
                ids = features[name]
                features[name] = ops.where(ids < vocabulary_size, ids, UNKNOWN)
        return self.encoder.select(features)

    def call(self, inputs, training=False):
        memory = self._encode(inputs, training)
        targets = inputs["decoder_token_ids"]

        def decode(targets, memory, rows_per_example):
            if training and self.auxiliary_loss is not None:
                self.auxiliary_loss(memory, targets, training=True)
            return self._decode(targets, memory, training, rows_per_example)

        return each_output(decode, targets, memory)

    def _decode(self, targets, memory, training, rows_per_example):
        if training and self.scheduled_sampling is not None:
            with no_gradient():
                logits = self.decoder(
                    targets, memory, training=False, rows_per_example=rows_per_example
                )
            targets = self.scheduled_sampling(targets, ops.stop_gradient(logits))
            del logits  # Logits are large.
        return self.decoder(targets, memory, training=training, rows_per_example=rows_per_example)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        sampler=None,
        scorer_weights=None,
        jit_compile="auto",
        **kwargs,
    ):
        """Configures training and generation. Called with its defaults on construction.

        Args:
            optimizer: A Keras optimizer, or `"auto"`: Adam with a learning rate of 5e-4
                and gradients clipped to a norm of 1.
            loss: A Keras loss, or `"auto"`: `keras_s2s.losses.TokenCrossentropy()`.
            weighted_metrics: Keras metrics, or `"auto"`: perplexity and token accuracy.
            sampler: How `generate` chooses tokens from now on, or None to leave it.
            scorer_weights: List of floats, the weights of the scorers from now on, or None to leave
                them.
            jit_compile: Whether to compile the training step with XLA. `"auto"` means no
                on TensorFlow, where each new shape would cost a compilation, and yes on
                JAX.
            **kwargs: Other arguments of `keras.Model.compile`.
        """
        if optimizer == "auto":
            optimizer = Adam(5e-4, global_clipnorm=1.0)
        if loss == "auto":
            loss = TokenCrossentropy()
        if weighted_metrics == "auto":
            weighted_metrics = [Perplexity(), TokenAccuracy()]
        if sampler is not None:
            self.sampler = decoding.get(sampler)
        if scorer_weights is not None:
            self.scorer_weights = self._checked_weights(scorer_weights)
        self._functions = Functions()
        self._jit_compile_argument = jit_compile
        if jit_compile == "auto" and keras.backend.backend() == "tensorflow":
            jit_compile = False
        super().compile(
            optimizer=optimizer,
            loss=loss,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **kwargs,
        )

    def get_compile_config(self):
        config = super().get_compile_config()
        if config:
            config["optimizer_built"] = bool(self.optimizer.built)
            known = {id(v) for v in self.optimizer._trainable_variables}
            if known and known != {id(v) for v in self.trainable_variables}:
                # Some variables were frozen after the optimizer was built.
                config["optimizer_variables"] = [
                    i for i, v in enumerate(self.weights) if id(v) in known
                ]
            # What "auto" means depends on the backend that loads the model.
            config["jit_compile"] = self._jit_compile_argument
        return config

    def compile_from_config(self, config):
        # Keras leaves this to every class with a `compile` of its own.
        config = keras.saving.deserialize_keras_object(config)
        # An optimizer has slots to load only if it trained before it was saved.
        optimizer_built = config.pop("optimizer_built", False)
        variables = config.pop("optimizer_variables", None)
        self.compile(**config)
        if optimizer_built and self.built:
            if variables is None:
                self.optimizer.build(self.trainable_variables)
            else:
                self.optimizer.build([self.weights[i] for i in variables])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """`keras.Model.compute_loss`; on several replicas, the loss of the whole batch."""
        if number_of_replicas() == 1:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        # Read first: while the loss waits for other replicas, they change `self.losses`.
        added = [ops.sum(loss) for loss in self.losses]
        loss = self._compile_loss(y, y_pred, sample_weight) if self._compile_loss else 0.0
        if added:
            # Layers add the mean over a replica's outputs: weight it by the number of outputs.
            number = ops.sum(ops.cast(ops.any(x["decoder_token_ids"] != 0, axis=-1), "float32"))
            loss += batch_mean(sum(added) * number, number) / number_of_replicas()
        return loss

    def make_train_function(self, force=False):
        # TensorFlow traces a function that makes variables twice, and tracing is most of a first
        # step: build the optimizer before. A layer that is not built would make variables anyway.
        optimizer = self.optimizer
        is_complete = self.built and all(layer.built for layer in self._flatten_layers())
        if is_complete and optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def save_to_preset(self, path, weights_dtype="float16"):
        """Writes the model into a folder that `from_preset` and `zoo.load` read.

        Args:
            path: The folder, made if needed.
            weights_dtype: The dtype of the weights on disk.
        """
        presets.save(self, path, weights_dtype)

    @classmethod
    def from_preset(cls, name_or_path, load_weights=True, dtype=None, **kwargs):
        """Reads a model from a folder that `save_to_preset` wrote, or a shipped one.

        `keras_s2s.zoo.load` does the same, and compares the files with their hashes first.

        Args:
            name_or_path: The folder, or the name of a shipped preset (`keras_s2s.zoo.list()`).
            load_weights: Whether to load the weights, or leave the initial ones.
            dtype: A dtype policy for the layers in place of the saved one.
            **kwargs: Arguments of the constructor in place of the saved ones.

        Returns:
            A model of the saved class.

        Raises:
            FileNotFoundError: If the folder or a file in it is missing.
            ValueError: If there is no preset of that name, a file is damaged, or it holds a
                model of another class.
        """
        return presets.load(cls, name_or_path, load_weights, dtype, **kwargs)

    def quantize(self, mode=None, **kwargs):
        """`keras.Model.quantize`: `"int8"` for dense and recurrent layers, and for embeddings.

        Convolutions and normalisations stay as they are, and Keras warns of each kind. The state
        of the optimizer is forgotten, since quantized weights do not train.

        Args:
            mode: `"int8"`.
            **kwargs: As of `keras.Model.quantize`, such as `filters`, which chooses the layers.

        Raises:
            ValueError: If `mode` is not `"int8"` and no `filters` are given: decoders take steps
                with int8 weights only.
        """
        if mode != "int8" and kwargs.get("filters") is None:
            raise ValueError(
                f'Decoders take steps with weights in int8, so use mode="int8". Received: {mode!r}'
            )
        super().quantize(mode, **kwargs)
        # The compiled functions would still read the weights from before.
        self._functions = Functions()
        if self.optimizer is not None and self.optimizer.built:
            self.optimizer = type(self.optimizer).from_config(self.optimizer.get_config())

    def summary(self, line_length=None, positions=None, print_fn=None, **kwargs):
        """`keras.Model.summary`, with a table of the preprocessor before it."""
        if self.preprocessor is not None:
            _summary.print_preprocessor(self.preprocessor, line_length, print_fn)
        super().summary(line_length, positions, print_fn, **kwargs)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """`keras.Model.save`: the model, its tokenizers and its optimizer as a `.keras` file.

        Parts that are frozen or quantized are so again in the model that is loaded.
        """
        _files.check_save(filepath, zipped)
        super().save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """`keras.Model.save_weights`: the weights alone as a `.weights.h5` file."""
        _files.check_save_weights(filepath, max_shard_size)
        super().save_weights(filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def export(self, path, sampler=None, max_length=None, *, format="tf_saved_model", verbose=None):
        """Writes a SavedModel: strings in, strings out, with the search inside.

        It needs only TensorFlow and TensorFlow Text, so TensorFlow Serving can run it; Python
        programs import both before they load it. The signatures of a translator, for `b` texts (see
        `ImageCaptioner` for images):

        | signature | inputs | outputs |
        |---|---|---|
        | `serving_default` | `text` string `(b,)` | `text` string `(b,)`, `score` and `confidence` float32 `(b,)` |
        | `nbest` | `text` | `text` string `(b, n)`, `score` and `confidence` float32 `(b, n)`, best first |
        | `align` | `text` | `text`, `score`, `confidence`, `source_tokens` string `(b, s)`, `target_tokens` string `(b, t)`, `attention` float32 `(b, t, s)` |
        | `tokens` | `token_ids` int32 `(b, s)` | `token_ids` int32 `(b, t)`, `length` int32 `(b,)`, `score`, `confidence` |

        Scores are what the sampler ranks by, confidences the mean log-probability of the tokens (of
        a model with `scorers`, the mean of the weighted sum of all).
        `n` is the sampler's `num_beams`, or else its `num_return_sequences` (1 for greedy); where a
        beam search finds fewer, the rest have empty texts and scores of -inf; it lists every text
        once. Padding is the empty piece, with attention 0, and the id 0. Texts longer than the
        preprocessor's `source_length` are cut; an export cannot warn of it. Sources given as
        `token_ids` end with the end id, 3. An empty batch gives empty outputs.

        A model of several inputs takes them all, by the names of their columns: in place of `text`
        and `source_tokens` the `raw_name` of each, `NAME_tokens` and `NAME_attention`, and in
        `tokens` the features by their names.

        A decoder without attention gives no `align`. A model whose `preprocessor` is None gives
        only `tokens`, and that without any operation of TensorFlow Text, for servers that lack it.
        A random sampler with a seed draws the same numbers for every request: row `i` gets the
        numbers of input `i` of `generate`. Without a seed, every server goes on from the state that
        the sampler has when it is exported.

        The graph is checked: what stock TensorFlow Serving lacks is refused (see
        `keras_s2s.serving.ALLOWED_OPS`). The folder appears only when all is written.

        Args:
            path: The folder to make. TensorFlow Serving expects a number below the model's name,
                such as `"translator/1"`, and serves the largest. It may exist if it is empty.
            sampler: How to choose tokens, as in `compile`; by default the model's sampler.
            max_length: As in `generate`.
            format: `"tf_saved_model"`. The other formats of Keras's `export` are refused.
            verbose: Whether to print where the model was written, and its signatures. None means
                yes, as in Keras.

        Raises:
            FileExistsError: If the folder holds something already.
            RuntimeError: If the backend is not TensorFlow.
            ValueError: If the format is another, the model has no weights yet, reads no token ids,
                or uses operations that a server lacks.

        Example:
        ```python
        import tensorflow as tf
        import tensorflow_text
        import keras_s2s

        tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(
            ["ein Hund", "eine Katze", "a dog", "a cat"], vocabulary_size=20
        )
        model = keras_s2s.models.Translator(
            keras_s2s.layers.RNNEncoder(16, vocabulary_size=20),
            keras_s2s.layers.RNNDecoder(20, 16),
            keras_s2s.preprocessing.TextPairPreprocessor(tokenizer),
        )
        model.export("translator/1", sampler=keras_s2s.decoding.Beam(num_beams=2))
        served = tf.saved_model.load("translator/1").signatures["serving_default"]
        assert served(text=tf.constant(["ein Hund"]))["score"].shape == (1,)
        ```
        """  # noqa: E501
        from keras_s2s import serving

        _files.check_export(format, sampler)
        serving.export(self, path, sampler, max_length, verbose is None or bool(verbose))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": unbuilt_config(self.encoder),
            "decoder": unbuilt_config(self.decoder),
            "preprocessor": serialize(self.preprocessor),
            "share_embedding": self.share_embedding,
            "sampler": serialize(self.sampler),
            "scheduled_sampling": serialize(self.scheduled_sampling),
            "auxiliary_loss": self.auxiliary_loss and unbuilt_config(self.auxiliary_loss),
            "scorers": [unbuilt_config(scorer) for scorer in self.scorers],
            "scorer_weights": list(self.scorer_weights),
        }


def _check_part(name, layer, base):
    if not isinstance(layer, base):
        raise TypeError(
            f"`{name}` must be a keras_s2s.layers.{base.__name__}, such as those there or a "
            f"subclass. Received: {layer!r}"
        )
    return layer


def _check_vocabulary(side, size, layer, made_with):
    if size is not None and made_with is not None and size != made_with:
        raise ValueError(
            f"The {side} tokenizer has {size} tokens, but the {type(layer).__name__} was made with "
            f"vocabulary_size={made_with}. Pass vocabulary_size={size} there."
        )
