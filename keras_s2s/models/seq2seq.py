import keras
import numpy as np
from keras import ops

from keras_s2s import decoding
from keras_s2s._backend.replicas import batch_mean, number_of_replicas
from keras_s2s._backend.scan import no_gradient
from keras_s2s._checks import check_choice, check_int
from keras_s2s.layers import Attention, Decoder, Encoder, ScheduledSampling
from keras_s2s.layers._parts import KeepsParts
from keras_s2s.models import _files, _long_inputs, _raw, _summary, generation, presets
from keras_s2s.models._functions import Functions, without_tensorflow
from keras_s2s.preprocessing.as_column import part
from keras_s2s.preprocessing.long_texts import CutTexts
from keras_s2s.preprocessing.text import as_list
from keras_s2s.training.losses import TokenCrossentropy
from keras_s2s.training.metrics import Perplexity, TokenAccuracy
from keras_s2s.training.optimizers import Adam


@keras.saving.register_keras_serializable("keras_s2s")
class Seq2Seq(KeepsParts, keras.Model):
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
        **kwargs: Keras's own model arguments.

    Call arguments:
        inputs: Dict of the features that the encoder reads, for text `"encoder_token_ids"`
            `(batch, source)`, and `"decoder_token_ids"` `(batch, target)`: the start
            token, then the target shifted by one. 0 is padding. Where inputs have several
            outputs each, `(batch, outputs, target)`.
        training: Whether to drop.

    Returns:
        Logits `(batch, [outputs,] target, vocabulary_size)`. So `predict` returns logits, as in
        KerasHub; `generate` returns text.
    """

    def __init__(
        self,
        encoder,
        decoder,
        preprocessor=None,
        share_embedding=False,
        sampler="greedy",
        scheduled_sampling=None,
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
        self._check_columns()
        if share_embedding:
            self._share_embedding()
        self.compile()
        self._build_if_shapes_are_known()

    def _check_columns(self):
        """Raises where the preprocessor makes what the encoder or the decoder cannot read."""
        if self.preprocessor is None:
            return
        columns = {column.name: column for column in self.preprocessor.columns}
        missing = [name for name in self.encoder.input_names if name not in columns]
        if missing:
            raise ValueError(
                f"The {type(self.encoder).__name__} reads {missing[0]!r}, but the columns of the "
                f"preprocessor are {sorted(columns)}. Give a column that name."
            )
        for name, size in self.encoder.vocabulary_sizes.items():
            side = "source" if len(columns) == 1 else repr(name)
            _check_vocabulary(side, columns[name].vocabulary_size, self.encoder, size)
        target = self.preprocessor.target_tokenizer.vocabulary_size
        _check_vocabulary("target", target, self.decoder, self.decoder.vocabulary_size)
        for name, (shape, _) in (self.encoder.input_spec_for_serving() or {}).items():
            made = columns[name].shape
            if made is not None and made != tuple(shape[1:]):
                raise ValueError(
                    f"The preprocessor makes {name!r} of {made}, but the encoder takes "
                    f"{tuple(shape[1:])}. Give both the same `image_size`."
                )

    def _build_if_shapes_are_known(self):
        specs = self.encoder.input_spec_for_serving()
        if specs is None or self.built:
            return
        shapes = {name: tuple(shape) for name, (shape, _) in specs.items()}
        self.build({**shapes, "decoder_token_ids": (None, None)})

    def _share_embedding(self):
        ours, theirs = self.encoder.embedding, self.decoder.embedding
        if ours is None or (ours.input_dim, ours.output_dim) != (
            theirs.input_dim,
            theirs.output_dim,
        ):
            sizes = None if ours is None else (ours.input_dim, ours.output_dim)
            raise ValueError(
                "`share_embedding=True` needs an encoder with the vocabulary size and embedding "
                f"dimension of the decoder, {(theirs.input_dim, theirs.output_dim)}. Received an "
                f"encoder with {sizes}."
            )
        if self.encoder.built:
            raise ValueError(
                "`share_embedding=True` needs an encoder that has not been built or called yet."
            )
        # Keras counts a layer whose attribute is replaced as a part still, and it is never built.
        self.encoder._tracker.untrack(ours)
        self.encoder.embedding = theirs

    def build(self, input_shape):
        source = self.encoder.select(input_shape)
        # A shared embedding must belong to one layer only: that which builds it first.
        if not self.encoder.built:
            self.encoder.build(source)
        if not self.decoder.built:
            memory = self.encoder.compute_output_shape(source)
            self.decoder.build(input_shape["decoder_token_ids"], memory)
        if self.scheduled_sampling is not None and not self.scheduled_sampling.built:
            self.scheduled_sampling.build()

    def encode(self, features, training=False):
        """From features to the memory that decoders read.

        Args:
            features: Dict of the features; others, such as `"decoder_token_ids"`, are not read.
            training: Whether to drop.

        Returns:
            The memory, see `keras_s2s.layers.Encoder`.
        """
        return self.encoder(self.encoder.select(features), training=training)

    def call(self, inputs, training=False):
        memory = self.encode(inputs, training)
        targets = inputs["decoder_token_ids"]
        if len(targets.shape) == 2:
            return self._decode(targets, memory, training, rows_per_example=1)
        batch, several, length = ops.shape(targets)
        rows = ops.reshape(targets, (batch * several, length))
        logits = self._decode(rows, memory, training, rows_per_example=several)
        return ops.reshape(logits, (batch, several, *ops.shape(logits)[1:]))

    def _decode(self, targets, memory, training, rows_per_example):
        if training and self.scheduled_sampling is not None:
            with no_gradient():
                logits = self.decoder(
                    targets, memory, training=False, rows_per_example=rows_per_example
                )
            targets = self.scheduled_sampling(targets, ops.stop_gradient(logits))
            del logits  # They are large.
        return self.decoder(targets, memory, training=training, rows_per_example=rows_per_example)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        sampler=None,
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
                # Some were frozen since it was built.
                config["optimizer_variables"] = [
                    i for i, v in enumerate(self.weights) if id(v) in known
                ]
            # What "auto" means depends on the backend that loads it.
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
        """`keras.Model.compute_loss`; on several replicas the loss is that of the whole batch."""
        if number_of_replicas() == 1:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        # First, since in the loss this replica waits for others, which write the same list.
        added = [ops.sum(loss) for loss in self.losses]
        loss = self._compile_loss(y, y_pred, sample_weight) if self._compile_loss else 0.0
        if added:
            # Layers add means over the outputs that a replica has, which may be few.
            number = ops.sum(ops.cast(ops.any(x["decoder_token_ids"] != 0, axis=-1), "float32"))
            loss += batch_mean(sum(added) * number, number) / number_of_replicas()
        return loss

    def make_train_function(self, force=False):
        # TensorFlow traces twice what makes variables, and most of a first step is tracing. Layers
        # of others may make some of their own when they are first called.
        optimizer, layers = self.optimizer, [self.encoder, self.decoder]
        layers += [part for part in self._flatten_layers() if isinstance(part, Attention)]
        is_ours = all(type(layer).__module__.startswith("keras_s2s.") for layer in layers)
        if self.built and is_ours and optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """`keras.Model.fit`, which takes raw data too.

        Args:
            x: Raw inputs (a list, an array, a column of a table, an iterator), pairs of input and
                output, a dict of `"encoder_text"` (of a captioner `"images"`) and
                `"decoder_text"`, a `tf.data.Dataset` of pairs or such dicts, batched or not, a
                generator, DataLoader or `keras.utils.PyDataset` of raw batches, or anything
                that Keras takes. With `steps_per_epoch` a generator may have no end.
            y: Raw outputs, as many as inputs; of a captioner also a list of texts for each.
            batch_size: Integer, 32 by default.
            epochs: Integer.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_split: Float in [0, 1), the share of raw lists, taken from their
                end, that is held out for validation where there is no `validation_data`.
            validation_data: A tuple `(inputs, outputs)`, a list of pairs or a dataset, raw
                or not.
            shuffle: Whether to draw a new order of raw lists in each epoch. Batches of
                `keras_s2s.data` come in their own order.
            class_weight: As in Keras, but not for raw data.
            sample_weight: As in Keras, but not for raw data, whose tokens weigh 1 and padding 0.
            initial_epoch: As in Keras.
            steps_per_epoch: As in Keras, but not for `keras_s2s.data.BucketedBatches`, whose
                epochs would mix.
            validation_steps: As in Keras.
            validation_batch_size: As in Keras, for raw data too.
            validation_freq: As in Keras.

        Returns:
            A `keras.callbacks.History`.
        """
        batch_size = _check_batch_size(batch_size)
        validation_batch_size = _check_batch_size(validation_batch_size, "validation_batch_size")
        x = _raw.given(self.preprocessor, x, "x", shuffle, steps_per_epoch, batch_size)
        self._check_weights(x, class_weight, sample_weight)
        cuts = CutTexts(self.preprocessor)
        if validation_data is not None:
            validation_split = 0.0
            is_tuple = isinstance(validation_data, tuple)
            held_out_x, *rest = validation_data if is_tuple else (validation_data,)
            held_out_x = _raw.given(
                self.preprocessor,
                held_out_x,
                "validation_data",
                steps=validation_steps,
                batch_size=validation_batch_size or batch_size,
            )
            self._check_weights(held_out_x, None, rest[1] if len(rest) > 1 else None)
            prepared, _, _ = self._prepare(
                held_out_x, rest[0] if rest else None, validation_batch_size or batch_size, cuts
            )
            if prepared is not held_out_x:
                validation_data, validation_batch_size = prepared, None
            else:
                validation_data = (held_out_x, *rest) if is_tuple else held_out_x
        elif validation_split and _raw.has_columns(self.preprocessor, x):
            self._check_preprocessor()
            x, y = _raw.columns(self.preprocessor, x, y)
            first = int(len(x) * (1 - validation_split))
            held_out = (part(column, range(first, len(column))) for column in (x, y))
            validation_data, _, _ = self._prepare(
                *held_out, validation_batch_size or batch_size, cuts
            )
            x, y = (part(column, range(first)) for column in (x, y))
            validation_split, validation_batch_size = 0.0, None
        raw = x
        x, y, batch_size = self._prepare(x, y, batch_size, cuts, training=True, shuffle=shuffle)
        # Those of lists are known by now, those of datasets after an epoch.
        cuts.warn()
        if cuts.is_watching:
            callbacks = [*_as_list(callbacks), _TellCuts(cuts)]
        if hasattr(x, "set_epoch"):
            if steps_per_epoch not in (None, len(x)):
                raise ValueError(
                    f"These batches are {len(x)} an epoch, each with an order of its own. Pass "
                    "`batches.as_tf_dataset().repeat()` to count otherwise. Received: "
                    f"steps_per_epoch={steps_per_epoch}"
                )
            callbacks = [*_as_list(callbacks), _SameEpoch(x, initial_epoch)]
        return super().fit(
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            # Raw data have their order by now, and these batches one that a seed can give again.
            shuffle=shuffle and x is raw and not hasattr(x, "set_epoch"),
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(
        self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **kwargs
    ):
        """`keras.Model.evaluate`, which takes raw data too, in the forms of `fit`."""
        batch_size = _check_batch_size(batch_size)
        x = _raw.given(self.preprocessor, x, steps=kwargs.get("steps"), batch_size=batch_size)
        self._check_weights(x, None, sample_weight)
        cuts = CutTexts(self.preprocessor)
        x, y, batch_size = self._prepare(x, y, batch_size, cuts)
        result = super().evaluate(
            x, y, batch_size=batch_size, verbose=verbose, sample_weight=sample_weight, **kwargs
        )
        cuts.warn()
        return result

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """`keras.Model.predict`, which takes raw pairs too: the logits of teacher forcing.

        Those of raw pairs are `(pairs, longest target, vocabulary_size)`. For texts call
        `generate`.
        """
        batch_size = _check_batch_size(batch_size)
        raw = x = _raw.given(self.preprocessor, x, steps=steps, batch_size=batch_size)
        _raw.check_pairs(self.preprocessor, x, "predict")
        cuts = CutTexts(self.preprocessor)
        x, _, size = self._prepare(x, None, batch_size, cuts, for_keras=False)
        if isinstance(x, _raw.RawLists):
            x, steps = x.features(steps), None
        elif x is not raw:
            batch_size = size
            # They are read twice.
            x = _raw.equally_long(x if steps is None else x.take(steps).cache())
        logits = super().predict(
            x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks
        )
        cuts.warn()
        return logits

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """`keras.Model.train_on_batch`, which takes a batch of raw data too, as `fit` does."""
        x, y, sample_weight = self._prepare_batch(x, y, sample_weight, class_weight, training=True)
        return super().train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """`keras.Model.test_on_batch`, which takes a batch of raw data too, as `fit` does."""
        x, y, sample_weight = self._prepare_batch(x, y, sample_weight)
        return super().test_on_batch(x, y, sample_weight, return_dict)

    def predict_on_batch(self, x):
        """`keras.Model.predict_on_batch`, which takes raw pairs too, as `predict` does."""
        _raw.check_pairs(self.preprocessor, x, "predict_on_batch")
        x, _, _ = self._prepare_batch(x)
        return super().predict_on_batch(x)

    def _prepare_batch(self, x, y=None, sample_weight=None, class_weight=None, training=False):
        """A raw batch as `(x, labels, sample_weight)`; anything else as it is."""
        x = _raw.given(self.preprocessor, x)
        self._check_weights(x, class_weight, sample_weight)
        if not _raw.has_columns(self.preprocessor, x):
            return x, y, sample_weight
        self._check_preprocessor()
        x, y = _raw.columns(self.preprocessor, x, y)
        return keras.tree.map_structure(
            without_tensorflow, self.preprocessor(x, y, sample=training)
        )

    def _check_weights(self, x, class_weight, sample_weight):
        given = [
            name
            for name, value in (("class_weight", class_weight), ("sample_weight", sample_weight))
            if value is not None
        ]
        if given and x is not None and _raw.is_raw(self.preprocessor, x):
            raise ValueError(
                f"Raw data bring weights, 1 for every token and 0 for padding, so `{given[0]}` "
                "cannot be given. Pass what `model.preprocessor(inputs, outputs)` returns, with "
                "the weights multiplied."
            )

    def _prepare(self, x, y, batch_size, cuts, training=False, shuffle=False, for_keras=True):
        """Raw data as batches of features; anything else as it is. `cuts` counts what is cut."""
        if x is None:
            raise ValueError("There is no data: `x` is None.")
        if not _raw.is_raw(self.preprocessor, x):
            if isinstance(x, dict):
                _raw.check_keys(self.preprocessor, x, self.encoder.input_names)
                self.encoder.check_features(self.encoder.select(x))
            return x, y, batch_size
        self._check_preprocessor()
        batches = _raw.dataset(self.preprocessor, x, y, batch_size or 32, cuts, training, shuffle)
        if for_keras and isinstance(batches, _raw.RawLists):
            batches = batches.for_keras()
        return batches, None, None

    def _check_preprocessor(self):
        if self.preprocessor is None:
            raise ValueError(
                "This model has no preprocessor, so it takes tensors and no raw data. Set "
                "`model.preprocessor`, or pass dicts of token ids."
            )

    def generate(
        self,
        inputs,
        max_length=None,
        sampler=None,
        batch_size=64,
        return_scores=False,
        return_attention=False,
        on_long="cut",
        on_error="raise",
    ):
        """Raw inputs to outputs.

        Args:
            inputs: One input, several (a list, an array, a column of a table, an iterator), a
                `tf.data.Dataset` of inputs, batched or not, or a dict of tensors as
                `generate_preprocess` of the preprocessor makes them (and any others, which are
                not read).
                With prompts a dict of `"encoder_text"` (of a captioner `"images"`) and
                `"decoder_text"`, one of each or as many: every output begins with its prompt.
            max_length: Integer, the largest number of tokens of an output, including the
                prompt and the end, which is forced there. By default twice the input's
                number of steps plus 10 beyond the prompt, and never more than the
                preprocessor's `target_length`. An empty text gives an empty text.
            sampler: As in `compile`, for this call only.
            batch_size: Integer. Inputs of similar length share a batch.
            return_scores: Whether to return the scores too: what the sampler ranks by.
            return_attention: Whether to return the attention too.
            on_long: What to do with texts of more pieces than the preprocessor's `source_length`
                (the card of a preset says how many): `"cut"` cuts their ends off, with one
                warning; `"error"` refuses them before anything is computed; `"split"` goes through
                them sentence by sentence. A sentence that is too long by itself is split at commas,
                else between words. The outputs are joined with the white space that the source
                has between its sentences; the score is the mean of the sentences' scores, the
                second-best text joins the second-best of each, and a prompt begins the first
                sentence. There is no attention then.
            on_error: What an input does that cannot be read: a file that is missing or damaged, a
                text that is none. `"raise"`: an error that names it. `"none"`: None in its place
                in all that is returned, one warning that says how many and why, and results
                for the others.

        Returns:
            The output text for one input, a list of texts for many. With a sampler that
            returns several sequences, a list of texts in place of each text, best first.
            A beam search lists every text once; see `keras_s2s.decoding.Beam`.
            With `return_scores` or `return_attention`, a tuple of texts, scores (floats)
            and attentions (`keras_s2s.models.Alignment`), nested alike. For a dict of
            tensors, the dict that the sampler returns, as NumPy arrays.

        Raises:
            RuntimeError: Inside of a `tf.function` or a `tf.data` map.
            TypeError: If an input is of a wrong type.
            ValueError: If an input cannot be read, or another argument is not what it must be.
        """
        _raw.check_eager("generate")
        sampler = self.sampler if sampler is None else decoding.get(sampler)
        check_choice("on_error", on_error, ("raise", "none"))
        if max_length is not None:
            max_length = check_int("max_length", max_length, 1)
        batch_size = check_int("batch_size", batch_size, 1)
        _long_inputs.check_on_long(self.preprocessor, on_long, return_attention)
        if isinstance(inputs, dict) and not _raw.is_raw(self.preprocessor, inputs):
            features = self.encoder.select(inputs)
            if "prompt_token_ids" in inputs:
                most = max_length or getattr(self.preprocessor, "target_length", None) or 256
                _long_inputs.check_prompt_ids(inputs["prompt_token_ids"], most)
            self.encoder.check_features(features)
            run = self._functions.decode(self, sampler, return_attention)
            result = run({name: without_tensorflow(x) for name, x in inputs.items()}, max_length)
            return {name: ops.convert_to_numpy(value) for name, value in result.items()}
        self._check_preprocessor()
        results, single = generation.generate(
            self, inputs, max_length, sampler, batch_size, return_attention, on_long, on_error
        )
        several = sampler.get_config().get("num_return_sequences", 1) > 1
        columns = [0, *([1] if return_scores else []), *([2] if return_attention else [])]
        outputs = []
        for column in columns:
            values = [
                result and [hypothesis[column] for hypothesis in result] for result in results
            ]
            values = values if several else [value and value[0] for value in values]
            outputs.append(values[0] if single else values)
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def score(self, inputs, outputs, batch_size=64):
        """How probable the model finds given outputs.

        Args:
            inputs: One raw input or a list of them.
            outputs: One raw output or as many as inputs.
            batch_size: Integer.

        Returns:
            The natural logarithm of the probability of each output, end token included:
            a float for one pair, a NumPy array `(pairs,)` for lists.
        """
        _raw.check_eager("score")
        batch_size = check_int("batch_size", batch_size, 1)
        self._check_preprocessor()
        inputs, single = _raw.items(self.preprocessor, inputs)
        outputs, _ = as_list(outputs, "outputs")
        _raw.check_equal("inputs", inputs, "outputs", outputs)
        cuts = CutTexts(self.preprocessor)
        cuts.count(inputs, outputs)
        cuts.warn()
        scores = np.zeros(len(inputs), "float32")
        score = self._functions.score(self)
        for batch in _raw.batches_of_similar_size(outputs, len, batch_size):
            pairs = self.preprocessor([inputs[i] for i in batch], [outputs[i] for i in batch])
            scores[batch] = ops.convert_to_numpy(score(*pairs))
        return float(scores[0]) if single else scores

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
        """`keras.Model.quantize`: `"int8"` for the dense layers and embeddings.

        The recurrent layers, convolutions and normalisations stay as they are, and Keras warns of
        each kind. The state of the optimizer is forgotten, since quantized weights do not train.

        Raises:
            ValueError: If the mode is another, which decoders cannot take steps with, and
                `filters` do not choose the layers.
        """
        if mode != "int8" and kwargs.get("filters") is None:
            raise ValueError(
                f'Decoders take steps with weights in int8, so use mode="int8". Received: {mode!r}'
            )
        super().quantize(mode, **kwargs)
        # Their graphs read the weights that were.
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

        TensorFlow and TensorFlow Text alone run it, so TensorFlow Serving does; Python programs
        import both before they load it. The signatures of a translator, for `b` texts (those of a
        captioner are with its class):

        | signature | inputs | outputs |
        |---|---|---|
        | `serving_default` | `text` string `(b,)` | `text` string `(b,)`, `score` float32 `(b,)` |
        | `nbest` | `text` | `text` string `(b, n)`, `score` float32 `(b, n)`, best first |
        | `align` | `text` | `text`, `score`, `source_tokens` string `(b, s)`, `target_tokens` string `(b, t)`, `attention` float32 `(b, t, s)` |
        | `tokens` | `token_ids` int32 `(b, s)` | `token_ids` int32 `(b, t)`, `length` int32 `(b,)`, `score` |

        Scores are what the sampler ranks by. `n` is the sampler's `num_beams`, or else its
        `num_return_sequences` (1 for greedy); where a beam search finds fewer, the rest have empty
        texts and scores of -inf; it lists every text once. Padding is the empty piece, with
        attention 0, and the id 0. Texts longer than the preprocessor's `source_length` are cut; an
        export cannot tell of it. Sources given as `token_ids` end with the end id, 3. A batch of
        none gives outputs of none.

        A decoder without attention gives no `align`. A model whose `preprocessor` is None gives
        only `tokens`, and that without any operation of TensorFlow Text, for servers that lack it.
        A random sampler with a seed draws the same numbers for every request, for row `i` those of
        input `i` of `generate`. Without a seed it goes on from the state it has when exported, in
        each server alike.

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
            "encoder": _unbuilt(self.encoder),
            "decoder": _unbuilt(self.decoder),
            "preprocessor": serialize(self.preprocessor),
            "share_embedding": self.share_embedding,
            "sampler": serialize(self.sampler),
            "scheduled_sampling": serialize(self.scheduled_sampling),
        }


class _SameEpoch(keras.callbacks.Callback):
    """Batches that differ by epoch go on where training does, also after an interruption."""

    def __init__(self, batches, initial_epoch):
        super().__init__()
        self.batches = batches
        # A second call of fit, which counts from 0 again, is to see new ones.
        self.before = max(batches.epoch - initial_epoch, 0)

    def on_epoch_begin(self, epoch, logs=None):
        # Keras has looked at some batches already, to build the model, and counts that too.
        self.batches.set_epoch(self.before + epoch)


class _TellCuts(keras.callbacks.Callback):
    """Says after the first epoch how many texts of datasets were cut."""

    def __init__(self, cuts):
        super().__init__()
        self.cuts = cuts

    def on_epoch_end(self, epoch, logs=None):
        self.cuts.warn()
        self.cuts.is_watching = False


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


def _check_batch_size(value, name="batch_size"):
    return None if value is None else check_int(name, value, 1)


def _as_list(callbacks):
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return callbacks if isinstance(callbacks, (list, tuple)) else [c for c in [callbacks] if c]


def _unbuilt(layer):
    """The config of a layer without shapes, which would build it before embeddings are shared."""
    config = keras.saving.serialize_keras_object(layer)
    config.pop("build_config", None)
    return config
