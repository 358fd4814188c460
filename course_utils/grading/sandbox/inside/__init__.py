"""What runs on the kernel's side of the walls, with only PyTorch, Jupyter and the redacted course."""
