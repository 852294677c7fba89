"""Training and evaluation on raw data: what `keras.Model` does, from strings or images."""

import keras

from keras_s2s._checks import check_int
from keras_s2s.models import _raw_datasets, _raw_forms
from keras_s2s.models._compile import without_tensorflow
from keras_s2s.models._raw_lists import RawLists
from keras_s2s.preprocessing.as_column import part
from keras_s2s.preprocessing.long_texts import CutTexts


class TakesRawData:
    """Mixin of a `keras.Model` with a `preprocessor`: its loops take raw data too."""

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
                output, a dict of `"encoder_text"` (of a captioner `"images"`, of other models the
                `raw_name` of each column) and `"decoder_text"`, a `tf.data.Dataset` of pairs or
                of such dicts, batched or not, a generator, DataLoader or `keras.utils.PyDataset`
                of raw batches, or anything that Keras takes. With `steps_per_epoch` a generator
                may have no end.
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
            steps_per_epoch: As in Keras, but not for `keras_s2s.data.Batches`, whose
                epochs would mix.
            validation_steps: As in Keras.
            validation_batch_size: As in Keras, for raw data too.
            validation_freq: As in Keras.

        Returns:
            A `keras.callbacks.History`.
        """
        batch_size = _check_batch_size(batch_size)
        validation_batch_size = _check_batch_size(validation_batch_size, "validation_batch_size")
        x = _raw_forms.given(self.preprocessor, x, "x", shuffle, steps_per_epoch, batch_size)
        self._check_weights(x, class_weight, sample_weight)
        cuts = CutTexts(self.preprocessor)
        if validation_data is not None:
            validation_split = 0.0
            is_tuple = isinstance(validation_data, tuple)
            held_out_x, *rest = validation_data if is_tuple else (validation_data,)
            held_out_x = _raw_forms.given(
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
        elif validation_split and _raw_forms.has_columns(self.preprocessor, x):
            _raw_forms.check_preprocessor(self.preprocessor)
            x, y = _raw_forms.columns(self.preprocessor, x, y)
            first = int(len(x) * (1 - validation_split))
            held_out = (part(column, range(first, len(column))) for column in (x, y))
            validation_data, _, _ = self._prepare(
                *held_out, validation_batch_size or batch_size, cuts
            )
            x, y = (part(column, range(first)) for column in (x, y))
            validation_split, validation_batch_size = 0.0, None
        raw = x
        x, y, batch_size = self._prepare(x, y, batch_size, cuts, training=True, shuffle=shuffle)
        # Cut texts of lists are counted by now, cut texts of datasets only after an epoch.
        cuts.warn()
        if cuts.is_watching:
            callbacks = [*_as_list(callbacks), _TellCuts(cuts)]
        if hasattr(x, "set_epoch"):
            if steps_per_epoch not in (None, len(x)):
                raise ValueError(
                    f"An epoch of these batches has {len(x)} steps, and each epoch has another "
                    f"order, so `steps_per_epoch` must be None or {len(x)}. For epochs of another "
                    "length, pass `batches.as_tf_dataset().repeat()`. Received: "
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
            # Raw data are shuffled by now, and batches with epochs have a reproducible order.
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
        x = _raw_forms.given(self.preprocessor, x, steps=kwargs.get("steps"), batch_size=batch_size)
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

        Logits of raw pairs are `(pairs, longest target, vocabulary_size)`. To get texts, call
        `generate`.
        """
        batch_size = _check_batch_size(batch_size)
        raw = x = _raw_forms.given(self.preprocessor, x, steps=steps, batch_size=batch_size)
        _raw_forms.check_pairs(self.preprocessor, x, "predict")
        cuts = CutTexts(self.preprocessor)
        x, _, size = self._prepare(x, None, batch_size, cuts, for_keras=False)
        if isinstance(x, RawLists):
            x, steps = x.features(steps), None
        elif x is not raw:
            batch_size = size
            # `equally_long` reads the batches twice, so a limited number of them is kept.
            x = _raw_datasets.equally_long(x if steps is None else x.take(steps).cache())
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
        _raw_forms.check_pairs(self.preprocessor, x, "predict_on_batch")
        x, _, _ = self._prepare_batch(x)
        return super().predict_on_batch(x)

    def _prepare_batch(self, x, y=None, sample_weight=None, class_weight=None, training=False):
        """A raw batch as `(x, labels, sample_weight)`; anything else as it is."""
        x = _raw_forms.given(self.preprocessor, x)
        self._check_weights(x, class_weight, sample_weight)
        if not _raw_forms.has_columns(self.preprocessor, x):
            return x, y, sample_weight
        _raw_forms.check_preprocessor(self.preprocessor)
        x, y = _raw_forms.columns(self.preprocessor, x, y)
        return keras.tree.map_structure(
            without_tensorflow, self.preprocessor(x, y, sample=training)
        )

    def _check_weights(self, x, class_weight, sample_weight):
        given = [
            name
            for name, value in (("class_weight", class_weight), ("sample_weight", sample_weight))
            if value is not None
        ]
        if given and x is not None and _raw_forms.is_raw(self.preprocessor, x):
            raise ValueError(
                f"`{given[0]}` is not supported for raw data, whose tokens weigh 1 and whose "
                "padding weighs 0. To weight examples, call `x, labels, weights = "
                "model.preprocessor(inputs, outputs)`, multiply `weights`, and pass all three."
            )

    def _prepare(self, x, y, batch_size, cuts, training=False, shuffle=False, for_keras=True):
        """Raw data as batches of features; anything else as it is. `cuts` counts what is cut."""
        if x is None:
            raise ValueError("There is no data: `x` is None.")
        if not _raw_forms.is_raw(self.preprocessor, x):
            if isinstance(x, dict):
                _raw_forms.check_keys(self.preprocessor, x, self.encoder.input_names)
                self.encoder.check_features(self.encoder.select(x))
            return x, y, batch_size
        _raw_forms.check_preprocessor(self.preprocessor)
        batches = _raw_datasets.make(
            self.preprocessor, x, y, batch_size or 32, cuts, training, shuffle
        )
        if for_keras and isinstance(batches, RawLists):
            batches = batches.for_keras()
        return batches, None, None


class _SameEpoch(keras.callbacks.Callback):
    """Tells batches that differ by epoch which epoch it is, also when training is resumed."""

    def __init__(self, batches, initial_epoch):
        super().__init__()
        self.batches = batches
        # A second call of `fit`, which counts from 0 again, is to see new batches.
        self.before = max(batches.epoch - initial_epoch, 0)

    def on_epoch_begin(self, epoch, logs=None):
        # Keras has read batches already, to build the model, which may have counted as an epoch.
        self.batches.set_epoch(self.before + epoch)


class _TellCuts(keras.callbacks.Callback):
    """Warns after the first epoch how many texts of datasets were cut."""

    def __init__(self, cuts):
        super().__init__()
        self.cuts = cuts

    def on_epoch_end(self, epoch, logs=None):
        self.cuts.warn()
        self.cuts.is_watching = False


def _check_batch_size(value, name="batch_size"):
    return None if value is None else check_int(name, value, 1)


def _as_list(callbacks):
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return callbacks if isinstance(callbacks, (list, tuple)) else [c for c in [callbacks] if c]
