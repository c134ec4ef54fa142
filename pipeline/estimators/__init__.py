"""The models: topic (a learned queue is one too), priority, escalation; their parts, and what explains them."""
