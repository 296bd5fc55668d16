"""Graph files: the frames that come through are FFmpeg's own, both spellings are read, what is not supported is named with its node, a node of a
user's paints, stages in a graph write what they write alone, a trace is valid, and the real BMF runs the same file with the same frames.
"""
import hashlib, json, os, re, shutil, signal, subprocess, sys, tempfile, time
from pathlib import Path

from checks import bad, check, ffmpeg

ROOT = Path(__file__).resolve().parent.parent.parent
MMDM = Path(os.environ['MMDM_BIN'])
FACE = ROOT / '.deps/clips/cap13_edit2.mp4'
sys.path.insert(0, str(ROOT / 'bench'))
import bmf  # noqa: E402


def node(number, name, option=None, inputs=(), outputs=(), **more):
    """A node; outputs are names or (name, which output)."""
    ends = [dict(identifier=o) if isinstance(o, str) else dict(identifier=o[0], notify=o[1]) for o in outputs]
    info = {'name': name, 'type': '', 'path': '', 'entry': ''} | more.pop('info', {})
    return {'id': number, 'module_info': info, 'meta_info': {'premodule_id': -1, 'callback_binding': []}, 'option': option or {},
            'input_streams': [{'identifier': i, 'alias': ''} for i in inputs], 'output_streams': [{'alias': '', **e} for e in ends],
            'input_manager': 'immediate', 'scheduler': number % 2, 'alias': '', **more}


def graph(*nodes, **more):
    return {'mode': 'Normal', 'option': {}, 'input_streams': [], 'output_streams': [], 'nodes': list(nodes), **more}


def run(made, *options):
    """-> exit code, what was said"""
    Path('graph.json').write_text(made if isinstance(made, str) else json.dumps(made))
    done = subprocess.run([MMDM, 'graph', 'run', 'graph.json', *options], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def hashes(name):
    return [line.split() for line in Path(name).read_text().splitlines()]


def frames_of(clip, width, height, filters=()):
    """SHA-256 of every frame, as FFmpeg's own program decodes it."""
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-i', clip, *filters, '-map', '0:v', '-vsync', 'passthrough', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-'],
                         check=True, capture_output=True).stdout
    size = width * height * 3 // 2
    return [hashlib.sha256(raw[i:i + size]).hexdigest() for i in range(0, len(raw), size)]


def times_of(clip):
    return [int(t) for t in re.findall(r'-?\d+', subprocess.run(['ffprobe', '-v', 'error', '-select_streams', 'v', '-show_entries', 'frame=pts', '-of', 'csv=p=0', clip],
                                                              check=True, capture_output=True, text=True).stdout)]


def whole_graphs():
    decode = node(0, 'c_ffmpeg_decoder', {'input_path': 'clip.mp4'}, outputs=[('v', 'video'), 'audio:a'])
    plain = graph(node(7, 'c_ffmpeg_encoder', {'output_path': 'out.mp4'}, ['h', 'a']), decode,
                  node(3, 'mmdm_hash', {'path': 'h.txt'}, ['v'], ['h']))
    code, said = run(plain, '--trace', 'trace.json')
    check(code == 0 and json.loads(said.splitlines()[-1])['frames'] == 60, 'a decoder, a node and an encoder run, in whatever order they are written')
    seen = hashes('h.txt')
    check([s[4] for s in seen] == frames_of('clip.mp4', 320, 240), 'its frames are those that ffmpeg decodes')
    check([int(s[1]) for s in seen] == times_of('clip.mp4'), 'and have their times')
    streams = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=codec_name,nb_frames', '-of', 'csv=p=0', 'out.mp4'], capture_output=True, text=True).stdout
    check('h264,60' in streams and 'aac' in streams, 'picture and sound are in the file')
    spans = [e for e in json.loads(Path('trace.json').read_text())['traceEvents'] if e['ph'] == 'X']
    check({e['name'] for e in spans} >= {'c_ffmpeg_decoder', 'mmdm_hash', 'c_ffmpeg_encoder'} and
          all(e['dur'] >= 0 and e['ts'] > 0 and e['args'].get('waiting', 0) >= 0 for e in spans) and len([e for e in spans if e['name'] == 'mmdm_hash']) == 61,
          'the trace is JSON, with every turn of every node')
    small = graph(decode, node(1, 'c_ffmpeg_filter', {'filters': [{'name': 'scale', 'para': '160:120:flags=bilinear'}, {'name': 'vflip'}]}, ['v'], ['s']),
                  node(2, 'mmdm_hash', {'path': 's.txt'}, ['s'], ['h']), node(3, 'c_ffmpeg_encoder', {'null_output': 1}, ['h']))
    code, said = run(small)
    check(code == 0 and [s[4] for s in hashes('s.txt')] == frames_of('clip.mp4', 160, 120, ['-vf', 'scale=160:120:flags=bilinear,vflip']), 'filters give what ffmpeg gives')
    two = graph(decode, node(1, 'c_ffmpeg_decoder', {'input_path': 'clip.mp4', 'start_time': 1}, outputs=[('w', 'video')]),
                node(2, 'c_ffmpeg_filter', {'name': 'hstack', 'para': ''}, ['v', 'w'], ['x']), node(3, 'mmdm_hash', {'path': 'x.txt'}, ['x'], ['y']),
                node(4, 'c_ffmpeg_encoder', {'null_output': 1, 'video_params': {'width': 320, 'height': 120}}, ['y']))
    code, said = run(two)
    check(code == 0 and hashes('x.txt')[0][3] == '640x240', f'a filter joins two recordings ({said.strip()[-100:]})')
    part = graph(node(0, 'c_ffmpeg_decoder', {'input_path': 'clip.mp4', 'start_time': 1, 'end_time': 2}, outputs=['v']),
                 node(1, 'mmdm_hash', {'path': 'p.txt'}, ['v']))
    code, said = run(part)
    check(code == 0 and [s[4] for s in hashes('p.txt')] == frames_of('clip.mp4', 320, 240)[20:40], 'a part of a recording is that part')


def refusals():
    decode = node(0, 'c_ffmpeg_decoder', {'input_path': 'clip.mp4'}, outputs=[('v', 'video')])
    hashed = node(1, 'mmdm_hash', {'path': 'r.txt'}, ['v'], ['h'])
    for words, made in [
            (['not valid JSON'], '{"nodes": ['), (['nodes'], graph()), (['Generator', 'mode'], graph(decode, mode='Generator')), (['streams of the graph'], graph(decode, mode='Server', input_streams=[{'identifier': 'x'}])),
            (['node 4 (mmdm_hush)', 'mmdm_hash'], graph(decode, node(4, 'mmdm_hush', {}, ['v']))),
            (['node 1 (mmdm_hash)', 'no node gives', "'w'"], graph(decode, node(1, 'mmdm_hash', {'path': 'r'}, ['w']))),
            (['node 1 (mmdm_hash)', 'premodule_id'], graph(decode, hashed | {'meta_info': {'premodule_id': 3}})),
            (['node 1 (mmdm_hash)', 'callbacks'], graph(decode, hashed | {'meta_info': {'callback_bindings': ['0:1']}})),
            (['node 1 (mmdm_hash)', 'clocksync'], graph(decode, hashed | {'input_manager': 'clocksync'})),
            (['node 1 (mmdm_hash)', 'python'], graph(decode, node(1, 'mmdm_hash', {'path': 'r'}, ['v'], info={'type': 'python'}))),
            (['node 1 (mmdm_hash)', 'circles'], graph(node(1, 'mmdm_hash', {'path': 'r'}, ['b'], ['a']), node(2, 'mmdm_hash', {'path': 'q'}, ['a'], ['b']))),
            (['node 0 (c_ffmpeg_decoder)', 'durations'], graph(decode | {'option': {'input_path': 'clip.mp4', 'durations': [1, 2]}}, hashed)),
            (['node 0 (c_ffmpeg_decoder)', 'absent.mp4'], graph(decode | {'option': {'input_path': 'absent.mp4'}}, hashed)),
            (['node 0 (c_ffmpeg_decoder)', 'subtitle'], graph(decode | {'output_streams': [{'identifier': 'v', 'notify': 'subtitle'}]}, hashed)),
            (['node 1 (c_ffmpeg_filter)', 'movie'], graph(decode, node(1, 'c_ffmpeg_filter', {'name': 'movie', 'para': 'x.mp4'}, ['v'], ['w']))),
            (['node 1 (c_ffmpeg_filter)', 'nonsense'], graph(decode, node(1, 'c_ffmpeg_filter', {'name': 'nonsense'}, ['v'], ['w']))),
            (['node 2 (c_ffmpeg_encoder)', 'hevc'], graph(decode, node(2, 'c_ffmpeg_encoder', {'output_path': 'o.mp4', 'video_params': {'codec': 'hevc'}}, ['v']))),
            (['node 2 (mmdm_find)', 'folder'], graph(decode, node(2, 'mmdm_find', {}, ['v']))),
            (['node 2 (mmdm_find)', 'gase', 'gaze'], graph(decode, node(2, 'mmdm_find', {'folder': 'w', 'keep': 'gase'}, ['v'])))]:
        code, said = run(made)
        check(code in (65, 78) and all(w in said for w in words), f'{words}: {said.strip()[-150:]}')
    check(not Path('r.txt').exists(), 'and nothing was written')


def stopping():
    """A signal ends a graph in the middle: nothing is left of what it was writing."""
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=25:duration=120', '-c:v', 'libx264', '-preset', 'ultrafast', 'long.mp4')
    decode = node(0, 'c_ffmpeg_decoder', {'input_path': 'long.mp4'}, outputs=[('v', 'video')])
    Path('long.json').write_text(json.dumps(graph(decode, node(1, 'c_ffmpeg_encoder', {'output_path': 'stopped.mp4'}, ['v']), mode='Server')))
    running = subprocess.Popen([MMDM, 'graph', 'run', 'long.json', '--trace', 'stopped.json'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not any(n.startswith('stopped.mp4') for n in os.listdir()) and running.poll() is None:
        time.sleep(.02)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    left = [n for n in os.listdir() if n.startswith('stopped')]
    check(running.returncode == 75 and 'stopped by a signal' in said and not left, f'a signal ends it, and nothing is left ({running.returncode}, {said.strip()}, {left})')


def own_node():
    built = subprocess.run(['cc', '-shared', '-fPIC', '-Wall', '-Werror', '-I', ROOT / 'include', '-o', 'overlay.so', ROOT / 'docs/overlay.c'])
    check(built.returncode == 0, 'docs/overlay.c is built with nothing but mmdm_node.h')
    decode = node(0, 'c_ffmpeg_decoder', {'input_path': 'clip.mp4'}, outputs=[('v', 'video')])
    own = {'name': 'mmdm_node', 'path': './overlay.so', 'entry': 'bar'}
    made = graph(decode, node(1, 'mmdm_node', {'seconds': 2, 'height': 16}, ['v'], ['w'], info=own), node(2, 'mmdm_hash', {'path': 'plain.txt'}, ['v'], ['x']),
                 node(3, 'mmdm_hash', {'path': 'bar.txt'}, ['w'], ['y']), node(4, 'c_ffmpeg_encoder', {'output_path': 'bar.mp4', 'video_params': {'crf': 5}}, ['y']))
    code, said = run(made)
    check(code == 0, f'it runs in a graph ({said.strip()[-100:]})')
    check([s[4] for s in hashes('plain.txt')] == frames_of('clip.mp4', 320, 240), 'who reads the same frames beside it sees none of its paint')
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-i', 'bar.mp4', '-f', 'rawvideo', '-pix_fmt', 'gray', '-'], capture_output=True, check=True).stdout
    lit = [sum(p > 215 for p in raw[f * 320 * 240 + 230 * 320:][:320]) for f in (0, 20, 59)]
    check(lit[1] in range(150, 171) and lit[2] == 320, f'and the bar grows with the time ({lit})')
    for words, option, info in [(['node 1', 'more than nothing'], {'seconds': 0}, own), (['node 1', "no node 'line'"], {}, own | {'entry': 'line'}),
                                (['node 1', './gone.so'], {}, own | {'path': './gone.so'})]:
        code, said = run(graph(decode, node(1, 'mmdm_node', option, ['v'], ['w'], info=info)))
        check(code == 65 and all(w in said for w in words), f'{words}: {said.strip()[-120:]}')


def stages():
    """find, as a node, writes what it writes alone; the printed graphs are read again."""
    for which in ('analysis', 'rendering'):
        text = subprocess.run([MMDM, 'run', FACE, '-o', 'out', '--keep', 'age,gaze', '--print-graph', which], capture_output=True, text=True).stdout
        names = [n['module_info']['name'] for n in json.loads(text)['nodes']]
        check(('mmdm_find' if which == 'analysis' else 'mmdm_compose') in names and '"keep": "age,gaze"' in text, f'--print-graph {which}: {names}')
    if not FACE.exists():
        return print('skipped: the clip is not here (./setup)')
    ffmpeg('-i', FACE, '-t', '1', '-c:v', 'libx264', '-qp', '12', '-an', 'face.mp4')
    for args in (['ingest', 'alone', 'face.mp4'], ['find', 'alone']):
        Path('alone').mkdir(exist_ok=True)
        subprocess.run([MMDM, *args], check=True, capture_output=True)
    find = {'folder': 'inside', 'input_path': 'face.mp4', 'models': str(ROOT / '.deps/models'), 'weights': str(ROOT / 'models')}
    made = graph(node(0, 'c_ffmpeg_decoder', {'input_path': 'face.mp4'}, outputs=[('v', 'video')]), node(1, 'mmdm_find', find, ['v'], ['w']),
                 node(2, 'mmdm_hash', {'path': 'ours.txt'}, ['w'], ['h']), node(3, 'c_ffmpeg_encoder', {'output_path': 'ours.mp4', 'video_params': {'codec': 'h264', 'crf': 12}}, ['h']))
    code, said = run(made)
    same = all(Path('alone', n).read_bytes() == Path('inside', n).read_bytes() for n in ('tracks.json', 'geometry.safetensors'))
    check(code == 0 and same, f'find in a graph writes what find alone writes ({said.strip()[-100:]})')
    return made


def rendering():
    """compose, as a node, paints what it paints alone. The one face is covered, so that no stand-in has to be drawn."""
    if not FACE.exists():
        return
    done = subprocess.run([MMDM, 'run', 'face.mp4', '-o', 'job', '--exclude-person', 'person-01', '--keep-work'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    work = Path('job/private/work/clip-0001')
    if not check_run(done, work):
        return
    shutil.copytree(work, 'compose')
    paint = {'folder': 'compose', 'exclude-person': 'person-01', 'models': str(ROOT / '.deps/models'), 'weights': str(ROOT / 'models')}
    made = graph(node(0, 'c_ffmpeg_decoder', {'input_path': 'face.mp4'}, outputs=[('v', 'video')]), node(1, 'mmdm_hash', {'path': 'in-ours.txt'}, ['v'], ['i']),
                 node(2, 'mmdm_compose', paint, ['i'], ['w']), node(3, 'mmdm_hash', {'path': 'ours.txt'}, ['w'], ['h']),
                 node(4, 'c_ffmpeg_encoder', {'output_path': 'ours.mp4', 'video_params': {'codec': 'h264'}}, ['h']))
    code, said = run(made)
    check(code == 0 and frames_of('ours.mp4', 400, 300) == frames_of(work / 'masked.mp4', 400, 300), f'compose in a graph makes the clip that compose makes ({said.strip()[-100:]})')
    return made


def check_run(done, work):
    check(done.returncode in (0, 3) and (work / 'masked.mp4').exists(), f'a job, to compare with ({done.stderr.strip()[-200:] if done.returncode not in (0, 3) else ""})')
    return (work / 'masked.mp4').exists()


def in_bmf(made, folder, written):
    """The very same graph in BMF itself, with our library's modules: the same frames, and the same files in the stage's folder."""
    found, library = bmf.folder(), MMDM.parent / 'libmmdm_bmf.so'
    if not found or not library.exists() or not made:
        return print('skipped: BMF is not here (./setup bench)')
    made = json.loads(json.dumps(made).replace('ours.', 'theirs.').replace(f'"{folder}"', f'"{folder}-bmf"'))
    if Path(folder, 'plan.json').exists():
        shutil.copytree(folder, f'{folder}-bmf')
    for n in made['nodes']:
        name = n['module_info']['name']
        if name.startswith('mmdm'):
            n['module_info'] |= {'type': 'go', 'path': str(library.resolve()), 'entry': f'libmmdm_bmf.{name}'}
        if name == 'c_ffmpeg_encoder':
            n['option']['video_params']['crf'] = 12
    Path('bmf.json').write_text(json.dumps(made))
    host = f"""
import ctypes
e = ctypes.CDLL('{found}/lib/libengine.so', mode=ctypes.RTLD_GLOBAL)
e.bmf_make_graph.restype, e.bmf_make_graph.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_bool, ctypes.c_bool]
for f in (e.bmf_graph_start, e.bmf_graph_close):
    f.argtypes = [ctypes.c_void_p]
g = e.bmf_make_graph(open('bmf.json', 'rb').read(), False, False)
assert g and e.bmf_graph_start(g) == 0 and e.bmf_graph_close(g) == 0
"""
    done = subprocess.run([sys.executable, '-c', host], env=bmf.environment(found, 'links'), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f'BMF runs it ({(done.stdout + done.stderr).strip()[-300:] if done.returncode else ""})')
    if done.returncode:
        return
    ours = sorted(n for n in os.listdir() if n.endswith('ours.txt'))
    check(ours and all(hashes(n) == hashes(n.replace('ours', 'theirs')) for n in ours), f'frames, numbers and times at our modules are those of our engine: {ours}')
    check(all(Path(folder, n).read_bytes() == Path(f'{folder}-bmf', n).read_bytes() for n in written), f'and so is what the stage wrote: {written}')
    packets = [sorted(subprocess.run(['ffprobe', '-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', f], check=True, capture_output=True,
                                     text=True).stdout.split()) for f in ('ours.mp4', 'theirs.mp4')]
    check(packets[0] == packets[1], 'what both encoded has the same packets and times')
    said = subprocess.run(['ffmpeg', '-i', 'theirs.mp4', '-i', 'ours.mp4', '-lavfi', 'psnr', '-f', 'null', '-'], capture_output=True, text=True).stderr
    psnr = float(re.search(r'average:([\d.]+)', said)[1])
    check(psnr >= 45, f'and the same pictures: {psnr:.1f} dB')
    for n in ours:
        os.remove(n)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=20:duration=3', '-f', 'lavfi', '-i', 'sine=frequency=300:duration=3', '-c:v', 'libx264', '-bf', '2', '-c:a', 'aac', 'clip.mp4')
    whole_graphs()
    refusals()
    stopping()
    own_node()
    in_bmf(stages(), 'inside', ['tracks.json', 'geometry.safetensors'])
    in_bmf(rendering(), 'compose', ['compose.json'])
    os.chdir('/')
sys.exit(1 if bad else 0)
