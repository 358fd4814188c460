# ruff: noqa
# Giant displays, and messages that claim to come from the kernel itself.
# deserves: output_size full
# %% output_size
from IPython.display import HTML, display

for _ in range(20):
    display(HTML("x" * (4 << 20)))
for _ in range(2000):
    display(HTML("x"), display_id="same")


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1


output_size
