"""Mutual information against closed forms, invariances and an independent implementation."""

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from mic import mi
from mic.errors import ConfigError
from mic.mi.bounds import donsker_varadhan
from mic.mi.copula import gaussian_information, negentropy
from mic.mi.critics import StatisticsNetwork, marginal_scores


def gaussian_pair(count, size, rho, seed=0):
    """Rows of (x, y) with correlation rho in each coordinate, and their information in nats."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, size, generator=g)
    y = rho * x + math.sqrt(1 - rho**2) * torch.randn(count, size, generator=g)
    return x, y, -size / 2 * math.log(1 - rho**2)


@pytest.mark.parametrize(
    ("size", "rho"), [(2, 0.5), pytest.param(10, 0.6, marks=pytest.mark.long), (20, 0.9)]
)
def test_recommended_estimator_is_within_five_percent_of_the_closed_form(size, rho):
    x, y, truth = gaussian_pair(10_000, size, rho)
    assert mi.measure(x, y) == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("name", ["mine", "nwj", "smile", "infonce", "vclub"])
def test_trained_estimators_come_near_a_moderate_gaussian(name):
    x, y, truth = gaussian_pair(3000, 2, 0.7)
    options = {"hidden": 32}
    value = mi.measure(x, y, estimator=name, steps=300, batch=64, **options)
    # vCLUB is an upper bound: for a Gaussian, d rho^2 / (1 - rho^2).
    expected = 2 * 0.49 / 0.51 if name == "vclub" else truth
    assert value == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("name", mi.ESTIMATORS)
def test_independence_reads_near_zero(name):
    x, _, _ = gaussian_pair(2000, 3, 0.5, seed=1)
    y, _, _ = gaussian_pair(2000, 3, 0.5, seed=2)
    # The copula's critics take all their steps: read on rows they were trained on, they overfit
    # by more than the tolerance after 400 (0.08), not yet after 150 (0.02).
    options = {"steps": 150, "hidden": 16, "batch": 128} if name in mi.TRAINED else {}
    options |= {"weight_decay": 0.1} if name in ("mine", "nwj", "smile", "infonce") else {}
    assert abs(mi.measure(x, y, estimator=name, **options)) < 0.05


def test_monotone_maps_and_shuffled_columns_do_not_change_the_copula_estimate():
    x, y, _ = gaussian_pair(2000, 3, 0.6)
    plain = mi.measure(x, y, corrections=False)
    # Doubles: rounding in a map must not create ties.
    mapped = mi.measure(x.double().exp()[:, [2, 0, 1]], y.double() ** 3, corrections=False)
    assert mapped == pytest.approx(plain, rel=1e-9)
    assert mi.measure(y, x, corrections=False) == pytest.approx(plain, rel=1e-9)


def test_gaussian_information_is_unbiased_for_small_samples():
    values, plain = [], []
    for seed in range(300):
        x, y, truth = gaussian_pair(40, 4, 0.5, seed)
        values.append(float(gaussian_information(x, y)))
        plain.append(float(gaussian_information(x, y, correct_bias=False)))
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - truth) < 4 * error
    assert np.mean(plain) - truth > 8 * error  # the bias that the correction removes is real


def test_student_t_information_beyond_its_covariance_is_learnt():
    # Independent coordinates up to a common scale: zero correlation, positive information
    # (Czyz et al. 2023, "Beyond Normal", equation for the multivariate Student distribution).
    freedom = 2
    sample = scipy.stats.multivariate_t(shape=np.eye(4), df=freedom, seed=0).rvs(10_000)
    x, y = torch.from_numpy(sample[:, :2]), torch.from_numpy(sample[:, 2:])

    def f(v):
        return scipy.special.gammaln(v / 2) - v / 2 * scipy.special.digamma(v / 2)

    truth = f(freedom) + f(freedom + 4) - 2 * f(freedom + 2)
    assert truth == pytest.approx(_student_information(freedom), rel=0.1)
    value = mi.measure(x, y)
    assert value == pytest.approx(truth, rel=0.25)
    assert abs(mi.measure(x, y, corrections=False)) < 0.02


def _student_information(freedom):
    joint = scipy.stats.multivariate_t(shape=np.eye(4), df=freedom, seed=1)
    half = scipy.stats.multivariate_t(shape=np.eye(2), df=freedom)
    s = joint.rvs(50_000)
    return float(np.mean(joint.logpdf(s) - half.logpdf(s[:, :2]) - half.logpdf(s[:, 2:])))


def test_additive_uniform_noise():
    g = torch.Generator().manual_seed(3)
    x = torch.rand(10_000, 1, generator=g)
    y = x + 0.5 * (torch.rand(10_000, 1, generator=g) - 0.5)
    truth = 0.25 - math.log(2 * 0.25)
    assert mi.measure(x, y) == pytest.approx(truth, rel=0.1)


def test_negentropy_of_a_uniform_square():
    x = torch.rand(10_000, 2, generator=torch.Generator().manual_seed(0))
    truth = math.log(2 * math.pi * math.e / 12)  # twice 1/2 log(2 pi e / 12)
    # A lower bound: a smooth critic cannot follow the edges to the end.
    assert 0.75 * truth < negentropy(x) < truth


# Its own Python, with nothing compiled: at import numba compiles what is not called here, half a
# minute on a fresh machine. In a process of its own, where dcor alone sees no numba.
DCOR = """
import sys
from unittest.mock import MagicMock
def as_it_is(*_, **__):
    return lambda function: function
sys.modules["numba"] = MagicMock(njit=as_it_is, guvectorize=as_it_is)
sys.modules["numba.types"] = MagicMock()
import dcor, numpy
x, y = numpy.load(sys.argv[1])
print(dcor.u_distance_correlation_sqr(x, y), dcor.distance_correlation_sqr(x, y))
"""


def test_distance_correlation_agrees_with_dcor(tmp_path):
    x, y, _ = gaussian_pair(80, 5, 0.4)
    x, y = x.double(), y.double()
    np.save(tmp_path / "pair.npy", torch.stack([x, y]).numpy())
    command = [sys.executable, "-c", DCOR, str(tmp_path / "pair.npy")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for unbiased, reference in zip((True, False), map(float, done.stdout.split()), strict=True):
        ours = mi.make("dcor", x_size=5, y_size=5, unbiased=unbiased).estimate(x, y)
        assert ours == pytest.approx(reference, abs=1e-6)


@pytest.mark.parametrize("name", ["nhsic", "dcor"])
def test_kernel_measures_are_one_for_equal_arguments_and_ignore_rigid_motion(name):
    x, y, _ = gaussian_pair(60, 4, 0.5)
    measure = mi.make(name, x_size=4, y_size=4)
    assert measure.estimate(x, x) == pytest.approx(1, abs=1e-5)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1)))[0]
    assert measure.estimate(3 * x @ turn + 7, y) == pytest.approx(measure.estimate(x, y), abs=1e-4)


@pytest.mark.parametrize("name", mi.ESTIMATORS)
def test_descending_the_penalty_lowers_the_dependence(name):
    x, y, _ = gaussian_pair(64, 3, 0.9)
    options = {"hidden": 32} if name in mi.TRAINED else {}
    model = mi.make(name, x_size=3, y_size=3, **options)
    for _ in range(100):
        model.update(x, y)
    weight = torch.eye(3).requires_grad_()
    before = model.penalty(x @ weight, y)
    (gradient,) = torch.autograd.grad(before, weight)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0
    with torch.no_grad():
        after = model.penalty(x @ (weight - 1e-2 * gradient / gradient.norm()), y)
    assert after < before


def test_critics_never_touch_the_features_they_are_updated_on():
    x, y, _ = gaussian_pair(16, 3, 0.5)
    x.requires_grad_()
    mi.make("mine", x_size=3, y_size=3).update(x, y)
    assert x.grad is None


def test_literal_min_min_game_diverges_while_the_bound_does_not():
    # Independent features: the true value is 0.
    x, y = gaussian_pair(64, 4, 0.0)[:2]
    values = {}
    for ascend in (True, False):
        model = mi.make(
            "mine", x_size=4, y_size=4, hidden=32, decay=None, ascend=ascend, learning_rate=1e-2
        )
        values[ascend] = [model.update(x, y) for _ in range(150)]
    assert values[False][-1] < -1000
    assert min(values[True]) > -1


def test_the_moving_average_reduces_the_gradient_bias():
    # A fixed scalar critic T = w * s with known exponential moments: the gradient of
    # log E[e^T] over tiny batches is biased, the moving-average one is nearly not.
    g = torch.Generator().manual_seed(0)
    exact = 1.0  # d/dw log E[e^(w s)] at w = 1 for a standard normal s is w
    plain, corrected, average = [], [], math.exp(0.5)
    for _ in range(4000):
        s = torch.randn(4, generator=g)
        weights = torch.exp(s)
        plain.append(float((weights * s).mean() / weights.mean()))
        corrected.append(float((weights * s).mean() / average))
        average = 0.99 * average + 0.01 * float(weights.mean())
    assert abs(np.mean(corrected) - exact) < 0.5 * abs(np.mean(plain) - exact)

    model = mi.Mine(1, 1, standardise=False, hidden=2)
    joint = torch.zeros(4)
    for _ in range(600):
        model.objective(joint, torch.randn(4, generator=g))
    assert float(model.log_average) == pytest.approx(0.5, abs=0.35)


def test_replication_form_has_its_layer_sizes():
    network = StatisticsNetwork(32768, 1024, hidden=1024)
    shapes = [tuple(p.shape) for p in network.parameters() if p.ndim == 2]
    assert shapes == [(1024, 32768), (1024, 1024), (1024, 2048), (1, 1024)]


@pytest.mark.parametrize("form", ["concatenated", "separable"])
def test_score_matrix_agrees_with_scores_of_aligned_rows(form):
    torch.manual_seed(0)
    network = StatisticsNetwork(3, 5, hidden=8, form=form)
    x, y = torch.randn(6, 3), torch.randn(6, 5)
    matrix = network.matrix(x, y)
    torch.testing.assert_close(matrix.diagonal(), network(x, y))
    shifted = marginal_scores(network, x, y, "shift")
    torch.testing.assert_close(shifted, torch.stack([matrix[i, (i + 1) % 6] for i in range(6)]))
    every = marginal_scores(network, x, y, "all")
    assert every.shape == (30,)
    assert abs(donsker_varadhan(torch.zeros(3), torch.zeros(7))) < 1e-6


def test_permuted_marginals_never_pair_a_row_with_its_own_partner():
    network = StatisticsNetwork(1, 1, hidden=4)
    network.forward = lambda x, y: y.squeeze(1) - x.squeeze(1)
    rows = torch.arange(9.0)[:, None]
    for seed in range(20):
        g = torch.Generator().manual_seed(seed)
        assert (marginal_scores(network, rows, rows, "permutation", g) != 0).all()


def test_infonce_never_reads_above_its_ceiling_however_large_the_sample():
    x, y, truth = gaussian_pair(2000, 20, 0.97)
    value = mi.measure(x, y, estimator="infonce", steps=150, batch=64, hidden=64)
    assert math.log(64) * 0.6 < value <= math.log(256) < truth


def test_same_seed_same_value():
    x, y, _ = gaussian_pair(500, 2, 0.5)
    values = {mi.measure(x, y, estimator="smile", steps=30, hidden=16, seed=4) for _ in range(2)}
    assert len(values) == 1


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ConfigError, match="unknown estimator"):
        mi.make("mines", x_size=2, y_size=2)
    with pytest.raises(ConfigError, match="hiden"):
        mi.make("mine", x_size=2, y_size=2, hiden=3)
    with pytest.raises(ConfigError, match="samples cannot determine"):
        mi.measure(torch.randn(10, 8), torch.randn(10, 8))
    with pytest.raises(ConfigError, match="cannot be paired"):
        mi.measure(torch.randn(10, 2), torch.randn(9, 2))
    with pytest.raises(ConfigError, match="3 rows tell nothing"):
        mi.measure(torch.randn(3, 2), torch.randn(3, 2), estimator="mine")
    with pytest.raises(ConfigError, match=r"ksg.*hiden"):
        mi.measure(torch.randn(50, 2), torch.randn(50, 2), estimator="ksg", hiden=3)
    broken = torch.randn(50, 2)
    broken[7, 1] = math.nan
    with pytest.raises(ConfigError, match="y has values that are not finite"):
        mi.measure(torch.randn(50, 2), broken)


STEPS = {"copula": {"steps": 100}}


@pytest.mark.parametrize("estimator", ["copula", "ksg"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_ties_are_no_dependence(estimator, shuffled):
    # Each of the four pairs a quarter of the time: independent, in any order of the rows.
    count = 1000
    x, y = torch.zeros(count, 1), (torch.arange(count) % 2).float()[:, None]
    x[count // 2 :] = 1
    if shuffled:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
        x, y = x[order], y[order]
    assert abs(mi.measure(x, y, estimator=estimator, **STEPS.get(estimator, {}))) < 0.05
    constant = mi.measure(torch.zeros(count, 1), x, estimator=estimator)
    assert abs(constant) < 0.05
    same = mi.measure(x, x, estimator=estimator)
    assert same > 0.15  # of log 2


@pytest.mark.parametrize("estimator", ["nhsic", "dcor"])
@pytest.mark.parametrize("count", [8, 50, 200, 1000])
def test_what_never_changes_depends_on_nothing(estimator, count):
    constant = torch.full((count, 3), 0.7)
    changing = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    for x, y in ((constant, constant), (constant, changing), (changing, constant)):
        assert abs(mi.measure(x, y, estimator=estimator)) < 0.02


@pytest.mark.parametrize("estimator", ["nhsic", "dcor"])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_halves_of_digits_depend_as_their_whole(estimator, kind):
    x = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    y = x + 0.5 * torch.randn(64, 256, generator=torch.Generator().manual_seed(1))
    whole = mi.measure(x, y, estimator=estimator)
    assert mi.measure(x.to(kind), y.to(kind), estimator=estimator) == pytest.approx(
        whole, abs=0.02
    )
