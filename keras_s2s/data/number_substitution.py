"""Training pairs with other numbers in them, so that a model learns to copy numbers."""

import random

from keras_s2s.data.number_language import Date, Number, Ordinal, Price, Time, Year
from keras_s2s.data.number_languages import LANGUAGES

#: Kinds of places that are far more frequent than numbers: pairs with only these get one copy.
_FREQUENT = ("day", "past", "noun", "end")


def substitute_numbers(sources, targets, languages, copies=4, seed=0):
    """Makes pairs with other numbers from pairs that have the same numbers on both sides.

    Numbers are rare in most text, and a model that saw few of them garbles the others. In digits
    and in words, in prices, times and dates they are replaced by random ones, each side in the
    spelling of its language: "3,5" and "3.5", "3. Mai 2021" and "May 3, 2021". Days ("am Montag",
    "tomorrow") become dates or months, "yesterday" becomes a date or a year, and rooms and pages
    get a number ("my room", "room 408"). Pairs whose two sides do not say the same numbers are left
    alone.

    Needs `pip install "keras-s2s[train]"`.

    Args:
        sources: List of strings.
        targets: List of strings, as many.
        languages: The codes of the source's and the target's language; `"de"`, `"en"`,
            `"es"` and `"fr"` are known.
        copies: Integer, the pairs to make of each pair that has a number.
        seed: Integer. The same seed gives the same pairs.

    Returns:
        `(sources, targets)`: the new pairs only.

    Raises:
        ValueError: If a language is not known.
        ImportError: If Babel or num2words is missing.

    Example:
    ```python
    from keras_s2s.data import substitute_numbers

    sources, targets = substitute_numbers(
        ["Ich habe drei Hunde.", "Hallo!"], ["I have 3 dogs.", "Hello!"], ("de", "en"), copies=2
    )
    print(sources, targets)  # ['Ich habe 408 Hunde.', ...] ['I have 408 dogs.', ...]
    assert len(sources) == len(targets) == 2
    ```
    """
    unknown = [code for code in languages if code not in LANGUAGES]
    if unknown or len(languages) != 2:
        raise ValueError(
            f"`languages` must be two of {', '.join(LANGUAGES)}, the source's and the target's. "
            f"Received: {languages!r}"
        )
    source_language, target_language = (LANGUAGES[code]() for code in languages)
    rng = random.Random(seed)
    new_sources, new_targets = [], []
    for source, target in zip(sources, targets):
        places = source_language.find(source)
        matches = _matches(places, target_language.find(target) if places else [])
        frequent = all(place.kind in _FREQUENT for place, _ in matches)
        for _ in range(min(copies, 1) if frequent else copies):
            if matches:
                values = [_draw(_kind(pair), pair[0].value, rng) for pair in matches]
                first, second = ([pair[side] for pair in matches] for side in (0, 1))
                new_sources.append(_replace(source, first, values, source_language))
                new_targets.append(_replace(target, second, values, target_language))
    return new_sources, new_targets


def _matches(places, others):
    """Pairs of places that say the same; an empty list if one has no match or several."""
    matches = []
    for place in places:
        same = [other for other in others if _say_the_same(place, other)]
        if len(same) != 1 or any(same[0] is other for _, other in matches):
            return []
        matches.append((place, same[0]))
    return matches if len(matches) == len(others) else []


def _say_the_same(place, other):
    kinds, values = {place.kind, other.kind}, [place.value, other.value]
    if kinds == {"time", "number"}:
        # One language may say only a number: "um drei Uhr" is "at three".
        values = [v if isinstance(v, tuple) else (v % 12, 0) for v in values]
    return (len(kinds) == 1 or kinds == {"time", "number"}) and values[0] == values[1]


def _kind(pair):
    return "time" if "time" in (pair[0].kind, pair[1].kind) else pair[0].kind


def _replace(text, places, values, language):
    for place, value in sorted(zip(places, values), key=lambda pair: pair[0], reverse=True):
        old = text[place.start : place.end]
        if place.kind in ("day", "past"):
            date, time = value
            preposition = language.during if isinstance(date, Year) else language.on
            new = preposition.format(language.write(date)) if date else old
            if time:
                new += f" {language.at.format(language.write(time))}"
        elif place.kind == "noun":
            new = f"{(language.numbered or language.nouns)[place.value]} {value}"
        elif place.kind == "end":
            new = f"{old}: {value}"
        else:
            new = language.write(value)
        if old[0].isupper():
            new = new[0].upper() + new[1:]
        rest = text[place.end :]
        # One full stop ends a sentence, also after "6 p.m." and the German "3.".
        if new.endswith("."):
            rest = rest.removeprefix(".")
        elif old.endswith(".") and not rest:
            rest = "."
        text = text[: place.start] + new + rest
    return text


def _draw(kind, value, rng):
    """Draws a new value for a place that says `value`."""
    if kind == "price":
        return Price(_amount(rng), rng.choice(["dollar", "euro", "euro"]), rng.random() < 0.4)
    if kind == "time":
        return _time(rng)
    if kind == "date":
        return _date(rng)
    if kind == "ordinal":
        return Ordinal(rng.randint(2, rng.choice([31, 31, 31, 99, 300])))
    if kind == "day":
        date, time = _date(rng), _time(rng)
        month = Year(None, rng.randint(1, 12))
        return rng.choice([(date, None), (date, time), (date, time), (None, time), (month, None)])
    if kind == "past":
        date, year = _date(rng), _year(rng)
        return rng.choice([(date, None), (year, None), (year, None), (None, _time(rng))])
    if kind == "noun":
        return str(rng.randint(2, rng.choice([99, 999, 9999])))
    if kind == "end":
        return _groups_of_digits(rng)
    if 1100 <= value <= 2100:
        # Most such numbers are years, and stay years.
        return Number(rng.randint(1100, 2039))
    return _number(rng)


def _number(rng):
    kind = rng.random()
    if kind < 0.35:
        return Number(rng.randint(2, 99))
    if kind < 0.55:
        return Number(rng.randint(100, 999))
    if kind < 0.7:
        return Number(rng.randint(1900, 2039))
    if kind < 0.8:
        return Number(rng.randint(1000, 9999), grouped=rng.random() < 0.5)
    if kind < 0.87:
        return Number(int(10 ** rng.uniform(4, 7)), grouped=True)
    if kind < 0.97:
        decimals = rng.choice([1, 1, 2])
        return Number(rng.randint(1, 10 ** rng.randint(2, 4)) / 10**decimals, decimals)
    return _groups_of_digits(rng)


def _amount(rng):
    kind = rng.random()
    if kind < 0.4:
        return Number(rng.randint(2, 999))
    if kind < 0.8:
        return Number(rng.randint(100, 10 ** rng.randint(3, 5)) / 100, 2)
    return Number(int(10 ** rng.uniform(3, 6)), grouped=True)


def _time(rng):
    # Whole hours are frequent, and "18 Uhr" is not simply copied, as "18:35" is.
    if rng.random() < 0.4:
        return Time(rng.randint(1, 23), None)
    return Time(rng.randint(0, 23), rng.choice([0, rng.randint(1, 59), rng.randint(1, 59)]))


def _date(rng):
    year = rng.randint(1900, 2039) if rng.random() < 0.6 else None
    return Date(rng.randint(1, 28), rng.randint(1, 12), year, rng.random() < 0.2)


def _year(rng):
    month = rng.randint(1, 12) if rng.random() < 0.3 else None
    return Year(rng.randint(1700, 2030), month, rng.random() < 0.6)


def _groups_of_digits(rng):
    """Groups of digits, as in telephone numbers."""
    sizes = [rng.randint(2, 7) for _ in range(rng.randint(1, 3))]
    groups = ["".join(rng.choice("0123456789") for _ in range(size)) for size in sizes]
    country = f"+{rng.randint(1, 99)} " if rng.random() < 0.1 else ""
    return country + rng.choice([" ", " ", " ", "-", "/"]).join(groups)
