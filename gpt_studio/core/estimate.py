"""Memory and compute of a GPT by arithmetic: no tensor is made, so it is instant.

The training memory is the peak of a real step, replayed as sizes in `core.step_memory`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from gpt_studio.core.config import GPTConfig, RunConfig
from gpt_studio.core.events import Device
from gpt_studio.core.shapes import block_shapes, parameters
from gpt_studio.core.step_memory import BF16, FP32, StepMemory

MB = 2**20

# What a process holds besides its tensors, where that has not been measured. CPU: seen with torch 2.13,
# libraries loaded and tiny steps done. CUDA: an assumption (context and libraries).
OVERHEAD = {"cpu": 320 * MB, "cuda": 600 * MB}
LEAST_INT8 = 2**18  # numbers of a matrix read in 8 bits; smaller ones are no faster so, and lose more
HOPPER = ("H100", "H200", "H800", "H20", "GH200")  # in the names of GPUs
SCRATCH = MB // 2  # of a matrix product on a CPU
FRAGMENTED = 0.07  # of memory that comes and goes: the median of simulated steps


@dataclass(frozen=True)
class Part:
    """One part of the memory, under the name its color goes by."""

    name: str
    label: str
    size: int


@dataclass(frozen=True)
class Memory:
    """Bytes by what they are for, at the moment when they are most."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    workspace: int  # what matrix products take for themselves
    rounding: int  # what a CUDA allocator reserves and no tensor fills
    overhead: int  # the CUDA context and libraries; on a CPU the process without the step

    @property
    def total(self) -> int:
        """What the device must have."""
        return sum(part.size for part in self)

    @property
    def reserved(self) -> int:
        """What the step asks the device for: all but the overhead."""
        return self.total - self.overhead

    @property
    def allocated(self) -> int:
        """What is in use of that: tensors, and the workspace that products take."""
        return self.reserved - self.rounding

    @property
    def tensors(self) -> int:
        """What tensors hold."""
        return self.allocated - self.workspace

    def __iter__(self) -> Iterator[Part]:
        """The parts, always in the same order."""
        return (Part(name, name.capitalize(), getattr(self, name)) for name in self.__dataclass_fields__)


@dataclass(frozen=True)
class Estimate:
    """What a run will take: bytes, and floating-point operations per token learned from."""

    parameters: int
    training: Memory
    generation: int
    flops_per_token: float
    tokens_per_step: int


UNKNOWN_CPU = Device("cpu", "", 0)
UNKNOWN_GPU = Device("cuda:0", "", 0)


def estimate(config: RunConfig, device: Device = UNKNOWN_CPU) -> Estimate:
    """Everything a person wants to know before starting."""
    return Estimate(
        parameters=parameters(config.model),
        training=training_memory(config, device),
        generation=generation_memory(config.model, config.sample.precision, device.kind),
        flops_per_token=flops_per_token(config.model),
        tokens_per_step=config.train.effective_batch * config.model.max_length,
    )


# ---------------------------------------------------------------- compute and generation


def flops_per_token(config: GPTConfig) -> float:
    """Training, forward and backward, per token: 6 per weight of a matrix product + 12 · layers · D · T.

    The count of PaLM (Chowdhery et al. 2022, appendix B), which MFU is based on: two operations per
    weight forward and four backward; attention as if every token saw the whole context; what
    checkpointing computes again is not counted.
    """
    width, layers = config.embed_size, config.num_layers
    weights = layers * (4 + 2 * config.forward_expansion) * width**2 + config.vocab_size * width
    return 6.0 * weights + 12.0 * layers * width * config.max_length


def generation_memory(config: GPTConfig, precision: str = "fp32", kind: str = "cpu") -> int:
    """Writing one text: the model, a copy of its matrices in the form that is read fastest, keys and values
    of a whole context, and one row of logits.

    A GPU reads fp32 weights as they are. Of an int8 matrix each row has a bf16 scale.
    """
    item = FP32 if precision == "fp32" else BF16
    block = [shape for shape in block_shapes(config).values() if len(shape) == 2]
    matrices = [*config.num_layers * block, (config.vocab_size, config.embed_size)]
    copy = 0 if item == FP32 and kind == "cuda" else sum(_packed(shape, precision) for shape in matrices)
    cache = 2 * config.num_layers * config.max_length * config.embed_size
    return FP32 * (parameters(config) + config.vocab_size) + copy + item * cache


def _packed(shape: tuple[int, ...], precision: str) -> int:
    """Bytes of a matrix in the form it is read in while writing."""
    numbers = prod(shape)
    if precision == "int8" and numbers >= LEAST_INT8:
        return numbers + BF16 * shape[0]
    return (FP32 if precision == "fp32" else BF16) * numbers


# ---------------------------------------------------------------- training memory


def training_memory(config: RunConfig, device: Device = UNKNOWN_CPU) -> Memory:
    """The peak of a training step, by part: any step but the first, when the optimizer has its state."""
    parts = StepMemory(config, device.kind).peak()
    workspace = device.workspace or _workspace(device)
    return Memory(
        **parts,
        workspace=workspace,
        rounding=_rounding(config, sum(parts.values()) + workspace) if device.kind == "cuda" else 0,
        overhead=device.overhead or OVERHEAD[device.kind],
    )


def _workspace(device: Device) -> int:
    """What cuBLAS takes, once for the thread that goes forward and once for the one that goes back.

    Its size is that of PyTorch's documentation (CUBLAS_WORKSPACE_CONFIG): 32 MiB on Hopper, 8.1 MiB before.
    On a CPU oneDNN takes scratch memory inside a product: 0.03 to 1.4 MB measured for one thread.
    """
    if device.kind == "cpu":
        return SCRATCH
    hopper = any(name in device.label for name in HOPPER)
    return 2 * ((32 * MB) if hopper else (8 * MB + 128 * 1024))


def _rounding(config: RunConfig, allocated: int) -> int:
    """What torch's caching allocator is expected to reserve beyond what is in use.

    It rounds every block up to 512 bytes: half of that for each tensor of the weights, their gradients
    and moments. Blocks come from segments, of 2 MiB for small ones, 20 MiB for those up to 10 MiB, and of
    a multiple of 2 MiB for larger ones (c10/cuda/CUDACachingAllocator): half a segment of either kind is
    free, and `FRAGMENTED` of what comes and goes.
    """
    tensors = 4 * (len(block_shapes(config.model)) * config.model.num_layers + 5)
    permanent = 4 * FP32 * parameters(config.model)
    return tensors * 256 + 11 * MB + int(FRAGMENTED * max(0, allocated - permanent))
