import keras
import numpy as np

from keras_s2s import evaluation
from keras_s2s._checks import check_int
from keras_s2s.callbacks._chief import is_chief
from keras_s2s.preprocessing.as_column import as_column, plain
from keras_s2s.preprocessing.preprocessor import TARGETS
from keras_s2s.preprocessing.text import as_texts


class GenerationMetrics(keras.callbacks.Callback):
    """Generates texts for a validation set after every epoch, and logs their scores.

    The logs get `val_bleu`, `val_wer` and so on, so that callbacks after it in the list
    (`ModelCheckpoint`, `EarlyStopping`, `ReduceLROnPlateau`, `CSVLogger`) can watch them. Keras
    wants to be told what is better: `EarlyStopping("val_bleu", mode="max")`, and `mode="min"` for
    error rates.

    Args:
        inputs: What `model.generate` takes: texts or images (a list, an array, a column of a table
            ...), or a dict of arrays with the encoder's features.
        references: For each input a text, or a list of several.
        metrics: Names, see `keras_s2s.evaluation.score`.
        sampler: As in `model.generate`. Greedy search takes less time than a beam.
        batch_size: Integer.
        max_length: Integer or None, as in `model.generate`.
        limit: Integer or None. Use that many examples, evenly spaced: files may be sorted.
        prefix: Put before the names in the logs.
        verbose: 0 is silent; 1 prints the figures and one example.
        tokenize: As in `keras_s2s.evaluation.score`. `"auto"` looks at the references, so that all
            epochs are scored alike; the tokenizer that it chooses is printed.

    Raises:
        TypeError: If inputs are a whole table, or references no texts.
        ValueError: If a metric or tokenizer is unknown, or there are not as many references as
            inputs.
        ImportError: If the library of a metric is missing: now, not after the first epoch.

    Example:
    ```python
    import keras_s2s

    texts, references = ["ein Hund", "eine Katze"], ["a dog", "a cat"]
    bleu = keras_s2s.callbacks.GenerationMetrics(texts, references, metrics=["bleu", "chrf"])
    best = keras_s2s.callbacks.ExportBest("translator", monitor="val_bleu")
    callbacks = [bleu, best]  # for `model.fit`
    ```
    """

    def __init__(
        self,
        inputs,
        references,
        metrics=("bleu",),
        sampler="greedy",
        batch_size=64,
        max_length=None,
        limit=None,
        prefix="val_",
        verbose=1,
        tokenize="auto",
    ):
        super().__init__()
        self.metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        evaluation.require(self.metrics, tokenize)
        batch_size = check_int("batch_size", batch_size, 1)
        if max_length is not None:
            max_length = check_int("max_length", max_length, 1)
        is_dict = isinstance(inputs, dict)
        if is_dict:
            inputs = {
                name: as_column(values, f"inputs[{name!r}]") for name, values in inputs.items()
            }
            count = len(next(iter(inputs.values()), ()))
        else:
            inputs = as_column(inputs, "inputs")
            count = len(inputs)
        references = as_texts(references, "references")
        if count != len(references) or not count:
            raise ValueError(
                f"Every input needs its references. Received {count} inputs and "
                f"{len(references)} references."
            )
        rows = range(count)
        if limit is not None:
            check_int("limit", limit, 1)
            rows = np.linspace(0, count - 1, min(limit, count)).astype(int).tolist()
        self.references = [references[i] for i in rows]
        if is_dict:
            self.inputs = {name: [values[i] for i in rows] for name, values in inputs.items()}
        else:
            self.inputs = [plain(inputs[i]) for i in rows]
        self.sampler, self.max_length, self.tokenize = sampler, max_length, tokenize
        self.batch_size, self.prefix, self.verbose = batch_size, prefix, verbose

    def on_train_begin(self, logs=None):
        if self.verbose and "bleu" in self.metrics and is_chief(self.model):
            name = evaluation.tokenizer(self.references, self.tokenize)
            print(f"{self.prefix}bleu: sacreBLEU's tokenizer {name}", flush=True)

    def on_epoch_end(self, epoch, logs=None):
        hypotheses = self.generate()
        scores = evaluation.score(hypotheses, self.references, self.metrics, tokenize=self.tokenize)
        values = {f"{self.prefix}{key}": score.value for key, score in scores.items()}
        if logs is not None:
            logs.update(values)
        if self.verbose and is_chief(self.model):
            shown = " - ".join(f"{name}: {value:.2f}" for name, value in values.items())
            print(f" {shown} - {hypotheses[0]!r}", flush=True)

    def _holds_features(self):
        names = self.model.encoder.input_names
        if not isinstance(self.inputs, dict) or any(name not in self.inputs for name in names):
            return False
        # With prompts, the dict holds raw data, whose inputs may have the names of features.
        return TARGETS not in self.inputs

    def generate(self):
        """The texts that the model generates from the inputs."""
        options = {"sampler": self.sampler, "max_length": self.max_length}
        if not self._holds_features():
            texts = self.model.generate(self.inputs, batch_size=self.batch_size, **options)
            return [text if isinstance(text, str) else text[0] for text in texts]
        texts = []
        for start in range(0, len(self.references), self.batch_size):
            part = {k: np.stack(v[start : start + self.batch_size]) for k, v in self.inputs.items()}
            ids = self.model.generate(part, **options)["token_ids"][:, 0]
            texts += self.model.preprocessor.generate_postprocess(ids).tolist()
        return texts
