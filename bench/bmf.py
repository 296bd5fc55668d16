"""Where BMF is (PyPI's BabitMF, of ./setup bench) and what it needs to start: the FFmpeg 4 libraries that decord carries under other names."""
import glob, os, re, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def folder():
    """The package's folder, or None."""
    for place in [*sys.path, *glob.glob(str(ROOT / '.deps/venv/lib/python3*/site-packages'))]:
        if place and (Path(place) / 'bmf/lib/libengine.so').exists() and (Path(place) / 'decord.libs').is_dir():
            return Path(place) / 'bmf'
    return None


def environment(bmf, links):
    """Makes links by the names BMF asks for in the folder `links`; -> the environment for a process that uses it."""
    libs = bmf.parent / 'decord.libs'
    os.makedirs(links, exist_ok=True)
    for path in libs.glob('lib*-*.so.*'):
        name, major = re.fullmatch(r'(lib\w+)-[0-9a-f]{8}\.so\.(\d+).*', path.name).groups() if path.name.startswith(('libav', 'libsw', 'libpost')) else (None, None)
        link = Path(links) / f'{name}.so.{major}'
        if name and not link.exists():
            link.symlink_to(path)
    # The system's zlib first: decord's is 1.2.3, and libpng would get that one.
    return dict(os.environ, LD_LIBRARY_PATH=f'{links}:{libs}:{bmf}/lib', LD_PRELOAD='libz.so.1', PYTHONPATH=str(bmf.parent), BMF_LOG_LEVEL='WARNING')
