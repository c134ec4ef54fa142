"""The streaming door: messages in, results out, once each by their keys."""
