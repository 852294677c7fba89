from keras_s2s.data.number_language import NumberLanguage


class French(NumberLanguage):
    """French."""

    code = "fr"
    on, at, during, weekday = "le {}", "à {}", "en {}", "{}"
    days, past = ("demain",), ("hier", "l'année dernière")
    parts_of_day = "matin|midi|après-midi|soir|nuit"
    prepositions = (
        *("[Àà]", "[Ll]e", "[Cc]e", "[Cc]haque", "[Pp]our", "de", "d'", "[Dd]epuis", "[Dd]ès"),
        *("[Aa]vant", "[Aa]près"),
    )
    currencies = {"dollar": ("dollars", "$"), "euro": ("euros", "€"), "yen": ("yens", "¥")}
    nouns = (
        *("chambre", "bus", "page", "vol", "train", "chapitre", "maison", "classe", "table"),
        *("porte", "question", "bureau", "numéro", "leçon"),
    )
    numbered = (
        *("la chambre", "le bus", "la page", "le vol", "le train", "le chapitre", "la maison"),
        *("la classe", "la table", "la porte", "la question", "le bureau", "le numéro", "la leçon"),
    )
    # "de le" would have to become "du".
    determiners = r"(?<!\b[Dd]e )(?<!\b[Àà] )(?:une?|l[ae]|[mts](?:on|a)|[nv]otre|leur)"
    number_noun = r"numéro(?: de téléphone)?"
    # Not "second", which is a time, too.
    ordinal = r"(?P<digits>\d+)(?:e|ème)|ORDINAL"
    digits = r"\d{1,3}(?: \d{3})+(?:,\d+)?|\d+(?:[.,]\d+)*"
    group = " "
    # Without "à", hours are a duration as often.
    no_number = r"(?! ?h(?:eures?)?\b| ?h\d)"
    time = (
        r"(?:(?<=[Àà] )|(?=\w+(?::| ?h ?| heures )\d\d))"
        r"(?P<hour>NUMBER)(?::(?=\d\d)| ?h(?:eures?)?)(?: ?(?P<minute>\d\d))?"
    )
    date = r"(?P<day>\d\d?)(?:er)? (?P<month>MONTH)(?: (?P<year>\d{4}))?"

    def _number_words(self):
        return super()._number_words() | {"cent": 100, "mille": 1000}

    def _write_ordinal(self, value):
        return f"{value}e"

    def _with_sign(self, amount, sign):
        return f"{amount} {sign}"

    def _write_time(self, time):
        if time.minute is None:
            return f"{time.hour} heure{'s' * (time.hour > 1)}"
        # All three are usual; the sum chooses, so that a time is always written the same way.
        sign = (":", "h", " h ")[(time.hour + time.minute) % 3]
        return f"{time.hour}{sign}{time.minute:02}"

    def _write_date(self, value):
        if value.year and value.in_digits:
            return f"{value.day}/{value.month}/{value.year}"
        text = super()._write_date(value)
        return text.replace("1 ", "1er ", 1) if value.day == 1 else text
