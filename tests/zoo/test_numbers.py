"""Numbers come through the default translator, in what people write of them every day."""

import pytest

from keras_s2s import zoo

pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")

# Chosen among those that are right: this guards them, docs/results.md has the figures.
TRANSLATIONS = {
    "Ich bin am 3. Mai 2021 nach Berlin gezogen.": "I moved to Berlin on May 3, 2021.",
    "Meine Telefonnummer ist 555 1234.": "My telephone number is 555 1234.",
    "Sie wohnt in Zimmer 408.": "She lives in room 408.",
    "Der Zug fährt um 14:35 Uhr ab.": "The train leaves at 14:35.",
    "Das Buch kostet 19,99 Euro.": "The book costs 19.99 euros.",
    "Er wurde 1987 geboren.": "He was born in 1987.",
    "Die Stadt hat 250.000 Einwohner.": "The town has 250,000 inhabitants.",
    "Sie ist 1,65 Meter groß.": "She's 1.65 meters tall.",
    "Wir treffen uns am 24. Dezember um 18 Uhr.": "We'll meet on December 24 at 18:00.",
    "Das Auto hat 12.500 Euro gekostet.": "The car cost 12,500 euros.",
    "Ich brauche 2,5 Kilo Kartoffeln.": "I need 2.5 kilos of potatoes.",
    "Lies bitte Seite 173.": "Please read page 173.",
    "Die Firma wurde im Jahr 1912 gegründet.": "The company was founded in 1912.",
    "Mein Büro ist im 12. Stock.": "My office is on the 12th floor.",
    "Am 17. August 1998 haben wir geheiratet.": "We got married on August 17, 1998.",
    "Ihr Zimmer hat die Nummer 215.": "Her room has the number 215.",
    "Das Geschäft schließt um 20 Uhr.": "The store closes at 20:00.",
    "Der Kaffee kostet 2,80 €.": "The coffee costs €2.80.",
    "Ich lebe seit 2009 in Deutschland.": "I have lived in Germany since 2009.",
    "Der Film beginnt um 21.45 Uhr.": "The movie begins at 21:45.",
    "Nehmen Sie den Zug um 7:08 Uhr.": "Take the train at 7:08.",
    "Nur 3 % der Schüler haben bestanden.": "Only 3% of the students passed.",
    "Unsere Tochter wird im Juni 13 Jahre alt.": "Our daughter will be 13 years old in June.",
    "Meine neue Handynummer ist 0176 448812.": "My new phone number is 0176 448812.",
    "Er hat 600 Dollar für das Fahrrad bezahlt.": "He paid 600 dollars for the bicycle.",
}


@pytest.mark.thorough
@pytest.mark.slow
def test_numbers_come_through():
    texts = zoo.load("translation").generate(list(TRANSLATIONS))
    assert dict(zip(TRANSLATIONS, texts)) == TRANSLATIONS
