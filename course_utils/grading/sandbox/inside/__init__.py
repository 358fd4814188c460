"""What runs on the kernel's side of the wall, with PyTorch, Jupyter and the edition alone."""
