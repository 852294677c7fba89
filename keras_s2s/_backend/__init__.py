"""What `keras.ops` cannot do, once per backend. Private."""
