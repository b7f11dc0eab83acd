"""Real files of all eight modalities through a converted OneLLM: the official inputs, and the same answer everywhere.

Twice: a random checkpoint with files written here, and the recorded checkpoint with files from public data sets.
"""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from deixis.checkpoints.sizes import AST_MEAN, AST_STD, CLIP_MEAN, CLIP_STD
from deixis.conversation import question_sample
from deixis.geometry import Box, Box3D, Span
from deixis.inference import load
from deixis.signals import MODALITIES, open_signal
from deixis.systems.conversion import convert
from deixis.systems.release import ConversionOptions
from tests.checkpoints.checkpoints import onellm_state, random_state, write_onellm
from tests.inference.test_batches import same_or_tied

EXAMPLES = Path(__file__).parents[3] / "examples"
TEXT = "What is it?"
MOST_TOKENS = 12
TOKENS = 30 + 2  # queries, and the start and end tags (model/LLM/onellm.py@8587a47)
SHAPES = {
    "image": (3, 224, 224),
    "video": (5 * 3, 3, 224, 224),  # clips times squares
    "audio": (1024, 128),
    "point_cloud": (8192, 6),
    "depth": (2, 3, 224, 224),
    "normal": (2, 3, 224, 224),
    "imu": (6, 400),
}
REGIONS = {
    "image": Box(2, 2, 30, 30),
    "video": Box(2, 2, 30, 30),
    "audio": Span(0.1, 0.4),
    "point_cloud": Box3D(-9, -9, -9, 9, 9, 9),
    "depth": Box(2, 2, 30, 30),
    "normal": Box(2, 2, 30, 30),
    "imu": Span(0.5, 1.5),
    "fmri": Box(0, 0, 1, 1),
}


def full_state():
    """A random checkpoint of all eight modalities, with the published sizes wherever the tensor of a file enters."""
    state, width = onellm_state(), 16
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for theirs in ("video", "rgbd", "rgbn"):
        image_shapes = {name: shape for name, shape in shapes.items() if ".image" in name}
        shapes |= {name.replace(".image", f".{theirs}"): shape for name, shape in image_shapes.items()}
    shapes |= {name: (1, 30, width) for name in shapes if "resample_tokens." in name}
    shapes["llma.clip.visual.conv1.weight"] = (width, 3, 14, 14)
    shapes["llma.clip.visual.positional_embedding"] = (16 * 16 + 1, width)
    shapes["llma.positional_embedding.point"] = (1024 + 1, width)
    return {name: _loud(name, tensor) for name, tensor in random_state(shapes).items()}


def _loud(name, tensor):
    """Weights as large as those of a trained network, so that answers depend on the signal."""
    if name.endswith("norm.weight"):
        return 1 + tensor
    return 10 * tensor / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else tensor


def random_source(folder):
    """A folder with a random checkpoint and its tokenizer."""
    source = write_onellm(folder / "source")
    torch.save(full_state(), source / "consolidated.00-of-01.pth")
    return source, ConversionOptions()


def recorded_source(golden, folder):
    """The recorded checkpoint, and Ferret's tokenizer, which has as many pieces as it has rows."""
    shutil.copy(golden / "ferret_tiny" / "tokenizer.model", folder)  # alone, without the tokens that Ferret adds
    return golden / "onellm_tiny", ConversionOptions(tokenizer=str(folder / "tokenizer.model"))


def write_video(path):
    """Two seconds of video in which a grey grows brighter."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 12 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def write_maps(folder, image):
    """(depth, normals): 16-bit millimetres, and unit vectors as colours, of the size of an image."""
    with Image.open(image) as opened:
        width, height = opened.size
    slope = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    Image.fromarray((500 + 4000 * slope).astype(np.uint16)).save(folder / "depth.png")
    normals = np.stack([slope - 0.5, np.zeros_like(slope), np.ones_like(slope)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    Image.fromarray(np.rint((normals + 1) * 127.5).astype(np.uint8)).save(folder / "normals.png")
    return folder / "depth.png", folder / "normals.png"


def write_files(folder, voxels, image, video, audio, cloud):
    """Modality -> file name as typed, of the given files and of maps, an IMU recording and voxels written here."""
    depth, normals = write_maps(folder, image)
    random = np.random.default_rng(0)
    times_s = np.arange(200) / 50
    trace = np.sin(times_s[:, None] * np.arange(1, 7)) + 0.01 * random.standard_normal((200, 6))
    columns = "time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
    np.savetxt(folder / "walk.csv", np.column_stack([times_s, trace]), delimiter=",", header=columns, comments="")
    np.save(folder / "voxels.npy", random.standard_normal((3, voxels)).astype(np.float32))  # three repeats
    names = {"image": image, "video": video, "audio": audio, "point_cloud": cloud, "imu": folder / "walk.csv"}
    pairs = {"depth": f"{image}+{depth}", "normal": f"normal:{image}+{normals}"}
    return {modality: str(name) for modality, name in names.items()} | pairs | {"fmri": f"fmri:{folder / 'voxels.npy'}"}


@pytest.fixture(scope="module", params=["random", "recorded"])
def world(request, tmp_path_factory):
    """A converted OneLLM and a file of each modality: model, names and signals by modality."""
    folder = tmp_path_factory.mktemp("onellm")
    if request.param == "random":
        source, options = random_source(folder)
        files = (
            EXAMPLES / "scene.png",
            write_video(folder / "video.mp4"),
            EXAMPLES / "sound.wav",
            EXAMPLES / "cloud.ply",
        )
    else:
        source, options = recorded_source(request.getfixturevalue("shared_golden"), folder)
        real = request.getfixturevalue("shared_data")
        names = "sam_photos/truck.jpg", "video_traffic/demo.mp4", "speech_samples/wav/spk1_snt1.wav"
        files = (*(real / name for name in names), real / "meshes_trimesh/rabbit.obj")
    model = load(convert("onellm", source, folder / "out", options), device="cpu")
    names = write_files(folder, model.network.config.signals["fmri"].voxels, *files)
    return SimpleNamespace(
        model=model, names=names, signals={modality: open_signal(name) for modality, name in names.items()}
    )


@pytest.fixture(scope="module")
def alone(world):
    """Modality -> the answer to the question about its file, options alone."""
    answers = {
        modality: world.model.ask(TEXT, name, max_new_tokens=MOST_TOKENS) for modality, name in world.names.items()
    }
    world.model.clear_cache()
    return answers


def prepared(world, modality):
    return world.model.processor.prepare(world.signals[modality])


def unnormalised(values):
    """Images in [0, 1] from CLIP's normalised ones; the channel is the third axis from the end."""
    mean, std = (np.array(numbers, np.float32)[:, None, None] for numbers in (CLIP_MEAN, CLIP_STD))
    return values * std + mean


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_file_becomes_what_the_official_code_feeds(world, modality):
    assert world.signals[modality].modality == modality
    assert prepared(world, modality).values.shape == SHAPES.get(
        modality, (world.model.network.config.signals["fmri"].voxels,)
    )


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_signal_takes_its_queries_and_tags(world, modality):
    processor = world.model.processor
    ids = processor(text=TEXT, signals=[world.signals[modality]])["input_ids"][0].tolist()
    assert ids[0] == processor.tokenizer.bos_token_id
    placeholder = processor.tokenizer.convert_tokens_to_ids(processor.placeholders[modality])
    assert ids[1 : 1 + TOKENS] == [placeholder] * TOKENS  # after <s>, before the text
    assert ids.count(placeholder) == TOKENS


def test_sounds_are_normalised_as_ast_does(world):
    values = prepared(world, "audio").values
    seconds = world.signals["audio"].extent.duration_s
    windows = 1 + int((seconds * 1000 - 25) // 10)  # of 25 ms, 10 ms apart, wholly inside
    assert windows < len(values)
    assert np.allclose(values[windows:], -AST_MEAN / (2 * AST_STD))
    assert (AST_MEAN, AST_STD) == (-4.2677393, 4.5689974)  # data/data_utils.py@8587a47
    assert values[:windows].std() > 0.1


def test_clouds_lie_in_the_unit_sphere_around_their_mean(world):
    xyz = prepared(world, "point_cloud").values[:, :3].astype(np.float64)
    assert np.allclose(xyz.mean(axis=0), 0, atol=1e-5)
    assert np.linalg.norm(xyz, axis=1).max() == pytest.approx(1, abs=1e-5)


def test_maps_stand_beside_their_image_cut_alike(world):
    image = prepared(world, "image").values
    depth, normal = (prepared(world, modality).values for modality in ("depth", "normal"))
    assert np.array_equal(depth[0], image)
    assert np.array_equal(normal[0], image)
    grey = unnormalised(depth[1])
    assert np.allclose(grey, grey[:1], atol=1e-5)  # three equal channels
    assert (np.diff(grey[0], axis=1) >= -1e-5).all()  # the slope that was written
    x, y, z = unnormalised(normal[1]) * 2 - 1
    assert np.allclose(np.sqrt(x**2 + y**2 + z**2), 1, atol=0.02)
    assert np.allclose(y, 0, atol=0.01)


def test_traces_are_brought_to_200_hz_and_cut(world):
    values = prepared(world, "imu").values
    written = world.signals["imu"].values  # four seconds at 50 Hz
    # beyond its ends a recording is zero, which affects six rows of the resampling
    assert np.allclose(values[:, 40:400:4], written[10:100].T, atol=0.05)


def test_voxels_are_the_mean_of_their_repeats(world):
    repeats = np.load(world.names["fmri"].removeprefix("fmri:"))
    assert np.allclose(prepared(world, "fmri").values, repeats.mean(axis=0), atol=1e-6)


def test_films_are_squares_along_the_longer_side_of_five_moments(world):
    moments = prepared(world, "video").values.reshape(5, 3, 3, 224, 224)
    assert not np.allclose(moments[0], moments[4])
    if world.signals["video"].name == "video.mp4":  # the grey that grows brighter
        assert (np.diff(moments.mean(axis=(1, 2, 3, 4))) > 0).all()
        assert np.allclose(moments[:, 0], moments[:, 2], atol=0.02)


@pytest.mark.parametrize("modality", MODALITIES)
def test_regions_are_refused_by_naming_who_takes_them(world, modality):
    with pytest.raises(ValueError, match=r"^region \{0\}: this model takes no regions; Ferret's models .*[^.]$"):
        world.model.ask("What is {0}?", world.names[modality], regions=[REGIONS[modality]])


@pytest.mark.parametrize("modality", ["depth", "normal"])
def test_a_map_without_its_image_names_how_to_give_both(world, modality):
    name = f"{modality}:{world.names[modality].split('+')[1]}"
    with pytest.raises(
        ValueError, match=rf"expected a {modality} map with its image.* name both as {modality}:photo\.png\+"
    ):
        world.model.ask(TEXT, name)


def test_another_count_of_voxels_is_told(world, tmp_path):
    np.save(tmp_path / "other.npy", np.random.default_rng(0).standard_normal(77))
    with pytest.raises(ValueError, match=r"'other\.npy': expected the \d+ voxels this model was trained on, got 77"):
        world.model.ask(TEXT, f"fmri:{tmp_path / 'other.npy'}")


def test_every_kind_is_answered(world, alone):
    for modality, answer in alone.items():
        assert answer.raw, modality
        assert answer.phrases == (), modality
        assert answer.signals[0] is not None
    assert len({answer.raw for answer in alone.values()}) > 4  # they depend on the signal


def test_answers_in_a_batch_of_all_kinds_are_those_alone(world, alone):
    questions = [question_sample(TEXT, (world.signals[modality],)) for modality in MODALITIES]
    together = world.model.answer(questions, max_new_tokens=MOST_TOKENS)
    for modality, question, answer in zip(MODALITIES, questions, together, strict=True):
        assert same_or_tied(world.model, question, answer, alone[modality]), modality


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_same_file_gives_the_same_tensor_again(world, modality):
    again = world.model.processor.prepare(open_signal(world.names[modality]))
    assert np.array_equal(again.values, prepared(world, modality).values)
