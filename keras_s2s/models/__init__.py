"""Sequence-to-sequence models: preprocessing, encoder and decoder."""
