"""Pictures as people have them: turned cameras, masks, dark shapes on paper, and what must not be opened at all."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nfgen
from nfgen.errors import ArtifactError, ShapeError
from nfgen.io.pictures import read_rgb
from nfgen.shapes import ImageShape, find_shapes
from nfgen.shapes.reading import ReadingConfig

MASK = np.zeros((48, 64), np.uint8)
MASK[8:20, 10:50] = MASK[20:40, 10:20] = 255  # an L that looks different however it is turned
POINTS = np.random.default_rng(0).uniform(-1, 1, (3000, 2))
EXPECTED = ImageShape(MASK / 255).value(POINTS) < 0


def inside(path: Path, **reading) -> np.ndarray:
    (ref,) = find_shapes(path, reading=ReadingConfig(**reading))
    return ref.load().value(POINTS) < 0


def coloured(shape: tuple[int, int, int], background: tuple[int, int, int]) -> Image.Image:
    return Image.fromarray(np.where(MASK[..., None] > 0, np.uint8(shape), np.uint8(background)))


def with_alpha(colour: int) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((*MASK.shape, 3), colour, np.uint8), MASK]))


def palette_with_transparency() -> Image.Image:
    picture = Image.fromarray((MASK > 0).astype(np.uint8), "P")
    picture.putpalette([9, 9, 9, 20, 20, 20])
    picture.info["transparency"] = 0
    return picture


WRITTEN = {
    "bright.png": (Image.fromarray(MASK), {}),
    "dark.png": (Image.fromarray(255 - MASK), {}),
    "deep.png": (Image.fromarray(MASK.astype(np.uint16) * 257), {}),
    "paper.jpg": (coloured((30, 60, 20), (250, 245, 240)), {"quality": 95}),
    "slide.jpeg": (coloured((250, 200, 90), (10, 30, 20)), {"quality": 95}),
    "black_on_clear.png": (with_alpha(0), {}),
    "white_on_clear.png": (with_alpha(255), {}),
    "clear.webp": (with_alpha(10), {"lossless": True}),
    "clear.gif": (palette_with_transparency(), {}),
    "clear.tiff": (with_alpha(128), {}),
    "a.bmp": (Image.fromarray(255 - MASK), {}),
    "a.tif": (Image.fromarray(MASK), {"compression": "tiff_lzw"}),
    "one_bit.png": (Image.fromarray(MASK).convert("1"), {}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_one_outline_however_it_is_drawn(name: str, tmp_path: Path) -> None:
    picture, options = WRITTEN[name]
    picture.save(tmp_path / name, **options)
    assert (inside(tmp_path / name) == EXPECTED).mean() > 0.995
    (ref,) = find_shapes(tmp_path / name)
    assert any("--foreground" in note for note in ref.load().notes), "what was chosen is said"


TURNS = {1: 0, 3: 2, 6: 1, 8: 3}  # quarter turns against the clock that make the stored picture of the upright one


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_the_camera_may_be_turned(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(MASK, TURNS[orientation])))
    stored.save(tmp_path / f"a.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    assert (inside(tmp_path / f"a.{suffix}") == EXPECTED).mean() > 0.99
    (ref,) = find_shapes(tmp_path / f"a.{suffix}", kind="brightness")
    assert (
        (ref.load().value(POINTS * 0.95) > 0.5) == (ImageShape(MASK / 255).value(POINTS * 0.95**2) < 0)
    ).mean() > 0.99


def test_what_the_user_says_is_the_foreground(tmp_path: Path) -> None:
    Image.fromarray(MASK).save(tmp_path / "a.png")
    assert (inside(tmp_path / "a.png", foreground="bright") == EXPECTED).all()
    assert inside(tmp_path / "a.png", foreground="dark").mean() > 0.5
    with pytest.raises(ShapeError, match="nothing of it is transparent"):
        inside(tmp_path / "a.png", foreground="alpha")
    spotted = np.dstack([MASK, MASK, MASK, np.full_like(MASK, 255)])
    spotted[0, 0, 3] = 0  # a transparent spot does not make a mask of what was meant as a picture
    Image.fromarray(spotted).save(tmp_path / "b.png")
    spotted[:3, :3, 3], spotted[0, 0, 3] = 200, 255  # nothing of it is more transparent than not: no mask at all
    Image.fromarray(spotted).save(tmp_path / "c.png")
    assert (inside(tmp_path / "c.png") == EXPECTED).all()
    assert (inside(tmp_path / "b.png", foreground="bright") == EXPECTED).all()


def test_one_foreground_for_all_images_of_an_idx_file(tmp_path: Path) -> None:
    full = np.full((1, 8, 8), 255, np.uint8)
    full[0, 3:5, 3:5] = 0  # alone it would be taken for a dark square on paper
    digits = np.zeros((9, 8, 8), np.uint8)
    digits[:, 2:6, 2:6] = 255
    data = np.concatenate([digits, full])
    header = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in data.shape)
    (tmp_path / "a-images-idx3-ubyte").write_bytes(header + data.tobytes())
    refs = find_shapes(tmp_path)
    assert refs[0].load().value(np.zeros((1, 2)))[0] < 0
    assert refs[9].load().value(np.zeros((1, 2)))[0] > 0


def test_frames_beyond_the_first_are_said(tmp_path: Path) -> None:
    frames = [Image.fromarray(MASK), Image.fromarray(255 - MASK)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (ref,) = find_shapes(tmp_path / "a.gif")
    assert any("2 pictures" in note for note in ref.load().notes)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "gif", "bmp", "webp"])
def test_postscript_under_another_name_starts_nothing(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was called"))
    (tmp_path / f"a.{suffix}").write_bytes(POSTSCRIPT)
    with pytest.raises(ShapeError, match="cannot be read as a picture"):
        find_shapes(tmp_path / f"a.{suffix}")[0].load()
    with pytest.raises(ArtifactError, match="as a picture"):
        read_rgb(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("format", ["TIFF", "GIF", "BMP", "WEBP", "PPM"])
def test_artifacts_hold_png_and_jpeg_alone(format: str, tmp_path: Path) -> None:
    Image.fromarray(MASK).convert("RGB").save(tmp_path / "a.png", format=format)
    with pytest.raises(ArtifactError, match="as a picture"):
        read_rgb(tmp_path / "a.png")


def test_no_other_place_opens_pictures() -> None:
    root = Path(nfgen.__file__).parent
    places = [root, *(root / name for name in ("cli", "models", "tokenizers") if (root / name).is_symlink())]
    files = sorted({file for place in places for file in place.rglob("*.py")})
    opening = re.compile(r"Image\s*\.\s*open\s*\(|from PIL\.Image import|\bimread\s*\(")
    found = [file.relative_to(root).as_posix() for file in files if opening.search(file.read_text())]
    assert found == ["io/pictures.py"]
    source = (root / "io" / "pictures.py").read_text()
    assert source.count("Image.open(") == 1
    assert "Image.open(source, formats=" in source


@pytest.mark.parametrize(("format", "suffix"), [("BMP", "png"), ("TIFF", "jpg"), ("PNG", "bmp"), ("GIF", "webp")])
def test_a_picture_is_of_the_format_that_its_name_says(format: str, suffix: str, tmp_path: Path) -> None:
    Image.fromarray(MASK).convert("RGB").save(tmp_path / f"a.{suffix}", format=format)
    with pytest.raises(ShapeError, match="it is no"):
        find_shapes(tmp_path / f"a.{suffix}")[0].load()


def test_png_and_jpeg_may_bear_each_other_s_names(tmp_path: Path) -> None:
    Image.fromarray(MASK).save(tmp_path / "a.jpg", format="PNG")
    assert (inside(tmp_path / "a.jpg") == EXPECTED).all()


LONG = {
    "line.png": np.zeros((1, 2**24 - 1), np.uint8),
    "noise.png": np.random.default_rng(0).integers(0, 2, (1024, 1024), np.uint8) * 255,
}


@pytest.mark.parametrize("name", LONG)
def test_pictures_that_cost_too_much_are_refused(name: str, tmp_path: Path) -> None:
    Image.fromarray(LONG[name]).save(tmp_path / name)
    with pytest.raises(ShapeError, match=r"pixels are more than|pieces, more than"):
        find_shapes(tmp_path / name)[0].load()
