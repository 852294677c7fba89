"""Text to text."""

from dataclasses import dataclass

from keras_s2s import data, layers, models, preprocessing
from keras_s2s.recipes import tokenizer
from keras_s2s.recipes.recipe import Recipe
from keras_s2s.recipes.show import pair_for_people


@dataclass(kw_only=True)
class Translation(Recipe):
    """A recipe with `task = "translation"`: files whose lines correspond, or a table of pairs."""

    kind = models.Translator
    metrics, watched = ("bleu", "chrf"), ("bleu",)
    unit, examples = "sentences", "pairs"
    only = {
        "data": {"images": [""], "backbone_weights": [""]},
        "model": {"backbone": ["MobileNetV2"], "image_size": [224], "flip": [True]},
        "stages": {"objective": ["cross_entropy"], "freeze": ["nothing", "encoder"]},
    }

    def read(self, files, folder):
        if len(files) == 2:
            return data.read_parallel(folder / files[0], folder / files[1])
        return data.read_pairs(folder / files[0], *self.data.columns)

    def splits(self, folder, verbose):
        splits = super().splits(folder, verbose)
        for name, pairs in splits.items():
            files = ", ".join(getattr(self.data, name))
            splits[name] = data.readers.without_empty(*pairs, files)
        sources, targets = splits["train"]
        if verbose:
            first = pair_for_people(sources[0], targets[0])
            print(f"{len(sources):,} training pairs, the first: {first}", flush=True)
        splits["train"] = self.with_other_numbers(sources, targets, verbose)
        return splits

    def with_other_numbers(self, sources, targets, verbose=0):
        """The training pairs, and the copies with other numbers that the recipe asks for."""
        languages, copies = self.data.languages, self.data.number_copies
        if not copies:
            return sources, targets
        others = data.substitute_numbers(sources, targets, languages, copies, self.seed)
        if verbose:
            print(f"{len(others[0]):,} pairs with other numbers added", flush=True)
        return sources + others[0], targets + others[1]

    def preprocessor(self, inputs, outputs, verbose=0):
        texts = {"source": inputs, "target": outputs}
        if self.tokenizer.shared:
            texts = {"training": inputs + outputs}
        tokenizers = [
            tokenizer.train(self.tokenizer, some, name, verbose) for name, some in texts.items()
        ]
        length = self.tokenizer.length
        return preprocessing.TextPairPreprocessor(
            *tokenizers, source_length=length, target_length=length
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
        return models.Translator(
            encoder,
            decoder,
            preprocessor,
            share_embedding=self.tokenizer.shared,
            **self.options(),
        )

    def batches(self, stage, model, pairs, is_train, cache, verbose):
        max_buckets = "auto" if stage.max_buckets is None else stage.max_buckets
        if stage.batch_size is not None:
            plan = data.ExamplesPerBatch(stage.batch_size, max_buckets)
        else:
            plan = data.TokensPerBatch(stage.tokens_per_batch, max_buckets)
        return data.Batches.from_raw(
            model.preprocessor, *pairs, plan, sample=is_train, shuffle=is_train, seed=self.seed
        )
