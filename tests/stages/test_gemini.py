"""The transcribe backend `gemini` against a server of our own that answers as Google does, and as Google does on bad days: what comes out, what
was asked, what was deleted, and that the key is seen nowhere."""
import base64, http.server, json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time
from pathlib import Path

MMDM = os.environ['MMDM_BIN']
KEY = 'AIza-test-key-0123456789'
bad = []


def check(what, fine):
    print(('ok      ' if fine else 'NOT OK  ') + what, flush=True)
    if not fine:
        bad.append(what)


# ---- the server: the first folder of an address says how it behaves ----

class Day:
    """What a behaviour has seen so far."""

    def __init__(self):
        self.calls, self.inline, self.by_file, self.deleted, self.files, self.pieces, self.queries, self.polls = 0, 0, 0, [], {}, 0, 0, 0
        self.bodies, self.wrong = [], []


days, lock = {}, threading.Lock()


def words(*timed):
    return [{'word': w, 'startOffset': f'{a:.3f}s', 'endOffset': f'{b:.3f}s'} for w, a, b in timed]


def turn(text, *timed, speaker='spk:0'):
    return {'text': text, 'audioTranscription': {'text': text, 'languageCode': 'en-US', 'speakerLabel': speaker, 'words': words(*timed)}}


def candidate(parts, reason='STOP'):
    return {'candidates': [{'content': {'role': 'model', 'parts': parts}, 'finishReason': reason, 'index': 0}], 'modelVersion': 'x'}


HELLO = turn('My name is Margaret Hollis.', ('My', .5, .7), ('name', .7, 1.), ('is', 1., 1.2), ('Margaret', 1.2, 1.7), ('Hollis.', 1.7, 2.2))
LIST = json.dumps([{'start': '00:00', 'end': '00:02', 'text': 'Turn left.'}, {'start': '00:02', 'end': '00:05', 'text': 'My name is Margaret Hollis.'}])


def failure(code, status, message='', details=()):
    return code, json.dumps({'error': {'code': code, 'status': status, 'message': message, 'details': list(details)}})


def generate(how, n, request):
    """-> code, text of the n-th answer (from 1)"""
    fine = candidate([HELLO])
    quota = lambda q: {'@type': 'type.googleapis.com/google.rpc.QuotaFailure', 'violations': [{'quotaId': q}]}
    delay = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': '2s'}
    refusal = lambda reason: candidate([], reason)
    odd = {
        'prompted': lambda: candidate([{'text': 'hm', 'thought': True}, {'text': LIST}]),
        'chatter': lambda: candidate([{'text': 'This is a recording of a person.'}]),
        'speakers': lambda: candidate([HELLO, turn('Yes.', ('Yes.', 3., 3.4), speaker='spk_1')]),
        'vocabulary': lambda: failure(400, 'INVALID_ARGUMENT', 'custom vocabulary and word timestamps, key ' + KEY),
        'wrapped': lambda: (400, '[' + failure(400, 'FAILED_PRECONDITION', 'not\nhere')[1] + ']'),
        'minute': lambda: failure(429, 'RESOURCE_EXHAUSTED', 'slow down', [quota('RequestsPerMinute'), delay]) if n == 1 else fine,
        'daily': lambda: failure(429, 'RESOURCE_EXHAUSTED', 'enough', [quota('RequestsPerDay-FreeTier'), delay]),
        'busy': lambda: failure(503, 'UNAVAILABLE', 'overloaded') if n < 3 else fine,
        'size': lambda: failure(403, 'PERMISSION_DENIED', 'SERVICE_DISABLED') if 'inlineData' in request else fine,
        'region': lambda: failure(403, 'PERMISSION_DENIED', 'not from there'),
        'much': lambda: candidate([turn('My')], 'MAX_TOKENS') if n == 1 else fine,
        'toomuch': lambda: candidate([turn('My')], 'MAX_TOKENS'),
        'spii': lambda: refusal('SPII'),
        'safety': lambda: {'promptFeedback': {'blockReason': 'SAFETY'}},
        'proxy': lambda: (502, '<html>Bad gateway</html>') if n == 1 else fine,
        'half': lambda: (200, json.dumps(fine)[:150]) if n == 1 else fine,
        'backwards': lambda: candidate([turn('Margaret Hollis called', ('Margaret', 3., 3.5), ('Hollis', 1., 1.5), ('called', 3.5, 4.))]),
        'beyond': lambda: candidate([turn('Margaret Hollis called', ('Margaret', 30., 30.5), ('Hollis', 31., 31.5), ('called', 33.5, 34.))]),
        'untimed': lambda: candidate([{'text': 'My name is Margaret Hollis.'}]),
    }
    answer = odd.get(how, lambda: fine)()
    return answer if isinstance(answer, tuple) else (200, json.dumps(answer))


class Google(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def answer(self, code, text='', **headers):
        data = text.encode()
        self.send_response(code)
        for k, v in headers.items():
            self.send_header(k.replace('_', '-'), v)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def drop(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.connection.close()

    def handle_one(self, method):
        how, path = self.path[1:].split('/', 1)
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        with lock:
            day = days.setdefault(how, Day())
            if self.headers.get('x-goog-api-key') != KEY or KEY in self.path:
                day.wrong.append('key')
        if method == 'POST' and path == 'upload/v1beta/files':
            return self.start(how, day, json.loads(body))
        if method == 'POST' and path.startswith('put/'):
            return self.put('files/' + path[4:], how, day, body)
        if method == 'POST' and path.endswith(':generateContent'):
            return self.generate(how, day, body)
        name = path[7:]
        if method == 'DELETE':
            with lock:
                day.deleted.append(name)
            return self.answer(200 if day.files.pop(name, None) is not None else 404, '{}')
        day.polls += 1
        if method != 'GET' or name not in day.files:
            return self.answer(*failure(404, 'NOT_FOUND'))
        state = 'FAILED' if how == 'unreadable' else 'PROCESSING' if how == 'forever' or day.polls <= 2 else 'ACTIVE'
        self.answer(200, json.dumps({'name': name, 'state': state, 'sizeBytes': '1', 'uri': 'https://elsewhere.example/v1beta/' + name}))

    def start(self, how, day, body):
        name = body['file']['name']
        day.files[name] = b''
        day.length = int(self.headers['X-Goog-Upload-Header-Content-Length'])
        self.answer(200, '', x_goog_upload_url=f'https://elsewhere.example/put/{name[6:]}', x_goog_upload_status='active')

    def put(self, name, how, day, body):
        command = self.headers['X-Goog-Upload-Command']
        if command == 'query':
            day.queries += 1
            return self.answer(200, '', x_goog_upload_status='active', x_goog_upload_size_received=str(len(day.files[name])))
        day.pieces += 1
        if how == 'reset' and day.pieces == 2:
            day.files[name] += body[:262144]  # some of it came
            return self.drop()
        if int(self.headers['X-Goog-Upload-Offset']) != len(day.files[name]):  # a request that was sent twice
            return self.answer(*failure(400, 'INVALID_ARGUMENT', 'offset'))
        day.files[name] += body
        done = 'finalize' in command
        if done and len(day.files[name]) != day.length:
            day.wrong.append('length')
        if how == 'headless' and day.pieces == 1:
            return self.answer(200)
        self.answer(200, json.dumps({'file': {'name': name}}) if done else '', x_goog_upload_status='final' if done else 'active')

    def generate(self, how, day, body):
        with lock:
            day.calls += 1
            n = day.calls
        request = json.loads(body)
        text = body.decode()
        day.bodies.append(request)
        part = request['contents'][0]['parts'][-1]
        if 'fileData' in part:
            day.by_file += 1
            name = part['fileData']['fileUri'].split('v1beta/')[1]
            sound = day.files.get(name, b'')
        else:
            day.inline += 1
            sound = base64.b64decode(part['inlineData']['data'])
        if sound[:4] != b'fLaC' or b'Lavf' in sound:
            day.wrong.append('sound')
        code, answer = generate(how, n, text)
        if how == 'slow' and n == 1:
            self.send_response(200)
            self.send_header('Content-Length', '10000')
            self.end_headers()
            self.wfile.write(b'{"candidates":')
            self.wfile.flush()
            time.sleep(4)
            return self.drop()
        self.answer(code, answer)

    def do_POST(self):
        self.handle_one('POST')

    def do_GET(self):
        self.handle_one('GET')

    def do_DELETE(self):
        self.handle_one('DELETE')


# The upload's address has the host alone; the server takes such paths for the behaviour that began the upload.
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


# ---- asking mmdm ----

work = Path(tempfile.mkdtemp(prefix='mmdm-gemini-'))
server = Server(('127.0.0.1', 0), Google)
base = f'http://127.0.0.1:{server.server_port}'
threading.Thread(target=server.serve_forever, daemon=True).start()


def clip(name, sound, seconds):
    video, folder = work / f'{name}.mp4', work / name
    subprocess.run(['ffmpeg', '-v', 'error', '-f', 'lavfi', '-i', f'color=gray:s=160x120:r=5:d={seconds}', '-f', 'lavfi', '-i', f'{sound}:d={seconds}', '-shortest',
                    '-c:v', 'libx264', '-c:a', 'aac', '-ar', '16000', str(video)], check=True)
    folder.mkdir(mode=0o700)
    subprocess.run([MMDM, 'ingest', str(folder), str(video)], check=True)
    return folder


def surroundings(how, key=KEY, **more):
    return {**os.environ, 'MMDM_GEMINI_BASE': f'{base}/{how}', 'GEMINI_API_KEY': key, **more}


def command(folder, model='gemini-3.5-transcribe', consent='yes'):
    return [MMDM, 'transcribe', str(folder), '--transcribe', 'gemini', '--gemini-model', model, '--send-audio-to-google', consent, '-v']


def ask(how, folder, model='gemini-3.5-transcribe', consent='yes', **more):
    """-> exit code, what was said, the transcript, what the server saw, seconds"""
    (folder / 'transcript.json').unlink(missing_ok=True)
    start = time.time()
    done = subprocess.run(command(folder, model, consent), env=surroundings(how, **more), capture_output=True, text=True)
    said, path = done.stdout + done.stderr, folder / 'transcript.json'
    day = days.get(how, Day())
    check(f'{how}: the key is in no output and no address', KEY not in said and not day.wrong)
    check(f'{how}: nothing is left at Google, and the ledger is gone', not day.files and not (folder / 'gemini-uploads.txt').exists())
    return done.returncode, said, json.loads(path.read_text()) if path.exists() else None, day, time.time() - start


def covers(transcript, start, end, kind=None):
    return any(p['start'] <= start and p['end'] >= end and kind in (None, p['kind']) for p in transcript['personal'])


def text_of(transcript):
    return ' '.join(w['text'] for w in transcript['words'])


short = clip('short', 'sine=f=300', 9)
long = clip('long', 'anoisesrc=r=16000:a=0.6', 40)  # noise: FLAC of more than 512 KiB
NAME = 'My name is Margaret Hollis.'

code, said, t, day, _ = ask('fine', short)
check('dedicated: words with their times', code == 0 and text_of(t) == NAME and abs(t['words'][3]['start'] - 1.2) < .2)
check('dedicated: the name is cut with a margin, the rest is not', covers(t, 1., 2.4, 'name') and not covers(t, .4, .6))
check('dedicated: the transcript says where the sound went', t['sent'] == {'to': base[7:], 'model': 'gemini-3.5-transcribe'} and t['language'] == 'en')
check('dedicated: word times asked for, no vocabulary', day.bodies[0]['generationConfig']['audioTranscriptionConfig'] == {'wordTimestamp': True, 'diarization': False})

code, said, t, day, _ = ask('speakers', short)
check('two speakers: one text', code == 0 and text_of(t) == NAME + ' Yes.')

code, said, t, day, _ = ask('prompted', short, 'gemini-2.5-flash')
check('prompted: texts in order, thoughts left out', code == 0 and text_of(t) == 'Turn left. ' + NAME)
check('prompted: a personal word costs the whole piece', covers(t, .3, 8.7, 'name'))
check('prompted: a list is asked for', day.bodies[0]['generationConfig']['responseSchema']['type'] == 'ARRAY')
code, said, t, day, _ = ask('chatter', short, 'gemini-2.5-flash')
check('prompted: chatter is no transcript: all is cut', code == 0 and not t['words'] and covers(t, .3, 8.7, 'unheard'))

code, said, t, day, _ = ask('upload', long)
check('upload: in pieces, twice not ready, then used and deleted', code == 0 and day.pieces >= 2 and day.polls == 3 and day.by_file == 1 and len(day.deleted) == 1)
code, said, t, day, _ = ask('reset', long)
check('upload: a broken connection is gone on with where it broke', code == 0 and day.queries >= 1 and day.by_file == 1)
code, said, t, day, _ = ask('headless', long)
check('upload: a piece without a status is asked about', code == 0 and day.queries == 1)
code, said, t, day, _ = ask('unreadable', long)
check('upload: FAILED is an error, and deleted', code == 65 and t is None and len(day.deleted) == 1)

code, said, t, day, _ = ask('vocabulary', short)
check('400: not tried again, said in Google\'s words', code == 78 and day.calls == 1 and 'custom vocabulary' in said)
code, said, t, day, _ = ask('wrapped', short)
check('400 in an array: read all the same', code == 78 and 'FAILED_PRECONDITION' in said)
code, said, t, day, took = ask('minute', short)
check('429: waits as long as asked', code == 0 and day.calls == 2 and took >= 2)
code, said, t, day, _ = ask('daily', short)
check('429 of the day: stops at once', code == 75 and day.calls == 1 and 'quota' in said)
code, said, t, day, _ = ask('busy', short)
check('503 twice: then well', code == 0 and day.calls == 3 and text_of(t) == NAME)
code, said, t, day, _ = ask('size', short)
check('403 of inline sound: once more as a file', code == 0 and day.inline == 1 and day.by_file == 1 and len(day.deleted) == 1)
code, said, t, day, _ = ask('region', short)
check('403 both ways: the key or the region', code == 78 and day.calls == 2 and len(day.deleted) == 1)

code, said, t, day, _ = ask('much', short)
check('MAX_TOKENS: asked again in two halves', code == 0 and day.calls == 3 and text_of(t) == NAME + ' ' + NAME)
code, said, t, day, _ = ask('toomuch', short)
check('MAX_TOKENS of every part: all is cut', code == 0 and covers(t, .3, 3., 'unheard') and not t['words'])
for how in ('spii', 'safety'):
    code, said, t, day, _ = ask(how, short)
    check(f'{how}: all of the piece is cut', code == 0 and day.calls == 1 and covers(t, .3, 8.7, 'unheard'))
code, said, t, day, _ = ask('proxy', short)
check('502 in HTML: then well', code == 0 and day.calls == 2)
code, said, t, day, _ = ask('half', short)
check('half an answer: asked again', code == 0 and day.calls == 2 and text_of(t) == NAME)
code, said, t, day, _ = ask('slow', short, MMDM_GEMINI_TIMEOUT='1')
check('an answer that does not end: given up, then well', code == 0 and day.calls == 2)
for how in ('backwards', 'beyond', 'untimed'):
    code, said, t, day, _ = ask(how, short)
    check(f'{how}: times that cannot be true: the name costs the whole piece', code == 0 and covers(t, .3, 8.7, 'name'))

code, said, t, day, _ = ask('unasked', short, consent='no')
check('without consent: nothing is sent', code == 2 and day.calls == 0 and 'send-audio-to-google' in said)
code, said, t, day, _ = ask('keyless', short, key='')
check('without a key: said', code == 78 and day.calls == 0 and 'GEMINI_API_KEY' in said)
code, said, t, day, _ = ask('plain', short, MMDM_GEMINI_BASE='http://example.com')
check('the key goes to no other machine unencrypted', code == 78)


# ---- stopped in the middle ----

def while_processing(program, how='forever', day=None):
    days.pop(how, None)
    process = subprocess.Popen(program, env=surroundings(how), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for _ in range(1200):
        if how in days and days[how].polls:
            return process, days[how]
        if process.poll() is not None:
            break
        time.sleep(.1)
    return process, days.get(how, Day())


process, day = while_processing(command(long))
process.send_signal(signal.SIGINT)
said = process.communicate(timeout=60)[0]
check('SIGINT: the upload is deleted', process.returncode == 75 and not day.files and len(day.deleted) == 1)
process, day = while_processing(command(long))
process.kill()
process.communicate()
check('SIGKILL: the ledger names what is left', len(day.files) == 1 and list(day.files)[0] in (long / 'gemini-uploads.txt').read_text())
left = list(day.files)
days['fine2'] = Day()
days['fine2'].files.update({name: b'' for name in left})
code, said, t, day, _ = ask('fine2', long)
check('the next run deletes it', code == 0 and left[0] in day.deleted)

process, day = while_processing([MMDM, 'analyze', str(work / 'long.mp4'), '-o', str(work / 'out'), '--keep', 'speech', '--transcribe', 'gemini',
                                 '--send-audio-to-google', 'yes', '-q'])
process.send_signal(signal.SIGINT)
said = process.communicate(timeout=120)[0]
check('SIGINT of a job: its worker is killed, the upload is deleted all the same', process.returncode == 75 and not day.files and len(day.deleted) == 1)

server.shutdown()
shutil.rmtree(work)
print(f'{"not " if bad else ""}all well')
sys.exit(1 if bad else 0)
