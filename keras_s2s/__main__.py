"""`python -m keras_s2s` does what `keras-s2s` does."""

from keras_s2s_cli import main

main()
