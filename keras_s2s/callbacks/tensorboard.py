import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_s2s import visualize
from keras_s2s._backend.gradients import Gradients
from keras_s2s._checks import check_int
from keras_s2s._optional import import_matplotlib, import_tensorboard, import_tensorflow
from keras_s2s.callbacks import _projector
from keras_s2s.callbacks._chief import is_chief
from keras_s2s.preprocessing.as_column import as_column, plain
from keras_s2s.preprocessing.text import as_texts
from keras_s2s.training.metrics import Perplexity


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback, which also shows what matters for a sequence model.

    | page | what | when |
    |---|---|---|
    | Scalars | what Keras logs | every epoch |
    | Scalars, `steps/` | learning rate, norm of the gradients before clipping, tokens per second, share of padding | every `steps_freq` steps |
    | Scalars, `gradients/` | norm of the gradients of each variable on the examples | every `examples_freq` epochs |
    | Text | examples: source, what the model makes of it, reference | every `examples_freq` epochs |
    | Images | attention to the source words, or over the picture | every `examples_freq` epochs |
    | Projector | embeddings of the vocabularies, labelled with their pieces | when training ends |
    | HParams | sizes, dropout and optimizer, and `hparams` | when training begins |
    | Profile | a trace, with Keras's `profile_batch`; on JAX from Python 3.12 on | as Keras |

    The norm of the gradients is there with `keras_s2s.optimizers.Adam`, which models come with;
    tokens and padding with `keras_s2s.metrics.Perplexity`.

    Needs `pip install "keras-s2s[tensorboard]"`, and TensorFlow, also on other backends. Look at
    it with `tensorboard --logdir logs`.

    Args:
        log_dir: Folder. Use one for each training: `logs/first`, `logs/second`.
        examples: Raw inputs to generate from, a handful, or None.
        references: For each example its output. Needed for `gradients/`.
        examples_freq: Integer, in epochs.
        steps_freq: Integer, in steps; 0 for none.
        attention_examples: Integer, the number of examples for which attention is drawn.
        projector: Whether to write the embeddings.
        hparams: Dict of numbers and strings, shown beside those that the callback finds.
        **kwargs: Arguments of `keras.callbacks.TensorBoard`, except `embeddings_freq`, which writes
            nothing that TensorBoard can read (https://github.com/keras-team/keras/issues/20210).

    Raises:
        ImportError: If TensorBoard, TensorFlow or matplotlib is missing.
        ValueError: If there are not as many references as examples, or a frequency is negative.

    Example:
    ```python
    import keras_s2s

    board = keras_s2s.callbacks.TensorBoard(
        "logs/first", examples=["ein Hund"], references=["a dog"], hparams={"data": "Multi30k"}
    )
    callbacks = [board]  # for `model.fit`
    ```
    """  # noqa: E501

    def __init__(
        self,
        log_dir="logs",
        examples=None,
        references=None,
        examples_freq=1,
        steps_freq=50,
        attention_examples=4,
        projector=True,
        hparams=None,
        **kwargs,
    ):
        import_tensorboard()
        import_tensorflow()
        if "embeddings_freq" in kwargs or "embeddings_metadata" in kwargs:
            raise ValueError("Keras's `embeddings_freq` does not work; `projector=True` does.")
        for name, value in (
            ("examples_freq", examples_freq),
            ("steps_freq", steps_freq),
            ("attention_examples", attention_examples),
        ):
            check_int(name, value, 0)
        super().__init__(str(log_dir), **kwargs)
        self.examples = None
        if examples is not None:
            self.examples = [plain(example) for example in as_column(examples, "examples")]
        self.references = None if references is None else as_texts(references, "references")
        if self.references is not None and len(self.references) != len(self.examples or ()):
            raise ValueError(
                f"Every example needs its reference. Received {len(self.examples or ())} examples "
                f"and {len(self.references)} references."
            )
        if self.examples and attention_examples:
            import_matplotlib()
        self.examples_freq, self.steps_freq = examples_freq, steps_freq
        self.attention_examples = attention_examples
        self.projector, self.hparams = projector, hparams or {}
        self._tokens = self._since = self._gradients = None

    def set_model(self, model):
        if is_chief(model):
            super().set_model(model)
            return
        # Keras's callback would write in every process.
        self._model = model
        for name in dir(keras.callbacks.Callback):
            if name.startswith("on_"):
                setattr(self, name, lambda *args, **kwargs: None)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._gradients = None
        self._write_hparams()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._tokens, self._since = 0.0, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self.steps_freq and self._global_train_batch % self.steps_freq == 0:
            self._write_step()

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.examples and self.examples_freq and (epoch + 1) % self.examples_freq == 0:
            with self._train_writer.as_default(step=epoch):
                self._write_examples()
                if self.references:
                    self._write_gradients()
            self._train_writer.flush()

    def on_train_end(self, logs=None):
        if self.projector:
            _projector.write(self.model, Path(self._train_dir))
        super().on_train_end(logs)

    def _write_hparams(self):
        from tensorboard.plugins.hparams import api

        model = self.model
        hparams = {"optimizer": type(model.optimizer).__name__}
        rate = getattr(model.optimizer, "_learning_rate", None)
        if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            hparams["learning_rate"] = float(ops.convert_to_numpy(model.optimizer.learning_rate))
        for name in ("encoder", "decoder"):
            layer = getattr(model, name, None)
            config = layer.get_config() if layer is not None else {}
            for key in ("units", "cell", "num_layers", "embedding_dim", "dropout"):
                if isinstance(config.get(key), (bool, int, float, str)):
                    hparams[f"{name}/{key}"] = config[key]
        with self._train_writer.as_default():
            api.hparams({**hparams, **self.hparams}, trial_id=self.log_dir)

    def _write_step(self):
        # On JAX, reading `self.model` copies the state of training into the model's variables.
        model = self.model
        step = int(ops.convert_to_numpy(model.optimizer.iterations))
        scalars = {"learning_rate": model.optimizer.learning_rate}
        norm = getattr(model.optimizer, "gradient_norm", None)
        if norm is not None:
            scalars["gradient_norm"] = norm
        metric = _perplexity(model)
        if metric is not None:
            tokens = float(ops.convert_to_numpy(metric.count))
            positions = float(ops.convert_to_numpy(metric.positions))
            now = time.perf_counter()
            scalars["tokens_per_second"] = (tokens - self._tokens) / (now - self._since)
            scalars["padding_share"] = 1 - tokens / max(positions, 1.0)
            self._tokens, self._since = tokens, now
        with self._train_writer.as_default(step=step):
            for name, value in scalars.items():
                self.summary.scalar(f"steps/{name}", float(ops.convert_to_numpy(value)))

    def _write_examples(self):
        model, shown = self.model, self.attention_examples
        attends = model.decoder.attends and shown > 0
        outputs = model.generate(self.examples, sampler="greedy", return_attention=attends)
        texts, alignments = outputs if attends else (outputs, [])
        with_image = "images" in model.encoder.input_names
        rows = ["| | source | output | reference |", "|---|---|---|---|"]
        for i, text in enumerate(texts):
            source = self.examples[i]
            if isinstance(source, bytes) and not with_image:
                source = source.decode("utf-8", "replace")
            if not isinstance(source, str):
                source = f"({type(source).__name__})"
            reference = self.references[i] if self.references else ""
            if not isinstance(reference, str):
                reference = " / ".join(reference)
            cells = (_cell(cell) for cell in (str(i), source, text, reference))
            rows.append(f"| {' | '.join(cells)} |")
        self.summary.text("examples", "\n".join(rows))
        for i, alignment in enumerate(alignments[:shown]):
            if alignment.target_tokens:
                image = self.examples[i] if with_image else None
                figure = visualize.attention(alignment, image)
                self.summary.image(f"attention/{i}", _pixels(figure)[None])

    def _write_gradients(self):
        model = self.model
        batch = model.preprocessor(self.examples, self.references)
        batch = keras.tree.map_structure(np.asarray, batch)
        if self._gradients is None:
            self._gradients = Gradients(model)
        gradients = self._gradients(*batch)
        for variable, gradient in zip(self._gradients.variables, gradients):
            norm = 0.0 if gradient is None else float(np.linalg.norm(gradient))
            self.summary.scalar(f"gradients/{variable.path}", norm)


def _perplexity(model):
    pending = list(model.metrics)
    while pending:
        metric = pending.pop()
        if isinstance(metric, Perplexity):
            return metric
        pending += getattr(metric, "metrics", [])
    return None


def _cell(text):
    """A text as it stands in a cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def _pixels(figure):
    """`(height, width, 3)` uint8 of a matplotlib figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
