"""Generates texts from raw inputs, and scores how probable given texts are."""

import warnings

import numpy as np
from keras import ops

from keras_s2s import decoding
from keras_s2s._checks import check_choice, check_int
from keras_s2s.models import _long_inputs, _raw_forms
from keras_s2s.models._compile import without_tensorflow
from keras_s2s.models._long_inputs import Parts, check_prompts
from keras_s2s.preprocessing.long_texts import CutTexts
from keras_s2s.preprocessing.text import as_list


class Generates:
    """Mixin of a model with an encoder, a decoder and a `sampler`: `generate` and `score`."""

    #: Whether the output of a text is that of its sentences one after the other, so that
    #: `on_long="split"` of `generate` makes sense.
    is_sentence_by_sentence = True

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
        return_confidence=False,
    ):
        """Generates outputs from raw inputs.

        Args:
            inputs: One input, several (a list, an array, a column of a table, an iterator), a
                `tf.data.Dataset` of inputs, batched or not, or a dict of tensors as
                `generate_preprocess` of the preprocessor makes them (and any others, which are
                not read).
                A model of several inputs takes a dict of columns by their `raw_name`, or a list of
                dicts of one value each. To prompt, pass a dict of `"encoder_text"` (for a captioner
                `"images"`) and `"decoder_text"`, one of each or two lists of equal length: each
                output begins with its prompt.
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
                has between its sentences; score and confidence are the means of the sentences', the
                second-best text joins the second-best of each, and a prompt begins the first
                sentence. `"split"` gives no attention, and models whose
                `is_sentence_by_sentence` is false, such as summarizers, refuse it.
            on_error: What to do with an input that cannot be read, such as a missing or damaged
                file. `"raise"`: an error that names it. `"none"`: None in its place
                in all that is returned, one warning that says how many and why, and results
                for the others.
            return_confidence: Whether to return how sure the model is of each output, too: the mean
                log-probability of its tokens, the end included, whatever the sampler ranks by. Of a
                model with `scorers` it is the mean of the weighted sum of all.

        Returns:
            The output text for one input, a list of texts for many. With a sampler that
            returns several sequences, a list of texts in place of each text, best first.
            A beam search lists every text once; see `keras_s2s.decoding.Beam`.
            With `return_scores`, `return_confidence` or `return_attention`, a tuple of texts,
            scores (floats), confidences (floats) and attentions
            (`keras_s2s.models.Alignment`), nested alike. For a dict of tensors, the dict that the
            sampler returns, as NumPy arrays.

        Raises:
            RuntimeError: Inside of a `tf.function` or a `tf.data` map.
            TypeError: If an input is of a wrong type.
            FileNotFoundError: If an input is the path of a file that does not exist.
            ValueError: If an input cannot be read, or another argument is not what it must be.

        Example:
        ```python
        import keras_s2s

        model = keras_s2s.zoo.load("translation")
        texts, scores = model.generate(["Guten Morgen!", "Wo ist Tom?"], return_scores=True)
        assert len(texts) == len(scores) == 2
        ```
        """
        _raw_forms.check_eager("generate")
        sampler = self.sampler if sampler is None else decoding.get(sampler)
        check_choice("on_error", on_error, ("raise", "none"))
        if max_length is not None:
            max_length = check_int("max_length", max_length, 1)
        batch_size = check_int("batch_size", batch_size, 1)
        _long_inputs.check_on_long(self, on_long, return_attention)
        if isinstance(inputs, dict) and not _raw_forms.is_raw(self.preprocessor, inputs):
            features = self.encoder.select(inputs)
            if "prompt_token_ids" in inputs:
                most = max_length or getattr(self.preprocessor, "target_length", None) or 256
                _long_inputs.check_prompt_ids(inputs["prompt_token_ids"], most)
            self.encoder.check_features(features)
            run = self._functions.decode(self, sampler, return_attention)
            result = run({name: without_tensorflow(x) for name, x in inputs.items()}, max_length)
            return {name: ops.convert_to_numpy(value) for name, value in result.items()}
        _raw_forms.check_preprocessor(self.preprocessor)
        results, single = _generate(
            self, inputs, max_length, sampler, batch_size, return_attention, on_long, on_error
        )
        has_lists = sampler.get_config().get("num_return_sequences", 1) > 1
        asked = True, return_scores, return_confidence, return_attention
        columns = [column for column, is_asked in enumerate(asked) if is_asked]
        outputs = []
        for column in columns:
            values = [
                result and [hypothesis[column] for hypothesis in result] for result in results
            ]
            values = values if has_lists else [value and value[0] for value in values]
            outputs.append(values[0] if single else values)
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def score(self, inputs, outputs, batch_size=64):
        """How probable the model finds given outputs.

        Args:
            inputs: One raw input or a list of them.
            outputs: One raw output or as many as inputs.
            batch_size: Integer.

        Returns:
            The natural logarithm of the probability of each output, end token included: a float for
            one pair, a NumPy array `(pairs,)` for lists. Of a model with `scorers` the weighted sum
            of all log-probabilities.

        Raises:
            RuntimeError: Inside of a `tf.function` or a `tf.data` map.
            TypeError: If an input or an output is of a wrong type.
            ValueError: If there are not as many outputs as inputs, or one cannot be read.

        Example:
        ```python
        import keras_s2s

        model = keras_s2s.zoo.load("translation")
        assert model.score("Guten Morgen!", "Good morning!") < 0
        ```
        """
        _raw_forms.check_eager("score")
        batch_size = check_int("batch_size", batch_size, 1)
        _raw_forms.check_preprocessor(self.preprocessor)
        inputs, single = _raw_forms.items(self.preprocessor, inputs)
        outputs, _ = as_list(outputs, "outputs")
        _raw_forms.check_equal("inputs", inputs, "outputs", outputs)
        cuts = CutTexts(self.preprocessor)
        cuts.count(inputs, outputs)
        cuts.warn()
        scores = np.zeros(len(inputs), "float32")
        score = self._functions.score(self)
        for batch in _batches_of_similar_size(outputs, len, batch_size):
            pairs = self.preprocessor([inputs[i] for i in batch], [outputs[i] for i in batch])
            scores[batch] = ops.convert_to_numpy(score(*pairs))
        return float(scores[0]) if single else scores


def _generate(model, inputs, max_length, sampler, batch_size, return_attention, on_long, on_error):
    """Generates from raw inputs, with the arguments of `Seq2Seq.generate`, already checked.

    Returns:
        `(hypotheses, single)`: for each input a list of tuples of text, score, confidence and
        `Alignment`, best first, or None where the input could not be read; and whether a single
        input was passed instead of a list.
    """
    preprocessor = model.preprocessor
    inputs, prompts = _raw_forms.with_prompts(preprocessor, inputs)
    failures = {} if on_error == "none" else None
    items, single = _raw_forms.items(preprocessor, inputs, failures=failures)
    if prompts is not None:
        prompts, _ = as_list(prompts, "prompts", failures)
        *names, outputs = preprocessor.raw_keys
        _raw_forms.check_equal(names[0], items, outputs, prompts)
    rows = [row for row in range(len(items)) if not failures or row not in failures]
    if prompts is not None:
        check_prompts(preprocessor, items, prompts, rows, max_length)
    parts = Parts(model, items, prompts, rows, on_long)
    results = _run(model, parts, max_length, sampler, batch_size, return_attention, failures)
    hypotheses = [None] * len(items)
    for row, result in zip(rows, parts.join(results)):
        hypotheses[row] = result
    if failures:
        warnings.warn(
            f"{len(failures)} of {len(items)} inputs could not be read, and gave None "
            f"(`on_error='none'`). The first: {failures[min(failures)]}",
            stacklevel=3,
        )
    return hypotheses, single


def _run(model, parts, max_length, sampler, batch_size, return_attention, failures):
    """The hypotheses of each part; None if it could not be read, with the error in `failures`."""
    run = model._functions.generate(model, sampler, return_attention)
    results = [None] * len(parts.items)

    def run_batch(batch):
        items = [parts.items[i] for i in batch]
        prompts = None if parts.prompts is None else [parts.prompts[i] for i in batch]
        indices = [parts.indices[i] for i in batch]
        for i, result in zip(batch, run(items, prompts, max_length, indices)):
            results[i] = result

    for batch in _batches_of_similar_size(parts.items, model.preprocessor.raw.size, batch_size):
        try:
            run_batch(batch)
        except Exception:
            errors = {}
            if failures is not None:
                errors = _unreadable(model.preprocessor, parts.items, batch)
            if not errors:
                raise
            failures |= {parts.rows[i]: error for i, error in errors.items()}
            if rest := [i for i in batch if i not in errors]:
                run_batch(rest)
    return results


def _batches_of_similar_size(items, size, batch_size):
    """Lists of indices into `items`, the largest first."""
    order = sorted(range(len(items)), key=lambda i: -size(items[i]))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def _unreadable(preprocessor, items, rows):
    """The errors of those items that the preprocessor cannot read, by their index."""
    failures = {}
    for i in rows:
        try:
            preprocessor.generate_preprocess([items[i]])
        except Exception as error:
            failures[i] = error
    return failures
