"""Speech to text."""

from dataclasses import dataclass

from keras_s2s import data, layers, models, preprocessing
from keras_s2s.recipes import language_model, text_files, tokenizer
from keras_s2s.recipes.clips import join_clips_of_sets, read_set
from keras_s2s.recipes.log_mels import LogMels
from keras_s2s.recipes.recipe import Recipe
from keras_s2s.recipes.sound import Sound
from keras_s2s.recipes.typed_config import RecipeError


@dataclass(kw_only=True)
class Speech(Recipe):
    """A recipe with `task = "speech"`: clips and their transcripts."""

    kind = models.SpeechRecognizer
    metrics, watched = ("wer", "cer"), ("wer",)
    unit = examples = "clips"
    sets_of = "speech"
    sections = ("sound", "language_model")
    only = {
        "data": {
            "languages": [[]],
            "number_copies": [0],
            "name_copies": [0],
            "images": [""],
            "backbone_weights": [""],
        },
        "tokenizer": {
            "kind": ["pieces"],
            "shared": [True],
            "target_length": [None],
            "sample_alpha": [None],
        },
        "model": {
            "copy": [False],
            "copy_slots": [0],
            "recurrent_dropout": [0.0],
            "variational_dropout": [False],
            "backbone": ["MobileNetV2"],
            "image_size": [224],
            "flip": [True],
        },
        "stages": {
            "freeze": ["nothing", "encoder"],
            "texts_only": [False],
            "tokens_per_batch": [None],
            "max_buckets": [None],
            # Whose samples a CTC would learn as if they were transcripts.
            "objective": ["cross_entropy"],
        },
    }

    join_inputs = staticmethod(join_clips_of_sets)

    def __post_init__(self):
        super().__post_init__()
        for section in self.sections:
            if self.start and getattr(self, section) is not None:
                raise RecipeError(
                    f"{section!r} comes from the preset: leave out [{section}], or 'start'."
                )
        if self.sound is None and not self.start:
            self.sound = Sound()
        if self.decoding.ctc_weight and self.sound and not self.sound.ctc_weight:
            raise RecipeError(
                "[decoding]: 'ctc_weight' needs a CTC that was trained: set ctc_weight in [sound]."
            )
        trains_language = any(s.part == "language_model" for s in self.stages.values())
        uses_language = self.decoding.language_model_weight > 0 or trains_language
        if not self.start and uses_language and not (trains_language and self.language_model):
            raise RecipeError(
                "[language_model] and a stage that trains it, with part = 'language_model', belong "
                "together. Give both, or none."
            )

    def is_there(self, path):
        return path.exists()

    def read_set(self, data_set, columns, folder):
        clips = folder / self.data.clips if self.data.clips else None
        return read_set(data_set, columns, folder, clips)

    def splits(self, folder, verbose, cache=None):
        splits = super().splits(folder, verbose, cache)
        texts = text_files.read_lines(folder / file for file in self.data.texts)
        splits["texts"] = [*splits["train"][1], *texts]
        return splits

    def preprocessor(self, inputs, outputs, verbose=0):
        trained = tokenizer.train(self.tokenizer, outputs, "transcript", verbose)
        return preprocessing.Preprocessor([self.sound.column()], trained, self.tokenizer.length)

    def build(self, preprocessor):
        size = preprocessor.target_tokenizer.vocabulary_size
        auxiliary_loss = None
        if self.sound.ctc_weight:
            dropout = self.model.dropout
            auxiliary_loss = layers.CTC(size, self.sound.ctc_weight, dropout, name="ctc")
        scorers = {}
        if auxiliary_loss is not None:
            scorer = layers.CTCPrefixScorer(size, name="ctc_prefix_scorer")
            scorers[scorer] = self.decoding.ctc_weight
        if self.language_model is not None:
            scorer = self.language_model.decoder(size)
            scorers[scorer] = self.decoding.language_model_weight
        return models.SpeechRecognizer(
            self.sound.encoder(self.model),
            self.model.decoder(size),
            preprocessor,
            auxiliary_loss=auxiliary_loss,
            scorers=list(scorers),
            scorer_weights=list(scorers.values()),
            **self.options(),
        )

    def initialize(self, model, inputs, folder):
        encoder, column = model.encoder, model.preprocessor.raw
        if encoder.normalization == "stored":
            batches = (inputs[at : at + 32] for at in range(0, len(inputs), 32))
            encoder.adapt(column.encode(column.as_batch(batch)) for batch in batches)

    def configure(self, model):
        weights, missing = (
            [],
            {
                "ctc_weight": self.decoding.ctc_weight,
                "language_model_weight": self.decoding.language_model_weight,
            },
        )
        for scorer in model.scorers:
            is_ctc = isinstance(scorer, layers.CTCPrefixScorer)
            weights.append(missing.pop("ctc_weight" if is_ctc else "language_model_weight", 0.0))
        for key, weight in missing.items():
            if weight:
                raise RecipeError(
                    f"[decoding]: {key!r} weighs a scorer that the preset {self.start!r} does not "
                    f"have. Remove {key!r}, or start from a preset that has the scorer."
                )
        model.compile(sampler=self.sampler(), scorer_weights=weights)

    def trained_part(self, model, part):
        return language_model.alone(model) if part == "language_model" else model

    def generated_from(self, stage, pairs, batches):
        return pairs[0] if stage.part == "model" else None

    def batches(self, stage, model, pairs, is_train, cache, verbose):
        if stage.part == "language_model":
            return language_model.batches(stage, model, pairs[1], is_train, self.seed)
        clips, texts = pairs
        column, tokenizer = model.preprocessor.raw, model.preprocessor.target_tokenizer
        ids = tokenizer.encode(texts)
        log_mels = LogMels(column, clips, is_train, self.seed)
        if is_train and model.auxiliary_loss is not None:
            log_mels.tell_short(ids, model.encoder.reduction)
        batches = data.Batches(
            {
                column.name: data.Features(list(range(len(clips))), log_mels, column.shape),
                "decoder_token_ids": ids,
            },
            data.SimilarLengths(stage.batch_size),
            lengths={"decoder_token_ids": model.preprocessor.target_length},
            shuffle=is_train,
            shortest_first=stage.shortest_first,
            seed=self.seed,
        )
        log_mels.batches = batches
        return batches
