"""A tokenizer and a model that nfgen finds by their entry points."""
