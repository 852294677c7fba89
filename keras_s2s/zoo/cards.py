"""The card of a preset: what it is, where it comes from, what it reached."""

import json
import os
from pathlib import Path

from keras_s2s.models import preset_folders, presets
from keras_s2s.zoo import integrity

_REQUIRED = ("title", "description", "task", "licence", "data", "metrics", "recipe", "examples")
_PIPELINES = {
    "captioning": "image-to-text",
    "summarization": "summarization",
    "translation": "translation",
}


def card(name_or_path):
    """Reads the card of a preset.

    Args:
        name_or_path: name or alias of a shipped preset, or the path of a preset's folder.

    Returns:
        The card as a dict; `keras_s2s.zoo.write_card` explains its keys.

    Raises:
        ValueError: if the preset is unknown or its card is not JSON.
        FileNotFoundError: if there is no such folder, or no card in it.

    Example:
        ```python
        for name in keras_s2s.zoo.list():
            print(name, keras_s2s.zoo.card(name)["licence"])
        ```
    """
    return read(preset_folders.find(name_or_path))


def read(folder):
    """Reads `card.json` of a folder."""
    path = Path(folder) / "card.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"The preset at {str(folder)!r} has no card. `keras_s2s.zoo.write_card` writes one."
        )
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(card.get("files"), dict):
            raise ValueError("it has no `files`")
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"Preset file {str(path)!r} is no valid card: {error}. {presets.RESTORE}"
        ) from error
    return card


def write_card(folder, card=None):
    """Writes `card.json` with the sha256 of every file, and `README.md`, the card for people.

    For whoever makes a preset: call it last, when all other files are there and the folder has
    its final name, and again whenever something changed.

    Args:
        folder: path of a preset, as written by `model.save_to_preset`.
        card: dict with
            `title`, `description` (one line each),
            `task` (such as `"translation"`),
            `licence` (of the weights, as an SPDX id where there is one),
            `data` (list of `{"name", "licence"}`, optionally `"description"`),
            `metrics` (list of `{"name", "value", "dataset"}`, optionally `"spread"` and
            `"signature"`),
            `recipe` (`{"train": command, "evaluate": command}`, optionally `"hardware"`, `"time"`),
            `examples` (list of `{"input", "output"}` which `keras_s2s.zoo.verify` repeats)
            and optionally `languages` (list of codes), `limitations`, `limits` (how long inputs
            and outputs may be) and `changes` (text),
            `samples` (list of `{"input", "output"}`, optionally `"reference"` and `"remark"`,
            for people only).
            Inputs of a captioner's examples are images below the folder.
            `None` takes the card that is there and computes the hashes anew.

    Returns:
        The card as written, with `files`; for another name of a preset also `shared_files`, the
        sha256 of that preset's weights and tokenizers.

    Raises:
        ValueError: if a key is missing.
    """
    folder = Path(folder)
    card = dict(read(folder) if card is None else card)
    missing = [key for key in _REQUIRED if key not in card]
    if missing:
        raise ValueError(f"The card lacks {', '.join(missing)}. Received keys: {sorted(card)}")
    # A folder's name need not be valid Unicode, but the card must be.
    name = os.fsencode(folder.resolve().name).decode("utf-8", errors="replace")
    _write(folder / "README.md", f"{_header(name, card)}\n\n{body(name, card)}\n")
    card["files"] = integrity.hashes(folder)
    card.pop("shared_files", None)
    if shared := integrity.shared_hashes(folder):
        card["shared_files"] = shared
    _write(folder / "card.json", json.dumps(card, ensure_ascii=False, indent=2) + "\n")
    return card


def _write(path, text):
    # Bytes, so that the line ends, and with them the hashes, are the same on every system.
    path.write_bytes(text.encode("utf-8"))


def body(name, card):
    """Returns the card for people, in Markdown."""
    sections = [
        f"# {card['title']}",
        card["description"],
        _usage(name, card),
        _section("Figures", _figures(card["metrics"])),
        _section("Samples", _samples(card)),
        _section("Data", "\n".join(_source(source) for source in card["data"])),
        _section("Recipe", _recipe(card["recipe"])),
        _section("What it cannot do", "\n\n".join(_limitations(card))),
        _section("Changes", card.get("changes")),
        _section("Licence", f"{card['licence']} (the weights)."),
    ]
    return "\n\n".join(section for section in sections if section)


def _limitations(card):
    return filter(None, (card.get("limitations"), card.get("limits")))


def _section(title, text):
    return f"## {title}\n\n{text}" if text else ""


def _header(name, card):
    # The YAML fields that model hubs read. Their values are JSON, which is valid YAML.
    results = [
        {
            "task": {"type": card["task"], "name": card["title"]},
            "dataset": {"name": metric["dataset"], "type": metric["dataset"]},
            "metrics": [
                {"type": metric["name"].lower(), "name": metric["name"], "value": metric["value"]}
            ],
        }
        for metric in card["metrics"]
    ]
    fields = {
        "language": card.get("languages", []),
        "license": card["licence"].lower(),
        "library_name": "keras-s2s",
        "pipeline_tag": _PIPELINES.get(card["task"]),
        "tags": ["keras", "sequence-to-sequence", card["task"]],
        "datasets": [source["name"] for source in card["data"]],
        "metrics": sorted({metric["name"].lower() for metric in card["metrics"]}),
        "model-index": [{"name": name, "results": results}],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _usage(name, card):
    first = card["examples"][0] if card["examples"] else None
    call = _call(json.dumps(first["input"], ensure_ascii=False)) if first else ""
    load = f"model = keras_s2s.zoo.load({json.dumps(name, ensure_ascii=False)})"
    code = ["import keras_s2s", "", load, call]
    if first:
        code.append(f"# {first['output']}")
    return "\n".join(["```python", *code, "```"])


def _call(text):
    call = f"model.generate({text})"
    return call if len(call) <= 100 else f"model.generate(\n    {text}\n)"


def _figures(metrics):
    if not metrics:
        return ""
    rows = ["| data | metric | value | signature |", "| --- | --- | --- | --- |"]
    for metric in metrics:
        # Signatures contain bars, which would end a table's cell.
        signature = metric.get("signature", "").replace("|", "\\|")
        signature = f"`{signature}`" if signature else ""
        spread = f" ± {metric['spread']}" if metric.get("spread") else ""
        value = f"{metric['value']}{spread}"
        rows.append(f"| {metric['dataset']} | {metric['name']} | {value} | {signature} |")
    return "\n".join(rows)


def _samples(card):
    """Sample outputs, good and bad; it shows the images that are in the folder."""
    if any("reference" in sample for sample in card.get("samples", [])):
        return "\n\n".join(_text_sample(*item) for item in enumerate(card["samples"], start=1))
    rows = []
    if card["task"] == "captioning":
        rows += [(f"![]({e['input']})", e["output"], "") for e in card["examples"]]
    rows += [(s["input"], s["output"], s.get("remark", "")) for s in card.get("samples", [])]
    if not rows:
        return ""
    lines = ["| input | output | remark |", "| --- | --- | --- |"]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text):
    """Text that ends neither a cell nor a row of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _text_sample(number, sample):
    """One of long texts, which no table could hold."""
    names = ("output", "reference", "remark")
    lines = [f"- {name}: {sample[name]}" for name in names if sample.get(name)]
    return "\n".join([f"{number}. {sample['input']}", "", *(f"   {line}" for line in lines)])


def _source(source):
    about = f": {source['description']}" if source.get("description") else ""
    return f"- {source['name']} ({source['licence']}){about}"


def _recipe(recipe):
    lines = [f"- {kind}: `{recipe[kind]}`" for kind in ("train", "evaluate") if recipe.get(kind)]
    lines += [f"- {kind}: {recipe[kind]}" for kind in ("hardware", "time") if recipe.get(kind)]
    return "\n".join(lines)
