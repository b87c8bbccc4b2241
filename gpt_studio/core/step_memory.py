"""The memory of a training step as sizes: what it takes and frees in turn, as the engine does."""

from __future__ import annotations

from math import prod

from gpt_studio.core.config import RunConfig
from gpt_studio.core.shapes import block_shapes, count, parameters

BF16, FP32, INT64 = 2, 4, 8  # bytes of a number
SHORT = 256  # tokens of a text up to which the model on a CPU attends by plain matrix products
CHUNK = {"cpu": 1024, "cuda": 4096}  # rows of hidden states that a chunked loss scores at once
MUON_BATCH = 2**20  # numbers that Muon works on at once, if one matrix has not more
RANDOM_STATE = 5056  # of a CPU generator; checkpointing keeps one per block to drop the same values again


def attends_plainly(choice: str, kind: str, length: int) -> bool:
    """Whether texts of a length attend by plain products: as chosen, or by "auto" as suits the device."""
    return choice == "plain" or (choice == "auto" and kind == "cpu" and length <= SHORT)


class _Tape:
    """Bytes alive by part, and how they were divided when they were most."""

    def __init__(self, **live: int) -> None:
        self.live = live
        self.peak = dict(live)
        self.now = self.most = sum(live.values())

    def take(self, part: str, size: int) -> None:
        self.live[part] += size
        self.now += size
        if self.now > self.most:
            self.peak, self.most = dict(self.live), self.now

    def free(self, part: str, size: int) -> None:
        self.live[part] -= size
        self.now -= size


class StepMemory:
    """A training step of `engine.model.GPT`, as sizes. Its methods read like the step itself.

    With bf16 autocast, matrix products read and write bf16; all that blocks add to stays fp32. Weights
    and their gradients are fp32, with bf16 copies while a product needs them.
    """

    def __init__(self, config: RunConfig, kind: str) -> None:
        self.model = model = config.model
        self.chunked = config.train.chunked_loss
        self.low = config.train.precision in ("bf16", "fp16")
        self.accumulates = config.train.accumulation > 1
        self.muon = config.train.optimizer == "muon"
        self.item = BF16 if self.low else FP32

        rows, width = config.train.batch_size * model.max_length, model.embed_size
        self.ids = 2 * INT64 * rows  # of the texts read and of the tokens to come
        self.stream = FP32 * rows * width  # what every block reads and adds to
        self.act = self.item * rows * width  # a matrix product's input or output
        self.hidden = model.forward_expansion * self.act
        self.statistics = 2 * FP32 * rows  # mean and spread, kept by each layer norm
        plain = attends_plainly(config.train.attention, kind, model.max_length)
        self.tables = self.item * rows * model.heads * model.max_length if plain else 0  # T × T for each head
        self.sums = 0 if plain else FP32 * rows * model.heads  # kept by fused attention
        self.chunk = min(CHUNK[kind], rows)
        self.scores = (self.chunk if self.chunked else rows) * model.vocab_size  # logits at once

        self.on_cpu = on_cpu = kind == "cpu"  # where masks are numbers; elsewhere one byte each
        mask = rows * width if model.dropout else 0
        self.mask = mask * (self.item if on_cpu else 1)
        self.embedding_mask = mask * (FP32 if on_cpu else 1)
        self.random_state = RANDOM_STATE if on_cpu else 0

        self.square = width * width
        self.wide = model.forward_expansion * self.square
        self.matrices = 4 * self.square + 2 * self.wide  # of one block
        self.shapes = [shape for shape in block_shapes(model).values() if len(shape) == 2]
        self.table = model.vocab_size * width
        self.block_gradients = FP32 * count(block_shapes(model))

        attending = self.stream + self.statistics + 5 * self.act + self.tables + self.sums + self.mask
        feed_forward = self.stream + self.statistics + self.act + 2 * self.hidden + self.mask
        self.block = attending + feed_forward  # what the way back through a block needs

    def peak(self) -> dict[str, int]:
        """The bytes of each part when all together are most."""
        weights = FP32 * parameters(self.model)
        gradients = weights if self.accumulates else 0  # those of the batches before
        moments = 2 * weights - (FP32 * self.model.num_layers * self.matrices if self.muon else 0)
        self.tape = _Tape(
            weights=weights, gradients=gradients, optimizer=moments, activations=self.ids, logits=0
        )
        self.forward()
        if self.chunked:
            self.chunked_loss()
            self.chunked_head_backward()
        else:
            self.loss()
            self.head_backward()
        self.blocks_backward()
        self.embeddings_backward()
        self.optimizer_step()
        return self.tape.peak

    # ------------------------------------------------------------ forward

    def forward(self) -> None:
        """What each layer keeps for the way back, and the last layer's output."""
        layers, take = self.model.num_layers, self.tape.take
        take("activations", self.embedding_mask)
        take("activations", layers * self.kept)
        take("weights", layers * self.copy(self.matrices))
        take("activations", self.stream + self.statistics + (self.stream if self.chunked else self.act))
        take("weights", self.copy(self.table))

    @property
    def kept(self) -> int:
        """By one block, until the way back."""
        checkpointed = self.model.gradient_checkpointing
        return self.stream + self.random_state if checkpointed else self.block

    def copy(self, weights: int) -> int:
        """The bf16 copy that autocast makes of so many weights."""
        return BF16 * weights if self.low else 0

    # ------------------------------------------------------------ loss

    def loss(self) -> None:
        """Forward: logits, in fp32 too, and their log-softmax. Backward: a gradient for either."""
        scores = FP32 * self.scores
        self.tape.take("logits", self.item * self.scores)
        self.tape.take("logits", scores if self.low else 0)
        self.tape.take("logits", scores)
        self.tape.free("logits", self.item * self.scores + (scores if self.low else 0))
        if self.model.gradient_checkpointing:  # nothing but autocast, now over, holds the blocks' copies
            self.tape.free("weights", self.model.num_layers * self.copy(self.matrices))
        self.tape.take("logits", 2 * scores)
        self.tape.free("logits", 2 * scores)

    def chunked_loss(self) -> None:
        """For a chunk of rows: logits, log-softmax, their gradient; for all: gradients of either side."""
        take, free = self.tape.take, self.tape.free
        scores, width = FP32 * self.scores, self.model.embed_size
        take("activations", self.stream)
        take("gradients", FP32 * self.table)
        take("activations", self.copy(self.chunk * width))
        take("logits", self.item * self.scores)
        if self.low:
            take("logits", 2 * scores)
            free("logits", scores)
        else:
            take("logits", scores)
        free("logits", self.item * self.scores)
        if self.low:
            take("logits", self.item * self.scores)
            free("logits", scores)
        take("activations", self.item * self.chunk * width)
        free("activations", self.item * self.chunk * width)
        product = self.copy(self.table)  # on a CPU brought to fp32 before it is added
        product += FP32 * self.table if self.low and self.on_cpu else 0
        take("gradients", product)
        free("gradients", product)
        free("logits", self.item * self.scores)
        free("activations", self.copy(self.chunk * width))
        free("weights", self.copy(self.table))
        if self.model.gradient_checkpointing:
            free("weights", self.model.num_layers * self.copy(self.matrices))
        free("activations", self.stream)  # what the norm gave

    # ------------------------------------------------------------ backward

    def chunked_head_backward(self) -> None:
        """Its gradients are there; one that is added to that of the batches before is free then."""
        if self.accumulates and not self.model.tie_embeddings:
            self.tape.free("gradients", FP32 * self.table)
        self.tape.take("activations", self.stream)
        self.tape.free("activations", 2 * self.stream + self.statistics)

    def head_backward(self) -> None:
        take, free = self.tape.take, self.tape.free
        if self.low:
            take("logits", BF16 * self.scores)
            free("logits", FP32 * self.scores)
        take("gradients", self.item * self.table)
        take("activations", self.act)
        free("logits", self.item * self.scores)
        free("activations", self.act)
        self.weight_gradient(self.table, stays=self.model.tie_embeddings)
        self.norm_backward()

    def blocks_backward(self) -> None:
        """The top block, all between at once, the bottom block: the peak is never between."""
        self.block_backward()
        between = self.model.num_layers - 2
        if between < 0:
            return
        self.tape.free("activations", between * self.kept)
        if not self.model.gradient_checkpointing:
            self.tape.free("weights", between * self.copy(self.matrices))
        if not self.accumulates:
            self.tape.take("gradients", between * self.block_gradients)
        self.block_backward()

    def block_backward(self) -> None:
        """From the gradient of the block's output to that of its input, which takes its place."""
        take, free = self.tape.take, self.tape.free
        if self.model.gradient_checkpointing:
            take("activations", self.block - self.kept)
            take("weights", self.copy(self.matrices))
            if self.low:  # what it comes to once more
                again = self.stream + self.act + (0 if self.on_cpu else self.mask)
                take("activations", again)
                free("activations", again)

        gradient = self.branch_backward()
        self.linear_backward(self.wide, gradient, kept=self.hidden, result=self.hidden)
        take("activations", self.hidden)  # through GELU
        free("activations", 2 * self.hidden)
        self.linear_backward(self.wide, self.hidden, kept=self.act, result=self.act)
        self.norm_backward()
        free("activations", self.stream)  # added in place

        gradient = self.branch_backward()
        self.attention_backward(gradient)
        self.linear_backward(3 * self.square, 3 * self.act, kept=self.act, result=self.act)
        self.norm_backward()
        free("activations", self.stream)

        if not self.accumulates:  # the small ones: norms and offsets
            take("gradients", self.block_gradients - FP32 * self.matrices)

    def attention_backward(self, gradient: int) -> None:
        """From the gradient of the projection's output to those of queries, keys and values, side by side."""
        take, free = self.tape.take, self.tape.free
        if self.tables:
            self.linear_backward(self.square, gradient, kept=self.act, result=self.act)
            take("activations", self.act + self.tables)  # of the values and of the shares they have
            free("activations", 2 * self.act)
            take("activations", self.tables)  # through softmax
            free("activations", 2 * self.tables)
            take("activations", 3 * self.act)  # of queries and keys, scaled
            free("activations", 3 * self.act + self.tables)
        else:
            self.linear_backward(self.square, gradient, kept=0, result=self.act)
            take("activations", 3 * self.act)
            free("activations", 5 * self.act + self.sums)
        take("activations", 3 * self.act)  # side by side
        free("activations", 3 * self.act)

    def branch_backward(self) -> int:
        """The stream's gradient through dropout and to the branch's precision; its size if it is new."""
        if self.low:
            self.tape.take("activations", self.act)
        if self.mask:
            self.tape.take("activations", self.act)
            self.tape.free("activations", self.mask + (self.act if self.low else 0))
        return self.act if self.low or self.mask else 0

    def linear_backward(self, weights: int, gradient: int, *, kept: int, result: int) -> None:
        """Two products: the gradients of what the layer read, and of its weights."""
        self.tape.take("activations", result)
        self.tape.take("gradients", self.item * weights)
        self.tape.free("activations", kept + gradient)
        self.weight_gradient(weights, stays=False)

    def weight_gradient(self, weights: int, *, stays: bool) -> None:
        """To fp32, then kept, or added to the one there is; one that `stays` waits for another use."""
        self.tape.free("weights", self.copy(weights))
        if self.low:
            self.tape.take("gradients", FP32 * weights)
            self.tape.free("gradients", BF16 * weights)
        if self.accumulates and not stays:
            self.tape.free("gradients", FP32 * weights)

    def norm_backward(self) -> None:
        """To fp32, then through the norm, which lets go of its input."""
        if self.low:
            self.tape.take("activations", self.stream)
            self.tape.free("activations", self.act)
        self.tape.take("activations", self.stream)
        self.tape.free("activations", 2 * self.stream + self.statistics)

    def embeddings_backward(self) -> None:
        take, free = self.tape.take, self.tape.free
        if self.embedding_mask:
            take("activations", self.stream)
            free("activations", self.stream + self.embedding_mask)
        if not self.accumulates:
            take("gradients", FP32 * self.model.max_length * self.model.embed_size)
        take("gradients", FP32 * self.table)
        free("activations", self.stream)
        if self.model.tie_embeddings and not self.low and not self.chunked:
            take("gradients", FP32 * self.table)  # the sum of both uses; others add in place

    # ------------------------------------------------------------ optimizer

    def optimizer_step(self) -> None:
        """AdamW works in place; Muon makes room for as many matrices as it works on at once."""
        gradients = FP32 * parameters(self.model)  # one each, whatever their sums were made of
        self.tape.free("gradients", self.tape.live["gradients"] - gradients)
        if self.muon:
            room = max(map(self.muon_room, self.shapes))
            self.tape.take("optimizer", room)
            self.tape.free("optimizer", room)

    def muon_room(self, shape: tuple[int, ...]) -> int:
        """For the matrices of one shape: before and after a round of Newton–Schulz, and two squares."""
        size = prod(shape)
        count = self.model.num_layers * sum(shape == other for other in self.shapes)
        together = min(count, max(1, MUON_BATCH // size))
        rounds = 2 * self.item * together * (size + min(shape) ** 2)
        return max(rounds, self.item * together * size + FP32 * size)  # or the last one on its way to bf16
