"""A property of every window: nothing outside it can change the output cell, and what is inside does."""

import torch

from course_utils.exercises import calls


def check_window(exercise, seed):
    """Draw one cell of each probe's result, and disturb the inputs outside and inside its window."""
    generator = torch.Generator().manual_seed(seed)
    for probe in exercise.probes(seed):
        inputs = calls.defaults(exercise) | calls.arguments(exercise, probe)
        results = _results(exercise, inputs)
        part = int(torch.randint(len(results), (), generator=generator))
        out = results[part]
        flat = int(torch.randint(out.numel(), (), generator=generator))
        index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), out.shape))
        window = exercise.window(index, **inputs)
        names = window or {name: [] for name, value in inputs.items() if _is_image(name, value)}
        for name in names:
            inside = torch.zeros(inputs[name].shape, dtype=torch.bool)
            for region in window.get(name, []):
                inside[region] = True
            noise = 100 + torch.rand(inside.shape, generator=generator)
            outside_changed = {**inputs, name: torch.where(inside, inputs[name], noise)}
            assert _results(exercise, outside_changed)[part][index] == out[index], (probe.note, index, name)
            if inside.any() and _always_counts(exercise, name, inputs, inside):
                inside_changed = {**inputs, name: torch.where(inside, noise, inputs[name])}
                assert _results(exercise, inside_changed)[part][index] != out[index], (
                    probe.note,
                    index,
                    name,
                )


def _results(exercise, inputs):
    result = exercise.reference(**inputs)
    return result if isinstance(result, tuple) else (result,)


def _is_image(name, value):
    return isinstance(value, torch.Tensor) and name in ("image", "x", "first", "second")


def _always_counts(exercise, name, inputs, inside):
    # The gradient of max pooling depends on the order of the window's values only; a kernel may be 0 there.
    # Where a value is its channel's mean, it stays 0 whatever the weight.
    return exercise.id != "max_pool_gradient" and (exercise.id, name) != ("batch_norm", "weight")
