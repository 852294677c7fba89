"""The languages whose numbers are known."""

from keras_s2s.data.number_languages.english import English
from keras_s2s.data.number_languages.french import French
from keras_s2s.data.number_languages.german import German
from keras_s2s.data.number_languages.spanish import Spanish

#: By their codes.
LANGUAGES = {language.code: language for language in (English, French, German, Spanish)}
