from keras_s2s.data.number_language import NumberLanguage


class Spanish(NumberLanguage):
    """Spanish."""

    code = "es"
    on, at, during = "el {}", "a las {}", "en {}"
    days, past = ("mañana",), ("ayer", "el año pasado")
    # "Mañana" is the morning, too.
    parts_of_day = "por la|a la|en la|al|de"
    prepositions = (
        *("[Aa]", "de", "del", "[Pp]or", "[Pp]ara", "[Hh]asta", "[Dd]esde", "que", "[Cc]ada"),
        *("[Ll]a", "[Ee]sta", "[Uu]na", "buena", "cierta"),
    )
    currencies = {"dollar": ("dólares", "$"), "euro": ("euros", "€"), "yen": ("yenes", "¥")}
    nouns = (
        *("habitación", "autobús", "página", "vuelo", "tren", "capítulo", "casa", "clase", "mesa"),
        *("puerta", "pregunta", "oficina", "número", "lección"),
    )
    numbered = (
        *("la habitación", "el autobús", "la página", "el vuelo", "el tren", "el capítulo"),
        *("la casa", "la clase", "la mesa", "la puerta", "la pregunta", "la oficina"),
        *("el número", "la lección"),
    )
    # "de el" would have to become "del".
    determiners = r"(?<!\b[Dd]e )(?<!\b[Aa] )(?:el|la|una?|mi|tu|su|[nv]uestr[oa])"
    number_noun = r"número(?: de teléfono)?"
    # No ordinals: they have a gender, and SentencePiece makes "17.o" of "17.º".
    # After "las" alone as many are persons or things.
    time = (
        r"(?:(?<=\b[Aa] las )|(?<=\b[Ss]on las )|(?<=\b[Hh]asta las )|(?=\d+:))"
        r"(?P<hour>NUMBER)(?::(?P<minute>\d\d))?(?: en punto|(?=[.,;?!]| de la|$))"
    )
    date = r"(?P<day>\d\d?) de (?P<month>MONTH)(?: del? (?P<year>\d{4}))?"

    def _number_words(self):
        return super()._number_words() | {"cien": 100, "mil": 1000}

    def _with_sign(self, amount, sign):
        return f"{amount} {sign}"

    def _write_time(self, time):
        if time.minute is None and time.hour <= 12:
            return str(time.hour)
        return f"{time.hour}:{time.minute or 0:02}"

    def _write_date(self, value):
        if value.year and value.in_digits:
            return f"{value.day}/{value.month}/{value.year}"
        return super()._write_date(value)

    def _write_year(self, value):
        return super()._write_year(value).replace(" ", " de ")
