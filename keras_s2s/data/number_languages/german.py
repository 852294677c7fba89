from keras_s2s.data.number_language import NumberLanguage


class German(NumberLanguage):
    """German."""

    code = "de"
    on, at, during = "am {}", "um {}", "{}"
    days, past = ("morgen",), ("gestern", "letztes jahr")
    parts_of_day = "früh|morgen|vormittag|mittag|nachmittag|abend|nacht"
    prepositions = ("für", "bis", "von", "vor", "seit", "nach", "ab", "als", "auf", "zu")
    currencies = {"dollar": ("Dollar", "$"), "euro": ("Euro", "€"), "yen": ("Yen", "¥")}
    nouns = (
        *("Zimmer", "Bus", "Seite", "Flug", "Zug", "Kapitel", "Haus", "Klasse", "Tisch"),
        *("Tür", "Frage", "Büro", "Nummer", "Lektion"),
    )
    determiners = "d(?:er|ie|as|em|en)|(?:[mds]?ein|ihr|unser|eue?r)(?:e[mnrs]?)?"
    number_noun = r"\w*[Nn]ummer"
    ordinal, no_number = r"(?P<digits>\d+)\.(?= \w)|ORDINAL[nrsm]?", r"(?!\. \w)"
    time = r"(?P<hour>NUMBER)(?:[:.](?P<minute>\d\d))? Uhr(?! \d)"
    date = r"(?P<day>\d\d?)\. (?P<month>MONTH)(?: (?P<year>\d{4}))?"

    def _number_words(self):
        return super()._number_words() | {
            "hundert": 100,
            "einhundert": 100,
            "tausend": 1000,
            "eintausend": 1000,
        }

    def _with_sign(self, amount, sign):
        return f"{amount} {sign}"

    def _write_time(self, time):
        if time.minute is None:
            return f"{time.hour} Uhr"
        # Both signs are usual; the sum chooses, so that a time is always written the same way.
        colon = ":" if (time.hour + time.minute) % 3 else "."
        return f"{time.hour}{colon}{time.minute:02} Uhr"

    def _write_date(self, value):
        if value.year and value.in_digits:
            return f"{value.day}.{value.month}.{value.year}"
        return super()._write_date(value)

    def _write_year(self, value):
        text = super()._write_year(value)
        if value.month:
            return f"im {text}"
        return f"im {'Jahre' if value.year % 2 else 'Jahr'} {text}" if value.long else text
