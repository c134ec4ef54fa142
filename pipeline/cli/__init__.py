"""The command line: a thin function for each verb, a small file for each group of verbs."""
