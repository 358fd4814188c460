"""Mutants that compute the same as the reference, each listed by hand with its reason.

Keys are exercise ids; then the mutant's name as `mutation.mutants` gives it.
"""

OVERWRITTEN = "every cell is written afterwards"
AXES_OF_A_REDUCTION = "the order of the axes of a reduction does not matter"

EQUIVALENT = {
    "cross_correlate": {
        "out = torch.zeros(height - kh + 1, width - kw + 1)"
        "  ->  out = torch.ones(height - kh + 1, width - kw + 1)": OVERWRITTEN,
    },
    "same_padding": {
        "return (f - 1) // 2  ->  return f // 2": "f is odd",
        "return (f - 1) // 2  ->  return (f - 0) // 2": "f is odd",
    },
    "conv2d": {
        "pairs = zip(x, filter_, strict=True)  ->  pairs = zip(x, filter_, strict=False)": (
            "both have as many channels: strict only guards against a wrong call"
        ),
    },
    "conv2d_as_matmul": {
        "f = weight.shape[-1]  ->  f = weight.shape[-2]": "filters are square in this exercise",
    },
    "conv2d_gradient": {
        "f = weight.shape[-1]  ->  f = weight.shape[-2]": "filters are square in this exercise",
    },
    "max_pool": {
        "out = torch.zeros(channels, rows, columns)"
        "  ->  out = torch.ones(channels, rows, columns)": OVERWRITTEN,
        "out[:, i, j] = window.amax(dim=(1, 2))  ->  out[:, i, j] = window.amax(dim=(2, 1))": (
            AXES_OF_A_REDUCTION
        ),
    },
    "avg_pool": {
        "out = torch.zeros(channels, rows, columns)"
        "  ->  out = torch.ones(channels, rows, columns)": OVERWRITTEN,
        "out[:, i, j] = window.sum(dim=(1, 2)) / size ** 2"
        "  ->  out[:, i, j] = window.sum(dim=(2, 1)) / size ** 2": AXES_OF_A_REDUCTION,
    },
    "pixel_statistics": {
        "return (pixels.mean().item(), pixels.std(correction=0).item())"
        "  ->  return (pixels.mean().item(), pixels.std(correction=1).item())": (
            "both standard deviations are accepted"
        ),
    },
    "lenet5_parameters": {
        "conv1 = 1 * 50 * 3 * 3 + 50  ->  conv1 = 50 * 3 * 3 + 50": "a factor of 1 is dropped",
    },
    "vgg": {
        "side = 32 // 2 ** len(arch)  ->  side = 33 // 2 ** len(arch)": "33 // 16 is 2 as well",
    },
    "batch_norm": {
        f"{name} = {values}.mean(dim=(0, 2, 3), keepdim=True)"
        f"  ->  {name} = {values}.mean(dim={axes}, keepdim=True)": AXES_OF_A_REDUCTION
        for name, values in (("mean", "x"), ("variance", "((x - mean) ** 2)"))
        for axes in ("(2, 0, 3)", "(0, 3, 2)")
    },
    "pointwise_head": {
        "return maps.mean(dim=(2, 3))  ->  return maps.mean(dim=(3, 2))": AXES_OF_A_REDUCTION,
    },
    "receptive_field": {
        "field, step = (1, 1)  ->  step, field = (1, 1)": "both start from 1",
    },
}
