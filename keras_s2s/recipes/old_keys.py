"""Former keys of recipes, which the recipes of shipped presets still have."""

#: Former tables of a captioner's stages, and the keys that each of them implied.
_STAGES = {
    "frozen": {"freeze": "backbone"},
    "fine_tuning": {},
    "self_critical": {
        "objective": "self_critical",
        "freeze": "backbone",
        "schedule": "constant",
    },
}


def path(key):
    """The current name of `TABLE.KEY`."""
    table, dot, rest = key.partition(".")
    if table in _STAGES:
        return f"stages.{table}{dot}{rest}"
    return "dtype" if key == "training.dtype" else key


def renamed(values):
    """The values of a recipe under the current keys."""
    values = dict(values)
    stages = {name: values.pop(name) for name in _STAGES if name in values}
    if stages:
        values["stages"] = {
            name: {**_STAGES[name], **table} if isinstance(table, dict) else table
            for name, table in stages.items()
        }
        if isinstance(values.get("tokenizer"), dict):
            values["tokenizer"] = {"length": 64, **values["tokenizer"]}
    training = values.get("training")
    if isinstance(training, dict) and "dtype" in training:
        values["training"] = {key: value for key, value in training.items() if key != "dtype"}
        values["dtype"] = training["dtype"]
    return values
