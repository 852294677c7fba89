"""Trains a preset from its recipe.

    python tools/train.py zoo/translation_multi30k_de_en/recipe.toml --data DATA --output RUN
    python tools/train.py RECIPE --data DATA --output RUN --set model.dropout=0.0

Run again after an interruption, it goes on where the last full epoch ended. RUN then holds
`preset/`, the model of averaged weights, and `log.csv`. With KERAS_BACKEND=jax it needs no
TensorFlow. Where TensorFlow Text is missing, the BLEU of each epoch is left out.
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import keras

import keras_s2s
from recipe import RecipeError, check_files, read, read_pairs
from training import KeepLast, WarmupCosine


def build(recipe, sources, targets):
    """The tokenizer and the untrained model of a recipe."""
    t, m = recipe.tokenizer, recipe.model
    train = keras_s2s.preprocessing.SentencePieceTokenizer.train
    groups = [sources + targets] if t.shared else [sources, targets]
    tokenizers = [train(g, t.vocabulary_size, sample_alpha=t.sample_alpha) for g in groups]
    preprocessor = keras_s2s.preprocessing.TextPairPreprocessor(
        *tokenizers, source_length=t.length, target_length=t.length
    )
    common = {
        "cell": m.cell,
        "embedding_dim": m.embedding_dim,
        "dropout": m.dropout,
        "recurrent_dropout": m.recurrent_dropout,
        "variational_dropout": m.variational_dropout,
    }
    encoder = keras_s2s.layers.RNNEncoder(
        m.encoder_units,
        num_layers=m.encoder_layers,
        vocabulary_size=preprocessor.source_tokenizer.vocabulary_size,
        **common,
    )
    decoder = keras_s2s.layers.RNNDecoder(
        preprocessor.target_tokenizer.vocabulary_size,
        m.decoder_units,
        num_layers=m.decoder_layers,
        attention=m.attention,
        input_feeding=m.input_feeding,
        tie_embeddings=m.tie_embeddings,
        **common,
    )
    sampler = keras_s2s.decoding.Beam(
        recipe.decoding.num_beams, length_penalty=recipe.decoding.length_penalty
    )
    return keras_s2s.models.Translator(
        encoder, decoder, preprocessor, share_embedding=t.shared, sampler=sampler
    )


class GreedyBleu(keras.callbacks.Callback):
    """Adds the BLEU of greedy decoding on about 500 pairs of the validation set to the logs."""

    def __init__(self, sources, targets):
        super().__init__()
        # From all of it: files may be sorted by length.
        step = -(-len(sources) // 500)
        self.sources, self.targets = sources[::step], targets[::step]

    def on_epoch_end(self, epoch, logs):
        import sacrebleu

        hypotheses = self.model.generate(self.sources, sampler="greedy")
        logs["val_bleu"] = sacrebleu.corpus_bleu(hypotheses, [self.targets]).score
        print(f" val_bleu: {logs['val_bleu']:.2f} - {hypotheses[0]!r}", flush=True)


def train_translation(recipe, arguments):
    """The trained translator."""
    keras.config.set_dtype_policy(recipe.training.dtype)
    split = {
        name: read_pairs(getattr(recipe.data, name), recipe.data.columns, arguments.data)
        for name in ("train", "valid")
    }
    model = build(recipe, *split["train"])
    training = recipe.training
    options = {"tokens_per_batch": training.tokens_per_batch, "seed": recipe.seed}
    if training.max_buckets is not None:
        options["max_buckets"] = training.max_buckets
    batches = {
        name: keras_s2s.data.BucketedBatches.from_text(
            model.preprocessor, *pairs, sample=name == "train", **options
        )
        for name, pairs in split.items()
    }
    steps = len(batches["train"])
    print(
        f"{model.count_params():,} parameters, {len(split['train'][0]):,} pairs, {steps} steps per "
        f"epoch, padding {batches['train'].padding_share:.1%}",
        flush=True,
    )
    model.compile(
        keras_s2s.optimizers.Adam(
            WarmupCosine(training.learning_rate, training.warmup_steps, steps * training.epochs),
            global_clipnorm=training.clip_norm,
        ),
        keras_s2s.training.TokenCrossentropy(training.label_smoothing),
    )
    last = KeepLast(arguments.output / "last", training.average_last)
    log, backup = arguments.output / "log.csv", arguments.output / "backup"
    callbacks = [GreedyBleu(*split["valid"])] if find_spec("tensorflow_text") else []
    if not callbacks:
        print("without TensorFlow Text: no BLEU after each epoch", flush=True)
    interrupted = backup.exists() and any(backup.iterdir())
    model.fit(
        batches["train"],
        epochs=training.epochs,
        validation_data=batches["valid"],
        verbose=arguments.verbose,
        callbacks=[
            *callbacks,
            keras.callbacks.CSVLogger(log, append=interrupted),
            last,
            keras.callbacks.BackupAndRestore(backup, double_checkpoint=True),
        ],
    )
    model.set_weights(last.average())
    return model


def main():
    # Else TensorFlow gives memory back after each step and takes it again, page by page.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of this run")
    parser.add_argument("--verbose", type=int, default=2, help="as Keras's: 1 bar, 2 lines")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        dest="changes",
        help="for experiments: a value in place of the recipe's",
    )
    arguments = parser.parse_args()
    try:
        recipe = read(arguments.recipe, arguments.changes)
        check_files(recipe, arguments.data)
    except RecipeError as error:
        sys.exit(f"train: {error}")
    keras.utils.set_random_seed(recipe.seed)
    arguments.output.mkdir(parents=True, exist_ok=True)
    if recipe.card.task == "captioning":
        import train_captioning

        model = train_captioning.train(recipe, arguments)
    else:
        model = train_translation(recipe, arguments)
    preset = arguments.output / "preset"
    model.save_to_preset(preset)
    type(model).from_preset(preset, dtype="float32").save_to_preset(preset)
    header = "".join(f"# --set {change}\n" for change in arguments.changes)
    text = arguments.recipe.read_text(encoding="utf-8")
    (preset / "recipe.toml").write_text(header + text, encoding="utf-8")
    print("wrote", preset)


if __name__ == "__main__":
    main()
