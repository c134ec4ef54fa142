"""What makes a scorer: one file for each stage, the label audit, and the evaluation. Serving never imports it."""
