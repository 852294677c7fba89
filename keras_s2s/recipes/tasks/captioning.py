"""Images to text."""

from dataclasses import dataclass

import keras

from keras_s2s import data, layers, models, preprocessing
from keras_s2s.recipes import backbones, features, text_files, tokenizer
from keras_s2s.recipes.data_sets import join_images
from keras_s2s.recipes.recipe import Recipe
from keras_s2s.recipes.typed_config import RecipeError


@dataclass(kw_only=True)
class Captioning(Recipe):
    """A recipe with `task = "captioning"`: images, each with one caption or several."""

    kind = models.ImageCaptioner
    metrics, watched = ("coco_bleu", "meteor", "coco_rouge", "cider"), ("coco_bleu", "cider")
    bootstrap = 200  # BLEU of pycocoevalcap is slow.
    unit = examples = sets_of = "images"
    only = {
        "data": {"languages": [[]], "number_copies": [0], "name_copies": [0], "clips": [""]},
        "tokenizer": {
            "kind": ["pieces"],
            "shared": [True],
            "sample_alpha": [None],
            "symbols": [[]],
            "target_length": [None],
        },
        "model": {"encoder_layers": [1], "copy": [False], "copy_slots": [0]},
        "stages": {"tokens_per_batch": [None], "max_buckets": [None], "part": ["model"]},
        "decoding": {"ctc_weight": [0.0], "language_model_weight": [0.0]},
    }

    join_inputs = staticmethod(join_images)

    def check_files(self, folder):
        super().check_files(folder)
        if not (folder / self.data.images).is_dir():
            raise RecipeError(f"There is no folder {str(folder / self.data.images)!r} of images.")

    def read_set(self, data_set, columns, folder):
        files = data_set.files
        if len(files) == 2:
            return data.read_caption_tar(folder / files[0], folder / files[1])
        return data.read_captions(folder / files[0], folder / self.data.images, *columns)

    def splits(self, folder, verbose, cache=None):
        splits = super().splits(folder, verbose, cache)
        if self.data.texts:
            texts = text_files.read_lines(folder / file for file in self.data.texts)
            splits["texts"] = [[text] for text in texts]
        return splits

    def preprocessor(self, inputs, outputs, verbose=0):
        texts = [caption for captions in outputs for caption in captions]
        size = (self.model.image_size, self.model.image_size)
        return preprocessing.ImageTextPreprocessor(
            tokenizer.train(self.tokenizer, texts, "caption", verbose),
            size,
            target_length=self.tokenizer.length,
        )

    def build(self, preprocessor):
        m = self.model
        encoder = layers.ImageEncoder(
            m.encoder_units,
            m.backbone,
            weights=None,
            image_size=preprocessor.image_converter.image_size,
            dropout=m.dropout,
            augmentation=keras.layers.RandomFlip("horizontal") if m.flip else None,
            batch_statistics=False,
        )
        decoder = m.decoder(preprocessor.target_tokenizer.vocabulary_size)
        return models.ImageCaptioner(encoder, decoder, preprocessor, **self.options())

    def initialize(self, model, inputs, folder):
        backbones.initialize(model, self.data.backbone_weights, inputs, folder)

    def freeze(self, model, part):
        super().freeze(model, part)
        model.encoder.backbone.trainable = part == "nothing"

    def batches(self, stage, model, pairs, is_train, cache, verbose):
        images, captions = pairs
        encode = model.preprocessor.target_tokenizer.encode
        if stage.texts_only:
            images = features.Blank(len(captions), model.encoder.feature_shape)
        elif stage.freeze == "nothing":
            images = features.Converted(images, model.preprocessor.image_converter)
        elif is_train:
            images = features.of_either_side(model, images, cache, self.seed, verbose)
        else:
            images = features.of(model.encoder, images, cache, verbose)
        return data.Batches(
            {
                "images": data.Features(images),
                "decoder_token_ids": [encode(texts) for texts in captions],
            },
            data.SimilarLengths(stage.batch_size),
            lengths={"decoder_token_ids": model.preprocessor.target_length},
            shuffle=is_train,
            shortest_first=stage.shortest_first,
            seed=self.seed,
        )

    def generated_from(self, stage, pairs, batches):
        if stage.texts_only:
            return None
        return (
            pairs[0] if stage.freeze == "nothing" else {"images": batches.features["images"].values}
        )
