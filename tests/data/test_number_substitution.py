import re

import pytest

from keras_s2s.data import substitute_numbers
from keras_s2s.data.number_language import Date, Number, Ordinal, Price, Time, Year
from keras_s2s.data.number_languages import English, French, German, Spanish


@pytest.fixture(scope="module")
def german():
    return German()


@pytest.fixture(scope="module")
def english():
    return English()


@pytest.fixture(scope="module")
def french():
    return French()


@pytest.fixture(scope="module")
def spanish():
    return Spanish()


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
    "value, in_french, in_spanish",
    [
        (Number(1250, grouped=True), "1 250", "1.250"),
        (Number(3.5, 1), "3,5", "3,5"),
        (Price(Number(12.5, 2), "euro", False), "12,50 euros", "12,50 euros"),
        (Price(Number(1250, grouped=True), "dollar", True), "1 250 $", "1.250 $"),
        (Time(18, None), "18 heures", "18:00"),
        (Time(1, None), "1 heure", "1"),
        (Time(8, 46), "8:46", "8:46"),
        (Time(8, 47), "8h47", "8:47"),
        (Time(8, 48), "8 h 48", "8:48"),
        (Date(1, 5, 2021), "1er mai 2021", "1 de mayo de 2021"),
        (Date(11, 5, None), "11 mai", "11 de mayo"),
        (Date(3, 5, 2021, in_digits=True), "3/5/2021", "3/5/2021"),
        (Year(1912, 5), "mai 1912", "mayo de 1912"),
        (Year(1912, None, long=True), "1912", "1912"),
    ],
)
def test_spelling_of_french_and_spanish(french, spanish, value, in_french, in_spanish):
    assert (french.write(value), spanish.write(value)) == (in_french, in_spanish)


def test_french_ordinals(french):
    assert french.write(Ordinal(12)) == "12e"


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
    "in_french, in_spanish, in_english, kinds, values",
    [
        ("J'ai trois chiens.", "Tengo tres perros.", "I have 3 dogs.", ["number"], [3]),
        ("Il y en a 1 250.", "Son 1.250.", "It's 1,250.", ["number"], [1250]),
        ("Ça fait 3,5.", "Son 3,5.", "It's 3.5.", ["number"], [3.5]),
        ("Ça coûte dix dollars.", "Cuesta 10 $.", "It costs $10.", ["price"], [10]),
        ("À six heures.", "A las seis.", "At six o'clock.", ["time"], [(6, 0)]),
        ("Dès 18h30.", "Hasta las 18:30.", "Until 6:30 p.m.", ["time"], [(6, 30)]),
        ("Le 1er mai 2014.", "El 1 de mayo de 2014.", "On May 1st, 2014.", ["date"], [(1, 4)]),
        ("Il vient lundi.", "Viene el lunes.", "He's coming on Monday.", ["day"], [0]),
        ("Il est venu hier.", "Vino ayer.", "He came yesterday.", ["past"], [8]),
        ("Où est ma chambre ?", "¿Dónde está mi habitación?", "Where's my room?", ["noun"], [0]),
    ],
)
def test_french_and_spanish(
    french, spanish, english, in_french, in_spanish, in_english, kinds, values
):
    for language, text in ((french, in_french), (spanish, in_spanish), (english, in_english)):
        places = language.find(text)
        assert [place.kind for place in places] == kinds
        assert [place.value for place in places] == values


@pytest.mark.parametrize(
    "language, text",
    [
        ("french", "Cela dure trois heures."),  # how long, or when
        ("french", "À demain, ou lundi matin."),
        ("french", "La journée d'hier."),
        ("french", "Le toit de la maison."),
        ("spanish", "Por la mañana, o mañana por la tarde."),
        ("spanish", "El techo de mi casa."),
    ],
)
def test_no_number_in_french_and_spanish(request, language, text):
    assert request.getfixturevalue(language).find(text) == []


def test_french_and_spanish_sentences_with_other_numbers():
    sources = ["Je suis dans ma chambre."] * 20 + ["Il part demain."] * 20
    targets = ["I am in my room."] * 20 + ["He is leaving tomorrow."] * 20
    for source, target in zip(*substitute_numbers(sources, targets, ("fr", "en"), 1)):
        if number := re.fullmatch(r"Je suis dans la chambre (\d+)\.", source):
            assert target == f"I am in room {number[1]}."
        else:
            assert re.fullmatch(r"Il part (demain à|le|en) .+\.", source)
    [source], [target] = substitute_numbers(["Era 1912."], ["It was 1912."], ("es", "en"), 1)
    assert source.removeprefix("Era ") == target.removeprefix("It was ") != "1912."


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
    with pytest.raises(ValueError, match="`languages` must be two of en, fr, de, es"):
        substitute_numbers(["a"], ["b"], ("de", "tlh"))
