"""Pages over their own frozen dataclasses: the evaluation report and the model card."""
