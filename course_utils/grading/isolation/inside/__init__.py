"""What runs on the kernel's side of the wall: the standard library, PyTorch, Jupyter and the edition alone."""
