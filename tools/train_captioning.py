"""The training of a captioner, in stages: decoder alone, all of it, and with CIDEr as reward."""

import keras
import numpy as np

import caption_metrics
import keras_s2s
from training import KeepLast, WarmupCosine


def build(recipe, captions):
    """The untrained model of a recipe."""
    m, length = recipe.model, recipe.tokenizer.length
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(
        [caption for several in captions for caption in several], recipe.tokenizer.vocabulary_size
    )
    size = (m.image_size, m.image_size)
    encoder = keras_s2s.layers.ImageEncoder(
        m.encoder_units,
        m.backbone,
        weights=None,
        image_size=size,
        dropout=m.dropout,
        augmentation=keras.layers.RandomFlip("horizontal") if m.flip else None,
        batch_statistics=False,
    )
    decoder = keras_s2s.layers.RNNDecoder(
        tokenizer.vocabulary_size,
        m.decoder_units,
        embedding_dim=m.embedding_dim,
        cell=m.cell,
        attention=keras_s2s.layers.BahdanauAttention(m.attention_units, name="attention"),
        dropout=m.dropout,
        tie_embeddings=m.tie_embeddings,
        doubly_stochastic=m.doubly_stochastic,
    )
    return keras_s2s.models.ImageCaptioner(
        encoder,
        decoder,
        keras_s2s.preprocessing.ImageTextPreprocessor(tokenizer, size, target_length=length),
        sampler=keras_s2s.decoding.Beam(
            recipe.decoding.num_beams, length_penalty=recipe.decoding.length_penalty
        ),
    )


def load_backbone(backbone, path):
    """Loads an .npz with arrays `<layer>/<weight>`."""
    with np.load(path, allow_pickle=False) as arrays:
        for layer in backbone.layers:
            names = [v.path.rsplit("/", 1)[-1] for v in layer.weights]
            if names:
                layer.set_weights([arrays[f"{layer.name}/{name}"] for name in names])


def measure_batch_normalization(backbone, pixels, batch_size=8):
    """Gives BatchNormalization layers the statistics of their inputs; results stay the same.

    Weights whose normalisation was folded into the convolutions come with a mean of 0 and a
    variance of 1. What is measured goes into mean and variance, and back out of scale and offset.

    Args:
        backbone: A functional `keras.Model`.
        pixels: Scaled images `(images, height, width, 3)`.
        batch_size: Integer.
    """
    layers = [x for x in backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    inputs = keras.Model(backbone.inputs, [layer.input for layer in layers])
    sums = [[0.0, 0.0] for _ in layers]
    for start in range(0, len(pixels), batch_size):
        found = inputs.predict_on_batch(pixels[start : start + batch_size])
        for total, x in zip(sums, found):
            x = np.asarray(x, "float64")
            share = len(x) / len(pixels)
            total[0] += share * x.mean(axis=(0, 1, 2))
            total[1] += share * np.square(x).mean(axis=(0, 1, 2))
    for layer, (mean, square) in zip(layers, sums):
        scale, offset, old_mean, old_variance = (
            np.asarray(w, "float64") for w in layer.get_weights()
        )
        variance = np.maximum(square - np.square(mean), 0)
        factor = scale / np.sqrt(old_variance + layer.epsilon)
        offset = offset + factor * (mean - old_mean)
        scale = factor * np.sqrt(variance + layer.epsilon)
        layer.set_weights([scale, offset, mean, variance])


class GreedyScores(keras.callbacks.Callback):
    """Adds the CIDEr and BLEU of greedy captions of some images to the logs."""

    def __init__(self, images, captions):
        super().__init__()
        self.images, self.captions = images, captions

    def on_epoch_end(self, epoch, logs):
        model = self.model
        hypotheses = []
        for start in range(0, len(self.images), 64):
            inputs = {"images": np.asarray(self.images[start : start + 64])}
            ids = model.generate(inputs, sampler="greedy", max_length=40)["token_ids"][:, 0]
            texts = model.preprocessor.generate_postprocess(ids).numpy()
            hypotheses += [text.decode("utf-8") for text in texts]
        found = caption_metrics.score(hypotheses, self.captions, ("BLEU", "CIDEr"))
        logs["val_cider"], logs["val_bleu4"] = found["CIDEr"], found["BLEU-4"]
        print(
            f" val_cider: {logs['val_cider']:.2f} - val_bleu4: {logs['val_bleu4']:.2f} - "
            f"{hypotheses[0]!r}",
            flush=True,
        )


def train(recipe, arguments):
    """The trained captioner."""
    keras.config.set_dtype_policy(recipe.dtype)
    read = keras_s2s.data.read_caption_tar
    data = {
        name: read(*(arguments.data / file for file in getattr(recipe.data, name)))
        for name in ("train", "valid")
    }
    model = build(recipe, data["train"][1])
    encoder, converter = model.encoder, model.preprocessor.image_converter
    print(f"{model.count_params():,} parameters, {len(data['train'][0]):,} images", flush=True)
    load_backbone(encoder.backbone, arguments.data / recipe.data.backbone_weights)
    some = converter(data["train"][0][:500])
    measure_batch_normalization(encoder.backbone, np.asarray(encoder.scale(some)))

    run = _Run(recipe, arguments, model, data)
    encoder.backbone.trainable = False
    run.stage("frozen", recipe.frozen, run.features)
    if recipe.fine_tuning:
        encoder.backbone.trainable = True
        run.stage("fine_tuning", recipe.fine_tuning, run.pixels)
    if recipe.self_critical:
        encoder.backbone.trainable = False
        run.stage("self_critical", recipe.self_critical, run.features)
    return model


class _Run:
    """The stages, each of which is done once, whatever interrupts it."""

    def __init__(self, recipe, arguments, model, data):
        self.recipe, self.arguments, self.model, self.data = recipe, arguments, model, data
        self.folder = arguments.output
        tokenizer = model.preprocessor.target_tokenizer
        self.ids = {
            name: [tokenizer.encode(several) for several in captions]
            for name, (_, captions) in data.items()
        }

    def features(self):
        """For each split what the backbone makes of the images now."""
        found = {name: self._cached(images) for name, (images, _) in self.data.items()}
        if self.recipe.model.flip:
            mirrored = self._pixels("train", mirrored=True)
            found["train"] = _EitherOf(found["train"], self._cached(mirrored), self.recipe.seed)
        return found

    def _cached(self, images):
        return keras_s2s.data.cached_features(
            self.model.encoder, images, self.folder / "features", verbose=self.arguments.verbose
        )

    def pixels(self):
        """For each split the images as pixels, which a batch reads when it is made."""
        return {name: self._pixels(name) for name in self.data}

    def _pixels(self, name, mirrored=False):
        converter = self.model.preprocessor.image_converter
        return _Pixels(self.data[name][0], converter, mirrored)

    def batches(self, images, batch_size, name):
        return keras_s2s.data.CaptionBatches(
            images[name],
            self.ids[name],
            batch_size,
            self.recipe.tokenizer.length,
            shuffle=name == "train",
            seed=self.recipe.seed,
        )

    def stage(self, name, settings, images):
        done = self.folder / f"{name}.npz"
        if done.exists():
            self.model.set_weights(_arrays(done))
            return
        print(f"stage {name}", flush=True)
        if name == "self_critical":
            self.self_critical(settings, images())
        else:
            self.cross_entropy(name, settings, images())
        _save(done, self.model)

    def cross_entropy(self, name, settings, images):
        batches = self.batches(images, settings.batch_size, "train")
        valid = self.batches(images, settings.batch_size, "valid")
        steps = settings.epochs * len(batches)
        self.model.compile(
            keras_s2s.optimizers.Adam(
                WarmupCosine(settings.learning_rate, settings.warmup_steps, steps),
                global_clipnorm=settings.clip_norm,
            ),
            keras_s2s.losses.TokenCrossentropy(settings.label_smoothing),
        )
        last = KeepLast(self.folder / name / "last", settings.average_last)
        log, backup = self.folder / f"{name}.csv", self.folder / name / "backup"
        interrupted = backup.exists() and any(backup.iterdir())
        self.model.fit(
            batches,
            epochs=settings.epochs,
            validation_data=valid,
            verbose=self.arguments.verbose,
            callbacks=[
                GreedyScores(images["valid"][:500], self.data["valid"][1][:500]),
                keras.callbacks.CSVLogger(log, append=interrupted),
                last,
                keras.callbacks.BackupAndRestore(backup, double_checkpoint=True),
            ],
        )
        self.model.set_weights(last.average())

    def self_critical(self, settings, images):
        """Self-critical training: what is sampled is as good as its CIDEr exceeds the others'.

        Rennie et al., 2017, https://arxiv.org/abs/1612.00563, with the mean of the other samples
        of the image as the baseline (Luo, 2020, https://arxiv.org/abs/2003.09971).
        """
        model, count = self.model, settings.samples
        model.compile(
            keras_s2s.optimizers.Adam(settings.learning_rate, global_clipnorm=settings.clip_norm),
            # The sum: rewards may be negative, so their own sum normalises nothing.
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
            weighted_metrics=None,
        )
        captions = self.data["train"][1]
        reward = caption_metrics.CiderReward(captions, with_end=True)
        sampler = keras_s2s.decoding.Random(seed=self.recipe.seed, num_return_sequences=count)
        scores = GreedyScores(images["valid"][:500], self.data["valid"][1][:500])
        scores.set_model(model)
        length = self.recipe.tokenizer.length
        done = self.folder / "self_critical"
        done.mkdir(exist_ok=True)
        for epoch in range(settings.epochs):
            weights_file = done / f"epoch_{epoch + 1:04}.npz"
            if weights_file.exists():
                model.set_weights(_arrays(weights_file))
                continue
            order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(captions))
            rewards = []
            bar = keras.utils.Progbar(len(order), verbose=self.arguments.verbose)
            for start in range(0, len(order), settings.batch_size):
                rows = np.sort(order[start : start + settings.batch_size])
                x = {"images": np.asarray(images["train"][rows])}
                labels = model.generate(x, sampler=sampler, max_length=length)["token_ids"]
                texts = model.preprocessor.generate_postprocess(labels).numpy()
                texts = [text.decode("utf-8") for text in texts.ravel()]
                found = reward(np.repeat(rows, count), texts).reshape(-1, count)
                rewards.append(found.mean())
                advantage = (found - found.mean(axis=1, keepdims=True)) * count / (count - 1)
                decoder = np.zeros_like(labels)
                decoder[..., 0] = 2
                decoder[..., 1:] = np.where(labels[..., :-1] == 3, 0, labels[..., :-1])
                weights = (labels != 0) * advantage[..., None] / advantage.size
                x["decoder_token_ids"] = decoder
                model.train_on_batch(x, labels, weights.astype("float32"))
                bar.update(min(start + len(rows), len(order)), [("reward", found.mean())])
            print(f"epoch {epoch + 1} - reward: {np.mean(rewards):.4f}", flush=True)
            scores.on_epoch_end(epoch, {})
            _save(weights_file, model)


class _EitherOf:
    """Rows of one array or of another, drawn each time."""

    def __init__(self, first, second, seed):
        self.arrays, self.rng = (first, second), np.random.default_rng(seed)

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, rows):
        first, second = (array[rows] for array in self.arrays)
        coin = self.rng.random(len(first)) < 0.5
        return np.where(coin[:, None, None, None], first, second)


def _arrays(path):
    with np.load(path, allow_pickle=False) as weights:
        return [weights[key] for key in weights.files]


def _save(path, model):
    unfinished = path.with_suffix(".tmp.npz")
    np.savez(unfinished, *model.get_weights())
    unfinished.replace(path)


class _Pixels:
    """Images, converted when they are asked for; mirrored, left and right exchanged."""

    def __init__(self, images, converter, mirrored=False):
        self.images, self.converter, self.mirrored = images, converter, mirrored

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        if isinstance(rows, int):
            return self[[rows]][0]
        rows = range(len(self))[rows] if isinstance(rows, slice) else rows
        pixels = np.asarray(self.converter([self.images[row] for row in rows]))
        return pixels[:, :, ::-1] if self.mirrored else pixels
