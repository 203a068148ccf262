"""From the log to the read models: workers, and the runner that folds for them."""
