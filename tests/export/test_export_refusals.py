"""What is asked of the exporter wrongly is refused by type, and nothing is left behind."""

import dataclasses
import json
import zipfile

import export_networks as networks
import numpy as np
import pytest
import recogniser_factory
import torch
from export_networks import EDGE, STEPS

from mic import cli, export
from mic.errors import ConfigError, WeightsError
from mic.export import program
from mic.recognition.recogniser import Card, Recogniser
from mic.storage import weights

SUFFIXES = (".onnx", ".pt2")


def loaded(path):
    return (export.Session if path.suffix == ".onnx" else export.Program)(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_valence_and_novelty_are_answered_as_the_recogniser_does(suffix, tmp_path):
    recogniser = Recogniser.load(
        recogniser_factory.write(tmp_path, valence=True, novelty=2.5), device="cpu"
    )
    with torch.no_grad():  # as after training: a class is not at the origin, valence leaves -1, 1
        recogniser.network.get_submodule("novelty").means.normal_()
        recogniser.network.get_submodule("valence").weight.mul_(9)
    path = tmp_path / f"mic{suffix}"
    found = export.export_recogniser(recogniser, path)
    assert found.same == found.clips
    random = np.random.default_rng(1)
    clips = random.integers(-400, 400, (5, 8, 3, 64, 64), dtype=np.int16)
    said = loaded(path)(clips)
    wanted = recogniser.answers([{"residual": clip} for clip in clips])
    assert said.logits.shape == (5, len(recogniser.card.classes))
    assert said.valence.shape == said.novelty.shape == (5,)
    np.testing.assert_allclose(said.valence, [one.valence for one in wanted], atol=1e-5)
    np.testing.assert_allclose(said.novelty, [one.novelty for one in wanted], rtol=1e-5)
    assert np.ptp(said.novelty) > 0


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("kind", "motion"), [("mic+T", None), ("mic", (8, 8)), ("coviar", None)])
def test_motion_that_is_not_read_or_not_given_is_refused(kind, motion, suffix, tmp_path):
    path = tmp_path / f"network{suffix}"
    with pytest.raises(ConfigError, match="motion"):
        export.export(
            networks.network(kind), path, size=(EDGE, EDGE), steps=STEPS, motion_size=motion
        )
    assert not path.exists()


def test_states_side_by_side_are_those_of_one_clip(tmp_path):
    network = networks.network("mic-concat")
    session = loaded(export.export(network, tmp_path / "c.onnx", size=(EDGE, EDGE), steps=STEPS))
    for count, steps in ((1, 2 * STEPS), (STEPS, 1), (2, STEPS - 1)):
        with pytest.raises(ConfigError, match="clips"):
            session(networks.clips(count, steps)[0])
    for suffix in SUFFIXES:
        with pytest.raises(ConfigError, match=f"{STEPS} frames, not of {STEPS + 1}"):
            export.export(network, tmp_path / f"d{suffix}", size=(EDGE, EDGE), steps=STEPS + 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("size", "steps"), [((0, EDGE), STEPS), ((EDGE, EDGE), 0), ((8.5, 8), 4)])
def test_sizes_that_no_clip_has_are_refused(size, steps, suffix, tmp_path):
    with pytest.raises(ConfigError, match="no clip has"):
        export.export(networks.network("mic"), tmp_path / f"x{suffix}", size=size, steps=steps)


def test_a_clip_too_short_for_its_network_is_refused(tmp_path):
    network = networks.network("flow-cnn")
    session = loaded(export.export(network, tmp_path / "f.onnx", size=(EDGE, EDGE), steps=STEPS))
    with pytest.raises(ConfigError, match="does not answer to"):
        session(networks.clips(1, 1)[0])


def broken(tmp_path):
    """Weights that are finite and whose answers are not."""
    path = recogniser_factory.write(tmp_path)
    found = weights.read(path)
    variance = found.tensors["encoder.input_norm.running_var"]
    weights.write(
        path,
        found.tensors | {"encoder.input_norm.running_var": variance - 3},
        metadata=found.metadata,
    )
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_network_that_answers_no_number_is_not_exported(suffix, tmp_path, capsys):
    out = tmp_path / f"mic{suffix}"
    out.write_bytes(b"before")
    assert cli.main(["export", str(broken(tmp_path)), "--out", str(out)]) == 1
    assert "0 of 4 labels" in capsys.readouterr().err
    assert out.read_bytes() == b"before"


def test_a_network_that_answers_no_number_gives_no_label(tmp_path):
    recogniser = Recogniser.load(broken(tmp_path), device="cpu")
    with pytest.raises(WeightsError, match="no number"):
        recogniser.answers([{"residual": np.ones((8, 3, 64, 64), np.int16)}])


def test_parity_tells_answers_that_are_no_numbers():
    network = networks.network("mic")

    class Silent:
        def __call__(self, clips, motion=None):
            logits = np.full((len(clips), networks.CLASSES), np.nan, np.float32)
            return export.Answer(logits=logits, z=logits)

    found = export.parity(network, Silent(), [networks.clips(2), networks.clips(1)])
    assert np.isnan(found.difference)
    assert (found.same, found.clips) == (0, 3)


def test_the_source_is_not_written_over(tmp_path, capsys):
    model = recogniser_factory.write(tmp_path).rename(tmp_path / "same.onnx")
    before = model.read_bytes()
    assert cli.main(["export", str(model), "--out", str(model)]) == 1
    assert "it is what is read" in capsys.readouterr().err
    assert model.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exported_file_is_known_where_weights_are_wanted(suffix, tmp_path, capsys):
    model, out = recogniser_factory.write(tmp_path), tmp_path / f"mic{suffix}"
    assert cli.main(["export", str(model), "--out", str(out)]) == 0
    with pytest.raises(WeightsError, match=r"is an exported network.*\.safetensors"):
        Recogniser.load(out)
    if suffix == ".pt2":  # where it was made is nobody's business
        assert str(tmp_path).encode() not in out.read_bytes()
        assert b"/mic/" not in out.read_bytes()


def test_the_network_stays_as_it_was():
    network = networks.network("mic").train()
    export.build(network, size=(EDGE, EDGE))
    assert network.training


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_answer_besides_the_class_that_is_no_number_is_not_exported(suffix, tmp_path):
    recogniser = Recogniser.load(recogniser_factory.write(tmp_path, novelty=2.0), device="cpu")
    recogniser.network.get_submodule("novelty").limit.zero_()
    path = tmp_path / f"x{suffix}"
    with pytest.raises(WeightsError, match="no number"):
        export.export_recogniser(recogniser, path)
    assert not path.exists()
    with pytest.raises(WeightsError, match="no number"):
        recogniser.answers([{"residual": np.ones((8, 3, 64, 64), np.int16)}])


@pytest.mark.parametrize("card", ["[]", "null", '"abc"', "3"])
def test_a_card_that_is_none_is_refused(card, tmp_path):
    found = weights.read(recogniser_factory.write(tmp_path))
    with pytest.raises(WeightsError, match="no card"):
        Card.of(dataclasses.replace(found, metadata=found.metadata | {"card": card}))


def test_a_file_of_another_network_is_not_written(tmp_path, monkeypatch):
    recogniser = Recogniser.load(recogniser_factory.write(tmp_path), device="cpu")
    other = Recogniser.load(recogniser_factory.write(tmp_path), device="cpu")
    with torch.no_grad():
        other.network.classifier[-1].weight.add_(0.05)
    made = export.session.content
    monkeypatch.setattr(
        "mic.export.recognition.content",
        lambda network, form, **options: made(other.network, form, **options),
    )
    with pytest.raises(WeightsError, match="labels of random clips"):
        export.export_recogniser(recogniser, tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"newer": 1}, "of another version, with newer"),
        ({"classes": "abc"}, "classes is 'abc'"),
        ({"classes": ["a", "a", "b"]}, "one name"),
        ({"classes": ["a", 1, "b"]}, "no names"),
        ({"classes": []}, "no names"),
        ({"network": []}, "network is"),
        ({"network": None}, "network is"),
        ({"network": {"motion": True}}, "clips have none"),
        ({"margin": 10**400}, "no card"),
        ({"representation": {"kind": "raw", "scale": True}}, "scale is True"),
        ({"vop_quant": 0}, "vop_quant is 0"),
        ({"vop_quant": 2.5}, "vop_quant is 2.5"),
        ({"edge": True}, "one is none"),
        ({"representation": {"kind": "bogus"}}, "kind is 'bogus'"),
        ({"representation": {"kind": "raw", "steps": 8.5}}, "steps is 8.5"),
        ({"representation": {"kind": "raw", "steps": 10**7}}, "steps is 10000000"),
        ({"network": {"pooling": "concat", "steps": 4}}, "not those of the clips"),
    ],
)
def test_a_card_that_no_clip_can_be_made_for_is_refused(changes, said, tmp_path):
    path = recogniser_factory.write(tmp_path)
    found = weights.read(path)
    card = json.loads(found.metadata["card"]) | changes
    metadata = found.metadata | {"card": json.dumps(card)}
    with pytest.raises(WeightsError, match=said):
        Card.of(dataclasses.replace(found, metadata=metadata))


def test_a_program_of_before_there_were_more_answers_is_read():
    network = networks.network("mic")
    made = program.program(network, size=(EDGE, EDGE), steps=STEPS)
    old = export.Program(program.serialised(made, {}))
    clips, _ = networks.clips(2)
    said = old(clips)
    assert said.logits.shape == (2, networks.CLASSES)
    assert said.valence is said.novelty is None


def test_a_program_holds_no_samples_and_asks_for_no_gradient(tmp_path):
    path = export.export(
        networks.network("mic"), tmp_path / "m.pt2", size=(EDGE, EDGE), steps=STEPS
    )
    with zipfile.ZipFile(path) as archive:
        samples = [one for one in archive.infolist() if "sample_inputs" in one.filename]
    assert sum(one.file_size for one in samples) < 1000
    clips = torch.from_numpy(networks.clips(1)[0])
    assert not torch.export.load(path).module()(clips)[0].requires_grad


def test_parity_leaves_the_network_as_it_was(tmp_path):
    network = networks.network("mic").train()
    session = export.Session(export.export(network, tmp_path / "m.onnx", size=(EDGE, EDGE)))
    assert export.parity(network, session, [networks.clips(1)]).same == 1
    assert network.training


def test_the_name_is_looked_at_before_the_weights(tmp_path, capsys):
    missing = str(tmp_path / "missing.safetensors")
    assert cli.main(["export", missing, "--out", str(tmp_path / "x.tflite")]) == 1
    assert "no format" in capsys.readouterr().err


def test_a_network_that_does_not_read_a_channel_is_exported_as_program_only(tmp_path):
    network = networks.network("mic")
    with torch.no_grad():
        network.encoder.input_norm.weight[1] = 0
    with pytest.raises(ConfigError, match=r"all of its input.*\.pt2"):
        export.export(network, tmp_path / "m.onnx", size=(EDGE, EDGE))
