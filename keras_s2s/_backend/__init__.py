"""Operations that `keras.ops` lacks, written once per backend. Private."""
