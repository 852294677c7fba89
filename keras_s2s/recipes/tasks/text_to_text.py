"""The text to text tasks: what translation and summarization share."""

from dataclasses import dataclass

from keras_s2s import data, layers, preprocessing
from keras_s2s.recipes import text_files, tokenizer, written
from keras_s2s.recipes.data_sets import data_sets
from keras_s2s.recipes.recipe import Recipe
from keras_s2s.recipes.show import pair_for_people
from keras_s2s.recipes.typed_config import RecipeError

# Keys of [tokenizer] that a `WordTokenizer` does not have, and their defaults.
_OF_PIECES = {
    "normalization": "nmt_nfkc",
    "split_digits": False,
    "symbols": [],
    "sample_alpha": None,
}


@dataclass(kw_only=True)
class TextToText(Recipe):
    """Base of the recipes for pairs of texts. A subclass says how to score them.

    They are in two files whose lines correspond, a table, a file with a JSON object on each line
    (`columns` are keys) or a folder of `.story` files.
    """

    examples = "pairs"
    sample_keys = ("row", "input")
    only = {
        "data": {"images": [""], "backbone_weights": [""], "texts": [[]], "clips": [""]},
        "model": {"backbone": ["MobileNetV2"], "image_size": [224], "flip": [True]},
        "stages": {
            "freeze": ["nothing", "encoder"],
            "texts_only": [False],
            "part": ["model"],
        },
        "decoding": {"ctc_weight": [0.0], "language_model_weight": [0.0]},
    }

    def __post_init__(self):
        super().__post_init__()
        if self.model is None:
            return
        if self.model.copy_slots and not (self.model.copy and self.tokenizer.kind == "words"):
            raise RecipeError(
                "'copy_slots' are for words that a vocabulary lacks: set copy = true, and "
                'kind = "words" in [tokenizer].'
            )
        changed = [
            key for key, value in _OF_PIECES.items() if getattr(self.tokenizer, key) != value
        ]
        if self.tokenizer.kind == "words" and changed:
            raise RecipeError(f'{changed[0]!r} is for pieces, and kind is "words": leave it out.')
        if self.model.copy and not self.tokenizer.shared:
            raise RecipeError("'copy' needs one vocabulary for both sides: set shared = true.")

    def is_there(self, path):
        return path.exists()

    def read_set(self, data_set, columns, folder):
        inputs, outputs = text_files.read([folder / file for file in data_set.files], columns)
        return _with_prefix(data_set.prefix, inputs), outputs

    def write_set(self, data_set, folder, cache, verbose):
        if cache is None:
            raise RecipeError("'inputs_by' and 'outputs_by' are for training data.")
        preset = data_set.inputs_by or data_set.outputs_by
        texts = text_files.read_lines(folder / file for file in data_set.files)
        outputs = written.write(preset, texts, data_set.sampler or None, cache, verbose)
        inputs, outputs = (outputs, texts) if data_set.inputs_by else (texts, outputs)
        return _with_prefix(data_set.prefix, inputs), outputs

    def sample(self, sample, folder):
        if "input" in sample:
            return sample["input"], {"input": sample["input"]}
        inputs, references = self.read(next(iter(self.data.tests.values())), folder)
        row = sample["row"]
        if not (isinstance(row, int) and 1 <= row <= len(inputs)):
            raise RecipeError(f"[card]: 'row' must be from 1 to {len(inputs)}. Received: {row!r}")
        reference = references[row - 1]
        first = reference if isinstance(reference, str) else reference[0]
        return inputs[row - 1], {"input": inputs[row - 1], "reference": first}

    def splits(self, folder, verbose, cache=None):
        splits = super().splits(folder, verbose, cache)
        for name, pairs in splits.items():
            sets = data_sets(getattr(self.data, name.split(".")[0]), repr(name))
            files = ", ".join(file for one in sets for file in one.files)
            splits[name] = data.readers.without_empty(*text_files.single(*pairs), files)
        sources, targets = splits["train"]
        if verbose:
            first = pair_for_people(sources[0], targets[0])
            print(f"{len(sources):,} training pairs, the first: {first}", flush=True)
        return splits

    def preprocessor(self, inputs, outputs, verbose=0):
        texts = {"source": inputs, "target": outputs}
        if self.tokenizer.shared:
            texts = {"training": inputs + outputs}
        tokenizers = [
            tokenizer.train(self.tokenizer, some, name, verbose) for name, some in texts.items()
        ]
        length = self.tokenizer.length
        return preprocessing.TextPairPreprocessor(
            *tokenizers,
            source_length=length,
            target_length=self.tokenizer.target_length or length,
            copy_slots=self.model.copy_slots,
        )

    def build(self, preprocessor):
        m = self.model
        encoder = layers.RNNEncoder(
            m.encoder_units,
            num_layers=m.encoder_layers,
            vocabulary_size=preprocessor.source_tokenizer.vocabulary_size,
            cell=m.cell,
            embedding_dim=m.embedding_dim,
            dropout=m.dropout,
            recurrent_dropout=m.recurrent_dropout,
            variational_dropout=m.variational_dropout,
        )
        decoder = m.decoder(preprocessor.target_tokenizer.vocabulary_size)
        return self.kind(
            encoder,
            decoder,
            preprocessor,
            share_embedding=self.tokenizer.shared,
            **self.options(),
        )

    def set_prefix(self, model):
        if self.prefix is not None:
            try:
                model.preprocessor = model.preprocessor.with_prefix(self.prefix or None)
            except (AttributeError, TypeError, ValueError) as error:
                raise RecipeError(f"'prefix': {error}") from error
        prefix = getattr(getattr(model.preprocessor.raw, "tokenizer", None), "prefix", None)
        sets = (one for name, split in self.data.splits() for one in data_sets(split, repr(name)))
        if prefix is not None and any(one.prefix for one in sets):
            raise RecipeError(
                f"The model puts {prefix!r} before each input, and the data have a 'prefix', too. "
                "Leave out the one or the other."
            )

    def batches(self, stage, model, pairs, is_train, cache, verbose):
        max_buckets = "auto" if stage.max_buckets is None else stage.max_buckets
        if stage.batch_size is not None:
            plan = data.ExamplesPerBatch(stage.batch_size, max_buckets)
        else:
            plan = data.TokensPerBatch(stage.tokens_per_batch, max_buckets)
        return data.Batches.from_raw(
            model.preprocessor,
            *pairs,
            plan,
            sample=is_train,
            shuffle=is_train,
            shortest_first=stage.shortest_first,
            seed=self.seed,
        )


def _with_prefix(prefix, texts):
    """Empty texts stay empty, so that they are left out."""
    return [f"{prefix}{text}" if text else text for text in texts]
