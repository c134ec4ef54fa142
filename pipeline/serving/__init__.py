"""The doors through which tickets reach a scorer: now the batch, over files and pipes."""
