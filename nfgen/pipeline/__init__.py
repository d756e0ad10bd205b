"""The verbs of nfgen, a file a verb: the one place that brings tokenizers and models together."""
