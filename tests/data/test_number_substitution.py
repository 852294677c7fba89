import re

import pytest

from keras_s2s.data import substitute_numbers
from keras_s2s.data.number_language import (
    Date,
    English,
    German,
    Number,
    Ordinal,
    Price,
    Time,
    Year,
)


@pytest.fixture(scope="module")
def german():
    return German()


@pytest.fixture(scope="module")
def english():
    return English()


@pytest.mark.parametrize(
    "value, in_german, in_english",
    [
        (Number(408), "408", "408"),
        (Number(1250, grouped=True), "1.250", "1,250"),
        (Number(2021), "2021", "2021"),
        (Number(3.5, 1), "3,5", "3.5"),
        (Price(Number(12.5, 2), "euro", False), "12,50 Euro", "12.50 euros"),
        (Price(Number(12.5, 2), "euro", True), "12,50 €", "€12.50"),
        (Price(Number(1250, grouped=True), "dollar", True), "1.250 $", "$1,250"),
        (Time(18, None), "18 Uhr", "18:00"),
        (Time(8, None), "8 Uhr", "8 o'clock"),
        (Time(18, 0), "18.00 Uhr", "18:00"),
        (Time(19, 0), "19:00 Uhr", "19:00"),
        (Time(8, 46), "8.46 Uhr", "8:46"),
        (Time(8, 45), "8:45 Uhr", "8:45"),
        (Date(3, 5, 2021), "3. Mai 2021", "May 3, 2021"),
        (Date(3, 5, 2021, in_digits=True), "3.5.2021", "May 3, 2021"),
        (Ordinal(12), "12.", "12th"),
        (Ordinal(23), "23.", "23rd"),
        (Date(28, 2, None), "28. Februar", "February 28"),
        (Year(1912, None), "1912", "1912"),
        (Year(1912, None, long=True), "im Jahr 1912", "1912"),
        (Year(1913, None, long=True), "im Jahre 1913", "1913"),
        (Year(1912, 5), "im Mai 1912", "May 1912"),
        (Year(None, 5), "im Mai", "May"),
    ],
)
def test_spelling(german, english, value, in_german, in_english):
    assert (german.write(value), english.write(value)) == (in_german, in_english)


@pytest.mark.parametrize(
    "in_german, in_english, kinds, values",
    [
        ("Ich habe drei Hunde.", "I have 3 dogs.", ["number"], [3]),
        ("Es sind 1.250.", "There are 1,250.", ["number"], [1250]),
        ("Das macht 3,5.", "That makes 3.5.", ["number"], [3.5]),
        ("Es kostet zehn Dollar.", "It costs $10.", ["price"], [10]),
        ("Es kostet 2 €.", "It costs two euros.", ["price"], [2]),
        ("Bis 18:30 Uhr.", "Until 6:30 p.m.", ["time"], [(6, 30)]),
        ("Am 20. Oktober 2014.", "On October 20th, 2014.", ["date"], [(20, 9)]),
        ("Er kommt am Montag.", "He's coming on Monday.", ["day"], [0]),
        ("Er kam gestern.", "He came yesterday.", ["past"], [8]),
        ("Letztes Jahr kam er.", "Last year he came.", ["past"], [9]),
        ("Wo ist mein Zimmer?", "Where is my room?", ["noun"], [0]),
        ("Hier ist meine Telefonnummer.", "Here is my phone number.", ["end"], [""]),
        ("Im 3. Stock.", "On the third floor.", ["ordinal"], [3]),
        ("Ihr zwanzigster Tag.", "Her 20th day.", ["ordinal"], [20]),
        ("Zwei von dreißig.", "Two of thirty.", ["number", "number"], [2, 30]),
    ],
)
def test_both_sides_say_the_same(german, english, in_german, in_english, kinds, values):
    for language, text in ((german, in_german), (english, in_english)):
        places = language.find(text)
        assert [place.kind for place in places] == kinds
        assert [place.value for place in places] == values


@pytest.mark.parametrize(
    "text",
    [
        "Am Montagmorgen.",  # a part of a day
        "Guten Morgen Abend.",
        "CO2 und B12.",  # within a word
        "Das ist für morgen.",  # another preposition
        "Um 8.30.45 war es.",
        "Hallo!",
    ],
)
def test_no_number(german, text):
    assert german.find(text) == []


def substitute(source, target, copies=40):
    return list(zip(*substitute_numbers([source], [target], ("de", "en"), copies)))


def test_new_pairs_differ_in_their_numbers_only():
    pairs = substitute("Ich habe drei Hunde und vier Katzen.", "I have 4 cats and 3 dogs.")
    assert len(pairs) == 40 and len(set(pairs)) > 30
    number = r"(\+?\d[\d., /-]*)"
    for source, target in pairs:
        dogs, cats = re.fullmatch(
            rf"Ich habe {number} Hunde und {number} Katzen\.", source
        ).groups()
        more_cats, more_dogs = re.fullmatch(
            rf"I have {number} cats and {number} dogs\.", target
        ).groups()
        swap = str.maketrans(",.", ".,")
        assert (dogs.translate(swap), cats.translate(swap)) == (more_dogs, more_cats)


def test_sentences_begin_with_capitals():
    for source, target in substitute("Am Montag kommt er.", "On Monday he is coming."):
        assert re.fullmatch(r"Am .*\d.* kommt er\.", source)
        assert re.fullmatch(r"On .*\d.* he is coming\.", target)
    for source, target in substitute("Mein Zimmer ist groß.", "My room is large."):
        number = re.fullmatch(r"Zimmer (\d+) ist groß\.", source)[1]
        assert target == f"Room {number} is large."


def test_yesterday_becomes_a_date_or_a_year():
    sources = ["Gestern regnete es.", "Letztes Jahr regnete es."] * 20
    targets = ["Yesterday it rained.", "Last year it rained."] * 20
    pairs = list(zip(*substitute_numbers(sources, targets, ("de", "en"), 1)))
    years = [re.fullmatch(r"In (\w+ )?(\d{4}) it rained\.", target) for _, target in pairs]
    assert 5 < sum(map(bool, years)) < 35
    for (source, _), year in zip(pairs, years):
        forms = rf"(Im (Jahre?|\w+) )?{year[2]} regnete es\." if year else r"(Am|Gestern um|Letz).*"
        assert re.fullmatch(forms, source)


def test_years_stay_years():
    for source, target in substitute("Er starb 1912.", "He died in 1912."):
        year = re.fullmatch(r"Er starb (\d{4})\.", source)[1]
        assert target == f"He died in {year}." and 1100 <= int(year) < 2040


def test_one_full_stop_ends_a_sentence():
    for hour in ("eight o'clock.", "8 p.m."):
        for source, target in substitute("Bis acht Uhr.", f"Until {hour}"):
            assert source.endswith("Uhr.") and re.fullmatch(r"Until [\w:' ]+\.", target)
    for source, target in substitute("Er ist der vierte.", "He is the fourth."):
        assert re.fullmatch(r"Er ist der \d+\.", source)
        assert re.fullmatch(r"He is the \d+(st|nd|rd|th)\.", target)


@pytest.mark.parametrize(
    "source, target",
    [
        ("Ich habe drei Hunde.", "I have dogs."),
        ("Ich habe drei Hunde.", "I have four dogs."),
        ("Zehn Meilen sind 16 Kilometer.", "Ten miles are 10 kilometers."),
        ("Drei und drei.", "Three and three."),  # which is which?
        ("Er kommt am Montag.", "He is coming on Tuesday."),
        ("Hallo!", "Hello!"),
    ],
)
def test_pairs_that_disagree_are_left_alone(source, target):
    assert substitute(source, target) == []


def test_seed():
    pairs = ["Zwei Hunde."] * 5, ["Two dogs."] * 5
    first, again, other = (substitute_numbers(*pairs, ("de", "en"), 2, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_unknown_language():
    with pytest.raises(ValueError, match="`languages` must be two of en, de"):
        substitute_numbers(["a"], ["b"], ("de", "tlh"))
