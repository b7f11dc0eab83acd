"""fMRI responses: volumes, series, masks and plain arrays; parcels, which have positions."""

import gzip

import numpy as np
import pytest

from deixis.geometry import Box3D, Point, PointSet, check_region, region_points
from deixis.signals import MODALITIES, FmriSpec, open_signal, parcel_labels, to_tensor

nibabel = pytest.importorskip("nibabel")
AFFINE = np.array([[-3.0, 0, 0, 30], [0, 3, 0, -40], [0, 0, 4, 10], [0, 0, 0, 1]])


def save(path, array, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(np.asarray(array, np.float32), affine), path)
    return path


@pytest.fixture
def volume(tmp_path):
    """(path, values) of a ball of numbers in a box of zeros."""
    x, y, z = np.mgrid[:10, :12, :8]
    values = (x + 10 * y + 100 * z + 1.0) * ((x - 5) ** 2 + (y - 6) ** 2 + (z - 4) ** 2 < 16)
    return save(tmp_path / "a.nii.gz", values), values.astype(np.float32)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(np.zeros((2, 3, 4)), r"\(voxels,\) or \(repeats, voxels\), got \(2, 3, 4\)", id="volume"),
        pytest.param(np.zeros(50), "got 50 voxels that are all the same", id="zeros"),
        pytest.param(np.array([1, 2, np.nan]), "got NaN or infinity in 1 of 3 voxels", id="nan"),
        pytest.param(np.zeros((0, 9)), r"got \(0, 9\)", id="no_repeats"),
    ],
)
def test_bad_numbers_are_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="fmri")


def test_bad_files_are_one_sentence(tmp_path, volume):
    path, values = volume
    whole = path.read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"'cut.nii.gz': expected a NIfTI volume .* cut short"):
        open_signal(tmp_path / "cut.nii.gz")
    (tmp_path / "cut.nii").write_bytes(gzip.decompress(whole)[:2000])
    with pytest.raises(ValueError, match=r"'cut.nii': expected a NIfTI volume"):
        open_signal(tmp_path / "cut.nii")
    with pytest.raises(ValueError, match=r"'five.nii': expected a NIfTI volume .*\(shape \(2, 2, 2, 2, 2\)\)"):
        open_signal(save(tmp_path / "five.nii", np.ones((2, 2, 2, 2, 2))))
    with pytest.raises(ValueError, match=r"'empty.nii': expected at least 2 voxels, got 0"):
        open_signal(save(tmp_path / "empty.nii", np.zeros((4, 4, 4))))
    mask = save(tmp_path / "small.nii", np.ones((3, 3, 3)))
    with pytest.raises(ValueError, match=r"mask of the volume's shape \(10, 12, 8\), got \(3, 3, 3\)"):
        open_signal(f"{path}+{mask}")
    moved = save(tmp_path / "moved.nii", values, AFFINE + np.eye(4))
    with pytest.raises(ValueError, match="expected a mask in the volume's place, got one whose voxels lie elsewhere"):
        open_signal(f"{path}+{moved}")
    values[0, 0, 0] = np.nan
    pair = save(tmp_path / "nan.nii", values), save(tmp_path / "all.nii", np.ones(values.shape))
    with pytest.raises(ValueError, match="got NaN or infinity in 1 of 960 voxels"):
        open_signal("+".join(map(str, pair)))


def test_a_volume_its_series_and_its_mask(tmp_path, volume):
    path, values = volume
    signal = open_signal(path)
    assert (signal.modality, signal.extent.axes) == ("fmri", "xyz")
    cells = np.argwhere(values)
    np.testing.assert_array_equal(signal.values, values[values != 0])
    np.testing.assert_allclose(signal.extent.points_xyz, nibabel.affines.apply_affine(AFFINE, cells))
    noise = np.random.default_rng(0).normal(size=(*values.shape, 5)) * (values != 0)[..., None]
    series = save(tmp_path / "series.nii", values[..., None] + noise - noise.mean(3, keepdims=True))
    np.testing.assert_allclose(open_signal(series).values, signal.values, atol=1e-3)
    assert open_signal(series).info["averaged"] == 5
    mask = save(tmp_path / "mask.nii.gz", values > 300)
    np.testing.assert_array_equal(open_signal(f"{path}+{mask}").values, values[values > 300])
    assert open_signal(f"fmri:{path}+{mask}").digest == open_signal(f"{path}+{mask}").digest != signal.digest


def test_the_official_numbers(tmp_path):
    """NPY of (repeats, voxels): their mean, as it is, exactly as many as the linear map takes (OneLLM)."""
    repeats = np.random.default_rng(0).normal(size=(3, 15724)).astype(np.float32)
    np.save(tmp_path / "a.npy", repeats)
    signal = open_signal(f"fmri:{tmp_path / 'a.npy'}")
    values, frame = to_tensor(signal)
    np.testing.assert_allclose(values, repeats.mean(0), atol=1e-6)
    assert (frame.dim, frame.modality) == (0, "fmri")
    assert open_signal(repeats.mean(0, dtype=np.float64), modality="fmri").digest == signal.digest
    with pytest.raises(ValueError, match=r"'a.npy': expected the 500 voxels this model was trained on, got 15724"):
        to_tensor(signal, FmriSpec(500))
    with pytest.raises(ValueError, match=r"whose voxels have places, .* open the NIfTI file"):
        to_tensor(signal, FmriSpec(parcels=64))
    standard, _ = to_tensor(signal, FmriSpec(standardise=True))
    assert abs(standard.mean()) < 1e-5
    assert abs(standard.std() - 1) < 1e-4
    for region in (Point(1, 2, 3), Box3D(0, 0, 0, 1, 1, 1), PointSet([1])):
        with pytest.raises(ValueError, match="have no positions, so that no region can lie in it"):
            check_region(region, signal.extent)


@pytest.mark.parametrize("parcels", [1, 7, 64, 200])
def test_parcels_are_even_compact_and_repeatable(volume, parcels):
    signal = open_signal(volume[0])
    labels = parcel_labels(signal, parcels)
    np.testing.assert_array_equal(labels, parcel_labels(open_signal(volume[0]), parcels))
    counts = np.bincount(labels, minlength=parcels)
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= max(2, 0.5 * counts.mean())
    values, frame = to_tensor(signal, FmriSpec(parcels=parcels))
    assert values.shape == (parcels, 4)
    for number in range(0, parcels, 5):
        own = labels == number
        np.testing.assert_allclose(values[number, 3], signal.values[own].mean(), rtol=1e-5)
        np.testing.assert_allclose(frame.to_file(values[number, :3]), signal.extent.points_xyz[own].mean(0), atol=1e-3)
    if parcels == 64:
        spread = [np.ptp(signal.extent.points_xyz[labels == n], axis=0).max() for n in range(parcels)]
        assert max(spread) < np.ptp(signal.extent.points_xyz, axis=0).max() / 2


def test_regions_of_a_brain_hold_its_voxels(volume):
    signal = open_signal(volume[0])
    _, frame = to_tensor(signal, FmriSpec(parcels=16))
    places = signal.extent.points_xyz
    box = Box3D(*(places.mean(0) - 6), *(places.mean(0) + 6))
    check_region(box, signal.extent)
    points = frame.to_file(region_points(box, frame, 20))
    assert (np.abs(points - places.mean(0)) <= 6.001).all()
    assert {tuple(p) for p in points.round(2)} <= {tuple(p) for p in places.round(2)}
    with pytest.raises(ValueError, match="Point lies outside its fMRI response"):
        check_region(Point(900, 0, 0), signal.extent)


def test_real_brains(shared_data):
    block = open_signal(shared_data / "fmri_nitime" / "fmri1.nii.gz")
    assert block.info["averaged"] == 40
    values = nibabel.load(shared_data / "fmri_nitime" / "fmri1.nii.gz").get_fdata()
    np.testing.assert_allclose(np.sort(block.values), np.sort(values.mean(3)[values.mean(3) != 0]), rtol=1e-5)
    for name in ("someones_epi.nii.gz", "someones_anatomy.nii.gz", "functional.nii", "example4d.nii.gz"):
        tensor, frame = to_tensor(
            open_signal(shared_data / "nifti_nibabel" / name), FmriSpec(parcels=128, standardise=True)
        )
        assert tensor.shape == (128, 4)
        assert frame.dim == 3
        assert 0 <= tensor[:, :3].min()
        assert tensor[:, :3].max() <= 1


def test_an_image_in_memory_is_as_its_file(tmp_path, volume):
    path, values = volume
    image = nibabel.Nifti1Image(values, AFFINE)
    for source in (image, nibabel.load(path)):
        assert open_signal(source).digest == open_signal(path).digest
        np.testing.assert_array_equal(open_signal(source).extent.points_xyz, open_signal(path).extent.points_xyz)
    series = nibabel.Nifti1Image(np.stack([values, 3 * values], axis=-1), AFFINE)
    np.testing.assert_allclose(open_signal(series).values, 2 * open_signal(image).values)


def test_an_image_is_written_as_it_is_read(tmp_path, volume):
    path, values = volume
    for name in ("b.nii.gz", "c.nii.gz"):
        MODALITIES["fmri"].write(nibabel.Nifti1Image(values, AFFINE), tmp_path / name)
    assert open_signal(tmp_path / "b.nii.gz").digest == open_signal(path).digest
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()
    with pytest.raises(ValueError, match="expected an fMRI response as a NIfTI image of nibabel, got ndarray"):
        MODALITIES["fmri"].write(values, tmp_path / "d.nii.gz")
    assert not (tmp_path / "d.nii.gz").exists()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        pytest.param(lambda: nibabel.Nifti1Image(np.zeros((4, 4, 4)), AFFINE), "at least 2 voxels, got 0", id="zeros"),
        pytest.param(lambda: nibabel.Nifti1Image(np.ones((4, 4)), AFFINE), r"shape \(4, 4\)", id="flat"),
        pytest.param(
            lambda: nibabel.MGHImage(np.ones((4, 4, 4), np.float32), AFFINE), "of the format MGHImage", id="other"
        ),
    ],
)
def test_a_bad_image_in_memory_is_one_sentence(image, message):
    with pytest.raises(ValueError, match=message):
        open_signal(image())
