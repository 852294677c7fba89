"""Asks exported models, as a program does that knows nothing of this library.

Called with a file of pickled requests, `(folder, signature, inputs)`, and one for the answers.
"""

import pickle
import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the operations of SentencePiece)


def ask(requests):
    models, answers = {}, []
    for folder, signature, inputs in requests:
        if folder not in models:
            models[folder] = tf.saved_model.load(folder)
        inputs = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = models[folder].signatures[signature](**inputs)
        answers.append({name: value.numpy() for name, value in outputs.items()})
    assert not [name for name in sys.modules if name.startswith("keras_s2s")]
    return answers


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        requests = pickle.load(file)
    with open(sys.argv[2], "wb") as file:
        pickle.dump(ask(requests), file)
