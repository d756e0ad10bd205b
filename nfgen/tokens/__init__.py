"""What tokenizers and models share: the vocabulary, tokens on disk, and the one decode path."""
