"""Review by hand, in a browser on the same machine: open questions, and what the checks leave to a human."""
