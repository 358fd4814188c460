"""Right answers written in other ways than the references: each must be accepted."""
