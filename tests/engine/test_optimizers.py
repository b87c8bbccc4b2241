"""AdamW and Muon: who changes what, how far, and what is remembered."""

import pytest
import torch

from gpt_studio.core.config import GPTConfig, TrainConfig
from gpt_studio.engine import optimizers
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import Muon, make_optimizer, moment_shapes, moments, orthogonal

MODEL = GPTConfig(num_layers=2, heads=2, embed_size=16, max_length=8, vocab_size=40, tie_embeddings=False)
MATRICES = {
    f"blocks.{layer}.{name}.weight"
    for layer in range(2)
    for name in (
        "attention.qkv",
        "attention.projection",
        "feed_forward.expansion",
        "feed_forward.projection",
    )
}


@pytest.fixture(autouse=True)
def _one_thread_one_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def made(**plan):
    model = GPT(MODEL)
    return model, make_optimizer(model, TrainConfig(**plan))


def stepped(model, optimizer, count=1):
    ids = torch.randint(MODEL.vocab_size, (4, 8))
    for _ in range(count):
        optimizer.zero_grad()
        model(ids).logsumexp(2).mean().backward()
        optimizer.step()


def groups_by_name(model, optimizer):
    names = {p: name for name, p in model.named_parameters()}
    return {names[p]: group for group in optimizer.param_groups for p in group["params"]}


# ---------------------------------------------------------------- who changes what


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_parameter_has_one_owner_and_weight_decay_leaves_vectors_alone(kind):
    model, optimizer = made(optimizer=kind, weight_decay=0.3, learning_rate=2e-3)
    found = groups_by_name(model, optimizer)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(found)
    for name, parameter in model.named_parameters():
        assert found[name]["weight_decay"] == (0.3 if parameter.dim() == 2 else 0.0)
        assert found[name]["lr"] == 2e-3


def test_muon_has_the_blocks_matrices_and_nothing_else():
    model, optimizer = made(optimizer="muon")
    _, muon = optimizer.parts
    found = groups_by_name(model, muon)
    assert found.keys() == MATRICES
    assert len(made(optimizer="adamw")[1].parts) == 1


# ---------------------------------------------------------------- how far


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 24, 8), (1, 8, 32), (1, 1, 5)])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_an_orthogonal_matrix_turns_but_hardly_stretches(shape, precision):
    before = torch.randn(shape)
    found = orthogonal(before.to(precision, copy=True)).float()
    assert found.shape == shape
    u, _, v = torch.linalg.svd(before, full_matrices=False)
    stretched = u.mT @ found @ v.mT  # in the directions of the matrix itself: how far each goes
    along = stretched.diagonal(dim1=1, dim2=2)
    assert ((along > 0.2) & (along < 1.3)).all()
    assert (stretched - torch.diag_embed(along)).abs().max() < (0.05 if precision == torch.bfloat16 else 1e-3)


def test_nothing_to_go_by_moves_nothing():
    assert not orthogonal(torch.zeros(1, 4, 6)).any()


@pytest.mark.parametrize("batch", [1, 10**9])
def test_a_step_is_as_torch_s_own_muon_does_it(monkeypatch, batch):
    """One after the other or all of a shape together; torch's computes in bf16."""
    monkeypatch.setattr(optimizers, "MUON_BATCH", batch)
    shapes = [(8, 24), (24, 8), (8, 24), (8, 8)]
    some = [torch.randn(shape, requires_grad=True) for shape in shapes]
    others = [p.detach().clone().requires_grad_() for p in some]
    ours = Muon(some, lr=0.01, weight_decay=0.2, precision=torch.bfloat16)
    for p in some:
        ours.state[p]["momentum"] = torch.zeros_like(p)
    torch_s = torch.optim.Muon(
        others, lr=0.01, weight_decay=0.2, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(3):
        for p, q in zip(some, others, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        ours.step()
        torch_s.step()
    for p, q in zip(some, others, strict=True):
        torch.testing.assert_close(p, q, atol=2e-3, rtol=1e-2)


def test_a_step_of_muon_is_as_large_as_one_of_adamw():
    """0.2 of the learning rate in the root of the mean square (Liu et al. 2025)."""
    matrix = torch.zeros(64, 256, requires_grad=True)
    muon = Muon([matrix], lr=0.01, weight_decay=0.0, precision=torch.float32)
    muon.state[matrix]["momentum"] = torch.zeros_like(matrix)
    matrix.grad = torch.randn(64, 256)
    muon.step()
    assert matrix.detach().square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.2)


# ---------------------------------------------------------------- what is remembered


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_all_memory_is_there_before_the_first_step(kind):
    model, optimizer = made(optimizer=kind)
    before = moments(model, optimizer)
    assert {name: value.shape for name, value in before.items()} == moment_shapes(
        dict(model.named_parameters()), kind
    )
    stepped(model, optimizer)
    after = moments(model, optimizer)
    assert after.keys() == before.keys()
    assert all(after[name].data_ptr() == value.data_ptr() for name, value in before.items())
    assert all(value.any() for name, value in after.items() if "position" not in name)


def test_muon_remembers_half_as_much_of_a_matrix():
    shapes = moment_shapes(dict(GPT(MODEL).named_parameters()), "muon")
    for name in MATRICES:
        assert [key for key in shapes if key.startswith(name)] == [f"{name}.momentum"]


@pytest.mark.parametrize(("before", "after"), [("adamw", "muon"), ("muon", "adamw")])
def test_what_another_optimizer_remembered_is_of_no_use(before, after):
    model, optimizer = made(optimizer=before)
    stepped(model, optimizer)
    renewed = make_optimizer(model, TrainConfig(optimizer=after), moments(model, optimizer))
    assert not any(value.any() for value in moments(model, renewed).values())
    stepped(model, renewed)
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_it_goes_on_where_it_was(kind):
    results = []
    for renew in (False, True):
        torch.manual_seed(3)
        model, optimizer = made(optimizer=kind)
        stepped(model, optimizer, 3)
        if renew:
            kept = {name: value.clone() for name, value in moments(model, optimizer).items()}
            optimizer = make_optimizer(model, TrainConfig(optimizer=kind), kept)
        stepped(model, optimizer, 3)
        results.append(list(model.parameters()))
    assert all(torch.equal(p, q) for p, q in zip(*results, strict=True))


def test_matrices_are_worked_on_in_portions(monkeypatch):
    monkeypatch.setattr(optimizers, "MUON_BATCH", 600)  # two of 16 × 16, one of the larger ones
    _, muon = made(optimizer="muon")[1].parts
    sizes = sorted((group["params"][0].numel(), len(group["params"])) for group in muon.param_groups)
    assert sizes == [(256, 2), (768, 1), (768, 1), *[(1024, 1)] * 4]
