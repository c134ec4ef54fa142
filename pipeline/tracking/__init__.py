"""MLflow, and nothing else in the project imports it: runs, and the scorer as a pyfunc model."""
