"""Given data run the studies as generated ones do: trees of generated faces, published layouts."""

import dataclasses
import io
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from agreement import apart
from environment_file import ROOT

from mic import codec, config, datasets
from mic.cli import main
from mic.errors import ConfigError, DatasetError, ResultError
from mic.experiments import apexes, given, plan
from mic.publishing import results
from mic.publishing.notebooks import Runner
from mic.publishing.run_times import Expected
from mic.storage.digest import sha256_of
from mic.synthface.tools import published_layouts

SMOKE = config.load("smoke")


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A small tree of each layout, made when it is asked for; nobody performs twice."""
    root = tmp_path_factory.mktemp("trees")

    def make(name: str, clips: int) -> Path:
        folder = root / name
        if not folder.is_dir():
            published_layouts.write(name, folder, clips=clips, size=80, distinct=1)
        return folder

    return make


@pytest.fixture
def ckplus(trees, tmp_path):
    """A copy of the tree that a test may spoil."""
    return shutil.copytree(trees("ckplus", 14), tmp_path / "CK+")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    # The index's files and weights stay where they are; datasets and cells do not.
    monkeypatch.setattr("mic.datasets.published.home", lambda: tmp_path_factory.getbasetemp())


def run(root: Path, *texts: str, only: tuple[str, ...], **options: object) -> Path:
    """Runs notebooks on given data and returns the folder of the results."""
    runner = Runner(
        ROOT / "notebooks",
        SMOKE,
        folder=root / "results",
        datasets=texts,
        progress=io.StringIO(),
        **options,
    )
    runner.run(only)
    return runner.folder


def test_a_tree_of_ckplus_fills_the_table_the_matrix_and_the_curves(trees, tmp_path):
    tree = trees("ckplus", 14)
    folder = run(tmp_path, f"ckplus={tree}", "synth-ck", only=("04", "06"))
    accuracy = results.read_table("training_accuracy", folder=folder).set_index("protocol")
    assert list(accuracy.index) == ["ckplus", "synth-ck"]
    assert accuracy.loc["ckplus", "paper"] == pytest.approx(0.9895)
    assert accuracy.loc["ckplus", "coverage"] == pytest.approx(14 / 327, abs=1e-5)
    assert accuracy.loc["synth-ck", "coverage"] == 1
    assert apart(accuracy.reset_index().assign(row="MIC"), "ckplus", "synth-ck").empty
    curves = results.read_table("training_curves", folder=folder)
    assert set(curves["dataset"]) == {"ckplus", "synth-ck"}
    counts = results.read_table("confusion_counts", folder=folder)
    mine = counts[counts["dataset"] == "ckplus"]
    assert mine["clips"].sum() == accuracy.loc["ckplus", "n"]
    record = json.loads((folder / "06_confusion_matrices/provenance.json").read_text())
    manifest = given.labelled([f"ckplus={tree}"], SMOKE)["ckplus"].manifest
    assert record["data"]["ckplus"] == manifest.digest()
    records = [folder / name / "provenance.json" for name in ("04_training", record["notebook"])]
    given.check_unchanged(records, {"ckplus": manifest.digest()})
    with pytest.raises(DatasetError, match="of ckplus changed while"):  # still being unpacked
        given.check_unchanged(records, {"ckplus": "0" * 64})
    figures = {path.name for path in (folder / "06_confusion_matrices").glob("*.png")}
    assert {"confusion_of_ckplus.png", "confusion_ck.png"} <= figures
    assert "confusion_hardest.png" not in figures
    assert "--show-people" in record["omitted"]["confusion_hardest"]
    executed = (folder / "notebooks/06_confusion_matrices.ipynb").read_text()
    shown = run(tmp_path, f"ckplus={tree}", "synth-ck", only=("06",), show_people=True)
    assert (shown / "06_confusion_matrices/confusion_hardest.png").is_file()
    # Nor does the executed notebook display what was withheld.
    again = (folder / "notebooks/06_confusion_matrices.ipynb").read_text()
    assert again.count("image/png") == executed.count("image/png") + 1


@pytest.mark.parametrize(
    ("name", "clips", "labels"),
    [("mmi", 6, 6), ("afew", 7, 7), ("cremad", 6, 6)],
)
def test_each_layout_is_read_and_cut_to_the_face(name, clips, labels, trees):
    data = given.labelled([f"{name}={trees(name, clips)}"], SMOKE)[name]
    assert len(data.manifest) == clips
    assert len(data.manifest.classes) == labels
    assert data.absent == ()
    assert data.coverage == clips / datasets.DATASETS[name].clips
    assert not np.isnan(data.identities()).all(1).any()  # a face in each of them


def test_a_tree_of_recola_brings_its_gold_standard(trees):
    manifest = given.rated([f"recola={trees('avec', 2)}"], SMOKE)
    assert (manifest.name, len(manifest)) == ("avec", 2)
    assert sorted(manifest.column("split")) == ["train", "val"]
    with np.load(manifest.annotation_path(manifest.clips[0])) as traces:
        assert len(traces["valence"]) == manifest.clips[0].frames
        assert np.abs(traces["valence"]).max() > 0


def test_song_is_another_variant_than_speech(trees):
    tree = trees("ravdess", 60)
    spoken = datasets.fetch("ravdess", path=tree, size=None)
    both = datasets.fetch("ravdess-with-song", path=tree, size=None)
    assert len(spoken.manifest) == 60
    assert len(both.manifest) == 104
    assert spoken.manifest.column("clip_id") == both.manifest.column("clip_id")[:60]
    assert spoken.counts["left out: song"] == 44


def test_viewers_see_what_most_of_them_say(trees):
    tree = trees("cremad", 6)
    table = tree / "processedResults/summaryTable.csv"
    names = sorted(path.stem for path in (tree / "VideoFlash").iterdir())
    lines = ['"","FileName","FaceVote"']
    lines += [f'"{k}","{name}","{"AS"[k % 2]}"' for k, name in enumerate(names[:-2])]
    lines += [f'"90","{names[-2]}","A:D"']
    kept = table.read_text()
    table.write_text("\n".join(lines))
    try:
        report = datasets.fetch("cremad-crowd", path=tree, size=None)
    finally:
        table.write_text(kept)
    assert report.counts["left out: the viewers' votes are a tie"] == 1
    assert report.counts["left out: no votes of viewers"] == 1
    labels = dict(zip(*(report.manifest.column(c) for c in ("clip_id", "label")), strict=True))
    assert labels == {name: ("anger", "sadness")[k % 2] for k, name in enumerate(names[:-2])}


def test_six_classes_are_a_variant_of_the_same_folder(ckplus):
    seven = datasets.fetch("ckplus", path=ckplus, size=None).manifest
    six = datasets.fetch("ckplus-106", path=ckplus, size=None).manifest
    assert (six.name, len(six.classes)) == ("ckplus-six", 6)
    assert len(six) == len(seven) - seven.column("label").count("contempt") < len(seven)
    assert six.root == seven.root
    assert (six.root / "manifest-ckplus-six.csv").is_file()


def test_people_are_sampled_into_ten_parts_in_the_order_of_their_names(ckplus):
    manifest = datasets.fetch("ckplus", path=ckplus, size=None).manifest
    people = sorted(set(manifest.column("subject")))
    assert len(people) > 10
    assert {(clip.subject, clip.fold) for clip in manifest} == {
        (name, number % 10) for number, name in enumerate(people)
    }


def test_the_writing_of_a_tree_goes_on_where_it_was_stopped(trees, ckplus):
    whole = {path.relative_to(ckplus): path.read_bytes() for path in ckplus.rglob("*.*")}
    begun = sorted((ckplus / "Emotion").glob("*/0*/*_emotion.txt"))[3]
    pictures = ckplus / "cohn-kanade-images" / Path(*begun.parts[-3:-1])
    for late in sorted(pictures.iterdir())[4:]:
        late.unlink()
    kept = {path: path.stat().st_mtime_ns for path in ckplus.glob("cohn*/*/*/*.png")}
    published_layouts.write("ckplus", ckplus, clips=14, size=80)
    assert whole == {path.relative_to(ckplus): path.read_bytes() for path in ckplus.rglob("*.*")}
    drawn = [path for path, when in kept.items() if path.stat().st_mtime_ns != when]
    assert {path.parent for path in drawn if "_00000003" in path.name} == {pictures}


def test_a_missing_a_damaged_and_a_mislabelled_clip_are_named_and_counted(ckplus, capsys):
    sequences = sorted((ckplus / "Emotion").glob("*/0*/*_emotion.txt"))
    missing, damaged = (path.parts[-3:-1] for path in sequences[:2])
    shutil.rmtree(ckplus / "cohn-kanade-images" / missing[0] / missing[1])
    picture = sorted((ckplus / "cohn-kanade-images" / damaged[0] / damaged[1]).iterdir())[3]
    picture.write_bytes(b"not a picture")
    given_again = given.Given(name="ckplus", path=ckplus)
    with pytest.raises(DatasetError, match="2 of 14 clips"):  # more than one in twenty
        given.load(given_again, SMOKE)
    picture.write_bytes(picture.with_name(picture.name.replace("4.png", "3.png")).read_bytes())
    data = given.load(given_again, SMOKE)
    assert [one.clip for one in data.absent] == ["_".join(missing)]
    assert "0 pictures" in data.absent[0].reason
    assert data.coverage == 13 / 327
    assert len(data.manifest) == 13


@pytest.mark.parametrize("oddity", ["case", "doubled", "foreign", "partly", "no labels"])
def test_odd_copies_are_read_or_refused_by_name(oddity, ckplus):
    whole = datasets.fetch("ckplus", path=ckplus, size=None).manifest
    pictures, labels = ckplus / "cohn-kanade-images", ckplus / "Emotion"
    if oddity == "case":
        for path in sorted(ckplus.rglob("*"), key=lambda path: -len(path.parts)):
            path.rename(path.with_name(path.name.swapcase()))
    elif oddity == "doubled":  # unpacked twice, and once into its own name
        shutil.copytree(pictures, ckplus / "old" / "cohn-kanade-images")
        pictures.rename(ckplus / "moved")
        (ckplus / "moved").rename(ckplus / "inner")
        pictures.mkdir()
        (ckplus / "inner").rename(pictures / "cohn-kanade-images")
    elif oddity == "foreign":
        (pictures / "holiday" / "001").mkdir(parents=True)
        (pictures / "holiday" / "001" / "beach.png").write_bytes(b"")
        (labels / "notes.txt").write_text("mine")
    elif oddity == "partly":
        for folder in sorted(pictures.iterdir())[: len(list(pictures.iterdir())) // 2]:
            if folder.is_dir():
                shutil.rmtree(folder)
    else:
        shutil.rmtree(labels)
    report = datasets.fetch("ckplus", path=ckplus, size=None)
    if oddity in ("case", "doubled", "foreign"):
        assert report.sound, report.faults
        assert report.manifest.column("clip_id") == whole.column("clip_id")
        assert report.manifest.column("label") == whole.column("label")
        return
    assert not report.sound
    if oddity == "no labels":
        assert any(fault.file == "Emotion/" for fault in report.faults)
    else:
        assert {fault.clip for fault in report.faults} < set(whole.column("clip_id"))
        assert all("has a label but 0 pictures" in fault.message for fault in report.faults)
    with pytest.raises(DatasetError, match=r"clips cannot be read|is not whole"):
        given.load(given.Given(name="ckplus", path=ckplus), SMOKE)


def test_anybodys_class_folders_and_manifests_are_data_too(trees, tmp_path):
    source = datasets.fetch("mmi", path=trees("mmi", 6), size=64).manifest
    for clip in source:
        folder = tmp_path / "mine" / clip.label / clip.subject
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.path(clip), folder / f"{clip.clip_id}.mp4")
    data = given.labelled([f"mine={tmp_path / 'mine'}"], SMOKE)["mine"]
    assert data.name == "mine"
    assert sorted(data.manifest.column("subject")) == sorted(source.column("subject"))
    assert sorted(data.manifest.column("label")) == sorted(source.column("label"))
    again = given.labelled([f"theirs={source.root / 'manifest.csv'}"], SMOKE)["theirs"]
    assert again.manifest.clips == source.clips
    assert again.name == "theirs"
    # Clips of two sizes are brought to one.
    odd = shutil.copytree(source.root, tmp_path / "odd")
    larger = odd / source.clips[0].clip
    codec.reencode(source.path(source.clips[0]), larger, size=(96, 96))
    clips = (dataclasses.replace(source.clips[0], sha256=sha256_of(larger)), *source.clips[1:])
    dataclasses.replace(source, root=odd, clips=clips).save(odd / "manifest.csv")
    made = given.labelled([f"odd={odd}"], SMOKE)["odd"].manifest
    sizes = {codec.probe(made.path(clip)).width for clip in made}
    assert (len(made), sizes) == (6, {SMOKE.size})
    # A clip that is gone is left out by the run, as it is of a published dataset.
    copy = shutil.copytree(source.root, tmp_path / "copy")
    (copy / source.clips[2].clip).unlink()
    less = given.labelled([f"less={copy}"], SMOKE)["less"]
    assert len(less.manifest) == 6
    assert [row for row in less.manifest if not less.manifest.path(row).is_file()] == [
        source.clips[2]
    ]


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (["imagenet"], "no dataset 'imagenet'"),
        (["ckplus=/a", "ckplus=/b"], "given twice"),
        (["synth-ck=/a"], "takes no folder"),
        (["My Data=/a"], "cannot name"),
        (["ckplus="], "names no folder"),
        (["ckplus=/a", "ckplus-six=/b"], "share their clips"),
    ],
)
def test_what_cannot_be_data_is_refused(texts, word):
    with pytest.raises(ConfigError, match=word):
        given.parse(texts)


def test_a_dataset_is_known_however_it_is_spelt():
    found = given.parse(["CK+=/a", "MMI", "Recola=/b", "CREMA-D=/c", "Synth-CK"])
    assert [one.name for one in found] == ["ckplus", "mmi", "avec", "cremad", "synth-ck"]


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("nowhere", "does not exist"),
        ("nowhere.csv", "does not exist"),
        ("set.zip", "is no folder"),
        ("", "a level deeper"),
        ("train/Happy", "the folder of one class"),
    ],
)
def test_own_folders_are_refused_where_they_would_be_read_wrongly(place, word, tmp_path):
    for part, label, who in itertools.product(("train", "test"), ("Happy", "Sad"), "ab"):
        folder = tmp_path / part / label / who
        folder.mkdir(parents=True)
        (folder / "1.mp4").touch()
    (tmp_path / "set.zip").touch()
    with pytest.raises(DatasetError, match=word) as caught:
        given.labelled([f"mine={tmp_path / place}"], SMOKE)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("data", "only"), [("recola=/a", "04"), ("ckplus=/a", "08"), ("ckplus=/a", "01_reencoding")]
)
def test_a_notebook_that_data_do_not_suit_is_refused_before_anything_is_built(data, only, capsys):
    assert main(["run", "--profile", "smoke", "--data", data, "--only", only]) == 1
    assert f"notebook {only} does not run on" in capsys.readouterr().err


def test_recordings_are_not_replaced_by_generated_ones():
    with pytest.raises(ConfigError, match="no dataset with traces"):
        given.rated(["ckplus=/a"], SMOKE)
    with pytest.raises(ConfigError, match="more than one"):
        given.rated(["recola=/a", "synth-avec"], SMOKE)


def test_results_of_given_data_never_replace_committed_ones():
    base = ROOT / "results"
    folder = results.folder_of(SMOKE, datasets=["ckplus=/data", "mmi"])
    assert folder == base / "own" / "ckplus+mmi-smoke"
    with pytest.raises(ResultError, match="committed"):
        results.folder_of(SMOKE, str(base), datasets=["ckplus"])
    with pytest.raises(ResultError, match="cannot leave out"):
        results.Run("06", SMOKE, figures=("a",), folder="unused").omit("a", reason="no reason")


def test_the_apex_is_found_where_it_is_known():
    """How much of the expression is there at the frame found, and by the other rules."""
    table = apexes.table([plan.dataset(name, SMOKE) for name in ("synth-ck", "synth-mmi")])
    assert list(table) == list(apexes.COLUMNS)
    shown = table.set_index(["dataset", "rule"])["expression"].unstack()
    first, both, middle, last = (shown[rule] for rule in apexes.RULES)
    # The last frame is the apex, and nothing says so to the search.
    assert last["synth-ck"] == 1
    assert first["synth-ck"] > max(0.9, middle["synth-ck"] + 0.2)
    # A head that drifts misleads who looks at the first frame only.
    assert last["synth-mmi"] < 0.1
    assert both["synth-mmi"] > 0.95


def test_the_command_builds_what_it_is_given_and_says_what_it_leaves_out(
    ckplus, capsys, monkeypatch
):
    asked = {}

    class NoRunner:
        def __init__(self, notebooks, profile, **options):
            asked.update(options)
            self.folder, self.config = notebooks, profile

        def expected(self, only):
            return [Expected(notebook=only[0], seconds=None, cores=2)]

        def run(self, only):
            asked["only"] = only
            return []

    monkeypatch.setattr("mic.publishing.notebooks.Runner", NoRunner)
    label = next(iter(sorted((ckplus / "Emotion").glob("*/0*/*_emotion.txt"))))
    label.write_text("joy")
    monkeypatch.chdir(ckplus.parent)
    assert main(["run", "--profile", "smoke", "--data", f"ckplus={ckplus.name}"]) == 0
    out = capsys.readouterr().out
    assert "13 clips of" in out
    assert f"left out: {'_'.join(label.parts[-3:-1])}" in out
    assert "1 to 7" in out
    assert "04: never measured with this profile on these data" in out
    assert asked["datasets"] == [f"ckplus={ckplus}"]  # notebooks run in another folder
    assert list(asked["digests"]) == ["ckplus"]
    assert asked["only"] == ["04", "05", "06", "07", "09"]
    assert asked["show_people"] is False
