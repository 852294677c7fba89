import pytest

import keras_s2s
from keras_s2s.models import preset_folders
from tests.fewer import chosen

tf = pytest.importorskip("tensorflow")


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", chosen(keras_s2s.zoo.list(), "translation_de_en"))
def test_a_preset_serves_the_examples_of_its_card(name, tmp_path):
    card, model = keras_s2s.zoo.card(name), keras_s2s.zoo.load(name)
    model.export(tmp_path / "1")
    # The weights lie beside the graph, once, whatever the number of signatures.
    size = sum(file.stat().st_size for file in (tmp_path / "1/variables").iterdir())
    assert 1.0 <= size / (4 * model.count_params()) <= 1.05
    assert (tmp_path / "1/saved_model.pb").stat().st_size < 4_000_000
    inputs, key = [pair["input"] for pair in card["examples"]], "text"
    if card["task"] == "captioning":
        root, key = preset_folders.find(name), "image_bytes"
        inputs = [(root / path).read_bytes() for path in inputs]
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    texts = served(**{key: tf.constant(inputs)})["text"].numpy()
    assert [text.decode() for text in texts] == [pair["output"] for pair in card["examples"]]
