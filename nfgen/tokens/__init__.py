"""The interface between tokenizers and models: the vocabulary, tokens on disk, and the one decode path."""
