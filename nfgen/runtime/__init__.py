"""The process that nfgen runs in: progress, threads, precision, signals, plugins, executors."""
