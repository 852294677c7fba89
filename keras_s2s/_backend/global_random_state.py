"""The random state that belongs to the backend and not to the layers."""

import keras


def get():
    """Dict of arrays. Keras's dropout draws from PyTorch's own generators; others have none."""
    if keras.backend.backend() != "torch":
        return {}
    import torch

    states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return {f"torch_{i}": state.cpu().numpy() for i, state in enumerate(states)}


def restore(arrays):
    """Restores what `get` returned; arrays of other names are ignored."""
    states = [arrays[name] for name in sorted(arrays) if name.startswith("torch_")]
    if keras.backend.backend() != "torch" or not states:
        return
    import torch

    first, *devices = map(torch.from_numpy, states)
    torch.set_rng_state(first)
    for device, state in enumerate(devices[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
