"""The one way down a loss takes the steps that torch's own optimisers and schedules take."""

import copy

import pytest
import torch
from torch import nn

from mic.lowrate import training as lowrate
from mic.training.descent import Descent, descend, seeded


def network():
    with seeded(1):
        return nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 1))


def data(count=9):
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(6, 5, generator=draw) for _ in range(count)]


def written_out(made, optimizer, *, clip_norm=0.0, schedule=None):
    """The same fit, line by line."""
    with seeded(2):
        for batch in data():
            loss = (made(batch) - batch.sum(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            if clip_norm:
                nn.utils.clip_grad_norm_(made.parameters(), clip_norm)
            optimizer.step()
            if schedule:
                schedule.step()
    return made.state_dict()


def fitted(made, descent, rate):
    with seeded(2):
        descend(
            made,
            data(),
            lambda batch: (made(batch) - batch.sum(1, keepdim=True)).square().mean(),
            descent,
            rate=rate,
        )
    assert not made.training
    return made.state_dict()


def assert_same(one, other):
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(
    ("kind", "maker"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)]
)
def test_steps_are_those_of_torchs_optimiser(kind, maker, fused):
    one, other = network(), network()
    expected = written_out(
        one, maker(one.parameters(), lr=1e-2, weight_decay=0.1, fused=fused), clip_norm=0.5
    )
    descent = Descent(
        [other.parameters()], kind=kind, weight_decay=0.1, clip_norm=0.5, fused=fused
    )
    assert_same(expected, fitted(other, descent, lambda step: 1e-2))


@pytest.mark.parametrize("share", [1.0, 0.1])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_low_rates_rates_fall_as_torchs_milestones_do(optimiser, share):
    recipe = lowrate.Recipe(optimiser=optimiser, learning_rate=2e-3)
    one, other = network(), network()
    groups = [
        {"params": one[2].parameters()},
        {"params": one[0].parameters(), "lr": share * recipe.learning_rate},
    ]
    options = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    made = (
        torch.optim.SGD(groups, momentum=0.9, **options)
        if optimiser == "sgd"
        else torch.optim.Adam(groups, **options)
    )
    drops = torch.optim.lr_scheduler.MultiStepLR(made, [5, 8], gamma=0.1)
    expected = written_out(one, made, schedule=drops)
    descent = lowrate._descent(
        [other[2].parameters(), other[0].parameters()], recipe, [1.0, share]
    )
    assert_same(expected, fitted(other, descent, lowrate._rate(recipe, 9)))


def test_gradients_may_be_gathered_before_they_are_used():
    one, other = network().eval(), network().eval()
    doubled = Descent([one.parameters()], kind="sgd")
    plain = Descent([other.parameters()], kind="sgd")

    def double():
        for parameter in one.parameters():
            parameter.grad *= 2

    batch = data()[0]
    doubled.step(one(batch).mean(), rate=0.1, gathered=double)
    plain.step(other(batch).mean(), rate=0.2)
    for before, after in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(before, after)


def test_a_network_without_a_share_stays_as_it_is():
    made = network()
    before = copy.deepcopy(made.state_dict())
    frozen = Descent([made[0].parameters(), made[2].parameters()], shares=[0.0, 1.0])
    after = fitted(made, frozen, lambda step: 1e-2)
    assert torch.equal(before["0.weight"], after["0.weight"])
    assert not torch.equal(before["2.weight"], after["2.weight"])


def test_the_callers_generator_is_left_as_it_was():
    before = torch.random.get_rng_state()
    with seeded(5):
        first = torch.rand(3)
    assert torch.equal(before, torch.random.get_rng_state())
    with seeded(5):
        assert torch.equal(first, torch.rand(3))
