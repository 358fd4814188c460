# ruff: noqa
# The cell asks for all memory there is.
# deserves: output_size 0
# %% output_size
import torch

hoard = [torch.ones(1 << 24)]
while True:
    hoard.append(torch.cat([hoard[-1], hoard[-1]]))
