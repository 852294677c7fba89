import pytest

import keras_s2s
from keras_s2s.models import preset_folders
from tests.serving.conftest import in_new_process


@pytest.mark.long
@pytest.mark.slow
def test_presets_serve_the_examples_of_their_cards(tmp_path, tmp_path_factory):
    names = sorted(keras_s2s.zoo.list())
    examples = [keras_s2s.zoo.card(name)["examples"] for name in names]
    requests = []
    for name, pairs in zip(names, examples):
        folder = tmp_path / name
        model = keras_s2s.zoo.load(name)
        model.export(folder)
        # The weights lie beside the graph, once, whatever the number of signatures.
        size = sum(file.stat().st_size for file in (folder / "variables").iterdir())
        assert 1.0 <= size / (4 * model.count_params()) <= 1.05
        assert (folder / "saved_model.pb").stat().st_size < 4_000_000
        inputs, key = [pair["input"] for pair in pairs], "text"
        if keras_s2s.zoo.card(name)["task"] == "captioning":
            root, key = preset_folders.find(name), "image_bytes"
            inputs = [(root / path).read_bytes() for path in inputs]
        requests.append((folder, "serving_default", {key: inputs}))
    for found, pairs in zip(in_new_process(requests, tmp_path_factory), examples, strict=True):
        assert [text.decode() for text in found["text"]] == [pair["output"] for pair in pairs]
